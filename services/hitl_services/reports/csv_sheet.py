"""Decisions as CSV (RFC 4180): a line for each decision or attempt, safe to open in a spreadsheet.

A spreadsheet takes a cell that begins with `=` and some others for a formula, whoever wrote it,
also after blanks. Such a cell gets an apostrophe in front, by which spreadsheets know a text.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hitl_events.domain import canonical
from hitl_events.projections.selection import Decided
from hitl_services.reports.sheet import Tally

COLUMNS = (
    "type",
    "at",
    "recipe",
    "gate",
    "occurrence",
    "verdict",
    "decided_by",
    "identity",
    "channel",
    "waited_s",
    "notes",
    "data",
    "resolution",
    "reason",
    "message",
    "winner_decision_id",
    "decision_id",
    "run_id",
    "seq",
    "gate_id",
    "opened_at",
    "draft_digest",
    "echoed_digest",
    "claimed_at",
    "key_id",
    "version",
    "source",
)
"""What people read first, then what they need to find it in the events."""

_SIGNS = frozenset("=+-@")
_BREAKS = ("\t", "\r", "\n")


class Csv:
    """Every cell is quoted, so that no separator in it begins another cell."""

    def head(self) -> str:
        """The names of the columns."""
        return _written([COLUMNS])

    def lines(self, decided: Decided) -> Iterator[str]:
        """The decisions of the round, then what was refused at it."""
        for entry in (*decided.decisions, *decided.attempts):
            held = entry.to_json()
            yield _written([[safe_cell(_text(held, name)) for name in COLUMNS]])

    def foot(self, tally: Tally) -> str:
        """Nothing."""
        return ""


def safe_cell(text: str) -> str:
    """The text so that no spreadsheet computes it; most texts as they are."""
    return f"'{text}" if text.startswith(_BREAKS) or _first_seen(text) in _SIGNS else text


def _first_seen(text: str) -> str:
    """The first character that is neither blank nor invisible: what is before it may be trimmed.

    As ASCII where it has a wide or small form, which some spreadsheets take for the same.
    """
    for char in text:
        if unicodedata.category(char)[0] not in "CZ":
            return unicodedata.normalize("NFKC", char)
    return ""


def _text(held: Mapping[str, Any], name: str) -> str:
    found = held.get(name)
    match found:
        case None:
            return ""
        case str():
            return found
        case _:
            return canonical.dumps(found).decode()


def _written(rows: Iterable[Iterable[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
