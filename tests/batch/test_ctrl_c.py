"""Ctrl-C in the middle of a batch."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from cloudlayer_async import Outcome

from .conftest import batch_of, make_client, pages
from .service import FakeService
from .test_journal import rows


async def run(base_url: str, journal: Path, **options: Any) -> list[Outcome]:
    async with make_client(base_url, **options) as cl, batch_of(cl, pages(1), journal=journal) as batch:
        return [outcome async for outcome in batch]


def test_ctrl_c_when_the_answer_is_there(tmp_path: Path) -> None:
    """Outside of asyncio.run, or pressed twice, it is raised in whatever runs: here in the item's own task."""
    journal = tmp_path / "run.db"
    service = FakeService()

    def press(attempt: object) -> None:
        if service.accepted and not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)

    async def serve() -> None:
        async with service.running():
            ready.set()
            await done.wait()

    pressed: list[bool] = []
    ready, done = asyncio.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    try:
        serving = loop.create_task(serve())
        loop.run_until_complete(ready.wait())
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(run(service.base_url, journal, on_attempt=press))
        others = [task for task in asyncio.all_tasks(loop) if task is not serving and not is_servers(task)]
        for task in others:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*others, return_exceptions=True))
        assert rows(journal) in (["intent"], ["submitted"])
        assert all(outcome.ok for outcome in loop.run_until_complete(run(service.base_url, journal)))
        assert service.accepted == 1
        done.set()
        loop.run_until_complete(serving)
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def is_servers(task: asyncio.Task[Any]) -> bool:
    return "RequestHandler" in repr(task.get_coro())
