from typing import Any

from hitl_events import Run, recipe
from hitl_events.domain.values import RunId
from hitl_events.engine.turn import Turn
from tests.unit.runtime.conftest import Place
from tests.unit.world import Faulty


async def aecho(value: Any) -> Any:
    return value


@recipe("r", version="1")
async def body(run: Run, input: Any) -> Any:
    await run.step(aecho, input)


class Watching:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.faults: list[tuple[RunId | None, Exception]] = []
        self.commits: list[float] = []

    def committed(self, turn: Turn, commit_s: float) -> None:
        self.events += [type(each.event).__name__ for each in turn.batch.events]
        self.commits.append(commit_s)

    def fault(self, run_id: RunId | None, error: Exception) -> None:
        self.faults.append((run_id, error))


async def test_the_observer_is_told_of_every_commit(place: Place) -> None:
    """Each event is told once, after it is durable, with the time that the commit took."""
    watching = Watching()
    async with place.open(body, observer=watching) as runtime:
        await runtime.run("r", 1)

    assert watching.events == ["RunStarted", "StepCompleted", "RunCompleted"]
    assert all(length >= 0 for length in watching.commits)


async def test_the_observer_is_told_of_faults(place: Place) -> None:
    """A defect of ours is told with its run; the caller gets engine_error."""
    watching, codec = Watching(), Faulty()
    codec.fails = lambda _: True
    async with place.open(body, observer=watching) as runtime:
        runner: Any = runtime._partition._runner
        runner._tools.codec = codec
        outcome = await runtime.run("r", 1, run_id="a")

    assert outcome.diagnostics[0].code == "command.engine_error"
    assert [(run_id, type(error)) for run_id, error in watching.faults] == [
        ("a", ZeroDivisionError)
    ]
