"""Real `hitl-engine` processes of one prefix, and what the world outside sends and sees."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import KafkaException

from hitl_events.domain.token import TokenKeys
from tests.acceptance.child import KEY, Child, child
from tests.integration.engine_recipes import EFFECTS
from tests.integration.kafka_made import made, settings_of
from tests.kafka.auditor import Auditor, audit
from tests.kafka.client import Client
from tests.kafka.cluster import Cluster
from tests.kafka.records import Outgoing, Record

RECIPES = Path(__file__).with_name("engine_recipes.py")
KEYS = TokenKeys([KEY.encode()])
PARTITIONS = 4
SESSION = "2s"


class World:
    """Engines by name, each with its state; one independent client."""

    def __init__(self, cluster: Cluster, prefix: str, folder: Path, stack: ExitStack) -> None:
        self.cluster = cluster
        self.prefix = prefix
        self.folder = folder
        self.client: Client = cluster.client()
        self._stack = stack
        self._engines: dict[str, Child] = {}

    # engines

    def start(self, name: str = "one") -> None:
        """Start an engine; it is a static member of that name."""
        self._engines[name] = self._stack.enter_context(
            child(
                self.folder,
                "hitl_engine.py",
                HITL_KAFKA_BOOTSTRAP=self.cluster.bootstrap,
                HITL_TOPIC_PREFIX=self.prefix,
                HITL_RECIPES=str(RECIPES),
                HITL_GROUP_INSTANCE_ID=name,
                HITL_GROUP_SESSION=SESSION,
                HITL_DATA=str(self.folder / name),
                **{EFFECTS: str(self.effects_path)},
            )
        )

    def serves(self, name: str = "one", partitions: int = PARTITIONS) -> None:
        """Wait until it serves so many partitions."""
        for _ in range(partitions):
            self._engines[name].until("partition.served")

    def kill(self, name: str = "one") -> None:
        """SIGKILL."""
        self._engines[name].kill()

    def signal(self, number: signal.Signals, name: str = "one") -> None:
        """Send it a signal."""
        self._engines[name].signal(number)

    def ended(self, name: str = "one") -> int:
        """Its exit code."""
        return self._engines[name].ended(15)

    def said(self, name: str = "one") -> list[str]:
        """Its log lines as far as they were read."""
        return self._engines[name].said

    # the world outside

    @property
    def effects_path(self) -> Path:
        """Where steps leave a line."""
        return self.folder / "effects"

    def effects(self) -> Counter[str]:
        """How often each step had its effect."""
        path = self.effects_path
        return Counter(path.read_text().split() if path.exists() else ())

    def topic(self, name: str) -> str:
        """A topic of the prefix."""
        return f"{self.prefix}.{name}"

    def starting(self, run_id: str, recipe: str = "reviewed", key: bytes | None = None) -> Outgoing:
        """A command as anybody would send it."""
        body = {"type": "StartRun", "recipe": recipe, "input": {"for": run_id}, "run_id": run_id}
        return Outgoing(topic=self.topic("commands"), value=json.dumps(body).encode(), key=key)

    def deciding(self, token: str, verdict: str = "approve", **more: str) -> Outgoing:
        """A decision as anybody would send it."""
        body = {"token": token, "verdict": verdict, **more}
        return Outgoing(topic=self.topic("decisions"), value=json.dumps(body).encode())

    def publish(self, *records: Outgoing) -> list[Record]:
        """All of them acknowledged."""
        return self.client.publish(*records)

    def forget_offsets(self) -> None:
        """Delete the group with what it committed, once its dead members have left it."""
        pause = threading.Event()
        for _ in range(200):
            try:
                self.client.admin.delete_group(f"{self.prefix}-engine")
            except KafkaException:
                pause.wait(0.1)
            else:
                return
        raise AssertionError("expected a group without members, found one that stays full")

    def audit(self) -> Auditor:
        """The event topic, read by who knows nothing of us."""
        return audit(self.client, self.topic("events"))

    def events(self) -> list[Record]:
        """All events there are now."""
        return self.client.read(self.topic("events"))


@contextmanager
def world_of(cluster: Cluster, prefix: str, folder: Path) -> Generator[World]:
    """Topics and no engine yet; all are killed in the end."""
    with ExitStack() as stack:
        world = World(cluster, prefix, folder, stack)
        asyncio.run(made(settings_of(cluster, prefix), PARTITIONS))
        yield world


def token_of(record: Record) -> str | None:
    """The token that a pause hands out."""
    if record.named.get("ce_type") != b"hitl.v1.GatePaused":
        return None
    return record.named["hitl-token"].decode()


def tokens(records: Iterable[Record]) -> dict[str, str]:
    """Run -> the token of its pause."""
    return {
        (record.key or b"").decode(): token
        for record in records
        if (token := token_of(record)) is not None
    }


def ended(records: Sequence[Record]) -> set[str]:
    """The runs that are complete."""
    return {
        (record.key or b"").decode()
        for record in records
        if record.named.get("ce_type") == b"hitl.v1.RunCompleted"
    }
