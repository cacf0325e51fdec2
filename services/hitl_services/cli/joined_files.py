"""Exported files that are read as one log: those of an archive, say.

Runs come in the order of their start. A run that was archived again, because a late refusal came
after its end, stands in two files: the longer history counts, and the shorter must be its
beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

from hitl_events.adapters.avro import AvroCodec
from hitl_events.audit.imported import values_of
from hitl_events.audit.merkle import Head
from hitl_events.domain.values import digest
from hitl_events.errors import CorruptLog
from hitl_services.cli.export_files import lines_of
from hitl_services.cli.start_order import in_order_of_start


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
        heads: dict[str, list[Head]] = {}
        for name in known:
            for run_id, head in _runs(name):
                heads.setdefault(run_id, []).append(head)
        versions = {run_id: its for run_id, its in heads.items() if len(its) > 1}
        return cls([*known], versions)

    def histories(self, keep: Callable[[bytes], object]) -> Iterator[Sequence[bytes]]:
        """The record values of each run; `CorruptLog` where two files contradict each other.

        The blobs of a run go to `keep` before its values come.
        """
        done: set[str] = set()
        files = (self._histories_in(name, keep, done) for name in self._names)
        # one file has them in their order
        found = in_order_of_start(files) if len(self._names) > 1 else chain.from_iterable(files)
        for values in found:
            self.runs += 1
            yield values

    def _histories_in(
        self, name: str, keep: Callable[[bytes], object], done: set[str]
    ) -> Iterator[Sequence[bytes]]:
        codec = AvroCodec()
        for values in values_of(lines_of(name), codec, keep):
            run_id = codec.decode(values[0]).run_id
            if run_id not in self._versions or self._is_the_one(run_id, values, done):
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


def _runs(name: str) -> Iterator[tuple[str, Head]]:
    """Id and head of each run in a file."""
    codec = AvroCodec()
    for values in values_of(lines_of(name), codec):
        run_id = codec.decode(values[0]).run_id
        yield run_id, Head(run_id=run_id, seq=len(values), digest=digest(values[-1]))
