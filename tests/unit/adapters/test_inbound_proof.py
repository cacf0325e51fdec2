import hashlib
import hmac

import pytest

from hitl_events.adapters.inbound.proof import (
    forwarded_header,
    origin_of,
    producer_header,
    proven_channel,
)
from hitl_events.domain.events import Source
from hitl_events.domain.token import TokenKeys
from hitl_events.errors import InvalidInput

KEY = b"a token key of at least 32 bytes, for tests"
NEW_KEY = b"the token key that came after it, for tests"
KEYS = TokenKeys([KEY])
ROTATED = TokenKeys([NEW_KEY, KEY])
VALUE = b'{"token":"hitl_x","verdict":"approve"}'
SOURCE = Source(topic="hitl.decisions", partition=3, offset=17, timestamp_ms=1_767_225_600_000)
MAC = b":" + b"0" * 64

WRONG_CHANNELS = {
    "empty": b"",
    "another channel": b"topic" + producer_header(KEYS, "cli", VALUE)[3:],
    "upper-case MAC": producer_header(KEYS, "cli", VALUE).upper(),
    "upper-case digits": b"cli" + producer_header(KEYS, "cli", VALUE)[3:].upper(),
    "space before": b" " + producer_header(KEYS, "cli", VALUE),
    "line feed after": producer_header(KEYS, "cli", VALUE) + b"\n",
    "cut": producer_header(KEYS, "cli", VALUE)[:-1],
    "one digit more": producer_header(KEYS, "cli", VALUE) + b"0",
    "other MAC": b"cli" + MAC,
    "MAC of the other channel": b"cli" + producer_header(KEYS, "http", VALUE)[4:],
    "other key": producer_header(TokenKeys([NEW_KEY]), "cli", VALUE),
    "no UTF-8": b"\xff" * 80,
}
WRONG_ORIGINS = {
    "empty": b"",
    "other MAC": b"hitl.decisions:3:17:1767225600000" + MAC,
    "leading zero": forwarded_header(KEYS, SOURCE, VALUE).replace(b":3:", b":03:"),
    "plus sign": forwarded_header(KEYS, SOURCE, VALUE).replace(b":3:", b":+3:"),
    "digits of another script": "hitl.decisions:٣:17:1767225600000".encode() + MAC,
    "other offset": forwarded_header(KEYS, SOURCE, VALUE).replace(b":17:", b":18:"),
    "other key": forwarded_header(TokenKeys([NEW_KEY]), SOURCE, VALUE),
    "line feed after": forwarded_header(KEYS, SOURCE, VALUE) + b"\n",
    "MAC of a producer": b"hitl.decisions:3:17:1" + producer_header(KEYS, "cli", VALUE)[3:],
}


@pytest.mark.parametrize("channel", ["http", "cli", "engine"])
def test_a_producer_with_the_key_proves_its_channel(channel: str) -> None:
    """Who holds the token key may say that a record comes from the API, the shell or an engine."""
    headers = (("hitl-producer", producer_header(KEYS, channel, VALUE)),)

    assert proven_channel(KEYS, headers, VALUE) == channel


def test_wire_form_of_a_producer() -> None:
    """Any language with HMAC-SHA-256 writes the header from schemas/README.md alone."""
    mac = hmac.new(KEY, b"hitl-producer\ncli\n" + VALUE, hashlib.sha256).hexdigest()

    assert producer_header(KEYS, "cli", VALUE) == f"cli:{mac}".encode()


def test_wire_form_of_a_forward() -> None:
    """The header is the origin as it stands in default decision ids, and its MAC."""
    origin = b"hitl.decisions:3:17:1767225600000"
    mac = hmac.new(KEY, b"hitl-forwarded\n" + origin + b"\n" + VALUE, hashlib.sha256).hexdigest()

    assert forwarded_header(KEYS, SOURCE, VALUE) == origin + b":" + mac.encode()


@pytest.mark.parametrize(
    "source",
    [
        SOURCE,
        Source(topic="a", partition=0, offset=0, timestamp_ms=-1),
        Source(topic="a-b_c." + "d" * 243, partition=2**31 - 1, offset=2**63 - 1, timestamp_ms=0),
    ],
)
def test_an_origin_comes_back_as_it_was(source: Source) -> None:
    """Every position that a broker can give survives the way."""
    headers = (("hitl-forwarded", forwarded_header(KEYS, source, VALUE)),)

    assert origin_of(KEYS, headers, VALUE) == source


def test_old_keys_are_believed() -> None:
    """In a rotation a record signed before it is still what it was; signed is with the new key."""
    old = (
        ("hitl-producer", producer_header(KEYS, "cli", VALUE)),
        ("hitl-forwarded", forwarded_header(KEYS, SOURCE, VALUE)),
    )

    assert proven_channel(ROTATED, old, VALUE) == "cli"
    assert origin_of(ROTATED, old, VALUE) == SOURCE
    new = producer_header(ROTATED, "cli", VALUE)
    assert new == producer_header(TokenKeys([NEW_KEY]), "cli", VALUE)


@pytest.mark.parametrize("raw", WRONG_CHANNELS.values(), ids=WRONG_CHANNELS.keys())
def test_a_wrong_proof_proves_nothing(raw: bytes) -> None:
    """A header that is not exactly right counts as absent."""
    assert proven_channel(KEYS, (("hitl-producer", raw),), VALUE) is None


@pytest.mark.parametrize("raw", WRONG_ORIGINS.values(), ids=WRONG_ORIGINS.keys())
def test_a_wrong_origin_is_none(raw: bytes) -> None:
    """Nobody gives a record another position, and so another id or arrival, without the key."""
    assert origin_of(KEYS, (("hitl-forwarded", raw),), VALUE) is None


def test_a_proof_is_of_one_value() -> None:
    """A header copied to another record proves nothing there."""
    headers = (
        ("hitl-producer", producer_header(KEYS, "http", VALUE)),
        ("hitl-forwarded", forwarded_header(KEYS, SOURCE, VALUE)),
    )

    assert proven_channel(KEYS, headers, VALUE + b" ") is None
    assert origin_of(KEYS, headers, VALUE + b" ") is None


def test_of_a_repeated_header_the_last_counts() -> None:
    """A forward adds its header at the end: what a sender wrote under that name is dead."""
    good = ("hitl-forwarded", forwarded_header(KEYS, SOURCE, VALUE))
    forged = ("hitl-forwarded", b"hitl.decisions:0:0:0" + MAC)

    assert origin_of(KEYS, (forged, good), VALUE) == SOURCE
    assert origin_of(KEYS, (good, forged), VALUE) is None


@pytest.mark.parametrize("channel", ["topic", "schedule", "runtime", "", "cli\n"])
def test_no_other_channel_can_be_proven(channel: str) -> None:
    """The other channels are what the engine itself knows."""
    with pytest.raises(InvalidInput, match="channel"):
        producer_header(KEYS, channel, VALUE)
