"""The options that come after any subcommand, added to the commands' own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial, wraps
from typing import Annotated, TypeAlias

import typer

from hitl_events.errors import InvalidInput
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Asked, Settings, settings

Work: TypeAlias = Callable[[Screen, Settings], int]
"""What a command does once its line is understood; gives the exit code."""
Task: TypeAlias = Callable[[Screen], int]

_SHARED = {
    "json": (bool, typer.Option("--json", help="Print one JSON document on stdout.")),
    "dir": (
        str | None,
        typer.Option("--dir", metavar="DIR", help="Data directory; default HITL_DATA, else .hitl."),
    ),
    "kafka": (
        str | None,
        typer.Option(
            "--kafka",
            metavar="HOST:PORT",
            help="The cluster to work on; default HITL_KAFKA_BOOTSTRAP, else the data directory.",
        ),
    ),
    "recipes": (
        list[str] | None,
        typer.Option(
            "--recipes",
            metavar="MODULE[:NAME]",
            help="Module or file.py of recipes, repeatable; default HITL_RECIPES.",
        ),
    ),
}

FromTopic: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--from-topic",
        help="On a cluster: fold the topic of events, also where HITL_READ_MODEL is set.",
    ),
]


def check_from_topic(settings: Settings, *, from_topic: bool) -> Settings:
    """Only a cluster has a topic; whoever asks it outright does not ask the read model."""
    if not from_topic:
        return settings
    if settings.cluster is None:
        message = "expected --kafka or HITL_KAFKA_BOOTSTRAP beside --from-topic, found none"
        raise InvalidInput(message)
    return replace(settings, read_model=None)


def with_shared(command: Callable[..., Work]) -> Callable[..., Task]:
    """A command line function that returns its work becomes one that also takes the shared options.

    Nothing is done while the line is parsed: so errors of the work never pass through the parser.
    """

    @wraps(command)
    def parsed(
        *,
        json: bool = False,
        dir: str | None = None,  # noqa: A002 - the name of the option
        kafka: str | None = None,
        recipes: list[str] | None = None,
        **own: object,
    ) -> Task:
        asked = Asked(json=json, directory=dir, kafka=kafka, recipes=tuple(recipes or ()))
        return partial(_perform, command(**own), asked)

    own = inspect.signature(command, eval_str=True).parameters
    parameters = [
        *own.values(),
        *(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=False if held is bool else None,
                annotation=Annotated[held, option],
            )
            for name, (held, option) in _SHARED.items()
        ),
    ]
    parsed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by typer
    parsed.__annotations__ = {each.name: each.annotation for each in parameters}
    return parsed


def _perform(work: Work, asked: Asked, screen: Screen) -> int:
    return work(screen, settings(asked))
