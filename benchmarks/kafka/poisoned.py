"""How long good decisions take in a stream with poison, beside one of the same rate without."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

from confluent_kafka import Message

from benchmarks.figures import Baseline, Figure, percentile
from benchmarks.kafka.engines import engines_of
from benchmarks.kafka.runs import RECIPE, Gate, Runs, is_completed, key_of, produce
from benchmarks.kafka.sight import Sight
from benchmarks.size import KafkaSize
from hitl_events.domain.token import TokenKeys
from hitl_events.testing.poison import Target, poisons
from tests.acceptance.child import KEY
from tests.kafka.records import Outgoing

GOOD_PER_POISON = 9
"""One record of ten is bad."""
STREAMS = 2
"""Of each sort, in turn."""
WITHIN = 2.0


def measure_poison(size: KafkaSize, bootstrap: str, prefix: str, folder: Path) -> list[Figure]:
    """p99 of good decisions, with a tenth of poison and without, by one engine."""
    with engines_of(bootstrap, prefix, folder) as engines:
        engines.serve("one")
        runs = Runs(bootstrap, prefix, engines.alive)
        runs.finish(size.streamed_decisions)
        (aim,) = runs.paused(1)
        bad = cycle(_poison(runs, aim))
        clean: list[float] = []
        poisoned: list[float] = []
        spoilt = size.streamed_decisions // GOOD_PER_POISON
        for _ in range(STREAMS):
            clean += _stream(size, runs, [])
            poisoned += _stream(size, runs, list(islice(bad, spoilt)))
        _expect_dead_letters(runs, STREAMS * spoilt)
    return [_figure(clean, poisoned, "p50", 0.50), _figure(clean, poisoned, "p99", 0.99)]


def _figure(clean: list[float], poisoned: list[float], name: str, share: float) -> Figure:
    without_ms, with_ms = (percentile(sorted(each), share) * 1e3 for each in (clean, poisoned))
    judged = share > 0.9
    return Figure(
        name=f"good decisions with 10 % poison, {name}",
        value=with_ms,
        unit="ms",
        baseline=Baseline(name="without poison", value=without_ms, unit="ms"),
        ratio=with_ms / without_ms,
        target=f"ratio {WITHIN:g}" if judged else "",
        met=with_ms <= WITHIN * without_ms if judged else None,
    )


def _poison(runs: Runs, aim: Gate) -> list[Outgoing]:
    """Every kind of bad decision, all of them after the gate of one run."""
    target = Target(
        token=aim.token,
        run_id=aim.run_id.decode(),
        recipe=RECIPE,
        keys=TokenKeys([KEY.encode()]),
    )
    return [
        Outgoing(
            topic=runs.topics.decisions,
            value=None if one.is_null else one.value,
            key=one.key,
            headers=tuple(one.headers),
        )
        for one in poisons(target)
        if one.kind == "decision"
    ]


def _stream(size: KafkaSize, runs: Runs, bad: Sequence[Outgoing]) -> list[float]:
    """Seconds of good decisions that come at a steady rate, a bad record after each nine."""
    gates = runs.paused(size.streamed_decisions)
    with runs.sight() as sight, runs.client.producer(linger_ms=0) as producer:
        watch = _Watch(sight)
        began_s = time.perf_counter()
        for number, gate in enumerate(gates):
            watch.until(began_s + number / size.streamed_per_s)
            watch.sent_s[gate.run_id] = produce(producer, runs.decision(gate))
            turn, place = divmod(number, GOOD_PER_POISON)
            if place == 0 and turn < len(bad):
                produce(producer, bad[turn])
        watch.all()
    return list(watch.taken_s.values())


class _Watch:
    """Looks at what ends while others are sent."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self.sent_s: dict[bytes, float] = {}
        self.taken_s: dict[bytes, float] = {}

    def until(self, then_s: float) -> None:
        """Look at least once, and until that moment."""
        self._note(self._sight.poll(0))
        while (wait_s := then_s - time.perf_counter()) > 0:
            self._note(self._sight.poll(wait_s))

    def all(self) -> None:
        """Until each that was sent has been seen."""
        self._note(self._sight.until(len(self.sent_s) - len(self.taken_s), is_completed))

    def _note(self, messages: Sequence[Message]) -> None:
        now_s = time.perf_counter()
        for message in messages:
            if is_completed(message):
                run_id = key_of(message)
                self.taken_s[run_id] = now_s - self.sent_s[run_id]


def _expect_dead_letters(runs: Runs, wanted: int) -> None:
    """Poison that was taken for something good would measure nothing."""
    with runs.client.reader(runs.topics.dead_letters) as reader:
        found = len(reader.until(lambda seen: len(seen) >= wanted))
    if found != wanted:
        raise RuntimeError(f"expected {wanted} dead letters, found {found}")
