"""`hitl` as a user types it: a folder with a recipe file, commands to their end, what they said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.acceptance import forked

HITL = str(Path(sys.executable).with_name("hitl"))
DONE_S_MAX = 60

RECIPES = '''
import asyncio

from hitl_events import Run, recipe


def write(request):
    return {"title": request["title"], "text": "first line\\nsecond line"}


def publish(draft):
    print("a step that prints")
    return f"published {draft['title']}"


@recipe("policy", version="1")
async def policy(run: Run, request: dict):
    """Publishes a text after a review."""
    draft = await run.step(write, request)
    review = await run.gate("review", draft=draft, verdicts=("approve", "deny"))
    if review.verdict == "deny":
        return {"refused": review.notes}
    return await run.step(publish, draft)


@recipe("double", version="1")
async def double(run: Run, number: int):
    return 2 * number


def not_json(_):
    return {1, 2}


@recipe("not-json", version="1")
async def not_json_recipe(run: Run, _):
    return await run.step(not_json, 0)


async def nap(_):
    print("napping", flush=True)
    await asyncio.Event().wait()


@recipe("endless", version="1")
async def endless(run: Run, _):
    return await run.step(nap, 0)
'''


class Said:
    """How a command ended and what it said; a traceback is never part of it."""

    def __init__(self, arguments: tuple[str | bytes, ...], code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err
        shown = f"hitl {arguments!r} -> {code}\n{out}\n{err}"
        assert "Traceback" not in out + err, shown
        assert code in {0, 1, 2, 3, 4, 5, 130}, shown
        assert code == 0 or len(err.splitlines()) == 1, f"expected one line on stderr: {shown}"

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)

    @property
    def problem(self) -> dict[str, Any]:
        """The diagnostic of an error outcome."""
        assert self.json["status"] == "error"
        errors = [each for each in self.json["diagnostics"] if each["level"] == "error"]
        return dict(errors[0])


class Console:
    """A folder with `recipes.py`; its data directory is `.hitl` in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / ".hitl"
        self.token = ""
        self.recipes = folder / "recipes.py"
        self.recipes.write_text(RECIPES, encoding="utf-8")
        ours = {name: held for name, held in os.environ.items() if not name.startswith("HITL_")}
        self.environment = ours | {"HITL_RECIPES": "recipes.py", "COLUMNS": "80"}

    def copied(self, folder: Path) -> Console:
        """The same folder again, log, key and token: making it anew takes a process each."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        console = Console(folder)
        console.token = self.token
        return console

    def begin(self, *arguments: str | bytes, **given: Any) -> subprocess.Popen[str]:
        """A command under way."""
        return self._begin([HITL, *arguments], **given)

    def python(self, code: str) -> subprocess.Popen[str]:
        """A program under way, which has said its first line."""
        process = self._begin([sys.executable, "-c", code])
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        return process

    def _begin(self, command: Sequence[str | bytes], **given: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=given.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            **given,
        )

    def hitl(self, *arguments: str | bytes, stdin: str = "", **given: Any) -> Said:
        """A command to its end; in a process of its own where something is `given` for it."""
        if given:
            process = self.begin(*arguments, **given)
            out, err = process.communicate(stdin, DONE_S_MAX)
            return Said(arguments, process.returncode, out or "", err)
        command = [HITL, *map(os.fsdecode, arguments)]
        code, out, err = forked.run(command, self.folder, self.environment, stdin, DONE_S_MAX)
        return Said(arguments, code, out, err)

    def json(self, *arguments: str | bytes, stdin: str = "") -> Any:
        """The document of a command that ends with 0."""
        said = self.hitl(*arguments, "--json", stdin=stdin)
        assert said.code == 0, said.err
        return said.json

    def paused(self, run_id: str = "r-1", title: str = "Leave") -> str:
        """A run that waits for its review; gives the token."""
        wanted = json.dumps({"title": title})
        return str(self.json("run", "policy", "--run-id", run_id, "--input", wanted)["token"])

    def rewrite(self, old: str, new: str) -> None:
        """Change the recipe file."""
        text = self.recipes.read_text(encoding="utf-8")
        assert old in text
        self.recipes.write_text(text.replace(old, new), encoding="utf-8")
