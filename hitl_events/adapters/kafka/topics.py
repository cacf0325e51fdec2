"""The six topics of one prefix: their names, and the settings with which they are made."""

from __future__ import annotations

from hitl_events.adapters.kafka.records import Place
from hitl_events.domain.values import value

PARTITIONS_DEFAULT = 12
PARTITIONS_MAX = 10_000

_DAY_MS = 24 * 60 * 60 * 1000
_FOR_EVER = "-1"

BATCH_BYTES_MAX = 1_048_588
"""Kafka's own default, said outright: an event of 900 KiB (921,600 bytes) with its key, headers
and the batch's head fits, and so does an inbound record of 256 KiB four times over."""

DEAD_LETTER_BYTES_MAX = 2 * BATCH_BYTES_MAX
"""A record that fills a batch of an inbound topic, and the headers that say why it is dead."""

Configs = tuple[tuple[str, str], ...]


@value
class TopicPlan:
    """How a topic is made."""

    name: str
    configs: Configs


class Topics:
    """The names of one prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.commands = f"{prefix}.commands"
        self.decisions = f"{prefix}.decisions"
        self.events = f"{prefix}.events"
        self.checkpoints = f"{prefix}.checkpoints"
        self.replies = f"{prefix}.replies"
        self.dead_letters = f"{prefix}.dead-letters"

    @property
    def inbound(self) -> tuple[str, str]:
        """What anybody may write to."""
        return self.commands, self.decisions

    @property
    def projectors(self) -> str:
        """The group in which projectors share the partitions of the events."""
        return f"{self.prefix}-projector"

    @property
    def of_runs(self) -> tuple[str, ...]:
        """Those in which a run has one and the same partition."""
        return (*self.inbound, self.events, self.checkpoints)

    @property
    def all(self) -> tuple[str, ...]:
        """All six, as in the contract's table."""
        return (
            *self.inbound,
            self.events,
            self.checkpoints,
            self.replies,
            self.dead_letters,
        )

    def owned(self, partition: int) -> tuple[Place, ...]:
        """The places in which only the owner of a partition writes."""
        names = (self.events, self.checkpoints, self.replies, self.dead_letters)
        return tuple(Place(name, partition) for name in names)

    def transactional_id(self, partition: int) -> str:
        """Of the writer of a partition.

        The group is not in it: two groups must fence each other, not fork the log.
        """
        return f"{self.events}.{partition}"

    def plans(self, replication: int) -> tuple[TopicPlan, ...]:
        """How each topic is made on that many brokers."""
        safe = _safe(replication)
        inbound = (*safe, *_INBOUND)
        return (
            TopicPlan(name=self.commands, configs=(*inbound, *_kept(7))),
            TopicPlan(name=self.decisions, configs=(*inbound, *_kept(30))),
            TopicPlan(name=self.events, configs=(*safe, *_SIZE, *_kept(None))),
            TopicPlan(
                name=self.checkpoints, configs=(*safe, *_SIZE, ("cleanup.policy", "compact"))
            ),
            TopicPlan(name=self.replies, configs=(*safe, *_SIZE, *_kept(1))),
            TopicPlan(
                name=self.dead_letters,
                configs=(
                    *safe,
                    ("max.message.bytes", str(DEAD_LETTER_BYTES_MAX)),
                    *_kept(90),
                ),
            ),
        )


_SIZE: Configs = (("max.message.bytes", str(BATCH_BYTES_MAX)),)

_INBOUND: Configs = (
    *_SIZE,
    # A decision is in time by the broker's clock, not by that of whoever sent it.
    ("message.timestamp.type", "LogAppendTime"),
    # The limit holds for what is in a batch, not for its compressed size: so there is no record
    # that the dead-letter topic could not take.
    ("compression.type", "uncompressed"),
)


def _safe(replication: int) -> Configs:
    """Two copies before a record counts as there, where there are two."""
    return (
        ("min.insync.replicas", str(min(2, replication))),
        ("unclean.leader.election.enable", "false"),
    )


def _kept(days: int | None) -> Configs:
    """Deleted by age only, never by size: a broker's own default must not shorten it."""
    return (
        ("cleanup.policy", "delete"),
        ("retention.ms", _FOR_EVER if days is None else str(days * _DAY_MS)),
        ("retention.bytes", _FOR_EVER),
    )
