"""Models whose fields say themselves how they are written, or under which name they come in."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    PlainSerializer,
    PlainValidator,
)

from hitl_events import Decision
from hitl_events.recipes import plain, values


class Opaque:
    """Nothing that pydantic could write by itself."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def _opaque(given: Any) -> Opaque:
    return given if isinstance(given, Opaque) else Opaque(given)


def _text(held: Opaque) -> str:
    return held.text


Written = Annotated[Opaque, PlainSerializer(_text), PlainValidator(_opaque)]


class Parcel(BaseModel, arbitrary_types_allowed=True):
    """Fields with serializers of their own, alone and in containers."""

    one: Written
    many: list[Written] = []
    named: dict[str, Written] = {}
    rare: frozenset[Written] = frozenset()


class Encoded(BaseModel):
    """What is held is not what was written."""

    raw: Base64Bytes
    inside: Json[list[int]]


class Heavy(Parcel):
    """A subclass, held where the base is asked for."""

    weight: int = 3


class Van(BaseModel):
    """Holds such models."""

    parcels: list[Parcel]


@dataclass
class Label:
    """A dataclass whose field is written by a serializer."""

    __pydantic_config__ = ConfigDict(arbitrary_types_allowed=True)

    text: Written


@pytest.mark.parametrize(
    "value",
    [
        Parcel(one=Opaque("a"), many=[Opaque("b")], named={"c": Opaque("d")}),
        Encoded(raw=b"/wA=", inside="[1, 2]"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # as it is written
        Van(parcels=[Parcel(one=Opaque("a"))]),
        Label(Opaque("a")),
    ],
)
def test_a_field_is_written_as_it_says(value: Any) -> None:
    """A type of the user's, or an encoding, is recorded by its serializer and comes back."""
    assert values.load(values.dump(value), type(value)) == value


def test_a_decision_with_such_data_may_be_an_argument() -> None:
    """It holds its data as anything, which is recorded as without it."""
    parcel = Parcel(one=Opaque("a"))
    made: Decision[Any] = Decision(
        verdict="approve",
        notes=None,
        data=parcel,
        decided_by=None,
        decision_id="d",
        decided_at=datetime(2026, 1, 1, tzinfo=UTC),
        resolution="approve",
    )

    assert values.load(values.dump(made), Decision[Parcel]) == made


def test_subclasses_are_whole_beside_such_fields() -> None:
    """Nothing that a subclass adds is left out."""
    assert b'"weight":3' in values.dump(Van(parcels=[Heavy(one=Opaque("a"))]))


def test_a_set_of_such_has_one_order() -> None:
    """As any set has: its own order is of its process alone."""
    first = Parcel(one=Opaque("x"), rare=frozenset(map(Opaque, "cab")))
    second = Parcel(one=Opaque("x"), rare=frozenset(map(Opaque, "bca")))

    assert values.dump(first) == values.dump(second)
    assert b'"rare":["a","b","c"]' in values.dump(first)


class Notes(BaseModel):
    """Comes in under names that differ from those it goes out with."""

    score: int = Field(0, validation_alias="points", serialization_alias="result")
    title: str = Field("", alias="heading")
    heading: str = Field("", validation_alias=AliasChoices(AliasPath("a", "b"), "top"))


def test_decision_data_bears_the_names_that_the_gate_asks_for() -> None:
    """Not those for its output: what the reviewer said would have been taken for left out."""
    notes = Notes(points=7, heading="t", top="h")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # both come in so

    packed = values.dump([notes], by_alias=True)

    assert packed == b'[{"heading":"t","points":7,"top":"h"}]'
    assert values.load(packed, list[Notes]) == [notes]


class Colour(StrEnum):
    """Texts with names."""

    RED = "red"


def test_an_enum_of_texts_may_be_a_key() -> None:
    """It is a text, as a key and as a value."""
    assert plain.to_plain({Colour.RED: Colour.RED}, "$", 0) == {"red": "red"}
    assert values.load(values.dump({Colour.RED: 1}), dict[Colour, int]) == {Colour.RED: 1}
