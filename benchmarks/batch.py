"""A batch beside raw aiohttp, in one run: CPU of a full job cycle (submit, look at the job, fetch 10 KB), 64 at once.

    python benchmarks/batch.py

Prints medians and ratios. CPU is this process's own (`time.process_time`, all threads); the server is another process.
Both sides make the same three calls for each job, check what they get, and drop the product. Once with a server that answers
at once, once with one that takes 10 ms: the first is kept busy by the faster side, which so is spared the cost of waking it.
"""

from __future__ import annotations

import asyncio
import base64
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).parent.parent))

from cloudlayer_async import AsyncCloudlayer, HtmlToPdf, PollSchedule

sys.path.insert(0, str(Path(__file__).parent))
from server import LATENCY, running

CONCURRENCY = 64
JOBS = 3_000
ROUNDS = 7
HTML = "<h1>Hello</h1>" * 20
HEADERS = {"X-API-Key": "cl-benchmark"}


async def raw(session: aiohttp.ClientSession, base_url: str) -> None:
    """What one would write by hand: no retry, no limits, no checks beyond status and length."""
    left = iter(range(JOBS))

    async def worker() -> None:
        for _ in left:
            body = {"html": base64.b64encode(HTML.encode()).decode(), "format": "a4"}
            async with session.post(f"{base_url}/v2/html/pdf", json=body, headers=HEADERS) as response:
                assert response.status == 202
                job = await response.json()
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


async def main(base_url: str, what: str) -> None:
    """All of it."""
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        AsyncCloudlayer("cl-benchmark", base_url=base_url, polling=PollSchedule(min_interval=0.01)) as cl,
    ):

        async def cpu(kind: str) -> tuple[float, float]:
            began, started = time.process_time(), time.perf_counter()
            if kind == "raw":
                await raw(session, base_url)
            elif kind == "batch":
                await ours(cl)
            else:
                with tempfile.TemporaryDirectory() as folder:
                    await ours(cl, save_to=f"{folder}/out", journal=f"{folder}/journal.db")
            return (time.process_time() - began) / JOBS * 1e6, JOBS / (time.perf_counter() - started)

        kinds = ("raw", "batch", "batch, saved, journal")
        for kind in kinds:
            await cpu(kind)
        rounds = [{kind: await cpu(kind) for kind in kinds} for _ in range(ROUNDS)]
    print(f"full job cycle, {CONCURRENCY} at once, {ROUNDS} rounds of {JOBS:,} jobs, {what} (bar for batch: 1.25)")
    for kind in kinds:
        spent = statistics.median(measured[kind][0] for measured in rounds)
        speed = statistics.median(measured[kind][1] for measured in rounds)
        ratio = statistics.median(measured[kind][0] / measured["raw"][0] for measured in rounds)
        print(f"  {kind:24} {spent:6.0f} us CPU a job   {speed:6.0f} jobs/s   ratio {ratio:.2f}")


if __name__ == "__main__":
    with running() as base_url:
        asyncio.run(main(base_url, "answers at once"))
        asyncio.run(main(f"{base_url}/later", f"answers after {LATENCY * 1000:g} ms"))
