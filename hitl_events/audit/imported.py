"""Reading an exported file without a log: whether it is whole, and which records it holds (P12).

Every line must be exactly what the export writes for the record in it, every record must follow its
predecessor, and the End line must be what the lines before it come to. So one changed byte, and one
line too few, too many or in another place, is found.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hitl_events.audit.blobs import BLOB_TYPE, blob_line
from hitl_events.audit.chain import ChainCheck
from hitl_events.audit.differences import end_differences, event_differences, is_object
from hitl_events.audit.export import END_TYPE, End, export_line, spelt
from hitl_events.audit.merkle import Head
from hitl_events.audit.report import Problems
from hitl_events.domain import canonical
from hitl_events.domain.references import may_refer, reference_of
from hitl_events.domain.values import digest
from hitl_events.errors import CorruptLog, NotSerialisable
from hitl_events.ports import Codec

_LINE_FEED = b"\n"


def values_of(
    lines: Iterable[bytes | str], codec: Codec, keep: Callable[[bytes], object] | None = None
) -> Iterator[tuple[bytes, ...]]:
    """The record values of each run, byte for byte; `CorruptLog` at the first thing that is wrong.

    That may be the last line: keep what was given before it only if the iteration ends well. The
    blobs of a run go to `keep` before its values come.
    """
    check = FileCheck(codec)
    values: list[bytes] = []
    run_id: str | None = None
    for line in lines:
        value = check.add(line)
        check.refuse()
        if check.blob is not None and keep is not None:
            keep(check.blob)
        if check.run_id != run_id and values:
            yield tuple(values)
            values.clear()
        run_id = check.run_id
        if value is not None:
            values.append(value)
    check.finish()
    check.refuse()
    if values:
        yield tuple(values)


class FileCheck:
    """Give it the lines of a file in order, then `finish`; the report is that of its `chains`.

    Lines end at line feeds and nowhere else: those of a file that was opened in binary. Memory: one
    event, and 700 bytes for each run.

    `run_id` is the run whose lines are being read, `chains` knows how far each run goes and which
    of the `expected` heads did not come; `blob` is what the last line held of one.
    """

    def __init__(
        self,
        codec: Codec,
        problems: Problems | None = None,
        *,
        expected: Mapping[str, Head] | None = None,
    ) -> None:
        self.run_id: str | None = None
        self.blob: bytes | None = None
        self._blobs: set[bytes] = set()
        self._codec = codec
        self._problems = Problems() if problems is None else problems
        self.chains = ChainCheck(codec, self._problems, expected=expected)
        self._end = End()
        self._last_seq: dict[str, int] = {}
        self._offsets: dict[str, tuple[int, int]] = {}
        self._number = 0
        self._ended = False
        self._fed = False

    def add(self, line: bytes | str) -> bytes | None:
        """The next line; returns the record of an event's line, None for any other line."""
        self._number += 1
        before, self.blob = self.blob, None
        if self._ended:
            self._problem("expected nothing after the End line, found one more line")
            return None
        raw = self._bare(line)
        held = self._object(raw)
        if held is None:
            return None
        kind = held.get("type")
        if before is not None and kind in {END_TYPE, BLOB_TYPE}:
            self._problem("expected an event that refers to the blob before it, found none")
        if kind == BLOB_TYPE:
            self._blob(held, raw)
            return None
        if kind == END_TYPE:
            self._finish_with(held, raw)
            return None
        return self._event(held, raw, before)

    def finish(self) -> None:
        """There are no more lines."""
        if not self._ended:
            self._problem("expected the End line last, found none: the file was cut")

    def refuse(self) -> None:
        """Raise `CorruptLog` for the first problem, if there is one."""
        first = next(iter(self._problems.all()), None)
        if first is None:
            return
        where = f"line {self._number}"
        if first.run_id is not None:
            where = f"run {first.run_id!r}, event {first.seq}"
        raise CorruptLog(where, first.problem)

    def _bare(self, line: bytes | str) -> bytes:
        """The line without its line feed, which either all lines have or, split already, none."""
        raw = line if isinstance(line, bytes) else line.encode(errors="surrogatepass")
        fed = raw.endswith(_LINE_FEED)
        if self._number > 1 and fed != self._fed:
            self._problem("expected a line feed at the end of each line, found one without")
        self._fed = fed
        return raw.removesuffix(_LINE_FEED)

    def _object(self, raw: bytes) -> dict[str, Any] | None:
        try:
            held = canonical.loads(raw)
        except (ValueError, RecursionError) as error:
            self._problem(f"expected a JSON object, found what is no JSON: {error}")
            return None
        if is_object(held):
            return held
        self._problem(f"expected a JSON object, found a {type(held).__name__}")
        return None

    # a line with an event

    def _blob(self, held: dict[str, Any], raw: bytes) -> None:
        try:
            self.blob = canonical.dumps(held.get("json"))
        except NotSerialisable as error:
            self._problem(f"expected the JSON of a blob, found: {error}")
            return
        line = blob_line(self.blob)
        if spelt(line) != raw:
            self._problem(event_differences(line, held))

    def _refers(self, value: bytes, before: bytes | None, run_id: str, seq: int) -> None:
        """Each blob stands right before the first event of the run that refers to it."""
        reference = reference_of(self._codec.decode(value)) if may_refer(value) else None
        if before is not None:
            named = digest(before)
            if reference is None or reference.digest != named or named in self._blobs:
                problem = f"expected a reference to the blob {named.hex()} before it, found none"
                self._problem(problem, run_id, seq)
            self._blobs.add(named)
        if reference is not None and reference.digest not in self._blobs:
            wanted = f"the blob {reference.digest.hex()} of {reference.size} bytes"
            self._problem(f"expected {wanted} before it, found none", run_id, seq)

    def _event(self, held: dict[str, Any], raw: bytes, before: bytes | None) -> bytes | None:
        read = self._read(held)
        if read is None:
            return None
        value, line, text = read
        run_id, seq = str(line["run_id"]), int(line["seq"])
        if text != raw:
            self._problem(event_differences(line, held), run_id, seq)
        self._group(run_id, seq)
        self._refers(value, before, run_id, seq)
        self._position(line, run_id, seq)
        self.chains.add(value)
        self._last_seq[run_id] = seq
        self._end.add(run_id, value, partition=line.get("partition"), offset=line.get("offset"))
        return value

    def _read(self, held: dict[str, Any]) -> tuple[bytes, dict[str, Any], bytes] | None:
        """The record in a line, with the line that the export writes for it and its spelling."""
        try:
            value = base64.b64decode(held["value"], validate=True)
            line = export_line(
                value, self._codec, partition=held.get("partition"), offset=held.get("offset")
            )
            return value, line, spelt(line)
        except (KeyError, TypeError, binascii.Error, ValueError) as error:
            problem = f"expected the record in base64 in 'value', found none ({error})"
        except CorruptLog as error:
            problem = f"'value' is no event: {error.problem}"
        except NotSerialisable as error:
            problem = f"'value' is no event that an engine writes: {error}"
        self._problem(problem, *_claimed(held))
        return None

    def _group(self, run_id: str, seq: int) -> None:
        if run_id == self.run_id:
            return
        if run_id in self._last_seq:
            self._problem("expected the lines of a run together, found one apart", run_id, seq)
        if self.run_id is not None:
            self.chains.forget(self.run_id)
        self.run_id = run_id
        self._blobs.clear()

    def _position(self, line: dict[str, Any], run_id: str, seq: int) -> None:
        """Partition and offset, which stand in no record: both or none, rising within a run."""
        at = [line.get("partition"), line.get("offset")]
        if at == [None, None]:
            return
        partition, offset = at
        if type(partition) is not int or type(offset) is not int or min(partition, offset) < 0:
            self._problem(f"expected a partition and an offset, found {at}", run_id, seq)
            return
        before = self._offsets.get(run_id)
        if before is not None and (before[0] != partition or before[1] >= offset):
            problem = f"expected an offset after {before[1]} in partition {before[0]}, found {at}"
            self._problem(problem, run_id, seq)
        self._offsets[run_id] = partition, offset

    # the last line

    def _finish_with(self, held: dict[str, Any], raw: bytes) -> None:
        self._ended = True
        expected = self._end.to_json()
        if raw == spelt(expected):
            return
        for run_id, problem in end_differences(expected, held):
            seq = None if run_id is None else self._last_seq.get(run_id, 1)
            self._problem(problem, run_id, seq)

    def _problem(self, problem: str, run_id: str | None = None, seq: int | None = None) -> None:
        self._problems.add(run_id, seq, f"line {self._number}: {problem}")


def _claimed(held: dict[str, Any]) -> tuple[str | None, int | None]:
    """The run and seq that a line shows, where its record cannot say."""
    run_id, seq = held.get("run_id"), held.get("seq")
    return (
        run_id if isinstance(run_id, str) else None,
        seq if type(seq) is int else None,
    )
