"""When the runs of a partition are written to the checkpoint topic, and as which records."""

from __future__ import annotations

from collections.abc import Iterable

from hitl_events.adapters.kafka.records import Outgoing
from hitl_events.adapters.kafka.states import StateFile
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.domain.values import RunId, value


@value
class Owned:
    """The partition in question, of how many."""

    topics: Topics
    partition: int
    partitions: int


class Checkpointer:
    """Spreads the checkpoints over the transactions. Made after `restore`, one per ownership.

    In each turn: `records()` go into the transaction; after it and after `StateFile.apply`,
    `committed(...)`. After a failed transaction it is thrown away with everything else.
    """

    def __init__(self, states: StateFile, owned: Owned) -> None:
        raise NotImplementedError

    def records(self) -> list[Outgoing]:
        """What to add to the next transaction; bounded."""
        raise NotImplementedError

    def committed(self, run_ids: Iterable[RunId], events: int) -> None:
        """That transaction is in the log and in the state file; it changed these runs."""
