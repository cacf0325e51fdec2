import base64
import json
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from hitl_events.adapters.avro import fingerprint
from hitl_events.audit.export import USER_DATA, End, export_line, spelt
from hitl_events.domain.events import EVENT_TYPES, About, GatePaused, RunCompleted, Source
from hitl_events.domain.token import TokenKeys
from hitl_events.errors import CorruptLog
from tests.unit.audit.lines import export_lines
from tests.unit.audit.made import (
    CODEC,
    DRAFT,
    NOON,
    chained,
    ended,
    paused,
    rechained,
    started,
    waiting,
)


def _lines(*runs: list[bytes]) -> list[Any]:
    named = [(CODEC.decode(run[0]).run_id, run) for run in runs]
    return [json.loads(line) for line in export_lines(named, CODEC)]


def test_a_line_shows_every_field_of_its_event() -> None:
    """An auditor reads an event without any tool: JSON values, hex, and times as in the outcome."""
    value = waiting("r", expires_at=NOON + timedelta(days=1), about=About(step="s", occurrence=2))[
        2
    ]

    assert export_line(value, CODEC) == {
        "type": "GatePaused",
        "schema": fingerprint("GatePaused")[::-1].hex(),
        "value": base64.b64encode(value).decode(),
        "run_id": "r",
        "seq": 3,
        "recorded_at": "2026-01-01T12:00:02.000000Z",
        "prev_digest": sha256(waiting("r")[1]).hexdigest(),
        "gate": "legal-review",
        "occurrence": 1,
        "pause_kind": "human",
        "draft": {"title": "Leave policy", "days": 30},
        "draft_digest": sha256(DRAFT).hexdigest(),
        "verdicts": ["approve", "deny"],
        "data_schema": None,
        "policy": None,
        "expires_at": "2026-01-02T12:00:00.000000Z",
        "on_expiry": None,
        "about": {"step": "s", "occurrence": 2},
        "token_kid": "0a1b2c3d",
    }


def test_a_line_shows_where_its_record_stands() -> None:
    """Partition and offset are there where the log has them; a source is an object."""
    source = Source(topic="t", partition=3, offset=9, timestamp_ms=1_767_225_600_000)
    value = rechained(ended("r"), source_4=source)[3]

    line = export_line(value, CODEC, partition=3, offset=77)

    assert (line["partition"], line["offset"]) == (3, 77)
    assert line["source"] == {
        "topic": "t",
        "partition": 3,
        "offset": 9,
        "timestamp_ms": 1_767_225_600_000,
    }


def test_lines_stand_run_by_run_with_the_end_last() -> None:
    """A file is grouped by run, in the order given, and ends with its counts and heads."""
    runs = [ended("z"), waiting("a")]

    *events, end = _lines(*runs)

    assert [(line["run_id"], line["seq"]) for line in events] == [
        *(("z", seq) for seq in range(1, 8)),
        *(("a", seq) for seq in range(1, 4)),
    ]
    assert end == {
        "type": "End",
        "runs": 2,
        "events": 10,
        "heads": {
            "z": sha256(runs[0][-1]).hexdigest(),
            "a": sha256(runs[1][-1]).hexdigest(),
        },
    }
    assert list(end["heads"]) == ["z", "a"]


def test_an_empty_log_is_an_end_line() -> None:
    """An export of nothing says that there was nothing."""
    assert _lines() == [{"type": "End", "runs": 0, "events": 0, "heads": {}}]


def test_a_record_is_carried_byte_for_byte() -> None:
    """What is imported is what was recorded, never encoded anew."""
    run = ended("r")

    assert [base64.b64decode(line["value"]) for line in _lines(run)[:-1]] == run


def test_lines_hold_no_token() -> None:
    """Who has the file can decide nothing with it."""
    keys = TokenKeys([b"k" * 32])
    run = rechained(waiting("r"), token_kid_3=keys.kid)
    token = keys.issue("r", 3, bytes(range(16)), keys.kid)
    assert token is not None

    text = b"".join(export_lines([("r", run)], CODEC)).decode()

    assert token not in text
    assert token.removeprefix("hitl_") not in text


def test_offsets_are_covered_by_the_end_line() -> None:
    """Offsets stand in no record, so the End line has a digest of them."""
    run = waiting("r")
    end, other = End(), End()
    for offset, value in enumerate(run):
        end.add("r", value, partition=0, offset=offset)
        other.add("r", value, partition=0, offset=offset + 1)

    assert end.to_json()["offsets"] == sha256(b"0:0\n0:1\n0:2\n").hexdigest()
    assert end.to_json() != other.to_json()


def test_data_nested_as_deeply_as_can_be_recorded_can_be_exported() -> None:
    """A line is one level deeper than the data in it."""
    deep = b"[" * 64 + b"]" * 64
    line = export_line(chained("r", [started(), RunCompleted(result=deep)])[1], CODEC)

    assert deep in spelt(line)


@pytest.mark.parametrize("data", [b"{", b'{"b":1,"a":2}', b"\x01reference", b"1e400", b"NaN"])
def test_user_data_that_is_not_canonical_json_stops_the_export(data: bytes) -> None:
    """A reader that does not know a form of data stops: a line would not tell what was recorded."""
    value = rechained(waiting("r"), draft_3=data)[2]

    with pytest.raises(CorruptLog, match="run 'r', event 3: expected canonical JSON in 'draft'"):
        export_line(value, CODEC)


def test_all_fields_of_bytes_are_user_data_or_digests() -> None:
    """A new field of bytes is sorted into one of the two before it is released."""
    found = {
        name
        for event_type in EVENT_TYPES
        for name, kind in event_type.__annotations__.items()
        if str(kind).startswith("bytes")
    }
    digests = {"args_digest", "content_digest", "draft_digest", "seed"}

    assert found == USER_DATA | digests


def test_a_gate_without_options_is_spelt_canonically() -> None:
    """A line is canonical JSON, so that it can be compared byte for byte."""
    value = chained("r", [started(), paused()])[1]
    assert isinstance(CODEC.decode(value), GatePaused)

    text = spelt(export_line(value, CODEC))

    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")).encode()
