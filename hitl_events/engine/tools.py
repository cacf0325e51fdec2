"""What the engine is given: all of it pure, or known only by a port."""

from __future__ import annotations

from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId, value
from hitl_events.ports import Codec, RecipeBook, Watch


@value
class Tools:
    """`only` are the runs that a short-lived owner drives; None means all of them.

    `strict`: a recorded step that now gets other arguments blocks its run.
    """

    codec: Codec
    keys: TokenKeys
    recipes: RecipeBook
    watch: Watch
    only: set[RunId] | None = None
    strict: bool = False
