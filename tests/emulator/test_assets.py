"""The asset origin."""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp
import pytest

from .conftest import PDF, Caller, Start


async def download(caller: Caller, url: str, **headers: str) -> tuple[int, bytes, aiohttp.ClientResponse]:
    async with caller.session.get(url, headers=headers) as response:
        return response.status, await response.read(), response


@pytest.mark.asyncio
async def test_an_asset_is_served_from_another_origin_without_a_key(caller: Caller) -> None:
    job = await caller.finished(filename="März 'A'.pdf", generatePreview=True)
    assert job["assetUrl"].startswith(caller.emulator.asset_url + "/")
    assert caller.emulator.asset_url != caller.emulator.base_url
    status, body, response = await download(caller, job["assetUrl"])
    assert (status, body) == (200, PDF)
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.headers["Content-Length"] == str(len(PDF))
    assert response.headers["Content-Disposition"] == (
        "attachment; filename=\"M?rz 'A'.pdf\"; filename*=UTF-8''M%C3%A4rz%20%27A%27.pdf"
    )
    status, body, response = await download(caller, job["previewUrl"])
    assert (status, body, response.content_type) == (200, b"RIFF fake WEBP", "image/webp")
    assert caller.emulator.seen.asset_requests == 2
    assert caller.emulator.seen.asset_requests_with_key == 0


@pytest.mark.asyncio
async def test_part_of_an_asset(caller: Caller) -> None:
    job = await caller.finished()
    status, body, _ = await download(caller, job["assetUrl"], Range="bytes=5-")
    assert (status, body) == (206, PDF[5:])


@pytest.mark.asyncio
async def test_a_key_at_the_asset_origin_is_noticed(caller: Caller) -> None:
    job = await caller.finished()
    await download(caller, job["assetUrl"], **{"X-API-Key": caller.emulator.api_key})
    assert caller.emulator.seen.asset_requests_with_key == 1


@pytest.mark.asyncio
async def test_a_url_cannot_be_guessed_or_changed(caller: Caller) -> None:
    job = await caller.finished()
    url = job["assetUrl"]
    bare = url.partition("?")[0]
    for changed in (bare, bare + "?sig=0&exp=0", url[:-1] + ("0" if url[-1] != "0" else "1"), bare + "?sig=%C3%A4"):
        status, body, _ = await download(caller, changed)
        assert status == 403
        assert b"AccessDenied" in body
    assert (await download(caller, caller.emulator.asset_url + "/"))[0] == 404


@pytest.mark.asyncio
async def test_urls_expire_and_a_second_look_gives_a_fresh_one(start: Start) -> None:
    async with start(asset_ttl=0.0) as caller:
        job = await caller.finished()
        status, body, _ = await download(caller, job["assetUrl"])
        assert status == 403
        assert b"expired" in body
        assert (await caller.get(f"/v2/jobs/{job['id']}"))["assetUrl"] != job["assetUrl"]
        first = (await caller.get(f"/v2/assets/{job['assetId']}"))["url"]
        assert (await caller.get(f"/v2/assets/{job['assetId']}"))["url"] != first


@pytest.mark.asyncio
async def test_urls_without_expiry(start: Start) -> None:
    async with start(asset_ttl=None) as caller:
        job = await caller.finished()
        assert "exp=" not in job["assetUrl"]
        assert (await download(caller, job["assetUrl"]))[0] == 200


@pytest.mark.asyncio
async def test_names_of_assets_are_harmless(caller: Caller) -> None:
    job = await caller.finished(filename="../../etc/pass wd\r\nX-Evil: 1")
    path = urlsplit(job["assetUrl"]).path
    assert path.count("/") == 2
    status, _, response = await download(caller, job["assetUrl"])
    assert status == 200
    assert "X-Evil" not in response.headers


@pytest.mark.asyncio
async def test_the_oldest_assets_make_room(start: Start) -> None:
    async with start(max_bytes=2 * len(PDF)) as caller:
        jobs = [await caller.finished(name=f"n{number}") for number in range(3)]
        assert [asset["name"] for asset in await caller.get("/v2/assets")] == ["n2", "n1"]
        first = await caller.get(f"/v2/jobs/{jobs[0]['id']}")
        assert first["status"] == "success"
        assert "assetUrl" not in first
        assert (await download(caller, jobs[0]["assetUrl"]))[0] == 404
        assert (await caller.get("/v2/account"))["storageUsed"] == 2 * len(PDF)
        assert (await caller.send("GET", f"/v2/assets/{jobs[0]['assetId']}"))[0] == 404


@pytest.mark.asyncio
async def test_old_jobs_and_assets_are_forgotten(start: Start) -> None:
    async with start(max_age=0.0) as caller:
        first = await caller.submit()
        await caller.emulator.settle()
        await caller.submit()
        assert (await caller.send("GET", f"/v2/jobs/{first['id']}"))[0] == 404
