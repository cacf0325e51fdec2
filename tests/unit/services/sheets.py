"""Exports of runs that are given as records, as text."""

from collections.abc import Sequence
from contextlib import ExitStack

from hitl_events.domain.values import RunId
from hitl_services.cli.exported import exported
from hitl_services.cli.store import Store
from tests.golden.play import CODEC
from tests.unit.cli.paged_log import PagedLog


def exported_text(form: str, *runs: Sequence[bytes], ascii_only: bool = False) -> str:
    """The whole export of these runs."""
    pieces: list[bytes] = []
    with ExitStack() as undo:
        store = Store(PagedLog({}), lambda: None, place="", empty=True)
        sheet = exported(form, store, pieces.append, undo, ascii_only=ascii_only)
        for values in runs:
            run_id = RunId(CODEC.decode(values[0]).run_id)
            sheet.add(run_id, values, store.places(run_id, len(values)))
        sheet.end()
    return b"".join(pieces).decode()


def page_of(*runs: Sequence[bytes], ascii_only: bool = False) -> str:
    """The page of these runs."""
    return exported_text("html", *runs, ascii_only=ascii_only)
