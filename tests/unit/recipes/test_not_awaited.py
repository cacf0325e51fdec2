"""A gate whose `await` was forgotten lets nothing pass."""

from collections.abc import Callable
from typing import Any

import pytest

from hitl_events import Run, StepError, recipe
from tests.unit.world import World

PAID: list[Any] = []


def pay(order: Any = None) -> Any:
    PAID.append(order)
    return "paid"


def fail() -> None:
    raise ValueError("no")


FORGOTTEN: dict[str, tuple[Callable[[Run], Any], str]] = {
    "gate": (lambda run: run.gate("approval"), "run.gate('approval')"),
    "step": (lambda run: run.step(pay, "at once"), "run.step('pay')"),
    "all": (lambda run: run.all(run.gate("a"), run.gate("b")), "run.all(...)"),
    "empty": (lambda run: run.all(), "run.all(...)"),
}


@pytest.mark.parametrize("what", FORGOTTEN)
@pytest.mark.parametrize("then", ["a step", "a branch", "the end"])
def test_nothing_follows_a_call_that_is_not_awaited(what: str, then: str) -> None:
    """The run is blocked before the next step begins or its end is recorded, and says why."""
    forget, said = FORGOTTEN[what]

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        async def beside() -> None:
            forget(run)
            await run.step(pay, "beside")

        if then == "a branch":
            await run.all(beside())
            return
        forget(run)
        if then == "a step":
            await run.step(pay, "next", once=True)

    PAID.clear()
    world = World(body)
    outcome = world.start("r")

    assert world.story() == ["RunStarted", "RunBlocked recipe.not_awaited"]
    assert f"found {said} that was not" in outcome.diagnostics[0].message
    assert PAID == []


def test_it_goes_on_once_the_await_is_there() -> None:
    """Nothing was recorded of it, so that the mended code fits."""
    forget, _ = FORGOTTEN["gate"]

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.gate("first")
        forget(run)
        return await run.step(pay, 1)

    @recipe("r", version="1")
    async def mended(run: Run, input: Any) -> Any:
        await run.gate("first")
        await run.gate("approval")
        return await run.step(pay, 1)

    world = World(body)
    world.start("r")
    world.decide()
    world.restart(mended)
    world.unblock()

    assert world.outcome().status == "paused"
    assert list(world.outcome().tokens) == ["approval"]
    world.decide()
    world.finish("pay")
    assert world.outcome().artefact["result"] == "paid"


def test_what_is_awaited_later_is_not_forgotten() -> None:
    """Calls may be kept in variables and lists, and wait while others go on."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        later, others = run.gate("later"), [run.step(pay, number) for number in range(3)]
        await run.all(*others)
        await later
        return "done"

    world = World(body)
    world.start("r")
    world.finish("pay", "pay", "pay")
    world.decide()

    assert world.outcome().artefact["result"] == "done"


@pytest.mark.parametrize("how", ["cancelled", "a sibling failed", "it failed itself"])
def test_what_an_end_takes_away_is_not_forgotten(how: str) -> None:
    """A recipe that is ended while it holds a call that it has not come to is not at fault."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        async def beside() -> None:
            held = run.step(pay)
            await run.gate("g")
            await held

        async def fails() -> None:
            held = run.step(pay)
            await run.step(fail)
            await held

        if how == "it failed itself":
            await fails()
        try:
            await run.all(beside(), *([fails()] if how == "a sibling failed" else []))
        except StepError:
            return "caught"

    world = World(body)
    world.start("r")
    if how == "cancelled":
        world.cancel()
    else:
        world.finish("fail")

    ends = {"cancelled": "RunCancelled", "a sibling failed": "RunCompleted"}
    assert world.story()[-1].startswith(ends.get(how, "RunFailed"))
