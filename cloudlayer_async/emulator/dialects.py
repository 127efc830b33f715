"""The shapes on which the sources about the service disagree, each one a named switch. Data only, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import attrs


@attrs.frozen(kw_only=True)
class Dialect:
    """One reading of every disputed shape. The defaults are what the SDKs and the newest documentation share."""

    status_words: Literal["pending", "queued"] = "pending"
    timestamps: Literal["ms", "s", "iso", "firestore"] = "ms"
    job_id: Literal["id", "jobId", "jobId-in-replies"] = "id"
    """``jobId-in-replies``: `jobId` in replies to conversions and in webhooks, `id` when a job is read."""
    id_style: Literal["token", "digits", "prefixed"] = "token"
    v2_sync: Literal["job", "bytes", "bytes-for-templates"] = "job"
    worker_field: Literal["workerName", "worker"] = "workerName"
    type_separator: Literal["-", "/"] = "-"
    user_field: Literal["uid", "userId"] = "uid"
    self_url: Literal["absolute", "path"] = "absolute"
    account: Literal["2026b", "2024", "2026a"] = "2026b"
    type_counters: bool = False
    compute_time: Literal["ms", "s"] = "ms"
    unlimited: Literal["-1", "empty", "absent"] = "-1"
    sub_active: Literal["bool", "word"] = "bool"
    asset_fields: Literal["full", "minimal", "nulls"] = "full"
    asset_type: Literal["mime", "kind"] = "mime"
    asset_extension: Literal["plain", "dotted"] = "plain"
    asset_urls: Literal["signed", "public"] = "signed"
    batch_forms: frozenset[str] = frozenset({"object", "list"})
    list_default: int | None = 10
    """Entries in a list when no ``limit`` was sent; None gives all."""
    list_paging: bool = True
    """Whether ``limit`` and ``offset`` are looked at."""
    list_wrapper: Literal["", "data", "items", "results", "named"] = ""
    """The key that holds the array of a list; ``named`` is ``jobs`` or ``assets``; empty for a bare array."""
    storage_single: bool = False
    """``GET /storage`` and ``DELETE /storage`` speak of the one configuration there is."""
    storage_create: Literal["detail", "short", "status", "error-200"] = "detail"
    storage_detail: Literal["full", "short"] = "full"
    storage_delete: Literal["status", "empty", "error-200"] = "status"
    storage_strings: bool = False
    """Whether ``"true"`` and ``"false"`` are taken for the ``storage`` option."""
    upload_options: frozenset[str] = frozenset({"flat", "options", "json"})
    data_text: bool = False
    """Whether a template's ``data`` may be JSON in a text."""
    header_methods: frozenset[str] = frozenset({"extract", "text", "template"})
    preview_quality_required: bool = False
    image_types: frozenset[str] = frozenset({"png", "jpg", "jpeg", "webp", "svg"})
    ok_word: Literal["ok", "ok "] = "ok"
    success_codes: Literal["exact", "200"] = "exact"
    error_body: Literal["full", "message", "reason", "error", "list", "text", "html", "empty"] = "full"
    webhook_body: Literal["job", "small"] = "job"
    template_tags: Literal["list", "text"] = "list"
    rate_reset: Literal["seconds", "time"] = "seconds"
    null_fields: bool = False
    """Whether absent fields of jobs and assets are sent as ``null``."""
    extra_fields: bool = False
    """Whether jobs, assets and the account carry fields that nobody documented."""


SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "status-queued": {"status_words": "queued"},
    "timestamp-seconds": {"timestamps": "s"},
    "timestamp-iso": {"timestamps": "iso"},
    "timestamp-firestore": {"timestamps": "firestore"},
    "job-id": {"job_id": "jobId"},
    "job-id-replies": {"job_id": "jobId-in-replies"},
    "ids-digits": {"id_style": "digits"},
    "ids-prefixed": {"id_style": "prefixed"},
    "v2-sync-bytes": {"v2_sync": "bytes"},
    "v2-sync-template-bytes": {"v2_sync": "bytes-for-templates"},
    "worker": {"worker_field": "worker"},
    "type-slash": {"type_separator": "/"},
    "user-id": {"user_field": "userId"},
    "self-path": {"self_url": "path"},
    "account-2024": {"account": "2024"},
    "account-2026a": {"account": "2026a"},
    "account-type-counters": {"type_counters": True},
    "compute-seconds": {"compute_time": "s"},
    "unlimited-empty": {"unlimited": "empty"},
    "unlimited-absent": {"unlimited": "absent"},
    "sub-active-word": {"sub_active": "word"},
    "asset-minimal": {"asset_fields": "minimal"},
    "asset-nulls": {"asset_fields": "nulls"},
    "asset-kind": {"asset_type": "kind"},
    "asset-dotted-ext": {"asset_extension": "dotted"},
    "asset-public-url": {"asset_urls": "public"},
    "batch-object-only": {"batch_forms": frozenset({"object"})},
    "list-25": {"list_default": 25},
    "list-all": {"list_default": None},
    "list-fixed": {"list_paging": False},
    "list-in-data": {"list_wrapper": "data"},
    "list-in-items": {"list_wrapper": "items"},
    "list-in-results": {"list_wrapper": "results"},
    "list-named": {"list_wrapper": "named"},
    "storage-single": {"storage_single": True},
    "storage-create-short": {"storage_create": "short"},
    "storage-create-status": {"storage_create": "status"},
    "storage-create-error-200": {"storage_create": "error-200"},
    "storage-detail-short": {"storage_detail": "short"},
    "storage-delete-empty": {"storage_delete": "empty"},
    "storage-delete-error-200": {"storage_delete": "error-200"},
    "storage-strings": {"storage_strings": True},
    "uploads-flat": {"upload_options": frozenset({"flat"})},
    "uploads-options": {"upload_options": frozenset({"options"})},
    "uploads-json": {"upload_options": frozenset({"json"})},
    "data-text": {"data_text": True},
    "header-method-text": {"header_methods": frozenset({"extract", "text"})},
    "header-method-template": {"header_methods": frozenset({"extract", "template"})},
    "preview-quality-required": {"preview_quality_required": True},
    "image-types-safe": {"image_types": frozenset({"png", "jpg", "webp"})},
    "ok-space": {"ok_word": "ok "},
    "success-200": {"success_codes": "200"},
    "error-message": {"error_body": "message"},
    "error-reason": {"error_body": "reason"},
    "error-only": {"error_body": "error"},
    "error-list": {"error_body": "list"},
    "error-text": {"error_body": "text"},
    "error-html": {"error_body": "html"},
    "error-empty": {"error_body": "empty"},
    "webhook-small": {"webhook_body": "small"},
    "template-tags-text": {"template_tags": "text"},
    "rate-reset-time": {"rate_reset": "time"},
    "null-fields": {"null_fields": True},
    "extra-fields": {"extra_fields": True},
}
"""Every single switch by its name, with what it changes."""

GENERATIONS: Mapping[str, tuple[str, ...]] = {
    "d24": (
        "account-2024",
        "compute-seconds",
        "unlimited-empty",
        "sub-active-word",
        "asset-minimal",
        "asset-kind",
        "asset-public-url",
        "list-fixed",
        "storage-create-status",
        "storage-detail-short",
        "storage-strings",
        "data-text",
        "header-method-text",
        "image-types-safe",
    ),
    "d26a": (
        "status-queued",
        "timestamp-iso",
        "job-id-replies",
        "ids-prefixed",
        "v2-sync-template-bytes",
        "worker",
        "type-slash",
        "account-2026a",
        "asset-minimal",
        "list-25",
        "storage-single",
        "webhook-small",
    ),
    "d26b": ("ids-digits", "list-all", "ok-space", "error-message"),
}
"""Whole generations of the documentation: their switches together."""


def parse(names: str | Iterable[str]) -> Dialect:
    """Make a dialect of switch and generation names; of two that touch the same shape the later one wins.

    Args:
        names: Names one by one, or one text with commas between them. Empty gives the default dialect.

    Raises:
        ValueError: A name is not known; the message lists those that are.
    """
    listed = names.split(",") if isinstance(names, str) else list(names)
    changes: dict[str, Any] = {}
    for name in (text.strip() for text in listed):
        if not name:
            continue
        switches = GENERATIONS.get(name, (name,))
        for switch in switches:
            if switch not in SWITCHES:
                known = ", ".join([*GENERATIONS, *SWITCHES])
                raise ValueError(f"Unknown dialect {switch!r}; known are {known}.")
            changes.update(SWITCHES[switch])
    return Dialect(**changes)
