from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from hitl_events.adapters.avro import AvroCodec
from hitl_events.domain import canonical
from hitl_events.domain.events import DecisionReceived, DecisionRejected, Event
from hitl_events.domain.references import (
    Reference,
    cut,
    data_digest,
    filled,
    may_refer,
    reference_in,
    reference_of,
    reference_to,
    shown,
)
from hitl_events.domain.values import digest
from hitl_events.errors import InvalidInput
from tests.unit.domain.every_event import ENDS, main_line

LONG = canonical.dumps("x" * 2000)
LARGE = {
    "StepCompleted": "output",
    "GatePaused": "draft",
    "DecisionReceived": "data",
    "DecisionRejected": "data",
    "RunCompleted": "result",
}
EVERY_EVENT = [
    replace(event, content_digest=bytes(32))
    if isinstance(event, DecisionReceived | DecisionRejected)
    else event
    for event in [*main_line(), *ENDS]
]
by_event = pytest.mark.parametrize("event", EVERY_EVENT, ids=lambda event: type(event).__name__)


def _long(event: Event) -> Event:
    name = LARGE.get(type(event).__name__)
    return event if name is None else replace(event, **{name: LONG})  # type: ignore[arg-type]  # a field of bytes


def test_a_reference_has_one_form() -> None:
    """A byte 01, the SHA-256 of the data, its length: what `schemas/README.md` says."""
    spelt = reference_to(b"null").spelt()

    assert spelt == b"\x01" + digest(b"null") + bytes(7) + b"\x04"
    assert reference_in(spelt) == reference_to(b"null")


@pytest.mark.parametrize("data", [b"null", LONG])
def test_data_and_its_reference_have_one_digest(data: bytes) -> None:
    """That of the data, whichever of the two was recorded."""
    assert data_digest(reference_to(data).spelt()) == data_digest(data) == digest(data)


@by_event
def test_large_data_is_cut_out_and_comes_back(event: Event) -> None:
    """What is stored is short; with its blob it is the event that was made."""
    whole = _long(event)

    stored, blob = cut(whole, 1024)

    assert blob == (LONG if type(event).__name__ in LARGE else None)
    assert stored == whole if blob is None else filled(stored, blob) == whole
    assert reference_of(stored) == (None if blob is None else reference_to(LONG))
    assert reference_of(whole) is None


@by_event
def test_a_stored_reference_is_seen_without_decoding(event: Event) -> None:
    """The look at the record's bytes never misses one."""
    stored, blob = cut(_long(event), 1024)

    assert may_refer(AvroCodec().encode(stored)) or blob is None


@by_event
def test_data_up_to_the_limit_stays(event: Event) -> None:
    """Where nothing is too large, or nobody keeps blobs, nothing changes."""
    whole = _long(event)

    assert cut(whole, len(LONG)) == (whole, None)
    assert cut(whole, None) == (whole, None)


@pytest.mark.parametrize(
    "form", [b"\x00", b"\x02sealed", b"\x1f", b"\x01", b"\x01" * 40, b"\x01" * 42]
)
def test_a_form_that_is_not_known_stops_the_reader(form: bytes) -> None:
    """A later release may record other forms: this one must not take them for data."""
    with pytest.raises(InvalidInput, match="this release does not know it"):
        reference_in(form)


@given(st.recursive(st.none() | st.integers(-5, 5) | st.text(max_size=5), st.lists, max_leaves=5))
def test_no_json_is_taken_for_a_reference(value: object) -> None:
    """Canonical JSON never begins with a byte below 20."""
    assert reference_in(canonical.dumps(value)) is None
    assert shown(canonical.dumps(value)) == value


def test_a_reference_is_shown_as_what_it_says() -> None:
    """Who has not the blob sees its digest and its size."""
    reference = Reference(digest=bytes(32), size=7)

    assert shown(reference.spelt()) == {"sha256": "00" * 32, "bytes": 7}


@pytest.mark.parametrize("other", [b"", b"nul", b"nulL", b"null "])
def test_other_bytes_do_not_fit(other: bytes) -> None:
    """Neither shorter nor longer nor changed data passes for a blob."""
    assert reference_to(b"null").fits(b"null")
    assert not reference_to(b"null").fits(other)
