"""Progress: what it says, and how it is shown."""

from __future__ import annotations

import io
import logging
from itertools import pairwise
from typing import Any

import pytest

from cloudlayer_async import AsyncCloudlayer, BatchProgress
from cloudlayer_async.batch.display import TerminalProgress, show_progress

from .conftest import pages
from .service import FakeService


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def make_progress(**changes: Any) -> BatchProgress:
    values: dict[str, Any] = {
        "total": 10,
        "waiting": 0,
        "submitting": 1,
        "pending": 2,
        "downloading": 3,
        "ready": 0,
        "succeeded": 4,
        "failed": 1,
        "ambiguous": 0,
        "resumed": 0,
        "refusals": 0,
        "credits": 5.0,
        "elapsed": 2.0,
        "rate": 2.5,
        "remaining": 2.0,
        "concurrency": 32,
        "paused": 0.0,
        "finished": False,
    }
    return BatchProgress(**{**values, **changes})


@pytest.mark.asyncio
async def test_progress_is_told_and_the_last_word_is_the_whole(cl: AsyncCloudlayer, service: FakeService) -> None:
    told: list[BatchProgress] = []
    async with cl.batch(pages(20), on_progress=told.append) as batch:
        async for _ in batch:
            pass
    last = told[-1]
    assert last.finished and last.done == last.succeeded == last.total == 20 and last.credits == 20
    assert last.remaining == 0 and last.elapsed > 0 and not told[0].finished
    assert all(earlier.done <= later.done for earlier, later in pairwise(told))


@pytest.mark.asyncio
async def test_a_coroutine_function_is_awaited_and_no_total_is_none(cl: AsyncCloudlayer) -> None:
    told: list[BatchProgress] = []

    async def tell(progress: BatchProgress) -> None:
        told.append(progress)

    async with cl.batch(iter(pages(3)), on_progress=tell) as batch:
        async for _ in batch:
            pass
    assert told[-1].total is None and told[-1].done == 3


@pytest.mark.asyncio
async def test_what_on_progress_raises_does_not_sink_paid_jobs(
    cl: AsyncCloudlayer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(progress: BatchProgress) -> None:
        raise RuntimeError("the display is broken")

    with caplog.at_level(logging.ERROR, "cloudlayer_async"):
        async with cl.batch(pages(3), on_progress=fail) as batch:
            assert len([outcome async for outcome in batch]) == 3
    assert "on_progress raised" in caplog.text


def test_the_words() -> None:
    assert str(make_progress()) == "5 of 10 done, 6 under way, 1 failed, 5 credits, 2.5/s, 2 s left"
    assert "paused for 7 s" in str(make_progress(paused=7.2))
    assert str(make_progress(total=None, finished=True, failed=0)) == "4 done, 6 under way, 5 credits"


def test_a_terminal_gets_a_bar() -> None:
    pytest.importorskip("rich")
    terminal = Terminal()
    show = show_progress(terminal)
    assert isinstance(show, TerminalProgress)
    show(make_progress())
    show(make_progress(succeeded=9, finished=True))
    assert "10 of 10 done" in terminal.getvalue()


def test_what_is_no_terminal_gets_nothing() -> None:
    file = io.StringIO()
    for show in (show_progress(file), TerminalProgress(file)):
        show(make_progress())
        show(make_progress(finished=True))
    assert file.getvalue() == ""


def test_without_rich_a_terminal_gets_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rich.console", None)
    terminal = Terminal()
    show = show_progress(terminal)
    show(make_progress())
    show(make_progress(finished=True))
    assert terminal.getvalue().count("\r") == 2 and terminal.getvalue().endswith("\n")
