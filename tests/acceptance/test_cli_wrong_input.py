"""Wrong input of every kind: a typed refusal or one line, never a traceback, nothing lost."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.console import HITL, Console


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Generator[Console]:
    """A folder with one paused run; whatever was tried on it, its token works at the end."""
    console = Console(tmp_path_factory.mktemp("wrong"))
    console.token = console.paused()
    yield console
    assert console.json("decide", console.token, "approve")["status"] == "ok"


def spoilt(token: str, how: str) -> str | bytes:
    """A text that is not quite the token."""
    other = "A" if token[30] != "A" else "B"
    spoilt_ones: dict[str, str | bytes] = {
        "forged": token[:30] + other + token[31:],
        "cut": token[:-3],
        "empty": "",
        "huge": "hitl_" + "A" * 100_000,
        "of no kind": "approve",
        "non-ascii": f"ü{token}",
        "no text": b"\xff\xfe",
        "with a line end": f"{token}\n",
        "padded": f"{token}=",
        "turned around": f"\u202e{token}",
    }
    return spoilt_ones[how]


@pytest.mark.parametrize(
    "how",
    [
        "forged",
        "cut",
        "empty",
        "huge",
        "of no kind",
        "non-ascii",
        "no text",
        "with a line end",
        "padded",
        "turned around",
    ],
)
def test_a_wrong_token_is_refused(console: Console, how: str) -> None:
    """It is an error outcome without a run, and no message repeats it."""
    token = spoilt(console.token, how)
    said = console.hitl("decide", token, "approve", "--json")

    expected = {"empty": "resume.incompatible_input", "no text": "resume.incompatible_input"}
    assert (said.code, said.problem["code"]) == (1, expected.get(how, "resume.invalid_token"))
    nothing = {"run_id": None, "recipe": None, "version": None, "seq": None}
    assert said.json | nothing == said.json
    assert (said.json["artefact"], said.json["trace"]) == ({}, [])
    assert console.token[:-3] not in said.err


def test_a_token_of_another_log_is_refused(console: Console, tmp_path: Path) -> None:
    """A token that another key made is `invalid_token`, for `decide` and for `explain`."""
    foreign = Console(tmp_path).paused()

    for command in (("decide", foreign, "approve"), ("explain", foreign)):
        said = console.hitl(*command, "--json")
        assert (said.code, said.problem["code"]) == (1, "resume.invalid_token")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (("perhaps",), "resume.incompatible_input"),
        (("",), "resume.incompatible_input"),
        (("approve", "--by", "x" * 300), "resume.incompatible_input"),
        (("approve", "--notes", b"\xff"), "resume.incompatible_input"),
        (("approve", "--id", ""), "resume.incompatible_input"),
        (("approve", "--data", "[1]"), "resume.incompatible_input"),
        (("approve", "--data", '{"a": 1}'), "resume.incompatible_input"),
    ],
)
def test_a_wrong_decision_is_refused(
    console: Console, given: tuple[str | bytes, ...], code: str
) -> None:
    """It is an error outcome with exit 1, and the run is as it was."""
    said = console.hitl("decide", console.token, *given, "--json")

    assert (said.code, said.problem["code"]) == (1, code)
    assert said.json["artefact"].get("result") is None


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("frob --json", "No such command 'frob'"),
        ("decide TOKEN approve TOKEN --json", "unexpected extra argument"),
        ("run policy --json --input {bad", "in --input: expected JSON, found at character"),
        ("plan nothing --json", "registered: policy"),
        ("recipes --recipes . --json", "expected a module of recipes (its name, or a file"),
        ("recipes --recipes ../x --json", "expected a file of recipes"),
    ],
)
def test_a_line_that_means_nothing_is_one_line(console: Console, line: str, part: str) -> None:
    """Usage errors exit with 2 and one line that says what was expected; no token stands in it."""
    said = console.hitl(*(console.token if word == "TOKEN" else word for word in line.split()))

    assert (said.code, part in said.err) == (2, True), said.err
    assert said.problem["message"] in said.err
    assert console.token not in said.out + said.err


@pytest.mark.parametrize("command", ["decide - approve", "run double --input -"])
def test_a_stdin_that_can_not_be_read_is_one_line(console: Console, command: str) -> None:
    """A job runner may close it, or give what is no text: exit 2, saying so."""
    for redirection in ("<&-", "< /proc/self/mem"):
        said = subprocess.run(
            ["/bin/sh", "-c", f"{HITL} {command} --json {redirection}"],
            cwd=console.folder,
            env=console.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (said.returncode, len(said.stderr.splitlines())) == (2, 1)
        assert "stdin" in json.loads(said.stdout)["diagnostics"][0]["message"]


@pytest.mark.parametrize("command", ["show", "cancel", "replay", "export"])
def test_an_unknown_run_is_an_error_outcome(console: Console, command: str) -> None:
    """A run that is not there is `command.unknown_run`, exit 1."""
    said = console.hitl(command, "nosuch", "--json")

    assert (said.code, said.problem["code"]) == (1, "command.unknown_run")
    assert said.problem["data"] == {"reason": "unknown_run", "winner": None}


@pytest.mark.parametrize(
    ("recipe", "code", "part"),
    [
        (("nothing",), "command.unknown_recipe", "policy (version 1)"),
        (("double", "--input", '"x"'), "command.invalid_command", "integer"),
        (("double", "--run-id", "a/b"), "command.invalid_command", "run_id"),
        (("not-json",), "output.not_serialisable", "$"),
    ],
)
def test_a_run_that_can_not_be_is_an_error_outcome(
    console: Console, recipe: tuple[str, ...], code: str, part: str
) -> None:
    """What the recipe or its type refuses is an outcome with exit 1 that says what is wrong."""
    said = console.hitl("run", *recipe, "--json")

    assert (said.code, said.problem["code"]) == (1, code)
    assert part in said.problem["message"]


def test_foreign_text_can_not_act_on_the_terminal(tmp_path: Path) -> None:
    """Escape codes and direction marks of a draft are shown, never sent, in pages and in JSON."""
    console = Console(tmp_path)
    evil = "\x1b[31mred\u202e[bold]x[/bold]"
    console.paused(title=evil)
    pages = [console.hitl(*line) for line in (("pending",), ("show", "r-1"), ("pending", "--json"))]

    for said in pages:
        assert "\x1b" not in said.out
        assert "\u202e" not in said.out
        assert "[bold]x[/bold]" in said.out
    draft: dict[str, Any] = pages[2].json[0]["draft"]
    assert draft["title"] == evil
