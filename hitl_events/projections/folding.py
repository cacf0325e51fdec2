"""Folds pieces of the log, in which events of many runs are mixed, into rows.

The rows depend on each run's events alone: how the log was cut into pieces, which runs stood beside
each other, and where a fold was broken off and taken up again leave no trace in them (P8).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from hitl_events.domain.events import Event
from hitl_events.domain.values import RunId
from hitl_events.ports import Codec
from hitl_events.projections.account import Account, count_events
from hitl_events.projections.rows import Rows

KEPT_BYTES_MAX = 32 * 1024 * 1024
"""Of the events of runs that go on: some five times that much memory."""

Load = Callable[[Sequence[RunId]], Mapping[RunId, Sequence[bytes]]]


class Folding:
    """Accounts of the runs that are at work; the others are read again when something happens.

    `load` gives the values of all events of runs that were written, as far as there are any. After
    an error nothing of it can be used any more: what it holds may be ahead of what was written.
    """

    def __init__(self, codec: Codec, load: Load, *, kept_bytes: int = KEPT_BYTES_MAX) -> None:
        self._codec = codec
        self._load = load
        self._kept_bytes = kept_bytes
        self._accounts: OrderedDict[RunId, Account] = OrderedDict()
        self._size_bytes = 0

    def fold(self, values: Iterable[bytes]) -> Rows:
        """The rows that change; `CorruptLog`, `ImpossibleHistory` for what no engine wrote."""
        decode = self._codec.decode
        events = [(decode(value), value) for value in values]
        touched = self._of(events)
        rows = Rows()
        for event, value in events:
            rows.last = touched[event.run_id].add(event, value)
        for account in touched.values():
            account.settle(rows)
        count_events(rows)
        self._keep(touched)
        return rows

    def _of(self, events: Iterable[tuple[Event, bytes]]) -> dict[RunId, Account]:
        """The account of each run that these are of; what is not at work is read again."""
        found: dict[RunId, Account] = {}
        missing: list[RunId] = []
        for event, _ in events:
            if event.run_id in found:
                continue
            account = self._accounts.pop(event.run_id, None)
            if account is not None:
                self._size_bytes -= account.size_bytes
            elif event.seq > 1:  # of a run that begins here nothing was written yet
                missing.append(event.run_id)
            found[event.run_id] = account or Account()
        if missing:
            self._take_up(missing, found)
        return found

    def _take_up(self, run_ids: Sequence[RunId], accounts: Mapping[RunId, Account]) -> None:
        for run_id, values in self._load(run_ids).items():
            account = accounts[run_id]
            for value in values:
                account.add(self._codec.decode(value), value)
            account.resumed()

    def _keep(self, touched: Mapping[RunId, Account]) -> None:
        """Those that go on; if they are too many, those that rested longest are let go."""
        for run_id, account in touched.items():
            if not account.ended:
                self._accounts[run_id] = account
                self._size_bytes += account.size_bytes
        while self._size_bytes > self._kept_bytes:
            _, account = self._accounts.popitem(last=False)
            self._size_bytes -= account.size_bytes
