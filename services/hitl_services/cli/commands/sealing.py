"""`hitl checkpoint`, `archive`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hitl_services.cli.options import Work

if TYPE_CHECKING:
    from hitl_services.cli.screen import Screen
    from hitl_services.cli.settings import Settings


def checkpoint(
    sign: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="A private Ed25519 key (PEM).", show_default=False),
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Default: stdout.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    new_key: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Make a key instead; FILE.pub is for those who check."),
    ] = None,
) -> Work:
    """Sign how far every run went.

    With it `verify --against` finds a run that was removed, cut or rewritten, which no chain tells.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_events.errors import InvalidInput
        from hitl_services.cli import checkpointer, values

        values.at_most_one({"--sign": sign, "--new-key": new_key})
        if new_key is not None:
            return checkpointer.new_key(screen, settings, new_key)
        if sign is None:
            raise InvalidInput("expected --sign KEY or --new-key FILE, found neither")
        if settings.json and output is None:
            raise InvalidInput("expected -o FILE beside --json, found none")
        return checkpointer.sign(screen, settings, sign, output, force=force)

    return work


def archive(
    closed_before: Annotated[
        str,
        typer.Option(metavar="T", help="A date, a time, or (ago) 90d; UTC.", show_default=False),
    ],
    output: Annotated[str, typer.Option("--output", "-o", metavar="DIR", show_default=False)],
) -> Work:
    """Write finished runs to verified files, named by the Merkle root over their runs.

    Nothing is removed from the log. What DIR has already is not written again; `import` loads the
    files of DIR into an empty directory.
    """

    def work(screen: Screen, settings: Settings) -> int:
        from hitl_services.cli import archiver

        return archiver.archive(screen, settings, closed_before, output)

    return work
