"""What the tests of adapters open is closed after them, also when they fail."""

from collections.abc import Generator
from contextlib import ExitStack, closing
from typing import Protocol, TypeVar

import pytest


class Closed(Protocol):
    """Anything with an end."""

    def close(self) -> None: ...


_Opened = TypeVar("_Opened", bound=Closed)


class UntilEnd:
    """Keeps what a test has opened, and gives it back to be used."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(self, opened: _Opened) -> _Opened:
        return self._stack.enter_context(closing(opened))


@pytest.fixture
def until_end() -> Generator[UntilEnd]:
    """Closes it all, the last one first."""
    with ExitStack() as stack:
        yield UntilEnd(stack)
