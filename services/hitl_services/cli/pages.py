"""An outcome as a page for people: what it came to, what it shows for review, what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from hitl_events.domain.artefact import latest_by_name
from hitl_events.domain.diagnostics import Diagnostic
from hitl_events.domain.outcome import Outcome
from hitl_services.cli.display import in_a_line, summary
from hitl_services.cli.screen import Line
from hitl_services.text import age, clock, harmless, until

SHORT_LINES_MAX = 12
"""Of a draft after `run`: a screen has 24 lines, and the commands must stay in sight."""
DRAFT_LINES_MAX = 60
OUTPUT_LINES_MAX = 8

STYLES = {
    "ok": "bold green",
    "completed": "bold green",
    "paused": "bold yellow",
    "pending": "yellow",
    "running": "bold cyan",
    "approved": "green",
    "denied": "red",
    "error": "bold red",
    "failed": "bold red",
    "warn": "yellow",
    "info": "dim",
}
_TURNS = frozenset({"run.blocked", "run.unblocked", "run.end"})
"""After a block: what else stands in the trace leaves the run blocked."""
_TOLD_ELSEWHERE = frozenset({"gate.pending"})
_MENDED_BY = {"blob.missing": "bring the blob back", "recipe.unknown": "register the recipe"}
"""What lets a blocked run go on where that is no change of its recipe."""


class OutcomePage:
    """The lines of one outcome. `repeated` are the options that a command to type must repeat."""

    def __init__(self, outcome: Outcome, *, now: datetime, width: int, repeated: str = "") -> None:
        self._outcome = outcome
        self._now = now
        self._width = width
        self._repeated = repeated

    def short(self) -> Iterator[Line]:
        """After a command: what it came to and what to do next."""
        yield from self._head()
        yield from self._diagnostics()
        yield from self._pauses(SHORT_LINES_MAX)
        if self._outcome.status == "ok":
            yield from self._value("result", self._outcome.artefact["result"], DRAFT_LINES_MAX)
        yield from self._next()

    def full(self) -> Iterator[Line]:
        """All that is known of the run, shortened where it is long."""
        artefact = self._outcome.artefact
        yield from self._head()
        yield from self._diagnostics()
        yield from self._value("input", artefact["input"], OUTPUT_LINES_MAX)
        for name, output in artefact["steps"].items():
            yield from self._value(f"step {harmless(name)}", output, OUTPUT_LINES_MAX)
        for name, gate in artefact["gates"].items():
            yield from self._gate(name, gate)
        yield from self._pauses(DRAFT_LINES_MAX)
        if artefact["result"] is not None:
            yield from self._value("result", artefact["result"], DRAFT_LINES_MAX)
        yield from self._next()

    def _head(self) -> Iterator[Line]:
        outcome = self._outcome
        if outcome.run_id is None:
            return
        recipe = f"{harmless(outcome.recipe or '')} {harmless(outcome.version or '')}"
        # A refusal leaves the run as it was: "error" would read as if it were that of the run.
        refusal = any("winner" in entry.data for entry in outcome.diagnostics)
        status = ("refused" if refusal else outcome.status, STYLES[outcome.status])
        yield [status, "  ", (recipe, "bold"), f"  run {outcome.run_id}  event {outcome.seq}"]

    def _diagnostics(self) -> Iterator[Line]:
        for each in self._outcome.diagnostics:
            if each.code in _TOLD_ELSEWHERE:
                continue
            yield [(each.level, STYLES[each.level]), f"  {each.code}: {_flat(each.message)}"]
            yield from _winner(each)

    def _value(self, title: str, held: object, lines_max: int) -> Iterator[Line]:
        yield []
        yield [(title, "bold")]
        for line in summary(held, width=self._width - 2, lines_max=lines_max):
            yield ["  ", line]

    def _gate(self, name: str, gate: dict[str, Any]) -> Iterator[Line]:
        """A gate that is no longer open; those that are have a part of their own."""
        if gate["status"] == "pending":
            return
        yield []
        status = (gate["status"], STYLES.get(gate["status"], "bold"))
        yield [("gate ", "bold"), (harmless(name), "bold"), "  ", status]
        yield ["  draft     ", in_a_line(gate["draft"], self._width - 12)]
        decision = gate["decision"]
        if decision is None:
            return
        who = decision["decided_by"] or f"somebody ({decision['channel']})"
        said = f"{decision['verdict']} by {who}, {_at(decision['decided_at'])}"
        yield ["  decision  ", _flat(said)]
        for label in ("notes", "data"):
            if decision[label] is not None:
                yield [f"  {label:<8}  ", in_a_line(decision[label], self._width - 12)]

    def _pauses(self, lines_max: int) -> Iterator[Line]:
        """Each open gate with its draft and the command that decides it."""
        outcome = self._outcome
        pauses = {
            entry.data["gate_id"]: entry for entry in outcome.trace if entry.kind == "run.paused"
        }
        named = latest_by_name(
            (entry.data["gate"], entry.data["occurrence"], gate_id)
            for gate_id, entry in pauses.items()
        )
        names = {gate_id: name for name, gate_id in named.items()}
        for pending in outcome.diagnostics:
            if pending.code not in _TOLD_ELSEWHERE:
                continue
            pause = pauses[pending.data["gate_id"]]
            # as it is called in the artefact
            name, verdicts = names[pending.data["gate_id"]], pause.data["verdicts"]
            since = datetime.fromisoformat(pause.at)
            expires_at = pause.data.get("expires_at")
            deadline = None if expires_at is None else datetime.fromisoformat(expires_at)
            yield []
            kind = pending.data["kind"]
            yield [("gate ", "bold"), (harmless(name), "bold"), f"  waits for a decision ({kind})"]
            yield [f"  since     {clock(since)} ({age(self._now - since)} ago)"]
            if deadline is not None:
                rest = "over" if deadline < self._now else f"{until(deadline, self._now)} left"
                yield [f"  deadline  {clock(deadline)} ({rest})"]
            yield [f"  verdicts  {', '.join(map(harmless, verdicts))}"]
            yield from self._draft(outcome.artefact["gates"][name]["draft"], lines_max)
            yield from self._decide(outcome.tokens.get(name), verdicts[0])

    def _draft(self, draft: object, lines_max: int) -> Iterator[Line]:
        if draft is None:
            return
        yield ["  draft"]
        for line in summary(draft, width=self._width - 4, lines_max=lines_max):
            yield ["    ", line]

    def _decide(self, token: str | None, verdict: str) -> Iterator[Line]:
        if token is None:
            blocked = "hitl pending shows it" if self._outcome.status != "paused" else ""
            missing = "none: its key is not held here (HITL_TOKEN_KEY)"
            yield ["  token     ", (blocked or missing, "dim")]
            return
        yield [f"  token     {token}"]
        words = f"hitl decide {token} {shlex.quote(harmless(verdict))}{self._repeated}"
        yield ["  next      ", (words, "bold")]

    def _next(self) -> Iterator[Line]:
        """What to do about a run that can not go on by itself."""
        outcome = self._outcome
        run_id = outcome.run_id
        if run_id is None:
            return
        told = [entry for entry in outcome.trace if entry.kind in _TURNS]
        if told and told[-1].kind == "run.blocked":
            words = f"hitl unblock {run_id}{self._repeated}"
            first = _MENDED_BY.get(told[-1].data["code"], "mend the recipe")
            yield []
            yield [f"next        {first}, then ", (words, "bold")]
        elif outcome.status == "running":
            again = f"hitl run {shlex.quote(outcome.recipe or '')} --run-id {run_id}"
            yield []
            yield ["next        if no process drives it, take it up with the same input:"]
            yield ["            ", (f"{again} --input ...{self._repeated}", "bold")]


def _winner(refusal: Diagnostic) -> Iterator[Line]:
    """Who closed the gate before."""
    winner = refusal.data.get("winner")
    if winner:
        by = winner["decided_by"] or "somebody"
        at, decision_id = _at(winner["decided_at"]), winner["decision_id"]
        said = f"{winner['verdict']} by {by}, {at}, id {decision_id}"
        yield ["       the gate was closed by: ", (_flat(said), "bold")]


def _at(text: str) -> str:
    return clock(datetime.fromisoformat(text))


def _flat(text: str) -> str:
    return harmless(" ".join(text.split()))
