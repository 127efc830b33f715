"""Ctrl-C: the call is cancelled, its coroutine has stopped, the client stays usable, and nothing paid for is lost."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal
from servers import DONE, JOB, PDF, RawServer, Service, http, silence

from cloudlayer_async import Cloudlayer, ConversionRequest, HtmlToPdf, Job, PollSchedule, UrlToPdf

from .conftest import KEY, Gate, StartRaw, happens, interrupt_when, run_script


def test_the_call_is_cancelled_and_the_client_stays_usable(
    start_raw: StartRaw, servers: BlockingPortal, no_environment: None
) -> None:
    server = start_raw(silence)
    with Cloudlayer(KEY, base_url=server.url) as cl:
        pressed = interrupt_when(lambda: happens(servers, server.arrived.wait))
        with pytest.raises(KeyboardInterrupt) as interrupt:
            cl.get_status()
        pressed.join()
        happens(servers, server.hung_up.wait)  # the coroutine has stopped: it has let go of its connection
        server.steps = [answer_ok]
        assert cl.get_status().ok
    assert not hasattr(interrupt.value, "maybe_billed")  # a read costs nothing
    assert type(interrupt.value) is KeyboardInterrupt


async def answer_ok(exchange: object) -> None:
    await exchange.request()  # type: ignore[attr-defined]
    await exchange.send(http(200, {"status": "ok"}))  # type: ignore[attr-defined]


def test_the_coroutine_has_stopped_when_the_interrupt_arrives(
    cl: Cloudlayer, gate: Gate, no_environment: None, tmp_path: Path, service: Service
) -> None:
    """A download under way leaves no file behind, not even a partial one."""
    service.answers("GET /v2/jobs/slow", gate)
    pressed = interrupt_when(gate.wait)
    with pytest.raises(KeyboardInterrupt):
        cl.attach("slow").save(tmp_path / "out.pdf")
    assert list(tmp_path.iterdir()) == []
    pressed.join()


def test_a_submission_that_had_left_says_so(
    start_raw: StartRaw, servers: BlockingPortal, no_environment: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Rule 4 of the design: plain KeyboardInterrupt, a note, `maybe_billed`, one warning with the job's name."""
    server: RawServer = start_raw(silence)
    with Cloudlayer(KEY, base_url=server.url) as cl:
        pressed = interrupt_when(lambda: happens(servers, server.arrived.wait))
        with caplog.at_level(logging.WARNING), pytest.raises(KeyboardInterrupt) as interrupt:
            cl.html_to_pdf("<p>x</p>", name="invoice-17")
        pressed.join()
    assert type(interrupt.value) is KeyboardInterrupt
    assert interrupt.value.maybe_billed is True  # type: ignore[attr-defined]
    assert "invoice-17" in " ".join(interrupt.value.__notes__)
    assert "may exist and be billed" in " ".join(interrupt.value.__notes__)
    assert ["invoice-17" in record.getMessage() for record in caplog.records] == [True]


def test_an_interrupted_wait_keeps_the_job_s_id(cl: Cloudlayer, gate: Gate, service: Service) -> None:
    service.answers("POST /v2/url/pdf", {"id": "paid", "status": "pending"}, status=202)
    service.answers("GET /v2/jobs/paid", gate)
    pressed = interrupt_when(gate.wait)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        cl.convert(UrlToPdf("https://example.com"))
    pressed.join()
    assert (interrupt.value.job_id, interrupt.value.maybe_billed) == ("paid", True)  # type: ignore[attr-defined]
    assert "attach('paid') resumes" in interrupt.value.__notes__[0]


def test_an_interrupt_that_comes_when_the_answer_is_there_loses_no_job(service: Service, no_environment: None) -> None:
    """The submission has ended well, and its handle is on the way to the caller: its id is on the interrupt."""

    def press(_: object) -> None:
        # The last thing the caller does before it takes the handle.
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)

    with Cloudlayer(KEY, base_url=service.url, on_attempt=press) as cl, pytest.raises(KeyboardInterrupt) as interrupt:
        cl.html_to_pdf("<p>x</p>")
    assert interrupt.value.maybe_billed is True  # type: ignore[attr-defined]
    assert interrupt.value.job_id == "7Kq2"  # type: ignore[attr-defined]
    assert "attach('7Kq2') resumes" in interrupt.value.__notes__[0]


class Alarm(Exception):
    """What a signal handler raises, as Celery's soft time limit does."""


def test_any_exception_of_a_signal_handler_cancels(cl: Cloudlayer, gate: Gate) -> None:
    def ring(*_: object) -> None:
        raise Alarm

    before = signal.signal(signal.SIGINT, ring)
    try:
        pressed = interrupt_when(gate.wait)
        with pytest.raises(Alarm):
            cl.get_account()
        pressed.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert cl.get_status().ok


def test_between_the_items_of_an_iterator(cl: Cloudlayer, gate: Gate, service: Service) -> None:
    service.answers("GET /v2/jobs/w", DONE | {"id": "w", "status": "pending"}, gate)
    jobs = cl.watch_job("w")
    assert next(jobs).is_pending
    pressed = interrupt_when(gate.wait)
    with pytest.raises(KeyboardInterrupt):
        next(jobs)
    pressed.join()
    assert list(jobs) == []
    assert cl.get_status().ok


def test_inside_a_with_block_the_connection_is_closed(
    start_raw: StartRaw, servers: BlockingPortal, no_environment: None
) -> None:
    async def half_a_product(exchange: object) -> None:
        request = await exchange.request()  # type: ignore[attr-defined]
        if request.target.startswith("/v2/"):
            url = f"http://{request.headers['Host']}/asset"
            await exchange.send(http(200, DONE | {"assetUrl": url}))  # type: ignore[attr-defined]
            return
        await exchange.send(http(200, b"%PDF", content_length="1000"))  # type: ignore[attr-defined]
        server.hung_up.clear()
        await exchange.gone()  # type: ignore[attr-defined]

    server = start_raw(half_a_product)
    with Cloudlayer(KEY, base_url=server.url) as cl:
        with pytest.raises(KeyboardInterrupt), cl.attach("7Kq2").stream() as chunks:
            assert next(chunks) == b"%PDF"
            signal.raise_signal(signal.SIGINT)
        happens(servers, server.hung_up.wait)


def test_in_a_callback(cl: Cloudlayer) -> None:
    """Ctrl-C while a function of the user's runs in the call."""

    def press(_: Job) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        cl.attach("7Kq2").wait(on_update=press)
    assert cl.convert(HtmlToPdf("<p>x</p>")).job.is_success


ANY_MOMENT = """
import faulthandler, random, signal, socket, sys
from cloudlayer_async import Cloudlayer


def unraisable(what):
    # Python drops an interrupt that comes while it runs a finalizer; asyncio leaves the socket of a connection that is
    # cancelled between its making and its use to the garbage collector.
    unowned = what.exc_type is ResourceWarning and isinstance(what.object, socket.socket)
    if what.exc_type is not KeyboardInterrupt and not unowned:
        sys.__unraisablehook__(what)


sys.unraisablehook = unraisable
faulthandler.dump_traceback_later(50, exit=True)    # a client that hangs shows where
signal.signal(signal.SIGALRM, signal.default_int_handler)


def interrupted(call, most):
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, 1e-5 + random.random() * most, 0.2)
            while True:
                call()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        pass
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers that signal")
@pytest.mark.parametrize(
    "rest",
    [
        # The call: 500 interrupts, each at another point of it.
        (
            "cl = Cloudlayer()\n"
            "cl.get_status()\n"
            "for _ in range(500):\n"
            "    interrupted(cl.get_status, 0.003)\n"
            "    interrupted(lambda: list(cl.watch_job('7Kq2')), 0.003)\n"
            "assert cl.get_status().ok\n"
            "cl.close()\n"
        ),
        # The first call, which starts the thread and the loop.
        (
            "for _ in range(150):\n"
            "    cl = Cloudlayer()\n"
            "    interrupted(cl.get_status, 0.0015)\n"
            "    assert cl.get_status().ok\n"
            "    cl.close()\n"
        ),
    ],
    ids=["calls", "first calls"],
)
def test_at_any_moment(service: Service, tmp_path: Path, rest: str) -> None:
    """Wherever it comes, it goes on to the caller, and the client stays usable."""
    run_script(ANY_MOMENT + rest, service, tmp_path)


@pytest.mark.timeout(30)
def test_interrupted_in_a_function_of_ones_own_and_going_on(
    service: Service, no_environment: None, tmp_path: Path
) -> None:
    job = {**DONE, "id": "7Kq2", "assetUrl": service.asset("/7Kq2.pdf", PDF, content_type="application/pdf")}
    service.answers("POST /v2/html/pdf", JOB, status=202)
    service.answers(f"GET /v2/jobs/{JOB['id']}", job)
    calls = 0

    def place(request: ConversionRequest) -> Path:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return tmp_path / f"{calls}.pdf"

    outcomes = []
    with Cloudlayer(KEY, base_url=service.url, polling=PollSchedule(min_interval=0.01)) as cl:
        with cl.batch([HtmlToPdf(f"<p>{number}") for number in range(4)], save_to=place) as batch:
            while True:
                try:
                    outcomes.append(next(batch))
                except StopIteration:
                    break
                except KeyboardInterrupt:
                    continue
    assert len(outcomes) == 4 and sum(outcome.ok for outcome in outcomes) == 3
