"""Delivery to the user's own bucket, on a local S3 server."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import PDF, Caller, Start, html

pytest.importorskip("aiobotocore", reason="needs the s3 extra")
moto_server = pytest.importorskip("moto.server", reason="needs moto")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A local S3 server with a bucket ``docs-out``; gives its address."""
    import urllib.request

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{address}/docs-out", method="PUT")).close()
    yield address
    server.stop()


async def add(caller: Caller, endpoint: str, bucket: str = "docs-out") -> str:
    body = {
        "title": "Local",
        "region": "us-east-1",
        "accessKeyId": "AKEXAMPLE",
        "secretAccessKey": "not-a-real-secret",
        "bucket": bucket,
        "endpoint": endpoint,
    }
    status, made, _ = await caller.send("POST", "/v2/storage", json=body)
    assert status == 201
    return str(made["id"])


@pytest.mark.asyncio
async def test_a_product_goes_to_the_users_bucket(start: Start, s3: str) -> None:
    async with start() as caller:
        storage_id = await add(caller, s3)
        job: Any = await caller.finished(storage={"id": storage_id}, name="report", generatePreview=True)
        assert job["status"] == "success", job
        assert job["assetUrl"].startswith(f"{s3}/docs-out/{job['id']}/report.pdf?")
        async with caller.session.get(job["assetUrl"]) as response:
            assert await response.read() == PDF
            assert response.content_type == "application/pdf"
            assert response.headers["Content-Disposition"] == 'attachment; filename="report.pdf"'
        async with caller.session.get(job["previewUrl"]) as response:
            assert response.content_type == "image/webp"
        asset = await caller.get(f"/v2/assets/{job['assetId']}")
        assert asset["url"] == job["assetUrl"]
        assert (await caller.get("/v2/account"))["storageUsed"] == 0
        assert "not-a-real-secret" not in str(job)


@pytest.mark.asyncio
async def test_a_bucket_that_is_not_there_fails_the_job(start: Start, s3: str) -> None:
    async with start() as caller:
        storage_id = await add(caller, s3, bucket="missing")
        job = await caller.finished(storage={"id": storage_id})
        assert (job["status"], job["error"]) == ("error", "The storage refused the product: NoSuchBucket")
        assert (await caller.get("/v2/account"))["calls"] == 0


@pytest.mark.asyncio
async def test_a_server_that_is_not_there_fails_the_job(start: Start) -> None:
    async with start() as caller:
        storage_id = await add(caller, "http://127.0.0.1:1")
        job = await caller.finished(storage={"id": storage_id})
        assert job["status"] == "error"
        assert job["error"].startswith("The storage could not be used")


@pytest.mark.asyncio
async def test_a_configuration_deleted_meanwhile(start: Start, s3: str) -> None:
    async with start() as caller:
        storage_id = await add(caller, s3)
        caller.renderer.open.clear()
        job = await caller.submit(html=html("x"), storage={"id": storage_id})
        await caller.send("DELETE", f"/v2/storage/{storage_id}")
        caller.renderer.open.set()
        await caller.emulator.settle()
        assert "deleted" in (await caller.get(f"/v2/jobs/{job['id']}"))["error"]
