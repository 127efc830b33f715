"""Where jobs and assets live: records in memory, products in files, both within limits."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

from .account import Account
from .events import EventFeed
from .persistence import Archive
from .records import Asset, Delivery, Job, StoredFile, UserStorage
from .settings import Settings

_Record = TypeVar("_Record")

_DELIVERIES_KEPT = 10_000


class Store:
    """All records of one emulator. Use `open` before and `close` after."""

    def __init__(self, settings: Settings, account: Account, feed: EventFeed) -> None:
        self._settings = settings
        self._account = account
        self._feed = feed
        self._jobs: dict[str, Job] = {}
        self._assets: dict[str, Asset] = {}
        self._asset_bytes = 0
        self._last_digits = 0
        self._archive: Archive | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._files: Path | None = None
        self.storages: dict[str, UserStorage] = {}
        self.deliveries: deque[Delivery] = deque(maxlen=_DELIVERIES_KEPT)

    async def open(self) -> None:
        """Make the directory ready and read what an earlier run left there."""
        if self._settings.directory is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="cloudlayer-emulator-")
            self._files = Path(self._temporary.name)
            return
        self._archive = archive = await asyncio.to_thread(Archive, self._settings.directory)
        self._files = archive.files
        jobs, assets = await asyncio.to_thread(archive.load)
        for job in jobs:
            self._jobs[job.id] = job
            self._account.record(job)
        for asset in assets:
            self._keep(asset)
        self._evict()

    async def close(self) -> None:
        """Remove what is temporary, and let go of the directory."""
        if self._archive is not None:
            self._archive.close()
        if self._temporary is not None:
            await asyncio.to_thread(self._temporary.cleanup)
            self._temporary = None

    # Jobs

    def new_job_id(self) -> str:
        """Return an unused id in the dialect's style."""
        match self._settings.dialect.id_style:
            case "digits":
                self._last_digits = max(self._last_digits + 1, time.time_ns() // 1_000_000)
                return str(self._last_digits)
            case "prefixed":
                return f"job_{secrets.token_hex(8)}"
            case _:
                return secrets.token_hex(10)

    def add_job(self, job: Job) -> None:
        """Remember a new job; old ones beyond the limits are forgotten."""
        self._jobs[job.id] = job
        self._account.accepted(job)
        self._evict()
        self._feed.publish("job", job.id)

    async def save_job(self, job: Job) -> None:
        """Tell the watchers about a change in a job, and write it down where records are kept."""
        self._feed.publish("job", job.id)
        if self._archive is not None:
            await asyncio.to_thread(self._archive.save_job, job)

    def job(self, job_id: str) -> Job | None:
        """Return a job, or None when there is no such job."""
        return self._jobs.get(job_id)

    def jobs(self, limit: int | None = None, offset: int = 0) -> list[Job]:
        """Return jobs, newest first."""
        return _slice(reversed(self._jobs.values()), limit, offset)

    # Assets

    def new_asset_id(self) -> str:
        """Return an unguessable id: a public URL has no other protection."""
        return secrets.token_hex(16)

    async def write(
        self, content: bytes, *, file_id: str, name: str, content_type: str, disposition: str
    ) -> StoredFile:
        """Put content into a file of the store."""
        path = self.files_directory / file_id
        await asyncio.to_thread(path.write_bytes, content)
        return StoredFile(path=path, name=name, content_type=content_type, size=len(content), disposition=disposition)

    async def add_asset(self, asset: Asset) -> None:
        """Remember a new asset; old ones beyond the limits are forgotten."""
        self._keep(asset)
        if self._archive is not None:
            await asyncio.to_thread(self._archive.save_asset, asset)
        self._evict()
        self._feed.publish("asset", asset.id)

    def asset(self, asset_id: str) -> Asset | None:
        """Return an asset, or None when there is none, or it is no longer kept."""
        return self._assets.get(asset_id)

    def assets(self, limit: int | None = None, offset: int = 0) -> list[Asset]:
        """Return assets, newest first."""
        return _slice(reversed(self._assets.values()), limit, offset)

    @property
    def asset_bytes(self) -> int:
        """Bytes that all assets and previews take up."""
        return self._asset_bytes

    @property
    def files_directory(self) -> Path:
        """Where the files of assets are."""
        if self._files is None:
            raise RuntimeError("The store is not open.")
        return self._files

    def _keep(self, asset: Asset) -> None:
        self._assets[asset.id] = asset
        self._asset_bytes += asset.stored_bytes

    def _evict(self) -> None:
        max_bytes, max_age = self._settings.max_bytes, self._settings.max_age
        oldest = None if max_age is None else time.time() - max_age
        while self._assets:
            asset = next(iter(self._assets.values()))
            too_many = max_bytes is not None and self._asset_bytes > max_bytes and len(self._assets) > 1
            if not too_many and (oldest is None or asset.created >= oldest):
                break
            self._drop_asset(asset)
        excess = len(self._jobs) - self._settings.max_jobs
        stale: list[Job] = []
        for job in self._jobs.values():
            expired = oldest is not None and job.created < oldest
            if excess <= len(stale) and not expired:
                break
            if job.status != "pending":
                stale.append(job)
        for job in stale:
            del self._jobs[job.id]
            if self._archive is not None:
                self._archive.delete_job(job.id)

    def _drop_asset(self, asset: Asset) -> None:
        del self._assets[asset.id]
        self._asset_bytes -= asset.stored_bytes
        for file in (asset.file, asset.preview):
            if file is not None:
                file.path.unlink(missing_ok=True)
        if self._archive is not None:
            self._archive.delete_asset(asset.id)
        self._feed.publish("asset", asset.id)


def _slice(records: Iterator[_Record], limit: int | None, offset: int) -> list[_Record]:
    return list(islice(records, offset, None if limit is None else offset + limit))
