"""`hitl explain`, `replay`, `verify`, `export`, `import`."""

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

        check_from_topic(settings, from_topic=from_topic)
        return auditor.explain(screen, settings, values.token(gate))

    return work


def replay(
    runs: _Runs = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Changed arguments of a step are a divergence too.")
    ] = False,
) -> Work:
    """Replay histories against the code of now.

    Exit 3 where one diverges, naming the first step that differs.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import auditor

        return auditor.replay(screen, settings, tuple(runs or ()), strict=strict)

    return work


def verify(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN...] [FILE]", help="The whole log, if none is named.", show_default=False
        ),
    ] = None,
) -> Work:
    """Check the digest chains of log or file.

    Exit 4 where one is broken, naming run and event. A FILE needs no log.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import verifier

        return verifier.verify(screen, settings, tuple(runs or ()))

    return work


def export(
    runs: _Runs = None,
    format: Annotated[  # noqa: A002 - the name of the option
        str, typer.Option(metavar="jsonl", help="One line for each event.")
    ] = "jsonl",
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Default: stdout.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
) -> Work:
    """Export histories for an audit.

    What is exported can be verified without the log, and imported elsewhere.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import exporter, values

        values.choice(format, "--format", ("jsonl",))
        named = tuple(runs or ())
        if output is None:
            return exporter.to_stdout(screen, settings, named)
        return exporter.to_file(screen, settings, named, output, force=force)

    return work


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", show_default=False)],
) -> Work:
    """Load an exported file, for reading only.

    The data directory must be empty; nothing will run in it.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import importer

        return importer.load(screen, settings, file)

    return work
