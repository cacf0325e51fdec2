"""What a command works on: options, then the environment, then `hitl.toml` beside us."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from hitl_events.domain.values import value
from hitl_events.errors import InvalidInput
from hitl_services.cli.text import harmless, quoted

if TYPE_CHECKING:
    from hitl_events.adapters.kafka.settings import KafkaSettings

FILE = "hitl.toml"
FILE_BYTES_MAX = 64 * 1024
KEY_BYTES_MIN = 32
DEFAULT_DIRECTORY = ".hitl"

NAMES = frozenset(
    f"HITL_{name}"
    for name in (
        "DATA",
        "ENDED_KEEP",
        "GROUP",
        "GROUP_INSTANCE_ID",
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

_CHOICES = {
    "HITL_LOG_FORMAT": ("json", "console"),
    "HITL_LOG_LEVEL": ("debug", "info", "warning", "error"),
}


@value
class Asked:
    """The options that every command has, as they were given."""

    json: bool = False
    directory: str | None = None
    recipes: tuple[str, ...] = ()
    kafka: str | None = None


@value
class Settings:
    """Where the log is, which modules hold recipes, and the token keys (none: the directory's).

    Where there is a `cluster`, it is the log, and the data directory is nobody's.
    """

    json: bool
    directory: Path
    cluster: KafkaSettings | None
    recipes: tuple[str, ...]
    token_keys: tuple[bytes, ...] = field(repr=False)
    repeated: str
    """The options that a suggested command must repeat to work here, with a blank before each."""


def settings(asked: Asked, environment: Mapping[str, str] | None = None) -> Settings:
    """`InvalidInput`, naming the variable, for a value that does not fit."""
    variables = os.environ if environment is None else environment
    look = _lookup(variables, _of_file(Path(FILE)))
    for name, choices in _CHOICES.items():
        chosen = look(name)
        if chosen is not None and chosen.lower() not in choices:
            raise InvalidInput(f"expected {name} to be {_either(choices)}, found {quoted(chosen)}")
    directory = look("HITL_DATA") if asked.directory is None else asked.directory
    if directory == "" or "\0" in (directory or ""):
        raise InvalidInput(f"expected a directory as --dir, found {quoted(directory or '')}")
    if variables.get("HITL_TOKEN_KEY") == "":
        raise _short_key("HITL_TOKEN_KEY", 0)  # a secret that got lost must not void all tokens
    return Settings(
        json=asked.json,
        directory=Path(directory or DEFAULT_DIRECTORY),
        cluster=_cluster(asked, look),
        recipes=_split(asked.recipes) or _split([look("HITL_RECIPES") or ""]),
        token_keys=_token_keys(look),
        repeated=_repeated(asked),
    )


def _cluster(asked: Asked, look: Callable[[str], str | None]) -> KafkaSettings | None:
    """The cluster of the option or the variable; None: the embedded log."""
    bootstrap = look("HITL_KAFKA_BOOTSTRAP") if asked.kafka is None else asked.kafka
    if bootstrap is None:
        return None
    from hitl_events.adapters.kafka.settings import KafkaSettings

    return KafkaSettings.of(
        lambda name: bootstrap if name == "HITL_KAFKA_BOOTSTRAP" else look(name)
    )


def _lookup(variables: Mapping[str, str], held: Mapping[str, str]) -> Callable[[str], str | None]:
    """A variable that is set to nothing counts as not set, as in a shell's `${NAME:-}`."""
    return lambda name: variables.get(name) or held.get(name) or None


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


def _token_keys(look: Callable[[str], str | None]) -> tuple[bytes, ...]:
    """The key that issues first, then the old ones, which are separated by commas."""
    key = look("HITL_TOKEN_KEY")
    old = _split([look("HITL_TOKEN_KEYS_OLD") or ""])
    if key is None and old:
        raise InvalidInput("expected HITL_TOKEN_KEY beside HITL_TOKEN_KEYS_OLD, found none")
    named = [("HITL_TOKEN_KEY", key)] if key is not None else []
    named += [("HITL_TOKEN_KEYS_OLD", each) for each in old]
    keys = [(name, text.encode("utf-8", "surrogateescape")) for name, text in named]
    for name, data in keys:
        if len(data) < KEY_BYTES_MIN:
            raise _short_key(name, len(data))
    return tuple(data for _, data in keys)


def _short_key(name: str, length: int) -> InvalidInput:
    wanted = f"expected a text of at least {KEY_BYTES_MIN} bytes as {name}"
    return InvalidInput(f"{wanted}, found one of {length}")


def _split(given: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    parts = [part.strip() for text in given for part in text.split(",")]
    return tuple(part for part in parts if part)


def _repeated(asked: Asked) -> str:
    given = [] if asked.directory is None else ["--dir", asked.directory]
    given += [] if asked.kafka is None else ["--kafka", asked.kafka]
    for module in asked.recipes:
        given += ["--recipes", module]
    return "".join(f" {shlex.quote(word)}" for word in given)


def _either(choices: tuple[str, ...]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"
