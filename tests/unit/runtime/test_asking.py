"""Calls of a process that does not own the log: what it is told is what the owner's caller is."""

from contextlib import closing
from typing import Any

import pytest

from hitl_events import Run, recipe
from hitl_events.adapters.limits import RECORD_BYTES_KEPT_MAX
from tests.unit.runtime.conftest import Place


@recipe("r", version="1")
async def body(run: Run, input: Any) -> Any:
    return len(input)


def _nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("x" * (RECORD_BYTES_KEPT_MAX + 1), "command.too_large"),
        ("x" * (RECORD_BYTES_KEPT_MAX // 2), "command.too_large"),
        (_nested(65), "command.invalid_command"),
        (float("nan"), "command.invalid_command"),
    ],
)
async def test_a_call_that_no_record_can_hold_is_refused_alike(
    place: Place, given: Any, code: str
) -> None:
    """Owner and other get the same refusal; the record is kept, as far as it can be."""
    async with place.open(body) as owner, place.open(body) as other:
        told = [await runtime.run("r", given) for runtime in (owner, other)]
        fine = await other.run("r", _nested(64), run_id="deep")
        with closing(place.log()) as log:
            letters = await log.list(10)

    assert [outcome.diagnostics[0].code for outcome in told] == [code] * 2
    assert told[0].diagnostics == told[1].diagnostics
    assert (fine.status, len(letters)) == ("ok", 2)


async def test_a_value_that_is_no_json_is_told_with_its_place(place: Place) -> None:
    """What was found stands behind where, so that advice at its end is not taken for a place."""
    async with place.open(body) as runtime:
        told = await runtime.run("r", {"lines": [1, {2}]})

    assert told.diagnostics[0].message == (
        "expected JSON as 'input', found at $.lines[1] a builtins.set"
    )
