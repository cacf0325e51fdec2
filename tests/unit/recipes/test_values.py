from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, SecretStr

from hitl_events.errors import InvalidInput, NotSerialisable, RecipeError
from hitl_events.recipes import values


class Colour(StrEnum):
    RED = "red"


class Size(Enum):
    BIG = 3


class Item(BaseModel):
    name: str
    price: float = 1.0


class Gift(Item):
    ribbon: str = "gold"


class Order(BaseModel):
    items: list[Item]
    colour: Colour = Colour.RED


class Names(RootModel[list[str]]):
    pass


class Aliased(BaseModel):
    long_name: str = Field(alias="longName")


@dataclass
class Point:
    x: int
    y: float = 0.0
    tags: list[str] = field(default_factory=list[str])


@dataclass
class Line:
    start: Point
    end: Point


class Many(BaseModel):
    at: datetime
    day: date
    amount: Decimal
    key: UUID
    raw: bytes = b"ab"


MANY = Many(
    at=datetime(2026, 1, 1, tzinfo=UTC),
    day=date(2026, 1, 2),
    amount=Decimal("1.10"),
    key=UUID(int=7),
)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (Item(name="a"), Item),
        (Order(items=[Item(name="a", price=2)]), Order),
        (Names(["a", "b"]), Names),
        (Aliased(longName="x"), Aliased),
        (MANY, Many),
        (Point(x=1, tags=["t"]), Point),
        (Line(start=Point(x=1), end=Point(x=2, y=0.5)), Line),
        ([Item(name="a")], list[Item]),
        ({"k": Point(x=1)}, dict[str, Point]),
        (Item(name="a"), Item | Point | None),
        (None, Item | None),
        (Colour.RED, Colour),
        (Size.BIG, Size),
        ((1, "a"), tuple[int, str]),
        ("a", Literal["a", "b"]),
        (5, Annotated[int, Field(ge=5)]),
        ({"any": [1, None, "x"]}, Any),
        ({"any": [1]}, dict[str, Any]),
        (None, None),
    ],
)
def test_what_goes_in_comes_out(value: Any, annotation: Any) -> None:
    """A value of its annotation is the same after it was recorded and rebuilt."""
    assert values.load(values.dump(value), annotation) == value


def test_a_float_is_a_float_again_where_one_is_asked_for() -> None:
    """1.0 is recorded as 1: rebuilt it is a float by its annotation, else the number of JSON."""
    assert values.dump(1.0) == b"1"
    assert type(values.load(b"1", float)) is float
    assert type(values.load(b"1", Any)) is int
    assert type(values.load(b'{"name":"a","price":1}', Item).price) is float


def test_models_are_dumped_whole() -> None:
    """The fields of a subclass are recorded too, also deep inside a model of the base class."""
    order = Order(items=[Gift(name="a", ribbon="red")])

    assert b'"ribbon":"red"' in values.dump(order)
    assert b'"ribbon":"red"' in values.dump({"list": [Gift(name="a", ribbon="red")]})
    assert b'"price":1' in values.dump(Item(name="defaults are recorded"))


def test_a_model_is_recorded_under_its_field_names() -> None:
    """An alias is for the outside: both names are read, one is recorded."""
    assert values.dump(Aliased(longName="x")) == b'{"long_name":"x"}'
    assert values.load(b'{"longName":"x"}', Aliased) == Aliased(longName="x")


def test_a_loaded_value_is_nobody_elses() -> None:
    """Each load gives a value of its own."""
    packed = values.dump({"a": [1]})
    first = values.load(packed, Any)
    first["a"].append(2)

    assert values.load(packed, Any) == {"a": [1]}


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [1, object()]}, "$.a[1]"),
        ({"a": {"b": b"x"}}, "$.a.b"),
        ([Point(x=1), {"p": lambda: 1}], "$[1].p"),
        ({"when": datetime(2026, 1, 1, tzinfo=UTC)}, "$.when"),
        (Item(name="a", price=float("nan")), "$.price"),
        ({"o": Order(items=[Item(name="a", price=float("inf"))])}, "$.o.items[0].price"),
        ({1: 2}, "$"),
        (Item, "$"),
    ],
)
def test_what_can_not_be_recorded_names_its_path(value: Any, path: str) -> None:
    """A value that is no JSON is refused with the place of what is none."""
    with pytest.raises(NotSerialisable) as caught:
        values.dump(value)

    assert caught.value.path == path


def test_a_cycle_is_refused() -> None:
    """A value that contains itself is refused, in lists, objects and dataclasses."""
    cycle: dict[str, Any] = {}
    cycle["self"] = [cycle]
    point = Point(x=1)
    point.tags = [point]  # type: ignore[list-item]  # on purpose: what users' code may do

    for value in (cycle, point):
        with pytest.raises(NotSerialisable):
            values.dump(value)


@pytest.mark.parametrize(
    ("data", "annotation"),
    [(b'{"name":1}', Item), (b'"blue"', Colour), (b"null", Item), (b"[1]", dict[str, int])],
)
def test_bytes_that_do_not_fit_are_refused(data: bytes, annotation: Any) -> None:
    """Recorded bytes that are not what the code expects are an error without the value in it."""
    with pytest.raises(InvalidInput) as caught:
        values.load(data, annotation)

    assert "expected" in str(caught.value)
    assert "blue" not in str(caught.value)


def test_a_type_that_can_not_be_rebuilt_is_a_mistake_in_the_recipe() -> None:
    """An annotation that is no JSON type, dataclass or model is named."""

    class Socket:
        pass

    with pytest.raises(RecipeError, match="Socket"):
        values.json_schema(Socket)
    with pytest.raises(RecipeError, match="Socket"):
        values.load(b"1", Socket)


def test_a_result_that_can_not_be_rebuilt_is_told_before_the_step_does_anything() -> None:
    """A payment is not made by a function of which nothing could be recorded."""

    class Socket:
        pass

    def pay() -> Socket:
        raise AssertionError("never called")

    with pytest.raises(RecipeError, match="Socket"):
        values.arguments(pay, values.dump({"args": [], "kwargs": {}}))


def test_arguments_are_rebuilt_from_annotations() -> None:
    """A step gets models where it asks for models, by position, by name and in `*` and `**`."""

    def step(
        item: Item, plain: Any, *more: Item, point: Point, untyped: Any = None, **rest: Item
    ) -> None: ...

    item, point = Item(name="a"), Point(x=1)
    packed = values.dump(
        {
            "args": [item, {"x": 1}, item, item],
            "kwargs": {"point": point, "untyped": {"x": 1}, "left": item},
        }
    )

    args, kwargs = values.arguments(step, packed)

    assert args == [item, {"x": 1}, item, item]
    assert kwargs == {"point": point, "untyped": {"x": 1}, "left": item}


def test_arguments_that_do_not_fit_are_refused() -> None:
    """A recorded argument that a changed step can not take is an error."""

    def step(item: Item) -> None: ...

    with pytest.raises(InvalidInput):
        values.arguments(step, b'{"args":[1],"kwargs":{}}')


def test_a_strict_model_is_an_argument_as_it_is_a_result() -> None:
    """Arguments are rebuilt from JSON like results, so that a strict model finds its datetime."""

    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        at: datetime

    def step(at: Strict) -> None: ...

    given = Strict(at=datetime(2026, 1, 1, tzinfo=UTC))

    assert values.arguments(step, values.dump({"args": [given], "kwargs": {}})) == ([given], {})
    assert values.load(values.dump(given), Strict) == given


def test_a_secret_is_not_recorded_masked() -> None:
    """A model that hides a field from its dump is refused, and the message does not tell it."""

    class Login(BaseModel):
        password: SecretStr

    with pytest.raises(NotSerialisable) as caught:
        values.dump([Login(password=SecretStr("s3cret"))])

    assert caught.value.path == "$[0].password"
    assert "s3cret" not in str(caught.value)


@dataclass(frozen=True)
class Tag:
    name: str
    weight: float | None = None


class Tags(RootModel[frozenset[int]]):
    pass


@dataclass
class Labelled:
    found: set[int]
    nested: Any = None
    kept: list[int] = field(default_factory=list[int])


class Renamed(BaseModel):
    first: list[int] = Field(default=[9, 8], serialization_alias="second")
    second: set[int] = Field(serialization_alias="first")


class RenamedLists(BaseModel):
    first: set[int] = Field(validation_alias="third")
    second: list[int] = Field(validation_alias="first")


SOME: set[int] = set((8, 0, 16))  # noqa: C405 - equal literals would be one constant
SAME: set[int] = set((0, 16, 8))  # noqa: C405 - see above
"""Equal sets; in each the order of its insertion shows."""


@pytest.mark.parametrize("by_alias", [False, True])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Labelled(SOME), Labelled(SAME)),
        (Labelled(set(), {"deep": [Labelled(SOME)]}), Labelled(set(), {"deep": [Labelled(SAME)]})),
        (Labelled(set(), (SOME, 1)), Labelled(set(), (SAME, 1))),
        (Tags(frozenset(SOME)), Tags(frozenset(SAME))),
        (Renamed(second=SOME), Renamed(second=SAME)),
        (
            Labelled(set(), {frozenset(SOME), frozenset({5})}),
            Labelled(set(), {frozenset({5}), frozenset(SAME)}),
        ),
    ],
)
def test_equal_sets_are_recorded_alike(one: Any, other: Any, by_alias: bool) -> None:
    """What a model holds in a set has one spelling, whatever order the set has in its process."""
    assert list(SOME) != list(SAME)
    assert values.dump(one, by_alias=by_alias) == values.dump(other, by_alias=by_alias)


def test_lists_beside_a_set_keep_their_order() -> None:
    """Only what is held in a set is put in order, also where fields bear each other's names."""
    plain = values.dump(Labelled({2, 1}, kept=[3, 2, 1], nested=(2, 1)))

    assert plain == b'{"found":[1,2],"kept":[3,2,1],"nested":[2,1]}'
    assert values.dump(Renamed(second={8, 0})) == b'{"first":[9,8],"second":[0,8]}'
    held = RenamedLists.model_validate({"third": [2, 1], "first": [2, 1]})
    assert values.dump(held, by_alias=True) == b'{"first":[2,1],"third":[1,2]}'


def test_models_in_a_set_are_recorded() -> None:
    """Also beside a null, which has to be told from a number that JSON has not."""
    held = Labelled(set(), {Tag(name="b"), Tag(name="a")})

    assert b'"nested":[{"name":"a","weight":null},{"name":"b"' in values.dump(held)
    with pytest.raises(NotSerialisable) as caught:
        values.dump(Labelled(set(), {Tag(name="b", weight=float("nan"))}))
    assert caught.value.path == "$.nested[0].weight"


def test_a_partial_has_the_types_of_its_function() -> None:
    """Arguments and the result of a partially applied step are rebuilt as without it."""

    def step(first: Point, item: Item, *, times: int = 1) -> Line:
        return Line(start=first, end=first)

    bound = partial(partial(step, Point(x=1)), times=2)

    assert values.arguments(bound, values.dump({"args": [{"name": "a"}], "kwargs": {}}))[0] == [
        Item(name="a")
    ]
    assert values.return_type(bound) is Line


def test_annotations_that_can_not_be_resolved_count_as_none() -> None:
    """A name that exists for the type checker only leaves the JSON value as it is."""

    def step(item: Any) -> Any: ...

    step.__annotations__ = {"item": "Missing", "return": "Missing"}

    assert values.arguments(step, b'{"args":[{"a":1}],"kwargs":{}}') == ([{"a": 1}], {})
    assert values.return_type(step) is Any


def test_the_schema_of_a_type_is_canonical() -> None:
    """The same model gives the same bytes; what takes anything has no schema."""
    schema = values.json_schema(Order)

    assert schema == values.json_schema(Order)
    assert schema is not None
    assert b'"required":["items"]' in schema
    assert values.json_schema(Any) is None


def test_plain_json_types_see_the_value_that_was_recorded() -> None:
    """`dict`, `list` and `str` ask for no more than the JSON value, down to its large floats."""
    recorded = values.dump({"big": 1e16, "text": "t"})

    for annotation in (dict, dict[str, Any], Any):
        assert values.load(recorded, annotation) == {"big": 1e16, "text": "t"}
        assert values.dump(values.load(recorded, annotation)) == recorded
    with pytest.raises(InvalidInput):
        values.check(recorded, list[Any])


def test_an_annotation_that_can_not_be_hashed_is_an_annotation() -> None:
    """Metadata of `Annotated` may be anything."""
    assert values.load(b"1", Annotated[int, ["metadata"]]) == 1
