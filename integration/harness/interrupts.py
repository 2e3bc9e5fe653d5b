"""Ctrl-C, SIGTERM and SIGHUP: commands clean up what they started, whichever ends them."""

import contextlib
import signal
import threading

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def raise_on_signals():
    """From now on the first of SIGNALS raises KeyboardInterrupt in the main thread.

    Later ones do nothing, so that nobody interrupts the cleaning up; it has deadlines of its own.
    """
    _handle_all(_interrupt)


@contextlib.contextmanager
def ignored():
    """Nothing interrupts the block, which must have a deadline of its own.

    A thread beside the main one is never interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _handle_all(_do_nothing)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _handle_all(handler):
    return {number: signal.signal(number, handler) for number in SIGNALS}


def _interrupt(number, _frame):
    _handle_all(_do_nothing)
    raise KeyboardInterrupt(signal.Signals(number).name)


def _do_nothing(_number, _frame):
    """A handler, where SIG_IGN would be inherited by the programs that are started meanwhile."""
