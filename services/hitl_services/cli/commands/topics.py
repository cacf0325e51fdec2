"""`hitl topics create`, `acls`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from hitl_services.cli.options import Work

if TYPE_CHECKING:
    from hitl_services.cli.screen import Screen
    from hitl_services.cli.settings import Settings

_PROCESSES = "engine|projector|api|cli|publisher|auditor|admin"


def create(
    partitions: Annotated[
        str | None,
        typer.Option(metavar="N", help="Of each topic, for ever; default 12.", show_default=False),
    ] = None,
    replication: Annotated[
        str | None,
        typer.Option(
            metavar="R", help="Copies; default 3, or as many as brokers.", show_default=False
        ),
    ] = None,
) -> Work:
    """Create the topics with the right settings.

    Safe to repeat: what is there is compared and told, never changed.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import topics, values

        count = None if partitions is None else values.number(partitions, "--partitions")
        copies = None if replication is None else values.number(replication, "--replication")
        return topics.create(screen, settings, count, copies)

    return work


def acls(
    process: Annotated[
        str | None,
        typer.Option(metavar=_PROCESSES, help="Only of this one.", show_default=False),
    ] = None,
    principal: Annotated[
        str | None,
        typer.Option(
            metavar="User:NAME",
            help="Who it runs as; default User:hitl-PROCESS.",
            show_default=False,
        ),
    ] = None,
) -> Work:
    """Print the rights that each process needs, as commands of Kafka's own tool.

    Nothing is asked of the cluster and nothing is changed.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import topics, values

        known = tuple(_PROCESSES.split("|"))
        chosen = None if process is None else values.choice(process, "--process", known)
        return topics.print_acls(screen, settings, chosen, principal)

    return work


COMMANDS: dict[str, Callable[..., Work]] = {"create": create, "acls": acls}
