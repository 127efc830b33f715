"""Which engine is taken, and what is said when there is none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import pytest

from cloudlayer_async.emulator.rendering import Renderer, RenderError, selection
from cloudlayer_async.emulator.rendering import pluto as pluto_module

from .conftest import needs_chromium

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_PLACES", ())
    monkeypatch.delenv(selection.CHROMIUM_VARIABLE, raising=False)


async def started(renderer: Renderer) -> str:
    await renderer.start()
    await renderer.aclose()
    return renderer.engine_name


@pytest.mark.usefixtures("no_browser")
async def test_auto_is_plutoprint_where_there_is_no_browser() -> None:
    assert (await started(Renderer(workers=1))).startswith("plutoprint 0.")


@needs_chromium
async def test_auto_is_chromium_where_there_is_one() -> None:
    assert (await started(Renderer(workers=1))).startswith("chromium ")


@pytest.mark.usefixtures("no_browser")
async def test_chromium_that_is_not_there_is_an_error_that_helps() -> None:
    with pytest.raises(RenderError, match=r"No Chromium was found. Install one"):
        await Renderer(engine="chromium", workers=1).start()


@pytest.mark.usefixtures("no_browser")
async def test_no_engine_at_all_is_an_error_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pluto_module, selection):
        monkeypatch.setattr(module, "is_installed", lambda: False)
    with pytest.raises(RenderError, match=r"plutoprint is not installed.*Install one of them"):
        await Renderer(workers=1).start()


async def test_a_named_browser_must_exist(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="chromium_path names no program"):
        await Renderer(chromium_path=str(tmp_path / "none"), workers=1).start()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A program that is no browser."""
    program = tmp_path / "browser"
    program.write_text("#!/bin/sh\necho cannot open display >&2\nexit 1\n")
    program.chmod(0o755)
    return program


async def test_auto_is_plutoprint_where_the_browser_found_does_not_start(
    monkeypatch: pytest.MonkeyPatch, broken: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(selection, "_PLACES", (str(broken),))
    monkeypatch.delenv(selection.CHROMIUM_VARIABLE, raising=False)
    assert (await started(Renderer(workers=1))).startswith("plutoprint ")
    assert "cannot open display" in caplog.text


async def test_the_environment_names_a_browser_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(selection.CHROMIUM_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(RenderError, match=f"{selection.CHROMIUM_VARIABLE} names no program"):
        await Renderer(workers=1).start()


@pytest.mark.parametrize("engine", ["auto", "chromium"])
async def test_a_named_browser_that_does_not_start_is_an_error_with_its_words(
    engine: Literal["auto", "chromium"], broken: Path
) -> None:
    with pytest.raises(RenderError, match="Chromium does not start: cannot open display"):
        await Renderer(engine=engine, chromium_path=str(broken), workers=1).start()


async def test_importing_the_package_loads_no_engine() -> None:
    import subprocess

    source = "import cloudlayer_async.emulator.rendering as r, sys; print([m for m in sys.modules if m in %r])"
    heavy = ("plutoprint", "pypdfium2", "PIL", "jinja2", "babel", "aiohttp", "selectolax", "mammoth")
    output = subprocess.run([sys.executable, "-c", source % (heavy,)], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"


async def test_the_renderer_must_be_started() -> None:
    from .reading import make

    with pytest.raises(RuntimeError, match="not started"):
        await make(Renderer(), "html-pdf", "x")


async def test_a_host_that_is_none_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="Not a host"):
        Renderer(allowed_hosts=["http://example.com/"])
