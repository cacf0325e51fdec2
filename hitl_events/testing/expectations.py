"""What a scenario expects, and the sentence about it where something else was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypedDict, cast

from hitl_events.domain import canonical
from hitl_events.domain.events import Event
from hitl_events.domain.outcome import Outcome
from hitl_events.domain.state import StepKey
from hitl_events.domain.values import value
from hitl_events.ports import Answer
from hitl_events.recipes import values

_SHOWN_CHARS = 300

Json: TypeAlias = dict[str, object]


@value
class EventLike:
    """An event of a class whose named fields have these values; user data is compared as JSON."""

    kind: type[Event]
    fields: Mapping[str, Any]

    def __call__(self, event: Event) -> bool:
        """Whether the event is one."""
        if not isinstance(event, self.kind):
            return False
        return all(_same(getattr(event, name), expected) for name, expected in self.fields.items())

    def __str__(self) -> str:
        fields = ", ".join(f"{name}={expected!r}" for name, expected in self.fields.items())
        return f"{self.kind.__name__}({fields})"


Expected: TypeAlias = type[Event] | EventLike | Callable[[Event], object]


def event_like(kind: type[Event], **fields: object) -> EventLike:
    """An event to expect: `event_like(GatePaused, gate="legal", draft={"text": "..."})`."""
    unknown = fields.keys() - set(kind.__dataclass_fields__)
    if unknown:
        raise TypeError(f"expected fields of {kind.__name__}, found {sorted(unknown)}")
    return EventLike(kind=kind, fields=fields)


class Facts(TypedDict, total=False):
    """What can be said of a run: each is checked if it is given."""

    completed: Any
    """It ended with this result."""
    paused: str | Sequence[str]
    """It waits at exactly these gates, and nothing of it runs."""
    asks_step: str | Sequence[str]
    """Exactly these steps are asked for and have not ended (`undo NAME` for an undo)."""
    failed: str
    """It failed with this code (`step.failed`, `gate.expired`, `recipe.failed`, ...)."""
    cancelled: str
    """It was cancelled for this reason."""
    blocked: str
    """It is blocked with this code (`recipe.diverged`, ...)."""
    refused: str
    """What was brought last was refused for this reason."""
    winner: str
    """The refusal names this decision id."""
    draft: Any
    """The first open gate shows this."""
    artefact: Mapping[str, Any]
    """The artefact holds at least this."""
    outcome: Callable[[Outcome], object]
    """The outcome is one of which this is true."""


@value
class Found:
    """The run as it is. `new` are the events since the last `when`."""

    outcome: Outcome
    new: Sequence[Event]
    asked: Sequence[StepKey]
    answer: Answer | None

    @property
    def steps(self) -> list[str]:
        """The steps asked for, as `asks_step` names them."""
        return [f"undo {name}" if kind == "undo" else name for kind, name, _ in self.asked]

    @property
    def gates(self) -> list[str]:
        """The open gates."""
        shown = self.outcome.artefact.get("gates", {})
        return [name for name, gate in shown.items() if gate["status"] == "pending"]

    def codes(self, level: str) -> list[str]:
        """The diagnostic codes of one level."""
        return [each.code for each in self.outcome.diagnostics if each.level == level]

    def __str__(self) -> str:
        outcome = self.outcome
        if outcome.run_id is None:
            return "no run"
        if outcome.status == "ok":
            return f"completed with {_shown(outcome.artefact['result'])}"
        parts = [outcome.status, *self.codes("error")]
        if self.gates:
            parts.append(f"at {_named(self.gates)}")
        if self.steps:
            parts.append(f"asking for step {_named(self.steps)}")
        return " ".join(parts)


def check_events(expected: Sequence[Expected], found: Found) -> None:
    """`AssertionError` unless the new events are these, one for one."""
    names = [type(event).__name__ for event in found.new]
    wanted = [_spelt(each) for each in expected]
    if len(expected) != len(found.new):
        _fail(f"events {', '.join(wanted)}", ", ".join(names) or "none", found)
    for each, event in zip(expected, found.new, strict=True):
        if not (isinstance(event, each) if isinstance(each, type) else each(event)):
            _fail(f"{_spelt(each)} as event {event.seq}", str(event), found)


def check_facts(facts: Facts, found: Found) -> None:
    """`AssertionError` for the first fact that does not hold, `TypeError` for what is none."""
    unknown = facts.keys() - Facts.__annotations__.keys()
    if unknown:
        wanted = ", ".join(Facts.__annotations__)
        raise TypeError(f"expected facts of {wanted}; found {', '.join(sorted(unknown))}")
    for wanted, holds in _judged(facts, found):
        if not holds:
            _fail(wanted, str(found), found)
    answer = found.answer
    if "refused" in facts:
        reason = answer.reason if answer else None
        if reason != facts["refused"]:
            _fail(f"a refusal for {facts['refused']}", str(reason or "none"), found)
    if "winner" in facts:
        winner = answer.winner.decision_id if answer and answer.winner else None
        if winner != facts["winner"]:
            _fail(f"the winner {facts['winner']!r} to be named", repr(winner), found)
    _check_values(facts, found)


def _judged(facts: Facts, found: Found) -> Iterator[tuple[str, bool]]:
    outcome = found.outcome
    if "completed" in facts:
        result = outcome.artefact.get("result")
        holds = outcome.status == "ok" and _same_json(result, facts["completed"])
        yield f"the run completed with {_shown(facts['completed'])}", holds
    if "paused" in facts:
        gates = _listed(facts["paused"])
        paused = outcome.status == "paused" and not found.asked
        yield f"the run paused at {_named(gates)}", paused and sorted(gates) == sorted(found.gates)
    if "asks_step" in facts:
        steps = _listed(facts["asks_step"])
        yield f"the run asking for step {_named(steps)}", sorted(steps) == sorted(found.steps)
    for name, code in (("failed", facts.get("failed")), ("blocked", facts.get("blocked"))):
        if code is not None:
            yield f"the run {name} with {code}", code in found.codes("error")
    if "cancelled" in facts:
        reasons = [each.data.get("reason") for each in outcome.diagnostics]
        cancelled = "run.cancelled" in found.codes("error")
        wanted = f"the run cancelled for {facts['cancelled']!r}"
        yield wanted, cancelled and facts["cancelled"] in reasons


def _check_values(facts: Facts, found: Found) -> None:
    artefact = found.outcome.artefact
    if "draft" in facts:
        drafts = [artefact["gates"][name]["draft"] for name in found.gates]
        if not drafts or not _same_json(drafts[0], facts["draft"]):
            shown = _shown(drafts[0]) if drafts else "no open gate"
            _fail(f"the draft {_shown(facts['draft'])}", shown, found)
    if "artefact" in facts:
        wanted = values.as_json(dict(facts["artefact"]))
        if not _holds(artefact, wanted):
            _fail(f"an artefact with {_shown(wanted)}", _shown(artefact), found)
    if "outcome" in facts and not facts["outcome"](found.outcome):
        _fail(f"an outcome that passes {_spelt(facts['outcome'])}", str(found), found)


def _fail(expected: str, what: str, found: Found) -> None:
    lines = [f"expected {expected}, found {what}"]
    lines += [f"  {entry.seq:3} {entry.kind} {_shown(entry.data)}" for entry in found.outcome.trace]
    raise AssertionError("\n".join(lines))


def _same(held: object, expected: object) -> bool:
    """Equal, or the recorded bytes of the expected JSON value."""
    if isinstance(held, bytes) and not isinstance(expected, bytes):
        return held == values.dump(expected)
    return bool(held == expected)


def _same_json(held: object, expected: object) -> bool:
    return canonical.dumps(held) == values.dump(expected)


def _holds(held: object, wanted: object) -> bool:
    """Objects hold at least what is wanted of them, everything else is equal."""
    if not isinstance(wanted, dict) or not isinstance(held, dict):
        return held == wanted
    has, asked = cast("Json", held), cast("Json", wanted)
    return all(name in has and _holds(has[name], each) for name, each in asked.items())


def _listed(named: str | Sequence[str]) -> list[str]:
    return [named] if isinstance(named, str) else list(named)


def _named(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names) or "nothing"


def _shown(held: object) -> str:
    text = values.dump(held).decode()
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "..."


def _spelt(expected: object) -> str:
    if isinstance(expected, type):
        return expected.__name__
    return (
        str(expected)
        if isinstance(expected, EventLike)
        else getattr(expected, "__name__", repr(expected))
    )
