"""Ctrl-C and coroutines that never wait."""

from __future__ import annotations

import signal

import pytest

from hitl_services.cli.interruptible import interruptible


def test_ctrl_c_ends_a_coroutine_that_never_waits() -> None:
    """It ends in the line that runs, not at the next wait, and the signal is Python's again."""
    done: list[str] = []

    async def long() -> None:
        done.append("before")
        signal.raise_signal(signal.SIGINT)
        done.append("after")

    with pytest.raises(KeyboardInterrupt):
        interruptible(long())

    assert done == ["before"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_the_coroutine_returns_is_given() -> None:
    """Without a signal it is `asyncio.run`."""

    async def short() -> int:
        return 7

    assert interruptible(short()) == 7
