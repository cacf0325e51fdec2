"""Who is who on the secured broker, and the certificates of its TLS listener."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from hitl_events.domain.values import value


@value
class Login:
    """A user, the password, and the way in which it is shown."""

    name: str
    password: str = field(repr=False)
    mechanism: str = "SCRAM-SHA-512"


ADMIN = Login(name="admin", password="admin-secret")
"""May do everything."""

BROKER = Login(name="broker", password="broker-secret", mechanism="PLAIN")
"""The broker itself."""

CERTIFIED = Login(name="certified", password="secret-of-the-key", mechanism="none")
"""Whom the client's certificate names, and the password of its key."""


@value
class Security:
    """The broker's key and certificate in one file, and the authority that signed it.

    It signed a client's certificate too, for `CERTIFIED`, whose key is encrypted.
    """

    keys: Path
    authority: Path
    certificate: Path
    client_key: Path


def make_security(folder: Path) -> Security:
    """A new authority and a certificate of this machine's name and address."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    key = load_pem_private_key(issued.private_key_pem.bytes(), password=None)
    # Kafka reads PKCS #8 and nothing else.
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    security = Security(
        keys=folder / "broker.pem",
        authority=folder / "authority.pem",
        certificate=folder / "client.pem",
        client_key=folder / "client.key",
    )
    security.keys.write_bytes(text + b"".join(each.bytes() for each in issued.cert_chain_pems))
    authority.cert_pem.write_to_path(str(security.authority))
    _write_client(authority, security)
    return security


def _write_client(authority: trustme.CA, security: Security) -> None:
    issued = authority.issue_cert("client.test", common_name=CERTIFIED.name)
    key = load_pem_private_key(issued.private_key_pem.bytes(), password=None)
    encryption = BestAvailableEncryption(CERTIFIED.password.encode())
    security.client_key.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    )
    security.certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
