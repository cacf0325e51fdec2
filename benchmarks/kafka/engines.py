"""`hitl-engine` processes of one prefix, as they are shipped, and their topics."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import workload
from tests.acceptance.child import KEY, Child, asked, process
from tests.kafka.client import Client

PARTITIONS = 4
SERVED_S_MAX = 60.0
SESSION_S = 30
"""Where none is killed: stopped for a backlog it stays a member, on a busy machine too."""
LOOK_S = 0.05
_BIN = Path(sys.executable).parent
_MB = 1e6


class Engines:
    """Engines by name, each a static member of its group with a state folder of its own."""

    def __init__(self, variables: Mapping[str, str], folder: Path, stack: ExitStack) -> None:
        self._variables = variables
        self._folder = folder
        self._stack = stack
        self._running: dict[str, Child] = {}
        self._ports: dict[str, int] = {}

    def begin(self, name: str) -> None:
        """Start one, wait for nothing."""
        self._ports.pop(name, None)
        self._running[name] = self._stack.enter_context(
            process(
                self._folder,
                [str(_BIN / "hitl-engine")],
                **self._variables,
                HITL_GROUP_INSTANCE_ID=name,
                HITL_STATE_DIR=str(self._folder / name),
                HITL_METRICS_PORT="0",
            )
        )

    def serve(self, *names: str) -> None:
        """Start these; returns when all that run have their equal share of the partitions."""
        for name in names:
            self.begin(name)
        share = f"partitions served: {PARTITIONS // len(self._running)}"
        end_s = time.perf_counter() + SERVED_S_MAX
        while any(self._standing(name) != share for name in self._running):
            if time.perf_counter() > end_s or not self.alive():
                raise RuntimeError(f"expected engines that serve, found {self._said()}")
            # sleep: it is asked again soon, while the engines need the time
            time.sleep(LOOK_S)

    def alive(self) -> bool:
        """Whether all run that were started and not killed."""
        return not any(child.has_ended for child in self._running.values())

    @contextmanager
    def frozen(self) -> Generator[None]:
        """They stand still (SIGSTOP), so that a backlog can be laid before them."""
        for child in self._running.values():
            child.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for child in self._running.values():
                child.signal(signal.SIGCONT)

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self._running.pop(name).kill()

    def rss_mb(self, name: str) -> float:
        """What is resident of it now."""
        with Path(f"/proc/{self._running[name].pid}/status").open() as status:
            line = next(line for line in status if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024 / _MB

    def _standing(self, name: str) -> str:
        if name not in self._ports:
            self._ports[name] = int(self._running[name].until("metrics.listening")["port"])
        _, body = asked(self._ports[name], "/readyz")
        return str(json.loads(body)["reason"])

    def _said(self) -> dict[str, list[str]]:
        return {name: child.said[-3:] for name, child in self._running.items()}


@contextmanager
def engines_of(
    bootstrap: str, prefix: str, folder: Path, session_s: int = SESSION_S
) -> Generator[Engines]:
    """Topics and no engine yet; in the end all are killed and the topics deleted."""
    folder.mkdir(parents=True, exist_ok=True)
    variables = {
        "HITL_KAFKA_BOOTSTRAP": bootstrap,
        "HITL_TOPIC_PREFIX": prefix,
        "HITL_GROUP_SESSION": f"{session_s}s",
        "HITL_RECIPES": str(workload.__file__),
    }
    _hitl(variables, "topics", "create", f"--partitions={PARTITIONS}")
    with ExitStack() as stack:
        yield Engines(variables, folder, stack)
    admin = Client(bootstrap).admin
    for name in admin.topics():
        if name.startswith(f"{prefix}."):
            admin.delete_topic(name)


def _hitl(variables: Mapping[str, str], *arguments: str) -> None:
    clean = {name: text for name, text in os.environ.items() if not name.startswith("HITL_")}
    subprocess.run(
        [str(_BIN / "hitl"), *arguments],
        env={**clean, **variables, "HITL_TOKEN_KEY": KEY},
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=SERVED_S_MAX,
    )
