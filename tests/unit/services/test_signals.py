"""Which signals let a process end."""

import signal
from collections.abc import Generator

import pytest

from hitl_services.signals import ending_signals


@pytest.fixture(autouse=True)
def kept() -> Generator[None]:
    """What this process does with it is as it was."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_goes_ends_it() -> None:
    """Who closes the window wants an orderly end, as with SIGTERM."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

    assert ending_signals() == (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def test_under_nohup_it_stays() -> None:
    """What was started to outlive its terminal does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    assert ending_signals() == (signal.SIGTERM, signal.SIGINT)
