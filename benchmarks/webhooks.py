"""Webhooks beside polling, in one run: how long after a job's end its waiter knows, and how many reads that took.

    python benchmarks/webhooks.py

1,000 jobs, 100 at a time, at an emulator in a process of its own, which renders nothing for 0.2 to 1 s a job. The product of
each job is the time at which it was made, so that the lag is measured from there to the return of `wait`.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aiohttp import web

sys.path.insert(0, str(Path(__file__).parent.parent))

from cloudlayer_async import AsyncCloudlayer, AsyncConversion, Attempt, HtmlToPdf, WebhookReceiver

JOBS = 1_000
CONCURRENCY = 100
TOKEN = "a-token-for-a-benchmark"


class _Clockmaker:
    """Writes down the time."""

    engine_name = "none"

    async def start(self) -> None: ...

    async def render(self, spec: object) -> object:
        from cloudlayer_async.emulator.rendering.model import Rendering

        await asyncio.sleep(random.uniform(0.2, 1.0))
        return Rendering(content=repr(time.time()).encode(), content_type="application/pdf", extension="pdf")

    async def aclose(self) -> None: ...


async def serve() -> None:
    """An emulator until the standard input ends."""
    from cloudlayer_async.emulator import Emulator

    async with Emulator(renderer=_Clockmaker(), workers=CONCURRENCY) as emulator:  # type: ignore[arg-type]
        print(emulator.base_url, emulator.api_key, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def running() -> Iterator[tuple[str, str]]:
    """The emulator in a process of its own; gives its address and a key."""
    command = [sys.executable, __file__, "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        base_url, key = process.stdout.readline().split()
        yield base_url, key
        process.stdin.close()


@asynccontextmanager
async def serving(receiver: WebhookReceiver) -> AsyncIterator[str]:
    """The receiver on loopback; gives its address."""
    app = web.Application()
    app.add_subapp("/hooks/", receiver.aiohttp_app())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/{TOKEN}"
    await runner.cleanup()


async def measure(client: AsyncCloudlayer, name: str, reads: list[str]) -> None:
    """All jobs; prints what came of them."""
    numbers = itertools.count(1)
    done: list[tuple[float, AsyncConversion]] = []

    async def worker() -> None:
        while next(numbers) <= JOBS:
            conversion = await client.submit(HtmlToPdf("<h1>Hello</h1>" * 20))
            await conversion.wait()
            done.append((time.time(), conversion))

    reads.clear()
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    speed, cpu = JOBS / (time.perf_counter() - began), (time.process_time() - cpu) / JOBS
    made = len(reads)
    lags = sorted([moment - float((await conversion.result()).content) for moment, conversion in done])
    print(
        f"  {name:9} lag median {statistics.median(lags) * 1e3:4.0f} ms, 95% below {lags[int(JOBS * 0.95)] * 1e3:5.0f} ms"
        f"   reads a job {made / JOBS:.3f}   {speed:4.0f} jobs/s   {cpu * 1e6:5.0f} us CPU a job"
    )


async def main(base_url: str, key: str) -> None:
    """Both ways."""
    reads: list[str] = []

    def count(attempt: Attempt) -> None:
        if attempt.request.startswith("GET ") and "/jobs/" in attempt.request:
            reads.append(attempt.request)

    print(f"{JOBS:,} jobs of 0.2 to 1 s, {CONCURRENCY} at a time (bars for webhooks: 100 ms, 1.1 reads)")
    async with AsyncCloudlayer(key, base_url=base_url, on_attempt=count) as client:
        async with WebhookReceiver(client, path_token=TOKEN) as receiver, serving(receiver) as url:
            await measure(client.with_options(webhook=url), "webhooks", reads)
        await measure(client, "polling", reads)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        with running() as (address, api_key):
            asyncio.run(main(address, api_key))
