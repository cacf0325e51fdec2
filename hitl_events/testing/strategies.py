"""Hypothesis strategies: JSON values, commands, and histories that an engine can have written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import strategies as st

from hitl_events.domain import canonical
from hitl_events.domain.commands import CancelRun, Command, Decide, Origin, StartRun, UnblockRun
from hitl_events.domain.content import content_digest
from hitl_events.domain.events import Event, GatePaused, RunStarted
from hitl_events.domain.evolve import fold
from hitl_events.domain.token import Claim
from hitl_events.domain.values import RunId
from hitl_events.testing.histories import history_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
"""Any text but lone surrogates, which no record can hold."""
RUN_IDS = st.from_regex(r"[A-Za-z0-9_.~-]{1,64}", fullmatch=True).map(RunId)
_LEAVES_MAX = 20


def json_values() -> st.SearchStrategy[Any]:
    """Every JSON value that can be recorded: integers up to 2^53 - 1, no NaN, no lone surrogate."""
    whole = st.integers(-canonical.INTEGER_MAX, canonical.INTEGER_MAX)
    scalars = st.none() | st.booleans() | whole | _floats() | TEXT
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
        max_leaves=_LEAVES_MAX,
    )


def _floats() -> st.SearchStrategy[float]:
    return st.floats(allow_nan=False, allow_infinity=False)


def histories(*, ended: bool = False) -> st.SearchStrategy[tuple[Event, ...]]:
    """All events of one run, driven through the engine: a history that is possible.

    It shrinks to shorter runs of simpler recipes. `ended`: only of runs that are over.
    """

    def history(random: Random) -> tuple[Event, ...]:
        return history_of(random, ended=ended)

    found = st.randoms(use_true_random=False).map(history)
    return found.filter(_is_over) if ended else found


def _is_over(history: tuple[Event, ...]) -> bool:
    """Not so for a run that is blocked for ever, as its code was changed back and forth."""
    run = fold(history)
    return run is not None and run.ended


_DAY = (datetime(2026, 1, 1), datetime(2026, 1, 2))  # noqa: DTZ001 - hypothesis adds the zone


def origins() -> st.SearchStrategy[Origin]:
    """How a command may have come in."""
    return st.builds(
        Origin,
        channel=st.sampled_from(("topic", "runtime", "http", "cli")),
        identity=st.sampled_from(("claimed", "authenticated", "signed")),
        arrived_at=st.datetimes(*_DAY, timezones=st.just(UTC)),
    )


def commands(history: Sequence[Event] = ()) -> st.SearchStrategy[Command]:
    """Any command; with a history mostly ones about that run and its gates."""
    started = next((event for event in history if isinstance(event, RunStarted)), None)
    run_ids = RUN_IDS if started is None else st.just(started.run_id) | RUN_IDS
    given = {"run_id": run_ids, "command_id": TEXT, "origin": origins()}
    starts = st.builds(
        StartRun,
        recipe=st.just(started.recipe if started else "played") | TEXT,
        input=(st.just(started.input) if started else st.nothing())
        | json_values().map(canonical.dumps),
        seed=st.binary(min_size=16, max_size=16),
        **given,
    )
    cancels = st.builds(CancelRun, reason=TEXT, cancelled_by=st.none() | TEXT, **given)
    unblocks = st.builds(UnblockRun, by=st.none() | TEXT, **given)
    return decisions(history) | starts | cancels | unblocks


@st.composite
def decisions(draw: st.DrawFn, history: Sequence[Event] = ()) -> Decide:
    """A decision as the engine gets it; one without a claim had a token whose MAC does not hold."""
    fields: dict[str, Any] = {
        "token": draw(st.sampled_from(("hitl_a", "hitl_b"))),
        "verdict": draw(st.sampled_from(_verdicts(history)) | TEXT),
        "notes": draw(st.none() | TEXT),
        "data": draw(st.none() | _data().map(canonical.dumps)),
        "decided_by": draw(st.none() | st.sampled_from(("ann", "bob"))),
        "draft_digest": draw(st.none() | st.sampled_from((bytes(32), *_digests(history)))),
    }
    return Decide(
        **fields,
        decision_id=draw(st.sampled_from(("dec:1", "dec:2")) | TEXT),
        content_digest=content_digest(**fields),
        claim=draw(st.none() | st.sampled_from(_claims(history))),
        origin=draw(origins()),
    )


def _data() -> st.SearchStrategy[dict[str, Any]]:
    known: list[dict[str, Any]] = [{}, {"score": 3}, {"output": "out:1"}]
    return st.sampled_from(known) | st.dictionaries(TEXT, json_values(), max_size=3)


def _pauses(history: Sequence[Event]) -> list[GatePaused]:
    return [event for event in history if isinstance(event, GatePaused)]


def _verdicts(history: Sequence[Event]) -> list[str]:
    return ["approve", "deny", *(each for pause in _pauses(history) for each in pause.verdicts)]


def _digests(history: Sequence[Event]) -> list[bytes]:
    return [pause.draft_digest for pause in _pauses(history)]


def _claims(history: Sequence[Event]) -> list[Claim]:
    """What the tokens of the history's gates say; and one of a run that is not there."""
    seeds = [event.seed for event in history if isinstance(event, RunStarted)]
    claims = [
        Claim(run_id=pause.run_id, seq=pause.seq, seed_prefix=seed[:8])
        for pause in _pauses(history)
        for seed in seeds
    ]
    return [*claims, Claim(run_id=RunId("ghost"), seq=2, seed_prefix=bytes(8))]
