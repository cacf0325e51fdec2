from dataclasses import replace

import pytest

from hitl_events.audit.blobs import BlobCheck, BlobLines
from hitl_events.audit.chain import ChainCheck
from hitl_events.audit.export import export_line
from hitl_events.audit.replay import replay_run
from hitl_events.audit.report import Problems
from hitl_events.domain.events import Event, GatePaused
from hitl_events.domain.references import Reference, cut, reference_to
from hitl_events.recipes.book import Book
from tests.golden.play import Play, Unwatched
from tests.golden.recipes import review
from tests.unit.audit.made import CODEC, DRAFT, chained, completed, paused, started

KEPT = {reference_to(DRAFT).digest: DRAFT}


def _read(reference: Reference) -> bytes | None:
    return KEPT.get(reference.digest)


def _stored(*events: Event) -> list[bytes]:
    return chained("r", [cut(event, 10)[0] for event in events])


RUN: list[Event] = [started(), completed("draft", DRAFT), paused()]


def _problems(
    values: list[bytes], *, has_store: bool = True
) -> list[tuple[str | None, int | None]]:
    problems = Problems()
    check = ChainCheck(BlobCheck(CODEC, _read if has_store else None, problems), problems)
    check.add_all(values)
    return [(each.run_id, each.seq) for each in check.report().errors]


def test_a_history_with_its_blobs_is_whole() -> None:
    """Chain and blobs are checked in one reading."""
    assert _problems(_stored(*RUN)) == []


def test_references_without_a_store_are_not_taken_on_trust() -> None:
    """Who does not say where the blobs are is told which events cannot be checked."""
    assert _problems(_stored(*RUN), has_store=False) == [("r", 2), ("r", 3)]


def test_a_draft_that_is_another_than_its_digest_is_found() -> None:
    """The reference and the digest of a draft are two statements of one fact."""
    other = replace(paused(), draft_digest=bytes(32))

    assert _problems(_stored(started(), completed("draft", DRAFT), other)) == [("r", 3)]


def test_a_line_shows_what_a_reference_says() -> None:
    """The field is readable, the record as it was."""
    line = export_line(_stored(*RUN)[2], CODEC)

    assert line["draft"] == {"sha256": line["draft_digest"], "bytes": len(DRAFT)}


def test_a_blob_has_one_line_in_each_run() -> None:
    """The second event that refers to it needs none; the next run stands by itself."""
    lines = BlobLines(CODEC, _read)
    other = chained("other", [cut(event, 10)[0] for event in RUN])

    told = [bool(lines.before(value)) for value in [*_stored(*RUN), *other]]

    assert told == [False, True, False] * 2


def test_a_replay_does_not_take_a_reference_for_the_output() -> None:
    """Without its data a recorded history proves nothing about code."""
    events = [cut(event, 10)[0] for event in Play(review, "p").start({"topic": "x"}).events]
    play = Play(review, "q").start({"topic": "x"}).done("write_draft", {"title": "t", "lines": 3})

    stored = [cut(event, 10)[0] for event in play.events]
    replayed = replay_run(stored, Book([review]), Unwatched())

    assert replay_run(events, Book([review]), Unwatched()).ok
    assert (replayed.result, replayed.at_seq) == ("blob.missing", 2)
    assert any(isinstance(event, GatePaused) for event in stored)


@pytest.mark.parametrize("has_store", [True, False])
def test_what_is_small_needs_no_store(*, has_store: bool) -> None:
    """A log without references is whole without one."""
    assert _problems(chained("r", RUN), has_store=has_store) == []
