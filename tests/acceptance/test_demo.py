"""`make demo` as a newcomer meets it: what it shows, how wide, how often, and what it leaves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.playground import ROOT

DEMO = ROOT / "examples" / "demo.py"
COLUMNS = 80


def play(folder: Path, demo: Path = DEMO) -> subprocess.CompletedProcess[str]:
    """The demo with its temporary files in `folder`, in a misleading environment."""
    strange = {"TMPDIR": str(folder), "HITL_DATA": "/nowhere", "HITL_TOKEN_KEY": "x"}
    return subprocess.run(
        [sys.executable, str(demo)],
        cwd=folder,
        env=os.environ | strange,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the demo prints."""
    folder = tmp_path_factory.mktemp("demo")
    done = play(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(folder.iterdir()) == [], "the demo leaves nothing behind"
    return done.stdout


def test_the_demo_shows_every_promise_of_it(shown: str) -> None:
    """Pause, new process, forged token, approval, late decision, file, trace, verify and replay."""
    scenes = re.findall(r"^(\d)  ", shown, re.MULTILINE)
    commands = re.findall(r"^   \$ hitl (\w+)", shown, re.MULTILINE)

    assert scenes == list("123456")
    assert commands == [
        *("run", "pending", "decide", "decide", "decide"),
        *("trace", "verify", "replay"),
    ]
    assert "decision.rejected" in shown
    assert "closed by decision 'anna-1', approve by anna" in shown


def test_the_demo_fits_a_screen_of_80_columns(shown: str) -> None:
    """No line is wider than 80 columns, and no whole token is shown."""
    assert max(len(line) for line in shown.splitlines()) <= COLUMNS
    assert not re.search(r"hitl_[\w-]{20,}", shown)


def test_the_demo_leaves_its_repository_clean(shown: str, tmp_path: Path) -> None:
    """A second time, in another place, works as the first, and git sees no change after it."""
    tree, temporary = tmp_path / "tree", tmp_path / "temporary"
    shutil.copytree(DEMO.parent, tree / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".gitignore", tree)
    temporary.mkdir()
    git("init", "-q", tree=tree)
    git("add", "-A", tree=tree)
    before = git("status", "--porcelain", tree=tree)

    again = play(temporary, tree / "examples" / "demo.py")

    assert again.returncode == 0, again.stderr
    assert len(again.stdout.splitlines()) == len(shown.splitlines())
    assert git("status", "--porcelain", tree=tree) == before
    assert list(temporary.iterdir()) == []


def git(*arguments: str, tree: Path) -> str:
    """What git says about a tree."""
    command = ["git", "-C", str(tree), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ('result["approved_by"] == "anna"', 'result["approved_by"] == "boris"'),
        ("self._text() == self.before", "self._text() != self.before"),
        ('"resume.{reason}"', '"resume.other"'),
    ],
)
def test_the_demo_fails_when_something_is_not_as_said(
    tmp_path: Path, there: str, instead: str
) -> None:
    """Each claim is checked: with another expectation the demo ends with 1 and says which."""
    text = DEMO.read_text(encoding="utf-8")
    assert there in text
    demo = tmp_path / "demo.py"
    demo.write_text(text.replace(there, instead), encoding="utf-8")
    (tmp_path / "policy_update").symlink_to(DEMO.parent / "policy_update")

    done = play(tmp_path, demo)

    assert done.returncode == 1
    assert "NOT AS SAID: expected that" in done.stderr
