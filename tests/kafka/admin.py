"""Topics, offsets, groups, users and rights, by the independent client."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, TopicPartition, admin

from hitl_events.domain.values import value
from tests.kafka.security import Login

kafka: Any = admin  # its types say of no name that it is exported, and few of its calls have any

ASK_S_MAX = 30.0
SCRAM_ITERATIONS = 4096


@value
class Right:
    """What a user may do: `TOPIC`, `GROUP`, `TRANSACTIONAL_ID` or `CLUSTER`, and the operation."""

    resource: str
    name: str
    operation: str
    prefixed: bool = False


class Admin:
    """Each call returns when the broker has done it; `KafkaException` if it refuses."""

    def __init__(self, configuration: dict[str, str | int | float | bool]) -> None:
        self._client: Any = kafka.AdminClient(dict(configuration))

    def create_topic(self, name: str, partitions: int = 1, **configuration: str) -> None:
        """With the broker's default of replicas; options in Kafka's names, dots as `_`."""
        named = {option.replace("_", "."): held for option, held in configuration.items()}
        _done(self._client.create_topics([kafka.NewTopic(name, partitions, -1, config=named)]))

    def delete_topic(self, name: str) -> None:
        """With all that is in it."""
        _done(self._client.delete_topics([name]))

    def topics(self, within_s: float = ASK_S_MAX) -> dict[str, int]:
        """Partitions of each topic that this user may see."""
        known = self._client.list_topics(timeout=within_s).topics
        return {name: len(topic.partitions) for name, topic in known.items()}

    def topic_configuration(self, name: str) -> dict[str, str]:
        """In Kafka's names, defaults included."""
        asked = [kafka.ConfigResource(kafka.ConfigResource.Type.TOPIC, name)]
        (found,) = _done(self._client.describe_configs(asked))
        return {option: str(entry.value) for option, entry in found.items()}

    def leaders(self, topic: str) -> dict[int, int]:
        """The node that leads each partition, -1 where none does."""
        known = self._client.list_topics(topic, timeout=ASK_S_MAX).topics[topic]
        return {number: partition.leader for number, partition in known.partitions.items()}

    def in_sync(self, topic: str) -> dict[int, int]:
        """How many nodes hold all of each partition."""
        known = self._client.list_topics(topic, timeout=ASK_S_MAX).topics[topic]
        return {number: len(partition.isrs) for number, partition in known.partitions.items()}

    def end_offsets(self, topic: str, *, committed: bool = True) -> dict[int, int]:
        """Per partition the last stable offset, or the high watermark."""
        level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
        places = [TopicPartition(topic, number) for number in range(self.topics()[topic])]
        asked = {place: kafka.OffsetSpec.latest() for place in places}
        futures = self._client.list_offsets(asked, isolation_level=level)
        _done(futures)
        return {place.partition: future.result().offset for place, future in futures.items()}

    def delete_records(self, topic: str, number: int, before: int) -> None:
        """Those of one partition, as its retention does."""
        _done(self._client.delete_records([TopicPartition(topic, number, before)]))

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """Per partition the offset from which the group goes on, where it has one."""
        asked = [ConsumerGroupTopicPartitions(group)]
        (found,) = _done(self._client.list_consumer_group_offsets(asked))
        return {at.partition: at.offset for at in found.topic_partitions if at.topic == topic}

    def move_group(self, group: str, topic: str, number: int, offset: int) -> None:
        """It goes on from there, as if it had committed that; it must have no members."""
        place = TopicPartition(topic, number, offset)
        asked = [ConsumerGroupTopicPartitions(group, [place])]
        _done(self._client.alter_consumer_group_offsets(asked))

    def delete_group(self, name: str) -> None:
        """A group without members, and all offsets that it committed."""
        _done(self._client.delete_consumer_groups([name]))

    def add_user(self, login: Login) -> Login:
        """Known to the broker from now on by SCRAM-SHA-512, with no rights."""
        credential = kafka.ScramCredentialInfo(kafka.ScramMechanism.SCRAM_SHA_512, SCRAM_ITERATIONS)
        change = kafka.UserScramCredentialUpsertion(login.name, credential, login.password.encode())
        _done(self._client.alter_user_scram_credentials([change]))
        return login

    def allow(self, login: Login, *rights: Right) -> None:
        """Give the user these rights."""
        _done(self._client.create_acls([_binding(login, right) for right in rights]))

    def take_away(self, login: Login, *rights: Right) -> None:
        """Take these rights from the user; those not given are no error."""
        _done(self._client.delete_acls([_filter(login, right) for right in rights]))


def _done(futures: Mapping[Any, Future[Any]]) -> list[Any]:
    return [future.result(ASK_S_MAX) for future in futures.values()]


def _binding(login: Login, right: Right) -> Any:
    return kafka.AclBinding(*_terms(login, right))


def _filter(login: Login, right: Right) -> Any:
    return kafka.AclBindingFilter(*_terms(login, right))


def _terms(login: Login, right: Right) -> tuple[Any, ...]:
    patterns = kafka.ResourcePatternType
    return (
        kafka.ResourceType[right.resource],
        right.name,
        patterns.PREFIXED if right.prefixed else patterns.LITERAL,
        f"User:{login.name}",
        "*",
        kafka.AclOperation[right.operation],
        kafka.AclPermissionType.ALLOW,
    )
