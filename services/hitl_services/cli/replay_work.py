"""Replaying a portion of runs, in this process or in one of several; it prints and asks nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import TypeAlias

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.blobs import FileBlobs
from hitl_events.audit.replay import STUCK, Replayed, raised, replay_run, untried
from hitl_events.domain.events import RunStarted
from hitl_events.domain.references import completed
from hitl_events.domain.values import RunId
from hitl_events.errors import HitlError
from hitl_events.recipes.book import Book
from hitl_events.recipes.endings import message_of
from hitl_events.runtime.foreign import outside_of_tasks
from hitl_events.runtime.watchdog import Watchdog
from hitl_services.modules import load_recipes

Portion: TypeAlias = list[tuple[RunId, Sequence[bytes]]]
"""Runs with their events."""
PORTION_EVENTS = 500
"""What goes to a process at once: some 200 KB and a tenth of a second, unless one run has more."""

STUCK_MAX = 3
"""Runs of a recipe that spins, at 5 s each; for the others it is then known."""

Replay: TypeAlias = Callable[[Portion], list[Replayed]]


def prepare(
    recipes: Sequence[str], strict: bool, blobs: FileBlobs | None
) -> Callable[[Portion, object], list[Replayed]]:
    """Load the recipes; what is given replays portions with them."""
    # the watch lives as long as the process, which is for nothing else
    replay = of_book(Book(load_recipes(recipes)), Watchdog(), strict=strict, blobs=blobs)
    loop = asyncio.Runner()  # it too: recipes are driven on a loop, as in an engine

    async def on_loop(portion: Portion) -> list[Replayed]:
        return replay(portion)

    return lambda portion, _tell: loop.run(on_loop(portion))


def of_book(book: Book, watch: Watchdog, *, strict: bool, blobs: FileBlobs | None = None) -> Replay:
    """Replays portions with these recipes; what is large is in the blobs."""
    one = _One(book, watch, blobs, strict=strict)
    return lambda portion: [one.replayed(values) for _, values in portion]


class _One:
    """Replays one run after the other."""

    def __init__(
        self, book: Book, watch: Watchdog, blobs: FileBlobs | None, *, strict: bool
    ) -> None:
        self._book = book
        self._blobs = blobs
        self._strict = strict
        self._decode = AvroCodec().decode
        self._watch = watch
        self._stuck: Counter[tuple[str, str]] = Counter()

    def replayed(self, values: Sequence[bytes]) -> Replayed:
        """How it went; whatever the code does, the next run can be replayed after it."""
        events = tuple(map(self._decode, values))
        if self._blobs is not None:
            read = self._blobs.read
            events = tuple(completed(event, read) for event in events)
        started = events[0]
        if isinstance(started, RunStarted):
            stuck = self._stuck[started.recipe, started.version]
            if stuck >= STUCK_MAX:
                return untried(started, len(events), stuck)
        try:
            with outside_of_tasks():
                found = replay_run(events, self._book, self._watch, strict=self._strict)
        except HitlError:
            raise  # the log is at fault, not the code
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's types raise
            assert isinstance(started, RunStarted)
            return raised(started, events[-1].seq, f"{type(error).__name__}: {message_of(error)}")
        if found.result == STUCK:
            self._stuck[found.recipe, found.version] += 1
        return found


def named(portion: Portion) -> str:
    """The runs of a portion, to be told."""
    first, last = portion[0][0], portion[-1][0]
    return f"run {first}" if first == last else f"runs {first} to {last}"


async def portions(
    histories: AsyncIterator[tuple[RunId, Sequence[bytes]]],
) -> AsyncGenerator[Portion]:
    """The runs, some hundred events at once."""
    portion: Portion = []
    events = 0
    async for run_id, values in histories:
        portion.append((run_id, values))
        events += len(values)
        if events >= PORTION_EVENTS:
            yield portion
            portion, events = [], 0
    if portion:
        yield portion
