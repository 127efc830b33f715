"""The state of one emulator: everything that its handlers share, put together in one place."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from .account import Account
from .events import EventFeed
from .faults import FaultBoard
from .gallery import Gallery
from .keeping import Keeper
from .links import Links
from .rates import RateLimiter
from .recent import RecentProducts
from .records import Asset, Job
from .runner import JobRunner
from .seen import Seen
from .settings import Settings
from .shapes import Shapes
from .store import Store
from .validation import Validator
from .webhooks import Webhooks


class Service:
    """What an emulator knows and does, apart from HTTP."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.dialect = settings.dialect
        self.feed = EventFeed()
        self.seen = Seen()
        self.faults = FaultBoard(seed=settings.seed, feed=self.feed)
        self.account = Account(settings=settings)
        self.store = Store(settings, self.account, self.feed)
        self.links = Links(ttl=settings.asset_ttl, public=self.dialect.asset_urls == "public")
        self.shapes = Shapes(self.dialect, self.links, self.account)
        self.gallery = Gallery(settings.templates)
        self.validator = Validator(self.dialect, self.gallery)
        self.rates = RateLimiter(settings.rate_limit)
        self.webhooks = Webhooks(settings, self.store, self.faults, self.seen, self.feed)
        self.recent = RecentProducts()
        self.runner = JobRunner(
            settings=settings,
            account=self.account,
            store=self.store,
            seen=self.seen,
            board=self.faults,
            shapes=self.shapes,
            webhooks=self.webhooks,
            keeper=Keeper(self.store),
            recent=self.recent,
        )

    def masked_key(self, key: str) -> str | None:
        """Return a key as jobs show it, or None when it is not a key of this account."""
        given = key.encode("utf-8", "surrogateescape")
        # Every key is compared, so that the time taken tells nothing about which one came close.
        matches = [known for known in self.settings.api_keys if hmac.compare_digest(known.encode(), given)]
        return _masked(matches[0]) if matches else None

    def asset_of(self, job: Job) -> Asset | None:
        """Return a job's product, or None when it has none or it is no longer kept."""
        return self.store.asset(job.asset_id) if job.asset_id is not None else None

    def job_body(self, job: Job) -> dict[str, Any]:
        """Return a job as ``GET /jobs/{id}`` has it."""
        return self.shapes.job(job, self.asset_of(job), "read")

    def job_log(self, job: Job) -> Mapping[str, Any]:
        """Return what the service itself would not tell about a run: engine, notes, times (seconds since the epoch)."""
        return {
            "id": job.id,
            "engine": job.engine,
            "notes": list(job.notes),
            "created": job.created,
            "started": job.started,
            "finished": job.finished,
            "worker": job.worker,
            "storage": job.storage,
            "deliveries": [
                {
                    "attempt": delivery.attempt,
                    "started": delivery.started,
                    "duration": delivery.duration,
                    "status": delivery.status,
                    "error": delivery.error,
                    "fault": delivery.fault,
                }
                for delivery in self.store.deliveries
                if delivery.job_id == job.id
            ],
        }


SERVICE: web.AppKey[Service] = web.AppKey("service", Service)


def _masked(key: str) -> str:
    return f"{key[:7]}...{key[-2:]}" if len(key) >= 20 else f"{key[:3]}..."
