"""Turns whatever the driver raises, or only logs, into the errors of the library."""

from __future__ import annotations

import logging
import ssl
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import aiokafka.errors as driver

from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.domain.values import value
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

KNOWN = (
    driver.KafkaError,
    driver.ConsumerStoppedError,
    driver.IllegalOperation,
    OSError,  # sockets, TLS, and every time-out
    AssertionError,  # how the driver says that a producer has failed before
)
"""All that a call of the driver was seen to raise."""

_FENCED = (
    driver.ProducerFenced,
    driver.InvalidProducerEpoch,
    driver.TransactionCoordinatorFenced,
)
_UNAUTHENTICATED = (
    driver.SaslAuthenticationFailed,
    driver.UnsupportedSaslMechanismError,
    driver.IllegalSaslStateError,
    driver.AuthenticationFailedError,
    driver.AuthenticationMethodNotSupported,
    ssl.SSLError,
)
_TOO_LARGE = (driver.MessageSizeTooLargeError, driver.RecordListTooLargeError)
_RESOURCES: Mapping[type[BaseException], tuple[str, str | None]] = {
    driver.TopicAuthorizationFailedError: ("topic", None),
    driver.GroupAuthorizationFailedError: ("group", "READ"),
    driver.TransactionalIdAuthorizationFailed: ("transactional id", "WRITE"),
    driver.ClusterAuthorizationFailedError: ("cluster", None),
}
_HEARD_MAX = 8
_CHECK = (
    "check that the brokers of HITL_KAFKA_BOOTSTRAP run and can be reached, and that they speak "
    "HITL_KAFKA_SECURITY_PROTOCOL"
)

Heard = deque[BaseException]


@value
class Doing:
    """What a call is for: `what` it does, `about` which topic, group or id, with which right."""

    what: str
    about: str
    operation: str = "DESCRIBE"


def translated(
    error: BaseException, doing: Doing, settings: KafkaSettings, heard: Sequence[BaseException] = ()
) -> HitlError:
    """The error of the library for one of the driver's.

    A wrong password and its like reach the caller as "unable to bootstrap": the cause stands in
    the driver's log only, of which `heard` is the end.
    """
    for each in _chain(error):
        if (named := _named(each, doing, settings)) is not None:
            return named
    for each in reversed(heard):
        if isinstance(each, _UNAUTHENTICATED):
            return AuthenticationFailed(_said(each, settings))
    nearer = heard and isinstance(error, TimeoutError | driver.KafkaConnectionError)
    said = _said(heard[-1] if nearer else error, settings)
    return LogUnavailable(f"expected to {doing.what}, found {said}: {_check(settings)}")


def too_slow(
    doing: Doing, within_s: float, settings: KafkaSettings, heard: Sequence[BaseException]
) -> HitlError:
    """The error for a call that did not end in its time."""
    if heard:
        return translated(heard[-1], doing, settings, heard)
    return LogUnavailable(
        f"expected to {doing.what} within {within_s:g} s, found no end: {_check(settings)}"
    )


def _check(settings: KafkaSettings) -> str:
    """What to look at. A broker that wants another certificate closes the connection, no more."""
    if not settings.uses_tls:
        return _CHECK
    if settings.tls.certfile is None:
        return f"{_CHECK}; if they ask for a certificate, name ours in HITL_KAFKA_SSL_CERTFILE"
    return f"{_CHECK}, and that they believe our certificate, HITL_KAFKA_SSL_CERTFILE"


def new_heard() -> Heard:
    """Room for what one client's driver logs; from here on its log is listened to."""
    logging.getLogger("aiokafka").addHandler(_EAR)
    return deque(maxlen=_HEARD_MAX)


def quiet_driver() -> None:
    """Its log goes to our errors only: while a broker is away it has hundreds of lines a second.

    For a process to call at its start. At level debug it would print keys and values, too.
    """
    logging.getLogger("aiokafka").propagate = False
    logging.getLogger("aiokafka").setLevel(logging.WARNING)


@contextmanager
def listening(heard: Heard) -> Generator[None, None, None]:
    """Errors that the driver logs in here, or in tasks that it starts in here, go to `heard`."""
    token = _LISTENER.set(heard)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def _named(error: BaseException, doing: Doing, settings: KafkaSettings) -> HitlError | None:
    """The error that says more than that the log cannot be reached."""
    if isinstance(error, HitlError):
        return error
    if isinstance(error, _FENCED):
        return Fenced(
            f"expected to {doing.what}, found that another writer has taken {doing.about} over "
            f"(or its transaction took too long): give it up and join the group again"
        )
    if (denied := _RESOURCES.get(type(error))) is not None:
        resource, operation = denied
        return AccessDenied(resource, _name(error, doing.about), operation or doing.operation)
    if isinstance(error, _UNAUTHENTICATED):
        return AuthenticationFailed(_said(error, settings))
    if isinstance(error, _TOO_LARGE):
        return RecordTooLarge(_name(error, doing.about), "one that is larger")
    if isinstance(error, driver.UnknownTopicOrPartitionError):
        return UnknownTopic(_name(error, doing.about))
    if isinstance(error, driver.CorruptRecordException):
        return CorruptLog(doing.about, "a record whose checksum is wrong")
    return None


def _name(error: BaseException, about: str) -> str:
    """The topic, group or id that the driver put into its error: a name, a place or a set."""
    held = error.args[0] if error.args else about
    if isinstance(held, str):
        return held
    if isinstance(held, tuple):  # a TopicPartition
        return str(held[0])
    return ", ".join(sorted(map(str, held))) if isinstance(held, Iterable) else about


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from: the driver wraps some of the worst ones."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__


def _said(error: BaseException, settings: KafkaSettings) -> str:
    """What it says, or what the driver says of its kind, on one line."""
    last = error.args[-1] if error.args else None
    text = last if isinstance(last, str) else ""
    if text and isinstance(error, OSError):
        text = str(error)  # with its number
    said = text or getattr(error, "description", "") or type(error).__name__
    return settings.scrubbed(" ".join(said.split()).rstrip("."))


class _Ear(logging.Handler):
    """Keeps the exceptions that the driver logs, for whoever listens in the same context."""

    def emit(self, record: logging.LogRecord) -> None:
        heard = _LISTENER.get()
        if heard is None or not isinstance(record.args, tuple):
            return
        heard.extend(each for each in record.args if isinstance(each, BaseException))


_LISTENER: ContextVar[Heard | None] = ContextVar("heard", default=None)
_EAR = _Ear(logging.WARNING)
