"""Where `hitl` works: directories that can not be used, settings, recipe modules."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from pathlib import Path

import pytest

from tests.acceptance.console import Console

KEY = "a key of at least thirty-two bytes"
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


@pytest.fixture
def console(tmp_path: Path) -> Console:
    """A folder with recipes and no log yet."""
    return Console(tmp_path)


@pytest.mark.parametrize("command", [("pending",), ("runs",), ("dead-letters", "list")])
def test_reading_where_there_is_no_log_makes_none(
    console: Console, command: tuple[str, ...]
) -> None:
    """Who only looks creates nothing, finds an empty list, and is told that there is no log."""
    assert console.json(*command) == []
    assert not console.data.exists()


@pytest.mark.parametrize("command", [("decide", "hitl_x", "approve"), ("verify",), ("export",)])
def test_a_mistyped_directory_does_not_become_a_log(
    console: Console, command: tuple[str, ...]
) -> None:
    """A decision or an audit where there is no log is refused, and makes no directory."""
    said = console.hitl(*command, "--dir", "nowhere")

    assert said.code in {1, 5}
    assert "nowhere" in said.err
    assert not (console.folder / "nowhere").exists()


@pytest.mark.parametrize(
    "place", ["recipes.py", "recipes.py/inside", "/dev/null", "/proc/no-such-place"]
)
def test_a_place_that_can_be_no_directory_is_one_line(console: Console, place: str) -> None:
    """A file, a device or a place where nothing can be made: exit 5, saying what to do."""
    said = console.hitl("run", "double", "--input", "1", "--dir", place, "--json")

    assert (said.code, said.problem["code"]) == (5, "log.unavailable")
    assert "--dir or HITL_DATA" in said.err


def _without_privileges() -> None:
    """Give up what lets root write where no mode allows it (Linux; elsewhere root may)."""
    if sys.platform == "linux" and os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def test_a_read_only_directory_can_be_read(console: Console) -> None:
    """Where nothing may be written lists and pages work, and a decision is one line, exit 5."""
    token = console.paused()
    for path in (*console.data.iterdir(), console.data):
        path.chmod(0o500 if path.is_dir() else 0o400)
    pending = console.hitl("pending", "--json", preexec_fn=_without_privileges)
    refused = console.hitl("decide", token, "approve", preexec_fn=_without_privileges)
    console.data.chmod(0o700)
    for path in console.data.iterdir():
        path.chmod(0o600)

    assert (pending.json[0]["token"], refused.code) == (token, 5)
    assert console.json("decide", token, "approve")["status"] == "ok"


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_a_read_model_that_may_not_be_written_is_done_without(console: Console, mode: int) -> None:
    """After `rebuild` lists of a read-only directory are what they were before: the log's."""
    console.paused("policy-1")
    console.hitl("rebuild")
    console.paused("policy-2")
    for path in (*console.data.iterdir(), console.data):
        path.chmod(0o500 if path.is_dir() else mode)
    runs = console.hitl("runs", "--json", preexec_fn=_without_privileges)
    pending = console.hitl("pending", "--json", preexec_fn=_without_privileges)
    console.data.chmod(0o700)

    for said in (runs, pending):
        assert (said.code, said.err) == (0, "")
        assert [row["run_id"] for row in said.json] == ["policy-1", "policy-2"]


@pytest.mark.parametrize(
    "line", ["runs", "trace policy-1", "explain policy-1.3", "audit", "replay", "export"]
)
def test_who_may_read_the_log_needs_no_token_key(console: Console, line: str) -> None:
    """An auditor gets all that shows no token; who may read the key can decide."""
    console.paused("policy-1")
    (console.data / "token.key").chmod(0o000)

    said = console.hitl(*line.split(), preexec_fn=_without_privileges)

    assert (said.code, said.err) == (0, "")
    assert "hitl_" not in said.out


@pytest.mark.parametrize("line", ["pending", "show policy-1"])
def test_tokens_are_all_that_is_missing_without_their_key(console: Console, line: str) -> None:
    """Gates and outcomes are shown; a line says why no token stands in them."""
    console.paused("policy-1")
    (console.data / "token.key").chmod(0o000)

    said = console.hitl(*line.split(), preexec_fn=_without_privileges)
    as_json = console.hitl(*line.split(), "--json", preexec_fn=_without_privileges)
    (gate,) = as_json.json if line == "pending" else [as_json.json]

    assert (said.code, as_json.code, gate["run_id"]) == (0, 0, "policy-1")
    assert gate.get("token") is None
    assert "token key" in said.err
    assert len(said.err.splitlines()) == len(as_json.err.splitlines()) == 1
    assert "no token" in said.out or "token     none" in said.out


def test_a_full_disk_loses_nothing(console: Console) -> None:
    """What can not be written is exit 5 and one line; the token still works once there is room."""
    token = console.paused()
    size = max(path.stat().st_size for path in console.data.iterdir())

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))

    said = console.hitl("decide", token, "approve", "--json", preexec_fn=fill)

    assert (said.code, said.problem["code"]) == (5, "log.unavailable")
    assert console.json("decide", token, "approve")["status"] == "ok"


def test_tokens_are_made_with_the_key_of_the_environment(console: Console) -> None:
    """A token holds as long as its key is the first or among the old ones, and never without."""
    console.environment["HITL_TOKEN_KEY"] = KEY
    token = console.paused()
    console.environment |= {"HITL_TOKEN_KEY": f"new {KEY}", "HITL_TOKEN_KEYS_OLD": ""}
    refused = console.hitl("decide", token, "approve", "--json")
    assert "no token" in console.hitl("pending").out
    console.environment["HITL_TOKEN_KEYS_OLD"] = KEY

    assert refused.problem["code"] == "resume.invalid_token"
    assert console.json("pending")[0]["token"] == token
    assert console.json("decide", token, "approve")["status"] == "ok"
    assert not (console.data / "token.key").exists()


def test_settings_come_from_hitl_toml_too(console: Console) -> None:
    """`hitl.toml` of the current directory names data directory and recipes."""
    text = 'data = "elsewhere"\nrecipes = "recipes.py:policy"\n'
    (console.folder / "hitl.toml").write_text(text, encoding="utf-8")
    del console.environment["HITL_RECIPES"]
    console.paused()

    assert (console.folder / "elsewhere" / "log.db").exists()
    assert [each["name"] for each in console.json("recipes")] == ["policy"]


def test_recipes_are_modules_of_the_current_directory_or_files(console: Console) -> None:
    """`MODULE`, `MODULE:NAME`, `file.py` and several of them, by option or by commas."""
    (console.folder / "more.py").write_text(
        "from hitl_events import Recipe\n"
        "one = Recipe('one', version='1').step('a', len)\n"
        "two = Recipe('two', version='1').step('a', len)\n",
        encoding="utf-8",
    )
    given = {
        ("recipes",): ["policy", "double", "not-json", "endless"],
        ("recipes:double,more:two",): ["double", "two"],
        (str(console.folder / "more.py"), "more.py:one"): ["one", "two"],
    }
    for modules, names in given.items():
        options = [word for module in modules for word in ("--recipes", module)]
        assert [each["name"] for each in console.json("recipes", *options)] == names


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("def broken(:\n", ("broken.py:1", "SyntaxError")),
        ("\n\nraise ValueError('no\\nluck')\n", ("broken.py:3", "ValueError: no luck")),
        ("import no_such_thing\n", ("broken.py:1", "no_such_thing")),
        ("import sys\nsys.exit(7)\n", ("broken.py:2", "SystemExit: 7")),
        ("x = 1\n", ("expected a recipe in", "found none")),
    ],
)
def test_a_module_that_can_not_be_imported_is_one_line(
    console: Console, source: str, parts: tuple[str, ...]
) -> None:
    """The line names the file, the line in it and the error; exit 2, nothing was made."""
    (console.folder / "broken.py").write_text(source, encoding="utf-8")
    said = console.hitl("run", "policy", "--recipes", "broken.py")

    assert (said.code, console.data.exists()) == (2, False)
    assert all(part in said.err for part in parts), said.err
