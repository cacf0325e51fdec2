"""`hitl pending`, `show`, `trace`, `runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hitl_services.cli.options import FromTopic, Work, check_from_topic

if TYPE_CHECKING:
    from hitl_services.cli.screen import Screen
    from hitl_services.cli.settings import Settings

_RunId = Annotated[str, typer.Argument(metavar="RUN", show_default=False)]
_Recipe = Annotated[str | None, typer.Option("--recipe", metavar="R", help="Only of this recipe.")]
_LIMIT = "At most so many."
_STATUS = "ok, paused, running or error; or completed, failed, cancelled, blocked."


def pending(
    recipe: _Recipe = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="2h", help="Only gates that wait so long: 90s, 15m, 2h, 7d."),
    ] = None,
    limit: Annotated[str | None, typer.Option(metavar="N", help=_LIMIT)] = None,
    from_topic: FromTopic = False,
) -> Work:
    """List the open gates, the oldest first.

    Each with the beginning of its draft and the token that decides it.
    """

    def work(screen: Screen, settings: Settings) -> int:
        settings = check_from_topic(settings, from_topic=from_topic)
        from hitl_services.cli import values, views
        from hitl_services.cli.store import Wanted
        from hitl_services.durations import duration

        waited = None if older_than is None else duration(older_than, "--older-than")
        at_most = None if limit is None else values.number(limit, "--limit")
        wanted = Wanted(recipe=recipe, limit=at_most)
        return views.pending(screen, settings, wanted, older_than=waited)

    return work


def show(
    run_id: _RunId,
    at: Annotated[str | None, typer.Option(metavar="SEQ", help="As it was at this event.")] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="T", help="As it was then: a date, a time, or (ago) 7d; UTC."),
    ] = None,
    gate: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:ROUND]", help="What was shown for review when this gate opened."
        ),
    ] = None,
    diff: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="A B", help="What changed from event A to B, or from round NAME:1 to NAME:2."
        ),
    ] = None,
    from_topic: FromTopic = False,
) -> Work:
    """Show a run: outcome, steps, gates and decisions."""

    def work(screen: Screen, settings: Settings) -> int:
        settings = check_from_topic(settings, from_topic=from_topic)
        from hitl_services.cli import values, views

        values.at_most_one({"--at": at, "--time": time, "--gate": gate, "--diff": diff})
        if diff is not None:
            from hitl_services.cli import differ

            return differ.show_diff(screen, settings, run_id, diff)
        if gate is not None or time is not None:
            from hitl_services.cli import reviewer

            if gate is not None:
                return reviewer.show_gate(screen, settings, run_id, gate)
            return reviewer.show_time(screen, settings, run_id, time or "")
        seq = None if at is None else values.number(at, "--at")
        return views.show(screen, settings, run_id, seq)

    return work


def trace(run_id: _RunId, from_topic: FromTopic = False) -> Work:
    """Print what happened in a run, line by line."""

    def work(screen: Screen, settings: Settings) -> int:
        settings = check_from_topic(settings, from_topic=from_topic)
        from hitl_services.cli import views

        return views.show_trace(screen, settings, run_id)

    return work


def runs(
    status: Annotated[str | None, typer.Option(metavar="S", help=_STATUS)] = None,
    recipe: _Recipe = None,
    limit: Annotated[str | None, typer.Option(metavar="N", help="The last so many.")] = None,
    from_topic: FromTopic = False,
) -> Work:
    """List the runs, the last started at the end."""

    def work(screen: Screen, settings: Settings) -> int:
        settings = check_from_topic(settings, from_topic=from_topic)
        from hitl_services.cli import values, views
        from hitl_services.cli.store import Wanted

        at_most = None if limit is None else values.number(limit, "--limit")
        wanted = Wanted(recipe=recipe, status=values.status(status), limit=at_most)
        return views.runs(screen, settings, wanted)

    return work
