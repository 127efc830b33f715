"""What an emulator can be told when it is made. Data only."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import attrs

from .dialects import Dialect

MAX_KEYS = 5
"""The service allows this many keys for an account."""


def made_up_key() -> str:
    """Return a random API key of the service's form."""
    return f"cl-{secrets.token_hex(16)}"


def _check_keys(_: object, __: object, keys: tuple[str, ...]) -> None:
    if not 1 <= len(keys) <= MAX_KEYS:
        raise ValueError(f"An account has 1 to {MAX_KEYS} API keys, not {len(keys)}.")
    if any(not key.strip() or not key.isascii() or key != key.strip() for key in keys):
        raise ValueError("An API key is ASCII text without space around it.")


@attrs.frozen(kw_only=True)
class Settings:
    """The account and the limits that the emulator plays. Durations are seconds, sizes are bytes."""

    host: str = "127.0.0.1"
    port: int = 0
    asset_port: int = 0
    api_keys: tuple[str, ...] = attrs.field(validator=_check_keys, repr=False, factory=lambda: (made_up_key(),))
    dialect: Dialect = attrs.field(factory=Dialect)
    plan: Literal["limit", "usage"] = attrs.field(default="limit", validator=attrs.validators.in_(("limit", "usage")))
    calls_limit: int = 1_000_000
    """Credits of a `limit` plan; -1 for no limit."""
    credit: float = 10_000.0
    """Opening balance of a `usage` plan."""
    user_storage: bool = True
    """Whether the plan allows storage of the user's own."""
    rate_limit: int | None = None
    """Requests a minute for each key; None switches the limit off."""
    asset_ttl: float | None = 3600.0
    """How long an asset's URL works; None for as long as the asset exists."""
    workers: int = 2
    """Renders at the same time."""
    directory: Path | None = None
    """Where jobs and assets outlive the process; None keeps them in memory and a temporary directory."""
    max_bytes: int | None = 1024**3
    """Asset bytes kept; the oldest assets go first. The default fits the 32-bit integers of some SDKs."""
    max_age: float | None = None
    """How long finished jobs and their assets are kept; None for no limit."""
    max_jobs: int = 50_000
    """Job records kept; the oldest finished ones go first."""
    max_json: int = 10 * 1024**2
    max_upload: int = 256 * 1024**2
    webhook_timeout: float = 10.0
    webhook_attempts: int = 1
    """Deliveries tried for one event; the service documents no retries."""
    webhook_backoff: float = 1.0
    """Wait before the second delivery; doubled for each further one."""
    seed: int = 0
    """Of the fault switches' random numbers."""
    templates: Mapping[str, str] = attrs.field(factory=dict)
    """The account's own templates: id (of the form ``u-...``) to source."""
