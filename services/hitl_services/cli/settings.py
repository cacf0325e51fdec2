"""What a command works on: its options, then the settings of the environment and `hitl.toml`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from hitl_events.domain.values import value
from hitl_events.errors import InvalidInput
from hitl_services.settings import (
    blob_folder,
    blob_limit,
    data_directory,
    log_settings,
    lookup,
    read_model,
    recipe_modules,
    split,
    token_keys,
)
from hitl_services.text import quoted

if TYPE_CHECKING:
    from hitl_events.adapters.kafka.settings import KafkaSettings


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

    `read_model` is the URL that `HITL_READ_MODEL` names, None where nothing does.
    Where there is a `cluster`, it is the log, and the data directory is nobody's.
    """

    json: bool
    directory: Path
    blobs: Path | None
    """Where a cluster keeps what is large; the data directory has its own place for it."""
    blob_limit: int
    cluster: KafkaSettings | None
    recipes: tuple[str, ...]
    token_keys: tuple[bytes, ...] = field(repr=False)
    read_model: str | None = field(repr=False)
    repeated: str
    """The options that a suggested command must repeat to work here, with a blank before each."""


def settings(asked: Asked, environment: Mapping[str, str] | None = None) -> Settings:
    """`InvalidInput`, naming the variable, for a value that does not fit."""
    look = lookup(environment=environment)
    log_settings(look)  # a bad value is told, whoever would use it
    given = asked.directory
    if given == "" or "\0" in (given or ""):
        raise InvalidInput(f"expected a directory as --dir, found {quoted(given or '')}")
    return Settings(
        json=asked.json,
        directory=data_directory(look) if given is None else Path(given),
        blobs=blob_folder(look),
        blob_limit=blob_limit(look),
        cluster=_cluster(asked, look),
        recipes=split(asked.recipes) or recipe_modules(look),
        token_keys=token_keys(look),
        read_model=read_model(look),
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


def _repeated(asked: Asked) -> str:
    given = [] if asked.directory is None else ["--dir", asked.directory]
    given += [] if asked.kafka is None else ["--kafka", asked.kafka]
    for module in asked.recipes:
        given += ["--recipes", module]
    return "".join(f" {shlex.quote(word)}" for word in given)
