"""`hitl show --time` and `--gate`: a run, or one gate of it, as it stood at a moment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from hitl_events.adapters.system import SystemClock
from hitl_events.domain.events import Event
from hitl_events.domain.values import iso
from hitl_events.errors import InvalidInput
from hitl_events.projections.reviews import open_reviews, review
from hitl_events.projections.rounds import round_named
from hitl_services.cli.interruptible import interruptible
from hitl_services.cli.opening import opened
from hitl_services.cli.pages import OutcomePage
from hitl_services.cli.review_page import review_details, review_page
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store
from hitl_services.failure import DONE
from hitl_services.moments import moment
from hitl_services.text import quoted


def show_time(screen: Screen, settings: Settings, run_id: str, text: str) -> int:
    """The outcome at that time, with the review page of every gate that was open then."""
    then = moment(text, "--time", now=SystemClock().now())
    store, whole = _read(screen, settings, run_id)
    # no event is recorded before its predecessor
    count = bisect_right(whole, then, key=lambda event: event.recorded_at)
    if count == 0:
        begun = f"a time from {iso(whole[0].recorded_at)} on, when the run began"
        raise InvalidInput(f"expected {begun}, as --time, found {quoted(text)}")
    events = whole[:count]
    outcome = store.outcome(events)
    if settings.json:
        reviews = [page.to_json() for page in open_reviews(events)]
        screen.document(outcome.to_json() | {"reviews": reviews})
        return DONE
    page = OutcomePage(outcome, now=then, width=screen.width, repeated=settings.repeated)
    screen.page(page.full())
    screen.page(review_details(events, screen.width))
    return DONE


def show_gate(screen: Screen, settings: Settings, run_id: str, named: str) -> int:
    """What was shown for review in the moment in which that round of a gate opened."""
    store, whole = _read(screen, settings, run_id)
    paused = round_named(whole, named)
    events = whole[: paused.seq]
    page = review(events, paused.seq)
    if settings.json:
        screen.document(store.outcome(events).to_json() | {"reviews": [page.to_json()]})
    else:
        screen.page(review_page(page, screen.width))
    return DONE


def _read(screen: Screen, settings: Settings, run_id: str) -> tuple[Store, Sequence[Event]]:
    with opened(screen, settings, [run_id]) as store:
        return store, interruptible(store.history(run_id))
