"""Decisions that say too little or too much, and tokens that are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hitl_events.adapters.avro import fingerprint
from hitl_events.adapters.avro.schemas import MARKER
from hitl_events.domain.token import PREFIX, TokenKeys
from hitl_events.testing.poison.record import Poison, Target
from hitl_events.testing.poison.sound import avro, avro_text, text

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SEED = bytes(range(16))


def decisions(target: Target) -> Iterator[Poison]:
    """Each with its reason."""
    for name, change in (_missing() | _wrong(target) | _long()).items():
        value = text(target, "decision", **change)
        yield Poison(name=name, kind="decision", value=value, reason="invalid_decision")
    for name, value in _avro(target).items():
        yield Poison(name=name, kind="decision", value=value, reason="invalid_decision")
    for name, token in _tokens(target).items():
        value = text(target, "decision", token=token)
        yield Poison(
            name=f"token: {name}",
            kind="decision",
            value=value,
            reason="invalid_token",
            is_late=True,
        )
    lost = target.keys.issue("never", 1, _SEED, target.keys.kid)
    yield Poison(
        name="token: of a run that never was",
        kind="decision",
        value=text(target, "decision", token=lost),
        reason="unknown_run",
        is_late=True,
    )


def _missing() -> dict[str, dict[str, Any]]:
    return {
        "no token": {"token": None},
        "an empty token": {"token": ""},
        "no verdict": {"verdict": None},
        "an empty verdict": {"verdict": ""},
    }


def _wrong(target: Target) -> dict[str, dict[str, Any]]:
    return {
        "verdict and decision": {"decision": "approve"},
        "an unknown field": {"note": "misspelt"},
        "a type": {"type": "Decide"},
        "a command's field": {"run_id": target.run_id},
        "a token as a name": {target.token: 1},
        "a channel": {"channel": "cli"},
        "an identity": {"identity": "signed"},
        "an event without its content type": {"specversion": "1.0", "id": "1", "source": "x"},
        "a number as token": {"token": 1},
        "a list as verdict": {"verdict": ["approve"]},
        "true as verdict": {"verdict": True},
        "an object as notes": {"notes": {}},
        "a text as data": {"data": "{}"},
        "a list as data": {"data": [1]},
        "a number as decision id": {"decision_id": 7},
        "an empty decision id": {"decision_id": ""},
        "a decision id of the system": {"decision_id": f"schedule:{target.run_id}.3"},
        "a list as decided_by": {"decided_by": ["ann"]},
        "a NUL in decided_by": {"decided_by": "ann\x00"},
        "two lines as decided_by": {"decided_by": "ann\nby the board"},
        "a name that is written backwards": {"decided_by": "ann\u202e)draob eht("},
        "half a draft digest": {"draft_digest": "ab"},
        "a draft digest that is no hex": {"draft_digest": "g" * 64},
        "a draft digest with spaces": {"draft_digest": " ".join(["ab"] * 32)},
        "a time in words": {"decided_at": "yesterday"},
        "a time without its offset": {"decided_at": "2026-01-01T00:00:00"},
        "a time before all times": {"decided_at": "0001-01-01T00:00:00+23:59"},
        "a number as time": {"decided_at": 1_767_225_600},
    }


def _long() -> dict[str, dict[str, Any]]:
    return {
        "a long verdict": {"verdict": "x" * 65},
        "long notes": {"notes": "x" * (64 * 1024 + 1)},
        "a long decision id": {"decision_id": "x" * 257},
        "a long name": {"decided_by": "x" * 257},
    }


def _avro(target: Target) -> dict[str, bytes]:
    head = MARKER + fingerprint("Decide") + avro_text(target.token) + avro_text("approve") + b"\0"
    return {
        "a start in Avro": avro(target, "command"),
        "a list as data in Avro": head + b"\x02" + avro_text("[1]") + bytes(4),
        "half an object as data in Avro": head + b"\x02" + avro_text("{") + bytes(4),
        "a name twice in data in Avro": head + b"\x02" + avro_text('{"a":1,"a":2}') + bytes(4),
        "no token in Avro": MARKER
        + fingerprint("Decide")
        + b"\0"
        + avro_text("approve")
        + bytes(6),
    }


def _tokens(target: Target) -> dict[str, str]:
    good = target.token
    foreign = TokenKeys([b"the key of another cluster, 32 bytes or more"])
    return {
        "a word": "approve",
        "the prefix alone": PREFIX,
        "without its prefix": good.removeprefix(PREFIX),
        "the prefix twice": PREFIX + good,
        "the gate's id": f"{target.run_id}.3",
        "cut by one": good[:-1],
        "cut to half": good[: len(good) // 2],
        "one more": good + "A",
        "twice": good + good,
        "padded": good + "=",
        "in upper case": good.upper(),
        "with a space": good + " ",
        "with a line feed": good + "\n",
        "with a NUL": good + "\x00",
        "with a mark of direction": "\u202e" + good,
        "in full width": PREFIX + "".join(chr(ord(c) + 0xFEE0) for c in good[len(PREFIX) :]),
        "in another alphabet": PREFIX + "+/" + good[len(PREFIX) + 2 :],
        "of 200,000 characters": PREFIX + "A" * 200_000,
        "of another key": foreign.issue(target.run_id, 3, _SEED, foreign.kid) or "",
        "of another log with the same key": _issued(target.keys, target.run_id),
        "of another format": _changed(good, 0),
        "of another key id": _changed(good, 3),
        "of another pause": _changed(good, 16),
        "of another run": _changed(good, 34),
        "with another MAC": _changed(good, len(good) - len(PREFIX) - 4),
        "in another spelling of the same bytes": _respelt(target.keys),
    }


def _issued(keys: TokenKeys, run_id: str) -> str:
    """With a good MAC, for a run of that name that began with another seed."""
    return keys.issue(run_id, 3, _SEED, keys.kid) or ""


def _changed(token: str, at: int) -> str:
    """Another letter at that place behind the prefix."""
    at += len(PREFIX)
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]


def _respelt(keys: TokenKeys) -> str:
    """The last letter holds bits that say nothing: here they are not zero."""
    token = keys.issue("x" * 6, 3, _SEED, keys.kid) or ""
    assert (len(token) - len(PREFIX)) % 4 == 2
    return token[:-1] + _ALPHABET[_ALPHABET.index(token[-1]) + 1]
