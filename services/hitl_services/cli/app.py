"""The tree of commands, and what is said about a line that can not be understood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from hitl_events.errors import InvalidInput
from hitl_services.cli.commands import (
    acting,
    auditing,
    authoring,
    letters,
    looking,
    modelling,
    sealing,
    topics,
)
from hitl_services.cli.options import Task, with_shared
from hitl_services.failure import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hitl_services.cli.screen import Screen

_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""The root of the parser's own errors, of which typer exports only this leaf."""

_HELP = "Durable, event-sourced gates: run recipes, decide their gates, audit every pause."
_EPILOG = (
    "Settings: HITL_DATA, HITL_RECIPES, HITL_TOKEN_KEY, HITL_TOKEN_KEYS_OLD, HITL_READ_MODEL, "
    "HITL_KAFKA_* and the others of docs/operations.md, in the environment or in hitl.toml; an "
    "option wins over both. Exit codes: 0 done, also when a run pauses; 1 an error outcome or a "
    "refused decision; 2 usage; 3 divergence; 4 verification failed; 5 the log can not be reached, "
    "or did not answer; 130 interrupted."
)
_COMMANDS = (
    acting.run,
    looking.pending,
    acting.decide,
    looking.show,
    looking.trace,
    looking.runs,
    acting.cancel,
    acting.unblock,
    auditing.audit,
    auditing.explain,
    auditing.replay,
    auditing.verify,
    sealing.checkpoint,
    sealing.archive,
    auditing.export,
    auditing.import_,
    modelling.rebuild,
    authoring.recipes,
    authoring.plan,
)


def parsed(arguments: Sequence[str]) -> Task | int:
    """What the line asks for; an exit code where the parser itself has answered (`--help`).

    `InvalidInput` for a line that can not be understood.
    """
    command = get_command(_app())
    try:
        found: Any = command.main(list(arguments), prog_name="hitl", standalone_mode=False)
    except _USAGE_ERROR as error:
        raise InvalidInput(_usage_problem(error, arguments)) from None
    if found == INTERRUPTED:  # the parser's word for Ctrl-C, of which it says nothing
        raise KeyboardInterrupt
    return 0 if found is None else found


def _usage_problem(error: Exception, arguments: Sequence[str]) -> str:
    """Expected, found, and where to look, for an error of the parser."""
    context: Any = getattr(error, "ctx", None)
    if context is None:  # an option without its value
        path = " ".join(["hitl", *(word for word in arguments[:1] if word.isalpha())])
        usage = f"{path} [OPTIONS]"
    else:
        path = context.command_path
        usage = context.get_usage().removeprefix("Usage: ")
    said: Any = getattr(error, "format_message", error.__str__)
    found = said().rstrip(".")
    hint = (
        "; options come after the command" if path == "hitl" and "No such option" in found else ""
    )
    return f"expected {usage}; found: {found}{hint}; see {path} --help"


def _app() -> typer.Typer:
    # Plain help: what rich draws costs three times the start of the program.
    app = typer.Typer(rich_markup_mode=None, help=_HELP, epilog=_EPILOG)
    app.callback(invoke_without_command=True)(_root)
    for command in _COMMANDS:
        app.command(command.__name__.rstrip("_"))(with_shared(command))
    dead = typer.Typer(
        rich_markup_mode=None, help="Records that had no place, kept with the reason."
    )
    for name, its in letters.COMMANDS.items():
        dead.command(name)(with_shared(its))
    app.add_typer(dead, name="dead-letters")
    of_topics = typer.Typer(rich_markup_mode=None, help="The topics of a cluster.")
    for name, its in topics.COMMANDS.items():
        of_topics.command(name)(with_shared(its))
    app.add_typer(of_topics, name="topics")
    return app


def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> Task | None:
    if context.invoked_subcommand is not None:
        return None
    help_text = context.get_help()

    def answer(screen: Screen) -> int:
        if version:
            from importlib.metadata import version as version_of

            screen.write(f"hitl-events {version_of('hitl-events')}\n")
            return 0
        screen.write(f"{help_text}\n")
        return 2

    return answer
