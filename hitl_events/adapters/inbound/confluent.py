"""Writers' schemas of records in the Confluent frame, asked for before the records are read.

`read_inbound` waits for nothing, so whoever takes records in calls `ready` with their values first
and gives it `find`. What an id means never changes, so a schema is asked for once in an intake.

A registry that is away says nothing about a record: `ready` asks again until its bound, then
raises `RegistryUnavailable`. Whoever calls it feeds what stands before the record and holds the
topic's partition there: order is kept, nothing is refused, offsets are not committed. Beyond the
bound the partition is given up and taken again, as where the broker is away.
An id that the registry does not know is an answer: that record is `unknown_schema`, at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from hitl_events.adapters.avro.foreign import ForeignSchema, foreign_schema
from hitl_events.adapters.inbound.forms import frame_id
from hitl_events.errors import InvalidInput, RegistryUnavailable

HOLD_S = 60.0
"""As long as a broker may be away without ending a process."""
RETRY_S = 0.1
RETRY_MAX_S = 5.0
ABSENT_S = 10.0
"""A schema that is not there may be on its way to the registry's follower: ask again after it."""
KNOWN_MAX = 4_096
"""Schemas kept: a reader has some 10 KB, so 40 MB at the very most; those in use stay."""
ABSENT_MAX = 16_384
"""Twice as many as an intake holds records: anybody can make ids up, and each takes 100 bytes."""
ASKED_AT_ONCE = 8
ID_MAX = 2**31 - 1
"""Registries count from 1 in 32 bits with a sign."""

_T = TypeVar("_T")


class Registry(Protocol):
    """Where writers put their schemas."""

    async def schema(self, schema_id: int) -> str | None:
        """The Avro schema of that id as text, None where there is none; bounded in time.

        `RegistryUnavailable` where the registry gives no answer.
        """
        ...


class WriterSchemas:
    """The schemas of one intake: `ready` fetches them, `find` gives them to `read_inbound`."""

    def __init__(self, registry: Registry, monotonic_s: Callable[[], float]) -> None:
        self._registry = registry
        self._now = monotonic_s
        self._known: dict[int, ForeignSchema | str] = {}
        self._absent: dict[int, float] = {}

    def find(self, schema_id: int) -> ForeignSchema | str | None:
        """The schema, or why its records can not be read, or None where `ready` was not called."""
        if schema_id in self._absent or not 0 < schema_id <= ID_MAX:
            return f"expected a schema of the registry, found none with the id {schema_id}"
        return self._known.get(schema_id)

    def missing(self, values: Iterable[bytes]) -> set[int]:
        """The ids in these records' frames that have to be asked for before they can be read."""
        ids = {found for found in map(frame_id, values) if found is not None}
        return {each for each in ids if 0 < each <= ID_MAX and not self._is_settled(each)}

    async def ready(self, values: Iterable[bytes], *, within_s: float = HOLD_S) -> None:
        """Return once each of the records can be read; `RegistryUnavailable` after the bound."""
        missing = self.missing(values)
        wanted = f"expected an answer of the schema registry in {within_s} s, found none"
        troubles = [RegistryUnavailable(wanted)]
        if not missing:
            return
        try:
            async with asyncio.timeout(within_s):
                await self._until_settled(missing, troubles)
        except TimeoutError:
            raise troubles[-1] from None

    async def _until_settled(self, ids: set[int], troubles: list[RegistryUnavailable]) -> None:
        """Ask again and again, less and less often; note what came in between."""
        pause_s = RETRY_S
        while failures := await self._ask_all(ids):
            ids = set(failures)
            troubles.append(next(iter(failures.values())))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RETRY_MAX_S)

    async def _ask_all(self, ids: Iterable[int]) -> dict[int, RegistryUnavailable]:
        """Ask for all of them, a few at a time; the ids to which there was no answer."""
        failures: dict[int, RegistryUnavailable] = {}
        waiting = iter(sorted(ids))

        async def ask() -> None:
            for schema_id in waiting:
                try:
                    self._settle(schema_id, await self._registry.schema(schema_id))
                except RegistryUnavailable as error:
                    failures[schema_id] = error
                    failures.update(dict.fromkeys(waiting, error))  # it is away: try no more now

        async with asyncio.TaskGroup() as group:
            for _ in range(ASKED_AT_ONCE):
                group.create_task(ask())
        return failures

    def _is_settled(self, schema_id: int) -> bool:
        asked_at = self._absent.get(schema_id)
        if asked_at is not None:
            return self._now() - asked_at < ABSENT_S
        found = self._known.pop(schema_id, None)
        if found is not None:
            self._known[schema_id] = found  # the newest again: who waits to be read must find it
        return found is not None

    def _settle(self, schema_id: int, text: str | None) -> None:
        self._absent.pop(schema_id, None)
        if text is None:
            _keep(self._absent, schema_id, self._now(), ABSENT_MAX)
            return
        try:
            _keep(self._known, schema_id, foreign_schema(text), KNOWN_MAX)
        except InvalidInput as error:
            _keep(self._known, schema_id, f"schema {schema_id} of the registry: {error}", KNOWN_MAX)


def _keep(held: dict[int, _T], key: int, value: _T, most: int) -> None:
    """Add one at the end; the oldest makes room."""
    while len(held) >= most:
        del held[next(iter(held))]
    held[key] = value
