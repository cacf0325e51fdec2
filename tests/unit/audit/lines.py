"""Whole files of export lines, as the command writes and reads them piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hitl_events.audit.export import End, export_line, spelt
from hitl_events.audit.imported import FileCheck
from hitl_events.audit.report import VerifyReport
from hitl_events.ports import Codec


def export_lines(runs: Iterable[tuple[str, Iterable[bytes]]], codec: Codec) -> Iterator[bytes]:
    """The spelt lines of runs (id, record values) in the order of their start, and the End line.

    Each ends with a line feed. Holds one event at a time.
    """
    end = End()
    for run_id, values in runs:
        for value in values:
            yield spelt(export_line(value, codec)) + b"\n"
            end.add(run_id, value)
    yield spelt(end.to_json()) + b"\n"


def check_lines(lines: Iterable[bytes | str], codec: Codec) -> VerifyReport:
    """Check a whole file, line by line."""
    check = FileCheck(codec)
    for line in lines:
        check.add(line)
    check.finish()
    return check.chains.report()
