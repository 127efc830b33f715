"""Programs of others, on a leash: they and all they started end when we let go of it, or die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from . import leash

# Nothing else of the environment is handed on: documents are drawn there, and secrets have no business near them.
_ENVIRONMENT = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "PATH",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "TMPDIR",
    "TZ",
    "USERPROFILE",
    "WINDIR",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
)
_PATIENCE = 5.0


def environment() -> dict[str, str]:
    """Return the part of our environment that other processes get."""
    return {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}


async def start(program: str, *arguments: str, stderr: int) -> asyncio.subprocess.Process:
    """Start a program on a leash.

    Args:
        program: Its path.
        arguments: Its command line.
        stderr: Where its errors go, as for `asyncio.create_subprocess_exec`.

    Returns:
        The leash. It exits as the program does, and `end` ends both.
    """
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(Path(leash.__file__)),
        program,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=stderr,
        env=environment(),
        # Ctrl-C is for the parent, which ends its processes in its own time.
        start_new_session=True,
    )


async def end(process: asyncio.subprocess.Process) -> None:
    """Let go of a leash, which kills the program and waits for all of it."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_PATIENCE):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
