"""What the page is told, as JSON data. No key, no signed address and no path of a webhook is in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

from ..dialects import Dialect
from ..records import Asset, Delivery, Job
from ..service import Service
from .limits import engine_limits

_QUERY = re.compile(r"(://[^\s\"'<>)?#]*[?#])[^\s\"'<>)]+")


def overview(service: Service) -> dict[str, Any]:
    """Return what holds for the emulator as a whole, and its counters."""
    engine = service.runner.engine_name
    account, settings = service.account, service.settings
    return {
        "baseUrl": service.shapes.base_url,
        "engine": engine,
        "limits": engine_limits(engine),
        "dialect": _dialect(service.dialect),
        "plan": settings.plan,
        "account": {
            "credits used": account.calls,
            "credits left": account.calls_remaining,
            "pending": account.pending,
            "succeeded": account.success,
            "failed": account.error,
            "bytes produced": account.bytes_total,
            "compute time, ms": account.compute_time,
            "bytes stored": service.store.asset_bytes,
            "spent": account.spent if settings.plan == "usage" else None,
        },
        "seen": service.seen.as_json(),
        "storage": [{"title": storage.title, "bucket": storage.bucket} for storage in service.store.storages.values()],
    }


def job_row(service: Service, job: Job) -> dict[str, Any]:
    """Return what the list of jobs shows. Times are seconds since the epoch."""
    kind, has_preview = _document(service, job)
    return {
        "id": job.id,
        "type": job.type,
        "name": job.name,
        "status": job.status,
        "version": job.version,
        "created": job.created,
        "started": job.started,
        "finished": job.finished,
        "credits": job.credits if job.status == "success" else None,
        "cost": job.total_cost,
        "size": job.size,
        "processTime": job.process_time,
        "error": _without_queries(job.error),
        "notes": len(job.notes),
        "document": kind,
        "preview": has_preview,
    }


def job_detail(service: Service, job: Job) -> dict[str, Any]:
    """Return everything about one job."""
    return {
        **job_row(service, job),
        "worker": job.worker,
        "engine": job.engine,
        "notes": _without_queries(job.notes),
        "params": _without_queries(job.params),
        "storage": job.storage,
        "projectId": job.project_id,
        "filename": job.filename or None,
        "chargedTime": job.charged_time,
        "processTimeCost": job.process_time_cost,
        "bandwidthCost": job.bandwidth_cost,
        "assetId": job.asset_id,
        "deliveries": [_delivery(delivery) for delivery in service.store.deliveries if delivery.job_id == job.id],
    }


def asset_row(asset: Asset) -> dict[str, Any]:
    """Return what the list of assets shows."""
    return {
        "id": asset.id,
        "jobId": asset.job_id,
        "name": asset.name,
        "created": asset.created,
        "extension": asset.extension,
        "kind": document_kind(asset.content_type),
        "size": asset.size,
        "preview": asset.preview is not None,
        "here": asset.file is not None,
    }


def delivery_rows(service: Service, limit: int) -> list[dict[str, Any]]:
    """Return the newest webhook deliveries, the newest first."""
    newest = list(service.store.deliveries)[-limit:]
    return [_delivery(delivery) for delivery in reversed(newest)]


def document_kind(content_type: str) -> str:
    """Return how a product can be shown: ``pdf``, ``image``, ``html``, or ``file`` when it cannot."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("image/png", "image/jpeg", "image/webp"):
        return "image"
    return {"application/pdf": "pdf", "text/html": "html"}.get(kind, "file")


def _document(service: Service, job: Job) -> tuple[str | None, bool]:
    asset = service.asset_of(job)
    if asset is not None and asset.file is not None:
        return document_kind(asset.content_type), asset.preview is not None
    product = service.recent.get(job.id)
    return (None, False) if product is None else (document_kind(product.content_type), product.preview is not None)


def _delivery(delivery: Delivery) -> dict[str, Any]:
    parts = urlsplit(delivery.url)
    return {
        "jobId": delivery.job_id,
        # The path of a webhook is often its only protection.
        "to": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/...",
        "attempt": delivery.attempt,
        "started": delivery.started,
        "duration": delivery.duration,
        "status": delivery.status,
        "error": delivery.error,
        "fault": delivery.fault,
    }


def _without_queries(value: Any) -> Any:
    """Cut the queries and fragments off addresses: those of assets carry signatures, those of others may hold keys."""
    if isinstance(value, Mapping):
        return {key: _without_queries(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_without_queries(member) for member in value]
    return _QUERY.sub(r"\1...", value) if isinstance(value, str) else value


def _dialect(dialect: Dialect) -> dict[str, Any]:
    """Return the shapes that are not the default ones."""
    usual = Dialect()
    changed = attrs.asdict(
        dialect, recurse=False, filter=lambda attribute, value: value != getattr(usual, attribute.name)
    )
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in changed.items()}
