"""A terminal that types the commands of a page, line after line, and keeps its state between."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

from tests.acceptance.playground import ROOT

COMMAND_S_MAX = 100
PROMPT = "$ "
_IN_REPOSITORY = re.compile(r"make |\. \.venv/|cp -r examples/")
_TOKEN = re.compile(r"\bTOKEN\b")
_ISSUED = re.compile(r"\bhitl_[A-Za-z0-9_-]{40,}")


class Terminal:
    """Starts in `folder`; what belongs to the repository (`make`, its environment) is typed there.

    TOKEN on a page stands for the token that was shown last, `~` for the folder above `folder`.
    """

    def __init__(self, folder: Path) -> None:
        self.code = 0
        self._home = folder.parent
        self._state = self._home / "state.sh"
        self._token = "TOKEN"
        self._environment = {
            name: held
            for name, held in os.environ.items()
            # nor what an outer `make test ARGS=...` would hand to the `make` that is typed
            if not name.startswith(("HITL_", "MAKE", "MFLAGS", "ARGS"))
        } | {"COLUMNS": "80", "HOME": str(self._home)}
        self._state.write_text(f"cd {shlex.quote(str(folder))}\n", encoding="utf-8")

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
        line = _TOKEN.sub(self._token, command)
        state = shlex.quote(str(self._state))
        there = f"cd {shlex.quote(str(ROOT))}" if _IN_REPOSITORY.match(command) else ""
        kept = '"$PWD"' if not there else '"$HERE"'
        script = (
            f". {state}\nHERE=$PWD\n{there}\n(exit {self.code})\n{line}\ncode=$?\n"
            f"{{ export -p; printf 'cd %q\\n' {kept}; }} > {state}\nexit $code\n"
        )
        done = subprocess.run(
            ["bash", "-c", script],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=COMMAND_S_MAX,
        )
        assert "Traceback" not in done.stdout, f"{command}: {done.stdout}"
        self.code = done.returncode
        self._token = next(iter(_ISSUED.findall(done.stdout)), self._token)
        return done.stdout


def _compare(command: str, shown: list[str], output: str) -> None:
    """`...` on a page stands for anything, on a line of its own for any lines."""
    said = iter(output.splitlines())
    for line in shown:
        if line.strip() in ("", "..."):
            continue
        wanted = re.compile(".*".join(re.escape(part) for part in line.rstrip().split("...")))
        found = any(wanted.fullmatch(each.rstrip()) for each in said)
        assert found, f"{command}: expected the line {line!r} in\n{output}"
