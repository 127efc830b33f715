"""Which engine draws: the one asked for, else the best there is."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import Literal

from .job import Engine
from .model import RenderError
from .pluto import PlutoEngine, is_installed

logger = logging.getLogger(__name__)

EngineName = Literal["auto", "plutoprint", "chromium"]
CHROMIUM_VARIABLE = "CLOUDLAYER_EMULATOR_CHROMIUM"

# The programs themselves come before the commands: Debian's command is a shell script that does not replace itself
# with the program, so that killing it would leave the browser running.
_PLACES = (
    "/usr/lib/chromium/chromium-headless-shell",
    "chromium-headless-shell",
    "chrome-headless-shell",
    "/usr/lib/chromium/chromium",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)


def find_chromium(path: str | None = None) -> str | None:
    """Return the browser to use: the one named here, else in the environment, else one that is installed.

    Raises:
        RenderError: One was named and is not there.
    """
    for named, origin in ((path, "chromium_path"), (os.environ.get(CHROMIUM_VARIABLE), CHROMIUM_VARIABLE)):
        if named:
            found = shutil.which(named)
            if found is None:
                raise RenderError(f"{origin} names no program that can be run: {named}")
            return _program(found)
    return next((_program(found) for place in _PLACES if (found := shutil.which(place))), None)


async def start(wanted: EngineName, chromium_path: str | None) -> Engine:
    """Start the engine.

    Args:
        wanted: ``auto`` is Chromium where there is one that works, else plutoprint.
        chromium_path: As for `find_chromium`; one that is named must work.

    Raises:
        RenderError: It is not there or does not start; says what to install.
    """
    program = None if wanted == "plutoprint" else find_chromium(chromium_path)
    if program is None and wanted == "chromium":
        raise RenderError(
            "No Chromium was found. Install one, for instance Debian's chromium-headless-shell, or name one by "
            f"chromium_path or {CHROMIUM_VARIABLE}"
        )
    if program is not None:
        from .chromium import ChromiumEngine

        try:
            return await _started(ChromiumEngine(program))
        except RenderError as error:
            is_named = chromium_path or os.environ.get(CHROMIUM_VARIABLE)
            if wanted == "chromium" or is_named or not is_installed():
                raise
            logger.warning("Chromium is there but does not start, so plutoprint is used: %s", error)
    return await _started(PlutoEngine())


async def _started(engine: Engine) -> Engine:
    try:
        await engine.start()
    except BaseException:
        await engine.aclose()
        raise
    return engine


def _program(found: str) -> str:
    beside = Path("/usr/lib/chromium") / Path(found).name
    is_wrapper = Path(found).parent == Path("/usr/bin") and beside.is_file()
    return str(beside) if is_wrapper else found
