"""The account's figures. Pure arithmetic."""

from __future__ import annotations

import math
from collections import Counter

import attrs

from .records import Job
from .settings import Settings

_COST_OF_SECOND = 0.00155
_COST_OF_BYTE = 4.5e-9


@attrs.define(kw_only=True)
class Account:
    """Counts what jobs used. A job that failed costs no credits."""

    settings: Settings
    uid: str = "emulator"
    email: str = "developer@example.org"
    subscription: str = "emulator"
    calls: int = 0
    bytes_total: int = 0
    compute_time: int = 0
    """Milliseconds."""
    spent: float = 0.0
    pending: int = 0
    reserved: int = 0
    """Credits of pending jobs."""
    success: int = 0
    error: int = 0
    by_type: Counter[str] = attrs.field(factory=Counter)

    def accepted(self, job: Job) -> None:
        """Count a new job."""
        self.pending += 1
        self.reserved += job.credits

    def price(self, job: Job, *, seconds: float, size: int) -> None:
        """Write time, size and costs of a successful run into its job."""
        job.size = size
        job.process_time = max(1, round(seconds * 1000))
        job.charged_time = math.ceil(job.process_time / 1000) * 1000
        job.process_time_cost = round(job.charged_time / 1000 * _COST_OF_SECOND, 6)
        job.bandwidth_cost = round(size * _COST_OF_BYTE, 6)

    def finished(self, job: Job) -> None:
        """Count a job that ended."""
        self.pending -= 1
        self.reserved -= job.credits
        self.record(job)

    def record(self, job: Job) -> None:
        """Count an ended job that was not pending here, as after a restart."""
        self.by_type[job.type] += 1
        if job.status == "error":
            self.error += 1
            return
        self.success += 1
        self.calls += job.credits
        self.bytes_total += job.size or 0
        self.compute_time += job.process_time or 0
        self.spent = round(self.spent + (job.total_cost or 0.0), 6)

    @property
    def calls_remaining(self) -> int | None:
        """Credits left on a `limit` plan; None without a limit."""
        if self.settings.plan != "limit" or self.settings.calls_limit < 0:
            return None
        return max(0, self.settings.calls_limit - self.calls)

    @property
    def credit(self) -> float:
        """Balance of a `usage` plan."""
        return round(self.settings.credit - self.spent, 6)

    @property
    def exhausted(self) -> bool:
        """Whether the plan allows no further conversion."""
        if self.settings.plan == "usage":
            return self.credit <= 0
        remaining = self.calls_remaining
        return remaining is not None and remaining <= self.reserved
