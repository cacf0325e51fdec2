"""Many seeds, on all the cores there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from hitl_events.testing.simulation.play import Report, failures

_PIECE_SEEDS = 250
"""About two seconds of work: enough that handing it over does not count."""


def sweep(seeds: range, processes: int) -> Iterator[Report]:
    """The reports of those seeds that broke a promise, as they are found; at most one per piece."""
    pieces = [seeds[at : at + _PIECE_SEEDS] for at in range(0, len(seeds), _PIECE_SEEDS)]
    if processes == 1:
        for piece in pieces:
            yield from _first_failure(piece)
        return
    # "spawn", as a fork of a process with threads may hang
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for found in pool.map(_first_failure, pieces):
            yield from found


def _first_failure(seeds: Sequence[int]) -> list[Report]:
    report = next(failures(seeds), None)
    return [] if report is None else [report]
