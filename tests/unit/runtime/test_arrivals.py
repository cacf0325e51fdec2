from datetime import timedelta
from typing import Any

from hitl_events.domain.commands import StartRun
from hitl_events.domain.refusals import Refused
from hitl_events.engine.inputs import StepReport, Submission, Wake
from hitl_events.runtime.arrivals import Arrivals
from tests.unit.world import RUN, World

WORLD = World()


def call(name: str, second: int) -> Submission:
    """A command that arrived at that second."""
    command: Any = WORLD.starting(name)
    command.origin.arrived_at = WORLD.time + timedelta(seconds=second)
    return WORLD.submission(command)


def report() -> StepReport:
    key = ("step", "s", 1)
    return StepReport(run_id=RUN, key=key, attempt=1, args_digest=b"", duration_us=0)


def names(inputs: Any) -> list[str]:
    return [_name(entry) for entry in inputs]


def _name(entry: Any) -> str:
    command = getattr(entry, "command", None)
    return command.recipe if isinstance(command, StartRun) else type(entry).__name__


def test_inputs_come_in_the_order_of_their_arrival() -> None:
    """Neither an own call nor a record passes one that arrived before it."""
    arrivals = Arrivals()
    arrivals.own.extend([call("own 1", 1), call("own 4", 4)])
    records = [call("record 0", 0), call("record 1", 1), call("record 9", 9)]
    arrivals.put(records, read_to_end=True)

    assert names(arrivals.take(10)) == ["record 0", "record 1", "own 1", "own 4", "record 9"]
    assert arrivals.empty


def test_own_calls_wait_until_the_intake_is_read() -> None:
    """While records may stand unread that arrived before it, an own call waits."""
    arrivals = Arrivals()
    arrivals.own.append(call("own", 5))
    assert names(arrivals.take(10)) == []
    arrivals.put([call("record", 1)], read_to_end=False)

    assert names(arrivals.take(10)) == ["record"]
    assert arrivals.wants_records
    arrivals.put([], read_to_end=True)
    assert names(arrivals.take(10)) == ["own"]


def test_reports_and_wakes_need_not_wait() -> None:
    """What has no time of arrival goes first where anything may go."""
    arrivals = Arrivals()
    arrivals.own.extend([report(), Wake(run_id=RUN), call("own", 1)])
    arrivals.put([call("record", 0)], read_to_end=True)

    assert names(arrivals.take(10)) == ["StepReport", "Wake", "record", "own"]


def test_a_batch_is_bounded() -> None:
    """What is beyond the limit stays for the next turn, in its order."""
    arrivals = Arrivals()
    arrivals.own.extend(call(str(at), at) for at in range(5))
    arrivals.put([], read_to_end=True)

    assert names(arrivals.take(2)) == ["0", "1"]
    assert not arrivals.empty
    assert names(arrivals.take(9)) == ["2", "3", "4"]


def test_what_could_not_be_read_holds_up_nobody() -> None:
    """A record that is no command has no time that could be too late."""
    arrivals = Arrivals()
    entry = call("x", 99)
    entry.command = Refused(reason="unreadable", message="m")  # type: ignore[misc]  # as the edge does
    arrivals.put([entry], read_to_end=True)
    arrivals.own.append(call("own", 1))

    first, second = arrivals.take(10)
    assert first is entry
    assert names([second]) == ["own"]


def test_reports_can_be_taken_alone() -> None:
    """At the end of a runtime only the ends of steps are still ruled on."""
    arrivals = Arrivals()
    own = arrivals.own
    own.extend([call("a", 1), report(), Wake(run_id=RUN), report()])

    assert names(arrivals.take_reports()) == ["StepReport", "StepReport"]
    assert names(own) == ["a", "Wake"]
    assert arrivals.own is own
