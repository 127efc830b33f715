"""Inside a running event loop, as in a notebook's cell: it works, and blocks that loop meanwhile."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest
from servers import Service

from cloudlayer_async import AsyncCloudlayer, Cloudlayer

from .conftest import KEY, Gate, interrupt_when


@pytest.mark.asyncio
async def test_it_works_inside_a_coroutine(cl: Cloudlayer) -> None:
    assert cl.get_status().ok
    conversion = cl.html_to_pdf("<p>x</p>")
    assert len(conversion.result().content) == 1_000_004
    with conversion.stream() as chunks:
        assert sum(len(chunk) for chunk in chunks) == 1_000_004


@pytest.mark.asyncio
async def test_it_blocks_the_loop_it_is_called_in(cl: Cloudlayer, gate: Gate) -> None:
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    asyncio.get_running_loop().run_in_executor(None, lambda: (gate.wait(), gate.open()))
    before = len(ticks)
    cl.get_account()
    assert len(ticks) == before
    ticking.cancel()


@pytest.mark.asyncio
async def test_both_clients_side_by_side(cl: Cloudlayer, service: Service) -> None:
    async with AsyncCloudlayer(KEY, base_url=service.url) as other:
        assert (await other.get_status()).ok
        assert cl.get_status().ok
        assert (await other.get_status()).ok


def test_a_loop_in_a_loop_in_ipython(service: Service, no_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real shell runs cells in its event loop when they hold a top-level await."""
    shells = pytest.importorskip("IPython.core.interactiveshell", reason="IPython is not installed")
    monkeypatch.setenv("IPYTHONDIR", "/nonexistent")
    shell = shells.InteractiveShell()
    shell.run_cell(
        f"import asyncio\nfrom cloudlayer_async import Cloudlayer\n"
        f"await asyncio.sleep(0)\nasyncio.get_running_loop()\n"
        f"with Cloudlayer({KEY!r}, base_url={service.url!r}) as cl:\n    ok = cl.get_status().ok"
    ).raise_error()
    assert shell.user_ns["ok"] is True


@pytest.mark.asyncio
async def test_ctrl_c_inside_a_loop_reaches_the_call(cl: Cloudlayer, gate: Gate) -> None:
    # asyncio's runner has a handler of its own in place of Python's, as a notebook has not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        pressed = interrupt_when(gate.wait)
        with pytest.raises(KeyboardInterrupt):
            cl.get_account()
        pressed.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert cl.get_status().ok
