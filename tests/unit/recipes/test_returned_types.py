"""Types of outputs: told before a step runs where a record would not give the output back."""

from dataclasses import InitVar, dataclass
from enum import Enum, IntFlag
from typing import Annotated, Any

import pytest
from pydantic import BeforeValidator

from hitl_events.errors import RecipeError
from hitl_events.recipes import values


def _asked(returned: Any) -> Any:
    """What a step gets that is annotated so."""

    def step() -> Any: ...

    step.__annotations__["return"] = returned
    return values.arguments(step, values.dump_arguments((), {}))


class Corner(Enum):
    TOP = (0, 1)


@dataclass
class Moved:
    x: int
    by: InitVar[int]


@dataclass
class Held:
    at: list[Corner]


@pytest.mark.parametrize("returned", [Corner, Moved, Held, Corner | None])
def test_a_type_whose_values_are_lost_in_the_record_is_refused(returned: Any) -> None:
    """A tuple comes back as a list, and what only the constructor gets not at all."""
    with pytest.raises(RecipeError, match=r"read back from its record, found .* with "):
        _asked(returned)


class Side(Enum):
    LEFT = "left"
    HALF = 0.5
    ONE = 1.0
    NONE = None


class Bits(IntFlag):
    A = 1
    B = 2


@dataclass
class Scaled:
    x: int
    by: InitVar[int] = 2


@dataclass
class Read:
    at: Annotated[Corner, BeforeValidator(lambda held: Corner(tuple(held)))]


@pytest.mark.parametrize("output", [*Side, Bits.A, Scaled(1), Read(Corner.TOP)], ids=repr)
def test_a_type_whose_values_come_back_is_taken(output: Any) -> None:
    """Also where a validator of its own sees to that."""
    kind: Any = output.__class__

    assert _asked(kind) == ([], {})
    assert values.load(values.dump(output), kind) == output
