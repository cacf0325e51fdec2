"""One `hitl-engine`, or projector: what it serves, by its own words, and how it ends."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.child import Child, child

WAIT_S_MAX = 60.0
END_S_MAX = 10.0
"""From SIGTERM to the exit, and from the waking of a fenced engine until it has let go."""
LOOK_S = 0.05
UNCLEAN = (
    "Task was destroyed",
    "Unclosed",
    "never retrieved",
    "never awaited",
    "Traceback",
    "Warning",
    "destructor.failed",
    "thread.failed",
    "process.defect",
    "process.killed",
    "process.stalled",
    "run.fault",
)
"""What no engine may say, however it ends."""


def wait_until(condition: Callable[[], bool], what: str, within_s: float = WAIT_S_MAX) -> None:
    """Return once it holds; `AssertionError` when the time is over."""
    pause = threading.Event()
    for _ in range(int(within_s / LOOK_S)):
        if condition():
            return
        pause.wait(LOOK_S)
    raise AssertionError(f"expected within {within_s:g} s that {what}")


def unclean(lines: Iterable[str]) -> list[str]:
    """The lines that tell of what was left open or forgotten, or of a defect."""
    return [line for line in lines if any(part in line for part in UNCLEAN)]


class Engine:
    """With `-W error`, so that what was left open is said."""

    def __init__(self, name: str, process: Child) -> None:
        self._name = name
        self._process = process

    @property
    def said(self) -> list[str]:
        """Its log lines so far."""
        return self._process.heard()

    @property
    def serves(self) -> set[int]:
        """The partitions that it serves."""
        last = dict(self._changes())
        return {number for number, change in last.items() if change == "partition.served"}

    @property
    def _left(self) -> Counter[int]:
        """How often it left each partition."""
        return Counter(n for n, change in self._changes() if change != "partition.served")

    def _changes(self) -> list[tuple[int, str]]:
        told = [json.loads(line) for line in self.said if '"event": "partition.' in line]
        return [(each["partition"], each["event"]) for each in told]

    @contextmanager
    def leaving(self) -> Generator[None]:
        """Soon after this block it has left all that it serves now, or has ended."""
        its, before = self.serves, self._left
        yield
        wait_until(
            lambda: self._process.has_ended or all(self._left[n] > before[n] for n in its),
            f"{self._name} leaves {sorted(its)}",
            END_S_MAX,
        )

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.has_ended

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def ended(self) -> int:
        """Its exit code after SIGTERM, in the time that it has."""
        return self._process.ended(END_S_MAX)


@contextmanager
def engine(name: str, folder: Path, script: str, **environment: str) -> Generator[Engine]:
    """Started, and killed at the end of the block if it is still there."""
    with child(folder, script, **environment) as process:
        yield Engine(name, process)
