"""Going through a list whose page size, and whether it has pages at all, nobody promises (contract section 6.5)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, Protocol, TypeVar

_MOST_WITHOUT_OLDER: Final = 5


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


_Item = TypeVar("_Item", bound=_HasId)


async def pages(fetch: Callable[[int | None], Awaitable[list[_Item]]]) -> AsyncGenerator[_Item]:
    """Items of all pages, each once: the first page as it comes, then by `offset`, until a page brings nothing new.

    A service that ignores `offset` sends its first page again, which ends it; so does one that had sent everything. Items
    that have come on top meanwhile are given, and lead no further: pages that bring nothing older end it as well.

    Args:
        fetch: Gets the page that starts at an offset; None for the first.
    """
    seen: set[str] = set()
    without_older = 0
    offset: int | None = None
    while True:
        page = await fetch(offset)
        last_known = max((place for place, item in enumerate(page) if item.id in seen), default=-1)
        fresh = {item.id: item for item in page if item.id not in seen}
        without_older = 0 if last_known < len(page) - 1 else without_older + 1
        if not fresh or without_older == _MOST_WITHOUT_OLDER:
            return
        seen.update(fresh)
        for item in fresh.values():
            yield item
        # New items at the top move the rest down, so counting what came is what finds the next ones.
        offset = (offset or 0) + len(page)
