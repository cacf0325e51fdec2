"""A worked example of versions: a log in which three of them stand side by side."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.avro.schemas import Catalogue
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.audit.chain import ChainCheck
from hitl_events.audit.imported import values_of
from hitl_events.audit.replay import replay_run
from hitl_events.domain.events import Event, StepFailed
from hitl_events.domain.values import NO_DIGEST, RunId
from hitl_events.engine.active import ActiveRun
from hitl_events.errors import CorruptLog
from hitl_events.ports import Appended, EffectBatch
from hitl_events.recipes.book import Book
from hitl_events.testing.checks.promise import values
from tests.golden.make_histories import outcome_text
from tests.golden.older import TODAY, UPCASTERS, catalogue_in, mixed
from tests.golden.play import Unwatched
from tests.golden.recipes import RECIPES
from tests.unit.audit.lines import check_lines, export_lines

HISTORIES = Path(__file__).with_name("histories")
LINES = (HISTORIES / "withdrawn.jsonl").read_bytes().splitlines(keepends=True)
RUN_ID = "golden-withdrawn"

by_versions = pytest.mark.parametrize(
    "versions", list(product((1, 2, TODAY), repeat=2)), ids=lambda found: "-".join(map(str, found))
)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Schemas with two older ones of `StepFailed`."""
    return catalogue_in(tmp_path_factory.mktemp("schemas"))


@pytest.fixture(scope="module")
def events() -> tuple[Event, ...]:
    """A run in which a step fails twice."""
    (values,) = values_of(LINES, AvroCodec())
    return tuple(map(AvroCodec().decode, values))


def _unchained(events: Sequence[Event]) -> list[Event]:
    return [replace(event, prev_digest=NO_DIGEST) for event in events]


@by_versions
def test_what_was_written_in_any_version_is_todays_event(
    older: Catalogue, events: tuple[Event, ...], versions: tuple[int, ...]
) -> None:
    """Chained upcasters give the event that today's code would have written."""
    codec = AvroCodec(older)

    found = [codec.decode(value) for value in mixed(events, versions, older)]

    assert _unchained(found) == _unchained(events)


@by_versions
def test_a_mixed_history_verifies_by_its_bytes(
    older: Catalogue, events: tuple[Event, ...], versions: tuple[int, ...]
) -> None:
    """The chain covers what is stored; nothing is ever encoded again."""
    found = mixed(events, versions, older)
    check = ChainCheck(AvroCodec(older))

    check.add_all(found)

    assert check.report().errors == ()
    assert check.report().events == len(events)


@by_versions
def test_a_mixed_history_has_one_outcome(
    older: Catalogue, events: tuple[Event, ...], versions: tuple[int, ...]
) -> None:
    """State, artefact and trace do not tell in which version an event was recorded."""
    codec = AvroCodec(older)

    found = [codec.decode(value) for value in mixed(events, versions, older)]

    assert outcome_text(found) == (HISTORIES / "withdrawn.json").read_text(encoding="utf-8")


@by_versions
def test_a_mixed_history_replays(
    older: Catalogue, events: tuple[Event, ...], versions: tuple[int, ...]
) -> None:
    """Today's recipe takes the recorded path."""
    codec = AvroCodec(older)

    found = [codec.decode(value) for value in mixed(events, versions, older)]

    assert replay_run(found, Book(RECIPES), Unwatched()).ok


@by_versions
def test_a_mixed_history_is_exported_checked_and_imported_as_it_was(
    older: Catalogue, events: tuple[Event, ...], versions: tuple[int, ...]
) -> None:
    """Each line shows the fields of its own version, and the records come back byte for byte."""
    codec, found = AvroCodec(older), mixed(events, versions, older)

    lines = list(export_lines([(RUN_ID, found)], codec))

    told = [line for line in map(json.loads, lines) if line["type"] == "StepFailed"]
    expected = [["failure"], ["error", "text"], ["error", "message"]]
    shown = [[name for name in each if name in UNSURE] for each in told]
    assert shown == [expected[version - 1] for version in versions]
    assert check_lines(lines, codec).errors == ()
    assert list(values_of(lines, codec)) == [tuple(found)]


UNSURE = {"failure", "error", "text", "message"}


async def test_a_store_keeps_old_records_as_they_are(
    older: Catalogue, events: tuple[Event, ...], tmp_path: Path
) -> None:
    """What an import appends and a restart reads is what was recorded then."""
    codec, stored = AvroCodec(older), mixed(events, (1, 2), older)
    run = ActiveRun(RunId(RUN_ID))
    run.restore(stored, codec)
    appended = [Appended(event=codec.decode(value), value=value) for value in stored]
    log = SqliteLog.open(tmp_path)
    assert log.try_own()

    await log.append(EffectBatch(events=appended, positions=[run.position()]))

    assert await values(log) == stored
    log.close()


def test_a_release_without_the_upcaster_does_not_guess(
    older: Catalogue, events: tuple[Event, ...]
) -> None:
    """An event of a schema that today's code does not know is an error, not another event."""
    failed = next(
        v for v in mixed(events, (1, 2), older) if AvroCodec(older).written(v).name == "StepFailed"
    )

    with pytest.raises(CorruptLog, match="expected the head of an event"):
        AvroCodec().decode(failed)


def test_an_upcaster_that_fails_is_a_log_that_can_not_be_read(
    older: Catalogue, events: tuple[Event, ...]
) -> None:
    """It names the event; no half-read one goes on, and nothing of its content is told."""
    broken = Catalogue(older.place, {**UPCASTERS, ("StepFailed", 2): lambda found: found})
    found = mixed(events, (1, 2), older)
    codec = AvroCodec(broken)

    with pytest.raises(CorruptLog, match="a TypeError in the upcasters of StepFailed") as caught:
        list(map(codec.decode, found))

    assert "no answer" not in str(caught.value)


def test_what_is_written_is_todays_version(older: Catalogue, events: tuple[Event, ...]) -> None:
    """An older schema is read, never written."""
    codec = AvroCodec(older)
    found = [event for event in events if isinstance(event, StepFailed)]

    assert all(codec.written(codec.encode(event)).fields["message"] for event in found)
