"""A batch written to a partition in memory: checked whole, then written whole."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any

from hitl_events.adapters import limits
from hitl_events.adapters.limits import ANSWERS_KEPT, DEAD_LETTERS_KEPT
from hitl_events.adapters.memory.storage import Partition
from hitl_events.errors import ImpossibleHistory, InvalidInput
from hitl_events.ports import EffectBatch, StoredEvent


class BatchWriter:
    """One batch on its way into one partition; raises before anything is changed, or not at all."""

    def __init__(self, held: Partition, batch: EffectBatch) -> None:
        self._held = held
        self._batch = batch

    def write(self) -> None:
        self._check_runs()
        self._check_answers()
        self._write_runs()
        self._write_answers()
        self._write_dead_letters()

    def _check_runs(self) -> None:
        added = Counter(each.event.run_id for each in self._batch.events)
        for run_id, position in {each.run_id: each for each in self._batch.positions}.items():
            stored = self._held.positions.get(run_id)
            held = stored.seq if stored is not None else 0
            before = position.seq - added.pop(run_id, 0)
            if held != before or position.seq == 0:
                found = f"expected a batch that goes on from event {held}, found one from {before}"
                raise ImpossibleHistory(run_id, position.seq, found)
        if added:
            listed = ", ".join(added)
            message = f"expected a position for each run of a batch, found none for {listed}"
            raise InvalidInput(message)

    def _check_answers(self) -> None:
        asked = [offset for offset, _ in self._batch.settled]
        twice = len(set(asked)) != len(asked)
        gone = [offset for offset in asked if offset not in self._held.intake]
        if twice or gone:
            listed = ", ".join(str(offset) for offset in (gone or asked)[:10])
            message = (
                f"expected unanswered records in the intake, found one answered among {listed}"
            )
            raise InvalidInput(message)

    def _write_runs(self) -> None:
        held = self._held
        for appended in self._batch.events:
            offset = len(held.events)
            held.events.append(StoredEvent(offset=offset, value=appended.value))
            held.offsets.setdefault(appended.event.run_id, []).append(offset)
        for position in self._batch.positions:
            held.positions[position.run_id] = position

    def _write_answers(self) -> None:
        held = self._held
        for offset, answer in self._batch.settled:
            del held.intake[offset]
            held.answers[offset] = answer
        _keep_last(held.answers, ANSWERS_KEPT)

    def _write_dead_letters(self) -> None:
        held = self._held
        for letter in self._batch.dead_letters:
            held.dead_letters_end += 1
            held.dead_letters[held.dead_letters_end] = letter
        _keep_last(held.dead_letters, DEAD_LETTERS_KEPT)
        last, added = held.dead_letters_end, len(self._batch.dead_letters)
        if last % limits.LOOKED_AFTER < added:
            self._forget_by_size()

    def _forget_by_size(self) -> None:
        letters = self._held.dead_letters
        held = sum(map(limits.size_of, letters.values()))
        for number in list(letters):
            if held <= limits.DEAD_LETTERS_BYTES_KEPT or len(letters) == 1:
                return
            held -= limits.size_of(letters.pop(number))


def _keep_last(held: dict[int, Any], limit: int) -> None:
    for key in list(islice(held, max(len(held) - limit, 0))):
        del held[key]
