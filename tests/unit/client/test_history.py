"""A run as its records come in."""

from __future__ import annotations

import pytest

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.system import SystemIds
from hitl_events.client.history import History, not_before_ms
from hitl_events.errors import CorruptLog
from tests.unit.client.stored import paused_run


def test_a_run_rests_at_its_pause() -> None:
    """Not before the event that was answered, and not while it runs."""
    history, values = History(AvroCodec()), paused_run("r-1")
    history.add(values[0])
    running = history.rests(1)
    for value in values[1:]:
        history.add(value)

    assert (running, history.rests(1), history.rests(len(values))) == (False, True, True)
    assert not history.rests(len(values) + 1)


def test_what_does_not_begin_at_the_beginning_is_cut() -> None:
    """Whoever began to read too late is told so, and nothing is folded."""
    history = History(AvroCodec())
    history.add(paused_run("r-1")[1])

    assert (history.is_cut, history.events) == (True, [])


def test_a_record_without_a_value_is_no_event() -> None:
    """Nobody writes a tombstone into the topic of events."""
    with pytest.raises(CorruptLog):
        History(AvroCodec()).add(None)


def test_ids_that_we_make_tell_their_time() -> None:
    """With a margin for clocks that differ; others tell nothing."""
    assert not_before_ms("01890a5d-ac96-774b-bcce-b302099a8057") == 0x01890A5DAC96 - 600_000
    assert not_before_ms(SystemIds().run_id()) is not None
    assert not_before_ms("5b0ef6a0-8f0b-4d1a-9f57-1d1f7a1a3a11") is None
    assert not_before_ms("order-7") is None
