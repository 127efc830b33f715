"""Counters of what the emulator saw, so that a test can prove what a client did and did not send."""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs


@attrs.define(kw_only=True)
class Seen:
    """Counts from the start, or from the last `reset`."""

    requests: Counter[str] = attrs.field(factory=Counter)
    """API requests by route, as in ``POST html/pdf`` or ``GET jobs/{id}``."""
    statuses: Counter[int] = attrs.field(factory=Counter)
    """API replies by status, those that a fault made included; a connection that was reset got none."""
    accepted: int = 0
    """Conversions accepted, whether or not the reply reached the client."""
    accepted_by_name: Counter[str] = attrs.field(factory=Counter)
    """The same by the job's ``name``; jobs without a name are not here."""
    accepted_by_type: Counter[str] = attrs.field(factory=Counter)
    refused: Counter[str] = attrs.field(factory=Counter)
    """Conversions refused by validation, by the field at fault."""
    asset_requests: int = 0
    asset_requests_with_key: int = 0
    """Requests to the asset origin that carried an ``X-API-Key`` header: each is a client's fault."""
    deliveries: int = 0
    """Webhook deliveries attempted."""

    @property
    def submitted_twice(self) -> tuple[str, ...]:
        """Job names accepted more than once."""
        return tuple(name for name, count in self.accepted_by_name.items() if count > 1)

    def accept(self, *, type_: str, name: str | None) -> None:
        """Count an accepted conversion."""
        self.accepted += 1
        self.accepted_by_type[type_] += 1
        if name is not None:
            self.accepted_by_name[name] += 1

    def reset(self) -> None:
        """Start counting anew."""
        for field in attrs.fields(Seen):
            current = getattr(self, field.name)
            setattr(self, field.name, 0 if isinstance(current, int) else type(current)())

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON data."""
        return {
            **attrs.asdict(self, recurse=False),
            "submitted_twice": list(self.submitted_twice),
        }
