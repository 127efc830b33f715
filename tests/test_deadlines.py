"""Time limits that share one timer, in virtual time."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import clock, run

from cloudlayer_async.deadlines import Deadlines


async def wait(deadlines: Deadlines, seconds: float, limit: float) -> float | None:
    """When the limit ended a wait of so many seconds; None when it did not."""
    try:
        with deadlines.within(limit):
            await asyncio.sleep(seconds)
    except TimeoutError:
        return clock()
    return None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100)), max_size=20))
def test_each_limit_ends_its_own_wait_and_at_its_moment(waits: list[tuple[float, float, float]]) -> None:
    async def one(deadlines: Deadlines, start: float, seconds: float, limit: float) -> tuple[float, float | None]:
        await asyncio.sleep(start)
        began = clock()
        return began, await wait(deadlines, seconds, limit)

    async def main() -> None:
        deadlines = Deadlines(asyncio.get_running_loop())
        found = await asyncio.gather(*(one(deadlines, *each) for each in waits))
        for (_, seconds, limit), (began, ended) in zip(waits, found, strict=True):
            if abs(seconds - limit) < 1e-6:
                continue  # either may come first
            assert (ended is None) == (seconds < limit)
            assert ended is None or ended == pytest.approx(began + limit)
        assert not deadlines.running

    run(main())


def test_calls_that_end_in_time_set_one_timer() -> None:
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        deadlines = Deadlines(loop)
        timers: list[float] = []
        call_at = loop.call_at
        loop.call_at = lambda when, *args, **options: (timers.append(when), call_at(when, *args, **options))[1]
        for _ in range(1_000):
            with deadlines.within(70):
                await asyncio.sleep(0)
        assert len(timers) == 1
        assert not deadlines.running

    run(main())


def test_an_earlier_limit_is_not_kept_waiting_by_a_later_one() -> None:
    async def main() -> None:
        deadlines = Deadlines(asyncio.get_running_loop())
        start = clock()
        late = asyncio.create_task(wait(deadlines, 100, 60))
        await asyncio.sleep(1)
        assert await wait(deadlines, 100, 5) == pytest.approx(start + 6)
        assert await late == pytest.approx(start + 60)

    run(main())


def test_no_limit_and_limits_after_closing() -> None:
    async def main() -> None:
        deadlines = Deadlines(asyncio.get_running_loop())
        assert await wait(deadlines, 1e6, math.inf) is None
        deadlines.close()
        deadlines.close()
        assert await wait(deadlines, 10, 3) is not None

    run(main())


def test_one_limit_counts_through_several_blocks() -> None:
    async def main() -> None:
        deadlines = Deadlines(asyncio.get_running_loop())
        limit = deadlines.within(5)
        start = clock()
        with limit:
            await asyncio.sleep(3)
        await asyncio.sleep(1)  # between the blocks it ends nothing
        with pytest.raises(TimeoutError), limit:
            await asyncio.sleep(3)
        assert clock() == pytest.approx(start + 5)
        task = asyncio.current_task()
        assert task is not None and not task.cancelling()

    run(main())


@pytest.mark.parametrize("limit_first", [True, False])
def test_a_cancellation_that_came_as_well_goes_on_as_what_it_is(limit_first: bool) -> None:
    async def main() -> None:
        deadlines = Deadlines(asyncio.get_running_loop())
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(wait(deadlines, 100, 5))
        await asyncio.sleep(0)
        # In one turn of the loop, in either order.
        loop.call_at(clock() + (5 if limit_first else 5 - 1e-12), task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    run(main())


def test_an_error_of_the_body_passes_unchanged() -> None:
    async def main() -> None:
        deadlines = Deadlines(asyncio.get_running_loop())
        with pytest.raises(ZeroDivisionError), deadlines.within(5):
            _ = 1 / 0
        assert not deadlines.running

    run(main())


def test_ten_thousand_limits_end_in_order() -> None:
    async def main() -> None:
        deadlines = Deadlines(asyncio.get_running_loop())
        chance = random.Random(1)
        limits = [chance.uniform(1, 50) for _ in range(10_000)]
        start = clock()
        ended = await asyncio.gather(*(wait(deadlines, 100, limit) for limit in limits))
        assert [(when or 0) - start for when in ended] == pytest.approx(limits)

    run(main())
