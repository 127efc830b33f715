"""What comes back. Data only: no I/O, nothing that holds a connection.

The service promises little, so every field but an id may be None. What a model does not know, or cannot read, is kept in
`extra` under its wire name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from .options import JSON
from .redaction import without_signature
from .sparse import sparse


class JobStatus(StrEnum):
    """Where a job is. An open enum: a status word we do not know becomes a member-like value that keeps its text."""

    PENDING = "pending"
    SUCCESS = "success"
    ERROR = "error"

    @classmethod
    def _missing_(cls, value: object) -> JobStatus | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = value
        unknown._value_ = value
        return unknown


def _unsigned(url: object) -> str:
    return repr(url if url is None else without_signature(str(url)))


@sparse
@frozen(kw_only=True, slots=False)
class Job:
    """One conversion, as the service shows it. Replies to a submission carry little more than `id` and `status`."""

    id: str
    """Empty when the product came at once and the service made no job."""
    status: JobStatus
    """The service's word, brought to `PENDING`, `SUCCESS` or `ERROR` where it is known."""
    raw_status: str | None = None
    """The service's own word."""
    type: str | None = None
    """Such as ``html-pdf``; a slash in it is read as a hyphen."""
    name: str | None = None
    timestamp: datetime | None = None
    """When the job was made or last changed (the service does not say which); UTC."""
    asset_url: str | None = field(default=None, repr=_unsigned)
    """Where the product is. Pre-authenticated and short-lived: do not log its query string."""
    preview_url: str | None = field(default=None, repr=_unsigned)
    asset_id: str | None = None
    project_id: str | None = None
    uid: str | None = None
    size: int | None = None
    """Bytes."""
    process_time: float | None = None
    """Milliseconds."""
    worker: str | None = None
    params: Mapping[str, JSON] | None = field(default=None, repr=False, hash=False)
    """The request as the service echoes it."""
    error: str | None = None
    self_url: str | None = field(default=None, repr=_unsigned)
    api_key_used: str | None = field(default=None, repr=False)
    """The key, often masked by the service; never shown in our repr."""
    api_credit_cost: float | None = None
    process_time_cost: float | None = None
    bandwidth_cost: float | None = None
    total_cost: float | None = None
    extra: Mapping[str, JSON] = field(factory=dict, repr=False, hash=False)

    @property
    def is_pending(self) -> bool:
        """Not ended yet, as far as we know the word."""
        return self.status == JobStatus.PENDING

    @property
    def is_success(self) -> bool:
        """Ended well."""
        return self.status == JobStatus.SUCCESS

    @property
    def is_error(self) -> bool:
        """Ended badly."""
        return self.status == JobStatus.ERROR


@sparse
@frozen(kw_only=True, slots=False)
class Asset:
    """A stored product."""

    id: str
    uid: str | None = None
    file_id: str | None = None
    preview_file_id: str | None = None
    job_id: str | None = None
    project_id: str | None = None
    name: str | None = None
    type: str | None = None
    """As the service words it: a kind (``pdf``, ``image``) or a MIME type."""
    ext: str | None = None
    """File extension, always without a dot."""
    preview_ext: str | None = None
    """Likewise."""
    size: int | None = None
    """Bytes."""
    timestamp: datetime | None = None
    """UTC."""
    url: str | None = field(default=None, repr=_unsigned)
    """Where its bytes are. Pre-authenticated and short-lived."""
    preview_url: str | None = field(default=None, repr=_unsigned)
    extra: Mapping[str, JSON] = field(factory=dict, repr=False, hash=False)


@frozen(kw_only=True)
class Account:
    """The account's plan and use. A limit of None means no limit (the service says -1, nothing or an empty text)."""

    email: str | None = None
    uid: str | None = None
    subscription: str | None = None
    sub_type: str | None = None
    """``limit`` or ``usage``."""
    sub_active: bool | None = None
    calls: int | None = None
    calls_limit: int | None = None
    bytes_total: int | None = None
    bytes_limit: int | None = None
    compute_time_total: int | None = None
    """Taken to be milliseconds; one source says seconds (contract section 7, row 8)."""
    compute_time_limit: int | None = None
    """Likewise."""
    storage_used: int | None = None
    """Bytes."""
    storage_limit: int | None = None
    """Bytes."""
    credit: float | None = None
    total_jobs: int | None = None
    success_jobs: int | None = None
    error_jobs: int | None = None
    extra: Mapping[str, JSON] = field(factory=dict, repr=False, hash=False)
    """Among others the counters per job type (``"html-pdf": 20``), where the service sends them."""


@frozen(kw_only=True)
class ApiStatus:
    """The answer to "are you there, and is my key good"."""

    status: str
    """The service's word, trimmed."""
    extra: Mapping[str, JSON] = field(factory=dict, repr=False, hash=False)

    @property
    def ok(self) -> bool:
        """Whether the word is ``ok``."""
        return self.status.lower() == "ok"


@frozen(kw_only=True)
class StorageConfig:
    """A bucket of yours that products can be kept in."""

    id: str
    title: str | None = None
    uid: str | None = None
    data: str | None = field(default=None, repr=False)
    """The configuration, encrypted by the service."""
    extra: Mapping[str, JSON] = field(factory=dict, repr=False, hash=False)


@frozen(kw_only=True)
class Template:
    """A template of the gallery."""

    id: str
    template_id: str | None = None
    """The name to use as `template_id` in requests."""
    title: str | None = None
    short_description: str | None = None
    search_keywords: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    category: str | None = None
    type: str | None = None
    """``pdf`` or ``image``."""
    preview_url: str | None = field(default=None, repr=_unsigned)
    example_asset_url: str | None = field(default=None, repr=_unsigned)
    highlights: tuple[str, ...] | None = None
    timestamp: datetime | None = None
    """UTC."""
    project_id: str | None = None
    sample_data: Mapping[str, JSON] | None = field(default=None, repr=False, hash=False)
    author_name: str | None = None
    extra: Mapping[str, JSON] = field(factory=dict, repr=False, hash=False)


@sparse
@frozen(kw_only=True, slots=False)
class ResponseInfo:
    """What a reply's headers say (contract section 5.8)."""

    status: int
    worker: str | None = None
    worker_job_id: str | None = None
    cluster_id: str | None = None
    bandwidth: int | None = None
    """Bytes."""
    process_time: int | None = None
    """Milliseconds."""
    calls_remaining: int | None = None
    """On plans with a limit."""
    charged_time: int | None = None
    """Milliseconds, on usage plans."""
    bandwidth_cost: float | None = None
    process_time_cost: float | None = None
    api_credit_cost: float | None = None
    rate_limit: int | None = None
    """Requests a minute."""
    rate_limit_remaining: int | None = None
    rate_limit_reset: int | None = None
    """As sent: a Unix time or the seconds left (the sources do not agree)."""
    headers: Mapping[str, str] = field(factory=dict, repr=False, hash=False)
    """All headers, names in lower case; the last one wins where a name repeats."""


@frozen(kw_only=True)
class Limits:
    """The rate limit and the calls left, as last seen in any reply."""

    calls_remaining: int | None = None
    rate_limit: int | None = None
    rate_limit_remaining: int | None = None
    rate_limit_reset: int | None = None


@frozen(kw_only=True)
class Attempt:
    """One try of one call: given to `on_attempt`, kept in an error's `history`."""

    request: str
    """Such as ``"POST /v2/html/pdf"``."""
    number: int
    """1 for the first."""
    status: int | None = None
    """The HTTP status, when a reply came."""
    error: str | None = None
    """What went wrong on the way, when no reply came."""
    sent: bool = True
    """Whether the request, or part of it, left this machine."""
    elapsed: float = 0.0
    """Seconds this try took."""
    retry_in: float | None = None
    """Seconds until the next try; None when this was the last."""


MODELS: tuple[type[Any], ...] = (Job, Asset, Account, ApiStatus, StorageConfig, Template)
"""The classes that `from_dict` reads and `to_dict` writes under wire names."""
