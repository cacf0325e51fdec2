"""What `make demo` shows: one policy goes through its gate, and every claim is checked on the way.

Each step is a `hitl` process of its own, so between two of them nothing of the run is in memory.
`--keep` leaves the temporary folder for a look around.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

EXAMPLE = Path(__file__).resolve().parent / "policy_update"
DOCUMENT = "remote-work-policy.md"
WIDTH = 80


class NotAsSaid(Exception):
    """The demo met something other than what it was about to say."""


def main() -> int:
    """0 if everything was as said."""
    parser = argparse.ArgumentParser(description="one policy through its gate, checked")
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder")
    keep = parser.parse_args().keep
    folder = Path(tempfile.mkdtemp(prefix="hitl-demo-")).resolve()
    try:
        _Demo(folder).play()
    except NotAsSaid as error:
        print(f"\nNOT AS SAID: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if keep:
            print(f"Kept: {folder}. Go there and try `hitl runs`, `hitl show RUN`, `hitl export`.")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


class _Demo:
    """One folder with a copy of the example, one data directory, and a count of checks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.document = folder / DOCUMENT
        self.checks = 0
        for name in (DOCUMENT, "change-request.md", "request.json"):
            shutil.copy(EXAMPLE / name, folder / name)
        self.before = self.document.read_text(encoding="utf-8")
        ours = {name: held for name, held in os.environ.items() if not name.startswith("HITL_")}
        self.environment = ours | {
            "HITL_RECIPES": str(EXAMPLE / "policy_update.py"),
            "COLUMNS": str(WIDTH),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def play(self) -> None:
        _say(
            "A policy is changed only after somebody has approved the change. All of it happens in "
            "a temporary folder, in one SQLite file. Each `hitl` below is a process of its own."
        )
        paused = self._pause()
        self._restart(paused)
        self._forge(paused)
        winner = self._approve(paused)
        self._approve_again(paused, winner)
        self._account(paused["run_id"])
        _say(f"Done. {self.checks} things were checked, each was as said. Next: README.md.")

    # scenes

    def _pause(self) -> dict[str, Any]:
        _title(1, "A change request comes in; the run drafts the new text and stops at its gate")
        outcome = self._hitl("run", "policy-update", "--input", "@request.json")
        self._check(outcome["status"] == "paused", "the run pauses", outcome)
        self._check(self._text() == self.before, "the document is as it was")
        draft = outcome["artefact"]["gates"]["legal-review"]["draft"]
        _tell("Under review is the new text, with its difference to the text in force:")
        for line in draft["diff"].splitlines():
            if line[:1] in "+-" and line[:3] not in ("+++", "---") and len(line) > 1:
                print(_cut(f"     {line}"))
        _tell("The process has ended. The run is three events in a file, and nothing waits.")
        return outcome

    def _restart(self, paused: dict[str, Any]) -> None:
        _title(2, "A new process finds the gate, with all that a reviewer needs")
        gates = self._listed("pending")
        self._check(len(gates) == 1, "one gate is open", gates)
        gate = gates[0]
        draft = paused["artefact"]["gates"]["legal-review"]["draft"]
        self._check(gate["token"] == paused["token"], "the token is the one of the pause")
        self._check(gate["draft"] == draft, "the draft is the one of the pause")
        _tell(f"Open: gate {gate['gate']!r} of run {gate['run_id']}")
        _tell(f"Verdicts: {', '.join(gate['verdicts'])}. Token and draft are the same.")

    def _forge(self, paused: dict[str, Any]) -> None:
        _title(3, "Somebody without the token tries to approve")
        token = paused["token"]
        forged = token[:-6] + ("A" if token[-6] != "A" else "B") + token[-5:]
        outcome = self._hitl("decide", forged, "approve", exit_code=1)
        self._check_refusal(outcome, "invalid_token")
        self._check(self._text() == self.before, "the document is as it was")
        _tell("Refused: the token was not issued by this log. The gate is open as before.")

    def _approve(self, paused: dict[str, Any]) -> dict[str, Any]:
        _title(4, "The reviewer approves; the run goes on and publishes what was shown")
        token = paused["token"]
        outcome = self._hitl("decide", token, "approve", "--by", "anna", "--id", "anna-1")
        draft = paused["artefact"]["gates"]["legal-review"]["draft"]
        self._check(outcome["status"] == "ok", "the run ends well", outcome)
        self._check(self._text() == draft["text"], "the file is the approved text, byte for byte")
        result = outcome["artefact"]["result"]
        self._check(result["approved_by"] == "anna", "the result names who approved", result)
        _tell(f"Published: {DOCUMENT}, the approved text byte for byte.")
        decision: dict[str, Any] = outcome["artefact"]["gates"]["legal-review"]["decision"]
        return decision

    def _approve_again(self, paused: dict[str, Any], winner: dict[str, Any]) -> None:
        _title(5, "A second decision with the same token comes too late")
        published = self._text()
        outcome = self._hitl("decide", paused["token"], "deny", "--by", "boris", exit_code=1)
        named = self._check_refusal(outcome, "token_used")["winner"]
        self._check(named["decision_id"] == winner["decision_id"], "the winner is named", named)
        self._check(self._text() == published, "the published file stays")
        _tell(
            f"Refused: the gate was closed by decision {named['decision_id']!r}, "
            f"{named['verdict']} by {named['decided_by']}."
        )

    def _account(self, run_id: str) -> None:
        _title(6, "The whole account, folded from the events; each process above left its mark")
        trace = self._listed("trace", run_id)
        kinds = [entry["kind"] for entry in trace]
        for kind in ("run.paused", "decision.received", "decision.rejected", "run.end"):
            self._check(kind in kinds, f"the trace has {kind}", kinds)
        for entry in trace:
            who = entry["data"].get("decided_by")
            what = entry["data"].get("step") or entry["data"].get("gate") or ""
            by = f"{entry['data'].get('verdict')} by {who}" if who else ""
            reason = entry["data"].get("reason", "")
            line = f"   {entry['seq']:>4}  {entry['kind']:<18} {what:<13} {by:<16} {reason}"
            print(_cut(line.rstrip()))
        verified = self._hitl("verify")
        self._check(
            verified["errors"] == [] and verified["runs"] == 1, "the log is whole", verified
        )
        _tell(f"{verified['events']} events; each carries the digest of the one before it.")
        replayed = self._listed("replay")
        self._check(
            [each["run_id"] for each in replayed] == [run_id], "one run is replayed", replayed
        )
        self._check(
            replayed[0]["found"] == replayed[0]["expected"], "replay does not differ", replayed
        )
        _tell("The recipe, run again over these events, comes to the same at every one.")

    # helpers

    def _hitl(self, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        """The object that a `hitl` process of its own prints with `--json`."""
        return cast("dict[str, Any]", self._said(arguments, exit_code))

    def _listed(self, *arguments: str) -> list[dict[str, Any]]:
        """The list that a `hitl` process of its own prints with `--json`."""
        return cast("list[dict[str, Any]]", self._said(arguments, 0))

    def _said(self, arguments: tuple[str, ...], exit_code: int) -> object:
        print(f"   $ hitl {_short(arguments)}")
        command = [str(Path(sys.executable).with_name("hitl")), *arguments, "--json"]
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotAsSaid(f"`hitl {arguments[0]}` did not run: {error}") from None
        said = done.stderr.strip() or done.stdout.strip()
        code = done.returncode
        self._check(code == exit_code, f"`hitl {arguments[0]}` ends with {exit_code}", [code, said])
        with suppress(ValueError):
            return cast("object", json.loads(done.stdout))
        raise NotAsSaid(f"`hitl {arguments[0]} --json` prints no JSON: {done.stdout[:200]!r}")

    def _check(self, holds: bool, what: str, found: object = None) -> None:
        self.checks += 1
        if not holds:
            seen = "" if found is None else f"; found {json.dumps(found, default=str)[:600]}"
            raise NotAsSaid(f"expected that {what}{seen}")

    def _check_refusal(self, outcome: dict[str, Any], reason: str) -> dict[str, Any]:
        diagnostic = outcome["diagnostics"][0]
        data: dict[str, Any] = diagnostic["data"]
        self._check(diagnostic["code"] == f"resume.{reason}", "the code is right", outcome)
        self._check(data["reason"] == reason, "the reason is right", outcome)
        return data

    def _text(self) -> str:
        return self.document.read_text(encoding="utf-8")


def _short(arguments: tuple[str, ...]) -> str:
    """A command line as people can read it: a token is cut."""
    return " ".join(f"{each[:12]}..." if each.startswith("hitl_") else each for each in arguments)


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


def _title(number: int, text: str) -> None:
    print(f"\n{number}  {text}")


def _tell(text: str) -> None:
    print(textwrap.fill(text, WIDTH, initial_indent="   ", subsequent_indent="   "))


def _say(text: str) -> None:
    print(textwrap.fill(text, WIDTH))


if __name__ == "__main__":
    sys.exit(main())
