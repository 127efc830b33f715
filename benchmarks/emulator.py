"""The emulator under load: how long one look at a job takes at rest, while it renders, and beside a queue.

    python benchmarks/emulator.py

The emulator is a process of its own, kept to two cores where the system allows it, with the default engine and four workers.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).parent.parent))

LOOKS = 500
QUEUED = 1_000
LARGE = "<table>" + "<tr><td>cell<td>cell" * 12_000


@contextmanager
def running(*arguments: str) -> Iterator[tuple[str, str]]:
    """The emulator; gives its address and a key."""
    command = [sys.executable, "-m", "cloudlayer_async.emulator", "--port", "0", "--engine", "plutoprint", *arguments]
    root = str(Path(__file__).parent.parent)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    assert process.stdout is not None
    try:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(
                process.pid, sorted(os.sched_getaffinity(0))[:2]
            )  # its workers come later, and inherit it
        ready = re.search(r"at (\S+) with key (\S+)", process.stdout.readline())
        assert ready is not None
        yield ready[1], ready[2]
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


class Caller:
    """Asks one emulator, on one connection at a time."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url

    async def submit(self, html: str) -> str:
        """Submit a page; return the id of its job."""
        body = {"html": base64.b64encode(html.encode()).decode(), "timeout": 120_000}
        async with self._session.post(f"{self._base_url}/v2/html/pdf", json=body) as response:
            return str((await response.json())["id"])

    async def status(self, job_id: str) -> str:
        """Look at a job."""
        async with self._session.get(f"{self._base_url}/v2/jobs/{job_id}") as response:
            return str((await response.json())["status"])

    async def stuck(self) -> None:
        """Leave every further job in the queue."""
        fault = {"kind": "stuck", "on": "conversions"}
        async with self._session.post(f"{self._base_url}/emulator/faults", json=fault) as response:
            response.raise_for_status()

    async def measure(self, job_id: str, goes_on: Callable[[int, str], bool]) -> list[float]:
        """Milliseconds of each look, for as long as it goes on."""
        taken: list[float] = []
        status = "pending"
        while goes_on(len(taken), status):
            began = time.perf_counter()
            status = await self.status(job_id)
            taken.append((time.perf_counter() - began) * 1000)
        return taken


def report(name: str, taken: list[float]) -> float:
    """Print one line; return the median."""
    taken.sort()
    median = statistics.median(taken)
    tail = taken[int(len(taken) * 0.99)]
    print(
        f"{name:34} {len(taken):6} looks   median {median:6.2f} ms   99 % {tail:7.2f} ms   longest {taken[-1]:7.2f} ms"
    )
    return median


async def main() -> None:
    """Measure and print."""
    with running("--workers", "4") as (base_url, key):
        async with aiohttp.ClientSession(headers={"X-API-Key": key}) as session:
            caller = Caller(session, base_url)
            first = await caller.submit("<h1>first</h1>")
            while await caller.status(first) == "pending":
                pass
            rest = report("at rest", await caller.measure(first, lambda count, _: count < LOOKS))

            began = time.perf_counter()
            large = await asyncio.gather(*(caller.submit(LARGE) for _ in range(4)))
            report(
                "while four large pages render", await caller.measure(large[-1], lambda _, status: status == "pending")
            )
            while any([await caller.status(job_id) == "pending" for job_id in large]):
                pass
            print(f"{'the four pages took':34} {time.perf_counter() - began:.1f} s")

            await caller.stuck()
            queue: list[str] = []
            while len(queue) < QUEUED:
                queue += await asyncio.gather(*(caller.submit("<p>x") for _ in range(50)))
            queued = report(
                f"with {QUEUED:,} jobs pending", await caller.measure(queue[-1], lambda count, _: count < LOOKS)
            )
            print(f"{'pending to rest':34} {queued / rest:.2f} times")


if __name__ == "__main__":
    asyncio.run(main())
