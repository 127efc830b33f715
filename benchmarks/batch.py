"""A batch beside raw aiohttp, in one run: CPU of a full job cycle (submit, look at the job, fetch 10 KB), 64 at once.

    python benchmarks/batch.py

Prints medians and ratios. CPU is this process's own (`time.process_time`, all threads); the server is another process.
All sides make the same three calls for each job, check what they get, and drop the product. There are two of raw aiohttp:
one that looks at each job at once, as if it knew that it is done, and one that waits before it looks as long as the batch
does, as whoever polls must. Once with a server that takes 10 ms, and once with one that answers at once: this one is kept
busy by the faster side, which so is spared the cost of waking it.

A batch that saves its products and keeps a journal is measured behind these, by itself: its threads and its memory would
be felt by those that come after it.
"""

from __future__ import annotations

import asyncio
import base64
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).parent.parent))

from cloudlayer_async import AsyncCloudlayer, HtmlToPdf, PollSchedule

sys.path.insert(0, str(Path(__file__).parent))
from server import LATENCY, running

CONCURRENCY = 64
JOBS = 1_000
ROUNDS = 20
WAIT = 0.01
HTML = "<h1>Hello</h1>" * 20
HEADERS = {"X-API-Key": "cl-benchmark"}
RAW, WAITING, BATCH = "raw", "raw, waits before it looks", "batch"


async def raw(session: aiohttp.ClientSession, base_url: str, wait: float = 0.0) -> None:
    """What one would write by hand: no retry, no limits, no checks beyond status and length."""
    left = iter(range(JOBS))

    async def worker() -> None:
        for _ in left:
            body = {"html": base64.b64encode(HTML.encode()).decode(), "format": "a4"}
            async with session.post(f"{base_url}/v2/html/pdf", json=body, headers=HEADERS) as response:
                assert response.status == 202
                job = await response.json()
            if wait:
                await asyncio.sleep(wait)
            async with session.get(f"{base_url}/v2/jobs/{job['id']}", headers=HEADERS) as response:
                assert response.status == 200
                job = await response.json()
            async with session.get(job["assetUrl"]) as response:
                assert response.status == 200
                assert len(await response.read()) == 10_240

    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(worker())


async def ours(cl: AsyncCloudlayer, **options: str) -> None:
    """The same as a batch."""
    requests = (HtmlToPdf(HTML, format="a4") for _ in range(JOBS))
    async with cl.batch(requests, concurrency=CONCURRENCY, **options) as batch:  # type: ignore[arg-type]
        async for outcome in batch:
            assert outcome.document is not None
            assert options or len(outcome.document.content) == 10_240


def client(base_url: str) -> AsyncCloudlayer:
    """A client that looks at its jobs as early as a raw one that waits."""
    return AsyncCloudlayer("cl-benchmark", base_url=base_url, polling=PollSchedule(min_interval=WAIT))


async def measured(work: Awaitable[None]) -> tuple[float, float]:
    """Microseconds of CPU for a job, and jobs a second."""
    began, started = time.process_time(), time.perf_counter()
    await work
    return (time.process_time() - began) / JOBS * 1e6, JOBS / (time.perf_counter() - started)


async def beside_raw(base_url: str, what: str) -> None:
    """The three of them, in turn."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, client(base_url) as cl:
        rounds = [
            {
                RAW: await measured(raw(session, base_url)),
                BATCH: await measured(ours(cl)),
                WAITING: await measured(raw(session, base_url, WAIT)),
            }
            for _ in range(ROUNDS + 1)
        ]
    del rounds[0]  # to warm up
    print(f"full job cycle, {CONCURRENCY} at once, {ROUNDS} rounds of {JOBS:,} jobs, {what} (bar: 1.25)")
    for kind in (RAW, WAITING, BATCH):
        spent, speed = (statistics.median(column) for column in zip(*(each[kind] for each in rounds), strict=True))
        print(f"  {kind:27} {spent:6.0f} us CPU a job   {speed:6.0f} jobs/s")
    for side in (RAW, WAITING):
        ratio = statistics.median(each[BATCH][0] / each[side][0] for each in rounds)
        print(f"  batch beside {side:27} {ratio:.2f}")


async def saved(base_url: str, what: str) -> None:
    """A batch that writes everything down."""
    rounds = []
    async with client(base_url) as cl:
        for _ in range(ROUNDS // 4 + 1):
            with tempfile.TemporaryDirectory() as folder:
                rounds.append(await measured(ours(cl, save_to=f"{folder}/out", journal=f"{folder}/journal.db")))
    spent, speed = (statistics.median(column) for column in zip(*rounds[1:], strict=True))
    print(f"batch with files and a journal, {what}: {spent:.0f} us CPU a job, {speed:.0f} jobs/s")


if __name__ == "__main__":
    with running() as base_url:
        servers = (f"{base_url}/later", f"answers after {LATENCY * 1000:g} ms"), (base_url, "answers at once")
        for measure in (beside_raw, saved):
            for server in servers:
                asyncio.run(measure(*server))
