"""The conversion endpoints: modes, replies, headers, uploads."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest

from .conftest import PDF, Caller, Start, html

PAGE = html("<h1>Tide tables</h1>")
DOCX = b"PK\x03\x04 a fake word document"


@pytest.mark.asyncio
async def test_v1_replies_with_the_bytes_and_keeps_nothing(caller: Caller) -> None:
    status, body, response = await caller.send("POST", "/v1/html/pdf", json={"html": PAGE, "filename": 'a "b".pdf'})
    assert (status, body) == (201, PDF)
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.headers["Content-Disposition"] == 'attachment; filename="a \\"b\\".pdf"'
    assert int(response.headers["cl-bandwidth"]) == len(PDF)
    assert int(response.headers["cl-process-time"]) >= 1
    assert response.headers["cl-api-credit-cost"] == "1"
    assert int(response.headers["cl-calls-remaining"]) == 999_999
    for name in ("cl-worker-job-id", "cl-cluster-id", "cl-worker"):
        assert response.headers[name]
    assert await caller.get("/v1/assets") == []
    [job] = await caller.get("/v1/jobs")
    assert job["status"] == "success"
    assert "assetUrl" not in job


@pytest.mark.asyncio
async def test_v1_async_needs_storage_and_gets_a_pending_job(caller: Caller) -> None:
    status, error, _ = await caller.send("POST", "/v1/html/pdf", json={"html": PAGE, "async": True})
    assert status == 400
    assert error["details"] == {"field": "storage"}
    caller.renderer.open.clear()
    options = {"html": PAGE, "async": True, "storage": True}
    status, job, response = await caller.send("POST", "/v1/html/pdf", json=options)
    assert status == 202
    assert job["status"] == "pending"
    assert "cl-worker" not in response.headers
    assert response.headers["cl-worker-job-id"]
    caller.renderer.open.set()


@pytest.mark.asyncio
async def test_v2_is_async_and_the_job_ends_complete(caller: Caller) -> None:
    caller.renderer.open.clear()
    job = await caller.submit(
        html=PAGE,
        name="march-statement",
        format="a4",
        projectId="prj_water",
        generatePreview=True,
        headerTemplate={"method": "template", "template": "<b>secret</b>"},
    )
    assert job["status"] == "pending"
    assert (await caller.get(f"/v2/jobs/{job['id']}"))["status"] == "pending"
    caller.renderer.open.set()
    await caller.emulator.settle()
    done = await caller.get(f"/v2/jobs/{job['id']}")
    assert set(done) == {
        *("id", "uid", "name", "type", "status", "timestamp", "workerName", "processTime", "apiKeyUsed"),
        *("processTimeCost", "apiCreditCost", "bandwidthCost", "totalCost", "size", "params", "assetUrl"),
        *("previewUrl", "self", "assetId", "projectId"),
    }
    assert done["status"] == "success"
    assert done["type"] == "html-pdf"
    assert done["self"] == f"{caller.emulator.base_url}/v2/jobs/{job['id']}"
    assert done["params"]["html"] == "..."
    assert done["params"]["format"] == "a4"
    assert caller.emulator.api_key not in str(done)
    assert done["totalCost"] == pytest.approx(done["processTimeCost"] + done["bandwidthCost"])
    [spec] = caller.renderer.specs
    assert spec.html == "<h1>Tide tables</h1>"
    assert spec.options["format"] == "a4"


@pytest.mark.asyncio
async def test_v2_sync_replies_with_a_trimmed_job(caller: Caller) -> None:
    status, job, response = await caller.send("POST", "/v2/html/image", json={"html": PAGE, "async": False})
    assert status == 201
    assert job["status"] == "success"
    assert job["assetUrl"].startswith(caller.emulator.asset_url)
    assert not {"bandwidthCost", "processTime", "processTimeCost", "size", "totalCost", "apiKeyUsed", "type"} & set(job)
    assert response.headers["cl-worker"]


@pytest.mark.asyncio
async def test_v2_sync_without_storage_replies_with_bytes(caller: Caller) -> None:
    options = {"html": PAGE, "async": False, "storage": False, "inline": True, "filename": "x.pdf"}
    status, body, response = await caller.send("POST", "/v2/html/pdf", json=options)
    assert (status, body) == (201, PDF)
    assert response.headers["Content-Disposition"] == "inline"


@pytest.mark.asyncio
async def test_a_sync_failure_is_a_500_with_the_reason(caller: Caller) -> None:
    caller.renderer.error = "Rendering timed out after 30000 ms"
    status, error, response = await caller.send("POST", "/v1/html/pdf", json={"html": PAGE})
    assert status == 500
    assert response.headers["cl-worker-job-id"]
    assert error["message"] == "Rendering timed out after 30000 ms"
    [job] = await caller.get("/v1/jobs")
    assert (job["status"], job["error"]) == ("error", "Rendering timed out after 30000 ms")
    assert "assetUrl" not in job


@pytest.mark.asyncio
async def test_an_unexpected_failure_ends_the_job_too(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_: object) -> Any:
        raise KeyError("a fault of the engine")

    caller.renderer.render = broken  # type: ignore[assignment]
    job = await caller.finished()
    assert (job["status"], job["error"]) == ("error", "Internal error")
    assert "failed unexpectedly" in caplog.text


@pytest.mark.asyncio
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("product", ["pdf", "image"])
async def test_get_forms_take_url_and_timeout(caller: Caller, version: str, product: str) -> None:
    query = {"url": "https://example.com/a?b=c", "timeout": "5000", "landscape": "true"}
    status, _, _ = await caller.send("GET", f"/{version}/url/{product}", params=query)
    assert status == (201 if version == "v1" else 202)
    await caller.emulator.settle()
    [spec] = caller.renderer.specs
    assert spec.urls == ("https://example.com/a?b=c",)
    assert spec.options == {"timeout": 5000}


@pytest.mark.asyncio
@pytest.mark.parametrize("form", ["object", "list"])
async def test_a_batch_is_async_and_costs_one_more(caller: Caller, form: str) -> None:
    urls = ["https://one.example", "https://two.example"]
    batch = {"urls": urls} if form == "object" else urls
    for version in ("v1", "v2"):
        status, job, _ = await caller.send("POST", f"/{version}/url/pdf", json={"batch": batch})
        assert (status, job["status"]) == (202, "pending")
    await caller.emulator.settle()
    assert [job["apiCreditCost"] for job in await caller.get("/v2/jobs")] == [3, 3]
    assert caller.renderer.specs[0].urls == tuple(urls)
    assert (await caller.get("/v2/account"))["calls"] == 6


@pytest.mark.asyncio
async def test_merge_takes_a_batch(caller: Caller) -> None:
    body = {"batch": {"urls": ["https://one.example/a.pdf", "https://two.example/b.pdf"]}}
    status, content, _ = await caller.send("POST", "/v1/pdf/merge", json=body)
    assert (status, content) == (201, PDF)
    assert caller.renderer.specs[0].conversion == "merge-pdf"
    assert (await caller.get("/v2/jobs"))[0]["type"] == "merge-pdf"


def form(encoding: str, **options: Any) -> aiohttp.FormData:
    data = aiohttp.FormData()
    data.add_field("file", DOCX, filename="letter.docx", content_type="application/octet-stream")
    if encoding == "flat":
        for name, value in options.items():
            data.add_field(name, value if isinstance(value, str) else json.dumps(value))
    else:
        data.add_field(encoding, json.dumps(options), content_type="application/json")
    return data


@pytest.mark.asyncio
@pytest.mark.parametrize("encoding", ["flat", "options", "json"])
async def test_uploads_take_options_in_every_encoding(caller: Caller, encoding: str) -> None:
    data = form(encoding, name="123", timeout=5000, async_=1, storage=True, generatePreview={"width": 200})
    status, job, _ = await caller.send("POST", "/v2/docx/pdf", data=data)
    assert status == 202, job
    await caller.emulator.settle()
    [spec] = caller.renderer.specs
    assert spec.upload == DOCX
    assert spec.options["name"] == "123"
    assert spec.options["timeout"] == 5000
    assert spec.options["generatePreview"] == {"width": 200}


@pytest.mark.asyncio
async def test_docx_to_html_comes_as_bytes(caller: Caller) -> None:
    status, body, response = await caller.send("POST", "/v1/docx/html", data=form("flat"))
    assert (status, body) == (201, b"<p>fake</p>")
    assert response.content_type == "text/html"


@pytest.mark.asyncio
async def test_uploads_are_looked_at(caller: Caller) -> None:
    data = aiohttp.FormData()
    data.add_field("file", b"not a pdf", filename="a.pdf")
    status, error, _ = await caller.send("POST", "/v2/pdf/docx", data=data)
    assert (status, error["message"]) == (400, "file must be a PDF")
    data = aiohttp.FormData()
    data.add_field("name", "x")
    data.add_field("more", b"binary", filename="other.bin")
    status, error, _ = await caller.send("POST", "/v2/pdf/docx", data=data)
    assert (status, error["message"]) == (400, "file is required")
    status, error, _ = await caller.send("POST", "/v2/docx/html", json={"name": "x"})
    assert (status, error["details"]) == (400, {"field": "file"})


@pytest.mark.asyncio
async def test_docx_by_address(caller: Caller) -> None:
    await caller.submit("/v2/docx/pdf", url="https://one.example/a.docx")
    await caller.emulator.settle()
    assert caller.renderer.specs[0].urls == ("https://one.example/a.docx",)


@pytest.mark.asyncio
async def test_templates_by_id_inline_and_as_a_file(caller: Caller) -> None:
    data = {"invoice_no": "A-17", "amount": None, "Deep_Key": {"kept": [1, None]}}
    await caller.submit("/v2/template/pdf", templateId="plain-invoice", data=data)
    await caller.submit("/v2/template/image", template=html("<p>{{ a }}</p>"), data={})
    parts = aiohttp.FormData()
    parts.add_field("options", json.dumps({"name": "from a file"}), content_type="application/json")
    parts.add_field("template", "<i>{{ ä }}</i>".encode(), filename="t.njk", content_type="text/html")
    parts.add_field("data", json.dumps(data), filename="data.json", content_type="application/json")
    status, job, _ = await caller.send("POST", "/v2/template/pdf", data=parts)
    assert status == 202, job
    await caller.emulator.settle()
    gallery, inline, file = caller.renderer.specs
    assert "Invoice {{ invoice_no }}" in (gallery.template or "")
    assert gallery.data == data
    assert inline.template == "<p>{{ a }}</p>"
    assert (file.template, file.data, file.options) == ("<i>{{ ä }}</i>", data, {"name": "from a file"})


@pytest.mark.asyncio
async def test_own_templates(start: Start) -> None:
    async with start(templates={"u-letter": "Dear {{ name }}"}) as caller:
        await caller.submit("/v2/template/pdf", templateId="u-letter", data={"name": "Kim"})
        await caller.emulator.settle()
        assert caller.renderer.specs[0].template == "Dear {{ name }}"
        status, error, _ = await caller.send("POST", "/v2/template/pdf", json={"templateId": "u-other", "data": {}})
        assert (status, error["details"]) == (400, {"field": "templateId"})


@pytest.mark.asyncio
async def test_renders_are_bounded_and_the_api_answers_meanwhile(start: Start) -> None:
    async with start(workers=2) as caller:
        caller.renderer.open.clear()
        jobs = await asyncio.gather(*(caller.submit(name=f"n{number}") for number in range(30)))
        listed = await caller.get("/v2/jobs", params={"limit": "100"})
        assert {job["id"] for job in listed} == {job["id"] for job in jobs}
        assert {job["status"] for job in listed} == {"pending"}
        caller.renderer.open.set()
        await caller.emulator.settle()
        assert caller.renderer.most_running == 2
        assert caller.emulator.seen.accepted == 30
        assert caller.emulator.seen.submitted_twice == ()


@pytest.mark.asyncio
async def test_a_long_queue_does_not_slow_reading(caller: Caller) -> None:
    async def fastest(id_: str) -> float:
        times = []
        for _ in range(200):
            started = time.perf_counter()
            await caller.get(f"/v2/jobs/{id_}")
            times.append(time.perf_counter() - started)
        return min(times)

    caller.renderer.open.clear()
    first = await caller.submit()
    alone = await fastest(first["id"])
    for _ in range(1000):
        await caller.submit()
    assert await fastest(first["id"]) < 2 * alone


@pytest.mark.asyncio
async def test_a_batch_ignores_async_false(caller: Caller) -> None:
    body = {"batch": {"urls": ["https://one.example"]}, "async": False}
    status, _, _ = await caller.send("POST", "/v2/url/pdf", json=body)
    assert status == 202


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "options", [{"name": "ü" * 3000}, {"filename": "a" * 100_000 + ".pdf"}, {"filename": "b" * 5000}]
)
async def test_a_long_name_does_not_make_its_product_unreachable(caller: Caller, options: dict[str, str]) -> None:
    status, body, _ = await caller.send("POST", "/v1/html/pdf", json={"html": html("<p>x</p>"), **options})
    assert (status, body[:5]) == (201, b"%PDF-")
    job = await caller.finished(**options)
    async with caller.session.get(job["assetUrl"]) as response:
        assert response.status == 200
    assert job.get("name") == options.get("name")
