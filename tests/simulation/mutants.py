"""Engines with one mistake each: the checker must find every one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from typing import Any

import pytest

from hitl_events.adapters.memory import MemoryLog
from hitl_events.audit.chain import ChainCheck
from hitl_events.domain import decide
from hitl_events.domain.commands import Decide
from hitl_events.domain.events import DecisionReceived
from hitl_events.domain.refusals import Rejection
from hitl_events.domain.state import GateState, RunState
from hitl_events.domain.values import EPOCH
from hitl_events.engine.active import ActiveRun
from hitl_events.engine.drive import Drive
from hitl_events.engine.engine import Engine
from hitl_events.engine.inputs import Input, StepStart, Submission
from hitl_events.engine.steps import Steps
from hitl_events.engine.turn import Turn
from hitl_events.ports import RunPosition
from hitl_events.recipes.run import Run
from hitl_events.runtime.arrivals import Arrivals
from hitl_events.testing.simulation.owner import Owner

Patch = pytest.MonkeyPatch


def _nothing(*_: object) -> None:
    """In place of something that should have been done."""


def _none(*_: object) -> list[StepStart]:
    return []


def steps_before_the_commit(patch: Patch) -> None:
    """P5: a step begins although nothing of its turn is durable."""
    commit, begin = Owner._commit, Owner._begin

    def hasty(self: Owner, turn: Turn) -> None:
        begin(self, turn.starts)
        commit(self, turn)

    patch.setattr(Owner, "_commit", hasty)
    patch.setattr(Owner, "_begin", _nothing)


def uncertain_steps_again(patch: Patch) -> None:
    """P6: after a crash a once step is simply begun again."""
    begin = Steps.request

    def careless(self: Steps, active: ActiveRun, request: Any, now: datetime) -> list[StepStart]:
        held = active.run.steps.get(request.key)
        if held is not None and held.status == "started" and request.key not in active.running:
            active.running[request.key] = held.attempt
            return [StepStart(run_id=active.run_id, request=request, attempt=held.attempt)]
        return begin(self, active, request, now)

    patch.setattr(Steps, "request", careless)


def second_decisions_accepted(patch: Patch) -> None:
    """P3: nobody looks whether the gate is still open."""
    patch.setattr(decide, "_closed", _nothing)


def winners_unnamed(patch: Patch) -> None:
    """P3: the late are refused, and not told by whom they lost."""
    whole = decide.rejection_of

    def silent(run: RunState, event: Any) -> Rejection:
        rejection = whole(run, event)
        rejection.winner = None  # type: ignore[misc]  # a mistake on purpose
        return rejection

    patch.setattr("hitl_events.engine.engine.rejection_of", silent)


def answers_dropped(patch: Patch) -> None:
    """P2: a refused decision is recorded and its sender never hears of it."""
    answer = Engine._answer

    def forgetful(self: Engine, entry: Submission, *rest: Any) -> None:
        if rest[2] is None or rest[2].reason != "conflict":
            answer(self, entry, *rest)

    patch.setattr(Engine, "_answer", forgetful)


def repeats_recorded(patch: Patch) -> None:
    """P2: the same decision sent again is taken for a new one."""
    rule = decide.process_decision

    def forgetful(run: RunState | None, command: Decide, *rest: Any, **named: Any) -> Any:
        held = dict(run.decisions) if run else {}
        if run is not None:
            run.decisions.clear()
        try:
            return rule(run, command, *rest, **named)
        finally:
            if run is not None:
                run.decisions.update(held)

    patch.setattr("hitl_events.domain.process.process_decision", forgetful)


def digests_ignored(patch: Patch) -> None:
    """P11: an approval of another draft counts."""
    misfit = decide._misfit

    def blind(gate: GateState, command: Decide) -> Any:
        command.draft_digest, held = None, command.draft_digest  # type: ignore[misc]  # on purpose
        found = misfit(gate, command)
        command.draft_digest = held  # type: ignore[misc]  # as above
        return found

    patch.setattr(decide, "_misfit", blind)


def chains_broken(patch: Patch) -> None:
    """P12: an event bears no digest of its predecessor."""
    record = ActiveRun.record

    def unchained(self: ActiveRun, event: Any, *rest: Any) -> None:
        self.head = bytes(32) if isinstance(event, DecisionReceived) else self.head
        record(self, event, *rest)

    patch.setattr(ActiveRun, "record", unchained)


def work_forgotten(patch: Patch) -> None:
    """Liveness: a run that pauses beside a running step is not taken up by the next owner."""
    position = ActiveRun.position

    def idle(self: ActiveRun) -> RunPosition:
        found = position(self)
        found.busy = found.status == "running"  # type: ignore[misc]  # on purpose
        return found

    patch.setattr(ActiveRun, "position", idle)


def expiry_before_the_intake(patch: Patch) -> None:
    """P2: timers look at the clock after the intake was read, so one in time can lose."""
    due = Drive.due

    def early(self: Drive, active: ActiveRun, until: datetime, now: datetime) -> list[StepStart]:
        return due(self, active, now, now)

    patch.setattr(Drive, "due", early)


def own_calls_first(patch: Patch) -> None:
    """P2: a late call of the owner passes a record that arrived in time."""

    def unfair(self: Arrivals, limit: int) -> list[Input]:
        taken: list[Input] = []
        while len(taken) < limit and (self.own or self._records):
            taken.append(self.own.popleft() if self.own else self._records.popleft())
        return taken

    patch.setattr(Arrivals, "take", unfair)


def replays_that_differ(patch: Patch) -> None:
    """P7: what a recipe draws is drawn anew on every replay."""
    luck = Random(1)

    def drawn(run: Run) -> float:
        return luck.random()

    patch.setattr(Run, "random", drawn)


def owners_unfenced(patch: Patch) -> None:
    """P9: a log that takes what a stale owner writes."""
    patch.setattr(MemoryLog, "_check_owner", _nothing)


def foreign_tokens_accepted(patch: Patch) -> None:
    """P2: the token of another run with the same id opens this one's gate."""
    rule = decide.process_decision

    def trusting(run: RunState | None, command: Decide, *rest: Any, **named: Any) -> Any:
        if run is not None and command.claim is not None:
            command.claim.seed_prefix = run.started.seed[:8]  # type: ignore[misc]  # on purpose
        return rule(run, command, *rest, **named)

    patch.setattr("hitl_events.domain.process.process_decision", trusting)


def retries_lost(patch: Patch) -> None:
    """Liveness: nobody tries a failed step again."""
    patch.setattr(Steps, "retries", _none)


def one_fault_for_all(patch: Patch) -> None:
    """P10: a strange record ends the turn of its neighbours."""
    one = Engine._one

    def brittle(self: Engine, entry: Input, run_id: Any) -> None:
        if isinstance(entry, Submission) and run_id is None:
            raise ValueError("a record that nobody can read")
        one(self, entry, run_id)

    patch.setattr(Engine, "_one", brittle)


def ends_of_any_attempt(patch: Patch) -> None:
    """P4: what an owner before reports is recorded, whatever is known of the step."""

    def always(*_: object) -> bool:
        return True

    patch.setattr("hitl_events.domain.report.under_way", always)


def steps_not_joined(patch: Patch) -> None:
    """P1: a process that has the partition again does not know what is at work in it."""
    patch.setattr(Engine, "adopt", _nothing)


def begun_although_over(patch: Patch) -> None:
    """P4: a step begins in the turn that records its end."""
    patch.setattr(Engine, "_do_not_begin", _nothing)


def damage_cried(patch: Patch) -> None:
    """P12: whoever verifies does not know that an attempt may be under way."""
    finish = ChainCheck.finish

    def strict(self: ChainCheck, heads: Any, *, now: datetime) -> None:
        finish(self, heads, now=EPOCH)

    patch.setattr(ChainCheck, "finish", strict)


MUTANTS: Sequence[Callable[[Patch], None]] = (
    steps_before_the_commit,
    uncertain_steps_again,
    second_decisions_accepted,
    winners_unnamed,
    answers_dropped,
    repeats_recorded,
    digests_ignored,
    chains_broken,
    work_forgotten,
    expiry_before_the_intake,
    own_calls_first,
    replays_that_differ,
    owners_unfenced,
    foreign_tokens_accepted,
    retries_lost,
    one_fault_for_all,
    ends_of_any_attempt,
    steps_not_joined,
    begun_although_over,
    damage_cried,
)
