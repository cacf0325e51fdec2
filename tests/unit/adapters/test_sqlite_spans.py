import pytest
from hypothesis import given, settings, strategies as st

from hitl_events.adapters.avro.primitives import write_varint
from hitl_events.adapters.sqlite.spans import Span, decode, encode, spans_of
from hitl_events.domain.values import RunId

run_ids = st.sampled_from([RunId("a"), RunId("b"), RunId("c")])


@settings(deadline=None)
@given(spans=st.lists(st.tuples(st.integers(0, 2**60), st.integers(1, 2**20))))
def test_spans_come_back(spans: list[Span]) -> None:
    """What is stored of a run's places is read as it was."""
    assert decode(encode(spans)) == spans


@settings(deadline=None)
@given(batches=st.lists(st.lists(run_ids, max_size=12), max_size=5))
def test_every_event_is_found_at_its_offset(batches: list[list[RunId]]) -> None:
    """Stretches of several batches, added up, name each offset of each run, in order."""
    held: dict[RunId, bytes] = {}
    log: list[RunId] = []
    for batch in batches:
        for run_id, spans in spans_of(batch, len(log)).items():
            held[run_id] = held.get(run_id, b"") + encode(spans)
        log += batch

    for run_id, data in held.items():
        offsets = [at for start, length in decode(data) for at in range(start, start + length)]
        assert offsets == [at for at, each in enumerate(log) if each == run_id]


@pytest.mark.parametrize("data", [b"\x80", b"\x01", b"\x01\x01\x01", b"\x01\x01\xff"])
def test_half_a_span_is_no_span(data: bytes) -> None:
    """A cut list is an error, not a shorter list."""
    with pytest.raises(ValueError, match="cut list"):
        decode(data)


@pytest.mark.parametrize(("number", "size"), [(0, 1), (127, 1), (128, 2), (2**14, 3), (2**28, 5)])
def test_small_numbers_are_short(number: int, size: int) -> None:
    """A stretch costs a few bytes, so that a run's row stays small."""
    assert len(write_varint(number)) == size
