"""Patience: how long the phases of a call may take, what may be repeated, and after how long. Pure.

The rule behind it is the design's first: a submission is repeated only where nothing can have been accepted. The service
has no idempotency key (contract section 1), so everything else that goes wrong after bytes left is ambiguous.
"""

from __future__ import annotations

import enum
import math
import sys
from datetime import timedelta
from typing import Any, Final

import attrs

from .errors import ConfigError
from .redaction import shown

_BACKOFF_BASE: Final = 0.5
_BACKOFF_CAP: Final = 8.0


def _seconds(*, zero: bool = False, endless: bool = False) -> Any:
    def check(instance: Any, field: attrs.Attribute[Any], value: Any) -> None:
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not value >= 0  # NaN is neither above nor below
            or (value == 0 and not zero)
            or (value > sys.float_info.max and not (endless and value == math.inf))
        ):
            allowed = f"a number of seconds {'from' if zero else 'above'} 0{', math.inf included' if endless else ''}"
            raise ConfigError(f"{type(instance).__name__}.{field.name} must be {allowed}, not {shown(value)}")

    return check


def _plain(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _at_least_one(instance: Any, field: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{type(instance).__name__}.{field.name} must be an int of at least 1, not {shown(value)}")


def _flag(instance: Any, field: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{type(instance).__name__}.{field.name} must be True or False, not {shown(value)}")


@attrs.frozen
class Timeouts:
    """How long the phases of a call may take, in seconds (`float` or `timedelta`)."""

    connect: float = attrs.field(default=10.0, converter=_plain, validator=_seconds())
    """Until a connection stands."""
    read: float = attrs.field(default=60.0, converter=_plain, validator=_seconds())
    """Until a reply comes, and between its pieces. A synchronous rendering is given its own `timeout` + `delay` on top."""
    job: float = attrs.field(default=600.0, converter=_plain, validator=_seconds(endless=True))
    """Until a job has ended, where a wait is given no timeout of its own; `math.inf` waits for ever."""


@attrs.frozen
class RetryPolicy:
    """How often, and for how long, a call may be repeated.

    What may be repeated at all is not up to the policy, with one exception: `resubmit_ambiguous`.
    """

    attempts: int = attrs.field(default=4, validator=_at_least_one)
    """Tries of one call, the first included; 1 means never to repeat."""
    budget: float = attrs.field(default=60.0, converter=_plain, validator=_seconds(zero=True, endless=True))
    """Seconds since the first try after which no further one begins."""
    max_retry_after: float = attrs.field(default=60.0, converter=_plain, validator=_seconds(zero=True, endless=True))
    """The longest `Retry-After` that is waited for, in seconds. Beyond it the call fails at once: a shortened wait would
    only be refused again."""
    resubmit_ambiguous: bool = attrs.field(default=False, validator=_flag)
    """Send a conversion again even where the first may have been accepted. **You may pay twice.**"""


class Fault(enum.Enum):
    """What went wrong with one attempt, as far as repeating it goes."""

    NOT_SENT = "nothing left this machine"
    REFUSED = "refused by 429, or by 503 with Retry-After: nothing was accepted"
    UNKNOWN = "it left, and what became of it is unknown: 5xx, a timeout or a broken connection"
    FINAL = "an answer that repeating would not change"


def wait_before_repeat(
    policy: RetryPolicy,
    fault: Fault,
    *,
    is_read: bool,
    attempt: int,
    elapsed: float,
    retry_after: float | None,
    random: float,
) -> float | None:
    """Seconds to wait before the call is tried again, or None when it must not be.

    Without `Retry-After` it is exponential backoff with full jitter (0.5 s doubling up to 8 s, times a random share),
    which spreads clients that failed together best (M. Brooker, "Exponential Backoff And Jitter", 2015).

    Args:
        policy: The caller's limits.
        fault: What went wrong.
        is_read: Whether the call changes nothing, so that repeating it costs nothing.
        attempt: The number of the attempt that failed, from 1.
        elapsed: Seconds since the first attempt began.
        retry_after: What the reply asked for, in seconds.
        random: A number from 0 to 1.
    """
    repeatable = (
        fault in (Fault.NOT_SENT, Fault.REFUSED) or is_read or policy.resubmit_ambiguous
    ) and fault is not Fault.FINAL
    if not repeatable or attempt >= policy.attempts:
        return None
    if retry_after is not None:
        if retry_after > policy.max_retry_after:
            return None
        wait = retry_after
    else:
        wait = random * min(_BACKOFF_CAP, _BACKOFF_BASE * 2 ** min(attempt - 1, 16))
    return wait if elapsed + wait <= policy.budget else None
