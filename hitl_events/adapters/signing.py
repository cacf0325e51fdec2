"""Ed25519 keys and signatures (RFC 8032); keys in PEM, as other tools write them.

The package behind it is imported at the first use, so that no other command waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hitl_events.errors import InvalidInput

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_MAKE_ONE = "make one with `hitl checkpoint --new-key FILE`"


class SigningKey:
    """A private key, which signs."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def new(cls) -> SigningKey:
        """From the randomness of the operating system."""
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - see above

        return cls(ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def of_pem(cls, pem: bytes, place: str) -> SigningKey:
        """From PKCS#8; `InvalidInput` names the place of what is none."""
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - see above

        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except TypeError:
            found = "one under a password"
        except (ValueError, UnsupportedAlgorithm):
            found = "none"
        else:
            if isinstance(key, ed25519.Ed25519PrivateKey):
                return cls(key)
            found = "a key of another kind"
        wanted = f"expected a private Ed25519 key (PKCS#8, PEM) in {place}"
        raise InvalidInput(f"{wanted}, found {found}; {_MAKE_ONE}")

    @property
    def public(self) -> bytes:
        """The 32 bytes of its public half."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)

    def pem(self) -> bytes:
        """PKCS#8, without a password: for a file that nobody else can read."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above

        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def public_pem(self) -> bytes:
        """SubjectPublicKeyInfo, for those who check."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above

        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def public_key(pem: bytes, place: str) -> bytes:
    """The 32 bytes of a public key; `InvalidInput` names the place of what is none."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - see above

    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        found = "a private key" if b"PRIVATE KEY" in pem else "none"
    else:
        if isinstance(key, ed25519.Ed25519PublicKey):
            return key.public_bytes_raw()
        found = "a key of another kind"
    wanted = f"expected a public Ed25519 key (PEM) in {place}, found {found}"
    raise InvalidInput(f"{wanted}; `hitl checkpoint --new-key FILE` writes one as FILE.pub")


def is_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether this key (32 bytes) made this signature of the message."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - see above

    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
