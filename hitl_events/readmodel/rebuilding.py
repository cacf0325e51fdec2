"""A read model folded anew beside the live one, which it then replaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.targets import Building, Target
from hitl_events.errors import ReadModelDiffers
from hitl_events.runtime.projector import Projector, Source

PIECE_EVENTS = 20_000
"""Nobody waits for one of them: larger pieces write the same row less often."""

Told = Callable[[int], None]


async def rebuild(sources: Mapping[int, Source], target: Target, told: Told) -> None:
    """Fold all partitions from their beginning; `told` hears how many events more are in.

    Killed at any moment, the old one stands, and the next call goes on where this one ended.
    """
    with target.rebuilding() as building:
        try:
            await _fold(sources, building, told)
        except ReadModelDiffers:  # what was begun there is of another log
            building.discard()
            await _fold(sources, building, told)
        with building.exchanging():
            await _fold(sources, building, told)  # what came meanwhile


async def _fold(sources: Mapping[int, Source], building: Building, told: Told) -> None:
    with closing(building.open()) as database:
        model = ReadModel(database)
        for partition, source in sources.items():
            projector = Projector(
                source, model, AvroCodec(), partition=partition, piece_events=PIECE_EVENTS
            )
            await projector.catch_up(told)
