"""Every log line's event name, with its level and meaning: the one table of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from hitl_services.settings import LogLevel

LogName: TypeAlias = Literal[
    "decision.received",
    "decision.rejected",
    "gate.closed",
    "library.message",
    "lines.omitted",
    "metrics.listening",
    "partition.lost",
    "partition.released",
    "partition.served",
    "process.defect",
    "process.failed",
    "process.killed",
    "process.stalled",
    "process.started",
    "process.stopped",
    "process.stopping",
    "record.dead_letter",
    "run.blocked",
    "run.cancelled",
    "run.cancelling",
    "run.error",
    "run.fault",
    "run.ok",
    "run.paused",
    "run.start",
    "run.unblocked",
    "step.completed",
    "step.failed",
    "step.started",
    "thread.failed",
]

LINES: Mapping[LogName, tuple[LogLevel, str]] = {
    "process.started": ("info", "the process is up, with what it was told"),
    "process.stopping": ("info", "a signal came: what runs may end, nothing new begins"),
    "process.stopped": ("info", "the process ends with this exit code"),
    "process.failed": ("error", "it can not go on; the error says what was expected and found"),
    "process.defect": ("error", "a defect of ours ends it: where, and what it came to"),
    "process.stalled": ("error", "the event loop stood still for too long: where; exit 70"),
    "process.killed": ("error", "it did not end in the time it had; exit without waiting"),
    "metrics.listening": ("info", "where /livez, /readyz and /metrics are"),
    "partition.served": ("info", "a partition was taken over and is served here"),
    "partition.released": ("info", "a partition was given back"),
    "partition.lost": ("warning", "a partition is in trouble and is not served until it is over"),
    "record.dead_letter": ("warning", "a record has no place and is kept whole: reason, position"),
    "run.start": ("info", "a run began"),
    "run.paused": ("info", "a gate opened"),
    "run.ok": ("info", "a run ended well"),
    "run.error": ("warning", "a run failed"),
    "run.cancelling": ("info", "somebody cancels a run"),
    "run.cancelled": ("info", "a run was cancelled"),
    "run.blocked": ("warning", "a run does not fit the code of now, or its recipe is missing"),
    "run.unblocked": ("info", "a blocked run goes on"),
    "run.fault": ("error", "processing one record raised: a defect of ours; its neighbours go on"),
    "decision.received": ("info", "a decision counts"),
    "decision.rejected": ("info", "a decision was refused: why"),
    "gate.closed": ("info", "a gate closed without a decision: why"),
    "step.started": ("debug", "a `once` step is about to begin"),
    "step.completed": ("debug", "a step gave its output"),
    "step.failed": ("warning", "an attempt of a step failed"),
    "thread.failed": ("error", "a thread of users' code ended with an error"),
    "library.message": ("info", "what a library says (its own level)"),
    "lines.omitted": ("warning", "so many lines about runs were left out: too many in a second"),
}
