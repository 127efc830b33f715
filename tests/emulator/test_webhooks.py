"""Webhooks: delivered on success and on error, recorded, and faulty on demand."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web

from .conftest import Start, html
from .test_lifetime import READY, shell


class Receiver:
    """A place for webhooks that remembers what arrived."""

    def __init__(self) -> None:
        self.url = ""
        self.arrived: list[tuple[str, str, Any]] = []
        self.answers = [204]
        self.came = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        self.arrived.append((request.method, request.content_type, json.loads(await request.read())))
        self.came.set()
        return web.Response(status=self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/hooks/secret-path", receiver.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}/hooks/secret-path"
    yield receiver
    await runner.cleanup()


@pytest.mark.asyncio
async def test_success_and_error_are_told_with_the_job(start: Start) -> None:
    async with receiving() as receiver, start() as caller:
        done = await caller.finished(webhook=receiver.url)
        caller.renderer.error = "Navigation timeout of 30000 ms exceeded"
        failed = await caller.finished(webhook=receiver.url)
        (method, content_type, first), (_, _, second) = receiver.arrived
        assert (method, content_type) == ("POST", "application/json")
        assert {**first, "assetUrl": None} == {**done, "assetUrl": None}
        async with caller.session.get(first["assetUrl"]) as response:
            assert response.status == 200
        assert second == failed
        assert second["status"] == "error"
        deliveries = list(caller.emulator.service.store.deliveries)
        assert [(delivery.job_id, delivery.status, delivery.attempt) for delivery in deliveries] == [
            (done["id"], 204, 1),
            (failed["id"], 204, 1),
        ]
        assert caller.emulator.seen.deliveries == 2
        assert "secret-path" not in json.dumps(done) + repr(deliveries)
        job = caller.emulator.service.store.job(done["id"])
        assert job is not None
        log = caller.emulator.service.job_log(job)
        assert [delivery["status"] for delivery in log["deliveries"]] == [204]
        assert log["notes"] == ["scripts do not run"]
        assert log["engine"] == "fake 1.0"


@pytest.mark.asyncio
async def test_a_sync_job_tells_too(start: Start) -> None:
    async with receiving() as receiver, start() as caller:
        body = {"html": "eA==", "async": False, "webhook": receiver.url}
        assert (await caller.send("POST", "/v2/html/pdf", json=body))[0] == 201
        await caller.emulator.settle()
        assert len(receiver.arrived) == 1


@pytest.mark.asyncio
async def test_a_receiver_that_fails_is_tried_again_when_asked(start: Start) -> None:
    async with receiving() as receiver, start(webhook_attempts=3) as caller:
        caller.emulator.service.webhooks.backoff = 0.0
        receiver.answers = [500, 302, 200]
        await caller.finished(webhook=receiver.url)
        assert [delivery.status for delivery in caller.emulator.service.store.deliveries] == [500, 302, 200]
        receiver.answers = [500]
        await caller.finished(webhook=receiver.url)
        assert len(receiver.arrived) == 6


@pytest.mark.asyncio
async def test_nobody_there(start: Start) -> None:
    async with start() as caller:
        await caller.finished(webhook="http://127.0.0.1:1/secret-path")
        [delivery] = caller.emulator.service.store.deliveries
        assert delivery.status is None
        assert delivery.error == "ClientConnectorError"


@pytest.mark.asyncio
async def test_https_is_not_delivered_to_a_certificate_nobody_knows(start: Start, server_tls: ssl.SSLContext) -> None:
    async with receiving(server_tls) as receiver, start() as caller:
        await caller.finished(webhook=receiver.url)
        [delivery] = caller.emulator.service.store.deliveries
        assert (delivery.status, delivery.error) == (None, "ClientConnectorCertificateError")
        assert receiver.arrived == []


@pytest.mark.asyncio
async def test_https_is_delivered_under_an_authority_of_ones_own(
    authority: trustme.CA, server_tls: ssl.SSLContext, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with (
        receiving(server_tls) as receiver,
        shell(SSL_CERT_FILE=str(tmp_path / "ca.pem")) as process,
        aiohttp.ClientSession() as session,
    ):
        assert process.stdout is not None
        ready = READY.fullmatch((await process.stdout.readline()).decode())
        assert ready
        body, headers = {"html": html("<p>x</p>"), "webhook": receiver.url}, {"X-API-Key": ready[2]}
        async with session.post(ready[1] + "/v2/html/pdf", json=body, headers=headers) as response:
            job = await response.json()
        async with asyncio.timeout(20):
            await receiver.came.wait()
    [(method, _, told)] = receiver.arrived
    assert (method, told["id"], told["status"]) == ("POST", job["id"], "success")


@pytest.mark.asyncio
async def test_faults_of_deliveries(start: Start) -> None:
    async with receiving() as receiver, start() as caller:
        faults = caller.emulator.faults
        faults.add("webhook-drop", count=1)
        await caller.finished(webhook=receiver.url)
        assert receiver.arrived == []
        faults.add("webhook-duplicate", count=1)
        await caller.finished(webhook=receiver.url)
        assert len(receiver.arrived) == 2
        faults.add("webhook-late", seconds=0.01, count=1, on="webhooks")
        await caller.finished(webhook=receiver.url)
        assert len(receiver.arrived) == 3
        faulty = [delivery.fault for delivery in caller.emulator.service.store.deliveries]
        assert faulty == ["webhook-drop", None, "webhook-duplicate", "webhook-late"] or faulty == [
            "webhook-drop",
            "webhook-duplicate",
            None,
            "webhook-late",
        ]
        body = {"html": "eA==", "webhook": receiver.url}
        await caller.send("POST", "/v2/html/pdf", json=body, headers={"X-Emulator-Fault": "webhook-drop"})
        await caller.emulator.settle()
        assert len(receiver.arrived) == 3


@pytest.mark.asyncio
async def test_the_small_body(start: Start) -> None:
    async with receiving() as receiver, start(dialect="webhook-small") as caller:
        job = await caller.finished(webhook=receiver.url)
        [(_, _, body)] = receiver.arrived
        assert set(body) == {"jobId", "status", "assetUrl", "timestamp"}
        assert (body["jobId"], body["status"]) == (job["id"], "success")
        assert body["timestamp"].endswith("Z")


@pytest.mark.asyncio
@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example"])
async def test_an_address_that_cannot_be_one_is_a_failed_delivery(start: Start, host: str) -> None:
    async with start() as caller:
        await caller.finished(webhook=f"https://{host}/x")
        [delivery] = caller.emulator.service.store.deliveries
        assert delivery.status is None and delivery.error
