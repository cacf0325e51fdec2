"""`hitl replay`: recorded histories against the code of now; nothing runs, nothing is recorded."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, aclosing
from typing import IO

from hitl_events.audit.replay import Replayed
from hitl_events.domain.values import value
from hitl_events.errors import InvalidInput
from hitl_events.recipes.book import Book
from hitl_events.runtime.watchdog import Watchdog
from hitl_services.cli import replay_work
from hitl_services.cli.files import Write, written
from hitl_services.cli.interruptible import interruptible
from hitl_services.cli.opening import opened
from hitl_services.cli.progress import progress
from hitl_services.cli.replay_results import Results, said
from hitl_services.cli.replay_work import Portion, portions
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store, blobs_of
from hitl_services.cli.workers import cores, workers
from hitl_services.failure import DIVERGED, DONE, one_line
from hitl_services.modules import load_recipes
from hitl_services.text import harmless_json

ALONE_EVENTS_MAX = 20_000
"""Replayed here in a second or two; a process more takes as long to start."""
_NO_STORE = "no blob store to look into was given: HITL_BLOBS names it"
_IN_MEMORY_BYTES = 1024 * 1024
_PIECE_CHARS = 64 * 1024


@value
class Asked:
    """Which runs, how strictly, by how many processes (None: as it pays), and where to report."""

    run_ids: tuple[str, ...] = ()
    open_only: bool = False
    strict: bool = False
    jobs: int | None = None
    report: str | None = None
    force: bool = False


def replay(screen: Screen, settings: Settings, asked: Asked) -> int:
    """Exit 3 where the code of now does not fit a history."""
    screen.shield()
    if not settings.recipes:
        raise InvalidInput("expected modules of recipes in --recipes or HITL_RECIPES, found none")
    book = Book(load_recipes(settings.recipes))
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, "w+", encoding="utf-8") as listed:
        one = _One(screen, settings, asked, book, listed)
        if asked.report is None:
            results = one.results(None)
        else:
            results = written(asked.report, one.results, force=asked.force)
        if settings.json:
            _document(screen, listed)
        else:
            screen.page(results.page())
    if not results.misfits:
        return DONE
    lacking = _NO_STORE if blobs_of(settings) is None and results.lacks_blobs else ""
    if settings.json or not screen.is_seen:
        more = f" (and {results.misfits - 1} more)" if results.misfits > 1 else ""
        told = f"; {lacking}" if lacking else ""
        screen.note(f"hitl: {one_line(f'{said(results.wrong[0])}{more}{told}')}")
    elif lacking:
        screen.note(f"hitl: {lacking}")
    return DIVERGED


def _document(screen: Screen, listed: IO[str]) -> None:
    """The list of all results: it was spilled, because nobody knows how long it is."""
    listed.seek(0)
    while piece := listed.read(_PIECE_CHARS):
        screen.write(piece)


class _One:
    """One replay of a log."""

    def __init__(
        self, screen: Screen, settings: Settings, asked: Asked, book: Book, listed: IO[str]
    ) -> None:
        self._screen = screen
        self._settings = settings
        self._asked = asked
        self._book = book
        self._listed = listed

    def results(self, report: Write | None) -> Results:
        """Read the log once, as it is now."""
        screen, settings, asked = self._screen, self._settings, self._asked
        results = Results(report)
        run_ids = asked.run_ids or None
        with (
            opened(screen, settings, run_ids, must_exist=True) as store,
            store.log.snapshot(),
            ExitStack() as undo,
        ):
            interruptible(self._through(store, results, undo))
        results.end(self._book, open_only=asked.open_only, strict=asked.strict)
        return results

    async def _through(self, store: Store, results: Results, undo: ExitStack) -> None:
        end = await store.log.end()
        histories = store.histories(self._asked.run_ids, open_only=self._asked.open_only)
        some = self._asked.run_ids or self._asked.open_only
        with progress(self._screen, "replaying events", None if some else end) as told:
            async with aclosing(self._replayed(portions(histories), end, undo)) as answers:
                async for answer in answers:
                    self._take(answer, results)
                    told(sum(each.events for each in answer))
        self._listed.write("\n]\n" if results.runs else "[]\n")

    def _take(self, answer: list[Replayed], results: Results) -> None:
        for each in answer:
            if self._settings.json:
                between = "," if results.runs else "["
                self._listed.write(f"{between}\n{_object(each, self._screen)}")
            results.add(each)

    async def _replayed(
        self, asked: AsyncIterator[Portion], events: int, undo: ExitStack
    ) -> AsyncGenerator[list[Replayed]]:
        jobs, blobs = self._asked.jobs, blobs_of(self._settings)
        if jobs is None:
            jobs = 1 if events < ALONE_EVENTS_MAX else cores()
        if jobs == 1:
            watch = Watchdog()
            undo.callback(watch.close)
            strict = self._asked.strict
            work = replay_work.of_book(self._book, watch, strict=strict, blobs=blobs)
            async for portion in asked:
                yield work(portion)
            return
        given = (self._settings.recipes, self._asked.strict, blobs)
        beside = workers(jobs, replay_work.prepare, given, replay_work.named)
        async for answer in undo.enter_context(beside).answers(asked):
            yield answer


def _object(each: Replayed, screen: Screen) -> str:
    text = json.dumps(each.to_json(), ensure_ascii=screen.ascii_only)
    return harmless_json(text)
