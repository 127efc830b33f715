"""uvloop is used when it is installed, and everything works without it."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest
from servers import Service

from cloudlayer_async import Cloudlayer, Job

from .conftest import HIDE_UVLOOP, run_script


def loop_of(cl: Cloudlayer) -> str:
    """The package that a client's loop comes from."""
    found: list[str] = []

    async def look(_: Job) -> None:
        bases = type(asyncio.get_running_loop()).__mro__
        found.append("uvloop" if any(base.__module__.startswith("uvloop") for base in bases) else "asyncio")

    cl.attach("7Kq2").wait(on_update=look)
    return found[0]


def test_it_is_used_when_installed(cl: Cloudlayer) -> None:
    pytest.importorskip("uvloop", reason="the extra `speed` is not installed")
    assert loop_of(cl) == "uvloop"


def test_it_is_not_needed(cl: Cloudlayer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert loop_of(cl) == "asyncio"
    assert len(cl.attach("7Kq2").result().content) == 1_000_004


@pytest.mark.parametrize("test", ["test_fork", "test_exit", "test_dead_portal", "test_system_exit"])
def test_the_hazards_without_it(service: Service, tmp_path: Path, test: str) -> None:
    """The hazards that depend on the loop, once more with asyncio's own."""
    folder = Path(__file__).parent
    run_script(
        f"{HIDE_UVLOOP}\n"
        f"import sys, pytest\n"
        f"sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '--rootdir', {str(folder.parent.parent)!r},"
        f" {str(folder / test)!r} + '.py']))\n",
        service,
        tmp_path,
        timeout=300,
    )
