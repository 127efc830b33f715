"""A traceback shows the user's line, and at most a few frames of ours."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import Service

from cloudlayer_async import Cloudlayer, Job, NotFoundError, ValidationError

from .conftest import KEY, Gate, interrupt_when

FEW = 4


def files(error: BaseException) -> list[str]:
    """The files of a traceback, from the user's line on."""
    return [Path(frame.filename).name for frame in traceback.extract_tb(error.__traceback__)]


@pytest.mark.parametrize(
    "use",
    [
        lambda cl: cl.get_job("unknown"),
        lambda cl: cl.attach("unknown").result(),
        lambda cl: next(cl.iter_jobs()),
        lambda cl: cl.html_to_image("<p>x</p>"),
    ],
    ids=["call", "handle", "iterator", "conversion"],
)
def test_an_error_of_a_call(cl: Cloudlayer, use: Callable[[Cloudlayer], object]) -> None:
    with pytest.raises(NotFoundError) as caught:
        use(cl)
    theirs = [name for name in files(caught.value) if name == Path(__file__).name]
    ours = [name for name in files(caught.value) if name != Path(__file__).name]
    assert len(theirs) == 2
    assert len(ours) <= FEW, ours


def test_an_error_in_a_block(cl: Cloudlayer) -> None:
    with pytest.raises(NotFoundError) as caught, cl.attach("unknown").stream():
        pass
    ours = [name for name in files(caught.value) if name not in (Path(__file__).name, "contextlib.py")]
    assert len(ours) <= FEW + 1, ours


def test_an_error_before_anything_is_sent(cl: Cloudlayer) -> None:
    with pytest.raises(ValidationError) as caught:
        cl.get_job("")
    assert files(caught.value)[0] == Path(__file__).name
    assert len(files(caught.value)) <= FEW + 1


def test_an_error_raised_twice_does_not_grow(cl: Cloudlayer) -> None:
    lengths = set()
    for _ in range(3):
        with pytest.raises(NotFoundError) as caught:
            cl.get_job("unknown")
        lengths.add(len(files(caught.value)))
    assert len(lengths) == 1


def test_an_error_in_a_function_of_the_user_s_shows_its_line(cl: Cloudlayer) -> None:
    def update(_: Job) -> None:
        raise LookupError("in the user's own function")

    with pytest.raises(LookupError) as caught:
        cl.attach("7Kq2").wait(on_update=update)
    shown = "".join(traceback.format_exception(caught.value))
    assert 'raise LookupError("in the user\'s own function")' in shown
    assert 'cl.attach("7Kq2").wait(on_update=update)' in shown


def test_an_error_in_an_async_function_of_the_user_s_too(service: Service, no_environment: None) -> None:
    async def key() -> str:
        raise LookupError("no vault today")

    with Cloudlayer(key, base_url=service.url) as cl, pytest.raises(LookupError) as caught:
        cl.get_status()
    assert 'raise LookupError("no vault today")' in "".join(traceback.format_exception(caught.value))


def test_ctrl_c_shows_where_the_user_waited(cl: Cloudlayer, gate: Gate) -> None:
    pressed = interrupt_when(gate.wait)
    with pytest.raises(KeyboardInterrupt) as caught:
        cl.get_account()
    pressed.join()
    shown = "".join(traceback.format_exception(caught.value))
    assert "cl.get_account()" in shown
    assert "CancelledError" not in shown
    assert len(files(caught.value)) <= 7


def test_no_key_in_a_traceback(cl: Cloudlayer) -> None:
    with pytest.raises(NotFoundError) as caught:
        cl.get_job("unknown")
    detailed = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert KEY not in "".join(detailed.format())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
