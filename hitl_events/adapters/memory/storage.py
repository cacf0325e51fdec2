"""What outlives a process of the memory log: partitions, their owners, and crashes to order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from hitl_events.domain.values import RunId
from hitl_events.ports import Answer, DeadLetter, InboundRecord, RunPosition, StoredEvent

CrashPoint: TypeAlias = Literal["before_commit", "after_commit"]


class Crashed(BaseException):
    """The simulated process died in `append`; every later call on that opening raises it too.

    A `BaseException`, as `KeyboardInterrupt` is: no `except Exception` outlives a `kill -9`.
    """


@dataclass(slots=True)
class Partition:
    """The durable state of one partition. `version` counts writes, `owner` is an opening of it."""

    events: list[StoredEvent] = field(default_factory=list)
    offsets: dict[RunId, list[int]] = field(default_factory=dict)
    positions: dict[RunId, RunPosition] = field(default_factory=dict)
    intake: dict[int, InboundRecord] = field(default_factory=dict)
    intake_end: int = 0
    answers: dict[int, Answer] = field(default_factory=dict)
    dead_letters: dict[int, DeadLetter] = field(default_factory=dict)
    dead_letters_end: int = 0
    epoch: int = 0
    owner: object | None = None
    imported: bool = False
    version: int = 0


@dataclass(slots=True)
class Plan:
    """What the `nth` append of an opening from now on meets, once; `refused` is a full disk."""

    point: CrashPoint | Literal["refused"]
    nth: int
