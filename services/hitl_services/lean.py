"""Packages that a process can do without, though another one would load them where they are."""

import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def without(name: str) -> Generator[None]:
    """In this block the package counts as not installed, unless somebody has loaded it already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # as the import system marks what is not there
    try:
        yield
    finally:
        del sys.modules[name]
