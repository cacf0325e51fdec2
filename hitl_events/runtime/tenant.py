"""The tenant of one partition in the read model: folds pieces of its log and writes them.

Everything here blocks, and belongs on one thread at a time. If the process dies between two pieces
the next tenant goes on after the last one that was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hitl_events.domain.values import RunId
from hitl_events.errors import CorruptLog, ImpossibleHistory, LogUnavailable
from hitl_events.ports import Codec, StoredEvent
from hitl_events.projections.folding import KEPT_BYTES_MAX, Folding
from hitl_events.projections.rows import Rows
from hitl_events.projections.store import RowStore, Tenure


class Tenant:
    """Takes the partition over when it is made, which fences whoever had it.

    After an error of `write` or `move` it is to be made anew: what it holds may be ahead of what
    was written. `topic` is where the events stand; a `CorruptLog` without a place is of the store.
    """

    def __init__(
        self,
        store: RowStore,
        codec: Codec,
        topic: str,
        partition: int,
        *,
        kept_bytes: int = KEPT_BYTES_MAX,
    ) -> None:
        self._store = store
        self._codec = codec
        self._topic = topic
        self._kept_bytes = kept_bytes
        self._folding = self._new_folding()
        self._of_store: CorruptLog | None = None
        self.tenure: Tenure = store.take_over(partition)

    @property
    def next_offset(self) -> int:
        """All before it is in the read model."""
        return self.tenure.next_offset

    def write(self, events: Sequence[StoredEvent], next_offset: int) -> None:
        """Fold and write these, all or none; nothing else stands before `next_offset`.

        `CorruptLog`, with the place, for one that no engine wrote; what stands before it is
        written all the same. `Fenced` if another took the partition over.
        """
        try:
            rows = self._folding.fold([event.value for event in events])
        except (CorruptLog, ImpossibleHistory) as error:
            if error is self._of_store:
                raise
            # where another has written these events already they do not fit twice: `Fenced` then
            self._put(Rows(), self.next_offset, -1)
            bad, problem = self._first_bad(events)
            if bad:
                self._folding = self._new_folding()
                self.write(events[:bad], events[bad].offset)
            raise self._corrupt(events[bad].offset, problem) from error
        try:
            self._put(rows, next_offset, events[-1].offset)
        except LogUnavailable:
            self._check_new(events)
            raise

    def move(self, next_offset: int) -> None:
        """No event stands before that offset that was not written: only marks of transactions."""
        if next_offset > self.next_offset:
            self._put(Rows(), next_offset, -1)

    def _put(self, rows: Rows, next_offset: int, last_offset: int) -> None:
        self.tenure = self._store.write(self.tenure, rows, next_offset, last_offset)

    def _new_folding(self) -> Folding:
        return Folding(self._codec, self._load, kept_bytes=self._kept_bytes)

    def _load(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Sequence[bytes]]:
        try:
            return self._store.load(run_ids)
        except CorruptLog as error:
            self._of_store = error
            raise

    def _first_bad(self, events: Sequence[StoredEvent]) -> tuple[int, str]:
        """All of them up to the one before it fit; which it is, and why."""
        fit, unfit = 0, len(events)
        problem = ""
        while fit < unfit:
            tried = (fit + unfit + 1) // 2
            found = self._problem(events[:tried])
            if found is None:
                fit = tried
            else:
                unfit, problem = tried - 1, found
        return fit, problem

    def _problem(self, events: Sequence[StoredEvent]) -> str | None:
        try:
            self._new_folding().fold([event.value for event in events])
        except ImpossibleHistory as error:
            return str(error)
        except CorruptLog as error:
            return error.problem
        return None

    def _check_new(self, events: Sequence[StoredEvent]) -> None:
        """A run that begins is not read before it is written: it may be there already."""
        begins = {
            event.run_id: stored.offset
            for stored in events
            if (event := self._codec.decode(stored.value)).seq == 1
        }
        for run_id in self._load(list(begins)):
            problem = f"expected a run that is not there yet, found a second start of {run_id!r}"
            raise self._corrupt(begins[run_id], problem)

    def _corrupt(self, offset: int, problem: str) -> CorruptLog:
        partition = self.tenure.partition
        where = f"{self._topic}-{partition}, offset {offset}"
        return CorruptLog(where, problem, place=(self._topic, partition, offset))
