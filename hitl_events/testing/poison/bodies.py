"""Values that are bad on either topic, whatever they were meant to say."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator

from hitl_events.adapters.avro import fingerprint
from hitl_events.adapters.avro.schemas import HEAD_BYTES, MARKER
from hitl_events.adapters.inbound.refused import RECORD_BYTES_MAX
from hitl_events.domain.refusals import Reason
from hitl_events.ports import InboundKind
from hitl_events.testing.poison.record import Poison, Target
from hitl_events.testing.poison.sound import avro, payload, raw, text

MEGABYTE = 1_000_000
"""What a topic takes by default (1,048,588 bytes with its frame) and an engine does not."""


def bodies(target: Target, kind: InboundKind) -> Iterator[Poison]:
    """Each with its reason."""
    yield Poison(name="tombstone", kind=kind, value=b"", is_null=True, reason="unreadable")
    made: dict[Reason, dict[str, bytes]] = {
        "unreadable": _other_forms(target, kind) | _json(target, kind) | _avro(target, kind),
        "unknown_schema": {
            "unknown fingerprint": MARKER + bytes(8) + b"\x02a",
            "fingerprint of an event": MARKER + fingerprint("RunStarted") + bytes(40),
            "fingerprint the other way round": _turned(avro(target, kind)),
        },
        "too_large": {
            "a byte too long": text(target, kind).ljust(RECORD_BYTES_MAX + 1),
            "a megabyte of JSON": raw(target, kind, payload(kind) + b':"%b"' % (b"x" * MEGABYTE))[
                -MEGABYTE:
            ],
            "a megabyte of bytes": b"\xff" * MEGABYTE,
            "a megabyte of nothing": bytes(MEGABYTE),
            "a megabyte after a good record": text(target, kind).ljust(MEGABYTE),
            "numbers that grow": raw(target, kind, payload(kind) + _growing(kind)),
        },
    }
    for reason, values in made.items():
        for name, value in values.items():
            yield Poison(name=name, kind=kind, value=value, reason=reason)


def _other_forms(target: Target, kind: InboundKind) -> dict[str, bytes]:
    """What other systems would put there."""
    good = text(target, kind)
    return {
        "empty": b"",
        "a NUL": b"\x00",
        "a space": b" ",
        "binary": bytes(range(255, -1, -1)),
        "a word": b"approve",
        "a number": b"42",
        "a text in JSON": b'"approve"',
        "null in JSON": b"null",
        "a list": b"[" + good + b"]",
        "XML": b"<decision><verdict>approve</verdict></decision>",
        "YAML": b"token: t\nverdict: approve\n",
        "a form": b"token=t&verdict=approve",
        "MessagePack": b"\x82\xa5token\xa1t\xa7verdict\xa7approve",
        "Protobuf": b"\x0a\x01t\x12\x07approve",
        "base64": base64.b64encode(good),
        "gzip": gzip.compress(good, mtime=0),
        "BOM": b"\xef\xbb\xbf" + good,
        "UTF-16": good.decode().encode("utf-16"),
        "UTF-16 without BOM": good.decode().encode("utf-16-le"),
        "UTF-32": good.decode().encode("utf-32"),
        "leading space": b" " + good,
        "leading line feed": b"\n" + good,
        "Confluent frame without a registry": b"\x00\x00\x00\x00\x01\x02t\x02v",
        "half a Confluent frame": b"\x00\x00\x00",
        "an Avro file": b"Obj\x01" + avro(target, kind),
    }


def _json(target: Target, kind: InboundKind) -> dict[str, bytes]:
    """JSON that is none, or that readers take for different things."""
    good, open_ = text(target, kind), payload(kind) + b":"
    members = {
        "NaN": open_ + b'{"a":NaN}',
        "infinity": open_ + b'{"a":-Infinity}',
        "a float beyond 64 bits": open_ + b'{"a":1e999}',
        "2^53": open_ + b'{"a":9007199254740992}',
        "-2^53": open_ + b'{"a":-9007199254740992}',
        "an integer of 5000 digits": open_ + b'{"a":%b}' % (b"9" * 5000),
        "hexadecimal": open_ + b'{"a":0x10}',
        "a leading zero": open_ + b'{"a":01}',
        "a name twice inside": open_ + b'{"a":1,"a":1}',
        "65 levels": open_ + b'{"a":%b1%b}' % (b"[" * 64, b"]" * 64),
        "100,000 levels": open_ + b'{"a":%b1%b}' % (b"[" * 100_000, b"]" * 100_000),
        "a lone surrogate, escaped": open_ + b'{"a":"\\ud800"}',
        "a lone surrogate as a name": open_ + b'{"\\udfff":1}',
        "a lone surrogate in bytes": open_ + b'{"a":"\xed\xa0\x80"}',
        "an overlong NUL": open_ + b'{"a":"\xc0\x80"}',
        "a wrong byte": open_ + b'{"a":"\xff"}',
        "Latin-1": open_ + '{"a":"für"}'.encode("latin-1"),
        "half a character": open_ + b'{"a":"\xe2\x82"}',
        "a NUL in a text": open_ + b'{"a":"x\x00y"}',
        "a line feed in a text": open_ + b'{"a":"x\ny"}',
        "a wrong escape": open_ + b'{"a":"\\x41"}',
        "single quotes": open_ + b"{'a':1}",
        "a comment": open_ + b"1/*why*/",
        "Python's words": open_ + b"None",
        "a comma at the end": open_ + b"[1,]",
    }
    twice = b'"verdict":"deny"' if kind == "decision" else b'"recipe":"other"'
    return {name: raw(target, kind, member) for name, member in members.items()} | {
        "a name twice": raw(target, kind, twice),
        "a brace": b"{",
        "cut": good[:-1],
        "cut in a text": good[: len(good) // 2],
        "two documents": good + b"\n" + good,
        "something after it": good + b"\x00",
        "no names": b"{1:2}",
    }


def _avro(target: Target, kind: InboundKind) -> dict[str, bytes]:
    """Single-object encoding that is not exactly one record."""
    good = avro(target, kind)
    head, body = good[:HEAD_BYTES], good[HEAD_BYTES:]
    return {
        "marker alone": MARKER,
        "half a fingerprint": good[:6],
        "marker of another version": b"\xc3\x02" + good[2:],
        "fingerprint alone": head,
        "truncated Avro": good[:-3],
        "Avro truncated in a text": good[: HEAD_BYTES + 4],
        "Avro with a byte left over": good + b"\x00",
        "two Avro records": good + good,
        "an Avro length beyond the end": head + b"\xfe\xff\xff\xff\x0f" + body[1:],
        "an Avro length of 2^63": head + b"\xfe" + b"\xff" * 8 + b"\x01" + body,
        "a negative Avro length": head + b"\x01" + body[1:],
        "an Avro number without an end": head + b"\xff" * 20,
        "an Avro number in a longer spelling": head + b"\x82\x00t" + body[-8:],
        "a third branch of an Avro union": good[:-1] + b"\x04",
        "a branch of an Avro union below zero": good[:-1] + b"\x01",
        "a wrong byte in an Avro text": head + body[:1] + b"\xff" + body[2:],
    }


def _turned(record: bytes) -> bytes:
    """Big endian, as one might expect it."""
    return record[:2] + record[2:HEAD_BYTES][::-1] + record[HEAD_BYTES:]


def _growing(kind: InboundKind) -> bytes:
    """Canonical numbers may be five times as long as they were sent: 1e20 has 21 digits."""
    numbers = b"[%b1]" % (b"1e20," * 20_000)
    return b":" + (b'{"a":%b}' % numbers if kind == "decision" else numbers)
