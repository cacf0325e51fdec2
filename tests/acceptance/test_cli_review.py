"""Replaying a pause: what was shown at a moment, and what changed between two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.console import Console

HISTORIES = Path(__file__).parents[1] / "golden" / "histories"
RUN = "golden-reviewed"
ROUNDS = ("legal-review:1", "legal-review:2")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Console:
    """An audit file at a desk: a draft that was revised after its first review, then approved."""
    console = Console(tmp_path_factory.mktemp("desk"))
    console.json("import", str(HISTORIES / "reviewed.jsonl"))
    return console


def test_show_gate_is_the_review_page_of_that_moment(desk: Console) -> None:
    """The outcome when the gate opened, and all that was shown and asked then."""
    latest = desk.json("show", RUN, "--gate", "legal-review")
    first = desk.json("show", RUN, "--gate", ROUNDS[0])
    (page,) = first["reviews"]

    assert latest["reviews"][0]["draft"]["title"] == "Leave policy (4b)"
    assert {name: held for name, held in first.items() if name != "reviews"} == desk.json(
        "show", RUN, "--at", "3"
    )
    assert (page["gate_id"], page["status"]) == (f"{RUN}.3", "pending")
    assert page["draft"] == {"title": "Leave policy", "lines": 3}
    assert [step["step"] for step in page["steps"]] == ["write_draft"]
    assert page["data_schema"]["required"] == ["clause"]
    assert page["draft_digest"] in desk.hitl("show", RUN, "--gate", ROUNDS[0]).out


def test_show_time_is_the_outcome_then(desk: Console) -> None:
    """The last event up to that time decides, also where it has that very time."""
    paused = desk.json("show", RUN, "--at", "3")
    then = desk.json("show", RUN, "--time", paused["trace"][-1]["at"])
    later = desk.json("show", RUN, "--time", "2026-01-02")

    assert _without_reviews(then) == paused
    assert [page["gate"] for page in then["reviews"]] == ["legal-review"]
    assert (_without_reviews(later), later["reviews"]) == (desk.json("show", RUN), [])
    shown = desk.hitl("show", RUN, "--time", "2026-01-01T09:00:02Z").out
    assert f"digest    {then['reviews'][0]['draft_digest']}" in shown


def test_diff_compares_two_rounds_of_a_gate(desk: Console) -> None:
    """What was asked the second time and not the first, by path; the digests of both drafts."""
    diff = desk.json("show", RUN, "--diff", *ROUNDS)
    same = desk.json("show", RUN, "--diff", ROUNDS[0], ROUNDS[0])
    shown = desk.hitl("show", RUN, "--diff", *ROUNDS).out

    assert (diff["from"], diff["to"], diff["unified"]) == (3, 7, None)
    assert [each["path"] for each in diff["changes"]] == ["$.draft.lines", "$.draft.title"]
    assert [each["occurrence"] for each in diff["rounds"]] == [1, 2]
    assert diff["rounds"][0]["draft_digest"] in shown
    assert "+ Leave policy (4b)" in shown
    assert same["changes"] == []
    assert [entry["seq"] for entry in diff["trace"]] == [4, 5, 5, 6, 7]


def test_text_drafts_are_compared_line_by_line(tmp_path: Path) -> None:
    """As `diff -u` shows them, on the page and in the document."""
    console = Console(tmp_path)
    console.recipes.write_text(TEXTS, encoding="utf-8")
    token = console.json("run", "texts", "--run-id", "t-1")["token"]
    console.json("decide", token, "again")

    diff = console.json("show", "t-1", "--diff", "text:1", "text:2")

    assert diff["unified"].splitlines()[2:] == ["@@ -1,3 +1,3 @@", " one", "-two", "+TWO", " three"]
    assert "-two\n  +TWO" in console.hitl("show", "t-1", "--diff", "text:1", "text").out


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("--gate", "nosuch"), "legal-review:1, legal-review:2"),
        (("--gate", "legal-review:3"), "found 'legal-review:3'"),
        (("--time", "2025-12-31"), "on, when the run began"),
        (("--time", "noon"), "as --time, found 'noon'"),
        (("--time", "1d", "--gate", "legal-review"), "found --time and --gate"),
        (("--at", "3", "--diff", "1", "2"), "found --at and --diff"),
        (("--diff", "3", "legal-review"), "found '3'"),
        (("--diff", "0", "3"), "as --diff, found '0'"),
        (("--diff", "3", "99"), "found 99 in --diff"),
    ],
)
def test_a_moment_that_is_not_there_is_one_line(
    desk: Console, wrong: tuple[str, ...], told: str
) -> None:
    """Exit 2, saying what could have been asked for."""
    said = desk.hitl("show", RUN, *wrong)

    assert (said.code, told in said.err) == (2, True)


def _without_reviews(held: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in held.items() if name != "reviews"}


TEXTS = """
from hitl_events import Run, recipe


@recipe("texts", version="1")
async def texts(run: Run, _):
    for text in ("one\\ntwo\\nthree", "one\\nTWO\\nthree"):
        await run.gate("text", draft=text, verdicts=("again",))
"""
