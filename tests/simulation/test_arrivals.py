"""Tests of the order in which an owner takes what has come in."""

from collections.abc import Sequence
from datetime import timedelta

from hitl_events.domain.commands import CancelRun, Origin
from hitl_events.domain.refusals import Refused
from hitl_events.domain.values import RunId
from hitl_events.engine.inputs import Input, Submission, Wake
from hitl_events.runtime.arrivals import Arrivals
from hitl_events.testing.clock import NEW_YEAR
from hitl_events.testing.stage import call

RUN = RunId("r")


def _arrived(after_s: int) -> Submission:
    origin = Origin(channel="topic", arrived_at=NEW_YEAR + timedelta(seconds=after_s))
    command = CancelRun(run_id=RUN, reason=str(after_s), command_id="c", origin=origin)
    return Submission(command=command, record=call)


def _reasons(inputs: Sequence[Input]) -> list[str]:
    return [
        each.command.reason
        for each in inputs
        if isinstance(each, Submission) and not isinstance(each.command, Refused)
        if isinstance(each.command, CancelRun)
    ]


def test_the_first_to_arrive_is_the_first_to_be_heard() -> None:
    """Own calls and records of the intake are merged by their time; of equals the record wins."""
    arrivals = Arrivals()
    arrivals.own += [_arrived(1), _arrived(3), _arrived(5)]
    records = [_arrived(2), _arrived(3), _arrived(4)]
    arrivals.put(records, read_to_end=True)

    taken = arrivals.take(10)

    assert _reasons(taken) == ["1", "2", "3", "3", "4", "5"]
    assert taken[2] is records[1]
    assert arrivals.empty


def test_own_calls_wait_while_the_intake_may_hold_earlier_ones() -> None:
    """What was read is used up and more may be there: an own call must not pass it."""
    arrivals = Arrivals()
    arrivals.own.append(_arrived(9))
    arrivals.put([_arrived(1)], read_to_end=False)

    assert _reasons(arrivals.take(10)) == ["1"]
    assert not arrivals.empty
    arrivals.put([_arrived(2)], read_to_end=True)
    assert _reasons(arrivals.take(10)) == ["2", "9"]


def test_what_has_no_time_of_arrival_does_not_wait() -> None:
    """Reports and wake-ups are taken as they come, and so is a record that nobody can read."""
    arrivals = Arrivals()
    refused = Submission(command=Refused(reason="unreadable", message=""), record=call)
    arrivals.own += [Wake(run_id=RUN), _arrived(5)]
    arrivals.put([refused, _arrived(1)], read_to_end=True)

    assert arrivals.take(2) == [refused, Wake(run_id=RUN)]
    assert _reasons(arrivals.take(2)) == ["1", "5"]


def test_a_batch_has_a_limit() -> None:
    """No more than asked for is taken; the rest stays in order."""
    arrivals = Arrivals()
    arrivals.put([], read_to_end=True)
    arrivals.own += [_arrived(n) for n in range(5)]

    assert _reasons(arrivals.take(2)) == ["0", "1"]
    assert _reasons(arrivals.take(9)) == ["2", "3", "4"]
