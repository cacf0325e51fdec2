"""The page of an outcome: what can be decided, with which token, and what to type next."""

from datetime import timedelta
from typing import Any

import pytest

from hitl_events import Recipe, Run, recipe
from hitl_events.engine.inputs import Wake
from hitl_services.cli.pages import OutcomePage
from tests.unit.world import RUN, World


@recipe("r", version="1")
async def twins(run: Run, input: Any) -> Any:
    return await run.all(run.gate("g", draft="first"), run.gate("g", draft="second"))


@recipe("r", version="1")
async def swapped(run: Run, input: Any) -> Any:
    first, second = run.gate("g", draft="first"), run.gate("g", draft="second")
    return await run.all(second, first)


@recipe("r", version="1")
async def short(run: Run, input: Any) -> Any:
    await run.gate("g", expires_in=60)


@recipe("r", version="1")
async def changed(run: Run, input: Any) -> Any:
    await run.gate("another")


@recipe("other", version="1")
async def other(run: Run, input: Any) -> Any:
    await run.gate("g")


def _page(world: World) -> list[str]:
    page = OutcomePage(world.outcome(), now=world.time, width=80).full()
    return ["".join(part if isinstance(part, str) else part[0] for part in line) for line in page]


def _about(lines: list[str], gate: str) -> str:
    start = lines.index(f"gate {gate}  waits for a decision (human)")
    return "\n".join(lines[start : start + 7])


@pytest.mark.parametrize("body", [twins, swapped], ids=["in order", "swapped"])
def test_gates_of_one_name_have_their_own_draft_and_token(body: Recipe) -> None:
    """Two gates of one name that are open at once are shown as the two that they are."""
    world = World(body)
    tokens = world.start("r").tokens

    shown = _page(world)

    for gate, draft in (("g#1", "first"), ("g", "second")):
        assert draft in _about(shown, gate)
        assert f"hitl decide {tokens[gate]} approve" in _about(shown, gate)


def test_an_open_gate_beside_a_later_closed_one_is_shown() -> None:
    """The draft of the open one is shown, not that of its namesake which was decided."""
    world = World(twins)
    world.decide("deny", token=world.start("r").tokens["g"])

    shown = _page(world)

    assert "first" in _about(shown, "g#1")
    assert f"hitl decide {world.outcome().tokens['g#1']} approve" in _about(shown, "g#1")


def test_a_deadline_that_is_over_is_not_left() -> None:
    """Nothing has ended the gate yet, but its time is over: the page says `over` and no more."""
    world = World(short)
    world.start("r")

    page = OutcomePage(world.outcome(), now=world.time + timedelta(seconds=61), width=80).full()

    [deadline] = [line[0] for line in page if line and str(line[0]).startswith("  deadline")]
    assert str(deadline).endswith("(over)")


def test_a_blocked_run_says_where_its_token_is() -> None:
    """It takes decisions still: its page does not claim that the key of the token is missing."""
    world = World(twins)
    world.start("r")
    world.restart(changed)
    world.put(Wake(run_id=RUN))

    shown = "\n".join(_page(world))

    assert "token     hitl pending shows it" in shown
    assert "HITL_TOKEN_KEY" not in shown


def test_a_blocked_run_names_its_next_command_whatever_came_after() -> None:
    """Also after a decision, `hitl unblock` is what lets the run go on."""
    world = World(twins)
    world.start("r")
    world.restart(changed)
    world.put(Wake(run_id=RUN))
    world.decide()

    assert f"then hitl unblock {RUN}" in _page(world)[-1]

    world.restart(twins)
    world.unblock()
    assert not [line for line in _page(world) if "unblock" in line]


def test_a_run_whose_recipe_is_gone_is_not_told_to_mend_it() -> None:
    """What stands in the way of a blocked run is what is to be done first."""
    world = World(twins)
    world.start("r")
    world.restart(other)
    world.put(Wake(run_id=RUN))

    assert f"register the recipe, then hitl unblock {RUN}" in _page(world)[-1]
