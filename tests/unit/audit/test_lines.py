"""The quick way to a line of an export: it gives the very bytes of the slow one."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from hitl_events.adapters.avro import AvroCodec
from hitl_events.audit.export import End, EndLine, export_line, spelt
from hitl_events.audit.lines import LineWriter
from hitl_events.domain import canonical
from hitl_events.domain.events import (
    DecisionReceived,
    DecisionRejected,
    Event,
    RunCancelled,
    RunCompleted,
    RunFailed,
)
from hitl_events.errors import CorruptLog, HitlError
from hitl_events.testing.strategies import TEXT, histories, json_values
from tests.golden import make_histories as plays
from tests.unit.audit.made import CODEC, chained, ended, rechained, started, waiting
from tests.unit.domain.every_event import main_line


def _slow(value: bytes, partition: int | None = None, offset: int | None = None) -> bytes:
    return spelt(export_line(value, CODEC, partition=partition, offset=offset)) + b"\n"


@settings(deadline=None)
@given(histories(), st.integers(0, 2**53 - 1))
def test_a_line_is_that_of_the_slow_way(history: tuple[Event, ...], offset: int) -> None:
    """For every event that can be recorded, with its place and without."""
    writer = LineWriter(AvroCodec())
    for event in history:
        value = CODEC.encode(event)

        assert writer.line(value) == _slow(value)
        assert writer.line(value, 3, offset) == _slow(value, 3, offset)


def test_every_type_of_event_has_its_line() -> None:
    """Also those with nested records, and times without microseconds."""
    writer = LineWriter(AvroCodec())
    values = [value for play in (plays.reviewed(), plays.denied()) for value in play.values]

    for value in (*values, *_every_event()):
        assert writer.line(value) == _slow(value)


@settings(deadline=None)
@given(json_values() | TEXT | st.floats(allow_nan=False, allow_infinity=False))
def test_any_user_data_has_its_line(held: object) -> None:
    """Floats, long numbers and far letters are spelt as ever."""
    value = chained("r", [started(), RunCompleted(result=canonical.dumps(held))])[1]

    assert LineWriter(AvroCodec()).line(value) == _slow(value)


@pytest.mark.parametrize(
    "data",
    [b"{", b'{"b":1,"a":2}', b"\x01reference", b"1e400", b"NaN", b'{"a":1,"a":1}', b"1.0", b" 1"],
)
def test_data_that_is_not_canonical_stops_the_export(data: bytes) -> None:
    """As on the slow way, with the same words."""
    value = rechained(waiting("r"), draft_3=data)[2]

    with pytest.raises(CorruptLog, match="run 'r', event 3: expected canonical JSON in 'draft'"):
        LineWriter(AvroCodec()).line(value)


@settings(deadline=None)
@given(
    st.binary(max_size=40)
    | st.text().map(str.encode)
    | json_values().map(json.dumps).map(str.encode)
)
def test_what_is_taken_for_canonical_is(data: bytes) -> None:
    """The quick look believes nothing that `dumps` would write otherwise."""
    if canonical.is_plainly_canonical(data):
        assert canonical.dumps(canonical.loads(data)) == data


@pytest.mark.parametrize(
    ("data", "plain"),
    [
        (b'{"text":"word","n":[1,2,null,true]}', False),
        (b'{"n":[1,2,null,true],"text":"word"}', True),
        (b"1.5", False),
        (b"1e+30", False),
        (b"9007199254740993", False),
        ('{"\ue000":1,"\U00010000":2}'.encode(), False),
        (b"[" * 64 + b"]" * 64, True),
        (b"[" * 65 + b"]" * 65, False),
        (b"-0", False),
        (b'"\\ud800"', False),
        (b'"\\u0041"', False),
        (b"", False),
    ],
)
def test_what_takes_a_closer_look(data: bytes, plain: bool) -> None:
    """Plain data is most of it; all that the two spellings could differ in is not."""
    assert canonical.is_plainly_canonical(data) is plain


@pytest.mark.parametrize("places", [(), ((0, 4), (0, 7), (0, 9))])
def test_an_end_line_that_is_spilled_is_the_same(places: tuple[tuple[int, int], ...]) -> None:
    """Heads in the order of the runs, and the digest of the offsets where there are any."""
    spilled: list[bytes] = []
    quick, slow = EndLine(spilled.append), End()
    for run in (waiting("b"), waiting('a"'), ended("c")):
        where = places and [*places, *places, *places][: len(run)]
        quick.add(run_name(run), run, where)
        for at, value in enumerate(run):
            partition, offset = where[at] if where else (None, None)
            slow.add(run_name(run), value, partition=partition, offset=offset)

    opening, closing = quick.around()
    assert opening + b"".join(spilled) + closing == spelt(slow.to_json())


def test_a_record_that_is_none_is_told() -> None:
    """Nothing is written for it."""
    with pytest.raises(HitlError):
        LineWriter(AvroCodec()).line(b"junk")


def run_name(values: list[bytes]) -> str:
    """The run of these records."""
    return CODEC.decode(values[0]).run_id


def _every_event() -> list[bytes]:
    fitting = [
        replace(event, content_digest=bytes(32))
        if isinstance(event, DecisionReceived | DecisionRejected)
        else event
        for event in main_line()
    ]
    return chained("every", [*fitting, RunFailed(code="c", message="m"), RunCancelled(reason="r")])
