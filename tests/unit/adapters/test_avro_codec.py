import shutil
import subprocess
import sys
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hitl_events.adapters.avro import AvroCodec, fingerprint, name_of, schema_of
from hitl_events.adapters.avro.reader import compile_reader
from hitl_events.adapters.avro.schemas import HEAD_BYTES, MARKER, Catalogue
from hitl_events.adapters.avro.writer import compile_writer
from hitl_events.domain.events import (
    EVENT_TYPES,
    CancelRequested,
    GateClosed,
    GatePaused,
    RunFailed,
    Source,
    StepFailed,
)
from hitl_events.domain.values import EPOCH, RunId
from hitl_events.errors import CorruptLog, InvalidInput, NotSerialisable
from hitl_events.ports import Codec

ROOT = Path(__file__).parents[3]
CLOSED = GateClosed(
    run_id=RunId("r"),
    seq=2,
    recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
    prev_digest=bytes(range(32)),
    gate="g",
    occurrence=1,
    reason="expired",
)


PAUSED = GatePaused(
    gate="g",
    occurrence=1,
    pause_kind="human",
    draft=b"null",
    draft_digest=bytes(32),
    verdicts=("a", "b"),
    token_kid="k",
)


@pytest.fixture
def codec() -> Codec:
    """The adapter as its users see it."""
    return AvroCodec()


def _read_or_none(codec: Codec, value: bytes) -> Any:
    try:
        return codec.decode(value)
    except CorruptLog:
        return None


def _damaged(old: bytes, new: bytes) -> bytes:
    """The record of `CLOSED` with its one `old` replaced."""
    value = AvroCodec().encode(CLOSED)
    assert value.count(old) == 1
    return value.replace(old, new)


def test_a_record_is_marker_fingerprint_and_body(codec: Codec) -> None:
    """Any reader of Avro's single-object encoding can take our records apart."""
    value = codec.encode(CLOSED)

    assert value[:2] == b"\xc3\x01"
    assert value[2:10] == fingerprint("GateClosed")
    assert value[10:13] == b"\x02r\x04"
    assert value.endswith(b"\x02g\x02\x0eexpired")


def test_the_type_of_a_record_is_seen_without_reading_it() -> None:
    """The head alone says what a record is; an unknown one is nothing."""
    assert name_of(MARKER + fingerprint("StepFailed")) == "StepFailed"
    assert name_of(MARKER + fingerprint("Decide") + b"whatever") == "Decide"
    assert name_of(MARKER + bytes(8)) is None
    assert name_of(b"") is None


def test_all_heads_differ() -> None:
    """No two schemas share a fingerprint."""
    assert len({fingerprint(event_type.__name__) for event_type in EVENT_TYPES}) == 14


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xc3",
        MARKER,
        MARKER + bytes(8),
        MARKER + fingerprint("GateClosed")[:7],
        MARKER + fingerprint("GateClosed"),
        b"\xc3\x02" + fingerprint("GateClosed"),
        b'{"run_id": "r"}',
        b"\x00\x00\x00\x00\x01",
        MARKER + fingerprint("Decide") + b"\x02t\x02v" + bytes(6),
    ],
)
def test_what_is_no_event_is_a_corrupt_log(codec: Codec, value: bytes) -> None:
    """Empty, cut, unknown, in another form, or a command: the log must not hold it."""
    with pytest.raises(CorruptLog):
        codec.decode(value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\x0eexpired", b"\x0eexpire"),
        (b"\x0eexpired", b"\x0eexpired!"),
        (b"\x0eexpired", b"\x0fexpired"),
        (b"\x0eexpired", b"\x0e\xff\xff\xff\xff\xff\xff\xff"),
        (b"\x0eexpired", b"\x0e\xed\xa0\x80\xed\xa0\x80x"),
        (b"\x0eexpired", b"\x8e\x00expired"),
        (b"\x0eexpired", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01expired"),
        (b"\x0eexpired", b"\xff" * 11),
        (b"\x02g\x02", b"\x02g\x80\x80\x80\x80\x10"),
        (b"\x02r\x04", b"\x02r\x84\x00"),
        (b"\x02r\x04", b"\x02r\x84\x80\x00"),
        (b"\x02r\x04", b"\x02r" + b"\xff" * 9 + b"\x03"),
    ],
    ids=[
        "cut",
        "left over",
        "negative length",
        "not UTF-8",
        "surrogates",
        "long spelling of a length",
        "length of an exabyte",
        "no end of a number",
        "occurrence of 33 bits",
        "long spelling of a number",
        "longer spelling of a number",
        "seq of 65 bits",
    ],
)
def test_damage_of_any_kind_is_a_corrupt_log(codec: Codec, old: bytes, new: bytes) -> None:
    """Whatever is wrong, it is one error, and it costs no memory."""
    with pytest.raises(CorruptLog, match="GateClosed record of"):
        codec.decode(_damaged(old, new))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [(b"\xc8\x01" + b"x" * 100, b"\xc9\x01" + b"x" * 100), (b"\x02g\x02", b"\x02g\x03")],
)
def test_a_negative_number_is_refused_where_none_can_be(
    codec: Codec, right: bytes, wrong: bytes
) -> None:
    """A length is never negative; a number may be, and then is another event."""
    value = codec.encode(replace(CLOSED, reason="x" * 100))
    assert value.count(right) == 1

    found = _read_or_none(codec, value.replace(right, wrong))

    assert (found and found.occurrence) == (-2 if wrong == b"\x02g\x03" else None)


def test_a_time_has_one_spelling(codec: Codec) -> None:
    """Eight bytes of which the last is 0 are a time in seven, spelt longer."""
    value = codec.encode(replace(CLOSED, recorded_at=EPOCH + timedelta(microseconds=2**47)))
    right = b"\x80" * 6 + b"\x40"
    assert value.count(right) == 1

    with pytest.raises(CorruptLog):
        codec.decode(value.replace(right, b"\x80" * 6 + b"\xc0\x00"))


@pytest.mark.parametrize(
    "wrong", [b"\x04\x02a\x02b\x01", b"\x02\x02a\x02\x02b\x00", b"\x03\x04\x02a"]
)
def test_a_list_has_one_spelling(codec: Codec, wrong: bytes) -> None:
    """One block and its end: not two blocks, nor one that says its bytes, as Avro would allow."""
    right = b"\x04\x02a\x02b\x00"
    value = codec.encode(PAUSED)
    assert value.count(right) == 1

    with pytest.raises(CorruptLog):
        codec.decode(value.replace(right, wrong))


@pytest.mark.parametrize(
    "branch", [b"\x01", b"\x04", b"\x80\x00", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]
)
def test_a_union_has_two_branches(codec: Codec, branch: bytes) -> None:
    """A nullable field is null or a value, each in one spelling."""
    value = codec.encode(RunFailed(code="c", message="m"))
    assert value.endswith(b"\x00\x00")

    with pytest.raises(CorruptLog, match="RunFailed"):
        codec.decode(value[:-1] + branch)


@pytest.mark.parametrize(
    "at",
    [
        EPOCH,
        EPOCH - timedelta(microseconds=1),
        EPOCH + timedelta(microseconds=2**48 - 1),
        EPOCH + timedelta(microseconds=2**48),
        EPOCH + timedelta(microseconds=2**55 - 1),
        EPOCH + timedelta(microseconds=2**55),
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ],
)
def test_any_time_comes_back(codec: Codec, at: datetime) -> None:
    """Times of every length in bytes, to the microsecond."""
    event = replace(CLOSED, recorded_at=at)

    found = codec.decode(codec.encode(event))

    assert found.recorded_at == at
    assert found.recorded_at.tzinfo is UTC


def test_a_time_out_of_range_is_a_corrupt_log(codec: Codec) -> None:
    """Avro has times that Python has not."""
    written = codec.encode(replace(CLOSED, recorded_at=EPOCH))
    far = written.replace(b"\x02r\x04\x00", b"\x02r\x04" + b"\xfe" + b"\xff" * 8 + b"\x01")

    with pytest.raises(CorruptLog):
        codec.decode(far)


def test_text_that_is_no_unicode_is_not_recorded(codec: Codec) -> None:
    """The message of a foreign exception may hold lone surrogates; the error says where."""
    event = StepFailed(
        step="s",
        occurrence=1,
        kind="step",
        attempt=1,
        args_digest=bytes(8),
        error="OSError",
        message="no file \udcff",
    )

    with pytest.raises(NotSerialisable, match=r"\$\.message"):
        codec.encode(event)


@pytest.mark.parametrize(
    "change", [{"prev_digest": b"short"}, {"seq": 2**63}, {"occurrence": 2**31}, {"seq": -(2**64)}]
)
def test_what_the_schema_has_no_room_for_is_not_written(
    codec: Codec, change: dict[str, Any]
) -> None:
    """A record that nobody could read again is never made."""
    with pytest.raises(InvalidInput, match="expected"):
        codec.encode(replace(CLOSED, **change))


def _older(name: str, without: str) -> dict[str, Any]:
    """A schema as it was before its last field was added."""
    schema = schema_of(next(each for each in EVENT_TYPES if each.__name__ == name))
    assert schema["fields"][-1]["name"] == without
    return schema | {"fields": schema["fields"][:-1]}


def test_a_record_of_an_older_schema_gets_null_for_what_was_added() -> None:
    """Yesterday's records are read by today's classes."""
    older = _older("RunFailed", "occurrence")
    event = RunFailed(run_id=RunId("r"), seq=3, code="c", message="m", step="s")
    value = compile_writer(older, bytes(HEAD_BYTES))(event)

    found, end = compile_reader(older, {"RunFailed": RunFailed})(value, HEAD_BYTES)

    assert found == event
    assert end == len(value)
    assert [getattr(found, field.name) for field in fields(found)][-1] is None


def test_an_older_schema_that_lacks_what_must_be_there_is_no_schema_of_the_class() -> None:
    """Only nullable fields may have been added."""
    with pytest.raises(InvalidInput, match="default of reason"):
        compile_reader(_older("GateClosed", "reason"), {"GateClosed": GateClosed})


def test_a_type_that_events_do_not_have_is_refused() -> None:
    """A schema with a map, an enum or a float does not compile."""
    odd = {"name": "Odd", "fields": [{"name": "a", "type": "double"}]}

    with pytest.raises(InvalidInput, match="'double'"):
        compile_reader(odd, {})
    with pytest.raises(InvalidInput, match="'double'"):
        compile_writer(odd, b"")


def test_the_schemas_are_found_in_an_installed_package(tmp_path: Path) -> None:
    """Where the package holds the schemas, as a wheel has it, no checkout is needed."""
    shutil.copytree(ROOT / "hitl_events", tmp_path / "hitl_events", dirs_exist_ok=True)
    shutil.copytree(ROOT / "schemas", tmp_path / "hitl_events" / "schemas")
    code = "from hitl_events.adapters.avro.schemas import folder, schema_of; print(folder())"

    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert ran.stdout.strip() == str(tmp_path / "hitl_events" / "schemas")


def test_reading_and_writing_need_no_fastavro() -> None:
    """The command line starts without the import of a library that it does not use."""
    code = (
        "import sys; from hitl_events.adapters.avro import AvroCodec; "
        "from hitl_events.domain.events import RunCompleted; codec = AvroCodec(); "
        "codec.decode(codec.encode(RunCompleted(result=b'1'))); print('fastavro' in sys.modules)"
    )

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "False"


def test_a_nested_record_comes_back_as_its_class(codec: Codec) -> None:
    """A source is a value of the domain, not a dict."""
    source = Source(topic="t", partition=-1, offset=2**40, timestamp_ms=1_767_270_600_123)
    event = CancelRequested(
        reason="", identity="claimed", command_id="c", channel="topic", source=source
    )

    found = codec.decode(codec.encode(event))

    assert found == event


def test_a_codec_needs_no_file_once_it_is_made(tmp_path: Path) -> None:
    """The first record of a kind may come when no file can be opened, or the package was replaced.

    An error then would end the partition of a service, or make a dead letter of a good decision.
    """
    place = tmp_path / "schemas"
    shutil.copytree(ROOT / "schemas", place)
    codec = AvroCodec(Catalogue(place, {}))
    shutil.rmtree(place)

    assert codec.decode(codec.encode(CLOSED)) == CLOSED
