"""Ed25519 keys as other tools write them: what they sign is checked, what is none is refused."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from hitl_events.adapters.signing import SigningKey
from hitl_events.errors import InvalidInput


def test_what_is_signed_is_checked_with_the_public_half() -> None:
    """By the package itself: 64 bytes over the message, also after the key was written and read."""
    key = SigningKey.new()
    again = SigningKey.of_pem(key.pem(), "key.pem")
    public = ed25519.Ed25519PublicKey.from_public_bytes(again.public)

    assert again.public == key.public
    public.verify(again.sign(b"heads"), b"heads")


def test_what_is_no_key_of_ours_is_refused_in_one_line() -> None:
    """Another kind, one under a password, or no key at all; the place is named."""
    key = ed25519.Ed25519PrivateKey.generate()
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret = serialization.BestAvailableEncryption(b"secret")
    for pem, found in (
        (other.private_bytes(*form, serialization.NoEncryption()), "a key of another kind"),
        (key.private_bytes(*form, secret), "one under a password"),
        (b"no key", "found none"),
    ):
        with pytest.raises(InvalidInput, match=found) as refused:
            SigningKey.of_pem(pem, "key.pem")
        assert "key.pem" in str(refused.value)
