"""The endpoints that read: lists, single records, account, status, templates; and storage configurations."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import PDF, Caller, Start, html

BUCKET = {
    "title": "Spaces FRA",
    "region": "us-east-1",
    "accessKeyId": "AKEXAMPLE",
    "secretAccessKey": "not-a-real-secret",
    "bucket": "docs-out",
    "endpoint": "https://fra1.storage.example.net",
}


@pytest.mark.asyncio
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_lists_are_newest_first_and_paged(caller: Caller, version: str) -> None:
    for number in range(12):
        await caller.submit(name=f"n{number}")
        await caller.emulator.settle()
    for what in ("jobs", "assets"):
        newest = await caller.get(f"/{version}/{what}")
        assert [item["name"] for item in newest] == [f"n{number}" for number in range(11, 1, -1)]
        rest = await caller.get(f"/{version}/{what}", params={"offset": "10"})
        assert [item["name"] for item in rest] == ["n1", "n0"]
        two = await caller.get(f"/{version}/{what}", params={"limit": "2", "offset": "3"})
        assert [item["name"] for item in two] == ["n8", "n7"]
        assert await caller.get(f"/{version}/{what}", params={"offset": "12"}) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"offset": "-1"}, {"limit": "²"}])
async def test_wrong_paging_is_refused(caller: Caller, query: dict[str, str]) -> None:
    status, error, _ = await caller.send("GET", "/v2/jobs", params=query)
    assert (status, error["details"]) == (400, {"field": next(iter(query))})


@pytest.mark.asyncio
async def test_an_asset_and_its_preview(caller: Caller) -> None:
    job = await caller.finished(name="memo", projectId="prj_1", generatePreview={"width": 100, "quality": 80})
    asset = await caller.get(f"/v2/assets/{job['assetId']}")
    assert {
        name: asset[name] for name in ("id", "jobId", "name", "projectId", "type", "ext", "size", "previewExt")
    } == {
        "id": job["assetId"],
        "jobId": job["id"],
        "name": "memo",
        "projectId": "prj_1",
        "type": "application/pdf",
        "ext": "pdf",
        "size": len(PDF),
        "previewExt": "webp",
    }
    assert set(asset) >= {"uid", "fileId", "previewFileId", "url", "previewUrl", "timestamp"}
    assert [entry["id"] for entry in await caller.get("/v2/assets")] == [asset["id"]]


@pytest.mark.asyncio
async def test_account_figures_add_up(caller: Caller) -> None:
    await caller.finished()
    await caller.finished(generatePreview=True)
    await caller.submit("/v2/url/image", batch={"urls": ["https://one.example", "https://two.example"]})
    await caller.emulator.settle()
    caller.renderer.error = "no"
    await caller.finished()
    caller.renderer.open.clear()
    await caller.submit()
    account = await caller.get("/v2/account")
    jobs = await caller.get("/v2/jobs")
    done = [job for job in jobs if job["status"] == "success"]
    assert account["calls"] == sum(job["apiCreditCost"] for job in done) == 5
    assert account["bytesTotal"] == sum(job["size"] for job in done)
    assert account["computeTimeTotal"] == sum(job["processTime"] for job in done)
    assert (account["totalJobs"], account["successJobs"], account["errorJobs"]) == (5, 3, 1)
    assert account["storageUsed"] == account["bytesTotal"] + len(b"RIFF fake WEBP")
    assert account["subActive"] is True
    assert account["callsLimit"] == 1_000_000
    assert "credit" not in account
    for name in ("email", "uid", "subscription", "subType", "bytesLimit", "computeTimeLimit", "storageLimit"):
        assert name in account
    caller.renderer.open.set()


@pytest.mark.asyncio
async def test_a_usage_plan(start: Start) -> None:
    async with start(plan="usage") as caller:
        status, _, response = await caller.send("POST", "/v1/html/pdf", json={"html": html("x")})
        assert status == 201
        assert int(response.headers["cl-charged-time"]) % 1000 == 0
        costs = float(response.headers["cl-bandwidth-cost"]) + float(response.headers["cl-process-time-cost"])
        assert costs > 0
        assert not {"cl-calls-remaining", "cl-api-credit-cost"} & set(response.headers)
        account = await caller.get("/v2/account")
        assert account["subType"] == "usage"
        assert account["credit"] == pytest.approx(10_000 - costs)
        assert account["callsLimit"] == -1


@pytest.mark.asyncio
async def test_status(caller: Caller) -> None:
    assert await caller.get("/v1/getStatus") == {"status": "ok"}
    assert await caller.get("/v2/getStatus") == {"status": "ok"}


@pytest.mark.asyncio
async def test_templates_need_no_key(caller: Caller) -> None:
    async def get(path: str) -> Any:
        async with caller.session.get(caller.emulator.base_url + path) as response:
            assert response.status == 200
            return await response.json()

    everything = await get("/v2/templates")
    assert [template["templateId"] for template in everything] == ["plain-invoice", "event-ticket", "article-banner"]
    assert "sampleData" not in everything[0]
    assert [entry["templateId"] for entry in await get("/v2/templates?type=image")] == ["article-banner"]
    assert [entry["templateId"] for entry in await get("/v2/templates?category=ticket")] == ["event-ticket"]
    found = await get("/v2/templates?tags=web,finance&expand=true")
    assert [entry["templateId"] for entry in found] == ["plain-invoice", "article-banner"]
    assert found[0]["sampleData"]["invoice_no"] == "A-17"
    one = await get(f"/v2/template/{everything[1]['id']}")
    assert one["templateId"] == "event-ticket"
    assert one == await get("/v2/template/event-ticket")


@pytest.mark.asyncio
async def test_storage_configurations(caller: Caller) -> None:
    assert await caller.get("/v2/storage") == []
    status, made, _ = await caller.send("POST", "/v2/storage", json=BUCKET)
    assert status == 201
    assert made["title"] == "Spaces FRA"
    assert await caller.get("/v1/storage") == [{"id": made["id"], "title": "Spaces FRA"}]
    detail = await caller.get(f"/v2/storage/{made['id']}")
    assert set(detail) == {"id", "title", "uid", "data"}
    assert "not-a-real-secret" not in str(detail) + repr(caller.emulator.service.store.storages)
    status, error, _ = await caller.send("POST", "/v2/storage", json=BUCKET)
    assert (status, error["details"]) == (400, {"field": "title"})
    assert (await caller.send("DELETE", f"/v2/storage/{made['id']}"))[:2] == (200, {"status": "success"})
    for method in ("GET", "DELETE"):
        assert (await caller.send(method, f"/v2/storage/{made['id']}"))[0] == 400
    assert await caller.get("/v2/storage") == []


@pytest.mark.asyncio
@pytest.mark.parametrize("field", ["title", "region", "accessKeyId", "secretAccessKey", "bucket", "endpoint"])
async def test_storage_fields_are_checked(caller: Caller, field: str) -> None:
    status, error, _ = await caller.send("POST", "/v2/storage", json={**BUCKET, field: ""})
    assert (status, error["details"]) == (400, {"field": field})
    assert error["message"].startswith(field)


@pytest.mark.asyncio
async def test_a_plan_without_storage_of_ones_own(start: Start) -> None:
    async with start(user_storage=False) as caller:
        status, reply, _ = await caller.send("POST", "/v2/storage", json=BUCKET)
        assert status == 200
        assert (reply["allowed"], reply["statusCode"]) == (False, 403)
        assert reply["reason"]
        assert await caller.get("/v2/storage") == []
