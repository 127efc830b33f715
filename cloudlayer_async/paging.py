"""Going through a list whose page size, and whether it has pages at all, nobody promises (contract section 6.5)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol, TypeVar


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


_Item = TypeVar("_Item", bound=_HasId)


async def pages(fetch: Callable[[int | None], Awaitable[list[_Item]]]) -> AsyncGenerator[_Item]:
    """Items of all pages, each once: the first page as it comes, then by `offset`, until a page brings nothing new.

    A service that ignores `offset` sends its first page again, which ends it; so does one that had sent everything.

    Args:
        fetch: Gets the page that starts at an offset; None for the first.
    """
    seen: set[str] = set()
    offset: int | None = None
    while True:
        page = await fetch(offset)
        fresh = {item.id: item for item in page if item.id not in seen}
        if not fresh:
            return
        seen.update(fresh)
        for item in fresh.values():
            yield item
        # New items at the top move the rest down, so counting what came is what finds the next ones.
        offset = (offset or 0) + len(page)
