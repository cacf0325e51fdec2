"""What type checkers make of the public names; `make check` is the test of these assertions.

A line that ought to be refused bears an ignore: one that nothing refuses any more is an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_type

from pydantic import BaseModel

from hitl_events import Decision, Event, Recipe, Retry, Run, Runtime, hitl, recipe
from tests.unit.world import World


@dataclass
class Order:
    """What comes in."""

    item: str


class Offer(BaseModel):
    """What steps make of it."""

    item: str


def offered(order: Order, *, times: int = 1) -> Offer:
    """A plain step."""
    return Offer(item=order.item * times)


async def asked(order: Order) -> Offer:
    """A step that is awaited."""
    return Offer(item=order.item)


class Seller:
    """Steps that are methods, and one that is an object."""

    def offered(self, order: Order) -> Offer:
        """A method."""
        return Offer(item=order.item)

    async def asked(self, order: Order) -> Offer:
        """A method that is awaited."""
        return Offer(item=order.item)

    async def __call__(self, order: Order) -> Offer:
        """The object itself."""
        return Offer(item=order.item)


@recipe("typed", version="1")
async def typed(run: Run, order: Order) -> str:
    """Asks for all there is."""
    assert_type(await run.step(offered, order, times=2, retry=Retry(2), timeout_s=5), Offer)
    assert_type(await run.step(asked, order, name="asked it", once=True), Offer)
    assert_type(await run.step(partial(offered, order), name="part"), Offer)
    assert_type(await run.step(Seller().offered, order, name="method"), Offer)
    assert_type(await run.step(Seller().asked, order, name="awaited"), Offer)
    assert_type(await run.step(Seller(), order, name="object"), Offer)

    async def measured(text: str) -> int:
        return await run.step(len, text, name="measure")

    offer, size = await run.all(run.step(offered, order), measured("tea"))
    assert_type(offer, Offer)
    assert_type(size, int)
    assert_type(await run.all(*[measured("a"), measured("b")]), tuple[int, ...])

    review = await run.gate("review", draft=offer, data=Order)
    assert_type(review, Decision[Order])
    assert_type(review.data, Order | None)
    assert_type(await run.gate("plain"), Decision[None])
    anything: Decision[Any] = await run.gate("any", data=Any)
    return f"{anything.verdict} {size}"


async def is_refused(run: Run, runtime: Runtime, handle: Recipe) -> None:
    """For the checkers alone."""
    text: str = await run.step(len, "a")  # type: ignore[arg-type]  # pyright: ignore[reportAssignmentType]  # it gives an int
    await run.gate("g", kind="robot")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]  # there is no such kind
    (await run.gate("g")).data.item  # type: ignore[attr-defined]  # pyright: ignore[reportOptionalMemberAccess, reportUnusedExpression]  # noqa: B018 - it takes no data
    handle.step(text, len, retries=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # it is retry
    handle.use(hitl("g", expires_in="2h"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # in seconds only
    handle.configure(undo_on=("always",))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # there is no such end
    await handle.resume("token", "approve", by="a")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # it is decided_by
    assert_type(runtime.events("r"), AsyncIterator[Event])


def test_what_the_checkers_were_told_is_what_comes() -> None:
    """A recipe whose types were checked runs as they say."""
    world = World(typed)
    world.start("typed", {"item": "tea"})
    world.decide(gate="review", data={"item": "mint"})
    world.decide(gate="plain")

    assert world.decide(gate="any", data={"a": 1}).artefact["result"] == "approve 3"


async def test_a_handle_takes_its_input_by_the_name_of_it() -> None:
    """`run(input=...)`, as a runtime's."""
    outcome = await typed.run(input=Order(item="tea"), run_id="by-name")

    assert outcome.status == "paused"
