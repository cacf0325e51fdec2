from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from hitl_events import Decision, Run, recipe
from tests.unit.world import World


class Item(BaseModel):
    name: str
    price: float = 1.0


class Gift(Item):
    ribbon: str = "gold"


@dataclass
class Point:
    x: int
    y: float


KEPT: list[Any] = []


def same(value: Any) -> Any:
    return value


def kept() -> list[int]:
    """Returns a list that it keeps."""
    KEPT.append([1])
    found: list[int] = KEPT[-1]
    return found


def spoil(value: dict[str, Any]) -> str:
    """Changes its argument."""
    value["spoilt"] = True
    return "done"


def gift() -> Item:
    return Gift(name="a")


def point(at: Point) -> Point:
    return Point(x=at.x + 1, y=float(at.y))


def test_the_recipe_sees_what_was_recorded() -> None:
    """A result is rebuilt from its annotation: of a subclass all is recorded, and not seen."""
    seen: list[Any] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        seen.append(await run.step(gift))
        await run.gate("g")

    world = World(body)
    world.start("r")
    world.restart()
    world.replayed()

    assert [type(value) for value in seen] == [Item, Item]
    assert world.outcome().artefact["steps"]["gift"] == {"name": "a", "price": 1, "ribbon": "gold"}


def test_a_returned_object_does_not_leak() -> None:
    """What a step keeps of its result is not what the recipe gets."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        first = await run.step(kept)
        KEPT[-1].append("later")
        first.append(-1)
        return [first, await run.step(same, first)]

    world = World(body)

    assert world.start("r").artefact["result"] == [[1, -1], [1, -1]]
    assert world.outcome().artefact["steps"]["kept"] == [1]


def test_step_arguments_are_copies() -> None:
    """A step that changes its argument changes its own copy."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        value = {"a": 1}
        await run.step(spoil, value)
        return value

    assert World(body).start("r").artefact["result"] == {"a": 1}


def test_arguments_are_taken_when_the_step_is_called() -> None:
    """A change between the call and the await comes too late."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        value = {"a": 1}
        call = run.step(same, value)
        value["a"] = 2
        gate = run.gate("g", draft=value)
        value["a"] = 3
        return [await call, (await gate).verdict]

    world = World(body)
    world.start("r")

    assert world.outcome().artefact["gates"]["g"]["draft"] == {"a": 2}
    assert world.decide().artefact["result"] == [{"a": 1}, "approve"]


def test_the_input_is_rebuilt() -> None:
    """The input is what its annotation says, and the artefact shows it as it was sent."""

    @recipe("r", version="1")
    async def body(run: Run, input: Item) -> Any:
        return type(input).__name__, input.price

    outcome = World(body).start("r", {"name": "a"})

    assert outcome.artefact["result"] == ["Item", 1]
    assert outcome.artefact["input"] == {"name": "a"}


def test_dataclasses_and_floats_keep_their_kind() -> None:
    """A whole float in a dataclass is a float again, live as on replay."""
    seen: list[Any] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Point) -> Any:
        at = input
        for _ in range(2):
            at = await run.step(point, at)
            seen.append((type(at), type(at.y)))
        await run.gate("g")

    world = World(body)
    world.start("r", {"x": 1, "y": 2})
    world.replayed()

    assert seen == [(Point, float)] * 4


def test_decision_data_is_rebuilt() -> None:
    """A gate's data is its model, live as on replay; left out it is None."""
    seen: list[Any] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        seen.append((await run.gate("g", data=Item)).data)
        seen.append((await run.gate("h", data=Item)).data)

    world = World(body)
    world.start("r")
    world.decide(data={"name": "a"})
    world.decide()
    world.replayed()

    assert seen == [Item(name="a"), None] * 2


def test_a_decision_carries_what_was_recorded() -> None:
    """Verdict, notes, who, id and the time of the event come to the recipe."""
    seen: list[Any] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        made = await run.gate("g")
        seen.append((made.verdict, made.notes, made.decided_by, made.decision_id, made.resolution))
        seen.append(made.decided_at)

    world = World(body)
    world.start("r")
    world.decide("deny", notes="n", decided_by="ann", decision_id="x")

    assert seen == [("deny", "n", "ann", "x", "deny"), world.events()[2].recorded_at]


def test_a_decision_is_a_value_like_any_other() -> None:
    """It may be given to a step, shown in a draft and returned; typed, it is a decision again."""
    seen: list[Decision[Point]] = []

    def typed(made: Decision[Point]) -> Decision[Point]:
        seen.append(made)
        return made

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        made = await run.gate("g", data=Point)
        assert await run.step(typed, made) == made
        plain = await run.step(same, made)
        await run.gate("h", draft={"before": made, "plain": plain})
        return made

    world = World(body)
    world.start("r")
    world.decide("approve", notes="n", decision_id="x", data={"x": 1, "y": 2})
    world.restart()
    result = world.decide("deny").artefact["result"]

    assert [made.data for made in seen] == [Point(x=1, y=2.0)]
    assert (result["verdict"], result["notes"], result["decision_id"]) == ("approve", "n", "x")
    assert result["data"] == {"x": 1, "y": 2}
    assert result == {**result, "resolution": "approve", "decided_by": None}


def test_an_output_that_is_no_json_names_the_path() -> None:
    """Such a step fails with output.not_serialisable; the recipe can catch it as a StepError."""

    def broken() -> Any:
        return {"a": [object()]}

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(broken)

    outcome = World(body).start("r")

    (said,) = outcome.diagnostics
    assert (outcome.status, said.code) == ("error", "output.not_serialisable")
    assert "$.a[0]" in said.message


def test_a_draft_that_is_no_json_is_an_error_and_no_pause() -> None:
    """A gate that could not be shown is never opened."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.gate("g", draft={"a": b"raw"})

    world = World(body)
    outcome = world.start("r")

    assert [one.code for one in outcome.diagnostics] == ["output.not_serialisable"]
    assert "$.a" in outcome.diagnostics[0].message
    assert world.story() == ["RunStarted", "RunFailed output.not_serialisable"]


def test_a_result_and_an_argument_must_be_json_too() -> None:
    """What a recipe returns, or gives to a step, is recorded or refused with its path."""

    @recipe("result", version="1")
    async def result(run: Run, input: Any) -> Any:
        return [object()]

    @recipe("argument", version="1")
    async def argument(run: Run, input: Any) -> Any:
        await run.step(same, [1, object()])

    world = World(result, argument)

    for name, path in (("result", "$[0]"), ("argument", "$.args[0][1]")):
        (said,) = world.start(name, run_id=name).diagnostics
        assert said.code == "output.not_serialisable"
        assert path in said.message


def test_an_output_must_fit_its_type() -> None:
    """A step that breaks its own annotation fails: nothing is recorded that does not load."""

    def broken() -> Item:
        return "no item"  # type: ignore[return-value]  # on purpose: a defect of the user's

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(broken)

    world = World(body)
    outcome = world.start("r")

    assert [one.code for one in outcome.diagnostics] == ["step.failed"]
    assert world.story() == ["RunStarted", "StepFailed broken", "RunFailed step.failed"]
