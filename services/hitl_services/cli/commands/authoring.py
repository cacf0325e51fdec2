"""`hitl recipes`, `plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hitl_services.cli.options import Work

if TYPE_CHECKING:
    from hitl_services.cli.screen import Screen
    from hitl_services.cli.settings import Settings


def recipes() -> Work:
    """List the registered recipes."""

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import catalogue

        return catalogue.recipes(screen, settings)

    return work


def plan(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", show_default=False)],
    format: Annotated[  # noqa: A002 - the name of the option
        str, typer.Option(metavar="text|mermaid", help="How to draw it.")
    ] = "text",
) -> Work:
    """Print the step graph of a recipe."""

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import catalogue, values

        wanted = values.choice(format, "--format", ("text", "mermaid"))
        return catalogue.plan(screen, settings, recipe, wanted)

    return work
