import base64
import hmac

import pytest

from hitl_events.domain.token import PREFIX, TOKEN_CHARS_MAX, Claim, TokenKeys
from hitl_events.domain.values import RunId
from hitl_events.errors import InvalidInput
from tests.unit.domain.histories import decide

OLD, NEW = b"o" * 32, b"n" * 32
SEED = bytes(range(16))
KEYS = TokenKeys([NEW])


def _token(keys: TokenKeys = KEYS, run_id: str = "run", seq: int = 2) -> str:
    token = keys.issue(run_id, seq, SEED, keys.kid)
    assert token is not None
    return token


def _sealed(body: bytes) -> str:
    """A token with a good MAC over any body."""
    mac = hmac.digest(NEW, body, "sha256")[:16]
    return PREFIX + base64.urlsafe_b64encode(body + mac).rstrip(b"=").decode()


def test_a_token_says_its_pause() -> None:
    """Run, seq and the start of the seed come back out of the token."""
    expected = Claim(run_id=RunId("run"), seq=2, seed_prefix=SEED[:8])

    assert KEYS.read(_token()) == expected


def test_a_token_is_derived() -> None:
    """The same pause always has the same token; another seq, run or seed has another."""
    others = {_token(seq=3), _token(run_id="other"), KEYS.issue("run", 2, bytes(16), KEYS.kid)}

    assert _token() == _token()
    assert _token() not in others
    assert len(others) == 3


@pytest.mark.parametrize("length", [32, 64, 65, 200])
def test_the_mac_is_hmac_sha_256(length: int) -> None:
    """Keys of any length give what RFC 2104 says, so that other implementations can check it."""
    key = bytes(range(length))

    assert TokenKeys([key]).sign(b"message") == hmac.digest(key, b"message", "sha256")


def test_the_longest_token_fits() -> None:
    """A run id of 64 characters still gives a token of at most 200."""
    token = _token(run_id="x" * 64, seq=2**62)

    assert len(token) <= TOKEN_CHARS_MAX
    assert KEYS.read(token) is not None


def test_every_changed_character_is_found() -> None:
    """No character of a token can be another one."""
    token = _token()

    for at in range(len(token)):
        other = "A" if token[at] != "A" else "B"
        assert KEYS.read(token[:at] + other + token[at + 1 :]) is None


@pytest.mark.parametrize("tail", ["=", "==", " ", "\n", "A"])
def test_a_token_has_one_spelling(tail: str) -> None:
    """Padding, white space and further characters make it invalid."""
    assert KEYS.read(_token() + tail) is None
    assert KEYS.read(tail + _token()) is None


def test_unused_bits_of_base64_are_no_second_spelling() -> None:
    """The last character carries bits that decode to nothing: only their zero form is taken."""
    tokens = [_token(run_id="x" * length) for length in (3, 4, 5)]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    for token in tokens:
        same = [c for c in alphabet if KEYS.read(token[:-1] + c) is not None]
        assert same == [token[-1]]


def test_the_other_base64_alphabet_is_refused() -> None:
    """`+` and `/` do not stand for `-` and `_`."""
    tokens = [_token(seq=seq) for seq in range(2, 60)]
    marked = [token for token in tokens if "-" in token or "_" in token[len(PREFIX) :]]

    assert marked
    for token in marked:
        text = token[len(PREFIX) :].replace("-", "+").replace("_", "/")
        assert KEYS.read(PREFIX + text) is None


@pytest.mark.parametrize(
    "text", ["", "hitl_", "hitl", "x" * 10_000, "hitl_" + "A" * 195, "hitl_\udcff", "hitl_é"]
)
def test_what_is_no_token_is_refused(text: str) -> None:
    """Cut, huge and foreign texts are no token, and no error either."""
    assert KEYS.read(text) is None


def test_a_cut_token_is_refused() -> None:
    """No beginning of a token is one."""
    token = _token()

    assert [KEYS.read(token[:end]) for end in range(len(token))] == [None] * len(token)


def test_another_key_is_refused() -> None:
    """A token of a key that is not held says nothing."""
    assert TokenKeys([OLD]).read(_token()) is None


def test_old_keys_stay_valid_for_old_gates() -> None:
    """After a rotation old tokens are read, new ones are made with the first key."""
    old_token = _token(TokenKeys([OLD]))
    rotated = TokenKeys([NEW, OLD])

    assert rotated.kid == KEYS.kid != TokenKeys([OLD]).kid
    assert rotated.read(old_token) == KEYS.read(_token())
    assert _token(rotated) == _token()


def test_the_token_of_an_old_gate_needs_its_key() -> None:
    """The token of a pause is made with the key of its time, or not at all."""
    old = TokenKeys([OLD])

    assert TokenKeys([NEW, OLD]).issue("run", 2, SEED, old.kid) == _token(old)
    assert KEYS.issue("run", 2, SEED, old.kid) is None


@pytest.mark.parametrize("run_id", ["a b", "x" * 65, "é"])
def test_a_run_id_in_a_token_is_one(run_id: str) -> None:
    """Even with a good MAC a token names no run that can not exist."""
    head = b"\x01" + bytes.fromhex(KEYS.kid) + (2).to_bytes(8, "big") + SEED[:8]

    assert KEYS.read(_sealed(head + run_id.encode())) is None
    assert KEYS.read(_sealed(head + b"fine")) is not None


def test_another_format_is_refused() -> None:
    """The first byte is the format; there is one."""
    head = bytes.fromhex(KEYS.kid) + (2).to_bytes(8, "big") + SEED[:8] + b"run"

    assert KEYS.read(_sealed(b"\x01" + head)) is not None
    assert KEYS.read(_sealed(b"\x02" + head)) is None


def test_a_decision_does_not_show_its_token() -> None:
    """What is logged of a command names no token."""
    assert "hitl_s3cret" not in repr(decide(token="hitl_s3cret"))


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, b"short"]])
def test_keys_are_long_enough(keys: list[bytes]) -> None:
    """There is at least one key, and each has 32 bytes; the message names no key."""
    with pytest.raises(InvalidInput) as caught:
        TokenKeys(keys)

    assert "short" not in str(caught.value)
