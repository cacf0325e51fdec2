"""What `/metrics` shows, by the names that are promised, in one table.

No run id is ever a label. Counting happens on the event loop, reading on the thread of a scrape.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest

from hitl_events.domain.events import EVENT_TYPES
from hitl_events.domain.refusals import REASONS
from hitl_services.tallies import Counts, Levels, Spread, Tallies

_COMMIT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_RESTORE_S = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 120.0)
_STEP_S = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0)
_WAIT_S = (1.0, 10.0, 60.0, 600.0, 3600.0, 14_400.0, 86_400.0, 259_200.0, 604_800.0, 2_592_000.0)
_TYPES = tuple(each.__name__ for each in EVENT_TYPES)
_RESULTS = ("received", *REASONS)
_STATUSES = ("running", "ok", "error")
_RECORDS = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0)


class PartitionMetrics:
    """Those of the partitions that are owned here."""

    def __init__(self) -> None:
        self.restore: Final = Spread(
            "hitl_restore_seconds", "How long it took to take a partition over.", (), _RESTORE_S
        )
        self.partition_ready: Final = Levels(
            "hitl_partition_ready",
            "1 where a partition is served here, 0 where it is assigned but not served.",
            ("partition",),
        )
        self.corrupt_offset: Final = Levels(
            "hitl_partition_corrupt_offset",
            "Offset in the topic of events where a partition stands still for good; -1: unknown.",
            ("partition",),
        )
        self.consumer_lag: Final = Levels(
            "hitl_consumer_lag_records",
            "Records of an inbound partition that were not taken yet.",
            ("topic", "partition"),
        )
        self.records_held: Final = Levels(
            "hitl_records_held",
            "1 where records of an inbound partition wait for an answer of the schema registry.",
            ("topic", "partition"),
        )
        self.projector_lag: Final = Levels(
            "hitl_projector_lag_records",
            "Events that are not in the read model yet.",
            ("partition",),
        )
        self.folded: Final = Counts(
            "hitl_projector_events_total", "Events that were folded into the read model.", ()
        )
        self.folding: Final = Spread(
            "hitl_projector_write_seconds",
            "How long it took to fold a piece of the log and to write its rows.",
            (),
            _COMMIT_S,
        )


class Metrics(PartitionMetrics):
    """The metrics of one process, in a registry of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.events_appended: Final = Counts(
            "hitl_events_appended_total", "Events that were appended.", ("type",), _TYPES
        )
        self.decisions: Final = Counts(
            "hitl_decisions_total",
            "Decisions that counted (received) or were refused (the reason).",
            ("result",),
            _RESULTS,
        )
        self.dead_letters: Final = Counts(
            "hitl_dead_letters_total",
            "Records that had no place, kept whole.",
            ("reason",),
            REASONS,
        )
        self.gates_open: Final = Levels(
            "hitl_gates_open", "Gates that wait for a decision, of all partitions owned here.", ()
        )
        self.gate_wait: Final = Spread(
            "hitl_gate_wait_seconds", "How long gates were open that closed.", (), _WAIT_S
        )
        self.commit: Final = Spread(
            "hitl_commit_seconds", "How long the commit of a batch took.", (), _COMMIT_S
        )
        self.batch: Final = Spread(
            "hitl_batch_records",
            "Records of a batch: events, dead letters, forwards.",
            (),
            _RECORDS,
        )
        self.step: Final = Spread(
            "hitl_step_seconds",
            "How long attempts of steps took; completed, retrying, failed or uncertain.",
            ("recipe", "step", "result"),
            _STEP_S,
        )
        self.runs: Final = Counts(
            "hitl_runs_total",
            "Runs that began (running) and that ended (ok, error).",
            ("status",),
            _STATUSES,
        )
        self.registry: Final = CollectorRegistry(auto_describe=False)
        self.registry.register(Tallies(self.families))
        ProcessCollector(registry=self.registry)  # resident memory, CPU seconds, open files
        PlatformCollector(registry=self.registry)

    @property
    def families(self) -> tuple[Counts | Levels | Spread, ...]:
        """All of ours."""
        held = vars(self).values()
        return tuple(each for each in held if isinstance(each, Counts | Levels | Spread))

    def text(self) -> bytes:
        """What a scrape gets (Prometheus text format 0.0.4)."""
        return generate_latest(self.registry)
