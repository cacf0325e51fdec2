"""Makes the topics and looks at those that are there; never changes one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import aiokafka.errors as driver
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from hitl_events.adapters.kafka.bounded import CALL_S, START_S, STOP_S, Bounded
from hitl_events.adapters.kafka.clients import new_admin
from hitl_events.adapters.kafka.opening import Opening
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.topics import (
    PARTITIONS_DEFAULT,
    PARTITIONS_MAX,
    TopicPlan,
    Topics,
)
from hitl_events.adapters.kafka.trouble import Doing
from hitl_events.domain.values import value
from hitl_events.errors import (
    AccessDenied,
    HitlError,
    InvalidInput,
    LogUnavailable,
    TopicDiffers,
    UnknownTopic,
)

REPLICATION_DEFAULT = 3
REPLICATION_MAX = 2**15 - 1
"""What the protocol has room for."""
CREATE_S = 30.0
"""12 partitions of 6 topics: 1-2 s on one node."""
_LOOK_AGAIN_S = 0.1
_NO_ERROR, _NO_TOPIC, _NO_LEADER, _THERE_ALREADY = 0, 3, 5, 36


@value
class Difference:
    """A setting of a topic that is not as we make it; it is told, and never changed."""

    setting: str
    expected: str
    found: str


@value
class Counts:
    """How many partitions the four topics of a run have, those of replies, of dead letters."""

    cluster_id: str
    runs: int
    replies: int
    dead_letters: int


@value
class TopicState:
    """What `create` found or made."""

    name: str
    created: bool
    partitions: int
    differences: tuple[Difference, ...] = ()


class Admin(Opening):
    """Topics of one prefix. `async with Admin(settings) as admin`."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topics = Topics(settings.prefix)
        self._bounded = Bounded(settings)
        self._client: Any = None

    async def _connect(self) -> None:
        self._client = new_admin(self._settings)
        await self._call(self._client.start(), "connect", within_s=START_S)

    async def stop(self) -> None:
        """Close it in bounded time; never raises."""
        client, self._client = self._client, None
        if client is not None:
            try:
                await self._call(client.close(), "disconnect", within_s=STOP_S)
            except HitlError:
                return  # the connection is lost, and it was to be closed

    async def create(
        self, partitions: int | None = None, replication: int | None = None
    ) -> tuple[TopicState, ...]:
        """Make the topics that are missing; safe to repeat, and all or none where it refuses.

        `partitions`: of each topic; without it as many as those have that are there, else 12.
        `replication`: without it as many copies as there are brokers, at most 3. `TopicDiffers`
        for a topic with another number of partitions.
        """
        if replication is not None and not 0 < replication <= REPLICATION_MAX:
            raise InvalidInput(f"expected 1 to {REPLICATION_MAX} copies, found {replication}")
        found = await self.counts(self._topics.all)
        of_runs = {name: found[name] for name in self._topics.of_runs if name in found}
        count = _agreed(of_runs, partitions)
        copies = replication or await self._replication()
        plans = self._topics.plans(copies)
        missing = [plan for plan in plans if plan.name not in found]
        if missing:
            await self._make(missing, count, copies)
        differences = await self._differences(await self._copies(found), copies)
        return tuple(
            TopicState(
                name=plan.name,
                created=plan.name not in found,
                partitions=found.get(plan.name, count),
                differences=differences.get(plan.name, ()),
            )
            for plan in plans
        )

    async def counts(self, names: Iterable[str]) -> dict[str, int]:
        """The partitions of each of these topics that is there."""
        asked = list(names)
        described = await self._call(self._client.describe_topics(asked), "find the topics")
        found: dict[str, int] = {}
        for each in sorted(described, key=lambda one: asked.index(one["topic"])):
            code, name = each["error_code"], each["topic"]
            if code in {_NO_ERROR, _NO_LEADER}:
                found[name] = len(each["partitions"])
            elif code != _NO_TOPIC:
                raise _refused(code, name, "DESCRIBE", "")
        return found

    async def partitions(self) -> Counts:
        """How many partitions the topics have; `UnknownTopic`, `TopicDiffers` if they disagree.

        The four topics by which a run goes must have as many; others may have been made otherwise.
        """
        topics = self._topics
        found = await self.counts(topics.all)
        for name in topics.all:
            if name not in found:
                raise UnknownTopic(name)
        cluster = await self._call(self._client.describe_cluster(), "ask for the cluster's id")
        return Counts(
            cluster_id=str(cluster.get("cluster_id")),
            runs=_agreed({name: found[name] for name in topics.of_runs}, None),
            replies=found[topics.replies],
            dead_letters=found[topics.dead_letters],
        )

    async def _make(self, plans: Sequence[TopicPlan], count: int, replication: int) -> None:
        new = [
            NewTopic(plan.name, count, replication, topic_configs=dict(plan.configs))
            for plan in plans
        ]
        asked = self._client.create_topics(new, timeout_ms=int(CREATE_S * 1000))
        answer = await self._call(asked, "create the topics", within_s=CREATE_S)
        for name, code, message in answer.topic_errors:
            if code not in {_NO_ERROR, _THERE_ALREADY}:
                raise _refused(code, name, "CREATE", message or "")
        names = [plan.name for plan in plans]
        served = self._served(names, count)
        await self._call(served, "see the new topics served", within_s=CREATE_S)

    async def _served(self, names: Sequence[str], count: int) -> None:
        """Until each partition has a leader; another may have made a topic at the same time."""
        while True:
            described = await self._client.describe_topics(list(names))
            led = {
                each["topic"]: len(each["partitions"])
                for each in described
                if each["partitions"]
                and all(place["error_code"] == _NO_ERROR for place in each["partitions"])
            }
            if len(led) == len(names):
                _agreed(led, count)
                return
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _copies(self, names: Iterable[str]) -> Mapping[str, int]:
        """How many each of these topics keeps of its records: as many as its least partition."""
        asked = list(names)
        if not asked:
            return {}
        described = await self._call(self._client.describe_topics(asked), "find the topics")
        return {
            each["topic"]: min(len(place["replicas"]) for place in each["partitions"])
            for each in described
            if each["partitions"]
        }

    async def _differences(
        self, held: Mapping[str, int], copies: int
    ) -> Mapping[str, tuple[Difference, ...]]:
        """What is otherwise than it would be made, of topics that keep so many copies.

        Its settings are compared with those for the copies that a topic has: with more in sync
        than there are nothing could be written to it.
        """
        if not held:
            return {}
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in held]
        answers = await self._call(
            self._client.describe_configs(asked), "read the topics' settings"
        )
        differences: dict[str, tuple[Difference, ...]] = {}
        for code, message, _, name, entries in (each for one in answers for each in one.resources):
            if code != _NO_ERROR:
                raise _refused(code, name, "DESCRIBE_CONFIGS", message or "")
            count, found = held[name], {entry[0]: entry[1] for entry in entries}
            [plan] = (each for each in self._topics.plans(count) if each.name == name)
            fewer = Difference(setting="replicas", expected=str(copies), found=str(count))
            differences[name] = (
                *([fewer] if count < copies else []),
                *(
                    Difference(setting=setting, expected=wanted, found=found.get(setting, ""))
                    for setting, wanted in plan.configs
                    if found.get(setting) != wanted
                ),
            )
        return differences

    async def _replication(self) -> int:
        cluster = await self._call(self._client.describe_cluster(), "count the brokers")
        return min(REPLICATION_DEFAULT, len(cluster["brokers"]))

    async def _call(self, call: Any, what: str, *, within_s: float = CALL_S) -> Any:
        doing = Doing(what=what, about=self._topics.prefix)
        return await self._bounded.call(call, doing, within_s=within_s)


def _agreed(found: Mapping[str, int], wanted: int | None) -> int:
    """The one number of partitions; `TopicDiffers` for the first topic that has another."""
    if wanted is not None and not 0 < wanted <= PARTITIONS_MAX:
        raise InvalidInput(f"expected 1 to {PARTITIONS_MAX} partitions, found {wanted}")
    first = next(iter(found), None)
    for name, count in found.items():
        if first is not None and count != found[first]:
            raise TopicDiffers(name, count, found[first], beside=first)
    expected = wanted or (PARTITIONS_DEFAULT if first is None else found[first])
    if first is not None and found[first] != expected:
        raise TopicDiffers(first, found[first], expected)
    return expected


def _refused(code: int, name: str, operation: str, message: str) -> HitlError:
    kind = driver.for_code(code)
    if kind in {driver.TopicAuthorizationFailedError, driver.ClusterAuthorizationFailedError}:
        return AccessDenied("topic", name, operation)
    if kind is driver.InvalidReplicationFactorError:
        return InvalidInput(f"expected as many brokers as copies, found: {message}")
    said = message or kind.description
    return LogUnavailable(f"expected topic {name!r} to allow {operation}, found {said}")
