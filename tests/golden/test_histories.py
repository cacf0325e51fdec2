from functools import cache
from pathlib import Path

import pytest

from hitl_events.adapters.avro import AvroCodec
from hitl_events.audit.imported import values_of
from hitl_events.audit.replay import replay_run
from hitl_events.domain.events import EVENT_TYPES, Event
from hitl_events.recipes.book import Book
from tests.golden.make_histories import outcome_text
from tests.golden.play import Unwatched
from tests.golden.recipes import RECIPES
from tests.unit.audit.lines import check_lines, export_lines

CODEC = AvroCodec()
HISTORIES = sorted(Path(__file__).with_name("histories").glob("*.jsonl"))

by_history = pytest.mark.parametrize("history", HISTORIES, ids=lambda path: path.stem)


def _lines(history: Path) -> list[bytes]:
    with history.open("rb") as file:
        return list(file)


@cache
def _events(history: Path) -> tuple[Event, ...]:
    (values,) = values_of(_lines(history), CODEC)
    return tuple(map(CODEC.decode, values))


@by_history
def test_an_old_file_verifies_today(history: Path) -> None:
    """An audit file that was exported by an earlier release is whole to this one."""
    assert check_lines(_lines(history), CODEC).errors == ()


@by_history
def test_an_old_run_is_exported_as_it_was(history: Path) -> None:
    """The same records give the same file, whichever release writes it."""
    runs = [(_events(history)[0].run_id, next(values_of(_lines(history), CODEC)))]

    assert list(export_lines(runs, CODEC)) == _lines(history)


@by_history
def test_an_old_history_has_the_outcome_that_it_had(history: Path) -> None:
    """State, artefact, diagnostic codes and trace of recorded events never change, to the byte."""
    expected = history.with_suffix(".json").read_text(encoding="utf-8")

    assert outcome_text(_events(history)) == expected


@by_history
def test_an_old_run_replays_through_its_recipe(history: Path) -> None:
    """Today's driver takes the path that was recorded, from any point of it."""
    events = _events(history)
    book = Book(RECIPES)

    stops = [replay_run(events[:count], book, Unwatched()) for count in range(1, len(events) + 1)]

    assert [stop for stop in stops if not stop.ok or stop.warnings] == []


def test_every_event_type_has_a_history() -> None:
    """What was ever released stands in a golden history."""
    found = {type(event) for history in HISTORIES for event in _events(history)}

    assert set(EVENT_TYPES) - found == set()


def test_every_history_has_its_outcome_and_nothing_lies_about() -> None:
    """A file without its partner is a test that does not run."""
    folder = Path(__file__).with_name("histories")

    assert {path.stem for path in folder.iterdir()} == {path.stem for path in HISTORIES}
    assert all(path.with_suffix(".json").is_file() for path in HISTORIES)
