"""Which gates are open, by the records of the topic: knows the schemas and nothing of ours."""

from __future__ import annotations

from collections.abc import Iterable

from tests.kafka.records import Record
from tests.kafka.schemas import read_event

ENDS = {"CancelRequested", "RunFailed"}


def open_gates(records: Iterable[Record]) -> set[str]:
    """Gate ids, `RUN.SEQ`; the records of a run come in their order."""
    found: dict[tuple[str, str, int], int] = {}
    for record in records:
        name, event = read_event(record.value or b"")
        run_id = event["run_id"]
        if name == "GatePaused":
            found[run_id, event["gate"], event["occurrence"]] = event["seq"]
        elif name == "GateClosed" or (name == "DecisionReceived" and event["resolution"]):
            del found[run_id, event["gate"], event["occurrence"]]
        elif name in ENDS:
            found = {key: seq for key, seq in found.items() if key[0] != run_id}
    return {f"{run_id}.{seq}" for (run_id, _, _), seq in found.items()}
