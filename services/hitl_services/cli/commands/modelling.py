"""`hitl rebuild`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hitl_services.cli.options import Work

if TYPE_CHECKING:
    from hitl_services.cli.screen import Screen
    from hitl_services.cli.settings import Settings


def rebuild(
    check: Annotated[
        bool,
        typer.Option("--check", help="Only compare it with what the events give; 4 if it differs."),
    ] = False,
) -> Work:
    """Fold the read model anew, from the events alone.

    Beside the live one, which it replaces at the end; started again it goes on where it ended.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import rebuilder

        return rebuilder.check(screen, settings) if check else rebuilder.rebuild(screen, settings)

    return work
