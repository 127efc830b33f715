"""Places given out in order."""

from __future__ import annotations

import asyncio
import random

from virtual_time import run

from cloudlayer_async.gate import Gate


def test_no_more_than_so_many_are_in_and_they_are_served_in_order() -> None:
    async def main() -> None:
        gate, served, inside, most = Gate(3), list[int](), 0, 0

        async def visit(number: int) -> None:
            nonlocal inside, most
            if not gate.take():
                await gate.acquire()
            served.append(number)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(1)
            inside -= 1
            gate.release()

        await asyncio.gather(*map(visit, range(20)))
        assert served == list(range(20))
        assert most == 3
        assert gate.in_use == 0

    run(main())


def test_whoever_comes_does_not_overtake_those_who_wait() -> None:
    async def main() -> None:
        gate = Gate(1)
        assert gate.take()
        waiting = asyncio.create_task(gate.acquire())
        await asyncio.sleep(0)
        gate.release()  # the place is the waiting one's, though it has not run yet
        assert not gate.take()
        await waiting
        gate.release()
        assert gate.take()

    run(main())


def test_cancelled_visitors_keep_no_place() -> None:
    async def main() -> None:
        chance = random.Random(3)
        gate = Gate(5)

        async def visit() -> None:
            await gate.acquire()
            try:
                await asyncio.sleep(chance.random())
            finally:
                gate.release()

        for _ in range(50):
            visits = [asyncio.create_task(visit()) for _ in range(30)]
            await asyncio.sleep(chance.random() * 3)
            for task in chance.sample(visits, 20):
                task.cancel()
            await asyncio.gather(*visits, return_exceptions=True)
            assert gate.in_use == 0
            assert all(gate.take() for _ in range(5))
            assert not gate.take()
            for _ in range(5):
                gate.release()

    run(main())


def test_cancelled_in_the_moment_of_being_served() -> None:
    async def main() -> None:
        gate = Gate(1)
        assert gate.take()
        first = asyncio.create_task(gate.acquire())
        second = asyncio.create_task(gate.acquire())
        await asyncio.sleep(0)
        gate.release()
        first.cancel()  # it has its place, and does not know yet
        await asyncio.gather(first, return_exceptions=True)
        await asyncio.wait_for(second, 1)
        assert gate.in_use == 1

    run(main())
