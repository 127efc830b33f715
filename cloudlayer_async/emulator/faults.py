"""Faults on demand: what can go wrong, and the board where they are switched on. No I/O here."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Mapping
from email.utils import formatdate
from itertools import count
from random import Random
from typing import Any, Final, Literal, get_args

import attrs

from .endpoints import ENDPOINTS
from .events import EventFeed

Kind = Literal[
    "latency",
    "status",
    "reset",
    "truncate",
    "slow",
    "content-type",
    "expire",
    "stuck",
    "webhook-drop",
    "webhook-duplicate",
    "webhook-late",
]

REQUEST_KINDS: frozenset[Kind] = frozenset({"latency", "status", "reset", "truncate", "slow", "content-type"})
WEBHOOK_KINDS: frozenset[Kind] = frozenset({"webhook-drop", "webhook-duplicate", "webhook-late"})
BODY_KINDS: frozenset[Kind] = frozenset({"truncate", "slow"})

PLACES: frozenset[str] = frozenset(
    {
        *("*", "conversions", "reads", "storage", "assets", "webhooks", "v1", "v2"),
        *(endpoint.job_type for endpoint in ENDPOINTS),
        *(f"POST {endpoint.path}" for endpoint in ENDPOINTS),
        *(f"GET {endpoint.path}" for endpoint in ENDPOINTS if endpoint.takes_get),
        *("GET jobs", "GET jobs/{id}", "GET assets", "GET assets/{id}", "GET asset", "GET account", "GET getStatus"),
        *("POST storage", "GET storage", "DELETE storage", "GET storage/{id}", "DELETE storage/{id}"),
        *("GET templates", "GET template/{id}"),
    }
)
"""Where faults can strike; see `Fault.on`."""

HEADER = "X-Emulator-Fault"


_REPLACING: Final = ("status", "reset")
"""Kinds that take the reply's place: one request can have one of them."""


def _at_least(minimum: float) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
        if value is not None and (not math.isfinite(value) or value < minimum):
            raise ValueError(f"{attribute.name} must be a number and at least {minimum:g}")

    return check


def _share(_: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{attribute.name} must be between 0 and 1")


def _one_of(*words: str) -> Any:
    def check(_: object, attribute: attrs.Attribute[Any], value: str) -> None:
        if value not in words:
            raise ValueError(f"{attribute.name} must be one of {', '.join(words)}, not {value!r}")

    return check


def _place(_: object, __: object, value: str) -> None:
    # A fault in a place that does not exist would never strike, and the test that relies on it would prove nothing.
    if value not in PLACES:
        raise ValueError(f"on must be one of {', '.join(sorted(PLACES))}, not {value!r}")


def _status(_: object, __: object, value: int) -> None:
    if not 400 <= value <= 599:
        raise ValueError("status must be between 400 and 599")


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a number") from None


def _whole(value: Any) -> int:
    number = _number(value)
    if not number.is_integer():
        raise ValueError(f"{value!r} is not a whole number")
    return int(number)


@attrs.frozen(kw_only=True)
class Fault:
    """One thing that goes wrong.

    ========================  ==============================================================================
    kind                      what happens
    ========================  ==============================================================================
    ``latency``               the reply waits `seconds`, before the request is looked at or `when="after"`
    ``status``                an error reply with `status`, and Retry-After when `retry_after` is given
    ``reset``                 the connection is reset; `when="after"`: once the request was accepted
    ``truncate``              the reply ends early, after the share `at` of its body
    ``slow``                  the reply's body takes `seconds`
    ``content-type``          the reply says it is `content_type`
    ``expire``                an asset's URL is refused with 403
    ``stuck``                 an accepted job stays pending for `seconds`, or for ever
    ``webhook-drop``          a webhook is not delivered
    ``webhook-duplicate``     a webhook is delivered twice
    ``webhook-late``          a webhook is delivered `seconds` late
    ========================  ==============================================================================
    """

    kind: Kind = attrs.field(validator=_one_of(*get_args(Kind)))
    on: str = attrs.field(default="*", validator=_place)
    """Where: ``*``, a group (``conversions``, ``reads``, ``storage``, ``assets``, ``webhooks``), a route such as
    ``POST html/pdf`` or ``GET jobs/{id}``, a version (``v1``), or a job type (``html-pdf``)."""
    count: int | None = attrs.field(default=None, converter=attrs.converters.optional(_whole), validator=_at_least(1))
    """How often it strikes before it is gone; None for as long as it is on."""
    probability: float = attrs.field(default=1.0, converter=_number, validator=_share)
    when: Literal["before", "after"] = attrs.field(default="before", validator=_one_of("before", "after"))
    """Before or after the request was handled, for ``latency``, ``status`` and ``reset``."""
    status: int = attrs.field(default=500, converter=_whole, validator=_status)
    retry_after: float | None = attrs.field(
        default=None, converter=attrs.converters.optional(_number), validator=_at_least(0)
    )
    """Seconds."""
    retry_after_form: Literal["seconds", "date"] = attrs.field(default="seconds", validator=_one_of("seconds", "date"))
    seconds: float | None = attrs.field(
        default=None, converter=attrs.converters.optional(_number), validator=_at_least(0)
    )
    at: float = attrs.field(default=0.5, converter=_number, validator=_share)
    content_type: str = attrs.field(
        default="text/html", validator=attrs.validators.matches_re(r"[\w.+*-]+/[\w.+*; =-]+")
    )

    def __attrs_post_init__(self) -> None:
        if self.kind in ("latency", "slow", "webhook-late") and self.seconds is None:
            raise ValueError(f"A {self.kind} fault needs seconds")

    def retry_after_header(self) -> str | None:
        """Return the Retry-After of this fault's reply, or None."""
        if self.retry_after is None:
            return None
        if self.retry_after_form == "date":
            return formatdate(math.ceil(time.time() + self.retry_after), usegmt=True)
        return str(math.ceil(self.retry_after))

    def as_json(self) -> dict[str, Any]:
        """Return what was set, as JSON data."""
        return attrs.asdict(
            self, filter=lambda attribute, value: attribute.name == "kind" or value != attribute.default
        )


def fault_from_json(raw: Mapping[str, Any]) -> Fault:
    """Make a fault of a JSON object.

    Raises:
        ValueError: A member is unknown or has a wrong value.
    """
    known = {attribute.name for attribute in attrs.fields(Fault)}
    if "kind" not in raw:
        raise ValueError("A fault needs a kind")
    for name, value in raw.items():
        if name not in known:
            raise ValueError(f"A fault has no {name!r}; it has {', '.join(sorted(known))}")
        if isinstance(value, bool) or not isinstance(value, str | int | float | None):
            raise ValueError(f"{name} has a wrong type")
    return Fault(**raw)


def faults_from_header(text: str) -> list[Fault]:
    """Read the faults of one request: ``kind; field=value; field=value``, several separated by commas.

    Raises:
        ValueError: The text cannot be read.
    """
    faults = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        kind, *fields = (field.strip() for field in part.split(";"))
        members = dict(field.split("=", 1) for field in fields if "=" in field)
        faults.append(fault_from_json({"kind": kind, **{name.strip(): value for name, value in members.items()}}))
    return faults


@attrs.define(kw_only=True)
class ActiveFault:
    """A fault that is switched on."""

    id: str
    fault: Fault
    hits: int = 0
    """How often it struck."""

    @property
    def spent(self) -> bool:
        """Whether it struck as often as it was to."""
        return self.fault.count is not None and self.hits >= self.fault.count


class FaultBoard:
    """The faults that are on. Chances are drawn from a seeded source, so that a run can be repeated."""

    def __init__(self, *, seed: int, feed: EventFeed) -> None:
        self._random = Random(seed)
        self._feed = feed
        self._active: dict[str, ActiveFault] = {}
        self._ids = count(1)
        self.struck: dict[str, int] = {}
        """How often each kind struck, spent and removed ones included."""

    def add(self, kind: Kind, **fields: Any) -> str:
        """Switch a fault on.

        Args:
            kind: See `Fault`.
            **fields: The other fields of `Fault`.

        Returns:
            Its id, for `remove`.

        Raises:
            ValueError: A field is unknown or has a wrong value.
        """
        return self.switch_on(fault_from_json({"kind": kind, **fields}))

    def switch_on(self, fault: Fault) -> str:
        """Switch a ready-made fault on; return its id."""
        id_ = f"f{next(self._ids)}"
        self._active[id_] = ActiveFault(id=id_, fault=fault)
        self._feed.publish("fault", id_)
        return id_

    def remove(self, id_: str) -> bool:
        """Switch a fault off; tell whether it was on."""
        found = self._active.pop(id_, None) is not None
        if found:
            self._feed.publish("fault", id_)
        return found

    def clear(self) -> None:
        """Switch everything off."""
        for id_ in list(self._active):
            self.remove(id_)

    @property
    def active(self) -> tuple[ActiveFault, ...]:
        """What is on now, in the order in which it was switched on."""
        return tuple(self._active.values())

    def pick(self, kinds: Collection[Kind], names: Collection[str], extra: Iterable[Fault] = ()) -> list[Fault]:
        """Return the faults that strike now, and count them. Of those that take the reply's place only the first strikes.

        Args:
            kinds: The kinds that can strike at this place.
            names: What this place is called; see `Fault.on`.
            extra: Faults of this one request, beside those on the board; where they strike is not asked.
        """
        striking = [
            fault
            for fault in extra
            if fault.kind in kinds and (fault.probability >= 1 or self._random.random() < fault.probability)
        ]
        for active in list(self._active.values()):
            fault = active.fault
            if fault.kind not in kinds or not (fault.on == "*" or fault.on in names):
                continue
            if fault.kind in _REPLACING and any(other.kind in _REPLACING for other in striking):
                continue  # its turn comes with another request
            if fault.probability < 1 and self._random.random() >= fault.probability:
                continue
            active.hits += 1
            striking.append(fault)
            if active.spent:
                self.remove(active.id)
            else:
                self._feed.publish("fault", active.id)
        for fault in striking:
            self.struck[fault.kind] = self.struck.get(fault.kind, 0) + 1
        return striking
