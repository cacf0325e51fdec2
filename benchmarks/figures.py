"""A measured number beside its baseline of the same run, and whether it is what was aimed at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from hitl_events.domain.values import value


@value
class Baseline:
    """What the raw parts did in the same rounds."""

    name: str
    value: float
    unit: str


@value
class Figure:
    """`ratio` is of the figure to its baseline, `met` None where nothing was aimed at."""

    name: str
    value: float
    unit: str
    median: float | None = None
    baseline: Baseline | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """All of it, as a JSON object."""
        held = self.baseline
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "median": self.median,
            "baseline": held and {"name": held.name, "value": held.value, "unit": held.unit},
            "ratio": self.ratio,
            "target": self.target,
            "met": self.met,
        }


def side_by_side(
    name: str, rounds: int, ours: Callable[[], float], raw: Callable[[], float]
) -> Figure:
    """The rate of ours beside that of the raw parts, round by round."""
    found = [(raw(), ours()) for _ in range(rounds)]
    return rate(name, [mine for _, mine in found], [theirs for theirs, _ in found])


def rate(name: str, rates: Sequence[float], raw: Sequence[float], unit: str = "events/s") -> Figure:
    """Rates by round and those of the raw parts: the best of each, the median of the ratios.

    A round is measured side by side with its baseline, so the ratio holds on a noisy machine.
    """
    ratios = [ours / theirs for ours, theirs in zip(rates, raw, strict=True)]
    return Figure(
        name=name,
        value=max(rates),
        unit=unit,
        median=median(rates),
        baseline=Baseline(name="raw", value=max(raw), unit=unit),
        ratio=median(ratios),
    )


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie (nearest rank)."""
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]
