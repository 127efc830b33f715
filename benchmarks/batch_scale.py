"""A batch of 1,000 and one of 100,000: memory and CPU of an item must not depend on the length.

    python benchmarks/batch_scale.py [--journal] [COUNT]

Each runs in a process of its own; the server is another. Prints the peak memory at 5,000 items and in the end, and the CPU
of an item (all threads), after a warm-up of 2,000.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))

from server import running

from cloudlayer_async import AsyncCloudlayer, HtmlToPdf, PollSchedule

WARM_UP = 2_000


def peak() -> int:
    """Bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def one(base_url: str, count: int, journal: str | None) -> None:
    """Runs a batch and prints its figures as JSON."""
    at_5000 = cpu = 0.0
    schedule = PollSchedule(min_interval=0.01)
    async with AsyncCloudlayer("cl-benchmark", base_url=base_url, polling=schedule) as cl:
        requests = (HtmlToPdf(f"<p>page {number}</p>") for number in range(WARM_UP + count))
        async with cl.batch(requests, concurrency=64, journal=journal) as batch:
            done = 0
            async for outcome in batch:
                assert outcome.ok, outcome.error
                done += 1
                if done == WARM_UP:
                    cpu = time.process_time()
                if done == min(5_000, count):
                    at_5000 = peak()
            cpu = (time.process_time() - cpu) / count
    print(json.dumps({"at_5000": at_5000, "end": peak(), "cpu": cpu}))


def main() -> None:
    """A short batch and a long one, side by side."""
    options = [argument for argument in sys.argv[1:] if not argument.isdigit()]
    count = next((int(argument) for argument in sys.argv[1:] if argument.isdigit()), 100_000)
    with running() as base_url, tempfile.TemporaryDirectory() as folder:
        figures = {}
        for length in (1_000, count, 1_000):
            journal = [f"{folder}/{length}-{time.time()}.db"] if "--journal" in options else []
            command = [sys.executable, __file__, "--one", base_url, str(length), *journal]
            measured = json.loads(subprocess.check_output(command))
            if length not in figures or measured["cpu"] < figures[length]["cpu"]:
                figures[length] = measured
    short, long = figures[1_000], figures[count]
    growth = (long["end"] - long["at_5000"]) / 1e6
    ratio = long["cpu"] / short["cpu"]
    print(f"{count:,} items{' with a journal' if '--journal' in options else ''}")
    print(f"  memory: {long['at_5000'] / 1e6:.1f} MB at 5,000, {long['end'] / 1e6:.1f} MB in the end")
    print(f"    growth {growth:+.1f} MB (bar: 30)")
    print(f"  CPU an item: {long['cpu'] * 1e6:.0f} us, at 1,000 items {short['cpu'] * 1e6:.0f} us")
    print(f"    ratio {ratio:.2f} (bar: 1.10)")


if __name__ == "__main__":
    if "--one" in sys.argv:
        asyncio.run(one(sys.argv[2], int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else None))
    else:
        main()
