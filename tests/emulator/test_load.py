"""Under load the API stays quick. Work is counted, not timed, so that a busy machine proves the same."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from .conftest import Caller, Start, html

pytestmark = pytest.mark.asyncio


class Calls:
    """How many Python functions of the emulator were called."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and "/emulator/" in frame.f_code.co_filename.replace(os.sep, "/"):
            self.count += 1


@contextmanager
def counted() -> Iterator[Calls]:
    calls, before = Calls(), sys.getprofile()
    sys.setprofile(calls.note)
    try:
        yield calls
    finally:
        sys.setprofile(before)


async def cost(caller: Caller, path: str) -> int:
    """Calls that one read takes, when nothing else happens."""
    await caller.get(path)
    with counted() as calls:
        await caller.get(path)
    return calls.count


@pytest.mark.parametrize("path", ["/v2/jobs/{}", "/v2/jobs?limit=5", "/v2/account", "/v2/getStatus"])
async def test_a_thousand_queued_jobs_cost_a_read_nothing(start: Start, path: str) -> None:
    async with start(workers=2) as caller:
        caller.renderer.open.clear()
        jobs = [await caller.submit() for _ in range(5)]
        few = await cost(caller, path.format(jobs[-1]["id"]))
        for _ in range(20):
            await asyncio.gather(*(caller.submit() for _ in range(50)))
        assert len(caller.emulator.service.store.jobs()) == 1005
        assert caller.renderer.running == 2
        many = await cost(caller, path.format(jobs[-1]["id"]))
        assert few > 10
        assert many <= few * 1.1
        caller.renderer.open.set()


PAGE = "<table>" + "<tr><td>cell<td>cell" * 8_000


async def test_four_renders_at_once_and_the_api_answers_all_the_while(start: Start) -> None:
    async with start(workers=4, renderer=_pluto()) as caller:
        store = caller.emulator.service.store
        await asyncio.gather(*(caller.submit(html=html("warm")) for _ in range(4)))
        await caller.emulator.settle()
        submitted = await asyncio.gather(*(caller.submit(html=html(PAGE)) for _ in range(4)))
        jobs = [job for one in submitted if (job := store.job(one["id"])) is not None]
        assert len(jobs) == 4
        at_once = answers = 0
        while any(job.finished is None for job in jobs):
            await caller.get(f"/v2/jobs/{jobs[answers % 4].id}")
            answers += 1
            at_once = max(at_once, sum(job.started is not None and job.finished is None for job in jobs))
        assert [job.status for job in jobs] == ["success"] * 4
    assert at_once == 4
    assert answers >= 20


def _pluto() -> Any:
    from cloudlayer_async.emulator.rendering import Renderer

    return Renderer(engine="plutoprint", workers=4, allowed_hosts=[])


async def test_a_slow_watcher_holds_nobody_up(start: Start) -> None:
    async with start() as caller:
        watcher = await caller.session.get(caller.emulator.base_url + "/emulator/events")
        for _ in range(10):
            await asyncio.gather(*(caller.submit(name="n" * 1000) for _ in range(50)))
        await caller.emulator.settle()
        assert caller.emulator.seen.accepted == 500
        watcher.close()
