"""Wrote the golden histories, once: `python -m tests.golden.make_histories`.

It never writes over one that is there. A history that was released stays what it is for ever, and
what today's code would write is no matter to it; a new event type gets a history of its own.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from hitl_events.domain.events import Event
from hitl_events.domain.outcome import Outcome
from tests.golden import recipes
from tests.golden.play import CODEC, Play
from tests.unit.audit.lines import export_lines

HISTORIES = Path(__file__).with_name("histories")
REQUEST = {"topic": "Leave policy"}
SEATS = {"seats": 2}
DRAFT = {"title": "Leave policy", "lines": 3}


def reviewed() -> Play:
    """Revised, approved after a wrong verdict, published once, and a late decision."""
    play = Play(recipes.review, "golden-reviewed").start(REQUEST).done("write_draft", DRAFT)
    play.decide("yes", "d-1", decided_by="Bob")
    play.decide("request_changes", "d-2", decided_by="Ada", data={"clause": "4b", "severity": 2})
    play.done("write_draft", {"title": "Leave policy (4b)", "lines": 4})
    play.decide("approve", "d-3", notes="für alle", decided_by="Ada")
    play.done("publish", "published Leave policy (4b)")
    return play.decide("deny", "d-4", decided_by="Eve")


def denied() -> Play:
    """Denied: the result draws on the run's time and randomness."""
    play = Play(recipes.review, "golden-denied").start(REQUEST).done("write_draft", DRAFT)
    return play.decide("deny", "d-1", notes="not like this")


def paused() -> Play:
    """Waits for its decision."""
    return Play(recipes.review, "golden-paused").start(REQUEST).done("write_draft", DRAFT)


def uncertain() -> Play:
    """A once step whose end nobody saw, twice: at first it was not done, then it was."""
    play = paused_as("golden-uncertain").decide("approve", "d-1")
    play.restart(recipes.review).decide("did_not_happen", "d-2", decided_by="Ada")
    play.restart(recipes.review)
    return play.decide("happened", "d-3", data={"output": "published by hand"})


def abandoned() -> Play:
    """A once step that is given up, which fails the run."""
    play = paused_as("golden-abandoned").decide("approve", "d-1")
    return play.restart(recipes.review).decide("abandon", "d-2", notes="the site is gone")


def blocked() -> Play:
    """The recipe was not there for a while; somebody let the run go on."""
    play = Play(recipes.review, "golden-blocked").start(REQUEST)
    play.restart(None).restart(recipes.review).unblock()
    return play.done("write_draft", DRAFT)


def cancelled() -> Play:
    """Cancelled with a gate open and a step to try again; what was reserved is released."""
    play = Play(recipes.booking, "golden-cancelled").start(SEATS).done("reserve", "reserved 2")
    play.failed("charge", "no answer", retry_s=30)
    play.cancel("no longer wanted")
    return play.done("reserve", "released 2")


def withdrawn() -> Play:
    """A step fails for good beside a gate, which closes."""
    play = Play(recipes.booking, "golden-withdrawn").start(SEATS).done("reserve", "reserved 2")
    play.failed("charge", "no answer", retry_s=30).later(seconds=30)
    play.failed("charge", "card refused")
    return play.done("reserve", "released 2")


def expired() -> Play:
    """Nobody decided, twice: the second time the run fails of it."""
    play = Play(recipes.deadline, "golden-expired").start(None)
    return play.later(hours=1).later(minutes=1)


def scheduled() -> Play:
    """Nobody decided, so the schedule did; a decision that comes later is too late."""
    play = Play(recipes.deadline, "golden-scheduled").start("ship").later(hours=1)
    return play.decide("deny", "d-1")


def fragile() -> Play:
    """A recipe that lives with a failed step."""
    return Play(recipes.fragile, "golden-fragile").start(SEATS).failed("charge", "card refused")


def graph() -> Play:
    """A builder's run: two branches, a gate, a revision."""
    play = Play(recipes.graph, "golden-graph").start({"n": 1.5, "ü": [None, True]})
    play.done("draft", {"asked": 1}).done("archive", ["draft"])
    play.decide("request_changes", "d-1").done("draft", {"asked": 2})
    return play.decide("approve", "d-2", decided_by="Ada").done("send", ["archive", "draft"])


def paused_as(run_id: str) -> Play:
    """A run that waits for its review."""
    return Play(recipes.review, run_id).start(REQUEST).done("write_draft", DRAFT)


PLAYS = (
    reviewed,
    denied,
    paused,
    uncertain,
    abandoned,
    blocked,
    cancelled,
    withdrawn,
    expired,
    scheduled,
    fragile,
    graph,
)


def outcome_text(events: Sequence[Event]) -> str:
    """The outcome as it is kept beside a history: all but the wording of diagnostics."""
    outcome = Outcome(events).to_json()
    for diagnostic in outcome["diagnostics"]:
        del diagnostic["message"]
    return json.dumps(outcome, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the histories that are not there."""
    for make in PLAYS:
        file = HISTORIES / f"{make.__name__}.jsonl"
        if file.exists():
            continue
        play = make()
        file.write_bytes(b"".join(export_lines([(play.run_id, play.values)], CODEC)))
        file.with_suffix(".json").write_text(outcome_text(play.events), encoding="utf-8")


if __name__ == "__main__":
    main()
