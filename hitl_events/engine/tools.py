"""What the engine is given: all of it pure, or known only by a port."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import EPOCH, RunId, value
from hitl_events.ports import Blobs, Codec, RecipeBook, Watch


@value
class Tools:
    """`only` are the runs that a short-lived owner drives; None means all of them.

    `strict`: a recorded step that now gets other arguments blocks its run. `partition` is the one
    that is owned, `place` says in which a run lives (None: there is one). `ask_from`: until then no
    reconcile gate opens, as the owner before may still be in the step it began. User data longer
    than `inline_bytes_max` goes to `blobs`, which the shell asks, never the engine; None: all of it
    stays in the events.
    """

    codec: Codec
    keys: TokenKeys
    recipes: RecipeBook
    watch: Watch
    only: set[RunId] | None = None
    strict: bool = False
    partition: int = 0
    place: Callable[[RunId], int] | None = None
    ask_from: datetime = EPOCH
    blobs: Blobs | None = None
    inline_bytes_max: int | None = None
