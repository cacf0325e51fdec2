"""The lines of a checkpoint, with signatures that anybody can see through."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256

import pytest

from hitl_events.audit.checkpoint import (
    CheckpointCheck,
    Statement,
    head_line,
    header_line,
    missing,
    signed_line,
)
from hitl_events.audit.merkle import Head, root_of
from hitl_events.errors import UnsoundCheckpoint

KEY = bytes(range(32))
AT = "2026-01-01T00:00:00.000000Z"
HEADS = [
    Head(run_id=run_id, seq=seq, digest=sha256(run_id.encode()).digest())
    for run_id, seq in (("a", 7), ("b", 2), ("c", 3))
]


def _sign(message: bytes) -> bytes:
    return sha256(KEY + message).digest() * 2


def _is_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    return signature == sha256(key + message).digest() * 2


def _statement(heads: Sequence[Head], **changed: object) -> Statement:
    events = sum(head.seq for head in heads)
    said = {"at": AT, "runs": len(heads), "events": events, "root": root_of(heads), "key": KEY}
    return Statement(**(said | changed))  # type: ignore[arg-type]  # tests say wrong things too


def _lines(heads: Sequence[Head], **changed: object) -> list[bytes]:
    signed = signed_line(_statement(heads, **changed), _sign)
    return [header_line(), *map(head_line, heads), signed]


def _checked(lines: Sequence[bytes], key: bytes | None = None) -> tuple[list[Head], Statement]:
    check = CheckpointCheck(_is_signed, key=key)
    heads = [head for line in lines if (head := check.add(line)) is not None]
    return heads, check.finish()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_what_was_written_is_read(count: int) -> None:
    """Heads and statement come back, also of a log without runs."""
    heads = HEADS[:count]

    assert _checked(_lines(heads)) == (heads, _statement(heads))
    assert _checked(_lines(heads), KEY)[1].key == KEY


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        ([], "found none: the checkpoint was cut"),
        ([header_line()], "found none: the checkpoint was cut"),
        (_lines(HEADS)[1:], "a checkpoint of format 1"),
        ([*_lines(HEADS), b"\n"], "nothing after the signed line"),
        ([header_line(), b"[]\n"], "a JSON object"),
        ([header_line(), b"{\n"], "a JSON object"),
        ([header_line(), b'{"run_id":"a","seq":1}\n'], "a run's id, seq and digest"),
        ([header_line(), head_line(HEADS[0]).replace(b":7", b":0")], "a run's id"),
        ([header_line(), head_line(HEADS[0]).replace(b":7", b":true")], "a run's id"),
        ([header_line(), head_line(HEADS[0]).replace(b",", b", ")], "another spelling"),
        (_lines([HEADS[1], HEADS[0]], root=bytes(32)), "by ascending id"),
        ([header_line(), *2 * [head_line(HEADS[0])]], "by ascending id"),
        (_lines(HEADS, root=bytes(32)), "runs under the signed root"),
        (_lines(HEADS, runs=4), "4 runs under the signed root"),
        (_lines(HEADS, events=1), "runs under the signed root"),
        (_lines(HEADS, key=bytes(32)), "it was changed"),
        ([*_lines(HEADS)[:-1], _lines(HEADS)[-1].replace(b"2026", b"2025")], "it was changed"),
    ],
)
def test_what_was_not_written_so_is_refused(lines: list[bytes], part: str) -> None:
    """Every wrong line is one error that says what was expected there."""
    with pytest.raises(UnsoundCheckpoint, match=part):
        _checked(lines)


def test_others_can_check_it_by_what_the_docs_say() -> None:
    """Leaves, root and signed text are as in "Checkpoints" of docs/operations.md."""
    _, *runs, last = [json.loads(line) for line in _lines(HEADS)]
    leaves = [
        len(each["run_id"]).to_bytes(2)
        + each["run_id"].encode()
        + each["seq"].to_bytes(8)
        + bytes.fromhex(each["digest"])
        for each in runs
    ]
    one, two, three = (sha256(b"\x00" + leaf).digest() for leaf in leaves)
    root = sha256(b"\x01" + sha256(b"\x01" + one + two).digest() + three).hexdigest()
    signature = bytes.fromhex(last.pop("signature"))
    said = json.dumps(last, separators=(",", ":"), sort_keys=True).encode()

    assert last["root"] == root
    assert _is_signed(KEY, signature, b"hitl-events checkpoint\n" + said)


def test_another_key_is_named() -> None:
    """Whose signature was wanted and whose was found, before the signature is looked at."""
    with pytest.raises(UnsoundCheckpoint, match=f"{bytes(32).hex()}, found one of the key"):
        _checked(_lines(HEADS), bytes(32))


@pytest.mark.parametrize(
    ("last", "seq", "part"), [(0, 1, "none of it"), (3, 4, "was cut"), (9, 5, "unreadable")]
)
def test_what_is_missing_is_placed(last: int, seq: int, part: str) -> None:
    """The first event that is not there, or the one of which the digest was kept."""
    at, problem = missing(5, last)

    assert (at, part in problem) == (seq, True)
