"""Log lines and warnings of other libraries: held back for a while, heard again afterwards."""

import logging
import threading
import warnings

import pytest

from linrep.sweeps.silence import silenced


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
