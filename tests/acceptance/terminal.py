"""A terminal that types the commands of a page, line after line, and keeps its state between."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

from tests.acceptance.playground import ROOT

COMMAND_S_MAX = 100
PROMPT = "$ "
_TOKEN = re.compile(r"\bTOKEN\b")


class Terminal:
    """Types in `folder`, but what belongs to the repository (`make`, its environment) there."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.folder = folder
        self.code = 0
        self._state = state
        self._token: str | None = None
        self._environment = {
            name: held for name, held in os.environ.items() if not name.startswith("HITL_")
        } | {"COLUMNS": "80"}
        self._state.write_text("", encoding="utf-8")

    def play(self, block: str) -> None:
        """Every command of a block: its output has the lines that the page shows, in their order.

        A command ends with 0, unless the next one is `echo $?`.
        """
        lines = block.splitlines()
        commands = [index for index, line in enumerate(lines) if line.startswith(PROMPT)]
        for index, after in zip(commands, [*commands[1:], len(lines)], strict=True):
            command, shown = lines[index].removeprefix(PROMPT), lines[index + 1 : after]
            output = self.type(command)
            checked = after < len(lines) and lines[after] == f"{PROMPT}echo $?"
            assert checked or self.code == 0, f"{command} ends with {self.code}: {output}"
            _compare(command, shown, output)

    def type(self, command: str) -> str:
        """What a command says on both of its streams."""
        ours = command.startswith(("make ", ". .venv/"))
        self._learn_token(command)
        line = _TOKEN.sub(self._token or "TOKEN", command)
        script = (
            f". {shlex.quote(str(self._state))}\n(exit {self.code})\n{line}\n"
            f"code=$?\nexport -p > {shlex.quote(str(self._state))}\nexit $code\n"
        )
        done = self._bash(script, ROOT if ours else self.folder)
        assert "Traceback" not in done.stdout, f"{command}: {done.stdout}"
        self.code = done.returncode
        return done.stdout

    def forget_token(self) -> None:
        """From here on TOKEN stands for the gate that is open then."""
        self._token = None

    def _learn_token(self, command: str) -> None:
        """TOKEN on a page stands for the token of the gate that was open when it is first used."""
        if self._token is not None or not _TOKEN.search(command):
            return
        script = f". {shlex.quote(str(self._state))}\nhitl pending --json\n"
        gates = json.loads(self._bash(script, self.folder).stdout)
        self._token = gates[0]["token"]

    def _bash(self, script: str, folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=COMMAND_S_MAX,
        )


def _compare(command: str, shown: list[str], output: str) -> None:
    """`...` on a page stands for anything, on a line of its own for any lines."""
    said = iter(output.splitlines())
    for line in shown:
        if line.strip() in ("", "..."):
            continue
        wanted = re.compile(".*".join(re.escape(part) for part in line.rstrip().split("...")))
        found = any(wanted.fullmatch(each.rstrip()) for each in said)
        assert found, f"{command}: expected the line {line!r} in\n{output}"
