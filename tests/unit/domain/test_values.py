from dataclasses import MISSING, fields
from typing import Any

import pytest

from hitl_events.domain.events import Event
from hitl_events.domain.values import EPOCH, RUN_ID, is_unicode, iso, maker, micros, moment
from hitl_events.ports import EffectBatch
from tests.unit.domain.every_event import main_line


@pytest.mark.parametrize("text", ["", "plain", "é", "\U0001f600", "\x00"])
def test_text_that_a_record_can_hold(text: str) -> None:
    """Everything but a lone surrogate is Unicode."""
    assert is_unicode(text)
    assert not is_unicode(f"{text}\udcff")


def test_times_go_to_microseconds_and_back() -> None:
    """A time in a record is the number of microseconds since 1970, without loss."""
    assert micros(EPOCH) == 0
    assert moment(1_767_225_600_000_001).isoformat() == "2026-01-01T00:00:00.000001+00:00"
    assert micros(moment(1_767_225_600_000_001)) == 1_767_225_600_000_001
    assert iso(moment(1)) == "1970-01-01T00:00:00.000001Z"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("a", 1),
        ("A0_.~-", 1),
        ("x" * 64, 1),
        ("x" * 65, 0),
        ("", 0),
        ("a b", 0),
        ("é", 0),
        ("a/b", 0),
    ],
)
def test_a_run_id_is_short_and_plain(text: str, fits: int) -> None:
    """1 to 64 of letters, digits and `_ . ~ -`."""
    assert bool(RUN_ID.fullmatch(text)) == bool(fits)


@pytest.mark.parametrize("event", main_line(), ids=lambda event: type(event).__name__)
def test_a_maker_makes_what_the_class_makes(event: Event) -> None:
    """The same arguments give an equal value, defaults and all."""
    cls: Any = type(event)
    given = {field.name: getattr(event, field.name) for field in fields(event)}
    needed = {field.name: given[field.name] for field in fields(event) if field.default is MISSING}

    assert maker(cls)(**given) == cls(**given) == event
    assert maker(cls)(**needed) == cls(**needed)


def test_a_maker_gives_each_value_containers_of_its_own() -> None:
    """What a field's factory makes is shared by no two values."""
    make = maker(EffectBatch)

    assert make() == EffectBatch()
    assert make().events is not make().events
    assert make(events=[]) == make()
