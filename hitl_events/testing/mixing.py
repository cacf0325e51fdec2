"""Logs as they may come to be: events of many runs, mixed over partitions, each in its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hitl_events.domain.events import Event
from hitl_events.domain.values import NO_DIGEST, RunId, digest
from hitl_events.ports import Codec


def chained(events: Sequence[Event], run_id: str, codec: Codec) -> list[bytes]:
    """The values of the same history told of another run: its digests are its own."""
    head, values = NO_DIGEST, list[bytes]()
    for event in events:
        value = codec.encode(replace(event, run_id=RunId(run_id), prev_digest=head))
        head = digest(value)
        values.append(value)
    return values


def mixed(runs: Sequence[Sequence[bytes]], random: Random, partitions: int) -> list[list[bytes]]:
    """The values of all partitions: a run stands in one, between the events of others."""
    logs: list[list[bytes]] = [[] for _ in range(partitions)]
    left: list[tuple[list[bytes], int]] = []
    left += [(list(run), random.randrange(partitions)) for run in runs if run]
    while left:
        values, partition = random.choice(left)
        logs[partition] += values[: (taken := random.randint(1, 3))]
        del values[:taken]
        left = [(values, number) for values, number in left if values]
    return logs
