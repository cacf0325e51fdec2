"""Headers that the driver can not read: a name that is no UTF-8, a value that is null.

Any C client may write both, and the broker takes them. aiokafka raises at such a name and begins
again at the same offset, for ever: one record would stop its partition. So a batch with such a name
is read by the driver's other reader, the one in Python, with that name made legible. A dead letter
has the name so; key, value and header values stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, SupportsIndex

from aiokafka.consumer import fetcher
from aiokafka.record import default_records, memory_records

from hitl_events.ports import Headers

_driver: Any = fetcher
_batches: Any = default_records
_pieces: Any = memory_records


def take_any_header() -> None:
    """Let every consumer of this process read records with any header; to be called before one."""
    _driver.MemoryRecords = _Records


def headers_of(record: Any) -> Headers:
    """The headers of a record of the driver; null is empty, which no sender tells apart."""
    return tuple((name, held or b"") for name, held in record.headers)


class _Records:
    """What was fetched of one partition, cut into batches."""

    def __init__(self, fetched: bytes) -> None:
        self._cut = _pieces._MemoryRecordsPy(fetched)  # noqa: SLF001 - the cutter that shows its pieces

    def size_in_bytes(self) -> int:
        return int(self._cut.size_in_bytes())

    def has_next(self) -> bool:
        return bool(self._cut.has_next())

    def next_batch(self) -> Any:
        piece = self._cut._next_slice  # noqa: SLF001 - as above
        found = self._cut.next_batch()
        return _Batch(found, piece) if isinstance(found, _batches.DefaultRecordBatch) else found


class _Batch:
    """A batch as the driver has it, but for a header's name."""

    def __init__(self, batch: Any, piece: Any) -> None:
        self._batch = batch
        self._piece = piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)  # a marker, which is asked for as the only one

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._batch
        except UnicodeDecodeError:
            # from its begin: the driver skips the offsets that it has given out already
            yield from _legible(self._piece)


def _legible(piece: Any) -> Iterator[Any]:
    batch = _batches._DefaultRecordBatchPy(piece)  # noqa: SLF001 - whose buffer can be exchanged
    batch._maybe_uncompress()  # noqa: SLF001 - as above, once it is plain
    batch._buffer = _Names(batch._buffer)  # noqa: SLF001 - as above
    yield from batch


class _Names(bytearray):
    """Bytes in which any name can be read."""

    def __getitem__(self, at: SupportsIndex | slice) -> Any:
        found = super().__getitem__(at)
        return _Names(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)
