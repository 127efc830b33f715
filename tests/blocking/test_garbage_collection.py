"""Garbage collected anywhere, on the loop's own thread too: nothing hangs, and threads end."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from servers import DONE, Service

from cloudlayer_async import Cloudlayer, Job, NotFoundError

from .conftest import KEY, PATIENCE, client_threads


@pytest.fixture(autouse=True)
def by_hand() -> Iterator[None]:
    """Nothing is collected before the test says so."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Cycle:
    """Keeps something alive until garbage is collected."""

    def __init__(self, kept: object) -> None:
        self.me = self
        self.kept = kept


def collect_on_the_loop_of(cl: Cloudlayer) -> None:
    """Collects garbage in the thread of a client's loop."""
    collected: list[str] = []

    async def collect(_: Job) -> None:
        gc.collect()
        collected.append(threading.current_thread().name)

    cl.attach("7Kq2").wait(on_update=collect)
    assert collected == ["cloudlayer"]


def ended(threads: list[threading.Thread]) -> bool:
    for thread in threads:
        thread.join(PATIENCE)
    return not any(thread.is_alive() for thread in threads)


def test_a_forgotten_client_ends_its_thread(service: Service, no_environment: None) -> None:
    cl = Cloudlayer(KEY, base_url=service.url)
    cl.get_status()
    threads = client_threads()
    with pytest.warns(ResourceWarning, match="left open"):
        del cl
    assert ended(threads)


def test_a_forgotten_client_that_was_never_used_has_none(no_environment: None) -> None:
    cl = Cloudlayer(KEY)
    gone = weakref.ref(cl)
    del cl
    assert gone() is None


def test_a_handle_keeps_the_loop_of_its_client(service: Service, no_environment: None) -> None:
    conversion = Cloudlayer(KEY, base_url=service.url).html_to_pdf("<p>x</p>")
    assert len(conversion.result().content) == 1_000_004
    with pytest.warns(ResourceWarning, match="left open"):
        del conversion


def test_a_client_collected_on_another_loop(cl: Cloudlayer, service: Service) -> None:
    other = Cloudlayer(KEY, base_url=service.url)
    other.get_status()
    threads = client_threads()
    Cycle(other)
    del other
    with pytest.warns(ResourceWarning, match="left open"):
        collect_on_the_loop_of(cl)
    assert len(threads) == 1
    assert ended(threads)


@pytest.mark.parametrize("forgotten", ["iterator", "block"])
def test_an_iterator_or_block_collected_on_its_own_loop(cl: Cloudlayer, service: Service, forgotten: str) -> None:
    service.answers("GET /v2/jobs", [DONE | {"id": f"job-{number}"} for number in range(3)])
    kept: Any
    if forgotten == "iterator":
        kept = cl.iter_jobs()
        next(kept)
    else:
        kept = cl.attach("7Kq2").stream()
        next(kept.__enter__())
    gone = weakref.ref(Cycle(kept))
    del kept
    collect_on_the_loop_of(cl)
    assert gone() is None
    assert cl.get_status().ok


def test_an_iterator_collected_in_another_thread(cl: Cloudlayer, service: Service) -> None:
    service.answers("GET /v2/jobs", [DONE | {"id": f"job-{number}"} for number in range(3)])
    jobs = cl.iter_jobs()
    next(jobs)
    Cycle(jobs)
    del jobs
    thread = threading.Thread(target=gc.collect)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert cl.get_status().ok


@pytest.mark.parametrize(
    "use",
    [
        lambda cl: cl.get_job("unknown"),
        lambda cl: list(cl.watch_job("unknown")),
        lambda cl: cl.attach("unknown").stream().__enter__(),
    ],
    ids=["call", "iterator", "block"],
)
def test_errors_leave_no_cycles(cl: Cloudlayer, use: Callable[[Cloudlayer], object]) -> None:
    """An error holds its traceback, that its frames; were the error in one of these, only the collector could free it."""

    def fail() -> weakref.ref[BaseException]:
        try:
            use(cl)
        except NotFoundError as error:
            return weakref.ref(error)
        raise AssertionError("there is no such job")

    gone = fail()
    cl.get_status()  # the loop lets go of the last call it made
    assert gone() is None
