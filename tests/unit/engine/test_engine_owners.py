"""The engine: what a run that is not in memory, a short-lived owner and the clock do."""

from datetime import date, datetime, time
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from hitl_events import Run, recipe
from hitl_events.domain.values import RunId
from hitl_events.engine.inputs import Due
from tests.unit.engine.played import RAN, gated, timed
from tests.unit.world import RUN, World


def _scenario(cached_runs_max: int) -> World:
    """Five runs, taken in turns, with decisions, refusals, cancellation and expiry."""
    world = World(gated, timed, cached_runs_max=cached_runs_max)
    names = [f"run{at}" for at in range(4)]
    for name in names:
        world.start("r", name, run_id=name)
    world.start("timed", run_id="t")
    for verdict in ("perhaps", "approve", "deny"):
        for name in names[1:]:
            world.decide(verdict, run_id=name, token=_token(world, name))
    world.cancel("run0")
    world.decide(gate="g", run_id="t", decided_by="ann")
    world.wait(12)
    world.settle()
    return world


def _token(world: World, run_id: str) -> str:
    """The token of the first gate, open or not."""
    token = world.keys.issue(run_id, 3, bytes(range(16)), world.keys.kid)
    assert token is not None
    return token


@pytest.mark.parametrize("cached_runs_max", [0, 1, 3])
def test_the_size_of_the_cache_changes_nothing(cached_runs_max: int) -> None:
    """Losing what is kept in memory is slower, never wrong: the same events byte for byte."""
    whole, small = _scenario(512), _scenario(cached_runs_max)

    assert small.log == whole.log
    assert small.positions == whole.positions
    assert small.answers == whole.answers


def test_a_run_with_running_steps_stays_in_memory() -> None:
    """It is not evicted, however small the cache: its step would be begun again."""
    world = World(gated, cached_runs_max=0)
    world.ask(world.starting("r"))
    world.ask(world.starting("r", run_id="other"))
    world.settle()

    assert RAN == ["draft", "draft"]
    assert world.outcome().status == "paused"


def test_an_ended_run_is_forgotten_and_still_answers() -> None:
    """What ended is read again for a late decision; the answer names the winner."""
    world = World(gated)
    world.start("r")
    token = world.token()
    world.decide(decided_by="ann")
    assert world.engine.look(RUN) is None

    late = world.ask(world.deciding("deny", token=token))

    assert (late.reason, late.winner and late.winner.decided_by) == ("token_used", "ann")
    assert world.outcome().status == "ok"


def test_a_timer_fires_what_was_due_when_the_intake_was_read() -> None:
    """A gate that ran out after that stays open: somebody may have decided in time."""
    world = World(timed)
    world.start("timed")
    read_at = world.time
    world.clock.advance(20)
    in_between = world.clock.now()
    world.put(Due(run_id=RUN, until=read_at))
    assert world.story()[-1] == "GatePaused h"
    world.clock.advance(1)

    world.put(Due(run_id=RUN, until=in_between))

    assert world.story()[3:] == [
        "DecisionReceived g deny",
        "DecisionReceived h deny",
        "RunCompleted",
    ]


def test_who_came_in_time_wins_though_the_engine_was_down() -> None:
    """A decision that arrived before the deadline counts when it is taken long after it."""
    world = World(timed)
    world.start("timed")
    arrived_at = world.time
    world.clock.advance(3600)
    in_time = world.deciding(gate="g", decided_by="ann", arrived_at=arrived_at)

    world.put(world.submission(in_time), Due(run_id=RUN, until=world.time))

    assert world.outcome().artefact["result"] == ["ann", None]


def test_a_late_one_fires_the_timer_of_its_gate() -> None:
    """It is refused, and its gate is closed before it in the same batch; other gates stay."""
    world = World(timed)
    world.start("timed")
    world.clock.advance(10.5)

    answer = world.ask(world.deciding(gate="g"))

    assert (answer.reason, answer.winner and answer.winner.verdict) == ("token_used", "deny")
    assert world.story()[3:] == ["DecisionReceived g deny", "DecisionRejected token_used"]


def test_a_short_lived_owner_settles_all_and_drives_its_own() -> None:
    """Decisions of every run are recorded; only the runs it came for go on."""
    world = World(gated)
    for name in ("mine", "other"):
        world.start("r", run_id=name)
    tools: Any = world._settings
    tools["only"] = {RunId("mine")}
    world.restart()
    for name in ("mine", "other"):
        world.decide(run_id=name, token=_token(world, name))

    assert world.outcome("mine").status == "ok"
    assert world.story("other")[-1] == "DecisionReceived g approve"
    tools["only"] = None
    world.restart()
    assert world.settle("other").status == "ok"


def test_a_short_lived_owner_leaves_runs_whose_recipe_it_lacks() -> None:
    """Such a run is neither blocked nor driven; a start that only others can take waits."""
    world = World(gated)
    world.start("r")
    tools: Any = world._settings
    tools["only"] = {RUN}
    world.restart(timed)
    world.decide()
    turn = world.put(world.submission(world.starting("r", run_id="new")))

    assert world.story()[-1] == "DecisionReceived g approve"
    assert turn.batch.settled == []
    tools["only"] = None
    world.restart(gated)
    assert world.settle().status == "ok"


def test_a_decision_on_data_is_checked_by_the_recipes_own_type() -> None:
    """What the recorded schema lets through but the code refuses is invalid_data."""

    class Even(int):
        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            from pydantic_core import core_schema

            def check(value: int) -> int:
                if value % 2:
                    raise ValueError("odd")
                return value

            return core_schema.no_info_after_validator_function(check, handler(int))

    from pydantic import create_model

    model = create_model("Model", n=(Even, ...))

    @recipe("typed", version="1")
    async def typed(run: Run, input: Any) -> Any:
        made: Any = await run.gate("g", data=model)
        return made.data.n

    world = World(typed)
    world.start("typed")

    assert world.ask(world.deciding(data={"n": "x"})).reason == "invalid_data"
    answer = world.ask(world.deciding(data={"n": 3}))
    assert (answer.reason, "odd" in answer.message) == ("invalid_data", True)
    assert world.decide(data={"n": 4}).artefact["result"] == 4


class Slot(BaseModel):
    when: datetime | None = None
    day: date | None = None
    at: time | None = None
    place: UUID | None = None


@pytest.mark.parametrize(
    ("data", "fits"),
    [
        ({"when": "tomorrow"}, False),
        ({"day": "2026-02-30"}, False),
        ({"at": "noon"}, False),
        ({"place": "here"}, False),
        ({"when": "2026-02-03t04:05:06.7z", "day": "2026-02-03", "at": "04:05"}, True),
        ({"when": "1770000000.5", "day": "2026-02-03T00:00:00", "place": "0" * 32}, True),
    ],
)
def test_what_can_be_no_time_or_id_is_refused_without_the_code_too(data: Any, fits: bool) -> None:
    """It could never be rebuilt: the run would be stopped for ever."""

    @recipe("typed", version="1")
    async def typed(run: Run, input: Any) -> Any:
        return await run.gate("g", data=Slot)

    world = World(typed)
    world.start("typed")
    world.restart(gated)
    answer = world.ask(world.deciding(data=data))
    world.restart(typed)
    world.unblock()

    assert answer.reason == (None if fits else "invalid_data")
    assert world.outcome().status == ("ok" if fits else "paused")


def test_a_decision_reaches_the_recipe_of_a_run_that_was_not_in_memory() -> None:
    """A restart between pause and decision changes nothing of what follows."""
    worlds = [World(gated), World(gated)]
    for world in worlds:
        world.start("r")
    worlds[1].restart()
    for world in worlds:
        world.decide()

    assert worlds[0].log == worlds[1].log
