"""Text for people: harmless, cut to a width, times in plain words."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies

from hitl_services.text import (
    age,
    cells,
    cut,
    harmless,
    harmless_json,
    quoted,
    until,
    without_tokens,
    wrapped,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVIL = strategies.text(
    strategies.characters(codec="utf-8")
    | strategies.sampled_from("\x1b\x07\0\u202e\u2066\ufeff\n\x9b")
)


@given(EVIL)
def test_harmless_text_has_no_character_that_acts(text: str) -> None:
    """Whatever comes in, no control, format or line-separating character is left, but joiners."""
    left = {unicodedata.category(char) for char in harmless(text) if char not in "\u200c\u200d"}

    assert left.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


def test_harmless_json_leaves_nothing_unseen() -> None:
    """JSON itself escapes no delete (7F): beside ASCII and beside others it stands as an escape."""
    plain = json.dumps({"pay\x7f": "10\x7f0"}, indent=2)
    mixed = json.dumps(["é\x7f"], ensure_ascii=False)

    assert harmless_json(plain) == plain.replace("\x7f", "\\u007f")
    assert harmless_json(mixed) == '["é\\u007f"]'


@given(EVIL)
def test_harmless_json_means_the_same(text: str) -> None:
    """The escaped document reads back as what it was, and holds no character that acts."""
    shown = harmless_json(json.dumps([text], ensure_ascii=False))

    assert json.loads(shown) == [text]
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)


@given(EVIL, strategies.integers(2, 40))
def test_a_cut_text_fits_its_width(text: str, width: int) -> None:
    """No text, wide characters or not, takes more columns than it was given."""
    assert cells(cut(harmless(text), width)) <= width


@pytest.mark.parametrize(
    ("text", "width"), [("plain", 5), ("über", 4), ("日本", 4), ("e\u0301", 1), ("👩\u200d🔬", 4)]
)
def test_width_is_counted_in_columns(text: str, width: int) -> None:
    """Wide characters take two columns, combining ones none."""
    assert cells(text) == width


@given(strategies.text("ab ", max_size=80))
def test_wrapping_loses_no_word(text: str) -> None:
    """The wrapped lines hold every word in its order."""
    lines = wrapped(text, 10)

    assert " ".join(lines).split() == text.split()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0s"), (59, "59s"), (60, "1m"), (3_599, "59m"), (7_200, "2h"), (86_400 * 9, "9d")],
)
def test_an_age_is_told_in_its_largest_unit(seconds: int, said: str) -> None:
    """A length of time is one number and one unit; a clock that went back gives 0."""
    assert age(timedelta(seconds=seconds)) == said


def test_a_deadline_is_told_as_what_is_left() -> None:
    """How long is left, `over` when nothing is, `-` where there is no end."""
    assert until(None, NOW) == "-"
    assert until(NOW + timedelta(hours=3), NOW) == "3h"
    assert until(NOW - timedelta(hours=3), NOW) == "over"


def test_tokens_are_cut_out_of_messages() -> None:
    """Whatever may be a token is no part of an error, also inside a quotation."""
    token = "hitl_" + "aB3-_" * 12

    assert without_tokens(f"found {token}!") == "found hitl_...!"
    assert token not in quoted(token)
