"""How often the cyclic collector looks, in processes that make many objects and few cycles."""

from __future__ import annotations

import gc

GC_THRESHOLD = 50_000
"""Objects made between two looks of the youngest generation; docs/performance.md says why."""


def settle_memory() -> None:
    """What was imported stays for ever: the collector need not look at it, nor look so often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
