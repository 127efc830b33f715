"""What makes going on with a batch pointless, and what then still happens to its items."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from ..errors import (
    AuthenticationError,
    BatchStoppedError,
    CloudlayerError,
    ConfigError,
    JournalError,
    RateLimitError,
    ServiceUnavailableError,
)
from .report import BatchReport
from .saving import is_disk_full

_NAMED: Final = 10


class Stop(Exception):
    """Why a batch must not go on, where that is nobody's error.

    Args:
        reason: In words.
        at_once: Nothing can be done for what is under way, either.
    """

    def __init__(self, reason: str, *, at_once: bool = False) -> None:
        super().__init__(reason)
        self.at_once = at_once


class OutOfCredits(Stop):
    """The next conversion would pass `max_credits`. What was let through before is sent all the same."""


class NotSubmitted(Exception):
    """An item that goes no further, because the batch ends; `reason` is what ends it, where the item brought it up."""

    def __init__(self, reason: BaseException | None = None) -> None:
        super().__init__()
        self.reason = reason


def tell_of_jobs(error: BaseException, report: BatchReport) -> None:
    """Puts the report of a batch that was cut short on what comes out of it: the jobs' ids must not be lost with it."""
    open_items = (*report.in_flight, *report.ambiguous_items)
    if isinstance(error, BatchStoppedError) or not (report.accepted or open_items):
        return
    with suppress(AttributeError, TypeError):  # not every exception takes attributes
        error.report = report  # type: ignore[attr-defined]
        error.maybe_billed = True  # type: ignore[attr-defined]
    if open_items:
        named = ", ".join(str(item.job_id or item.name) for item in open_items[:_NAMED])
        more = f" and {len(open_items) - _NAMED:,} more" if len(open_items) > _NAMED else ""
        error.add_note(f"the batch was cut short; these jobs go on at the service: {named}{more} (all are in .report)")


def is_final(cause: BaseException) -> bool:
    """Whether nothing can be done any more, not even for what is under way."""
    if isinstance(cause, Stop):
        return cause.at_once
    return isinstance(cause, (AuthenticationError, ConfigError, JournalError))


def reason_to_stop(error: CloudlayerError, max_retry_after: float) -> BaseException | None:
    """What in an item's error makes it pointless to go on with others."""
    if is_disk_full(error):
        return Stop(f"there is no room for products: {error}")
    if isinstance(error, (RateLimitError, ServiceUnavailableError)) and (error.retry_after or 0.0) > max_retry_after:
        return Stop(str(error), at_once=True)
    return error if is_final(error) else None
