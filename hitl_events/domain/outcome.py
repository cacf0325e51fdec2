"""What a run came to: `{status, artefact, diagnostics, trace}`, a fold of its events.

An outcome holds the events and folds them when it is asked: most callers look at the status alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import cached_property
from typing import Any

from hitl_events.domain import canonical
from hitl_events.domain.artefact import artefact_of, latest_by_name
from hitl_events.domain.diagnostics import Diagnostic, diagnostics_of
from hitl_events.domain.events import Event, GatePaused, RunStarted
from hitl_events.domain.evolve import fold
from hitl_events.domain.refusals import Rejection, diagnostic_code
from hitl_events.domain.state import RunState, Status, status
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.trace import TraceEntry, trace
from hitl_events.domain.values import iso, maker, value

_STATUS = {
    "completed": "ok",
    "paused": "paused",
    "running": "running",
    "failed": "error",
    "cancelled": "error",
    "blocked": "error",
}


_LEVELS = 5
"""Of an outcome around user data: itself, artefact, gates, a gate, its decision."""


@value
class Standing:
    """Where a run stands: what most callers ask of its state, from whoever holds that anyway.

    `changed` are the steps whose arguments the code has changed since (seq, message), from whoever
    has driven the run: the events alone can not tell.
    """

    status: Status
    open: tuple[GatePaused, ...]
    changed: Sequence[tuple[int, str]] = ()


_new_standing = maker(Standing)


def standing_of(run: RunState, changed: Sequence[tuple[int, str]] = ()) -> Standing:
    """Its status and open gates."""
    return _new_standing(
        status=status(run),
        open=tuple([gate.paused for gate in run.pending.values()]),
        changed=changed,
    )


class Outcome:
    """The outcome of a run as of its last given event; attributes have the names of the JSON.

    `standing` may be given by whoever has folded the same events; it saves doing that again.
    """

    def __init__(
        self,
        events: Sequence[Event] = (),
        *,
        keys: TokenKeys | None = None,
        refusal: Diagnostic | None = None,
        extra: Sequence[Diagnostic] = (),
        standing: Standing | None = None,
    ) -> None:
        self._events = events
        self._keys = keys
        self._refusal = refusal
        self._extra = extra
        self._standing = standing
        self._tokens: dict[int, str] | None = None

    @cached_property
    def _run(self) -> RunState | None:
        return fold(self._events)

    def _stands(self) -> Standing | None:
        if self._standing is None and self._run is not None:
            self._standing = standing_of(self._run)
        return self._standing

    @property
    def status(self) -> str:
        """`ok`, `paused`, `running` or `error`."""
        stands = self._stands()
        return "error" if self._refusal is not None or stands is None else _STATUS[stands.status]

    @property
    def _started(self) -> RunStarted | None:
        first = self._events[0] if self._events else None
        return first if isinstance(first, RunStarted) else None

    @property
    def run_id(self) -> str | None:
        """The run, None for a refusal that has none."""
        return self._started.run_id if self._started else None

    @property
    def recipe(self) -> str | None:
        """The recipe's name."""
        return self._started.recipe if self._started else None

    @property
    def version(self) -> str | None:
        """The recipe's version that the run started with."""
        return self._started.version if self._started else None

    @property
    def seq(self) -> int | None:
        """The last event that this outcome knows of."""
        return self._events[-1].seq if self._events else None

    @cached_property
    def artefact(self) -> dict[str, Any]:
        """`{input, steps, gates, result}`; partial while the run is paused."""
        return artefact_of(self._run) if self._run else {}

    @property
    def tokens(self) -> dict[str, str]:
        """Name in the artefact -> token of each open gate of a paused run, the first opened first.

        For a holder of the key.
        """
        if self._run is None or not self._issued():
            return {}
        gates = self._run.gates.items()
        named = latest_by_name((*key, gate.paused.seq) for key, gate in gates)
        names = {seq: name for name, seq in named.items()}
        return {names[seq]: token for seq, token in self._issued().items()}

    @property
    def token(self) -> str | None:
        """The token of the first open gate."""
        return next(iter(self._issued().values()), None)

    def _issued(self) -> dict[int, str]:
        """The token of each open gate by its seq."""
        if self._tokens is None:  # by hand: `cached_property` takes 1.4 us, half of a token
            self._tokens = self._issue()
        return self._tokens

    def _issue(self) -> dict[int, str]:
        started = self._started
        issued: dict[int, str] = {}
        if self._keys is None or started is None:
            return issued
        for paused in self._open():
            token = self._keys.issue(started.run_id, paused.seq, started.seed, paused.token_kid)
            if token is not None:
                issued[paused.seq] = token
        return issued

    def _open(self) -> tuple[GatePaused, ...]:
        stands = self._stands()
        return stands.open if stands is not None and self.status == "paused" else ()

    @property
    def pause_kind(self) -> str | None:
        """The kind of the first open gate: human, external, system, schedule or reconcile."""
        return next((paused.pause_kind for paused in self._open()), None)

    @cached_property
    def diagnostics(self) -> list[Diagnostic]:
        """Why this shape happened."""
        if self._refusal is not None:
            return [self._refusal]
        return [*(diagnostics_of(self._run) if self._run else ()), *self._extra]

    @cached_property
    def trace(self) -> list[TraceEntry]:
        """The account of the run, one entry per line."""
        return trace(self._events)

    def to_json(self) -> dict[str, Any]:
        """The JSON form of CONTRACT "Outcome"."""
        held: dict[str, Any] = {
            name: getattr(self, name) for name in ("status", "run_id", "recipe", "version", "seq")
        }
        held["artefact"] = self.artefact
        if self.token is not None:
            held |= {"token": self.token, "tokens": self.tokens}
        if self.pause_kind is not None:
            held["pause_kind"] = self.pause_kind
        held["diagnostics"] = [as_json(entry) for entry in self.diagnostics]
        held["trace"] = [as_json(entry) for entry in self.trace]
        return held

    def __repr__(self) -> str:
        return f"Outcome(status={self.status!r}, run_id={self.run_id!r}, seq={self.seq!r})"


def as_json(entry: Diagnostic | TraceEntry) -> dict[str, Any]:
    """A diagnostic or trace entry as its JSON object."""
    return {field.name: getattr(entry, field.name) for field in fields(entry)}


def refused(events: Sequence[Event], rejection: Rejection, *, decision: bool) -> Outcome:
    """The outcome that answers a refused command; the run, if there is one, is as it was."""
    won = rejection.winner
    winner = won and {
        "decision_id": won.decision_id,
        "verdict": won.verdict,
        "decided_by": won.decided_by,
        "decided_at": iso(won.decided_at),
    }
    diagnostic = Diagnostic(
        level="error",
        code=diagnostic_code(rejection.reason, decision=decision),
        message=rejection.message,
        data={"reason": rejection.reason, "winner": winner},
    )
    return Outcome(events, refusal=diagnostic)


def canonical_outcome(events: Iterable[Event]) -> bytes:
    """State, artefact and trace as bytes, to compare a replay with what was recorded (P7)."""
    return canonical.dumps(Outcome(tuple(events)).to_json(), around=_LEVELS)
