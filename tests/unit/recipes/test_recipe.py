from typing import Any

import pytest

from hitl_events import Recipe, Retry, Run, hitl, recipe
from hitl_events.errors import RecipeError
from hitl_events.recipes.book import Book
from tests.unit.world import World


def step(so_far: Any = None) -> Any:
    return None


def test_a_function_becomes_a_handle() -> None:
    """`@recipe` gives a handle with the function's name, version and text."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        """What it does."""

    assert (body.name, body.version, body.__doc__) == ("r", "1", "What it does.")
    assert repr(body) == "Recipe('r', version='1')"


def test_a_recipe_is_a_coroutine_function_of_two() -> None:
    """Anything but `async def body(run, input)` is refused when it is written."""

    def plain(run: Run, input: Any) -> Any: ...

    async def one(run: Run) -> Any: ...

    async def three(run: Run, input: Any, more: Any) -> Any: ...

    for wrong in (plain, one, three):
        with pytest.raises(RecipeError, match="'r'"):
            recipe("r", version="1")(wrong)  # type: ignore[arg-type]  # on purpose: what users write


@pytest.mark.parametrize(
    ("name", "version"),
    [("", "1"), ("r", ""), ("x" * 201, "1"), ("r", "1" * 65), ("\ud800", "1"), ("r", "\udfff")],
)
def test_name_and_version_have_bounds(name: str, version: str) -> None:
    """A recipe that no command could name is refused when it is made."""
    with pytest.raises(RecipeError, match="expected a recipe"):
        Recipe(name, version=version)


def test_configure_refuses_what_it_does_not_know() -> None:
    """`undo_on` names ends; a text alone is a mistake."""
    strange: list[Any] = [("sometimes",), "failed"]
    for wrong in strange:
        with pytest.raises(RecipeError, match="undo_on"):
            Recipe("r", version="1").configure(undo_on=wrong)


def test_a_type_that_no_input_can_have_is_told_with_its_recipe() -> None:
    """Of a module of many recipes one has to be found."""

    class Socket:
        pass

    with pytest.raises(RecipeError, match=r"input of recipe 'r': expected JSON types.*Socket"):
        Book([Recipe("r", version="1").step("a", print).configure(input=Socket)])


def test_configure_adds_up() -> None:
    """What a later call leaves out stays as an earlier one set it."""
    retry = Retry(attempts=2)
    handle = Recipe("r", version="1").configure(retry=retry).configure(timeout_s=5)

    assert handle.step_defaults.retry is retry
    assert handle.step_defaults.timeout_s == 5


def test_a_function_takes_no_nodes() -> None:
    """`.step` is for builders."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any: ...

    with pytest.raises(RecipeError, match="function recipe"):
        body.step("a", step)


def test_proceed_names_verdicts_of_the_gate() -> None:
    """A gate that could never let anything through is refused when it is written."""
    with pytest.raises(RecipeError, match="proceed"):
        hitl("g", proceed=("yes",))
    assert hitl("g", proceed=("late",), expires_in=1, on_expiry="late").proceed == ("late",)


def test_building_twice_is_fine() -> None:
    """`build` gives the handle itself, however often it is called."""
    handle = Recipe("r", version="1").step("a", step)

    assert handle.build() is handle.build() is handle


def test_an_input_that_does_not_fit_starts_nothing() -> None:
    """Input that the recipe's type refuses is invalid_command; no run begins."""

    @recipe("r", version="1")
    async def body(run: Run, input: int) -> Any:
        return input

    world = World(body)
    answer = world.ask(world.starting("r", "x"))

    assert answer.reason == "invalid_command"
    assert world.log == {}
    assert world.start("r", 5).artefact["result"] == 5


def test_an_input_type_that_can_not_be_is_told_when_it_is_registered() -> None:
    """A recipe whose input is no JSON type, dataclass or model can not be registered."""

    class Socket:
        pass

    @recipe("r", version="1")
    async def body(run: Run, input: Socket) -> Any: ...

    with pytest.raises(RecipeError, match="Socket"):
        World(body)


def test_a_gate_for_any_data_takes_all_of_it() -> None:
    """`data=Any` is no gate without data: that one refuses what it can not check."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return (await run.gate("g", data=Any)).data

    world = World(body)
    world.start("r")

    assert world.decide(data={"x": [1]}).artefact["result"] == {"x": [1]}
