"""A fresh folder in which tests do what a user does: copy an example, type `hitl`, kill it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DONE_S_MAX = 60


class Said:
    """How a command ended and what it said."""

    def __init__(self, command: tuple[str, ...], done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr
        assert "Traceback" not in self.err, f"{command}: {self.err}"

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


class Playground:
    """An example's files in a folder of their own, with a data directory beside them."""

    def __init__(self, folder: Path, example: str) -> None:
        self.folder = folder
        self.example = ROOT / "examples" / example
        for path in self.example.iterdir():
            if path.is_file():
                shutil.copy(path, folder / path.name)
        ours = {name: held for name, held in os.environ.items() if not name.startswith("HITL_")}
        self.environment = ours | {
            "HITL_DATA": str(folder / "data"),
            "HITL_RECIPES": str(folder / f"{example}.py"),
            "PATH": f"{BIN}{os.pathsep}{ours.get('PATH', '')}",
        }

    def hitl(self, *arguments: str) -> Said:
        """`hitl ... --json`, to its end."""
        return self.command(str(BIN / "hitl"), *arguments, "--json")

    def command(self, *command: str) -> Said:
        """Any command in the folder, to its end."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=DONE_S_MAX,
        )
        return Said(command, done)

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """`hitl ...` under way, to be killed."""
        return subprocess.Popen(
            [str(BIN / "hitl"), *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start(self, recipe: str, run_id: str = "r-1", **changed: str) -> Said:
        """The example's own request, with some of it changed."""
        request = json.loads((self.example / "request.json").read_text(encoding="utf-8")) | changed
        return self.hitl("run", recipe, "--run-id", run_id, "--input", json.dumps(request))

    def read(self, name: str) -> str:
        """A file of the folder."""
        return (self.folder / name).read_text(encoding="utf-8")


def kill(process: subprocess.Popen[bytes]) -> None:
    """`kill -9`."""
    process.send_signal(signal.SIGKILL)
    process.wait(DONE_S_MAX)
