"""The renderer: from what a job asks for to a finished product, with whichever engine there is."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from . import fonts, selection
from .fetching import Fetcher
from .job import Engine
from .model import Rendering, RenderSpec
from .policy import AllowList
from .pool import WorkerPool
from .selection import EngineName
from .steps import Conversion


class Renderer:
    """Makes documents, each in a process that can be killed.

    Args:
        engine: ``plutoprint`` needs nothing but Python; ``chromium`` a browser on the machine; ``auto`` takes
            Chromium where one is found, else plutoprint.
        chromium_path: The browser to use; else the environment's ``CLOUDLAYER_EMULATOR_CHROMIUM``, else what is
            installed.
        workers: How many conversions run at once; the machine's cores when None.
        allowed_hosts: ``host`` or ``host:port`` that documents may load from and that URL conversions may be of.
            Private addresses need a literal address or ``localhost`` here; nothing else is ever loaded.

    Raises:
        ValueError: `allowed_hosts` has something that is no host.
    """

    def __init__(
        self,
        *,
        engine: Literal["auto", "plutoprint", "chromium"] = "auto",
        chromium_path: str | None = None,
        workers: int | None = None,
        allowed_hosts: Collection[str] = (),
    ) -> None:
        self._wanted: EngineName = engine
        self._chromium_path = chromium_path
        self._size = workers or os.cpu_count() or 1
        # Entered before a conversion's clock starts: waiting for others is no part of its time.
        self._gate = asyncio.Semaphore(self._size)
        self._fetcher = Fetcher(AllowList(allowed_hosts))
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._pool: WorkerPool | None = None
        self._engine: Engine | None = None

    @property
    def engine_name(self) -> str:
        """The engine in use with its version; before `start`, the one asked for."""
        return self._engine.name if self._engine is not None else self._wanted

    async def start(self) -> None:
        """Choose the engine and start it.

        Raises:
            RenderError: There is none, or it does not work; says what to install.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="cloudlayer-rendering-")
        try:
            folder = Path(self._folder.name)
            fonts.write_configuration(folder)
            await self._fetcher.start()
            self._pool = WorkerPool(self._size, folder)
            await self._pool.start()
            self._engine = await selection.start(self._wanted, self._chromium_path)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """End the engine and all workers. Conversions under way end in `RenderError`. May be called twice."""
        if self._engine is not None:
            await self._engine.aclose()
        if self._pool is not None:
            await self._pool.aclose()
        await self._fetcher.aclose()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    async def render(self, spec: RenderSpec) -> Rendering:
        """Make a product. Cancelling ends the work for good: its process is killed.

        Args:
            spec: What to make. ``timeout`` of its options (milliseconds, 30000 when absent) covers ``delay`` too,
                and holds for each address of a batch.

        Raises:
            RenderError: It cannot be made; the message is meant for the job's ``error``.
        """
        if self._engine is None or self._pool is None:
            raise RuntimeError("The renderer was not started.")
        async with self._gate:
            return await Conversion(spec, self._engine, self._pool, self._fetcher).run()
