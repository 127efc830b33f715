"""Each disputed shape, switched alone, and the generations of the documentation."""

from __future__ import annotations

import re
from typing import Any

import aiohttp
import pytest

from cloudlayer_async.emulator.dialects import GENERATIONS, SWITCHES, Dialect, parse

from .conftest import PDF, Caller, Start, html
from .test_conversions import form
from .test_reading import BUCKET

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def look(start: Start, dialect: str, **options: Any) -> tuple[Any, Any, Any, Any]:
    """Return a job, its asset, the list of jobs, and the account."""
    async with start(dialect=dialect) as caller:
        job = await caller.finished(name="n", **options)
        [asset] = caller.emulator.service.store.assets()
        return (
            job,
            await caller.get(f"/v2/assets/{asset.id}"),
            await caller.get("/v2/jobs"),
            await caller.get("/v2/account"),
        )


def test_names() -> None:
    assert parse("") == Dialect()
    assert parse(" timestamp-iso , job-id") == Dialect(timestamps="iso", job_id="jobId")
    assert parse(["d26a", "timestamp-seconds"]).timestamps == "s"
    for name in [*SWITCHES, *GENERATIONS]:
        assert parse(name) != Dialect(), name
    with pytest.raises(ValueError, match="Unknown dialect 'nothing'"):
        parse("nothing")


@pytest.mark.asyncio
@pytest.mark.parametrize("name", [*SWITCHES, *GENERATIONS])
async def test_a_job_runs_its_course_in_every_dialect(start: Start, name: str) -> None:
    async with start(dialect=name) as caller:
        job = await caller.finished(name="n")
        assert job["status"] in ("success", "completed")
        async with caller.session.get(job["assetUrl"]) as response:
            assert await response.read() == PDF


@pytest.mark.asyncio
async def test_status_words(start: Start) -> None:
    async with start(dialect="status-queued", workers=1) as caller:
        caller.renderer.open.clear()
        first, second = await caller.submit(), await caller.submit()
        assert first["status"] == "queued"
        while (await caller.get(f"/v2/jobs/{first['id']}"))["status"] == "queued":
            pass
        statuses = {job["id"]: job["status"] for job in await caller.get("/v2/jobs")}
        assert statuses == {first["id"]: "processing", second["id"]: "queued"}
        caller.renderer.open.set()
        await caller.emulator.settle()
        assert {job["status"] for job in await caller.get("/v2/jobs")} == {"completed"}
        caller.renderer.error = "no"
        assert (await caller.finished())["status"] == "failed"


@pytest.mark.asyncio
async def test_timestamps(start: Start) -> None:
    values = {}
    for name in ("", "timestamp-seconds", "timestamp-iso", "timestamp-firestore"):
        job, asset, _, _ = await look(start, name)
        assert type(job["timestamp"]) is type(asset["timestamp"])
        values[name] = job["timestamp"]
    assert values[""] > 1e12
    assert 1e9 < values["timestamp-seconds"] < 1e10
    assert ISO.fullmatch(values["timestamp-iso"])
    assert set(values["timestamp-firestore"]) == {"_seconds", "_nanoseconds"}


@pytest.mark.asyncio
async def test_ids(start: Start) -> None:
    job, _, _, _ = await look(start, "job-id")
    assert "jobId" in job
    assert "id" not in job
    async with start(dialect="job-id-replies,ids-prefixed") as caller:
        reply = await caller.submit()
        assert "id" not in reply
        assert reply["jobId"].startswith("job_")
        await caller.emulator.settle()
        assert (await caller.get(f"/v2/jobs/{reply['jobId']}"))["id"] == reply["jobId"]
    async with start(dialect="ids-digits") as caller:
        ids = [(await caller.submit())["id"] for _ in range(3)]
        assert all(id_.isdigit() for id_ in ids)
        assert len(set(ids)) == 3


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "bytes_for"), [("v2-sync-bytes", {"html", "template"}), ("v2-sync-template-bytes", {"template"})]
)
async def test_v2_sync_replies(start: Start, name: str, bytes_for: set[str]) -> None:
    async with start(dialect=name) as caller:
        for source, body in (("html", {"html": html("x")}), ("template", {"templateId": "event-ticket", "data": {}})):
            status, reply, _ = await caller.send("POST", f"/v2/{source}/pdf", json={**body, "async": False})
            assert status == 201
            assert isinstance(reply, bytes) == (source in bytes_for)
        assert len(await caller.get("/v2/assets")) == 2


@pytest.mark.asyncio
async def test_fields_of_jobs(start: Start) -> None:
    job, _, _, _ = await look(start, "worker,type-slash,user-id,self-path,extra-fields")
    assert job["worker"]
    assert "workerName" not in job
    assert job["type"] == "html/pdf"
    assert job["userId"]
    assert "uid" not in job
    assert job["self"] == f"/v2/jobs/{job['id']}"
    assert "somethingNew" in job
    job, asset, _, _ = await look(start, "null-fields")
    assert (job["error"], job["previewUrl"], asset["previewExt"]) == (None, None, None)


@pytest.mark.asyncio
async def test_fields_of_assets(start: Start) -> None:
    _, asset, _, _ = await look(start, "asset-minimal,asset-kind,asset-dotted-ext")
    assert set(asset) == {"id", "jobId", "ext", "type", "size", "timestamp", "url"}
    assert (asset["type"], asset["ext"]) == ("pdf", ".pdf")
    _, asset, _, _ = await look(start, "asset-nulls")
    assert (asset["uid"], asset["fileId"]) == (None, None)
    job, _, _, _ = await look(start, "asset-public-url")
    assert "?" not in job["assetUrl"]


@pytest.mark.asyncio
async def test_accounts(start: Start) -> None:
    _, _, _, account = await look(start, "d24")
    assert account["subActive"] == "active"
    assert (account["bytesLimit"], account["computeTimeLimit"]) == ("", "")
    assert "email" not in account
    assert "callsLimit" not in account
    _, _, _, account = await look(start, "account-2026a")
    assert set(account) == {"calls", "subscription", "bytesUsed", "computeTime", "creditBalance", "jobCounts"}
    assert account["jobCounts"] == {"completed": 1, "failed": 0, "pending": 0, "processing": 0}
    _, _, _, account = await look(start, "account-type-counters,unlimited-absent")
    assert account["html-pdf"] == 1
    assert "bytesLimit" not in account


@pytest.mark.asyncio
async def test_lists(start: Start) -> None:
    for name, key in (("list-in-data", "data"), ("list-in-items", "items"), ("list-in-results", "results")):
        _, _, jobs, _ = await look(start, name)
        assert set(jobs) == {key, "limit", "offset"}
        assert len(jobs[key]) == 1
    _, _, jobs, _ = await look(start, "list-named")
    assert len(jobs["jobs"]) == 1
    for name, query, expected in (
        ("list-25", {}, 25),
        ("list-all", {}, 30),
        ("list-fixed", {"limit": "2", "offset": "5"}, 10),
        ("list-25", {"limit": "1"}, 1),
    ):
        async with start(dialect=name) as caller:
            for _ in range(30):
                await caller.submit()
            assert len(await caller.get("/v2/jobs", params=query)) == expected


@pytest.mark.asyncio
async def test_storage_replies(start: Start) -> None:
    async def replies(caller: Caller) -> tuple[Any, Any, Any]:
        _, made, _ = await caller.send("POST", "/v2/storage", json=BUCKET)
        id_ = next(iter(caller.emulator.service.store.storages))
        detail = await caller.get(f"/v2/storage/{id_}")
        status, deleted, _ = await caller.send("DELETE", f"/v2/storage/{id_}")
        return made, detail, (status, deleted)

    async with start(dialect="storage-create-status,storage-detail-short,storage-delete-empty") as caller:
        made, detail, deleted = await replies(caller)
        assert made == {"status": "success"}
        assert set(detail) == {"id", "title"}
        assert deleted == (204, b"")
    async with start(dialect="storage-create-short,storage-delete-error-200") as caller:
        made, _, deleted = await replies(caller)
        assert set(made) == {"id", "title"}
        assert deleted == (200, {"status": "success"})
        status, reply, _ = await caller.send("DELETE", "/v2/storage/none")
        assert (status, reply["status"]) == (200, "error")
    async with start(dialect="storage-create-error-200") as caller:
        assert (await caller.send("POST", "/v2/storage", json=BUCKET))[:2] == (200, {"status": "error"})
        assert await caller.get("/v2/storage") == []
    async with start(dialect="storage-single") as caller:
        assert await caller.get("/v2/storage") == []
        _, made, _ = await caller.send("POST", "/v2/storage", json=BUCKET)
        assert await caller.get("/v2/storage") == made
        assert (await caller.send("DELETE", "/v2/storage"))[0] == 200
        assert (await caller.send("DELETE", "/v2/storage"))[0] == 404


@pytest.mark.asyncio
@pytest.mark.parametrize("taken", ["flat", "options", "json"])
@pytest.mark.parametrize("sent", ["flat", "options", "json"])
async def test_upload_encodings(start: Start, taken: str, sent: str) -> None:
    async with start(dialect=f"uploads-{taken}") as caller:
        status, _, _ = await caller.send("POST", "/v2/docx/pdf", data=form(sent, delay=5))
        assert status == 202
        await caller.emulator.settle()
        assert (caller.renderer.specs[0].options.get("delay") == 5) == (taken == sent)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("storage-strings", {"storage": "true"}, {"storage": "yes"}),
        (
            "header-method-text",
            {"headerTemplate": {"method": "text"}},
            {"headerTemplate": {"method": "template"}},
        ),
        (
            "header-method-template",
            {"headerTemplate": {"method": "template"}},
            {"headerTemplate": {"method": "text"}},
        ),
        (
            "preview-quality-required",
            {"generatePreview": {"width": 9, "quality": 80}},
            {"generatePreview": {"width": 9}},
        ),
        ("image-types-safe", {"generatePreview": {"width": 9, "type": "webp"}}, {"generatePreview": {"type": "svg"}}),
    ],
)
async def test_what_is_taken(start: Start, name: str, good: dict[str, Any], bad: dict[str, Any]) -> None:
    async with start(dialect=name) as caller:
        await caller.submit(**good)
        status, _, _ = await caller.send("POST", "/v2/html/pdf", json={"html": html("x"), **bad})
        assert status == 400


@pytest.mark.asyncio
async def test_data_as_text(start: Start) -> None:
    async with start(dialect="data-text") as caller:
        await caller.submit("/v2/template/pdf", templateId="event-ticket", data='{"event": "x"}')
        await caller.emulator.settle()
        assert caller.renderer.specs[0].data == {"event": "x"}
        body = {"templateId": "event-ticket", "data": "[]"}
        assert (await caller.send("POST", "/v2/template/pdf", json=body))[0] == 400


@pytest.mark.asyncio
async def test_batch_forms(start: Start) -> None:
    async with start(dialect="batch-object-only") as caller:
        assert (await caller.send("POST", "/v2/url/pdf", json={"batch": ["https://a.example"]}))[0] == 400
        assert (await caller.send("POST", "/v2/url/pdf", json={"batch": {"urls": ["https://a.example"]}}))[0] == 202


@pytest.mark.asyncio
async def test_success_codes(start: Start) -> None:
    async with start(dialect="success-200") as caller:
        for path in ("/v1/html/pdf", "/v2/html/pdf"):
            assert (await caller.send("POST", path, json={"html": html("x")}))[0] == 200
        assert (await caller.send("POST", "/v2/storage", json=BUCKET))[0] == 200


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("error-message", {"statusCode": 401, "message": "Invalid API key"}),
        ("error-reason", {"allowed": False, "statusCode": 401, "reason": "Invalid API key", "error": None}),
        ("error-only", {"statusCode": 401, "error": "Invalid API key"}),
        ("error-list", {"statusCode": 401, "error": "Unauthorized", "message": ["Invalid API key"]}),
        ("error-text", b"Invalid API key"),
        ("error-html", b"<html><title>401 Unauthorized</title><body><h1>Invalid API key</h1></body></html>"),
        ("error-empty", b""),
    ],
)
async def test_error_bodies(start: Start, name: str, body: Any) -> None:
    async with start(dialect=name) as caller:
        status, found, _ = await caller.send("GET", "/v2/jobs", headers={"X-API-Key": "cl-x"})
        assert (status, found) == (401, body)


@pytest.mark.asyncio
async def test_small_things(start: Start) -> None:
    async with start(dialect="ok-space,template-tags-text,rate-reset-time", rate_limit=9) as caller:
        status, data, response = await caller.send("GET", "/v2/getStatus")
        assert (status, data) == (200, {"status": "ok "})
        assert int(response.headers["X-RateLimit-Reset"]) > 1e9
        assert (await caller.get("/v2/templates?expand=true"))[0]["tags"] == "finance,business"


@pytest.mark.asyncio
async def test_a_form_is_not_json(start: Start) -> None:
    async with start() as caller:
        data = aiohttp.FormData()
        data.add_field("html", "x", filename="x")
        assert (await caller.send("POST", "/v2/html/pdf", data=data))[0] == 400
