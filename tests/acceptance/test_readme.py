"""Every fenced block of the README and of the pages in docs is run and says what the page says."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.playground import BIN, ROOT
from tests.acceptance.terminal import Terminal

README = ROOT / "README.md"
EXAMPLES = ROOT / "examples" / "README.md"
PAGES = [*sorted((ROOT / "docs").glob("*.md")), EXAMPLES]
SCREEN_LINES = 40

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\w+\.py)\n")
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of every fenced block, in order."""
    return _FENCE.findall(page.read_text(encoding="utf-8"))


def files_of(page: Path) -> dict[str, str]:
    """The blocks that say in their first line which file they are."""
    named = ((_FILE.match(text), text) for language, text in blocks(page) if language == "python")
    return {match[1]: text for match, text in named if match}


def terminal(tmp_path: Path) -> Terminal:
    """A folder of one's own with the files of the README in it."""
    folder = tmp_path / "purchase"
    folder.mkdir()
    for name, text in files_of(README).items():
        (folder / name).write_text(text, encoding="utf-8")
    return Terminal(folder)


@pytest.mark.slow
def test_the_commands_of_the_readme_do_what_it_says(tmp_path: Path) -> None:
    """A newcomer who types every command of the README sees what it shows."""
    typed = terminal(tmp_path)
    assert files_of(README), "the README has a recipe to save"

    for language, text in blocks(README):
        if language == "console":
            typed.play(text)

    assert "ordered desk" in typed.type("hitl show desk-1 --json")


def test_the_first_screen_of_the_readme_has_the_two_commands() -> None:
    """`make demo` and how to run a recipe of one's own stand on the first screen."""
    first = "\n".join(README.read_text(encoding="utf-8").splitlines()[:SCREEN_LINES])

    assert "$ make demo" in first
    assert "$ hitl run " in first


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(language == "console" for language, _ in blocks(page))],
    ids=lambda page: page.name,
)
def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    """Every command of a page works in a folder with one finished and one paused run."""
    typed = terminal(tmp_path)
    typed.type(f"export PATH={BIN}:$PATH HITL_RECIPES=purchase.py")
    for run_id, item in (("desk-1", "desk"), ("lamp-1", "lamp")):
        order = json.dumps({"item": item, "price": 100})
        typed.type(f"hitl run purchase --run-id {run_id} --input '{order}'")
        if item == "desk":
            typed.type("hitl decide TOKEN approve --by anna")

    for language, text in blocks(page):
        if language == "console":
            typed.play(text)


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: page.name)
def test_the_code_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All Python of a page is one program; its tests and `main` run. JSON and TOML parse."""
    monkeypatch.chdir(tmp_path)
    program: dict[str, Any] = {"__name__": "page"}

    for language, text in blocks(page):
        assert language in {"python", "console", "json", "toml", "text"}, f"language {language!r}"
        if language == "python":
            exec(compile(text, str(page), "exec"), program)
        elif language == "json":
            json.loads(text)
        elif language == "toml":
            tomllib.loads(text)

    for name in [each for each in program if each.startswith("test_")]:
        program[name]()
    if "main" in program:
        asyncio.run(program["main"]())


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    """Every link inside the repository names a file that is there, and a heading that it has."""
    for target, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(path), f"{page.name}: {target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
