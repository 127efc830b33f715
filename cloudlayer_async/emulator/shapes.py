"""Bodies of the replies, in the shapes of one dialect. No I/O here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from .account import Account
from .dialects import Dialect
from .gallery import GalleryTemplate
from .links import Links
from .records import Asset, Job, UserStorage

Purpose = Literal["reply", "read", "webhook"]
"""What a job is shown for: the reply to its conversion, a look at it later, or a webhook."""

_STATUS_WORDS = {"pending": "processing", "success": "completed", "error": "failed"}
_LEFT_OUT_OF_V2_REPLIES = frozenset(
    {"bandwidthCost", "processTime", "processTimeCost", "size", "totalCost", "apiKeyUsed", "type"}
)
_ASSET_MINIMUM = ("id", "jobId", "ext", "type", "size", "timestamp", "url")


class Shapes:
    """Turns records into JSON data."""

    def __init__(self, dialect: Dialect, links: Links, account: Account) -> None:
        self.dialect = dialect
        self._links = links
        self._account = account
        self.base_url = ""
        """Known once the API server listens."""

    def job(self, job: Job, asset: Asset | None, purpose: Purpose = "read") -> dict[str, Any]:
        """Return a job; `asset` is its product, where that is still kept."""
        if purpose == "webhook" and self.dialect.webhook_body == "small":
            return _without_none(
                {
                    "jobId": job.id,
                    "status": self._status(job),
                    "assetUrl": asset and self._links.asset(asset),
                    "timestamp": _iso(job.finished or job.created),
                }
            )
        id_field = "jobId" if self._says_job_id(purpose) else "id"
        path = f"/{job.version}/jobs/{job.id}"
        body: dict[str, Any] = {
            id_field: job.id,
            self.dialect.user_field: self._account.uid,
            "name": job.name,
            "type": job.type.replace("-", self.dialect.type_separator),
            "status": self._status(job),
            "timestamp": self.timestamp(job.created),
            self.dialect.worker_field: job.worker,
            "processTime": job.process_time,
            "apiKeyUsed": job.api_key_used,
            "processTimeCost": job.process_time_cost,
            "apiCreditCost": job.credits if job.status == "success" else None,
            "bandwidthCost": job.bandwidth_cost,
            "totalCost": job.total_cost,
            "size": job.size,
            "params": job.params,
            "assetUrl": asset and self._links.asset(asset),
            "previewUrl": asset and self._links.preview(asset),
            "self": self.base_url + path if self.dialect.self_url == "absolute" else path,
            "assetId": job.asset_id,
            "projectId": job.project_id,
            "error": job.error,
        }
        if purpose == "reply" and job.version == "v2":
            body = {name: value for name, value in body.items() if name not in _LEFT_OUT_OF_V2_REPLIES}
        return self._finished(body)

    def asset(self, asset: Asset) -> dict[str, Any]:
        """Return an asset with a fresh URL."""
        dot = "." if self.dialect.asset_extension == "dotted" else ""
        body: dict[str, Any] = {
            self.dialect.user_field: self._account.uid,
            "id": asset.id,
            "fileId": asset.file_id,
            "previewFileId": asset.preview_file_id,
            "type": asset.content_type.partition(";")[0] if self.dialect.asset_type == "mime" else asset.kind,
            "ext": dot + asset.extension,
            "previewExt": asset.preview_extension and dot + asset.preview_extension,
            "url": self._links.asset(asset),
            "previewUrl": self._links.preview(asset),
            "size": asset.size,
            "timestamp": self.timestamp(asset.created),
            "projectId": asset.project_id,
            "jobId": asset.job_id,
            "name": asset.name,
        }
        if self.dialect.asset_fields == "minimal":
            return {name: body[name] for name in _ASSET_MINIMUM}
        body = self._finished(body)
        if self.dialect.asset_fields == "nulls":
            body.update({self.dialect.user_field: None, "fileId": None})
        return body

    def listing(self, name: str, items: Sequence[Any], *, limit: int | None, offset: int) -> Any:
        """Return a list as the dialect wraps it; `name` is ``jobs`` or ``assets``."""
        wrapper = self.dialect.list_wrapper
        if not wrapper:
            return list(items)
        return {name if wrapper == "named" else wrapper: list(items), "limit": limit, "offset": offset}

    def account(self, stored_bytes: int) -> dict[str, Any]:
        """Return the account's figures."""
        account, settings = self._account, self._account.settings
        body: dict[str, Any]
        if self.dialect.account == "2026a":
            body = {
                "calls": account.calls,
                "subscription": account.subscription,
                "bytesUsed": account.bytes_total,
                "computeTime": account.compute_time,
                "creditBalance": account.credit if settings.plan == "usage" else account.calls_remaining,
                "jobCounts": {
                    "completed": account.success,
                    "failed": account.error,
                    "pending": 0,
                    "processing": account.pending,
                },
            }
        else:
            seconds = self.dialect.compute_time == "s"
            body = {
                "email": account.email,
                "uid": account.uid,
                "subscription": account.subscription,
                "subType": settings.plan,
                "subActive": True if self.dialect.sub_active == "bool" else "active",
                "calls": account.calls,
                "callsLimit": self._limit(settings.calls_limit if settings.plan == "limit" else -1),
                "credit": account.credit if settings.plan == "usage" else None,
                "bytesTotal": account.bytes_total,
                "bytesLimit": self._limit(-1),
                "computeTimeTotal": account.compute_time // 1000 if seconds else account.compute_time,
                "computeTimeLimit": self._limit(-1),
                "storageUsed": stored_bytes,
                "storageLimit": self._limit(settings.max_bytes if settings.max_bytes is not None else -1),
                "totalJobs": account.success + account.error + account.pending,
                "successJobs": account.success,
                "errorJobs": account.error,
            }
            if self.dialect.account == "2024":
                for name in ("email", "callsLimit", "storageUsed", "storageLimit", "credit"):
                    del body[name]
        if self.dialect.type_counters:
            body |= {"credit": account.credit if settings.plan == "usage" else 0, **account.by_type}
        if self.dialect.extra_fields:
            body["somethingNew"] = {"a": 1}
        return _without_none(body)

    def storage_item(self, storage: UserStorage) -> dict[str, Any]:
        """Return a storage configuration as a list has it."""
        return {"id": storage.id, "title": storage.title}

    def storage_detail(self, storage: UserStorage) -> dict[str, Any]:
        """Return one storage configuration; what it holds is never shown."""
        if self.dialect.storage_detail == "short":
            return self.storage_item(storage)
        return {**self.storage_item(storage), "uid": self._account.uid, "data": "U2VhbGVkIGJ5IHRoZSBlbXVsYXRvci4="}

    def storage_created(self, storage: UserStorage) -> dict[str, Any]:
        """Return the reply to a new storage configuration."""
        if self.dialect.storage_create == "status":
            return {"status": "success"}
        return self.storage_item(storage) if self.dialect.storage_create == "short" else self.storage_detail(storage)

    def template(self, template: GalleryTemplate, *, full: bool) -> dict[str, Any]:
        """Return a gallery template, with all it has or as the list shows it."""
        body: dict[str, Any] = {
            "id": template.id,
            "templateId": template.template_id,
            "title": template.title,
            "shortDescription": template.short_description,
            "category": template.category,
            "type": template.type,
        }
        if full:
            # Not in the short form: one SDK reads tags as a list, another as text, and neither forgives the other.
            body |= {
                "tags": list(template.tags) if self.dialect.template_tags == "list" else ",".join(template.tags),
                "searchKeywords": list(template.keywords),
                "highlights": list(template.highlights),
                "timestamp": self.timestamp(template.published),
                "sampleData": template.sample_data,
                "authorName": "gallery",
            }
        return body

    def timestamp(self, seconds: float) -> Any:
        """Return a moment as the dialect writes it."""
        match self.dialect.timestamps:
            case "s":
                return int(seconds)
            case "iso":
                return _iso(seconds)
            case "firestore":
                return {"_seconds": int(seconds), "_nanoseconds": int(seconds % 1 * 1000) * 1_000_000}
            case _:
                return int(seconds * 1000)

    def _status(self, job: Job) -> str:
        if self.dialect.status_words == "pending":
            return job.status
        return "queued" if job.status == "pending" and job.started is None else _STATUS_WORDS[job.status]

    def _says_job_id(self, purpose: Purpose) -> bool:
        if self.dialect.job_id == "jobId-in-replies":
            return purpose != "read"
        return self.dialect.job_id == "jobId"

    def _limit(self, value: int) -> Any:
        if value >= 0 or self.dialect.unlimited == "-1":
            return value
        return "" if self.dialect.unlimited == "empty" else None

    def _finished(self, body: dict[str, Any]) -> dict[str, Any]:
        if self.dialect.extra_fields:
            body["somethingNew"] = {"a": 1}
        return body if self.dialect.null_fields else _without_none(body)


def _without_none(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
