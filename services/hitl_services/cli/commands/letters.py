"""`hitl dead-letters list`, `show`, `replay`, `discard`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from hitl_services.cli.options import Work

if TYPE_CHECKING:
    from hitl_services.cli.screen import Screen
    from hitl_services.cli.settings import Settings

_Number = Annotated[
    str,
    typer.Argument(
        metavar="NUMBER",
        help="As `list` shows it; on a cluster PARTITION:OFFSET.",
        show_default=False,
    ),
]


def list_(
    limit: Annotated[str | None, typer.Option(metavar="N", help="The newest so many.")] = None,
) -> Work:
    """List the dead letters, the newest first."""

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import values

        at_most = None if limit is None else values.number(limit, "--limit")
        if settings.cluster is not None:
            from hitl_services.cli import topic_letters

            return topic_letters.listed(screen, settings, settings.cluster, at_most)
        from hitl_services.cli import dead_letters

        return dead_letters.listed(screen, settings, at_most)

    return work


def show(number: _Number) -> Work:
    """Show one whole, with what it says."""

    def work(screen: Screen, settings: Settings) -> int:
        if settings.cluster is not None:
            from hitl_services.cli import topic_letters

            return topic_letters.show(screen, settings, settings.cluster, number)
        from hitl_services.cli import dead_letters, values

        return dead_letters.show(screen, settings, values.number(number, "NUMBER"))

    return work


def replay(number: _Number) -> Work:
    """Bring one again.

    It is forgotten once it is answered (on a cluster its topic keeps it); what is refused again
    becomes a new one.
    """

    def work(screen: Screen, settings: Settings) -> int:
        if settings.cluster is not None:
            from hitl_services.cli import topic_letters

            return topic_letters.replay(screen, settings, settings.cluster, number)
        from hitl_services.cli import dead_letters, values

        return dead_letters.replay(screen, settings, values.number(number, "NUMBER"))

    return work


def discard(number: _Number) -> Work:
    """Forget one.

    On a cluster the topic forgets them by itself, 90 days after they came.
    """

    def work(screen: Screen, settings: Settings) -> int:
        if settings.cluster is not None:
            from hitl_services.cli import topic_letters

            raise topic_letters.cannot_discard()
        from hitl_services.cli import dead_letters, values

        return dead_letters.discard(screen, settings, values.number(number, "NUMBER"))

    return work


COMMANDS: dict[str, Callable[..., Work]] = {
    "list": list_,
    "show": show,
    "replay": replay,
    "discard": discard,
}
