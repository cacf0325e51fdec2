"""How the cluster is reached and what is ours on it; each problem names its variable."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field
from typing import Literal, Self, TypeAlias, cast, get_args

from hitl_events.adapters.http_opener import http_place
from hitl_events.adapters.kafka.secret import Secret
from hitl_events.domain.values import is_unicode, value
from hitl_events.errors import InvalidInput

SecurityProtocol: TypeAlias = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism: TypeAlias = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
Look: TypeAlias = Callable[[str], str | None]

DEFAULT_PREFIX = "hitl"
PREFIX_CHARS_MAX = 200
"""A topic's name has at most 249 characters, and ours adds at most `.dead-letters`."""

_ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
_PREFIX = re.compile(rf"[A-Za-z0-9._-]{{1,{PREFIX_CHARS_MAX}}}")
_SENT = re.compile(r"[!-~]+")
_NAME_CHARS_MAX = 249


@value
class Sasl:
    """Who we are. For OAUTHBEARER either a file with a token, or where one is asked for.

    `username` and `password` are the client's id and secret where a token is asked for
    (client credentials, RFC 6749 section 4.4).
    """

    mechanism: SaslMechanism
    username: str | None = None
    password: Secret | None = None
    token_file: str | None = None
    token_url: str | None = None
    scope: str | None = None


@value
class Tls:
    """Whom we believe, and our own certificate; files in PEM. The host's name is always checked."""

    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    key_password: Secret | None = None


@value
class KafkaSettings:
    """One cluster, one prefix. Made by `of`, or from fields and then `checked`."""

    bootstrap: tuple[str, ...]
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl: Sasl | None = None
    tls: Tls = field(default_factory=Tls)
    prefix: str = DEFAULT_PREFIX
    group: str = f"{DEFAULT_PREFIX}-engine"
    group_instance_id: str | None = None

    @classmethod
    def of(cls, look: Look) -> Self:
        """From the variables; `InvalidInput` in one line that names the one which does not fit."""
        prefix = look("HITL_TOPIC_PREFIX") or DEFAULT_PREFIX
        return cls(
            bootstrap=_split(look("HITL_KAFKA_BOOTSTRAP") or ""),
            security_protocol=cast(
                "SecurityProtocol",
                _choice(look, "HITL_KAFKA_SECURITY_PROTOCOL", get_args(SecurityProtocol))
                or "PLAINTEXT",
            ),
            sasl=_sasl(look),
            tls=Tls(
                cafile=look("HITL_KAFKA_SSL_CAFILE"),
                certfile=look("HITL_KAFKA_SSL_CERTFILE"),
                keyfile=look("HITL_KAFKA_SSL_KEYFILE"),
                key_password=_secret(_text(look, "HITL_KAFKA_SSL_KEY_PASSWORD")),
            ),
            prefix=prefix,
            group=look("HITL_GROUP") or f"{prefix}-engine",
            group_instance_id=look("HITL_GROUP_INSTANCE_ID"),
        ).checked()

    def checked(self) -> Self:
        """Itself; `InvalidInput`, naming the variable, where values do not fit each other."""
        if not self.bootstrap:
            raise InvalidInput("expected HOST:PORT as HITL_KAFKA_BOOTSTRAP, found nothing")
        for address in self.bootstrap:
            found = _ADDRESS.fullmatch(address)
            if found is None or not 0 < int(found[1]) < 1 << 16:
                raise _unfit("HITL_KAFKA_BOOTSTRAP", "HOST:PORT, separated by commas", address)
        if not _PREFIX.fullmatch(self.prefix):
            wanted = f"1 to {PREFIX_CHARS_MAX} of A-Z, a-z, 0-9, '.', '_' and '-'"
            raise _unfit("HITL_TOPIC_PREFIX", wanted, self.prefix)
        for name, text in (
            ("HITL_GROUP", self.group),
            ("HITL_GROUP_INSTANCE_ID", self.group_instance_id or "-"),
        ):
            if not 0 < len(text) <= _NAME_CHARS_MAX or not text.isprintable():
                raise _unfit(name, f"1 to {_NAME_CHARS_MAX} printable characters", text)
        self._check_security()
        return self

    def scrubbed(self, message: str) -> str:
        """A message of the broker's or the driver's without any of our secrets in it."""
        for secret in (self.sasl and self.sasl.password, self.tls.key_password):
            message = secret.scrubbed(message) if secret else message
        return message

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    @property
    def uses_sasl(self) -> bool:
        """Whether we say who we are by SASL."""
        return self.security_protocol.startswith("SASL")

    def _check_security(self) -> None:
        protocol = self.security_protocol
        if self.sasl is not None and not self.uses_sasl:
            raise _pair("HITL_KAFKA_SASL_MECHANISM", "SASL_PLAINTEXT or SASL_SSL", protocol)
        if self.tls != Tls() and not self.uses_tls:
            raise _pair("HITL_KAFKA_SSL_*", "SSL or SASL_SSL", protocol)
        if self.tls.keyfile is not None and self.tls.certfile is None:
            raise InvalidInput("expected HITL_KAFKA_SSL_CERTFILE beside its KEYFILE, found none")
        if self.uses_sasl:
            _check_sasl(self.sasl)


def _check_sasl(sasl: Sasl | None) -> None:
    if sasl is None:
        raise InvalidInput("expected HITL_KAFKA_SASL_MECHANISM beside SASL, found none")
    if sasl.mechanism == "OAUTHBEARER":
        if (sasl.token_file is None) == (sasl.token_url is None):
            message = "expected one of HITL_KAFKA_SASL_OAUTH_TOKEN_FILE and _TOKEN_URL"
            raise InvalidInput(f"{message}, found {'none' if sasl.token_url is None else 'both'}")
        if sasl.token_url is None:
            return
        if not _is_place(sasl.token_url):
            wanted = "http(s)://HOST[:PORT]/... without a user in it"
            message = f"expected HITL_KAFKA_SASL_OAUTH_TOKEN_URL to be {wanted}, found another"
            raise InvalidInput(message)  # which is not shown, as it may hold a password
    for name, found in (("USERNAME", sasl.username), ("PASSWORD", sasl.password)):
        if found is None:
            message = f"expected HITL_KAFKA_SASL_{name} beside {sasl.mechanism}, found none"
            raise InvalidInput(message)


def _is_place(url: str) -> bool:
    """Whether one can be asked there. A user in the URL would be taken for a part of the host."""
    parts = http_place(url)
    return parts is not None and "@" not in parts.netloc and bool(_SENT.fullmatch(url))


def _sasl(look: Look) -> Sasl | None:
    mechanism = _choice(look, "HITL_KAFKA_SASL_MECHANISM", get_args(SaslMechanism))
    held = Sasl(
        mechanism=cast("SaslMechanism", mechanism),
        username=_text(look, "HITL_KAFKA_SASL_USERNAME"),
        password=_secret(_text(look, "HITL_KAFKA_SASL_PASSWORD")),
        token_file=look("HITL_KAFKA_SASL_OAUTH_TOKEN_FILE"),
        token_url=look("HITL_KAFKA_SASL_OAUTH_TOKEN_URL"),
        scope=_text(look, "HITL_KAFKA_SASL_OAUTH_SCOPE"),
    )
    if mechanism is not None:
        return held
    if held != Sasl(mechanism=cast("SaslMechanism", None)):
        message = "expected HITL_KAFKA_SASL_MECHANISM beside the other HITL_KAFKA_SASL_*"
        raise InvalidInput(f"{message}, found none")
    return None


def _choice(look: Look, name: str, choices: tuple[str, ...]) -> str | None:
    """In any case, as log levels are."""
    found = look(name)
    if found is not None and found.upper() not in choices:
        raise _unfit(name, f"{', '.join(choices[:-1])} or {choices[-1]}", found)
    return None if found is None else found.upper()


def _text(look: Look, name: str) -> str | None:
    """What is sent as UTF-8. A variable may hold any bytes, and these may be a secret."""
    found = look(name)
    if found is not None and not is_unicode(found):
        raise InvalidInput(f"expected text in UTF-8 as {name}, found other bytes")
    return found


def _unfit(name: str, wanted: str, found: str) -> InvalidInput:
    found = found.rpartition("@")[2]  # before it there may be a password, as in a URL
    return InvalidInput(f"expected {name} to be {wanted}, found {found[:100]!r}")


def _pair(name: str, wanted: str, found: str) -> InvalidInput:
    return InvalidInput(
        f"expected HITL_KAFKA_SECURITY_PROTOCOL {wanted} beside {name}, found {found}"
    )


def _secret(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for each in text.split(",") if (part := each.strip()))
