"""Tests of the histories and strategies that the test kit ships."""

from random import Random

from hypothesis import given, settings

from hitl_events.adapters.avro import AvroCodec
from hitl_events.domain.commands import Command
from hitl_events.domain.events import EVENT_TYPES, Event
from hitl_events.domain.evolve import fold
from hitl_events.engine.active import ActiveRun
from hitl_events.testing.histories import history_of
from hitl_events.testing.strategies import commands, histories


def test_every_event_is_met() -> None:
    """A few hundred histories hold every kind of event that there is."""
    met = {type(event) for seed in range(300) for event in history_of(Random(seed))}

    assert met == set(EVENT_TYPES)


def test_a_seed_is_one_history() -> None:
    """The same seed gives the same events, byte for byte."""
    codec = AvroCodec()
    first, second = ([codec.encode(event) for event in history_of(Random(17))] for _ in range(2))

    assert first == second


@settings(max_examples=50, deadline=None)
@given(history=histories())
def test_a_history_is_possible(history: tuple[Event, ...]) -> None:
    """An engine takes it from a log: the chain holds and every event follows from the last."""
    codec = AvroCodec()
    active = ActiveRun(history[0].run_id)

    active.restore([codec.encode(event) for event in history], codec)

    assert active.state is not None
    assert active.state.seq == len(history)


@settings(max_examples=50, deadline=None)
@given(history=histories(ended=True))
def test_an_ended_history_has_ended(history: tuple[Event, ...]) -> None:
    """`ended=True` gives only runs that are over."""
    run = fold(history)

    assert run is not None
    assert run.ended


@settings(max_examples=100, deadline=None)
@given(command=commands())
def test_a_command_needs_no_history(command: Command) -> None:
    """Without a history any command at all comes out."""
    assert type(command).__name__ in {"StartRun", "Decide", "CancelRun", "UnblockRun"}
