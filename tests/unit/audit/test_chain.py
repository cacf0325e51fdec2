from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import chain, zip_longest
from typing import Any

import pytest

from hitl_events.audit.chain import ChainCheck
from hitl_events.audit.report import PROBLEMS_MAX, Problem, VerifyReport
from hitl_events.domain.events import GateClosed, RunBlocked, RunStarted
from tests.unit.audit.made import (
    CODEC,
    NOON,
    chained,
    completed,
    ended,
    paused,
    position_of,
    received,
    rechained,
    rejected,
    started,
    waiting,
)

RUN = ended("r")


def _checked(values: Iterable[bytes], *runs: Iterable[bytes]) -> VerifyReport:
    """The report on these values, compared with the positions of the undamaged runs."""
    check = ChainCheck(CODEC)
    check.add_all(values)
    check.finish(map(position_of, runs) if runs else None)
    return check.report()


def _places(report: VerifyReport) -> list[tuple[str | None, int | None]]:
    return [(each.run_id, each.seq) for each in report.errors]


def _edited(at: int, **changes: Any) -> list[bytes]:
    """The run with one event edited in place: its successors keep the digests they have."""
    event = replace(CODEC.decode(RUN[at - 1]), **changes)
    return [*RUN[: at - 1], CODEC.encode(event), *RUN[at:]]


def test_runs_that_are_as_they_were_written_have_no_problem() -> None:
    """Whole runs, interleaved as a log holds them, verify against the log's own positions."""
    runs = [ended("a"), ended("b"), waiting("c", expires_at=NOON + timedelta(days=1))]
    interleaved = [value for value in chain(*zip_longest(*runs)) if value is not None]

    report = _checked(interleaved, *runs)

    assert report.ok
    assert report.to_json() == {"runs": 3, "events": 17, "errors": []}


def test_one_record_at_a_time_is_the_same_check() -> None:
    """`add` finds what `add_all` finds."""
    check = ChainCheck(CODEC)
    for value in _edited(4, verdict="deny"):
        check.add(value)

    assert check.report() == _checked(_edited(4, verdict="deny"))


@pytest.mark.parametrize("seq", range(1, len(RUN) + 1))
def test_an_edited_event_is_named(seq: int) -> None:
    """An event edited in place is found by the digest that its successor, or the head, keeps."""
    report = _checked(
        _edited(seq, recorded_at=NOON + timedelta(seconds=seq - 1, microseconds=1)), RUN
    )

    assert _places(report) == [("r", seq)]


@pytest.mark.parametrize("seq", range(1, len(RUN) + 1))
def test_a_removed_event_is_named(seq: int) -> None:
    """A hole in the sequence, and a cut tail, are named by the first event that is not there."""
    report = _checked([*RUN[: seq - 1], *RUN[seq:]], RUN)

    assert ("r", seq) in _places(report)


@pytest.mark.parametrize("length", range(1, len(RUN)))
def test_a_cut_tail_is_found_by_the_head(length: int) -> None:
    """What is missing at the end is only known to the log's position of the run."""
    assert _checked(RUN[:length]).ok
    assert _places(_checked(RUN[:length], RUN)) == [("r", length + 1)]


@pytest.mark.parametrize("seq", range(1, len(RUN)))
def test_two_events_that_changed_places_are_found(seq: int) -> None:
    """Reordering is found where it happened."""
    swapped = [*RUN[: seq - 1], RUN[seq], RUN[seq - 1], *RUN[seq + 1 :]]

    assert _places(_checked(swapped, RUN)) == [("r", seq), ("r", seq)]


@pytest.mark.parametrize("seq", range(1, len(RUN) + 1))
def test_a_repeated_event_is_named_and_the_run_goes_on(seq: int) -> None:
    """A record that stands twice is one problem, not one for each event after it."""
    report = _checked([*RUN[:seq], RUN[seq - 1], *RUN[seq:]], RUN)

    assert _places(report) == [("r", seq)]


def test_a_repeated_stretch_is_one_problem() -> None:
    """Events that were written again as a block are named once."""
    report = _checked([*RUN[:5], *RUN[1:5], *RUN[5:]], RUN)

    assert _places(report) == [("r", 2)]


def test_an_edited_seq_does_not_condemn_what_follows() -> None:
    """A single wrong number is named; the events after it are found to go on from one another."""
    report = _checked(_edited(3, seq=70), RUN)

    assert _places(report) == [("r", 3), ("r", 4)]


def test_an_inserted_event_is_found() -> None:
    """A forged event that takes the next number and digest breaks the chain after it."""
    forged = chained("r", [*map(CODEC.decode, RUN[:3]), received("deny")])[3]

    places = _places(_checked([*RUN[:3], forged, *RUN[3:]], RUN))

    assert ("r", 4) in places


def test_a_time_that_goes_back_is_found() -> None:
    """`recorded_at` is never before its predecessor's."""
    report = _checked(_edited(7, recorded_at=NOON), _edited(7, recorded_at=NOON))

    assert _places(report) == [("r", 7)]
    assert "found 2026-01-01T12:00:00.000000Z" in report.errors[0].problem


@pytest.mark.parametrize(
    ("seq", "event"),
    [
        (2, started()),
        (4, GateClosed(gate="other", occurrence=1, reason="expired")),
        (1, completed("draft")),
    ],
)
def test_what_cannot_have_happened_is_found_in_a_sound_chain(
    seq: int, event: RunStarted | GateClosed
) -> None:
    """An editor who recomputes the chain still cannot write what no engine writes."""
    events = list(map(CODEC.decode, RUN))
    events[seq - 1] = event

    report = _checked(chained("r", events))

    assert _places(report) == [("r", seq)]
    assert "cannot have happened" in report.errors[0].problem


def test_after_the_end_only_refusals_are_possible() -> None:
    """An ended run takes late decisions, and nothing else."""
    events = [*map(CODEC.decode, RUN), completed("again")]

    report = _checked(chained("r", events))

    assert [each.problem for each in report.errors] == [
        "expected only refusals after the end, found StepCompleted"
    ]


def test_bytes_that_are_no_event_are_named_by_their_offset() -> None:
    """A record that cannot be read has no run; the hole that it leaves has."""
    report = _checked([*RUN[:2], b"\xc3\x01nonsense", *RUN[3:]], RUN)

    assert _places(report) == [(None, None), ("r", 3)]
    assert report.errors[0].problem.startswith("record at offset 2 is no event")


def test_a_run_that_is_not_there_is_named() -> None:
    """A run of which the log keeps a position, and no event, was removed."""
    assert _places(_checked(RUN, RUN, waiting("gone"))) == [("gone", 1)]


def test_a_run_without_a_position_is_named() -> None:
    """A run that was put in beside the log's own account of it is found."""
    assert _places(_checked([*RUN, *waiting("new")], RUN)) == [("new", 3)]


def test_each_damage_is_named_in_its_run() -> None:
    """Damage in one run hides none in another."""
    other = waiting("w")
    report = _checked([*_edited(2, output=b"1"), other[0], other[2]], RUN, other)

    assert _places(report) == [("r", 2), ("w", 2)]


def test_lost_events_are_named_once() -> None:
    """Events that the store knows it cannot give are not missed a second time."""
    check = ChainCheck(CODEC)
    check.add_all(RUN[:2])
    check.lost("r", [3, 4], "its block is damaged")
    check.add_all(RUN[4:])
    check.finish([position_of(RUN)])

    assert check.report().errors == (
        Problem(run_id="r", seq=3, problem="its block is damaged"),
        Problem(run_id="r", seq=4, problem="its block is damaged"),
    )


def test_long_events_are_checked_like_short_ones() -> None:
    """A long draft is kept out of memory, not out of the check."""
    long = b'"' + b"x" * 10_000 + b'"'
    values = rechained(waiting("w"), input_1=long, output_2=long, draft_3=long)

    assert _checked(values, values).ok
    assert _places(_checked([values[0], values[1], RUN[2], values[2]], values)) != []


def test_a_blocked_run_verifies() -> None:
    """Blocking is part of a run's life and changes its status."""
    blocked = RunBlocked(code="recipe.unknown", message="", code_fingerprint="")
    values = chained("b", [started(), blocked, rejected()])

    assert _checked(values, values).ok


def test_problems_are_bounded() -> None:
    """A log that is all damage gives a list that a person can open."""
    report = _checked([b"x"] * (PROBLEMS_MAX + 5))

    assert len(report.errors) == PROBLEMS_MAX + 1
    assert report.errors[-1].problem == "and 5 more problems, which are not listed"


def test_a_gate_that_waits_keeps_its_timer() -> None:
    """The log's timer of a run is what its open gate says."""
    values = chained("t", [started(), paused(expires_at=NOON + timedelta(hours=1))])

    assert _checked(values, values).ok


def test_an_index_that_leads_elsewhere_is_found() -> None:
    """Events of two runs that changed places break no chain, but whoever looks for them by run."""
    one, other = waiting("a"), waiting("b")
    check = ChainCheck(CODEC)
    check.add_all([*one, *other], first=10)
    check.finish(map(position_of, (one, other)))

    assert check.report().ok
    assert list(check.misled([("a", 10 + 11 + 12), ("b", 13 + 14 + 15)])) == []
    assert list(check.misled([("a", 10 + 11 + 13), ("b", 12 + 14 + 15)])) == ["a", "b"]
