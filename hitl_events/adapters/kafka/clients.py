"""Makes the driver's clients with every option said outright, and takes them down in any state."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from hitl_events.adapters.kafka.bounded import REQUEST_TIMEOUT_MS
from hitl_events.adapters.kafka.headers import take_any_header
from hitl_events.adapters.kafka.oauth import token_provider
from hitl_events.adapters.kafka.settings import KafkaSettings, Tls
from hitl_events.adapters.kafka.topics import BATCH_BYTES_MAX
from hitl_events.errors import InvalidInput

TRANSACTION_TIMEOUT_MS = 60_000
"""The broker ends a transaction that is open for longer. Shorter ones make it likelier that a
killed broker completes one without its markers."""
BATCH_BYTES = 1_000_000
"""Below what a topic takes (1,048,588). A single larger record gets a batch of its own."""
FETCH_BYTES = 4 * BATCH_BYTES_MAX
"""Of one partition in one answer: restoring reads in few round trips."""
RETRY_BACKOFF_MS = 2
"""The broker refuses some first records of a transaction while it ends the one before; with the
driver's 100 ms each of them would cost as much."""


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """The arguments by which any client connects."""
    sasl = settings.sasl
    arguments: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap),
        "security_protocol": settings.security_protocol,
        "ssl_context": tls_context(settings.tls) if settings.uses_tls else None,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
    }
    if sasl is None:
        return arguments
    password = None if sasl.password is None else sasl.password.reveal()
    return arguments | {
        "sasl_mechanism": sasl.mechanism,
        "sasl_plain_username": sasl.username,
        "sasl_plain_password": password,
        "sasl_oauth_token_provider": token_provider(sasl),
    }


def tls_context(tls: Tls) -> ssl.SSLContext:
    """The system's authorities or those of the file; `InvalidInput` names the variable."""
    try:
        context = ssl.create_default_context(cafile=tls.cafile)
    except (OSError, ValueError) as error:
        raise _unusable("HITL_KAFKA_SSL_CAFILE", repr(tls.cafile), error) from None
    if tls.certfile is not None:
        _load_own(context, tls.certfile, tls)
    return context


def _load_own(context: ssl.SSLContext, certfile: str, tls: Tls) -> None:
    """Our certificate and its key. OpenSSL does not say which of the files it misses: we do."""
    for name, path in (("CERTFILE", certfile), ("KEYFILE", tls.keyfile or certfile)):
        try:
            Path(path).open("rb").close()
        except (OSError, ValueError) as error:
            raise _unusable(f"HITL_KAFKA_SSL_{name}", repr(path), error) from None
    password = "" if tls.key_password is None else tls.key_password.reveal()
    try:
        # without a password OpenSSL would ask for one on the terminal
        context.load_cert_chain(certfile, tls.keyfile, password)
    except (OSError, ValueError) as error:  # ValueError: a password that is too long
        names = "HITL_KAFKA_SSL_CERTFILE, _KEYFILE or _KEY_PASSWORD"
        found = " and ".join(repr(each) for each in (certfile, tls.keyfile) if each is not None)
        raise _unusable(names, found, error) from None


def new_admin(settings: KafkaSettings) -> Any:
    """For topics and for questions about the cluster."""
    return AIOKafkaAdminClient(**connection(settings))


def new_producer(settings: KafkaSettings, transactional_id: str | None) -> Any:
    """A transactional producer, or without an id an idempotent one."""
    return AIOKafkaProducer(
        **connection(settings),
        transactional_id=transactional_id,
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        acks="all",
        enable_idempotence=True,
        retry_backoff_ms=RETRY_BACKOFF_MS,
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        compression_type=None,
    )


def new_consumer(
    settings: KafkaSettings, isolation_level: str, *, fetch_bytes: int = FETCH_BYTES
) -> Any:
    """For reading at places of our choice: no group, nothing committed, no offset made up."""
    take_any_header()
    return AIOKafkaConsumer(
        **connection(settings),
        group_id=None,
        isolation_level=isolation_level,
        auto_offset_reset="none",
        enable_auto_commit=False,
        fetch_min_bytes=1,
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=fetch_bytes,
        check_crcs=True,
        retry_backoff_ms=20,
    )


def _unusable(name: str, found: str, error: OSError | ValueError) -> InvalidInput:
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return InvalidInput(f"expected PEM files as {name}, found {found}: {said}")
