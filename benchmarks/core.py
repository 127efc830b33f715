"""The async core beside raw aiohttp, in one run: CPU of a submission, memory of a download, time of the import.

    python benchmarks/core.py

Prints medians and ratios. CPU is this process's own (`time.process_time`); the server is another process.
"""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from cloudlayer_async import AsyncCloudlayer

sys.path.insert(0, str(Path(__file__).parent))
from server import running

CONCURRENCY = 64
CALLS = 4_000
ROUNDS = 7
HTML = "<h1>Hello</h1>" * 20


async def _together(call: Callable[[], Awaitable[object]]) -> float:
    """CPU seconds per call, with `CONCURRENCY` tasks at it."""
    left = iter(range(CALLS))

    async def worker() -> None:
        for _ in left:
            await call()

    began = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENCY):
            group.create_task(worker())
    return (time.process_time() - began) / CALLS


async def submissions(base_url: str) -> None:
    """CPU of one submission."""
    headers = {"X-API-Key": "cl-benchmark"}
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        AsyncCloudlayer("cl-benchmark", base_url=base_url) as cl,
    ):

        async def raw() -> object:
            body = {"html": base64.b64encode(HTML.encode()).decode(), "format": "a4"}
            async with session.post(f"{base_url}/v2/html/pdf", json=body, headers=headers) as response:
                return (await response.json())["id"]

        async def ours() -> object:
            return (await cl.html_to_pdf(HTML, format="a4")).job_id

        await _together(raw)
        await _together(ours)
        pairs = [(await _together(raw), await _together(ours)) for _ in range(ROUNDS)]
    base = statistics.median(pair[0] for pair in pairs)
    mine = statistics.median(pair[1] for pair in pairs)
    ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
    cpu = f"raw aiohttp {base * 1e6:.0f} us of CPU, ours {mine * 1e6:.0f}"
    print(f"submit, {CONCURRENCY} at once     {cpu}: {ratio:.2f} (bar: 1.5)")


DOWNLOAD = """
import asyncio, json, resource, sys, tempfile, aiohttp
from cloudlayer_async import AsyncCloudlayer, Asset
base, size = sys.argv[1], int(sys.argv[2])
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
async def main():
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncCloudlayer("cl-benchmark", base_url=base) as cl:
            await cl.download_asset(Asset(id="a", url=f"{base}/asset/1000000"), folder + "/warm.bin")
            before = peak()
            await cl.download_asset(Asset(id="a", url=f"{base}/asset/{size}"), folder + "/big.bin")
            print(json.dumps(peak() - before))
asyncio.run(main())
"""


def download(base_url: str) -> None:
    """Extra memory of a 200 MB download, over one of 1 MB in the same process."""
    size = 200 * 1024**2
    extra = [
        json.loads(subprocess.check_output([sys.executable, "-c", DOWNLOAD, base_url, str(size)])) for _ in range(3)
    ]
    print(f"download of 200 MB       {statistics.median(extra) / 1e6:.1f} MB of extra memory at its peak (bar: 4)")


def imports() -> None:
    """Time of `import cloudlayer_async`, over bare Python."""

    def started(code: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - began

    started("import cloudlayer_async")
    pairs = [(started("pass"), started("import cloudlayer_async")) for _ in range(15)]
    extra = statistics.median(pair[1] - pair[0] for pair in pairs)
    print(f"import cloudlayer_async  {extra * 1e3:.1f} ms over bare Python (bar: 40)")


def main() -> None:
    """All of it."""
    with running() as base_url:
        asyncio.run(submissions(base_url))
        download(base_url)
    imports()


if __name__ == "__main__":
    main()
