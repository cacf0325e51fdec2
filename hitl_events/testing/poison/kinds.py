"""All kinds together, each with a key and headers that have to come through unharmed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hitl_events.ports import InboundKind
from hitl_events.testing.poison.bodies import bodies
from hitl_events.testing.poison.commands import commands
from hitl_events.testing.poison.decisions import decisions
from hitl_events.testing.poison.events import events
from hitl_events.testing.poison.record import Poison, Target

_KEYS = (None, b"", b"\xff\xfe\x00", b"poison", b"k" * 1_000)
_NOISE = (("x-bytes", b"\xff\x00"), ("x-empty", b""), ("x-twice", b"1"), ("x-twice", b"2"))
"""Headers that say nothing to us; of repeated ones all have to stay, in order."""


def poisons(target: Target) -> tuple[Poison, ...]:
    """Every kind; names are unique within a topic and say what is bad about the record."""
    return tuple(_dressed(target))


def _dressed(target: Target) -> Iterator[Poison]:
    kinds: tuple[InboundKind, ...] = ("decision", "command")
    plain = [one for kind in kinds for one in (*bodies(target, kind), *events(target, kind))]
    for number, one in enumerate([*plain, *decisions(target), *commands(target)]):
        keys = (*_KEYS, target.run_id.encode())
        said = (("x-poison", one.name.encode()), *_NOISE)
        yield replace(one, key=keys[number % len(keys)], headers=(*said, *one.headers))
