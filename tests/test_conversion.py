"""The handle: waiting, resuming, and a product that comes with the reply, small or large."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from conftest import Connect
from servers import DONE, JOB, PDF, Clock, Exchange, RawServer, Service, broken_off, http, reply

from cloudlayer_async import (
    AsyncCloudlayer,
    CloudlayerError,
    Document,
    DocxToHtml,
    DownloadError,
    HtmlToPdf,
    Job,
    JobFailedError,
    JobStatus,
    JobTimeoutError,
    NotFoundError,
    RateLimitError,
    RetryPolicy,
    Timeouts,
    UnexpectedResponseError,
    ValidationError,
)
from cloudlayer_async.deadlines import Deadlines

pytestmark = pytest.mark.usefixtures("no_complaints", "no_environment")

FAILED = {**JOB, "status": "error", "error": "net::ERR_NAME_NOT_RESOLVED"}
NEW_PENDING = {**JOB, "status": "processing"}


def ready(service: Service, *states: Any, content: bytes = PDF, **headers: str) -> None:
    """The service takes a conversion and shows its job in these states, the product's address in the last."""
    service.answers("POST /v2/html/pdf", JOB, status=202)
    url = service.asset("/7Kq2/out.pdf", content, **{"content_type": "application/pdf", **headers})
    service.answers("GET /v2/jobs/7Kq2", *states, {**DONE, "assetUrl": url})


# --- waiting --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_from_submission_to_bytes(clock: Clock, service: Service, client: AsyncCloudlayer) -> None:
    ready(service, JOB, NEW_PENDING)
    conversion = await client.html_to_pdf("<p>")
    assert (conversion.job_id, conversion.done) == ("7Kq2", False)
    seen: list[str | None] = []
    job = await conversion.wait(on_update=lambda job: seen.append(job.raw_status))
    assert job.is_success
    assert conversion.done
    assert conversion.job is job
    assert seen == ["pending", "success"]  # "processing" is pending by another name
    document = await conversion.result()
    assert document.content == PDF
    assert (document.filename, document.content_type) == ("out.pdf", "application/pdf")
    assert document.job is job
    assert service.count("GET /v2/jobs/7Kq2") == 3
    assert len(service.downloads) == 1


@pytest.mark.asyncio
async def test_an_ended_job_is_not_read_again(clock: Clock, service: Service, client: AsyncCloudlayer) -> None:
    ready(service)
    conversion = await client.html_to_pdf("<p>")
    await conversion.wait()
    await conversion.wait(timeout=0)
    await conversion.result()
    assert service.count("GET /v2/jobs/7Kq2") == 1


@pytest.mark.asyncio
async def test_observers_may_be_coroutines(clock: Clock, service: Service, client: AsyncCloudlayer) -> None:
    ready(service, JOB)
    seen: list[Job] = []

    async def observe(job: Job) -> None:
        await asyncio.sleep(0)
        seen.append(job)

    await (await client.html_to_pdf("<p>")).wait(on_update=observe)
    assert [job.is_success for job in seen] == [False, True]


@pytest.mark.asyncio
async def test_a_failed_job(clock: Clock, service: Service, client: AsyncCloudlayer) -> None:
    service.answers("POST /v2/html/pdf", JOB, status=202)
    service.answers("GET /v2/jobs/7Kq2", JOB, FAILED)
    conversion = await client.html_to_pdf("<p>")
    for call in (conversion.wait, conversion.result):
        with pytest.raises(JobFailedError, match="ERR_NAME_NOT_RESOLVED") as caught:
            await call()
        assert caught.value.job.is_error
        assert caught.value.job_id == "7Kq2"
        assert caught.value.maybe_billed
    assert conversion.done
    assert service.count("GET /v2/jobs/7Kq2") == 2
    assert service.downloads == []


@pytest.mark.asyncio
async def test_a_wait_that_is_too_short_is_resumed(clock: Clock, service: Service, client: AsyncCloudlayer) -> None:
    service.answers("POST /v2/html/pdf", JOB, status=202)
    service.answers("GET /v2/jobs/7Kq2", JOB)
    conversion = await client.html_to_pdf("<p>")
    began = clock.monotonic()
    with pytest.raises(JobTimeoutError, match="attach") as caught:
        await conversion.wait(timeout=timedelta(seconds=20))
    assert 19.9 <= clock.monotonic() - began < 21
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.job_id == "7Kq2"
    assert caught.value.last_job is not None
    assert caught.value.last_job.is_pending
    service.answers("GET /v2/jobs/8", {"id": "8", "status": "success"})
    again = client.attach(pickle.loads(pickle.dumps(caught.value)).job_id)
    assert (again.job_id, again.job, again.done, again.info) == ("7Kq2", None, False, None)
    assert (await client.attach("8").wait()).is_success


@pytest.mark.asyncio
async def test_no_patience_at_all_is_one_look(clock: Clock, service: Service, client: AsyncCloudlayer) -> None:
    service.answers("GET /v2/jobs/7Kq2", JOB, DONE)
    with pytest.raises(JobTimeoutError):
        await client.attach("7Kq2").wait(timeout=0)
    assert service.count("GET /v2/jobs/7Kq2") == 1
    assert (await client.attach("7Kq2").wait(timeout=0)).is_success
    assert clock.slept == []


@pytest.mark.asyncio
@pytest.mark.parametrize("timeout", [-1, math.nan, "5", True, timedelta(seconds=-1)])
async def test_a_timeout_is_a_number_of_seconds(timeout: Any, service: Service, client: AsyncCloudlayer) -> None:
    with pytest.raises(ValidationError) as caught:
        await client.attach("7Kq2").wait(timeout)
    assert caught.value.field == "timeout"
    with pytest.raises(ValidationError):
        await client.convert(HtmlToPdf("<p>"), timeout=timeout)
    assert service.requests == []


@pytest.mark.asyncio
async def test_a_new_job_may_not_be_visible_yet(clock: Clock, service: Service, client: AsyncCloudlayer) -> None:
    async def missing(_: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.json_response({"message": "no such job"}, status=404)

    ready(service, missing, missing)
    assert (await (await client.html_to_pdf("<p>")).wait()).is_success
    service.answers("GET /v2/jobs/old", missing)
    with pytest.raises(NotFoundError) as caught:
        await client.attach("old").wait()
    assert caught.value.job_id == "old"
    assert service.count("GET /v2/jobs/old") == 1


@pytest.mark.asyncio
async def test_a_job_that_never_becomes_visible(clock: Clock, service: Service, client: AsyncCloudlayer) -> None:
    service.answers("POST /v2/html/pdf", JOB, status=202)
    with pytest.raises(NotFoundError) as caught:
        await (await client.html_to_pdf("<p>")).wait()
    assert caught.value.job_id == "7Kq2"
    assert service.count("GET /v2/jobs/7Kq2") < 20


@pytest.mark.asyncio
async def test_a_job_is_watched(clock: Clock, service: Service, client: AsyncCloudlayer) -> None:
    service.answers("GET /v2/jobs/7Kq2", JOB, JOB, {**JOB, "status": "weird"}, FAILED)
    seen = [job.raw_status async for job in client.watch_job("7Kq2")]
    assert seen == ["pending", "weird", "error"]
    assert (await client.wait_for_job(Job(id="x", status=JobStatus.SUCCESS))).id == "x"


@pytest.mark.asyncio
async def test_a_refused_look_pauses_and_goes_on(clock: Clock, service: Service, client: AsyncCloudlayer) -> None:
    async def refuse(_: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.json_response({}, status=429, headers={"Retry-After": "15"})

    ready(service, refuse, JOB)
    began = clock.monotonic()
    await (await client.html_to_pdf("<p>")).wait()
    assert clock.monotonic() - began >= 15
    assert service.count("GET /v2/jobs/7Kq2") == 3


@pytest.mark.asyncio
async def test_a_refused_look_that_asks_for_too_much_ends_the_wait(
    clock: Clock, service: Service, client: AsyncCloudlayer
) -> None:
    async def refuse(_: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.json_response({}, status=429, headers={"Retry-After": "900"})

    service.answers("POST /v2/html/pdf", JOB, status=202)
    service.answers("GET /v2/jobs/7Kq2", refuse)
    with pytest.raises(RateLimitError) as caught:
        await client.convert(HtmlToPdf("<p>"))
    assert caught.value.job_id == "7Kq2"
    assert caught.value.maybe_billed


@pytest.mark.asyncio
@pytest.mark.parametrize("thing", ["", " ", ".", None, 5, Job(id="", status=JobStatus.SUCCESS)])
async def test_what_cannot_be_attached(thing: Any, client: AsyncCloudlayer) -> None:
    with pytest.raises(ValidationError):
        client.attach(thing)


@pytest.mark.asyncio
async def test_a_synchronous_job_on_v2_is_done(service: Service, client: AsyncCloudlayer) -> None:
    url = service.asset("/x/a%20b.pdf", PDF, content_type="application/pdf")
    service.answers("POST /v2/html/pdf", {"id": "1", "status": "success", "assetUrl": url}, status=201)
    conversion = await client.html_to_pdf("<p>", async_=False)
    assert conversion.done
    document = await conversion.result()
    assert (document.content, document.filename) == (PDF, "a b.pdf")
    assert service.lines == ["POST /v2/html/pdf"]


@pytest.mark.asyncio
async def test_a_job_without_an_address_is_read_again(service: Service, client: AsyncCloudlayer) -> None:
    """Replies to a submission are trimmed: the job, else its asset, knows the address."""
    url = service.asset("/y.pdf", PDF)
    service.answers("POST /v2/html/pdf", DONE, status=201)
    service.answers("GET /v2/jobs/7Kq2", {**DONE, "assetId": "as/1"})
    service.answers("GET /v2/assets/as/1", {"id": "as/1", "url": url})
    assert (await (await client.html_to_pdf("<p>", async_=False)).result()).content == PDF
    assert service.lines == ["POST /v2/html/pdf", "GET /v2/jobs/7Kq2", "GET /v2/assets/as%2F1"]


@pytest.mark.asyncio
async def test_a_job_without_any_address(service: Service, client: AsyncCloudlayer) -> None:
    service.answers("GET /v2/jobs/7Kq2", DONE)
    with pytest.raises(DownloadError, match="names no asset") as caught:
        await client.attach("7Kq2").result()
    assert caught.value.job_id == "7Kq2"


# --- convert --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_convert_does_it_all(clock: Clock, service: Service, client: AsyncCloudlayer, tmp_path: Path) -> None:
    ready(service, JOB, content_disposition='attachment; filename="march statement.pdf"')
    document = await client.convert(HtmlToPdf("<p>"))
    assert (document.content, document.path, document.filename) == (PDF, None, "march statement.pdf")
    saved = await client.convert(HtmlToPdf("<p>"), save_to=f"{tmp_path}/new/")
    assert saved.path == tmp_path / "new" / "march statement.pdf"
    assert saved.content == PDF
    assert saved.job.is_success
    saved.path.unlink()
    with pytest.raises(FileNotFoundError):
        _ = saved.content


@pytest.mark.asyncio
async def test_convert_checks_the_place_before_it_pays(
    service: Service, client: AsyncCloudlayer, tmp_path: Path
) -> None:
    for place in (tmp_path / "missing" / "a.pdf", "", "/dev/null"):
        with pytest.raises(ValidationError) as caught:
            await client.convert(HtmlToPdf("<p>"), save_to=place)
        assert caught.value.field == "path"
    assert service.requests == []


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("fault", ["failed", "late", "unreadable job", "expired", "broken download", "disk"])
async def test_an_error_after_submission_carries_the_job(
    fault: str, clock: Clock, service: Service, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect(service.url, retry=RetryPolicy(attempts=2))
    service.answers("POST /v2/html/pdf", JOB, status=202)
    good = {**DONE, "assetUrl": service.asset("/ok.pdf", PDF)}
    states: dict[str, Any] = {
        "failed": FAILED,
        "late": JOB,
        "unreadable job": b"oops",
        "expired": {**DONE, "assetUrl": service.asset("/gone.pdf", b"", status=403)},
        "broken download": {**DONE, "assetUrl": service.asset("/bad.pdf", b"", status=500)},
    }
    service.answers("GET /v2/jobs/7Kq2", states.get(fault, good))
    if fault == "disk":

        def full(descriptor: int, data: Any) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
    with pytest.raises(CloudlayerError) as caught:
        await client.convert(HtmlToPdf("<p>"), save_to=tmp_path / "a.pdf", timeout=5)
    monkeypatch.undo()
    assert caught.value.job_id == "7Kq2"
    assert caught.value.maybe_billed
    assert list(tmp_path.iterdir()) == []
    assert service.count("POST /v2/html/pdf") == 1


# --- products that come with the reply ------------------------------------------------------------------------------


async def product(exchange: Exchange) -> None:
    """A small product."""
    await reply(
        201,
        PDF,
        content_type="application/pdf",
        content_disposition='attachment; filename="a/b\\"c.pdf"',
        cl_worker="rend-1",
        cl_worker_job_id="wj-1",
        cl_process_time="1875",
        cl_api_credit_cost="1",
    )(exchange)


@pytest.mark.asyncio
async def test_a_product_that_comes_at_once(connect: Connect, tmp_path: Path) -> None:
    async with RawServer(product) as server:
        client = await connect(server.url, api_version="v1")
        conversion = await client.html_to_pdf("<p>", name="n")
        assert conversion.done
        assert conversion.job_id is None
        job = conversion.job
        assert job is not None
        assert (job.id, job.status, job.type, job.name, job.size) == ("", JobStatus.SUCCESS, "html-pdf", "n", len(PDF))
        assert (job.worker, job.process_time, job.api_credit_cost) == ("rend-1", 1875, 1)
        assert conversion.info is not None
        assert conversion.info.worker_job_id == "wj-1"
        updates: list[Job] = []
        assert await conversion.wait(timeout=0, on_update=updates.append) is job
        assert updates == [job]
        for _ in range(2):
            document = await conversion.result()
            assert (document.content, document.filename) == (PDF, "b_c.pdf")
            assert await conversion.save(tmp_path / "x.pdf") == tmp_path / "x.pdf"
            async with conversion.stream() as chunks:
                assert b"".join([chunk async for chunk in chunks]) == PDF
        assert (await conversion.save(tmp_path)).name == "b_c.pdf"
        assert (await conversion.save(tmp_path)).name == "b_c (2).pdf"
    assert server.lines == ["POST /v1/html/pdf"]


LARGE = bytes(range(256)) * 4096 * 12  # 12 MB


@pytest.mark.asyncio
async def test_a_large_product_lies_in_a_file_and_costs_no_second_request(
    connect: Connect, tmp_path: Path, temporary: Path
) -> None:
    async with RawServer(reply(201, LARGE, content_type="application/pdf")) as server:
        client = await connect(server.url, api_version="v1")
        before = set(os.listdir("/proc/self/fd"))

        async def use() -> None:
            conversion = await client.html_to_pdf("<p>")
            assert conversion.job is not None
            assert conversion.job.size == len(LARGE)

            async def streamed() -> bytes:
                async with conversion.stream() as chunks:
                    return b"".join([chunk async for chunk in chunks])

            async def partly() -> None:
                async with conversion.stream() as chunks:
                    async for _ in chunks:
                        break

            one, two, three, document, path, _ = await asyncio.gather(
                streamed(), streamed(), streamed(), conversion.result(), conversion.save(tmp_path / "a.pdf"), partly()
            )
            assert one == two == three == document.content == path.read_bytes() == LARGE
            assert (await conversion.result()).content == LARGE
            assert server.lines == ["POST /v1/html/pdf"]

        await use()
        gc.collect()
        left = {fd for fd in os.listdir("/proc/self/fd") if fd not in before and _is_file(fd)}
    assert not left
    assert list(temporary.iterdir()) == []


def _is_file(descriptor: str) -> bool:
    try:
        target = os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return False
    return target.startswith("/") and not target.startswith("/proc")


@pytest.mark.asyncio
async def test_a_large_product_that_breaks_off(connect: Connect, temporary: Path) -> None:
    head = b"HTTP/1.1 201 X\r\nContent-Type: application/pdf\r\nContent-Length: 20000000\r\n\r\n"
    async with RawServer(broken_off(head + LARGE)) as server:
        client = await connect(server.url, api_version="v1")
        with pytest.raises(UnexpectedResponseError, match="broke off") as caught:
            await client.html_to_pdf("<p>")
    assert caught.value.maybe_billed
    assert list(temporary.iterdir()) == []
    assert len(server.requests) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("at", ["creation", "writing", "the end"])
async def test_a_large_product_and_a_full_disk(
    at: str, connect: Connect, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    import tempfile

    real = tempfile.TemporaryFile

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    def failing(*arguments: Any, **named: Any) -> Any:
        file = real(*arguments, **named)
        if at == "creation":
            file.close()
            full()

        class Full:
            write = full if at == "writing" else file.write
            seek = full if at == "the end" else file.seek
            close = file.close

        return Full()

    monkeypatch.setattr(tempfile, "TemporaryFile", failing)
    async with RawServer(reply(201, LARGE, content_type="application/pdf")) as server:
        client = await connect(server.url, api_version="v1")
        with pytest.raises(UnexpectedResponseError, match="No space left") as caught:
            await client.html_to_pdf("<p>")
    assert caught.value.maybe_billed
    assert len(server.requests) == 1


@pytest.mark.asyncio
async def test_a_page_is_a_product_only_where_one_was_asked_for(connect: Connect) -> None:
    page = b"<html><title>502</title>" + b"x" * 9_000_000
    async with RawServer(reply(200, page, content_type="text/html; charset=utf-8")) as server:
        client = await connect(server.url, api_version="v1")
        document = await client.convert(DocxToHtml(b"docx"))
        assert document.content == page
        assert document.content_type == "text/html; charset=utf-8"
        assert document.filename.endswith(".html")
        with pytest.raises(UnexpectedResponseError, match="text/html") as caught:
            await client.html_to_pdf("<p>")
        assert caught.value.maybe_billed
        with pytest.raises(UnexpectedResponseError):
            await client.request("POST", "/html/pdf", json={}) and await client.html_to_image("<p>")


@pytest.mark.asyncio
async def test_bytes_without_a_content_type_are_a_product(connect: Connect) -> None:
    async with RawServer(reply(201, PDF)) as server:
        client = await connect(server.url)
        document = await client.convert(HtmlToPdf("<p>", async_=False, name="my report"))
    assert document.content == PDF
    assert document.filename.startswith("my report")
    assert document.content_type == "application/octet-stream"


@pytest.mark.asyncio
async def test_a_compressed_product_is_decompressed(connect: Connect) -> None:
    import gzip

    async with RawServer(
        reply(201, gzip.compress(LARGE), content_type="application/pdf", content_encoding="gzip")
    ) as server:
        client = await connect(server.url, api_version="v1")
        assert (await client.convert(HtmlToPdf("<p>"))).content == LARGE
    assert len(server.requests) == 1


@pytest.mark.asyncio
async def test_a_document_saves_itself(tmp_path: Path) -> None:
    job = Job(id="", status=JobStatus.SUCCESS)
    document = Document(content=PDF, filename="a.pdf", content_type="application/pdf", job=job)
    assert document.save(tmp_path) == tmp_path / "a.pdf"
    assert document.save(f"{tmp_path}/x/") == tmp_path / "x" / "a.pdf"
    assert document.save(tmp_path / "b.pdf").read_bytes() == PDF
    assert repr(PDF)[2:10] not in repr(document)


# --- time limits ----------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_synchronous_rendering_may_take_its_own_timeout_and_delay(connect: Connect) -> None:
    """Scaled down: `read` alone would be over long before the answer comes."""

    async def late(exchange: Exchange) -> None:
        await exchange.request()
        await asyncio.sleep(0.3)
        await exchange.send(http(201, PDF, content_type="application/pdf"))

    async with RawServer(late) as server:
        client = await connect(server.url, timeouts=Timeouts(connect=0.1, read=0.05, job=0.1))
        assert (await client.convert(HtmlToPdf("<p>", async_=False, timeout=1000))).content == PDF
        with pytest.raises(CloudlayerError):
            await client.html_to_pdf("<p>", timeout=1000)
    assert len(server.requests) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("options", "sock_read", "total"),
    [
        ({"async_": False}, 60 + 30, 10 + 90 + 600),
        ({"async_": False, "timeout": 120_000, "delay": 5_000}, 60 + 125, 10 + 185 + 600),
        ({"async_": False, "timeout": timedelta(minutes=5)}, 60 + 300, 10 + 360 + 600),
        ({}, None, 70),
    ],
)
async def test_the_limits_of_a_conversion(
    options: Any,
    sock_read: float | None,
    total: float,
    mocked: Any,
    no_environment: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds: list[float] = []
    within = Deadlines.within
    monkeypatch.setattr(Deadlines, "within", lambda self, limit: (seconds.append(limit), within(self, limit))[1])
    mocked.post("https://api.cloudlayer.io/v2/html/pdf", payload=JOB, status=202)
    async with AsyncCloudlayer("cl-key") as client:
        await client.html_to_pdf("<p>", **options)
    ((call,),) = mocked.requests.values()
    limits = call.kwargs["timeout"]
    assert seconds == [total]
    # The whole is not left to aiohttp, which would set a timer for each call.
    assert (limits.sock_read, limits.total, limits.sock_connect, limits.connect) == (sock_read, None, 10, None)
    assert call.kwargs["allow_redirects"] is False


@pytest.mark.asyncio
async def test_a_product_that_comes_slowly_is_not_cut_off_but_silence_is(connect: Connect) -> None:
    head = b"HTTP/1.1 201 X\r\nContent-Type: application/pdf\r\nContent-Length: 8\r\n\r\n"

    async def drip(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(head)
        for _ in range(8):
            await asyncio.sleep(0.07)
            await exchange.send(b"x")

    async def stall(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(head + b"xxxx")
        await exchange.gone()

    async with RawServer(drip, stall) as server:
        client = await connect(server.url, timeouts=Timeouts(connect=0.1, read=0.4, job=5))
        request = HtmlToPdf("<p>", async_=False, timeout=1000)
        object.__setattr__(request, "timeout", 10)  # what no request may have, so that the test need not wait
        assert (await client.convert(request)).content == b"x" * 8
        with pytest.raises(UnexpectedResponseError, match="timed out") as caught:
            await client.convert(request)
    assert caught.value.maybe_billed
    assert len(server.requests) == 2
