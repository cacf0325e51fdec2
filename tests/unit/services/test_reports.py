"""Decisions as CSV, JSON and a page: complete, and harmless whoever wrote what is in them."""

import csv
import io
import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings

from hitl_events.domain import canonical
from hitl_events.domain.events import Event
from hitl_events.projections.selection import Selection, selected
from hitl_events.testing.strategies import TEXT
from hitl_services.reports.csv_sheet import COLUMNS, Csv, safe_cell
from hitl_services.reports.html_sheet import HtmlPage
from hitl_services.reports.json_sheet import JsonLines, JsonList
from hitl_services.reports.sheet import Sheet, Tally
from tests.golden import make_histories as plays
from tests.unit.domain.histories import paused, received, recorded, rejected, started
from tests.unit.services.page import ATTRIBUTES, TAGS, Read


def _report(sheet: Sheet, events: Sequence[Event], wanted: Selection | None = None) -> str:
    parts, tally = [sheet.head()], Tally()
    for decided in selected(events, wanted or Selection()):
        parts += sheet.lines(decided)
        tally = tally.plus(decided)
    return "".join([*parts, sheet.foot(tally)])


def _said(text: str) -> list[Event]:
    """A run in which everybody writes this text wherever one can."""
    data = canonical.dumps({"k": text})
    fields = {"decision_id": text, "notes": text, "decided_by": text, "data": data}
    return recorded(
        started(recipe=text, version=text),
        paused(text),
        rejected(gate=text, verdict=text, message=text, channel=text, **fields),
        received(verdict=text, gate=text, channel=text, **fields),
    )


def test_a_csv_has_a_line_for_each_decision_and_attempt() -> None:
    """Under the names of the columns; what was refused stands beside its decision."""
    rows = list(csv.DictReader(io.StringIO(_report(Csv(), plays.reviewed().events), newline="")))

    assert [(row["type"], row["seq"]) for row in rows] == [
        ("decision", "5"),
        ("attempt", "4"),
        ("decision", "8"),
        ("attempt", "12"),
    ]
    assert set(rows[0]) == set(COLUMNS)
    assert (rows[0]["data"], rows[2]["notes"]) == ('{"clause":"4b","severity":2}', "für alle")
    assert (rows[3]["reason"], rows[3]["winner_decision_id"]) == ("token_used", "d-3")


def test_every_field_of_an_entry_has_its_column() -> None:
    """A field that is added to the rows is not forgotten in the CSV."""
    for line in _report(JsonLines(), plays.reviewed().events).splitlines():
        assert set(json.loads(line)) <= set(COLUMNS)


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\ufe66"])
@pytest.mark.parametrize("before", ["", "  ", "\u00a0", "\u2003", "\u200b", "\ufeff", "\0"])
def test_no_cell_begins_like_a_formula(before: str, first: str) -> None:
    """Whoever opens the file in a spreadsheet computes nothing, also not behind blanks."""
    first = before + first if first.isprintable() else first
    report = _report(Csv(), _said(f'{first}cmd|"/c calc"!A0'))

    for row in csv.reader(io.StringIO(report, newline="")):
        assert [cell for cell in row if cell.startswith(first)] == []
    assert f"'{first}cmd" in report


@settings(deadline=None)
@given(TEXT)
def test_a_csv_gives_back_what_was_written(text: str) -> None:
    """Separators, quotes and line ends in a cell change nothing around it."""
    rows = list(csv.DictReader(io.StringIO(_report(Csv(), _said(text)), newline="")))

    assert [row["notes"] for row in rows] == [safe_cell(text)] * 2
    assert [row["seq"] for row in rows] == ["4", "3"]


def test_json_has_the_same_as_lines_and_as_a_list() -> None:
    """One object for each entry; an empty report is an empty list."""
    events = plays.reviewed().events
    lines = [json.loads(line) for line in _report(JsonLines(), events).splitlines()]

    assert json.loads(_report(JsonList(), events)) == lines
    assert [entry["type"] for entry in lines] == ["decision", "attempt"] * 2
    assert json.loads(_report(JsonList(), plays.paused().events)) == []
    assert _report(JsonLines(), plays.paused().events) == ""


def test_json_has_no_character_that_a_terminal_acts_on() -> None:
    """It is escaped, and means the same."""
    report = _report(JsonLines(), _said("\u202e\x1b[31m"))

    assert not {"\u202e", "\x1b"} & set(report)
    assert json.loads(report.splitlines()[0])["notes"] == "\u202e\x1b[31m"


def test_a_page_tells_who_decided_what_and_what_was_refused() -> None:
    """With notes, reason, event, and what was asked for."""
    wanted = Selection(recipe="golden-review", decider="Ada")
    text = Read(_report(HtmlPage(wanted), plays.reviewed().events, wanted)).text

    for said in ("approve", "Ada", "für alle", "refused: deny", "token_used", "event 12"):
        assert said in text
    assert "Those of recipe golden-review, decider Ada." in text
    assert "2 decisions, 2 refused attempts" in text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "</td></table></body><iframe src=//x>",
        "<!-- ",
        "&lt;b&gt;",
        "<svg/onload=alert(1)>",
    ],
)
def test_a_page_shows_markup_as_text(text: str) -> None:
    """What somebody wrote is on the page as it was written, and is no part of it."""
    read = Read(_report(HtmlPage(Selection(gate=text)), _said(text)))

    assert read.tags <= TAGS
    assert read.text.count(text) >= 10


@settings(deadline=None)
@given(TEXT)
def test_a_page_has_our_tags_alone(text: str) -> None:
    """Whatever is written: no script, no link, no address, no handler of events."""
    report = _report(HtmlPage(Selection(gate=text)), _said(text))
    read = Read(report)

    assert read.tags <= TAGS
    assert read.attributes <= ATTRIBUTES
    assert not {"\u202e", "\x1b", "\u200b", "\x00"} & set(report)
    assert report.endswith("</body>\n</html>\n")


def test_the_same_events_give_the_same_page() -> None:
    """Nothing in it says when or where it was made."""
    pages = [_report(HtmlPage(Selection()), plays.reviewed().events) for _ in range(2)]

    assert pages[0] == pages[1]
    assert "default-src 'none'" in pages[0]
    assert "@media print" in pages[0]


def test_where_only_ascii_fits_the_same_is_said() -> None:
    """As escapes of JSON and references of HTML, which mean the same."""
    events = plays.reviewed().events
    lines = _report(JsonLines(ascii_only=True), events)
    page = _report(HtmlPage(Selection(gate=None), ascii_only=True), events)

    assert lines.isascii()
    assert page.isascii()
    assert json.loads(lines.splitlines()[2])["notes"] == "für alle"
    assert json.loads(_report(JsonList(ascii_only=True), events))[2]["notes"] == "für alle"
    assert "für alle" in Read(page).text
