"""Runs on a page: all that an auditor asks for is there, and harmless whoever wrote it."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given, settings

from hitl_events.domain import canonical
from hitl_events.domain.events import RunStarted
from hitl_events.domain.values import digest
from hitl_events.testing.strategies import TEXT
from hitl_services.reports.run_page import ExportedRun, run_section
from tests.golden import make_histories as plays
from tests.golden.play import CODEC
from tests.unit.audit.made import chained, ended, waiting
from tests.unit.domain.histories import paused, received, rejected, started
from tests.unit.services.page import ATTRIBUTES, TAGS, Read
from tests.unit.services.sheets import page_of

_TAGS = TAGS | {
    *("section", "h2", "h3", "h4", "dl", "dt", "dd", "ol", "li", "div", "a", "pre"),
    *("details", "summary"),
}
_ATTRIBUTES = ATTRIBUTES | {"id", "href"}


def _said(text: str) -> list[bytes]:
    """A run in which everybody writes this text wherever one can."""
    held = {text: [text, {"k": text}]}
    data = canonical.dumps(held)
    fields = {"decision_id": text, "notes": text, "decided_by": text, "data": data}
    fields |= {"gate": text, "channel": text, "content_digest": digest(data)}
    return chained(
        "r",
        [
            started(recipe=text, version=text, input=data, started_by=text),
            paused(text, draft=held, data_schema=data, policy=data),
            rejected(verdict=text, message=text, **fields),
            received(verdict=text, **fields),
        ],
    )


def test_a_run_is_told_whole() -> None:
    """Drafts as shown, who decided what, what was refused, timeline, and the digest of each."""
    values = plays.reviewed().values
    text = Read(page_of(values)).text

    for said in ("für alle", "refused: deny", "token_used", "step.completed", "run.end"):
        assert said in text
    for value in values:
        assert sha256(value).hexdigest() in text
    assert f"Head: event {len(values)}, {sha256(values[-1]).hexdigest()}" in text


def test_a_draft_is_shown_as_it_was_and_as_it_was_digested() -> None:
    """Its members by name, and the recorded bytes beside their digest."""
    page = page_of(waiting("r"))

    assert "<dt>title</dt><dd>Leave policy</dd>" in page
    assert '{"days":30,"title":"Leave policy"}' in Read(page).text
    assert "another digest" not in page


def test_a_draft_that_has_another_digest_is_told() -> None:
    """What an auditor must not overlook stands beside the digest."""
    forged = paused(draft="x", draft_digest=bytes(32))
    run = _exported(chained("r", [started(), forged]))

    assert "the draft has another digest" in "".join(run_section(run))


def test_several_runs_have_an_index_that_leads_to_them() -> None:
    """Each link of the page leads to a run of it; one run alone needs no index."""
    many, one = Read(page_of(ended("a"), waiting("b"))), Read(page_of(ended("a")))

    assert many.links == {"#run-a", "#run-b"}
    assert many.ids == ["run-a", "run-b"]
    assert (one.links, one.ids) == (set(), ["run-a"])
    assert "2 runs, 10 events" in many.text


def test_where_events_stand_in_a_topic_is_told() -> None:
    """Partition and offset beside each digest."""
    values = waiting("r")
    run = _exported(values, [(1, 7), (1, 9), (1, 12)])

    assert "1, 12" in Read("".join(run_section(run))).text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "</dd></section></body><iframe src=//x>",
        "</pre><!-- ",
        "&lt;b&gt;",
    ],
)
def test_a_page_shows_markup_as_text(text: str) -> None:
    """What somebody wrote is on the page as it was written, and is no part of it."""
    read = Read(page_of(_said(text)))

    assert read.tags <= _TAGS
    assert read.text.count(text) >= 20


@settings(deadline=None, max_examples=50)
@given(TEXT)
def test_a_page_has_our_tags_alone(text: str) -> None:
    """Whatever is written: no script, no address from elsewhere, nothing that hides or turns."""
    page = page_of(_said(text), ended("a"))
    read = Read(page)

    assert read.tags <= _TAGS
    assert read.attributes <= _ATTRIBUTES
    assert all(link and link.startswith("#run-") for link in read.links)
    assert not {"\u202e", "\x1b", "\u200b", "\x00"} & set(page)


def test_the_same_events_give_the_same_page() -> None:
    """It says nothing of when or where it was made, loads nothing, and suits paper and dark."""
    pages = [page_of(plays.reviewed().values) for _ in range(2)]

    assert pages[0] == pages[1]
    assert "default-src 'none'" in pages[0]
    for rule in ("@media print", "prefers-color-scheme: dark", "width=device-width"):
        assert rule in pages[0]


def test_where_only_ascii_fits_the_same_is_said() -> None:
    """As references, which mean the same."""
    page = page_of(plays.reviewed().values, ascii_only=True)

    assert page.isascii()
    assert "für alle" in Read(page).text


def _exported(
    values: Sequence[bytes], places: Sequence[tuple[int, int]] | None = None
) -> ExportedRun:
    events = [CODEC.decode(value) for value in values]
    first = events[0]
    assert isinstance(first, RunStarted)
    nowhere: list[tuple[None, None]] = [(None, None)] * len(values)
    return ExportedRun(started=first, events=events, values=values, places=places or nowhere)
