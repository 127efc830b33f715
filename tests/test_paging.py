"""Lists of unknown length over pages of unknown size, from services that know `offset` and services that do not."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlayer_async import Job, JobStatus
from cloudlayer_async.paging import pages


def job(number: int) -> Job:
    return Job(id=str(number), status=JobStatus.SUCCESS)


async def collected(fetch: Any) -> list[str]:
    async with aclosing(pages(fetch)) as items:
        return [item.id async for item in items]


class Service:
    """Newest first; `asked` holds the offsets."""

    def __init__(self, count: int, page: int, *, knows_offset: bool = True) -> None:
        self.jobs = [job(number) for number in range(count)]
        self.page = page
        self.knows_offset = knows_offset
        self.asked: list[int | None] = []

    async def fetch(self, offset: int | None) -> list[Job]:
        self.asked.append(offset)
        start = (offset or 0) if self.knows_offset else 0
        return self.jobs[start : start + self.page]


@given(st.integers(0, 40), st.integers(1, 15), st.booleans())
def test_every_item_comes_once_in_order(count: int, page: int, knows_offset: bool) -> None:
    service = Service(count, page, knows_offset=knows_offset)
    found = asyncio.run(collected(service.fetch))
    reachable = count if knows_offset else min(count, page)
    assert found == [str(number) for number in range(reachable)]
    assert service.asked[0] is None  # the first page as it comes: no parameter that was not asked for
    assert len(service.asked) <= reachable // page + 2
    assert (
        service.asked[1:]
        == [page * number if number * page < count else count for number in range(1, len(service.asked))]
        or not knows_offset
    )


@pytest.mark.asyncio
async def test_items_that_arrive_meanwhile_hide_and_repeat_nothing() -> None:
    service = Service(10, 4)
    found = []
    async with aclosing(pages(service.fetch)) as items:
        async for item in items:
            found.append(item.id)
            if len(found) in (2, 6):
                service.jobs.insert(0, job(100 + len(found)))
    assert len(found) == len(set(found))
    assert {str(number) for number in range(10)} <= set(found)


@pytest.mark.asyncio
async def test_no_page_is_asked_for_before_it_is_needed() -> None:
    service = Service(10, 4)
    async with aclosing(pages(service.fetch)) as items:
        for _ in range(4):
            await anext(items)
        assert service.asked == [None]
        await anext(items)
        assert service.asked == [None, 4]


@pytest.mark.asyncio
async def test_a_repeated_item_within_a_page_comes_once() -> None:
    async def fetch(offset: int | None) -> list[Job]:
        return [job(1), job(1), job(2)] if offset is None else []

    assert await collected(fetch) == ["1", "2"]


@pytest.mark.asyncio
async def test_a_failing_page_is_the_callers_to_see() -> None:
    async def fetch(offset: int | None) -> list[Job]:
        if offset:
            raise ConnectionError("gone")
        return [job(1)]

    items = pages(fetch)
    assert (await anext(items)).id == "1"
    with pytest.raises(ConnectionError):
        await anext(items)


@pytest.mark.asyncio
async def test_a_busy_list_without_pages_is_not_asked_for_ever() -> None:
    asked = 0

    async def fetch(offset: int | None) -> list[Job]:
        nonlocal asked
        asked += 1  # a new job on top each time, and no heed to the offset
        return [job(number) for number in range(asked + 9, asked - 1, -1)]

    found = await collected(fetch)
    assert asked < 10 and len(found) == len(set(found)) >= 10
