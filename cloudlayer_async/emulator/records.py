"""What the emulator remembers: jobs, assets, storage configurations, webhook deliveries. Data only, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

JobStatus = Literal["pending", "success", "error"]
StorageMode = Literal["none", "cloud", "user"]


@attrs.define(kw_only=True, eq=False)
class Job:
    """One accepted conversion. Times are seconds since the epoch."""

    id: str
    type: str
    version: str
    """API version of the request, ``v1`` or ``v2``."""
    created: float
    api_key_used: str
    """Masked."""
    params: Mapping[str, Any]
    """The request's options, secrets replaced."""
    credits: int
    worker_job_id: str
    name: str | None = None
    project_id: str | None = None
    storage: StorageMode = "none"
    storage_id: str | None = None
    webhook: str | None = attrs.field(default=None, repr=False)
    filename: str = ""
    inline: bool = False
    status: JobStatus = "pending"
    error: str | None = None
    started: float | None = None
    finished: float | None = None
    worker: str | None = None
    engine: str = ""
    notes: tuple[str, ...] = ()
    """What the engine could not honour, and what else is worth knowing about the run."""
    asset_id: str | None = None
    size: int | None = None
    process_time: int | None = None
    """Milliseconds."""
    charged_time: int | None = None
    """Milliseconds, full seconds."""
    process_time_cost: float | None = None
    bandwidth_cost: float | None = None

    @property
    def total_cost(self) -> float | None:
        """Cost of the render's time and bytes on a usage plan; None before the end."""
        if self.process_time_cost is None or self.bandwidth_cost is None:
            return None
        return round(self.process_time_cost + self.bandwidth_cost, 6)


@attrs.frozen(kw_only=True)
class StoredFile:
    """One file that the asset origin serves."""

    path: Path
    name: str
    """Last part of its URL."""
    content_type: str
    size: int
    disposition: str


@attrs.frozen(kw_only=True)
class Asset:
    """A product that was kept. Times are seconds since the epoch."""

    id: str
    job_id: str
    created: float
    extension: str
    """Without a dot."""
    content_type: str
    size: int
    file_id: str
    file: StoredFile | None = None
    """None when the product went to the user's own storage."""
    external_url: str | None = attrs.field(default=None, repr=False)
    preview_file_id: str | None = None
    preview: StoredFile | None = None
    preview_extension: str | None = None
    external_preview_url: str | None = attrs.field(default=None, repr=False)
    name: str | None = None
    project_id: str | None = None

    @property
    def kind(self) -> str:
        """``pdf``, ``image``, or the extension of anything else."""
        if self.content_type.startswith("image/"):
            return "image"
        return "pdf" if self.content_type == "application/pdf" else self.extension

    @property
    def stored_bytes(self) -> int:
        """Bytes that this asset takes up here."""
        return sum(file.size for file in (self.file, self.preview) if file is not None)


@attrs.frozen(kw_only=True)
class UserStorage:
    """A bucket of the user's own."""

    id: str
    title: str
    region: str
    bucket: str
    access_key_id: str = attrs.field(repr=False)
    secret_access_key: str = attrs.field(repr=False)
    endpoint: str | None = None
    created: float = 0.0


@attrs.frozen(kw_only=True)
class Delivery:
    """One attempt to deliver a webhook."""

    job_id: str
    url: str = attrs.field(repr=False)
    attempt: int
    started: float
    duration: float
    status: int | None = None
    """The receiver's answer; None when there was none."""
    error: str | None = None
    fault: str | None = None
    """The fault switch that shaped this attempt."""
