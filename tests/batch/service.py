"""A small counting service for batches: fast, and as unreliable as a test wants it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
from aiohttp import web

KEY = "cl-test-key"


@attrs.define
class Job:
    id: str
    name: str | None
    body: dict[str, Any]
    done: bool = True
    failed: bool = False
    seen: int = 0


Hook = Callable[[web.Request, dict[str, Any]], Awaitable[web.Response | None]]


def reset(request: web.Request) -> web.Response:
    """Reset the request's connection. What is returned goes nowhere."""
    transport = request.transport
    assert transport is not None
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    return web.Response(status=500)


def refusal(status: int = 429, retry_after: float | None = None, **headers: str) -> web.Response:
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return web.json_response({"message": "not now"}, status=status, headers=headers)


class FakeService:
    """Accepts conversions, shows jobs, serves products. Counts everything that arrives."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.calls: Counter[str] = Counter()
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        """The most requests of a kind at the same time."""
        self.moments: list[tuple[float, str]] = []
        self.before: Hook | None = None
        """Looks at each conversion before it is accepted; a response of its own is sent instead."""
        self.after: Hook | None = None
        """Likewise once it was accepted."""
        self.on_read: Callable[[web.Request], Awaitable[web.Response | None]] | None = None
        self.on_list: Callable[[web.Request], Awaitable[web.Response | None]] | None = None
        self.on_download: Callable[[web.Request], Awaitable[web.StreamResponse | None]] | None = None
        self.make: Callable[[Job], None] | None = None
        """Changes a new job."""
        self.on_show: Callable[[dict[str, Any]], None] | None = None
        """Changes a job as it is shown."""
        self.page: int | None = 10
        self.paging = True
        self.shows_names = True
        self.size = 2_000
        self.headers: dict[str, str] = {}
        self.filename: Callable[[Job], str] = lambda job: f"{job.name or job.id}.pdf"
        self.keys: set[str] = set()
        self.account: dict[str, Any] = {}
        self.base_url = ""
        self._ids = itertools.count(1)

    @property
    def accepted(self) -> int:
        return len(self.jobs)

    def pages(self) -> list[str]:
        """The html of every accepted conversion."""
        return [base64.b64decode(job.body["html"]).decode() for job in self.jobs.values()]

    def add(self, name: str | None = None) -> Job:
        """A job of somebody else."""
        job = Job(f"job-{next(self._ids)}", name, {"html": base64.b64encode(b"<p>other").decode()})
        self.jobs[job.id] = job
        return job

    # --- handlers ---------------------------------------------------------------------------------------------------

    async def convert(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.before is not None and (answer := await self.before(request, body)) is not None:
            return answer
        job = Job(f"job-{next(self._ids)}", body.get("name"), body)
        if self.make is not None:
            self.make(job)
        self.jobs[job.id] = job
        if self.after is not None and (answer := await self.after(request, body)) is not None:
            return answer
        return web.json_response(
            {"id": job.id, "status": "pending", "name": job.name}, status=202, headers=self.headers
        )

    def _shown(self, job: Job) -> dict[str, Any]:
        status = "error" if job.failed else "success" if job.done else "pending"
        shown: dict[str, Any] = {
            "id": job.id,
            "status": status,
            "type": "html-pdf",
            "params": {**job.body, "html": "..."},
        }
        if self.shows_names and job.name is not None:
            shown["name"] = job.name
        if status == "success":
            shown |= {"assetUrl": f"{self.base_url}/asset/{job.id}", "assetId": f"asset-{job.id}", "apiCreditCost": 1}
        if job.failed:
            shown["error"] = "no such page"
        if self.on_show is not None:
            self.on_show(shown)
        return shown

    async def read(self, request: web.Request) -> web.Response:
        if self.on_read is not None and (answer := await self.on_read(request)) is not None:
            return answer
        job = self.jobs.get(request.match_info["id"])
        if job is None:
            return web.json_response({"message": "no such job"}, status=404)
        job.seen += 1
        return web.json_response(self._shown(job), headers=self.headers)

    async def list(self, request: web.Request) -> web.Response:
        if self.on_list is not None and (answer := await self.on_list(request)) is not None:
            return answer
        newest = list(reversed(self.jobs.values()))
        limit, offset = self.page, 0
        if self.paging:
            limit = int(request.query.get("limit", limit or len(newest)))
            offset = int(request.query.get("offset", 0))
        return web.json_response(
            [self._shown(job) for job in newest[offset : None if limit is None else offset + limit]]
        )

    async def show_account(self, request: web.Request) -> web.Response:
        return web.json_response(self.account)

    async def asset(self, request: web.Request) -> web.StreamResponse:
        assert "X-API-Key" not in request.headers
        if self.on_download is not None and (answer := await self.on_download(request)) is not None:
            return answer
        job = self.jobs[request.match_info["id"]]
        headers = {"Content-Disposition": f'attachment; filename="{self.filename(job)}"'}
        return web.Response(body=self.product(job), content_type="application/pdf", headers=headers)

    def product(self, job: Job) -> bytes:
        page = base64.b64decode(job.body["html"])
        return b"%PDF " + page + b" " * max(0, self.size - len(page) - 5)

    # --- lifetime ---------------------------------------------------------------------------------------------------

    @web.middleware
    async def _count(self, request: web.Request, handler: Callable[..., Awaitable[web.StreamResponse]]) -> Any:
        kind = {"POST": "submit"}.get(request.method) or (
            "download" if request.path.startswith("/asset") else "list" if request.path.endswith("/jobs") else "read"
        )
        self.calls[kind] += 1
        self.moments.append((time.monotonic(), kind))
        self.now[kind] += 1
        self.most[kind] = max(self.most[kind], self.now[kind])
        self.keys.add(request.headers.get("X-API-Key", ""))
        try:
            return await handler(request)
        finally:
            self.now[kind] -= 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FakeService]:
        app = web.Application(middlewares=[self._count], client_max_size=2**26)
        app.router.add_post("/{version}/{source}/{product}", self.convert)
        app.router.add_get("/{version}/account", self.show_account)
        app.router.add_get("/{version}/jobs", self.list)
        app.router.add_get("/{version}/jobs/{id}", self.read)
        app.router.add_get("/asset/{id}", self.asset)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()


class FaultMix:
    """So many faults of each kind among the conversions, from a seeded source."""

    def __init__(self, *, before: float, after: float, refused: float, unavailable: float, seed: int) -> None:
        self._shares = {"before": before, "after": after, "429": refused, "503": unavailable}
        self._random = random.Random(seed)
        self.struck: Counter[str] = Counter()

    def _strikes(self, kind: str) -> bool:
        strikes = self._random.random() < self._shares[kind]
        self.struck[kind] += strikes
        return strikes

    async def before(self, request: web.Request, body: dict[str, Any]) -> web.Response | None:
        if self._strikes("before"):
            return reset(request)
        if self._strikes("429"):
            return refusal(429, 0)
        if self._strikes("503"):
            return refusal(503, 0)
        return None

    async def after(self, request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return reset(request) if self._strikes("after") else None


async def until(condition: Callable[[], bool], within: float = 10.0) -> None:
    """Wait for something that is about to happen, and fail when it does not."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.002)
