"""The one path that spends credits: checked first, sent once, and the reply read by its Content-Type, never by version."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from conftest import Connect
from samples import minimal
from servers import JOB, KEY, PDF, RawServer, Service, reply

from cloudlayer_async import (
    ApiError,
    AsyncCloudlayer,
    ConfigError,
    DocxToPdf,
    HtmlToPdf,
    UnexpectedResponseError,
    ValidationError,
)
from cloudlayer_async.requests import REQUEST_TYPES

pytestmark = pytest.mark.usefixtures("no_complaints", "no_environment")

DISPATCH: list[tuple[str, bytes, str]] = [
    # Content-Type, body, what it is: a job, the product, or nothing usable
    ("application/json", b'{"id": "7Kq2"}', "job"),
    ("application/json; charset=utf-8", b'{"jobId": 7}', "job"),
    ("APPLICATION/JSON", b'{"id": "7Kq2", "status": "completed"}', "job"),
    ("text/json", b'{"id": "7Kq2"}', "job"),
    ("application/problem+json", b'{"id": "7Kq2"}', "job"),
    ("application/json", b'\xef\xbb\xbf{"id": "7Kq2"}', "job"),
    ("application/pdf", PDF, "product"),
    ("application/pdf; x=y", b'{"id": "7Kq2"}', "product"),
    ("application/octet-stream", PDF, "product"),
    ("image/png", b"\x89PNG", "product"),
    ("", PDF, "product"),
    ("application/pdf", b"", "nothing"),
    ("text/html", b"<html>gateway</html>", "nothing"),
    ("text/plain", b"OK", "nothing"),
    ("application/json", PDF, "nothing"),
    ("application/json", b"", "nothing"),
    ("application/json", b"null", "nothing"),
    ("application/json", b'{"status": "pending"}', "nothing"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize("async_", [True, False])
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize(("content_type", "body", "what"), DISPATCH)
async def test_a_reply_is_read_by_its_content_type(
    content_type: str, body: bytes, what: str, status: int, version: Any, async_: bool, connect: Connect
) -> None:
    async with RawServer(reply(status, body, content_type=content_type)) as server:
        client = await connect(server.url, api_version=version)
        request = HtmlToPdf("<p>", async_=async_)
        if what == "nothing":
            with pytest.raises(UnexpectedResponseError) as caught:
                await client.submit(request)
            assert caught.value.maybe_billed
            assert caught.value.status == status
        else:
            conversion = await client.submit(request)
            assert conversion.info is not None
            assert conversion.info.status == status
            if what == "product":
                assert conversion.job_id is None
                assert (await conversion.result()).content == body
            else:
                assert conversion.job_id in ("7Kq2", "7")
    assert len(server.requests) == 1


@pytest.mark.asyncio
async def test_html_is_a_product_only_of_documents(connect: Connect) -> None:
    async with RawServer(reply(201, b"<p>document", content_type="text/html")) as server:
        client = await connect(server.url)
        for kind in REQUEST_TYPES:
            request = minimal(kind, async_=None if kind == "merge_pdfs" else False)
            if kind == "docx_to_html":
                assert (await client.convert(request)).content == b"<p>document"
            else:
                with pytest.raises(UnexpectedResponseError):
                    await client.submit(request)
    assert len(server.requests) == 10


@pytest.mark.asyncio
async def test_a_refusal_inside_a_success(connect: Connect) -> None:
    refusal = {"allowed": False, "reason": "Out of credits", "statusCode": 402}
    async with RawServer(reply(200, refusal)) as server:
        client = await connect(server.url)
        with pytest.raises(ApiError, match="Out of credits") as caught:
            await client.html_to_pdf("<p>")
    assert caught.value.status == 200
    assert not caught.value.maybe_billed
    assert caught.value.request == "POST /v2/html/pdf"
    assert len(server.requests) == 1


@pytest.mark.asyncio
async def test_checks_come_before_anything_else(tmp_path: Path, connect: Connect) -> None:
    """Before the key is asked for, before a connection is made."""
    asked = []

    def key() -> str:
        asked.append(1)
        return KEY

    async with RawServer(reply(202, JOB)) as server:
        gone = tmp_path / "a.docx"
        gone.write_bytes(b"x")
        request = DocxToPdf(gone)
        gone.unlink()
        async with AsyncCloudlayer(key, base_url=server.url) as client:
            for bad in (HtmlToPdf("<p>", storage=False), HtmlToPdf("<p>" + "x" * 8_000_000), request, "<p>"):
                with pytest.raises(ValidationError):
                    await client.submit(bad)  # type: ignore[arg-type]
    assert asked == []
    assert server.connections == 0


@pytest.mark.asyncio
async def test_webhooks_on_loopback_are_for_emulators(service: Service, connect: Connect) -> None:
    service.answers("POST /v2/html/pdf", JOB, status=202)
    local = await connect(service.url)
    await local.html_to_pdf("<p>", webhook="http://127.0.0.1:9/hook")
    cloud = await connect("https://api.cloud.example")
    with pytest.raises(ValidationError, match="https") as caught:
        await cloud.html_to_pdf("<p>", webhook="http://127.0.0.1:9/hook")
    assert caught.value.field == "webhook"
    assert len(service.requests) == 1


@pytest.mark.asyncio
async def test_what_is_logged(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cloudlayer_async")
    async with RawServer(reply(202, JOB), reply(201, PDF, cl_worker_job_id="wj-1"), reply(201, PDF)) as server:
        client = await connect(server.url)
        await client.html_to_pdf("<p>")
        await client.html_to_pdf("<p>", async_=False)
        await client.html_to_pdf("<p>", async_=False)
    assert caplog.messages == [
        "html_to_pdf accepted: job 7Kq2",
        "html_to_pdf done: wj-1 came with the reply",
        "html_to_pdf done: the product came with the reply",
    ]


@pytest.mark.asyncio
async def test_one_request_object_submitted_many_times(service: Service, client: AsyncCloudlayer) -> None:
    """Each is a conversion of its own: it is the caller who decided to pay for them."""
    service.answers("POST /v2/html/pdf", *({**JOB, "id": str(number)} for number in range(10)), status=202)
    request = HtmlToPdf("<p>")
    conversions = await asyncio.gather(*(client.submit(request) for _ in range(10)))
    assert {conversion.job_id for conversion in conversions} == {str(number) for number in range(10)}
    assert len(service.requests) == 10
    await client.aclose()
    with pytest.raises(ConfigError):
        await client.submit(request)
