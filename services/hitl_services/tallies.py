"""Numbers that one thread counts and another reads, at the price of a dict entry.

A counter of prometheus-client takes a lock for each increment and a histogram one for each value
besides a walk through its buckets: 0.5 and 1.4 us, ten of them for each run. All counting of ours
happens on the event loop; a scrape reads these under the interpreter's lock and may be one behind.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TypeAlias

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector

Labels: TypeAlias = tuple[str, ...]
Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily

SERIES_MAX = 1000
"""Label values of one metric; the names of steps are the users', who may make up new ones."""
OTHER = "(other)"


class Counts:
    """Totals by label values; `labels` are the names of those. Nothing of it ever goes down.

    Those of the values in `known` begin at 0: of a series that begins with its first one, whoever
    asks for the increase is told nothing of that one.
    """

    def __init__(self, name: str, text: str, labels: Labels, known: Iterable[str] = ()) -> None:
        self.name, self.text, self.labels = name, text, labels
        self.held: defaultdict[Labels, int] = defaultdict(int)
        self.held.update({(each,): 0 for each in known} if labels else {(): 0})

    def add(self, number: int, *labels: str) -> None:
        """Count `number` more."""
        self.held[labels] += number

    def family(self) -> Family:
        """What a scrape is told."""
        family = CounterMetricFamily(self.name, self.text, labels=self.labels)
        for labels, total in sorted(self.held.copy().items()):
            family.add_metric(labels, total)
        return family


class Levels:
    """Values as of now by label values."""

    def __init__(self, name: str, text: str, labels: Labels) -> None:
        self.name, self.text, self.labels = name, text, labels
        self.held: dict[Labels, float] = {}

    def set(self, level: float, *labels: str) -> None:
        """It is `level` now."""
        self.held[labels] = level

    def replace(self, held: dict[Labels, float]) -> None:
        """All of them are these now."""
        self.held = held

    def forget(self, *labels: str) -> None:
        """Say nothing about these any more, as it is somebody else's now."""
        self.held.pop(labels, None)

    def family(self) -> Family:
        """What a scrape is told."""
        family = GaugeMetricFamily(self.name, self.text, labels=self.labels)
        for labels, level in sorted(self.held.copy().items()):
            family.add_metric(labels, level)
        return family


class Spread:
    """How values spread over buckets, by label values; `bounds` are their upper ends."""

    def __init__(self, name: str, text: str, labels: Labels, bounds: Sequence[float]) -> None:
        self.name, self.text, self.labels = name, text, labels
        self.bounds = tuple(bounds)
        self.held: dict[Labels, list[float]] = {}
        if not labels:
            self._of(labels)

    def observe(self, value: float, *labels: str) -> None:
        """One more value."""
        held = self.held.get(labels) or self._of(labels)
        held[bisect_left(self.bounds, value)] += 1
        held[-1] += value

    def _of(self, labels: Labels) -> list[float]:
        """A count for each bucket and one for what is beyond them, then the sum of the values."""
        if len(self.held) >= SERIES_MAX:
            labels = (OTHER,) * len(self.labels)
        return self.held.setdefault(labels, [0] * (len(self.bounds) + 2))

    def family(self) -> Family:
        """What a scrape is told."""
        family = HistogramMetricFamily(self.name, self.text, labels=self.labels)
        ends = [*map(str, map(float, self.bounds)), "+Inf"]
        for labels, held in sorted(self.held.copy().items()):
            *counts, total = held
            buckets = list(zip(ends, accumulate(counts), strict=True))
            family.add_metric(labels, buckets, total)
        return family


class Tallies(Collector):
    """All of them, as a registry of prometheus-client asks for them."""

    def __init__(self, held: Iterable[Counts | Levels | Spread]) -> None:
        self._held = tuple(held)

    def collect(self) -> Iterator[Family]:
        """Every family, in the order in which they were given."""
        for each in self._held:
            yield each.family()
