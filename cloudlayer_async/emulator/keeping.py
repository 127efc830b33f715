"""Keeping a job's product: as an asset here, or in the user's own bucket."""

from __future__ import annotations

import re
import secrets
import time

from .records import Asset, Job, StoredFile
from .rendering.model import Rendering
from .replies import disposition
from .s3 import StorageError, put_object
from .store import Store

_LONGEST_NAME = 150
"""Characters, before and after the last dot."""

__all__ = ["Keeper", "StorageError", "product_name"]


def product_name(job: Job, extension: str) -> str:
    """Return the file name of a product: the request's own, else one made of the job."""
    stem, dot, suffix = (job.filename or f"{job.name or job.id}.{extension}").rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    # Longer ones fit neither into a header nor into an address.
    return stem[:_LONGEST_NAME] + dot + suffix[:_LONGEST_NAME]


class Keeper:
    """Turns products into assets."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, job: Job, rendering: Rendering) -> Asset:
        """Store a product and its preview, and remember them as an asset.

        Raises:
            StorageError: The user's bucket did not take it.
        """
        asset_id = self._store.new_asset_id()
        name = product_name(job, rendering.extension)
        shown = disposition(name, inline=job.inline)
        file, url = await self._put(job, _url_name(name), rendering.content, rendering.content_type, shown)
        preview: StoredFile | None = None
        preview_url: str | None = None
        if rendering.preview is not None:
            preview_name = f"preview.{rendering.preview_extension or 'png'}"
            preview_type = rendering.preview_content_type or "image/png"
            preview, preview_url = await self._put(job, preview_name, rendering.preview, preview_type, "inline")
        asset = Asset(
            id=asset_id,
            job_id=job.id,
            created=time.time(),
            extension=rendering.extension,
            content_type=rendering.content_type,
            size=len(rendering.content),
            file_id=_file_id() if file is None else file.path.name,
            file=file,
            external_url=url,
            preview_file_id=None if preview is None else preview.path.name,
            preview=preview,
            preview_extension=rendering.preview_extension if rendering.preview is not None else None,
            external_preview_url=preview_url,
            name=job.name,
            project_id=job.project_id,
        )
        await self._store.add_asset(asset)
        return asset

    async def _put(
        self, job: Job, name: str, content: bytes, content_type: str, shown: str
    ) -> tuple[StoredFile | None, str | None]:
        if job.storage == "user":
            storage = self._store.storages.get(job.storage_id or "")
            if storage is None:
                raise StorageError("The storage configuration was deleted before the job ended")
            key = f"{job.id}/{name}"
            return None, await put_object(storage, key, content, content_type=content_type, disposition=shown)
        file = await self._store.write(
            content, file_id=_file_id(), name=name, content_type=content_type, disposition=shown
        )
        return file, None


def _file_id() -> str:
    return f"fl_{secrets.token_hex(8)}"


def _url_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).lstrip(".-") or "product"
