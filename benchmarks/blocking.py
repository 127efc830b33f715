"""The blocking client beside httpx, requests and raw aiohttp through a bare portal: what a call takes its caller.

    python benchmarks/blocking.py

One caller, one call after the other, all against the same local server. The clients take turns in short rounds, so that
what else the machine does meets all of them alike. Prints the median call (p50), and the median over the rounds of the
ratio to the bare portal.
"""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeAlias

import aiohttp
import httpx
import requests
from anyio.from_thread import BlockingPortal, start_blocking_portal

from cloudlayer_async import Cloudlayer
from cloudlayer_async.blocking._portal import Portal

sys.path.insert(0, str(Path(__file__).parent))
from server import running

ROUNDS = 40
CALLS = 50
KEY = "cl-benchmark"
HEADERS = {"X-API-Key": KEY}
HTML = "<h1>Hello</h1>" * 20
SIZE = 100 * 1024
OURS, BARE, HTTPX, REQUESTS = "Cloudlayer", "bare portal", "httpx.Client", "requests"

Clients: TypeAlias = dict[str, tuple[Callable[[], object], Callable[[], object]]]
"""By name: `get_status`, and a conversion to PDF."""


def body() -> dict[str, str]:
    """What a conversion sends."""
    return {"html": base64.b64encode(HTML.encode()).decode(), "format": "a4"}


@contextmanager
def bare_portal() -> Iterator[BlockingPortal]:
    """anyio's own portal, over the same kind of loop as the client's."""
    uvloop = importlib.util.find_spec("uvloop") is not None
    with start_blocking_portal(backend_options={"use_uvloop": uvloop}) as portal:
        yield portal


@asynccontextmanager
async def aiohttp_session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session made in the portal's loop."""
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        yield session


@contextmanager
def clients(base_url: str) -> Iterator[Clients]:
    """All of them, open."""
    with ExitStack() as stack:
        portal = stack.enter_context(bare_portal())
        session = stack.enter_context(portal.wrap_async_context_manager(aiohttp_session()))
        ours = stack.enter_context(Cloudlayer(KEY, base_url=base_url, api_version="v1"))
        http = stack.enter_context(httpx.Client(headers=HEADERS, trust_env=False))
        plain = stack.enter_context(requests.Session())
        plain.headers.update(HEADERS)
        plain.trust_env = False
        status_url, pdf_url = f"{base_url}/v1/getStatus", f"{base_url}/v1/html/pdf"

        async def status() -> object:
            async with session.get(status_url) as response:
                return await response.json()

        async def pdf() -> object:
            async with session.post(pdf_url, json=body()) as response:
                return await response.read()

        yield {
            BARE: (lambda: portal.call(status), lambda: portal.call(pdf)),
            OURS: (ours.get_status, lambda: ours.html_to_pdf(HTML, format="a4").result().content),
            HTTPX: (lambda: http.get(status_url).json(), lambda: http.post(pdf_url, json=body()).content),
            REQUESTS: (lambda: plain.get(status_url).json(), lambda: plain.post(pdf_url, json=body()).content),
        }


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def side_by_side(calls: dict[str, Callable[[], object]]) -> dict[str, list[list[float]]]:
    """The seconds of each call, by client and round. The order within a round goes round too."""
    names = list(calls)
    seconds: dict[str, list[list[float]]] = {name: [] for name in names}
    for call in calls.values():
        for _ in range(CALLS):
            call()
    for turn in range(ROUNDS):
        for step in range(len(names)):
            name = names[(turn + step) % len(names)]
            seconds[name].append([timed(calls[name]) for _ in range(CALLS)])
    return seconds


def show(title: str, seconds: dict[str, list[list[float]]]) -> None:
    """A table of medians and ratios."""
    rounds = {name: [statistics.median(calls) for calls in found] for name, found in seconds.items()}
    print(f"\n{title}: p50 of {ROUNDS} rounds of {CALLS} calls")
    for name, medians in rounds.items():
        p50 = statistics.median(second for calls in seconds[name] for second in calls)
        ratio = statistics.median(one / bare for one, bare in zip(medians, rounds[BARE], strict=True))
        print(f"  {name:13} {p50 * 1e6:7.0f} us   {ratio:5.2f} x the bare portal")
    ratio = statistics.median(one / bare for one, bare in zip(rounds[OURS], rounds[BARE], strict=True))
    below = statistics.median(one / other for one, other in zip(rounds[OURS], rounds[HTTPX], strict=True))
    print(f"  bar: {ratio:.2f} x the bare portal (1.15), {below:.2f} x httpx.Client (below 1)")


def crossings() -> None:
    """What it takes to call a coroutine that does nothing, and to be back."""

    async def nothing() -> None:
        pass

    portal = Portal(nothing, nothing)
    with bare_portal() as bare:
        try:
            found = side_by_side({BARE: lambda: bare.call(nothing), OURS: lambda: portal.run(nothing)})
        finally:
            portal.close()
    print("\none crossing, there and back:")
    for name, rounds in found.items():
        print(f"  {name:13} {statistics.median(second for calls in rounds for second in calls) * 1e6:7.1f} us")


def main() -> None:
    """All of it."""
    print(f"loop: {'uvloop' if importlib.util.find_spec('uvloop') else asyncio.new_event_loop().__class__.__name__}")
    with running() as base_url, clients(base_url) as found:
        assert all(pdf() == bytes(SIZE) for _, pdf in found.values())
        show("get_status", side_by_side({name: status for name, (status, _) in found.items()}))
        show(f"PDF of {SIZE // 1024} KB, v1", side_by_side({name: pdf for name, (_, pdf) in found.items()}))
    crossings()


if __name__ == "__main__":
    main()
