"""A directory that lets jobs and assets outlive the process: a small JSON file for each record. Blocking calls only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from .lock import DirectoryLock
from .records import Asset, Job, StoredFile

INTERRUPTED = "The emulator was stopped while this job was pending."


class Archive:
    """Job and asset records in a directory, which nobody else uses meanwhile.

    Storage configurations are not kept: they hold secrets.

    Raises:
        OSError: The directory cannot be made, or another emulator uses it.
    """

    def __init__(self, directory: Path) -> None:
        self.files = directory / "files"
        self._jobs = directory / "jobs"
        self._assets = directory / "assets"
        for folder in (self.files, self._jobs, self._assets):
            folder.mkdir(parents=True, exist_ok=True)
        self._lock = DirectoryLock(directory)

    def close(self) -> None:
        """Let another emulator have the directory."""
        self._lock.release()

    def load(self) -> tuple[list[Job], list[Asset]]:
        """Read everything back, oldest first. Pending jobs have failed; assets without their file are left out."""
        jobs = [Job(**{**raw, "notes": tuple(raw["notes"])}) for raw in _read(self._jobs)]
        for job in jobs:
            if job.status == "pending":
                job.status = "error"
                job.error = INTERRUPTED
                job.finished = job.created
        assets = [self._asset(raw) for raw in _read(self._assets)]
        whole = [asset for asset in assets if asset.file is None or asset.file.path.is_file()]
        return sorted(jobs, key=lambda job: job.created), sorted(whole, key=lambda asset: asset.created)

    def save_job(self, job: Job) -> None:
        """Write a job's record, without the address of its webhook, which may be secret and is not needed again."""
        _write(self._jobs / f"{job.id}.json", {**attrs.asdict(job), "webhook": None})

    def save_asset(self, asset: Asset) -> None:
        """Write an asset's record; its files are in `files` already."""
        _write(self._assets / f"{asset.id}.json", attrs.asdict(asset, value_serializer=_plain))

    def delete_job(self, job_id: str) -> None:
        """Forget a job."""
        (self._jobs / f"{job_id}.json").unlink(missing_ok=True)

    def delete_asset(self, asset_id: str) -> None:
        """Forget an asset's record."""
        (self._assets / f"{asset_id}.json").unlink(missing_ok=True)

    def _asset(self, raw: Mapping[str, Any]) -> Asset:
        return Asset(**{**raw, "file": self._file(raw["file"]), "preview": self._file(raw["preview"])})

    def _file(self, raw: Mapping[str, Any] | None) -> StoredFile | None:
        # Only the name is kept, so that the directory can be moved.
        return None if raw is None else StoredFile(**{**raw, "path": self.files / raw["path"]})


def _plain(_: object, __: object, value: Any) -> Any:
    return value.name if isinstance(value, Path) else value


def _read(folder: Path) -> Iterator[dict[str, Any]]:
    for path in folder.glob("*.json"):
        yield json.loads(path.read_text(encoding="utf-8"))


def _write(path: Path, record: Mapping[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(record), encoding="utf-8")
    part.replace(path)
