"""`hitl run`, `decide`, `cancel`, `unblock`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hitl_services.cli.options import Work

if TYPE_CHECKING:
    from hitl_services.cli.calling import Make
    from hitl_services.cli.screen import Screen
    from hitl_services.cli.settings import Settings

_Timeout = Annotated[
    str | None,
    typer.Option(metavar="30s", help="On a cluster: how long to wait for the run; default 30s."),
]
_NoWait = Annotated[
    bool, typer.Option("--no-wait", help="On a cluster: print the ids and wait for nothing.")
]
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
    timeout: _Timeout = None,
    no_wait: _NoWait = False,
) -> Work:
    """Start a run and drive it to its pause or end."""

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import acts, values

        given = None if input is None else values.json_value(input, "--input")
        if _on_cluster(settings, timeout, no_wait=no_wait):
            return _call(
                screen,
                settings,
                (timeout, no_wait),
                lambda calls: calls.start(recipe, given, run_id),
            )
        return acts.run(screen, settings, recipe, given, run_id)

    return work


def decide(  # noqa: PLR0913, PLR0917 - the options of the command
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
    timeout: _Timeout = None,
    no_wait: _NoWait = False,
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
        if not _on_cluster(settings, timeout, no_wait=no_wait):
            return acts.decide(screen, settings, given)
        return _call(
            screen,
            settings,
            (timeout, no_wait),
            lambda calls: calls.decide(
                given.token,
                given.verdict,
                notes=given.notes,
                data=given.data,
                decided_by=given.decided_by,
                decision_id=given.decision_id,
            ),
        )

    return work


def cancel(
    run_id: _RunId,
    reason: Annotated[str, typer.Option(metavar="T", help="Why.", show_default=False)] = "",
    timeout: _Timeout = None,
    no_wait: _NoWait = False,
) -> Work:
    """Cancel a run.

    Its tokens die at once; what is to be undone is, then the run ends as cancelled.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import acts

        if _on_cluster(settings, timeout, no_wait=no_wait):
            return _call(
                screen, settings, (timeout, no_wait), lambda calls: calls.cancel(run_id, reason)
            )
        return acts.cancel(screen, settings, run_id, reason)

    return work


def unblock(run_id: _RunId, timeout: _Timeout = None, no_wait: _NoWait = False) -> Work:
    """Let a blocked run go on if the code fits now.

    It is replayed against the code that is registered (on a cluster: with its engines); what does
    not fit is named.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import acts

        if _on_cluster(settings, timeout, no_wait=no_wait):
            return _call(screen, settings, (timeout, no_wait), lambda calls: calls.unblock(run_id))
        return acts.unblock(screen, settings, run_id)

    return work


def _on_cluster(settings: Settings, timeout: str | None, *, no_wait: bool) -> bool:
    """Whether it is sent to engines; only then there is something to wait for."""
    if settings.cluster is None and (no_wait or timeout is not None):
        from hitl_events.errors import InvalidInput

        option = "--no-wait" if no_wait else "--timeout"
        raise InvalidInput(f"expected --kafka or HITL_KAFKA_BOOTSTRAP beside {option}, found none")
    return settings.cluster is not None


def _call(screen: Screen, settings: Settings, asked: tuple[str | None, bool], make: Make) -> int:
    from hitl_services.cli import calling

    timeout, no_wait = asked
    return calling.called(screen, settings, make, calling.wait_of(timeout, no_wait=no_wait))
