"""What is known about the request that is being handled. A context variable works on every version of aiohttp."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar

import attrs

from .faults import Fault


@attrs.define(kw_only=True)
class Visit:
    """One request on its way through the server."""

    key: str = ""
    """Its API key, masked."""
    faults: Sequence[Fault] = ()
    """The faults that it asked for itself."""
    whole_body: bool = False
    """Whether the reply must be in memory, because a fault will shape its body."""


VISIT: ContextVar[Visit] = ContextVar("visit")
