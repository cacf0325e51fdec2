"""The signals that let a long-lived process end. Imports nothing heavy."""

from __future__ import annotations

import signal


def ending_signals() -> tuple[signal.Signals, ...]:
    """SIGTERM, SIGINT, and SIGHUP, which comes when its terminal goes.

    Not SIGHUP where it is ignored: whoever starts a process with `nohup` wants it to stay.
    """
    stays = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    always = (signal.SIGTERM, signal.SIGINT)
    return always if stays else (*always, signal.SIGHUP)
