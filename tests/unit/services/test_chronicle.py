"""The log of the runtime: who, where and why, and not more of it than a second has room for."""

import io
import json
from typing import Any

from hitl_events import Run, Runtime, recipe
from hitl_events.adapters.memory import MemoryLog
from hitl_events.domain.events import RunCompleted, Source
from hitl_events.domain.values import EPOCH, RunId
from hitl_events.embedded import Setting
from hitl_events.engine.turn import Turn
from hitl_events.errors import CorruptLog, LogUnavailable, RegistryUnavailable
from hitl_events.ports import Appended, DeadLetter
from hitl_events.testing import ManualClock
from hitl_services.chronicle import LINES_PER_S_MAX, Chronicle
from hitl_services.logs import Log
from hitl_services.settings import LogSettings


class Told:
    """A chronicle, and its lines."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        self.clock = ManualClock(EPOCH)
        log = Log(LogSettings(), self._stream, process="test")
        self.chronicle = Chronicle(log, self.clock)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Line by line."""
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [line["event"] for line in self.lines]


@recipe("quiet", version="1")
async def quiet(run: Run, input: Any) -> Any:
    review = await run.gate("review", draft={"text": "the secret draft"})
    return review.notes


def turn_of(events: int) -> Turn:
    turn = Turn()
    turn.batch.events.extend(
        Appended(event=RunCompleted(run_id=RunId(f"r{n}"), seq=4, result=b"1"), value=b"")
        for n in range(events)
    )
    return turn


async def test_a_run_is_told_by_names_and_not_by_its_data() -> None:
    """Run, gate, verdict and reason are in the lines; drafts, notes and tokens are not."""
    told = Told()
    setting = Setting(log=MemoryLog(), observer=told.chronicle)
    async with Runtime.open(None, recipes=[quiet], setting=setting) as runtime:
        paused = await runtime.run("quiet", {"in": "secret input"}, run_id="r")
        await runtime.decide(paused.token or "", "approve", notes="secret notes")
        await runtime.decide(paused.token or "", "deny", notes="secret notes")

    assert told.names == [
        "run.start",
        "run.paused",
        "decision.received",
        "run.ok",
        "decision.rejected",
    ]
    received = told.lines[2]
    assert (received["run_id"], received["gate"], received["verdict"]) == ("r", "review", "approve")
    assert "secret" not in str(told.lines)
    assert str(paused.token) not in str(told.lines)


def test_a_dead_letter_is_told_with_its_place() -> None:
    """Reason, topic, partition and offset: enough to find it."""
    told, turn = Told(), Turn()
    source = Source(topic="hitl.decisions", partition=3, offset=17, timestamp_ms=0)
    turn.batch.dead_letters.append(
        DeadLetter(
            reason="unreadable",
            message="m",
            source=source,
            key=None,
            value=b"secret",
            recorded_at=EPOCH,
        )
    )
    told.chronicle.committed(turn, 0)

    (line,) = told.lines
    assert (line["event"], line["reason"]) == ("record.dead_letter", "unreadable")
    assert (line["topic"], line["partition"], line["offset"]) == ("hitl.decisions", 3, 17)
    assert "secret" not in str(line)


def test_the_lines_of_a_second_are_bounded() -> None:
    """What is left out is told with its number as soon as there is room again."""
    told = Told()
    told.chronicle.committed(turn_of(LINES_PER_S_MAX + 20), 0)
    told.chronicle.committed(turn_of(3), 0)
    assert len(told.lines) == LINES_PER_S_MAX

    told.clock.advance(1)
    told.chronicle.committed(turn_of(1), 0)

    assert told.names[LINES_PER_S_MAX:] == ["lines.omitted", "run.ok"]
    assert told.lines[LINES_PER_S_MAX]["lines"] == 23


def test_partitions_and_faults_are_told() -> None:
    """Served, in trouble, given back; a defect with its place and without its text."""
    told = Told()
    told.chronicle.taken(3, 0.25, 2)
    told.chronicle.lost(3, LogUnavailable("expected a broker, found none"))
    told.chronicle.lost(3, None)
    told.chronicle.lost(3, CorruptLog("t.events-3", "no event", place=("t.events", 3, 17)))
    told.chronicle.held(3, "t.decisions", RegistryUnavailable("expected an answer, found none"))
    told.chronicle.held(3, "t.decisions", None)
    told.chronicle.passed_over(3, "t.decisions", 17)
    told.chronicle.fault(RunId("r"), ZeroDivisionError("secret"))

    assert told.names == [
        "partition.served",
        "partition.lost",
        "partition.released",
        "partition.corrupt",
        "records.held",
        "records.resumed",
        "decisions.stuck",
        "run.fault",
    ]
    assert told.lines[1]["error"] == "expected a broker, found none"
    corrupt = {"level": "error", "topic": "t.events", "partition": 3, "offset": 17}
    assert corrupt.items() <= told.lines[3].items()
    assert (told.lines[4]["topic"], told.lines[4]["partition"]) == ("t.decisions", 3)
    stuck = {"level": "warning", "topic": "t.decisions", "partition": 3, "offset": 17}
    assert stuck.items() <= told.lines[6].items()
    assert told.lines[7]["error"] == "ZeroDivisionError"
    assert "secret" not in str(told.lines)
