"""Delivering webhooks, and keeping a record of each attempt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import aiohttp

from .events import EventFeed
from .faults import WEBHOOK_KINDS, Fault, FaultBoard
from .records import Delivery, Job
from .seen import Seen
from .settings import Settings
from .store import Store

_CONNECTIONS = 100


class Webhooks:
    """Posts jobs to the URLs that asked for them, each in a task of its own."""

    def __init__(self, settings: Settings, store: Store, board: FaultBoard, seen: Seen, feed: EventFeed) -> None:
        self._settings = settings
        self.backoff = settings.webhook_backoff
        """Seconds before the second delivery; doubled for each further one."""
        self._store = store
        self._board = board
        self._seen = seen
        self._feed = feed
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, job: Job, url: str, body: dict[str, Any], own_faults: Sequence[Fault]) -> None:
        """Deliver a job's end in the background.

        Args:
            job: The job that ended.
            url: Where it is to be told.
            body: The job's body.
            own_faults: Faults of the job's own request.
        """
        faults = self._board.pick(WEBHOOK_KINDS, ("webhooks", job.type), own_faults)
        kinds = {fault.kind for fault in faults}
        if "webhook-drop" in kinds:
            self._record(job, url, 1, time.time(), fault="webhook-drop")
            return
        delay = max((fault.seconds or 0 for fault in faults if fault.kind == "webhook-late"), default=0.0)
        copies = 2 if "webhook-duplicate" in kinds else 1
        for copy in range(copies):
            fault = "webhook-duplicate" if copy else "webhook-late" if delay else None
            task = asyncio.create_task(self._deliver(job, url, body, delay, fault), name=f"webhook {job.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Wait until everything that is under way has been delivered or has failed."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def aclose(self) -> None:
        """Give up what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _deliver(self, job: Job, url: str, body: dict[str, Any], delay: float, fault: str | None) -> None:
        await asyncio.sleep(delay)
        for attempt in range(1, self._settings.webhook_attempts + 1):
            if attempt > 1:
                await asyncio.sleep(self.backoff * 2 ** (attempt - 2))
            started = time.time()
            status, error = await self._post(url, body)
            self._record(job, url, attempt, started, status=status, error=error, fault=fault)
            if status is not None and 200 <= status < 300:
                return

    async def _post(self, url: str, body: dict[str, Any]) -> tuple[int | None, str | None]:
        try:
            async with self._client().post(url, json=body, allow_redirects=False) as response:
                return response.status, None
        except TimeoutError:
            return None, "No answer in time"
        except (aiohttp.ClientError, OSError, ValueError) as error:  # the last for hosts that are none
            # The text of the error may hold the URL, and with it a secret path.
            return None, type(error).__name__

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=self._settings.webhook_timeout),
                headers={"User-Agent": "cloudlayer-emulator"},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _record(
        self,
        job: Job,
        url: str,
        attempt: int,
        started: float,
        *,
        status: int | None = None,
        error: str | None = None,
        fault: str | None = None,
    ) -> None:
        self._seen.deliveries += 1
        self._store.deliveries.append(
            Delivery(
                job_id=job.id,
                url=url,
                attempt=attempt,
                started=started,
                duration=time.time() - started,
                status=status,
                error=error,
                fault=fault,
            )
        )
        self._feed.publish("delivery", job.id)
