"""Sixteen threads share one client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from servers import DONE, JOB, PDF, Service

from cloudlayer_async import Cloudlayer, ConversionRequest, HtmlToPdf, NotFoundError, PollSchedule, UrlToPdf

from .conftest import KEY, client_threads

THREADS = 16


def together(work: Callable[[int], object]) -> list[object]:
    """Does the work in all threads, which begin at the same moment."""
    start = threading.Barrier(THREADS)

    def begin(number: int) -> object:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def test_threads_start_one_loop_between_them(cl: Cloudlayer) -> None:
    assert together(lambda _: cl.get_status().ok) == [True] * THREADS
    assert len(client_threads()) == 1


def test_each_thread_gets_its_own_answers(cl: Cloudlayer, service: Service) -> None:
    for number in range(THREADS):
        service.answers(f"GET /v2/jobs/job-{number}", DONE | {"id": f"job-{number}"})

    def work(number: int) -> list[str]:
        seen = []
        for _ in range(20):
            seen.append(cl.get_job(f"job-{number}").id)
            try:
                cl.get_job(f"unknown-{number}")
            except NotFoundError as error:
                assert f"unknown-{number}" in str(error)
        return seen

    assert together(work) == [[f"job-{number}"] * 20 for number in range(THREADS)]


def test_handles_and_iterators_in_all_of_them(cl: Cloudlayer, service: Service) -> None:
    service.answers("GET /v2/jobs", [DONE | {"id": f"job-{n}"} for n in range(5)])

    def work(number: int) -> int:
        with cl.attach("7Kq2").stream() as chunks:
            return sum(len(chunk) for chunk in chunks) + len(list(cl.iter_jobs()))

    assert together(work) == [1_000_009] * THREADS


def test_callbacks_run_in_the_thread_that_waits(service: Service, no_environment: None) -> None:
    seen: dict[str, set[int]] = {}
    with Cloudlayer(
        KEY,
        base_url=service.url,
        on_attempt=lambda attempt: seen.setdefault(attempt.request, set()).add(threading.get_ident()),
    ) as cl:
        for number in range(THREADS):
            service.answers(f"GET /v2/jobs/job-{number}", DONE | {"id": f"job-{number}"})

        def work(number: int) -> int:
            cl.get_job(f"job-{number}")
            return threading.get_ident()

        idents = together(work)
    assert [seen[f"GET /v2/jobs/job-{number}"] for number in range(THREADS)] == [{ident} for ident in idents]


def test_one_iterator_in_two_threads_gives_each_item_once(cl: Cloudlayer, service: Service) -> None:
    service.answers("POST /v2/html/pdf", JOB, status=202)
    with cl.attach("7Kq2").stream() as chunks:
        lock = threading.Lock()
        sizes: list[int] = []

        def take(_: int) -> None:
            while True:
                with lock:  # as for any generator
                    chunk = next(chunks, None)
                if chunk is None:
                    return
                sizes.append(len(chunk))

        together(take)
    assert sum(sizes) == 1_000_004


def test_the_functions_of_a_batch_run_in_the_thread_that_waits(
    service: Service, no_environment: None, tmp_path: Path
) -> None:
    job = {**DONE, "id": "7Kq2", "assetUrl": service.asset("/7Kq2.pdf", PDF, content_type="application/pdf")}
    service.answers("POST /v2/html/pdf", JOB, status=202)
    service.answers(f"GET /v2/jobs/{JOB['id']}", job)
    here, seen = threading.get_ident(), dict[str, set[int]]()

    def note(what: str) -> None:
        seen.setdefault(what, set()).add(threading.get_ident())

    with Cloudlayer(KEY, base_url=service.url, polling=PollSchedule(min_interval=0.01)) as cl:

        def source() -> Iterator[HtmlToPdf]:
            for number in range(3):
                note("source")
                yield HtmlToPdf(f"<p>{number}")

        def place(request: ConversionRequest) -> Path:
            note("save_to")
            cl.last_limits  # noqa: B018 (it may use the client)
            return tmp_path / "page.pdf"

        report = cl.run_batch(source(), save_to=place, on_progress=lambda progress: note("on_progress"))
    assert report.succeeded == 3 and len(list(tmp_path.iterdir())) == 3
    assert seen == {"source": {here}, "save_to": {here}, "on_progress": {here}}


def test_what_cuts_run_batch_short_has_its_report(service: Service, no_environment: None, tmp_path: Path) -> None:
    pending = {**JOB, "id": "goes-on"}
    service.answers("GET /v2/jobs/goes-on", pending)

    def source() -> Iterator[UrlToPdf]:
        yield UrlToPdf("https://example.com", name="mine")
        while not service.count("GET /v2/jobs/goes-on"):
            time.sleep(0.01)
        raise KeyboardInterrupt

    service.answers("POST /v2/url/pdf", pending, status=202)
    with Cloudlayer(KEY, base_url=service.url, polling=PollSchedule(min_interval=0.01)) as cl:
        with pytest.raises(KeyboardInterrupt) as caught:
            cl.run_batch(source(), save_to=tmp_path)
    assert [item.job_id for item in caught.value.report.in_flight] == ["goes-on"]  # type: ignore[attr-defined]
    assert caught.value.maybe_billed is True  # type: ignore[attr-defined]
