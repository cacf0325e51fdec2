"""Decisions as JSON: a line for each entry, or one list of them all."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hitl_events.projections.entries import Entry
from hitl_events.projections.selection import Decided
from hitl_services.reports.sheet import Tally
from hitl_services.text import harmless_json


class JsonLines:
    """One object in a line for each decision or attempt; `ascii_only` where nothing else fits."""

    def __init__(self, *, ascii_only: bool = False) -> None:
        self._ascii_only = ascii_only

    def head(self) -> str:
        """Nothing."""
        return ""

    def lines(self, decided: Decided) -> Iterator[str]:
        """The decisions of the round, then what was refused at it."""
        for entry in (*decided.decisions, *decided.attempts):
            yield f"{_object(entry, ascii_only=self._ascii_only)}\n"

    def foot(self, tally: Tally) -> str:
        """Nothing."""
        return ""


class JsonList:
    """One document: the list of what `JsonLines` has in its lines."""

    def __init__(self, *, ascii_only: bool = False) -> None:
        self._ascii_only = ascii_only
        self._between = "\n"

    def head(self) -> str:
        """The list begins."""
        return "["

    def lines(self, decided: Decided) -> Iterator[str]:
        """The entries of the round."""
        for entry in (*decided.decisions, *decided.attempts):
            yield f"{self._between}{_object(entry, ascii_only=self._ascii_only)}"
            self._between = ",\n"

    def foot(self, tally: Tally) -> str:
        """The list ends."""
        return "]\n" if self._between == "\n" else "\n]\n"


def _object(entry: Entry, *, ascii_only: bool) -> str:
    held = json.dumps(entry.to_json(), ensure_ascii=ascii_only, separators=(", ", ": "))
    return harmless_json(held)
