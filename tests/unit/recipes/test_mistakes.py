"""What authors get wrong when they define a recipe is told there, in words, not amid a run."""

from collections.abc import Callable
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, RootModel
from typing_extensions import TypedDict

from hitl_events import Recipe, Retry, Run, Runtime, hitl, recipe
from hitl_events.errors import InvalidInput, RecipeError
from hitl_events.recipes.book import Book


async def by_name(run: Run, *, order: Any) -> None:
    """Its input can not be given by position."""


async def by_names(run: Run, **order: Any) -> None:
    """Nor can this one's."""


async def body(run: Run, order: Any) -> None:
    """A body without its decorator."""


def _of(given: Any) -> Any:
    """What the checkers would refuse as well."""
    return given


def _step(**options: Any) -> Recipe:
    return Recipe("r", version="1").step("a", len, **options)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda: recipe("r", version="1")(_of(by_name)), r"\(run, input\).*\*, order"),
        (lambda: recipe("r", version="1")(_of(by_names)), r"\(run, input\).*\*\*order"),
        (lambda: Recipe("r", version=_of(1)), "expected a text as recipe version, found 1"),
        (lambda: Recipe(_of(None), version="1"), "expected a text as recipe name, found None"),
        (lambda: Recipe("r", version="1").use(_of(body)), r"hitl\(...\) as part, found <function"),
        (lambda: Recipe("r", version="1").configure(timeout_s=_of("2h")), "timedelta, found '2h'"),
        (lambda: hitl("g", expires_in=_of("2h")), "seconds or a timedelta, found '2h'"),
        (lambda: Retry(2, max_s=_of(None)), "seconds or a timedelta, found None"),
        (lambda: Retry(_of("3")), "expected a number as attempts, found '3'"),
        (lambda: Retry(on=_of(3)), "expected exception types to try again on, found 3"),
        (lambda: Retry(certain=_of(None)), "expected exception types to try again on, found None"),
        (lambda: Recipe("r", version="1").defaults(runtime=_of(3)), "as runtime, found 3"),
        (lambda: Recipe("r", version="1").configure(undo_on=_of(3)), "as undo_on, found the int 3"),
        (lambda: _step(after=3), "expected a list as after, found the int 3"),
        (lambda: _step(priority="high"), "a number as priority of 'a', found 'high'"),
        (lambda: _step(retry=3), "expected a Retry, .*found 3"),
        (lambda: _step(timeout_s="2h"), "seconds or a timedelta, found '2h'"),
        (lambda: _step(undo=3), "as undo, found 3"),
        (lambda: Recipe("r", version="1").step(_of(3), len), "expected a text as name, found 3"),
        (lambda: hitl(_of(3)), "expected a text as name, found 3"),
        (lambda: hitl("g", draft=_of({"a": 1})), "expected a function as draft"),
        (lambda: hitl("g", revise=_of(3)), "expected a function as revise, found 3"),
        (lambda: hitl("g", **_of({"drafts": 3})), r"gate options of .*found \['drafts'\]"),
        (lambda: hitl("g", verdicts=_of(3)), "expected a list as verdicts, found the int 3"),
        (lambda: hitl("g", proceed=_of(3)), "expected a list as proceed, found the int 3"),
        (lambda: hitl("g", verdicts="approve"), "expected a list as verdicts"),
        (lambda: hitl("g", proceed="approve"), "expected a list as proceed"),
        (lambda: Book([_of(body)]), "expected a handle, made by @recipe"),
    ],
)
def test_a_mistake_is_told_where_it_is_made(mistake: Callable[[], Any], said: str) -> None:
    """With what was found, and as an error of this library."""
    with pytest.raises(RecipeError, match=said):
        mistake()


class Colour(Enum):
    RED = "red"


class Numbers(RootModel[list[int]]):
    pass


class Tree(BaseModel):
    below: "list[Tree]" = []


class Named(TypedDict):
    name: str


@pytest.mark.parametrize(
    "data",
    [
        int,
        str,
        list[int],
        int | None,
        Colour,
        Literal["a", "b"],
        Numbers,
        Numbers | None,
        bool,
    ],
)
def test_data_that_is_no_object_is_refused(data: Any) -> None:
    """A decision brings an object: nobody could ever bring what such a gate asks for."""
    with pytest.raises(RecipeError, match="expected an object"):
        hitl("g", data=data)


@pytest.mark.parametrize("data", [Any, dict, dict[str, int], Tree, Tree | None, Named, int | Tree])
def test_data_that_may_be_an_object_is_taken(data: Any) -> None:
    """Of several kinds, one is enough; a type that refers to itself is no trouble."""
    assert hitl("g", data=data).options.data_schema is not None


async def test_a_misspelt_strictness_is_refused() -> None:
    """It would else count as the lesser one."""
    with pytest.raises(InvalidInput, match="'default' or 'strict', found 'stirct'"):
        async with Runtime.open(diagnostics=_of("stirct")):
            pass
