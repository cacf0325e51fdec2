"""Exported files that are read as one log: those of an archive, say.

Files go by the start of their first run, the runs of each in their order. A run that was archived
again, because a late refusal came after its end, stands in two files: the longer history counts,
and the shorter must be its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from hitl_events.adapters.avro import AvroCodec
from hitl_events.audit.imported import values_of
from hitl_events.audit.merkle import Head
from hitl_events.domain.values import EPOCH, digest
from hitl_events.errors import CorruptLog
from hitl_services.cli.export_files import lines_of


class Joined:
    """Files that were found sound, each by itself; `histories` are those of their runs."""

    def __init__(self, names: Sequence[str], versions: Mapping[str, Sequence[Head]]) -> None:
        self.runs = 0
        self._names = names
        self._versions = versions
        """Of the runs that stand in more than one file."""

    @classmethod
    def of(cls, names: Sequence[str]) -> Joined:
        """Reads all files once if there are several."""
        known = dict.fromkeys(names)
        if len(known) == 1:
            return cls([*known], {})
        firsts: list[tuple[datetime, str]] = []
        heads: dict[str, list[Head]] = {}
        for name in known:
            first = EPOCH
            for run_id, started, head in _runs(name):
                first = started if first is EPOCH else first
                heads.setdefault(run_id, []).append(head)
            firsts.append((first, name))
        versions = {run_id: its for run_id, its in heads.items() if len(its) > 1}
        return cls([name for _, name in sorted(firsts)], versions)

    def histories(self, keep: Callable[[bytes], object]) -> Iterator[Sequence[bytes]]:
        """The record values of each run; `CorruptLog` where two files contradict each other.

        The blobs of a run go to `keep` before its values come.
        """
        codec = AvroCodec()
        done: set[str] = set()
        for name in self._names:
            for values in values_of(lines_of(name), codec, keep):
                run_id = codec.decode(values[0]).run_id
                if run_id in self._versions and not self._is_the_one(run_id, values, done):
                    continue
                self.runs += 1
                yield values

    def _is_the_one(self, run_id: str, values: Sequence[bytes], done: set[str]) -> bool:
        """Whether this version is the longest, and the first such; each of the others begins it."""
        versions = self._versions[run_id]
        if run_id in done or len(values) < max(head.seq for head in versions):
            return False
        done.add(run_id)
        for head in versions:
            if digest(values[head.seq - 1]) != head.digest:
                where = f"run {run_id!r}, event {head.seq}"
                raise CorruptLog(where, "expected one history, found another in a second file")
        return True


def _runs(name: str) -> Iterator[tuple[str, datetime, Head]]:
    """Id, start and head of each run in a file."""
    codec = AvroCodec()
    for values in values_of(lines_of(name), codec):
        first = codec.decode(values[0])
        head = Head(run_id=first.run_id, seq=len(values), digest=digest(values[-1]))
        yield first.run_id, first.recorded_at, head
