import json
import tracemalloc
from typing import Any

import pytest

from hitl_events.domain.canonical import DEPTH_MAX, INTEGER_MAX, dumps, loads
from hitl_events.errors import NotSerialisable


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        (1.0, "1"),
        (0.1, "0.1"),
        (1e21, "1e+21"),
        (-0.0, "0"),
        ("é\n\u2028", '"é\\n\u2028"'),
        ({"\U00010000": 1, "\uffff": 2}, '{"\U00010000":1,"\uffff":2}'),
        ({"k": {"\U00010000": 1, "\ue000": 2.5}}, '{"k":{"\U00010000":1,"\ue000":2.5}}'),
        ((1, 2), "[1,2]"),
        ([INTEGER_MAX, -INTEGER_MAX], "[9007199254740991,-9007199254740991]"),
        ([{"b": 1, "a": 2.5}, {"é": None, "a": 1}], '[{"a":2.5,"b":1},{"a":1,"é":null}]'),
    ],
)
def test_there_is_one_spelling(value: Any, text: str) -> None:
    """Values are spelt as RFC 8785 has it: sorted by UTF-16 units, shortest numbers, no spaces."""
    assert dumps(value).decode() == text
    assert loads(dumps(value)) == json.loads(text)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (float("nan"), "$"),
        ({"a": [1, float("inf")]}, "$.a[1]"),
        ({"a": {"b": INTEGER_MAX + 1}}, "$.a.b"),
        ([-INTEGER_MAX - 1], "$[0]"),
        ({"a": b"x"}, "$.a"),
        ({"a": {1, 2}}, "$.a"),
        ([{"k": object()}], "$[0].k"),
    ],
)
def test_what_is_no_json_names_its_place(value: Any, path: str) -> None:
    """A value that can not be recorded is refused with the path to it."""
    with pytest.raises(NotSerialisable) as caught:
        dumps(value)

    assert caught.value.path == path


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, {"a": ["x\ud800", 1.5]}])
def test_lone_surrogates_are_refused(value: Any) -> None:
    """Text that is no Unicode is no JSON, in keys and values, also beside numbers."""
    with pytest.raises(NotSerialisable, match="surrogate"):
        dumps(value)


def test_keys_are_text() -> None:
    """A number as a key would come back as text, so it is refused."""
    with pytest.raises(NotSerialisable, match="key 1"):
        dumps({1: "x"})


def test_nesting_is_bounded() -> None:
    """A value at the bound is recorded, one deeper or a cycle is refused."""
    cycle: list[Any] = []
    cycle.append(cycle)

    assert loads(dumps(_nested(DEPTH_MAX))) == _nested(DEPTH_MAX)
    for value in (_nested(DEPTH_MAX + 1), cycle):
        with pytest.raises(NotSerialisable, match="deeper"):
            dumps(value)


def test_what_stands_around_a_value_may_be_allowed_for() -> None:
    """A record or an outcome around user data at the bound is no reason to refuse it."""
    at_the_bound = {"data": [_nested(DEPTH_MAX)]}

    assert loads(dumps(at_the_bound, around=2)) == at_the_bound
    with pytest.raises(NotSerialisable, match=f"deeper than {DEPTH_MAX}"):
        dumps(at_the_bound, around=1)


def test_subclasses_of_json_types_are_not_guessed() -> None:
    """A str or int of another class may mean more than its value; it is refused here."""

    class Text(str):
        __slots__ = ()

    class Number(int):
        __slots__ = ()

    for value in (Text("x"), Number(1), {"a": Text("x")}):
        with pytest.raises(NotSerialisable):
            dumps(value)


def test_what_is_kept_is_as_large_as_it_looks() -> None:
    """Bytes that are held, as those of each run in memory, hold no room that they do not fill."""
    value = {"text": "x" * 180}
    tracemalloc.start()
    try:
        kept = [dumps(value) for _ in range(100)]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held / len(kept) < 2 * len(kept[0])
