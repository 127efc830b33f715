"""Running jobs: a bounded number of renders at a time, from acceptance to the kept product."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from .account import Account
from .endpoints import Endpoint
from .faults import Fault, FaultBoard
from .keeping import Keeper, StorageError
from .recent import RecentProducts
from .records import Asset, Job
from .rendering.model import RenderError, Rendering, RenderSpec
from .seen import Seen
from .settings import Settings
from .shapes import Shapes
from .store import Store
from .validation import Conversion
from .webhooks import Webhooks

logger = logging.getLogger("cloudlayer_async.emulator")

_GRACE = 30.0
"""Seconds beyond its own limits after which a render that did not end by itself is cancelled."""


class RendererLike(Protocol):
    """What renders. `render` raises `RenderError`, may be cancelled, and honours the ``timeout`` option itself."""

    @property
    def engine_name(self) -> str:
        """Name and version."""
        ...

    async def start(self) -> None:
        """Get ready."""
        ...

    async def render(self, spec: RenderSpec) -> Rendering:
        """Make the product."""
        ...

    async def aclose(self) -> None:
        """End whatever is running."""
        ...


@attrs.frozen
class Submission:
    """An accepted conversion and its work."""

    job: Job
    work: asyncio.Task[Rendering | None]
    """Gives the product; None when the job failed."""


class JobRunner:
    """Runs jobs in tasks; the event loop only ever waits."""

    def __init__(
        self,
        *,
        settings: Settings,
        account: Account,
        store: Store,
        seen: Seen,
        board: FaultBoard,
        shapes: Shapes,
        webhooks: Webhooks,
        keeper: Keeper,
        recent: RecentProducts,
    ) -> None:
        self._settings = settings
        self._account = account
        self._store = store
        self._seen = seen
        self._board = board
        self._shapes = shapes
        self._webhooks = webhooks
        self._keeper = keeper
        self._recent = recent
        self._idle: asyncio.Queue[str] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Rendering | None]] = set()
        self._renderer: RendererLike | None = None
        self.closing = False

    @property
    def engine_name(self) -> str:
        """Name and version of what renders; empty before `start`."""
        return "" if self._renderer is None else self._renderer.engine_name

    def start(self, renderer: RendererLike) -> None:
        """Take work from now on."""
        self._renderer = renderer
        for number in range(1, self._settings.workers + 1):
            self._idle.put_nowait(f"emulator-worker-{number}")

    def submit(
        self,
        endpoint: Endpoint,
        version: str,
        conversion: Conversion,
        *,
        key: str,
        names: Sequence[str],
        faults: Sequence[Fault],
    ) -> Submission:
        """Accept a conversion: from here on it counts, whatever happens to the reply.

        Args:
            endpoint: Which conversion.
            version: API version of the request.
            conversion: The request, found good.
            key: The API key used, masked.
            names: What the request's place is called, for the faults.
            faults: Faults of this one request.
        """
        job = Job(
            id=self._store.new_job_id(),
            type=endpoint.job_type,
            version=version,
            created=time.time(),
            api_key_used=key,
            params=conversion.params,
            credits=conversion.credits,
            worker_job_id=f"wj-{secrets.token_hex(6)}",
            name=conversion.name,
            project_id=conversion.project_id,
            storage=conversion.storage,
            storage_id=conversion.storage_id,
            webhook=conversion.webhook,
            filename=conversion.filename,
            inline=conversion.inline,
        )
        self._store.add_job(job)
        self._seen.accept(type_=job.type, name=job.name)
        stuck = self._board.pick({"stuck"}, names, faults)
        work = asyncio.create_task(self._run(job, conversion, stuck, faults), name=f"job {job.id}")
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)
        return Submission(job, work)

    async def settle(self) -> None:
        """Wait until no job is pending."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def aclose(self) -> None:
        """Cancel every job that is not finished and wait for the renders to end."""
        self.closing = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(
        self, job: Job, conversion: Conversion, stuck: Sequence[Fault], faults: Sequence[Fault]
    ) -> Rendering | None:
        await self._store.save_job(job)
        for fault in stuck:
            await (asyncio.sleep(fault.seconds) if fault.seconds is not None else asyncio.Event().wait())
        rendering = None
        asset = None
        try:
            rendering, seconds = await self._render(job, conversion.spec)
            size = len(rendering.content)
            if job.storage != "none":
                asset = await self._keeper.keep(job, rendering)
                job.asset_id = asset.id
            if asset is None or asset.file is None:
                self._recent.add(job.id, rendering)
            self._account.price(job, seconds=seconds, size=size)
            job.status = "success"
        except (RenderError, StorageError) as error:
            job.error = str(error) or "The conversion failed"
        except Exception:
            logger.exception("Job %s failed unexpectedly", job.id)
            job.error = "Internal error"
        if job.error is not None:
            job.status = "error"
            rendering = None
        job.finished = time.time()
        self._account.finished(job)
        await self._store.save_job(job)
        self._tell(job, asset, faults)
        return rendering

    async def _render(self, job: Job, spec: RenderSpec) -> tuple[Rendering, float]:
        if self._renderer is None:
            raise RuntimeError("The runner was not started.")
        worker = await self._idle.get()
        try:
            job.worker = worker
            job.started = time.time()
            await self._store.save_job(job)
            began = time.monotonic()
            limit = _limit(spec.options, pages=max(1, len(spec.urls)))
            try:
                async with asyncio.timeout(limit):
                    rendering = await self._renderer.render(spec)
            except TimeoutError as error:
                raise RenderError(f"Rendering did not end within {limit:g} s") from error
            job.engine = rendering.engine or self._renderer.engine_name
            job.notes = rendering.notes
            return rendering, time.monotonic() - began
        finally:
            self._idle.put_nowait(worker)

    def _tell(self, job: Job, asset: Asset | None, faults: Sequence[Fault]) -> None:
        if job.webhook is not None:
            self._webhooks.send(job, job.webhook, self._shapes.job(job, asset, "webhook"), faults)


def _limit(options: Mapping[str, object], *, pages: int) -> float:
    timeout, delay = options.get("timeout"), options.get("delay")
    milliseconds = (timeout if isinstance(timeout, int) else 30_000) + (delay if isinstance(delay, int) else 0)
    return milliseconds / 1000 * pages + _GRACE
