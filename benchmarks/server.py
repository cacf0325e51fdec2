"""What a process that serves sets, for as long as something is measured."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

from hitl_services.memory import settle_memory


@contextmanager
def server_gc() -> Generator[None]:
    """The collector as our long-lived processes and `hitl rebuild` set it after their imports."""
    before = gc.get_threshold()
    settle_memory()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
