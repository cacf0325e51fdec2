"""`hitl run`, `decide`, `cancel`, `unblock`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hitl_services.cli.options import Work

if TYPE_CHECKING:
    from hitl_services.cli.screen import Screen
    from hitl_services.cli.settings import Settings

_RunId = Annotated[str, typer.Argument(metavar="RUN", show_default=False)]


def run(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", show_default=False)],
    input: Annotated[  # noqa: A002 - the name of the option
        str | None,
        typer.Option(
            metavar="JSON|@FILE|-", help="The input; null if left out.", show_default=False
        ),
    ] = None,
    run_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Takes up the run with that id and input.")
    ] = None,
) -> Work:
    """Start a run and drive it to its pause or end."""

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import acts, values

        given = None if input is None else values.json_value(input, "--input")
        return acts.run(screen, settings, recipe, given, run_id)

    return work


def decide(
    token: Annotated[
        str, typer.Argument(metavar="TOKEN", help="- reads it from stdin.", show_default=False)
    ],
    verdict: Annotated[str, typer.Argument(metavar="VERDICT", show_default=False)],
    notes: Annotated[str | None, typer.Option(metavar="T", help="Why, for the recipe.")] = None,
    data: Annotated[
        str | None, typer.Option(metavar="JSON|@FILE", help="An object that fits the gate.")
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who decides.")] = None,
    id: Annotated[  # noqa: A002 - the name of the option
        str | None,
        typer.Option(metavar="DECISION_ID", help="Sent twice with one id, it counts once."),
    ] = None,
) -> Work:
    """Decide an open gate and drive its run on."""

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_events.errors import InvalidInput
        from hitl_services.cli import acts, values

        if token == "-" and data == "-":
            raise InvalidInput("expected one of token and --data on stdin, found both: use @FILE")
        given = acts.Decision(
            token=values.token(token),
            verdict=verdict,
            notes=notes,
            data=None if data is None else values.json_value(data, "--data"),
            decided_by=by,
            decision_id=id,
        )
        return acts.decide(screen, settings, given)

    return work


def cancel(
    run_id: _RunId,
    reason: Annotated[str, typer.Option(metavar="T", help="Why.", show_default=False)] = "",
) -> Work:
    """Cancel a run.

    Its tokens die at once; what is to be undone is, then the run ends as cancelled.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import acts

        return acts.cancel(screen, settings, run_id, reason)

    return work


def unblock(run_id: _RunId) -> Work:
    """Let a blocked run go on if the code fits now.

    It is replayed against the code that is registered; what does not fit is named.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import acts

        return acts.unblock(screen, settings, run_id)

    return work
