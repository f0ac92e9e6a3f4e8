"""Signals of the process: taken over for a while, given back whatever else runs."""

import os
import signal
import threading

import pytest

from linrep.cli.signals import stop_on_signal


def test_the_first_signal_is_a_wish_and_the_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with stop_on_signal() as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    with stop_on_signal(patient=True) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()


def test_in_another_thread_nothing_is_taken_over() -> None:
    before, seen = signal.getsignal(signal.SIGINT), list[object]()

    def work() -> None:
        with stop_on_signal() as stop:
            seen.extend((stop(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False, before]


def test_a_handler_that_python_did_not_set_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where another language runs Python: it could not be given back."""
    found, before = signal.getsignal, signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(
        signal, "getsignal", lambda number: None if number == signal.SIGTERM else found(number)
    )
    with stop_on_signal() as stop:
        assert found(signal.SIGINT) == before
        assert not stop()
