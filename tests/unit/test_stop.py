"""Asking a run to stop by signal."""

import os
import signal
import threading

import pytest

from milepost.jobs.stop import Stop, catch_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_raises(number: signal.Signals, capfd) -> None:
    stop, asked = Stop(), []
    with catch_signals(stop, lambda: asked.append(stop.requested)):
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        assert asked == [True]
        with pytest.raises(KeyboardInterrupt, match=number.name):
            os.kill(os.getpid(), number)
    assert asked == [True]
    assert capfd.readouterr() == ("", "")


def test_handlers_are_put_back_even_after_an_error() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def work() -> None:
        with catch_signals(Stop()):
            assert signal.getsignal(signal.SIGTERM) != before[1]
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        work()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with catch_signals(stop := Stop()):
            os.kill(os.getpid(), signal.SIGINT)
            assert not stop.requested
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.requested
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_the_main_thread_no_handler_is_set() -> None:
    ended: list[bool] = []

    def work() -> None:
        with catch_signals(Stop()):
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]
