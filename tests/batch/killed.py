"""A program that is killed and started again: a journalled batch. Run by `test_kill`.

python killed.py BASE_URL FOLDER COUNT
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from cloudlayer_async import AsyncCloudlayer, HtmlToPdf, PollSchedule
from cloudlayer_async.batch.pipeline import AsyncBatch
from cloudlayer_async.batch.submitting import Service


async def main(base_url: str, folder: Path, count: int) -> None:
    requests = (HtmlToPdf(f"<p>page {number}</p>", name=f"Page {number % 7}") for number in range(count))
    async with AsyncCloudlayer("cl-test-key", base_url=base_url, polling=PollSchedule(min_interval=0.01)) as cl:
        service = Service(config=cl._config, transport=cl._transport, jobs=cl._jobs, settle_time=0.1)
        async with AsyncBatch(
            requests,
            service=service,
            concurrency=16,
            save_to=folder / "out",
            journal=folder / "run.db",
            max_credits=None,
            on_progress=None,
        ) as batch:
            async for outcome in batch:
                if outcome.error is not None:
                    raise outcome.error
    print(batch.report)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
