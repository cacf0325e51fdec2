"""What a replay comes to: counts, the first that do not fit, and its report for programs.

The report is JSON lines: one for each run that does not fit (`Divergence`) and for each recorded
step that now gets other arguments (`Warning`), and a last one (`Summary`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from hitl_events.audit.replay import OK, Replayed
from hitl_events.domain.references import BLOB_MISSING
from hitl_events.recipes.book import Book
from hitl_services.cli.pages import STYLES
from hitl_services.cli.screen import Line
from hitl_services.text import counted, harmless, harmless_json

_SHOWN_MAX = 100
"""Runs on a page that do not fit: the first ones tell what was changed."""
_FIELDS = ("run_id", "recipe", "version", "result", "at_seq", "expected", "found", "message")


class Results:
    """Told of each run in turn; it keeps of them what a page shows."""

    def __init__(self, report: Callable[[bytes], object] | None = None) -> None:
        self.wrong: list[Replayed] = []
        self._warned: list[str] = []
        self._counts: Counter[str] = Counter()
        self._warnings = 0
        self._events = 0
        self._report = report

    @property
    def runs(self) -> int:
        """How many were replayed."""
        return self._counts.total()

    @property
    def misfits(self) -> int:
        """How many of them do not fit."""
        return self.runs - self._counts[OK]

    @property
    def lacks_blobs(self) -> bool:
        """Whether some could not be replayed because what they recorded is not there."""
        return self._counts[BLOB_MISSING] > 0

    def add(self, each: Replayed) -> None:
        """One more run."""
        self._counts[each.result] += 1
        self._events += each.events
        self._warnings += len(each.warnings)
        if not each.ok:
            if len(self.wrong) < _SHOWN_MAX:
                self.wrong.append(each)
            self._tell("Divergence", {name: getattr(each, name) for name in _FIELDS})
        for warning in each.warnings:
            if len(self._warned) < _SHOWN_MAX:
                self._warned.append(f"run {each.run_id}, event {warning.seq}: {warning.message}")
            of = {"run_id": each.run_id, "recipe": each.recipe, "version": each.version}
            self._tell("Warning", of | {"at_seq": warning.seq, "message": warning.message})

    def end(self, book: Book, *, open_only: bool, strict: bool) -> None:
        """The last line of the report: what was replayed, against which code."""
        code = [
            {
                "recipe": handle.name,
                "version": handle.version,
                "code_fingerprint": handle.code_fingerprint,
            }
            for handle in book.handles()
        ]
        asked = {"open_only": open_only, "strict": strict}
        counts = {"runs": self.runs, "events": self._events, "warnings": self._warnings}
        results = {OK: 0} | dict(sorted(self._counts.items()))
        self._tell("Summary", asked | counts | {"results": results, "code": code})

    def _tell(self, kind: str, held: dict[str, Any]) -> None:
        if self._report is not None:
            text = json.dumps({"type": kind} | held, ensure_ascii=False)
            self._report(f"{harmless_json(text)}\n".encode())

    def page(self) -> Iterator[Line]:
        """For people: what does not fit, then how many do."""
        for each in self.wrong:
            yield [(each.result, "bold red"), "  ", harmless(said(each))]
        if self.misfits > len(self.wrong):
            yield [f"and {self.misfits - len(self.wrong):,} more: --report FILE lists them"]
        for told in self._warned:
            yield [("warn", STYLES["warn"]), "  ", harmless(told)]
        if self._warnings > len(self._warned):
            yield [f"and {self._warnings - len(self._warned):,} more: --report FILE lists them"]
        fitting = f"{counted(self.runs, 'run')}, {self.runs - self.misfits:,} of them fit"
        yield [("replayed", "bold"), f"  {fitting}"]


def said(each: Replayed) -> str:
    """Which run left its history where."""
    at = "" if each.at_seq is None else f", event {each.at_seq}"
    return f"run {each.run_id}{at}: {each.message}"
