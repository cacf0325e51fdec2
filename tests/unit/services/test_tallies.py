"""Counters, levels and spreads show what was counted, as Prometheus reads it."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from hitl_services.tallies import SERIES_MAX, Counts, Levels, Spread, Tallies


def shown(*held: Counts | Levels | Spread) -> list[str]:
    registry = CollectorRegistry()
    registry.register(Tallies(held))
    text = generate_latest(registry).decode()
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_a_total_goes_up_by_labels() -> None:
    """Each combination of labels has its own total."""
    counts = Counts("things_total", "Things.", ("kind",))
    counts.add(2, "a")
    counts.add(1, "b")
    counts.add(1, "a")

    assert shown(counts) == ['things_total{kind="a"} 3.0', 'things_total{kind="b"} 1.0']


def test_a_level_can_be_forgotten() -> None:
    """What is somebody else's now is not shown any more."""
    levels = Levels("ready", "Ready.", ("partition",))
    levels.set(1, "0")
    levels.set(1, "1")
    levels.forget("0")
    levels.forget("0")

    assert shown(levels) == ['ready{partition="1"} 1.0']


def test_a_spread_counts_into_its_buckets() -> None:
    """A value on a bound is in that bucket; beyond the last there is one more; the sum is kept."""
    spread = Spread("s_seconds", "S.", (), (0.5, 1.0))
    for value in (0.5, 0.7, 2.0):
        spread.observe(value)

    assert shown(spread) == [
        's_seconds_bucket{le="0.5"} 1.0',
        's_seconds_bucket{le="1.0"} 2.0',
        's_seconds_bucket{le="+Inf"} 3.0',
        "s_seconds_count 3.0",
        "s_seconds_sum 3.2",
    ]


def test_series_are_bounded() -> None:
    """Names that users make up end in one series of others."""
    spread = Spread("s_seconds", "S.", ("step",), (1.0,))
    for number in range(SERIES_MAX + 5):
        spread.observe(1, f"step-{number}")

    lines = shown(spread)
    assert len(spread.held) == SERIES_MAX + 1
    assert 's_seconds_count{step="(other)"} 5.0' in lines
