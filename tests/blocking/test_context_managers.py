"""`with` blocks: one task enters and leaves, and an exception thrown in comes out unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import pytest
from servers import Service

from cloudlayer_async import Cloudlayer, NotFoundError
from cloudlayer_async.blocking._portal import Portal


class Mine(Exception):
    """An exception of the user's."""


def test_an_exception_thrown_into_a_block(cl: Cloudlayer) -> None:
    thrown = Mine("in the block")
    with pytest.raises(Mine) as caught, cl.attach("7Kq2").stream() as chunks:
        next(chunks)
        raise thrown
    assert caught.value is thrown
    assert caught.value.__context__ is None
    assert cl.get_status().ok


@pytest.mark.parametrize(
    "thrown", [StopIteration, StopAsyncIteration, asyncio.CancelledError, GeneratorExit, SystemExit]
)
def test_exceptions_that_mean_something_to_python(cl: Cloudlayer, thrown: type[BaseException]) -> None:
    stream = cl.attach("7Kq2").stream
    if thrown is StopIteration:  # the standard library's own rule for generators in `with`
        with pytest.raises(StopIteration), stream():
            raise StopIteration
    else:
        with pytest.raises(thrown), stream() as chunks:
            next(chunks)
            raise thrown
    assert cl.get_status().ok


def test_an_error_on_entering(cl: Cloudlayer) -> None:
    with pytest.raises(NotFoundError), cl.attach("unknown").stream():
        pytest.fail("the block is not entered")


def test_blocks_in_blocks(cl: Cloudlayer, service: Service) -> None:
    with cl.attach("7Kq2").stream() as first, cl.attach("7Kq2").stream() as second:
        assert next(first)[:4] == next(second)[:4] == b"%PDF"


async def nothing() -> None:
    """Closes nothing."""


def test_one_task_takes_every_step() -> None:
    """Cancel scopes may not be left by another task than the one that entered them."""
    tasks: set[asyncio.Task[object] | None] = set()

    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            with anyio.CancelScope():
                tasks.add(asyncio.current_task())
                yield number

    @asynccontextmanager
    async def manager() -> AsyncIterator[AsyncIterator[int]]:
        async with anyio.create_task_group():
            tasks.add(asyncio.current_task())
            yield numbers()
            tasks.add(asyncio.current_task())

    portal = Portal(nothing, nothing)
    with portal.enter(manager) as visit:
        assert list(visit.iterate(visit.value)) == [0, 1, 2]
    portal.close()
    assert len(tasks) == 1


def test_a_block_may_swallow_an_exception() -> None:
    @asynccontextmanager
    async def swallowing() -> AsyncIterator[str]:
        with suppress(Mine):
            yield "inside"

    portal = Portal(nothing, nothing)
    with portal.enter(swallowing) as visit:
        assert visit.value == "inside"
        raise Mine
    portal.close()


def test_an_error_on_leaving_replaces_the_one_thrown_in() -> None:
    @asynccontextmanager
    async def failing() -> AsyncIterator[None]:
        try:
            yield
        finally:
            raise Mine("on leaving")

    portal = Portal(nothing, nothing)
    with pytest.raises(Mine, match="on leaving") as caught, portal.enter(failing):
        raise ValueError("thrown in")
    assert isinstance(caught.value.__context__, ValueError)
    portal.close()
