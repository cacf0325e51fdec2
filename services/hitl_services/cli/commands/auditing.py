"""`hitl audit`, `explain`, `replay`, `verify`, `export`, `import`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hitl_services.cli.options import FromTopic, Work, check_from_topic

if TYPE_CHECKING:
    from hitl_services.cli.screen import Screen
    from hitl_services.cli.settings import Settings

_Runs = Annotated[
    list[str] | None,
    typer.Argument(metavar="RUN...", help="All, if none is named.", show_default=False),
]


_Output = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", help="Default: stdout.")
]
_Force = Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")]
_WHEN = "A date, a time, or (ago) 7d; UTC."


def audit(  # noqa: PLR0913, PLR0917 - the options of the command
    recipe: Annotated[str | None, typer.Option(metavar="R", help="Only of this recipe.")] = None,
    gate: Annotated[str | None, typer.Option(metavar="NAME", help="Only at this gate.")] = None,
    decider: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only by this one, as is claimed.")
    ] = None,
    verdict: Annotated[
        str | None, typer.Option(metavar="V", help="Only with this verdict.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="T", help=_WHEN)] = None,
    until: Annotated[
        str | None, typer.Option(metavar="T", help="The end; of a date all of that day.")
    ] = None,
    format: Annotated[  # noqa: A002 - the name of the option
        str | None,
        typer.Option(
            metavar="table|csv|jsonl|html",
            help="Default: what FILE ends with, or table.",
            show_default=False,
        ),
    ] = None,
    output: _Output = None,
    force: _Force = False,
    from_topic: FromTopic = False,
) -> Work:
    """List the decisions of a period: who, when, what.

    Beside each what was refused at its gate, and why.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import audit as audited, values

        settings = check_from_topic(settings, from_topic=from_topic)
        if format is not None:
            values.choice(format, "--format", audited.FORMATS)
        asked = audited.Asked(
            recipe=recipe, gate=gate, decider=decider, verdict=verdict, since=since, until=until
        )
        if output is None:
            return audited.to_screen(screen, settings, asked, format)
        return audited.to_file(screen, settings, asked, format, (output, force))

    return work


def explain(
    gate: Annotated[
        str,
        typer.Argument(
            metavar="TOKEN|GATE_ID", help="- reads a token from stdin.", show_default=False
        ),
    ],
    from_topic: FromTopic = False,
) -> Work:
    """Say why a gate is pending, decided or refused."""

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import auditor, values

        settings = check_from_topic(settings, from_topic=from_topic)
        return auditor.explain(screen, settings, values.token(gate))

    return work


def replay(  # noqa: PLR0913, PLR0917 - the options of the command
    runs: _Runs = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Changed arguments of a step are a divergence too.")
    ] = False,
    open_only: Annotated[
        bool, typer.Option("--open-only", help="Only runs that have not ended.")
    ] = False,
    jobs: Annotated[
        str | None,
        typer.Option(metavar="N", help="Processes; default: one, for many events one a processor."),
    ] = None,
    report: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write each divergence and a summary as JSON lines."),
    ] = None,
    force: _Force = False,
    from_topic: FromTopic = False,
) -> Work:
    """Replay histories against the code of now.

    Exit 3 where one diverges, naming the first step that differs.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import replayer, values, workers

        settings = check_from_topic(settings, from_topic=from_topic)
        asked = replayer.Asked(
            run_ids=tuple(runs or ()),
            open_only=open_only,
            strict=strict,
            jobs=None if jobs is None else values.number(jobs, "--jobs", most=workers.JOBS_MAX),
            report=report,
            force=force,
        )
        return replayer.replay(screen, settings, asked)

    return work


def verify(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN...] [FILE...]",
            help="The whole log, if none is named.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="CHECKPOINT", help="Find what was removed, cut or rewritten since."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="PUBLIC.pem", help="Who must have signed CHECKPOINT.")
    ] = None,
    jobs: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="Processes; default: the cores, 1 for little.", show_default=False
        ),
    ] = None,
) -> Work:
    """Check the digest chains of log or file.

    Exit 4 where one is broken, naming run and event. A FILE needs no log.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import checkpoint_files, values, verifier, workers

        asked = verifier.Asked(
            against=checkpoint_files.named(against, key),
            jobs=None if jobs is None else values.number(jobs, "--jobs", most=workers.JOBS_MAX),
        )
        return verifier.verify(screen, settings, tuple(runs or ()), asked)

    return work


def export(
    runs: _Runs = None,
    format: Annotated[  # noqa: A002 - the name of the option
        str | None,
        typer.Option(
            metavar="jsonl|csv|html",
            help="Default: what FILE ends with, or jsonl.",
            show_default=False,
        ),
    ] = None,
    output: _Output = None,
    force: _Force = False,
    from_topic: FromTopic = False,
) -> Work:
    """Export histories for an audit.

    jsonl can be verified without the log and imported elsewhere; csv has a line for each decision
    or refused attempt; html is one page to read or print.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import exported, exporter, values

        settings = check_from_topic(settings, from_topic=from_topic)
        if format is not None:
            values.choice(format, "--format", exported.FORMATS)
        asked = exporter.Asked(run_ids=tuple(runs or ()), form=format)
        if output is None:
            return exporter.to_stdout(screen, settings, asked)
        return exporter.to_file(screen, settings, asked, output, force=force)

    return work


def import_(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", show_default=False)],
) -> Work:
    """Load an exported file, or the files of an archive, for reading only.

    The data directory must be empty; nothing will run in it.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import importer

        return importer.load(screen, settings, tuple(files))

    return work
