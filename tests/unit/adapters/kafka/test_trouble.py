"""The driver's errors as ours: each kind, its names, and what only its log knew."""

from __future__ import annotations

import asyncio
import logging
import ssl

import aiokafka.errors as driver
import pytest
from aiokafka.structs import TopicPartition

from hitl_events.adapters.kafka.bounded import Bounded
from hitl_events.adapters.kafka.secret import Secret
from hitl_events.adapters.kafka.settings import KafkaSettings, Sasl, Tls
from hitl_events.adapters.kafka.trouble import Doing, translated
from hitl_events.errors import (
    AccessDenied,
    AuthenticationFailed,
    CorruptLog,
    Fenced,
    HitlError,
    LogUnavailable,
    RecordTooLarge,
    UnknownTopic,
)

SETTINGS = KafkaSettings(
    bootstrap=("h:1",),
    security_protocol="SASL_PLAINTEXT",
    sasl=Sasl(mechanism="PLAIN", username="u", password=Secret("hush-hush")),
)
DOING = Doing(what="write to x.events.0", about="x.events.0", operation="WRITE")
LOG = logging.getLogger("aiokafka")


@pytest.mark.parametrize(
    ("error", "kind", "part"),
    [
        (driver.ProducerFenced(), Fenced, "x.events.0"),
        (driver.InvalidProducerEpoch(), Fenced, "x.events.0"),
        (driver.TopicAuthorizationFailedError("t"), AccessDenied, "WRITE on topic 't'"),
        (driver.TopicAuthorizationFailedError({"b", "a"}), AccessDenied, "topic 'a, b'"),
        (
            driver.TopicAuthorizationFailedError(TopicPartition("t", 1)),
            AccessDenied,
            "on topic 't'",
        ),
        (driver.GroupAuthorizationFailedError("g"), AccessDenied, "READ on group 'g'"),
        (
            driver.TransactionalIdAuthorizationFailed(),
            AccessDenied,
            "WRITE on transactional id 'x.events.0'",
        ),
        (driver.SaslAuthenticationFailed("bad user"), AuthenticationFailed, "bad user"),
        (ssl.SSLError("certificate verify failed"), AuthenticationFailed, "certificate"),
        (driver.MessageSizeTooLargeError(), RecordTooLarge, "larger"),
        (driver.UnknownTopicOrPartitionError("t"), UnknownTopic, "topic 't'"),
        (driver.CorruptRecordException("CRC"), CorruptLog, "checksum"),
        (driver.OutOfOrderSequenceNumber(), LogUnavailable, "write to x.events.0"),
        (AssertionError("Invalid state transition"), LogUnavailable, "Invalid state transition"),
        (ConnectionRefusedError(111, "refused"), LogUnavailable, "HITL_KAFKA_BOOTSTRAP"),
        (LogUnavailable("ours"), LogUnavailable, "ours"),
    ],
)
def test_each_error_has_its_kind(error: Exception, kind: type[HitlError], part: str) -> None:
    """Names are the driver's, or else those of the call."""
    found = translated(error, DOING, SETTINGS)

    assert type(found) is kind
    assert part in str(found)


def test_a_wrapped_error_is_found() -> None:
    """The driver wraps some of the worst ones in a plain error."""
    wrapped = driver.KafkaError("Unexpected error during batch delivery")
    wrapped.__cause__ = driver.ProducerFenced()

    assert isinstance(translated(wrapped, DOING, SETTINGS), Fenced)


async def test_what_the_driver_only_logs_is_told() -> None:
    """A login that fails is "unable to bootstrap" to the caller; the cause is in its log."""

    async def bootstrap() -> None:
        LOG.error("Unable connect to %s: %s", "h", driver.SaslAuthenticationFailed("bad hush-hush"))
        raise driver.KafkaConnectionError("Unable to bootstrap")

    with pytest.raises(AuthenticationFailed, match=r"found bad \*\*\*:") as caught:
        await Bounded(SETTINGS).call(bootstrap(), DOING)

    assert caught.value.cause == "bad ***"


async def test_one_client_does_not_hear_another() -> None:
    """Two logins at the same time: only the one that failed is told so."""
    told = asyncio.Event()

    async def refused() -> None:
        LOG.error("%s", driver.SaslAuthenticationFailed("bad"))
        told.set()
        raise driver.KafkaConnectionError("Unable to bootstrap")

    async def away() -> None:
        await told.wait()
        raise driver.KafkaConnectionError("Unable to bootstrap")

    both = await asyncio.gather(
        Bounded(SETTINGS).call(refused(), DOING),
        Bounded(SETTINGS).call(away(), DOING),
        return_exceptions=True,
    )

    assert [type(each) for each in both] == [AuthenticationFailed, LogUnavailable]


async def test_a_call_that_hangs_ends() -> None:
    """In its time, with what it was about; and the call is cancelled."""
    cancelled = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(LogUnavailable, match=r"write to x.events.0 within 0.01 s"):
        await Bounded(SETTINGS).call(hang(), DOING, within_s=0.01)

    assert cancelled.is_set()


async def test_a_cancellation_of_the_drivers_own_is_a_failure() -> None:
    """It does not end the task that called; a cancellation of ours does."""

    async def escapes() -> None:
        raise asyncio.CancelledError

    with pytest.raises(LogUnavailable):
        await Bounded(SETTINGS).call(escapes(), DOING)

    begun = asyncio.Event()

    async def waits() -> None:
        begun.set()
        await asyncio.Event().wait()

    ours = asyncio.ensure_future(Bounded(SETTINGS).call(waits(), DOING))
    await begun.wait()
    ours.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ours


async def test_a_defect_of_ours_is_not_hidden() -> None:
    """An error that is not the driver's stays what it is."""

    async def broken() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await Bounded(SETTINGS).call(broken(), DOING)


@pytest.mark.parametrize(
    ("tls", "told"),
    [(Tls(), "name ours in HITL_KAFKA_SSL_CERTFILE"), (Tls(certfile="c.pem"), "believe our")],
)
def test_a_closed_connection_may_be_about_our_certificate(tls: Tls, told: str) -> None:
    """A broker that wants another one says nothing: the line says where to look."""
    settings = KafkaSettings(bootstrap=("h:1",), security_protocol="SSL", tls=tls)
    closed = driver.KafkaConnectionError("Connection at h:1 closed")

    assert told in str(translated(closed, DOING, settings))
