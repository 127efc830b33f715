"""Progress: what it says, and how it is shown."""

from __future__ import annotations

import io
import logging
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from cloudlayer_async import AsyncCloudlayer, BatchProgress, ValidationError
from cloudlayer_async.batch.display import TerminalProgress, show_progress

from .conftest import pages
from .service import FakeService, until


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
    assert told[0].total is None
    assert told[-1].total == told[-1].done == 3  # once all are known of


@pytest.mark.asyncio
async def test_what_on_progress_raises_does_not_sink_paid_jobs(
    cl: AsyncCloudlayer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(progress: BatchProgress) -> None:
        raise RuntimeError("the display is broken")

    with caplog.at_level(logging.ERROR, "cloudlayer_async"):
        async with cl.batch(pages(3), on_progress=fail) as batch:
            assert len([outcome async for outcome in batch]) == 3
    assert caplog.text.count("on_progress raised") == 1


def test_the_words() -> None:
    assert str(make_progress()) == "5 of 10 done, 2 s left, 1 failed, 5 credits, 6 under way, 2.5/s"
    assert "paused for 7 s" in str(make_progress(paused=7.2))
    assert str(make_progress(total=None, finished=True, failed=0)) == "4 done, 5 credits"


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


@pytest.mark.parametrize("columns", [30, 80])
def test_a_line_that_is_written_over_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rich.console", None)
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal = Terminal()
    show_progress(terminal)(make_progress(ambiguous=1_234, failed=99_999, credits=1e6, paused=12.0))
    assert len(terminal.getvalue().removeprefix("\r\x1b[K")) < columns


def test_colab_is_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    class ZMQInteractiveShell: ...

    class Shell(ZMQInteractiveShell): ...

    shown: list[object] = []

    class Display:
        Pretty = str

        @staticmethod
        def display(line: str, *, display_id: bool) -> Any:
            shown.append(line)
            return Mock(update=shown.append)

    monkeypatch.setitem(sys.modules, "IPython", Mock(get_ipython=Shell))
    monkeypatch.setitem(sys.modules, "IPython.display", Display)
    show = show_progress()
    show(make_progress())
    show(make_progress(finished=True))
    assert [str(line)[:12] for line in shown] == ["5 of 10 done"] * 2


@pytest.mark.asyncio
async def test_the_renderer_must_be_called_first(cl: AsyncCloudlayer) -> None:
    with pytest.raises(ValidationError, match=r"show_progress\(\)"):
        cl.batch(pages(1), on_progress=show_progress)  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_what_a_journal_has_says_nothing_of_the_time_that_is_left(
    cl: AsyncCloudlayer, service: FakeService, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"save_to": tmp_path / "out", "journal": tmp_path / "run.db"}
    await cl.run_batch(pages(50), **options)
    service.make = lambda job: setattr(job, "done", False)
    told: list[BatchProgress] = []
    async with cl.batch(pages(60), on_progress=told.append, **options) as batch:
        async for outcome in batch:
            if outcome.index == 49:
                break
        await until(lambda: bool(told) and told[-1].resumed == 50)
        assert batch.progress.remaining is None and batch.progress.rate > 0
