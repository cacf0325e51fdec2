"""Settings by their names: options, then the environment, then `hitl.toml` beside us.

One parser for the command line and for every process; it knows neither of them. Each error is one
line that names the variable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeAlias, cast
from urllib.parse import unquote

from hitl_events.adapters.readmodel.address import place_of, secrets_in
from hitl_events.domain.requests import INLINE_BYTES_MAX, INLINE_BYTES_MIN, USER_BYTES_MAX
from hitl_events.domain.values import value
from hitl_events.errors import InvalidInput
from hitl_services.durations import duration
from hitl_services.text import harmless, quoted

FILE = "hitl.toml"
FILE_BYTES_MAX = 64 * 1024
KEY_BYTES_MIN = 32
DEFAULT_DIRECTORY = ".hitl"
DEFAULT_INSTANCE = "engine"
ENDED_KEEP = timedelta(days=30)
"""The longest retention of an inbound topic: a repeat can not come from further back."""
SESSION = timedelta(seconds=10)
SESSION_MIN = timedelta(milliseconds=300)
SESSION_MAX = timedelta(minutes=5)
"""What a broker allows (`group.min.session.timeout.ms`, `group.max...`) may be narrower."""
PORT_MAX = 65_535

Look: TypeAlias = Callable[[str], str | None]
"""The text of a setting by its full name; None where nothing sets it."""
LogFormat: TypeAlias = Literal["json", "console"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]

NAMES = frozenset(
    f"HITL_{name}"
    for name in (
        "BLOBS",
        "BLOB_LIMIT",
        "DATA",
        "ENDED_KEEP",
        "GROUP",
        "GROUP_INSTANCE_ID",
        "GROUP_SESSION",
        "KAFKA_BOOTSTRAP",
        "KAFKA_SASL_MECHANISM",
        "KAFKA_SASL_OAUTH_SCOPE",
        "KAFKA_SASL_OAUTH_TOKEN_FILE",
        "KAFKA_SASL_OAUTH_TOKEN_URL",
        "KAFKA_SASL_PASSWORD",
        "KAFKA_SASL_USERNAME",
        "KAFKA_SECURITY_PROTOCOL",
        "KAFKA_SSL_CAFILE",
        "KAFKA_SSL_CERTFILE",
        "KAFKA_SSL_KEYFILE",
        "KAFKA_SSL_KEY_PASSWORD",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "METRICS_PORT",
        "READ_MODEL",
        "RECIPES",
        "SCHEMA_REGISTRY",
        "STATE_DIR",
        "TOKEN_KEY",
        "TOKEN_KEYS_OLD",
        "TOPIC_PREFIX",
    )
)
"""Every name that `hitl.toml` may set; one that is misspelt must not be lost in silence."""

SECRETS = ("HITL_TOKEN_KEY", "HITL_KAFKA_SASL_PASSWORD", "HITL_KAFKA_SSL_KEY_PASSWORD")
"""Names whose values no log line may hold, beside the old token keys."""


@value
class LogSettings:
    """How log lines look, and from which level on they are written."""

    format: LogFormat = "json"
    level: LogLevel = "info"


@value
class ProcessSettings:
    """What every long-lived process is told.

    `metrics_port` None: no `/livez`, `/readyz` and `/metrics`; 0: any free port. `state_dir` is
    where a process keeps what it can make again, `session` how long the group waits for a member
    that is not heard. `read_model` and `registry` are URLs that may hold a password, None where
    nothing names one; `secrets` are texts that no log line may hold. User data longer than
    `blob_limit` is kept in `blobs`, if there is one.
    """

    directory: Path
    blobs: Path | None
    blob_limit: int
    state_dir: Path
    recipes: tuple[str, ...]
    token_keys: tuple[bytes, ...] = field(repr=False)
    log: LogSettings
    metrics_port: int | None
    ended_keep: timedelta
    session: timedelta
    read_model: str | None = field(repr=False)
    registry: str | None = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def process_settings(look: Look, *, needs_key: bool = True) -> ProcessSettings:
    """`InvalidInput`, naming the variable, for a value that does not fit."""
    directory = data_directory(look)
    instance = look("HITL_GROUP_INSTANCE_ID") or DEFAULT_INSTANCE
    keep = look("HITL_ENDED_KEEP")
    return ProcessSettings(
        directory=directory,
        blobs=blob_folder(look),
        blob_limit=blob_limit(look),
        state_dir=Path(look("HITL_STATE_DIR") or directory / "state" / _as_folder(instance)),
        recipes=recipe_modules(look),
        token_keys=token_keys(look, required=needs_key and bool(look("HITL_KAFKA_BOOTSTRAP"))),
        log=log_settings(look),
        metrics_port=_port(look, "HITL_METRICS_PORT"),
        ended_keep=ENDED_KEEP if keep is None else duration(keep, "HITL_ENDED_KEEP"),
        session=_session(look),
        read_model=read_model(look),
        registry=look("HITL_SCHEMA_REGISTRY"),
        secrets=_secrets(look),
    )


def lookup(
    options: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None
) -> Look:
    """Options (by the names of their variables), then the environment, then the file.

    A variable that is set to nothing counts as not set, as in a shell's `${NAME:-}`; a token key
    that is, is refused: a secret that got lost must not void all tokens.
    """
    given = options or {}
    variables = os.environ if environment is None else environment
    held = _of_file(Path(FILE))
    if variables.get("HITL_TOKEN_KEY") == "":
        raise _short_key("HITL_TOKEN_KEY", 0)
    return lambda name: given.get(name) or variables.get(name) or held.get(name) or None


def blob_folder(look: Look) -> Path | None:
    """`HITL_BLOBS`, a folder or a `file:` URL of one: where a cluster keeps what is large."""
    found = look("HITL_BLOBS")
    if found is None:
        return None
    path = unquote(found.removeprefix("file://")) if found.startswith("file://") else found
    if "\0" in path or "://" in path or (path != found and not path.startswith("/")):
        wanted = "expected a folder as HITL_BLOBS, as in /srv/blobs or file:///srv/blobs"
        raise InvalidInput(f"{wanted}, found {quoted(found)}")
    return Path(path)


def blob_limit(look: Look) -> int:
    """`HITL_BLOB_LIMIT`, in bytes or as `64k`: user data that is longer is kept as a blob."""
    found = look("HITL_BLOB_LIMIT")
    if found is None:
        return INLINE_BYTES_MAX
    match = re.fullmatch("([0-9]{1,7})(k?)", found)
    limit = 0 if match is None else int(match[1]) * (1024 if match[2] else 1)
    if not INLINE_BYTES_MIN <= limit <= USER_BYTES_MAX:
        wanted = f"expected {INLINE_BYTES_MIN} to {USER_BYTES_MAX} bytes as HITL_BLOB_LIMIT"
        raise InvalidInput(f"{wanted}, found {quoted(found)}")
    return limit


def data_directory(look: Look) -> Path:
    """`HITL_DATA`, else `.hitl`."""
    text = look("HITL_DATA") or DEFAULT_DIRECTORY
    if "\0" in text:
        raise InvalidInput(f"expected a directory as HITL_DATA, found {quoted(text)}")
    return Path(text)


def recipe_modules(look: Look) -> tuple[str, ...]:
    """`HITL_RECIPES`, separated by commas."""
    return split([look("HITL_RECIPES") or ""])


def log_settings(look: Look) -> LogSettings:
    """`HITL_LOG_FORMAT` and `HITL_LOG_LEVEL`, in any case."""
    form = _choice(look, "HITL_LOG_FORMAT", ("json", "console"))
    level = _choice(look, "HITL_LOG_LEVEL", ("debug", "info", "warning", "error"))
    return LogSettings(
        format=cast("LogFormat", form or "json"), level=cast("LogLevel", level or "info")
    )


def token_keys(look: Look, *, required: bool = False) -> tuple[bytes, ...]:
    """The key that issues first, then the old ones, which are separated by commas."""
    key = look("HITL_TOKEN_KEY")
    old = split([look("HITL_TOKEN_KEYS_OLD") or ""])
    if key is None and required:
        wanted = f"expected HITL_TOKEN_KEY, a text of at least {KEY_BYTES_MIN} bytes, found none"
        raise InvalidInput(f"{wanted}; all processes of a cluster need the same one")
    if key is None and old:
        raise InvalidInput("expected HITL_TOKEN_KEY beside HITL_TOKEN_KEYS_OLD, found none")
    named = [("HITL_TOKEN_KEY", key)] if key is not None else []
    named += [("HITL_TOKEN_KEYS_OLD", each) for each in old]
    keys = [(name, text.encode("utf-8", "surrogateescape")) for name, text in named]
    for name, data in keys:
        if len(data) < KEY_BYTES_MIN:
            raise _short_key(name, len(data))
    return tuple(data for _, data in keys)


def read_model(look: Look) -> str | None:
    """`HITL_READ_MODEL`, checked without a look at the place; None where nothing names one."""
    url = look("HITL_READ_MODEL")
    if url is not None:
        place_of(url)
    return url


def split(given: Sequence[str]) -> tuple[str, ...]:
    """The parts of texts that are separated by commas."""
    parts = [part.strip() for text in given for part in text.split(",")]
    return tuple(part for part in parts if part)


def _secrets(look: Look) -> tuple[str, ...]:
    named = [text for name in SECRETS if (text := look(name)) is not None]
    named += secrets_in(look("HITL_SCHEMA_REGISTRY") or "")
    named += secrets_in(look("HITL_READ_MODEL") or "")
    return (*named, *split([look("HITL_TOKEN_KEYS_OLD") or ""]))


def _of_file(path: Path) -> dict[str, str]:
    """What `hitl.toml` sets: `HITL_DATA = "..."` or, shorter, `data = "..."`."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidInput(f"expected a readable {FILE}, found: {error.strerror}") from None
    import tomllib

    try:
        held = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"expected TOML in {FILE}, found: {harmless(str(error))}") from None
    return dict(_setting(name, entry) for name, entry in held.items())


def _setting(name: str, entry: object) -> tuple[str, str]:
    full = name.upper() if name.upper().startswith("HITL_") else f"HITL_{name.upper()}"
    if full not in NAMES:
        raise InvalidInput(f"expected names of settings in {FILE}, found {quoted(name)}")
    if isinstance(entry, list):
        entry = ",".join(map(str, entry))  # pyright: ignore[reportUnknownArgumentType]  # TOML: any list
    if isinstance(entry, bool) or not isinstance(entry, str | int):
        raise InvalidInput(f"expected a text as {name} in {FILE}, found {type(entry).__name__}")
    return full, str(entry)


def _as_folder(instance: str) -> str:
    """An instance's name as that of a folder: it may hold what no path part can."""
    return "".join(char if char.isalnum() or char in "._-" else "_" for char in instance).strip(".")


def _choice(look: Look, name: str, choices: tuple[str, ...]) -> str | None:
    """One of a few words, in any case."""
    found = look(name)
    if found is not None and found.lower() not in choices:
        wanted = f"{', '.join(choices[:-1])} or {choices[-1]}"
        raise InvalidInput(f"expected {name} to be {wanted}, found {quoted(found)}")
    return None if found is None else found.lower()


def _port(look: Look, name: str) -> int | None:
    found = look(name)
    if found is None:
        return None
    if not re.fullmatch("[0-9]{1,5}", found) or int(found) > PORT_MAX:
        raise InvalidInput(f"expected a port, 0 to {PORT_MAX}, as {name}, found {quoted(found)}")
    return int(found)


def _session(look: Look) -> timedelta:
    """After it the group gives the partitions of a silent member to others."""
    found = look("HITL_GROUP_SESSION")
    session = SESSION if found is None else duration(found, "HITL_GROUP_SESSION")
    if not SESSION_MIN <= session <= SESSION_MAX:
        wanted = f"{SESSION_MIN.total_seconds():g}s to {SESSION_MAX.total_seconds():g}s"
        raise InvalidInput(f"expected {wanted} as HITL_GROUP_SESSION, found {quoted(str(found))}")
    return session


def _short_key(name: str, length: int) -> InvalidInput:
    wanted = f"expected a text of at least {KEY_BYTES_MIN} bytes as {name}"
    return InvalidInput(f"{wanted}, found one of {length}")
