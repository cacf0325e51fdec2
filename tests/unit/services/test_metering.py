"""The metrics after real runs, and the names that are promised."""

import re
from pathlib import Path
from typing import Any

import pytest

from hitl_events import Retry, Run, Runtime, recipe
from hitl_events.adapters.memory import MemoryLog
from hitl_events.domain.events import EVENT_TYPES
from hitl_events.domain.refusals import REASONS
from hitl_events.embedded import Setting
from hitl_events.engine.turn import Turn
from hitl_events.errors import CorruptLog, LogUnavailable, RegistryUnavailable
from hitl_services.metering import Meter
from hitl_services.metrics import Metrics

PROMISED = (
    "hitl_events_appended_total{type}",
    "hitl_decisions_total{result}",
    "hitl_dead_letters_total{reason}",
    "hitl_gates_open",
    "hitl_gate_wait_seconds",
    "hitl_commit_seconds",
    "hitl_batch_records",
    "hitl_step_seconds{recipe,step,result}",
    "hitl_restore_seconds",
    "hitl_partition_ready{partition}",
    "hitl_consumer_lag_records{topic,partition}",
    "hitl_partition_corrupt_offset{partition}",
    "hitl_records_held{topic,partition}",
    "hitl_projector_events_total",
    "hitl_projector_lag_records{partition}",
    "hitl_projector_write_seconds",
    "hitl_runs_total{status}",
)


async def aecho(value: Any) -> Any:
    return value


async def afail(value: Any) -> Any:
    raise ValueError(value)


@recipe("two-gates", version="1")
async def two_gates(run: Run, input: Any) -> Any:
    await run.all(run.gate("a"), run.gate("b"))
    return await run.step(aecho, input)


@recipe("failing", version="1")
async def failing(run: Run, input: Any) -> Any:
    return await run.step(afail, input, retry=Retry(attempts=2, initial_s=0))


class Measured:
    """A runtime in memory, and its metrics."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.meter = Meter(self.metrics)
        self._observer = Watching(self.meter)

    def open(self) -> Any:
        """As a context manager."""
        setting = Setting(log=MemoryLog(), observer=self._observer)
        return Runtime.open(None, recipes=[two_gates, failing], setting=setting)

    def __getitem__(self, sample: str) -> float | None:
        """The value of a sample, as in `hitl_runs_total{status="ok"}`."""
        name, _, labels = sample.partition("{")
        pairs = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        return self.metrics.registry.get_sample_value(name, pairs)


class Watching:
    """Observes for the meter."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def committed(self, turn: Turn, commit_s: float) -> None:
        self._meter.committed(turn, commit_s)

    def fault(self, run_id: Any, error: Exception) -> None:
        raise error


@pytest.fixture
def measured() -> Measured:
    """Nothing counted yet."""
    return Measured()


def test_the_names_are_those_of_the_contract() -> None:
    """Each promised metric is there with its labels, and no other of ours."""
    families = Metrics().families
    named = [
        each.name + ("{" + ",".join(each.labels) + "}" if each.labels else "") for each in families
    ]

    assert sorted(named) == sorted(PROMISED)


def test_the_page_about_operations_lists_every_metric() -> None:
    """What an operator reads is what there is, word for word."""
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")

    for family in Metrics().families:
        labels = ", ".join(f"`{label}`" for label in family.labels) or "-"
        assert f"| `{family.name}` | {labels} | {family.text} |" in page


async def test_gates_are_open_until_they_close(measured: Measured) -> None:
    """The gauge is right at each moment, also where a cancellation closes what is left."""
    async with measured.open() as runtime:
        first = await runtime.run("two-gates", 1)
        second = await runtime.run("two-gates", 2)
        assert measured["hitl_gates_open"] == 4

        await runtime.decide(first.tokens["a"], "approve")
        assert measured["hitl_gates_open"] == 3

        await runtime.cancel(second.run_id, "enough")
        assert measured["hitl_gates_open"] == 1
        assert measured["hitl_gate_wait_seconds_count"] == 1


async def test_decisions_are_counted_by_what_became_of_them(measured: Measured) -> None:
    """Received, or the reason of the refusal, also where no run is known."""
    async with measured.open() as runtime:
        paused = await runtime.run("two-gates", 1)
        await runtime.decide(paused.tokens["a"], "approve")
        await runtime.decide(paused.tokens["a"], "deny")
        await runtime.decide("hitl_forged", "approve")

    assert measured['hitl_decisions_total{result="received"}'] == 1
    assert measured['hitl_decisions_total{result="token_used"}'] == 1
    assert measured['hitl_decisions_total{result="invalid_token"}'] == 1
    assert measured['hitl_dead_letters_total{reason="invalid_token"}'] == 1


def test_totals_of_what_is_promised_begin_at_0(measured: Measured) -> None:
    """So that the first dead letter is an increase to whoever asks Prometheus for one."""
    for sample in (
        *(f'hitl_dead_letters_total{{reason="{reason}"}}' for reason in REASONS),
        *(f'hitl_decisions_total{{result="{result}"}}' for result in ("received", *REASONS)),
        *(f'hitl_events_appended_total{{type="{each.__name__}"}}' for each in EVENT_TYPES),
        *(f'hitl_runs_total{{status="{status}"}}' for status in ("running", "ok", "error")),
        "hitl_projector_events_total",
    ):
        assert measured[sample] == 0, sample


async def test_runs_steps_and_commits_are_counted(measured: Measured) -> None:
    """Runs by how they end, steps by recipe, name and result, commits with their records."""
    async with measured.open() as runtime:
        paused = await runtime.run("two-gates", 1)
        for gate in ("a", "b"):
            await runtime.decide(paused.tokens[gate], "approve")
        await runtime.run("failing", 1)

    labels = 'recipe="{}",step="{}",result="{}"'
    done, again, failed = (
        measured[f"hitl_step_seconds_count{{{labels.format(*how)}}}"]
        for how in (
            ("two-gates", "aecho", "completed"),
            ("failing", "afail", "retrying"),
            ("failing", "afail", "failed"),
        )
    )
    assert (done, again, failed) == (1, 1, 1)
    assert measured['hitl_runs_total{status="running"}'] == 2
    assert measured['hitl_runs_total{status="ok"}'] == 1
    assert measured['hitl_runs_total{status="error"}'] == 1
    assert measured['hitl_events_appended_total{type="GatePaused"}'] == 2
    assert measured["hitl_commit_seconds_count"] == measured["hitl_batch_records_count"]


def test_open_gates_go_on_from_what_was_restored(measured: Measured) -> None:
    """After a restart the gauge starts with what the partition holds; a lost one takes it along."""
    measured.meter.taken(0, 0.1, 5)
    measured.meter.taken(1, 0.1, 2)
    turn = Turn(partition=1)
    turn.gates = -1
    measured.meter.committed(turn, 0)
    assert measured["hitl_gates_open"] == 6

    measured.meter.lost(0, LogUnavailable("away"))
    assert measured["hitl_gates_open"] == 1


def test_records_are_held_until_they_go_on_or_the_partition_goes(measured: Measured) -> None:
    """By topic and partition; nothing is said of what is not held."""
    sample = 'hitl_records_held{topic="t.decisions",partition="3"}'
    for gone in (False, True):
        measured.meter.held(3, "t.decisions", RegistryUnavailable("away"))
        assert measured[sample] == 1
        if gone:
            measured.meter.lost(3, LogUnavailable("away"))
        else:
            measured.meter.held(3, "t.decisions", None)
        assert measured[sample] is None


def test_partitions_are_ready_lost_or_given_back(measured: Measured) -> None:
    """1 while served, 0 in trouble, nothing once it is not ours."""
    measured.meter.taken(3, 0.2, 0)
    assert measured['hitl_partition_ready{partition="3"}'] == 1
    assert measured["hitl_restore_seconds_count"] == 1

    measured.meter.lost(3, LogUnavailable("away"))
    assert measured['hitl_partition_ready{partition="3"}'] == 0

    measured.meter.lost(3, None)
    assert measured['hitl_partition_ready{partition="3"}'] is None


def test_a_corrupt_partition_has_its_offset(measured: Measured) -> None:
    """For as long as it is ours and stands still."""
    sample = 'hitl_partition_corrupt_offset{partition="3"}'
    for place, offset in ((("t.events", 3, 7), 7), (None, -1)):
        measured.meter.lost(3, CorruptLog("t.events-3", "it is broken", place=place))
        assert measured[sample] == offset
        assert measured['hitl_partition_ready{partition="3"}'] == 0

        measured.meter.lost(3, None)
        assert measured[sample] is None
