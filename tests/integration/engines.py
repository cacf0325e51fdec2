"""Real `hitl-engine` processes of one prefix, and what the world outside sends and sees."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from hitl_events.domain.token import TokenKeys
from tests.acceptance.child import KEY
from tests.integration.engine import Engine, engine, unclean, wait_until
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
ENGINE, PROJECTOR = "hitl_engine.py", "hitl_projector.py"


class World:
    """Engines by name, each with its state; one independent client."""

    def __init__(self, cluster: Cluster, prefix: str, folder: Path, stack: ExitStack) -> None:
        self.cluster = cluster
        self.prefix = prefix
        self.folder = folder
        self.client: Client = cluster.client()
        self._stack = stack
        self._engines: dict[str, Engine] = {}
        self._all: list[Engine] = []

    # engines

    def start(
        self, name: str = "one", *, script: str = ENGINE, static: bool = True, **more: str
    ) -> None:
        """Start an engine; it is a static member of that name, or one that leaves when it ends."""
        if static:
            more["HITL_GROUP_INSTANCE_ID"] = name
        usual = {
            "HITL_KAFKA_BOOTSTRAP": self.cluster.bootstrap,
            "HITL_TOPIC_PREFIX": self.prefix,
            "HITL_RECIPES": str(RECIPES),
            "HITL_GROUP_SESSION": SESSION,
            "HITL_DATA": str(self.folder / name),
            EFFECTS: str(self.effects_path),
        }
        started = engine(name, self.folder, script, **{**usual, **more})
        self._engines[name] = self._stack.enter_context(started)
        self._all.append(self._engines[name])

    def __getitem__(self, name: str) -> Engine:
        """The last that was started by that name."""
        return self._engines[name]

    def serves(self, *names: str) -> None:
        """Wait until each of these engines serves some partitions, and all are served by one."""
        engines = [self[name] for name in names or ("one",)]

        def shared() -> bool:
            served = [each.serves for each in engines]
            return all(served) and sorted(chain(*served)) == list(range(PARTITIONS))

        wait_until(shared, f"{names} serve all partitions")

    def until(self, part: str, name: str = "one") -> dict[str, Any]:
        """Its first log line with that in it, once there is one."""
        wait_until(lambda: any(part in line for line in self[name].said), f"{name} says {part}")
        found: dict[str, Any] = json.loads(next(line for line in self[name].said if part in line))
        return found

    def kill(self, name: str = "one") -> None:
        """SIGKILL."""
        self[name].kill()

    def terminate(self, *names: str) -> None:
        """SIGTERM (none named: to all that run); each ends with 0, in time."""
        running = [each for each in self._engines.values() if not each.has_ended]
        ending = [self[name] for name in names] if names else running
        for each in ending:
            each.signal(signal.SIGTERM)
        assert [each.ended() for each in ending] == [0] * len(ending)

    def unclean(self) -> list[str]:
        """What engines said of what they left open or forgot, or of a defect; all there were."""
        return [line for each in self._all for line in unclean(each.said)]

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

    def starting(self, run_id: str, recipe: str = "reviewed", **more: float) -> Outgoing:
        """A command as anybody would send it."""
        given = {"for": run_id, **more}
        body = {"type": "StartRun", "recipe": recipe, "input": given, "run_id": run_id}
        return Outgoing(topic=self.topic("commands"), value=json.dumps(body).encode())

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
    """Topics and no engine yet. In the end all that run get SIGTERM and leave nothing behind."""
    with ExitStack() as stack:
        world = World(cluster, prefix, folder, stack)
        asyncio.run(made(settings_of(cluster, prefix), PARTITIONS))
        yield world
        world.terminate()
        told = world.unclean()
        assert not told, "\n".join(told)


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
