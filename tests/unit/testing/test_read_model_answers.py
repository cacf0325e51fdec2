"""The promises about answers can be broken: a read model that answers wrongly is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.testing.checks.promise import BrokenPromise
from hitl_events.testing.checks.read_model_answers import answers_are_those_of_the_events
from tests.contract.places import place_at


def _less(question: str) -> Callable[..., Any]:
    answer = getattr(Questions, question)

    def asked(*given: object, **named: object) -> Any:
        found: Any = answer(*given, **named)
        if question == "counters":
            found.popitem()
            return found
        return found[:-1]

    return asked


@pytest.mark.parametrize("question", ["open_pauses", "runs", "counters"])
def test_an_answer_that_lacks_something_breaks_the_promise(
    question: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One gate, run or counter less than the events give."""
    with place_at(f"sqlite:///{tmp_path / 'whole.db'}") as place:
        answers_are_those_of_the_events(place)
    monkeypatch.setattr(Questions, question, _less(question))
    with (
        place_at(f"sqlite:///{tmp_path / 'less.db'}") as place,
        pytest.raises((BrokenPromise, AssertionError)),
    ):
        answers_are_those_of_the_events(place)
