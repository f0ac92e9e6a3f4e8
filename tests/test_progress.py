"""Signals, log lines and warnings of the process: taken over for a while, given back whatever else runs."""

import logging
import os
import signal
import threading
import warnings

import pytest

from linrep.progress import silenced, stop_on_signal


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


def test_what_is_silenced_is_heard_again(recwarn: pytest.WarningsRecorder) -> None:
    log = logging.getLogger("linrep-test-silenced")
    log.setLevel(logging.INFO)
    with silenced("linrep-test"), silenced("linrep-test-s"):
        assert not log.isEnabledFor(logging.CRITICAL)
        warnings.warn("nobody reads this", stacklevel=1)
    assert log.level == logging.INFO
    assert not recwarn.list
    warnings.warn("read", stacklevel=1)
    assert [str(each.message) for each in recwarn.list] == ["read"]


def test_threads_that_silence_at_once_leave_nothing_silent(recwarn: pytest.WarningsRecorder) -> None:
    """The first to begin ends first: giving back what each found would keep what the other had taken."""
    log = logging.getLogger("linrep-test-threads")
    log.setLevel(logging.INFO)
    second_in, first_out = threading.Event(), threading.Event()

    def second() -> None:
        with silenced("linrep-test-threads"):
            second_in.set()
            first_out.wait(30)

    thread = threading.Thread(target=second)
    with silenced("linrep-test-threads"):
        thread.start()
        assert second_in.wait(30)
    assert not log.isEnabledFor(logging.CRITICAL), "the second still works"
    first_out.set()
    thread.join()
    assert log.level == logging.INFO
    warnings.warn("read", stacklevel=1)
    assert [str(each.message) for each in recwarn.list] == ["read"]
