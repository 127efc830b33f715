"""Worker processes that can be killed: each does one piece of work at a time, and its death harms no other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from . import frames, processes
from .frames import Frame
from .model import RenderError

logger = logging.getLogger(__name__)

Load = Callable[[str], Awaitable[Frame]]
"""Answers a worker that asks for an address."""

_GRACE = 5.0


class WorkerPool:
    """A fixed number of worker processes, started when first needed and replaced when they die.

    Args:
        size: How many pieces of work run at once.
        fonts: The directory of the font configuration.
    """

    def __init__(self, size: int, fonts: Path) -> None:
        self._size = size
        self._fonts = fonts
        # A slot holds an idle worker, or None where one has yet to be started. The last one used is the warmest.
        self._slots: asyncio.LifoQueue[_Worker | None] = asyncio.LifoQueue()
        self._alive: set[_Worker] = set()
        self._closed = False

    async def start(self) -> None:
        """Start a first worker, so that a broken installation shows at once.

        Raises:
            RenderError: It does not start.
        """
        for _ in range(self._size - 1):
            self._slots.put_nowait(None)
        self._slots.put_nowait(await self._new())

    async def aclose(self) -> None:
        """Kill all workers. Work under way ends in `RenderError`."""
        self._closed = True
        await asyncio.gather(*(worker.kill() for worker in tuple(self._alive)))
        self._alive.clear()

    async def run(
        self,
        task: str,
        arguments: Mapping[str, Any],
        blobs: Sequence[bytes] = (),
        *,
        limit: float,
        load: Load | None = None,
    ) -> Frame:
        """Do a piece of work in a worker. Cancelling kills that worker.

        Args:
            task: Its name in `cloudlayer_async.emulator.rendering.worker`.
            arguments: What it gets, as JSON.
            blobs: What it gets, as bytes.
            limit: Seconds after which the worker ends itself, should nobody kill it before.
            load: Answers its requests for addresses; without it, none is loaded.

        Raises:
            RenderError: The work failed, or the worker died of it.
        """
        async with self._worker() as worker:
            return await worker.run(task, arguments, blobs, limit=limit, load=load)

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[_Worker]:
        worker = await self._slots.get()
        try:
            if worker is None or not worker.is_alive:
                worker = await self._new()
            yield worker
        finally:
            if worker is not None and not worker.is_idle:
                self._alive.discard(worker)
                killing = asyncio.ensure_future(worker.kill())
                worker = None
                # Shielded: a second cancellation must not leave a process that nobody waits for.
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(killing)
            self._slots.put_nowait(worker)

    async def _new(self) -> _Worker:
        if self._closed:
            raise RenderError("The renderer is closed")
        worker = await _Worker.start(self._fonts)
        self._alive.add(worker)
        if self._closed:
            await worker.kill()
        return worker


class _Worker:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._input, self._output = process.stdin, process.stdout
        self._log = asyncio.ensure_future(self._drain())
        self._exit = asyncio.ensure_future(process.wait())
        self.is_idle = True

    @classmethod
    async def start(cls, fonts: Path) -> _Worker:
        environment = processes.environment()
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"{__package__}.worker",
            str(fonts),
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            # Ctrl-C is for the parent, which ends its workers in its own time.
            start_new_session=True,
        )
        worker = cls(process)
        try:
            await frames.receive(worker._output)
        except asyncio.IncompleteReadError as error:
            await worker.kill()
            raise RenderError("A worker process of the renderer does not start") from error
        except BaseException:
            await worker.kill()
            raise
        return worker

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def run(
        self, task: str, arguments: Mapping[str, Any], blobs: Sequence[bytes], *, limit: float, load: Load | None
    ) -> Frame:
        # Stays False when this is left by an exception, so that a worker in an unknown state is not used again.
        self.is_idle = False
        try:
            await self._send({"task": task, "arguments": arguments, "limit": limit + _GRACE}, blobs)
            while True:
                frame = await frames.receive(self._output)
                if "load" not in frame.head:
                    break
                answer = await self._loaded(frame.head["load"], load)
                await self._send(answer.head, answer.blobs)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            code = await asyncio.shield(self._exit)
            raise RenderError(f"The document brought its worker process down (exit code {code})") from error
        self.is_idle = True
        if "error" in frame.head:
            raise RenderError(frame.head["error"])
        return frame

    async def _loaded(self, url: str, load: Load | None) -> Frame:
        """Load for the worker, but no longer than it lives."""
        if load is None:
            return Frame({})
        loading = asyncio.ensure_future(load(url))
        try:
            await asyncio.wait({loading, self._exit}, return_when=asyncio.FIRST_COMPLETED)
            if not loading.done():
                raise BrokenPipeError
            return loading.result()
        finally:
            loading.cancel()

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._input.close()
        await self._exit
        await self._log

    async def _send(self, head: Mapping[str, Any], blobs: Sequence[bytes]) -> None:
        for piece in frames.encode(head, blobs):
            self._input.write(piece)
            await self._input.drain()

    async def _drain(self) -> None:
        assert self._process.stderr is not None
        # Read in blocks: a library may write lines of any length.
        while block := await self._process.stderr.read(2**16):
            logger.debug("Worker %s: %s", self._process.pid, block.decode("utf-8", "replace").rstrip())
