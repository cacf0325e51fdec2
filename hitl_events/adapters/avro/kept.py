"""What is kept beside the events, marks and checkpoints, as records and back."""

from __future__ import annotations

from typing import Generic, TypeVar

from hitl_events.adapters.avro import schemas
from hitl_events.adapters.avro.reader import UNREADABLE, Reader, compile_reader
from hitl_events.adapters.avro.writer import Writer, compile_writer
from hitl_events.errors import CorruptLog

T = TypeVar("T")


class KeptCodec(Generic[T]):
    """Values of one class in every released schema of its name; `nested` are those inside it."""

    def __init__(self, cls: type[T], *nested: type) -> None:
        self._name = cls.__name__
        self._classes: dict[str, type] = {each.__name__: each for each in (cls, *nested)}
        self._readers: dict[bytes, Reader | None] = {}
        self._writer: Writer | None = None

    def encode(self, kept: T) -> bytes:
        """The whole record value."""
        writer = self._writer
        if writer is None:
            schema = schemas.load(f"{self._name}.avsc")
            writer = self._writer = compile_writer(schema, schemas.head(self._name))
        return writer(kept)

    def decode(self, value: bytes) -> T | None:
        """The value; None for a record of another name, `CorruptLog` for one that is cut."""
        head = value[: schemas.HEAD_BYTES]
        if head not in self._readers:
            self._readers[head] = self._compiled(head)
        reader = self._readers[head]
        if reader is None:
            return None
        where = f"{self._name} record of {len(value)} bytes"
        try:
            kept, end = reader(value, schemas.HEAD_BYTES)
        except UNREADABLE as error:
            raise CorruptLog(where, f"expected one {self._name}, found: {error}") from None
        if end != len(value):
            raise CorruptLog(where, f"expected {end} bytes, found {len(value)}")
        return kept  # type: ignore[no-any-return]  # what the compiled function made

    def _compiled(self, head: bytes) -> Reader | None:
        if schemas.name_of(head) != self._name:
            return None
        return compile_reader(schemas.load(schemas.released()[head]), self._classes)
