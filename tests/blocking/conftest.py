"""A blocking client, and servers that live in a thread of their own."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from aiohttp import web
from anyio.from_thread import BlockingPortal, start_blocking_portal
from servers import DONE, JOB, RawServer, Service, Step

from cloudlayer_async import Cloudlayer

KEY = "cl-0123456789abcdef-secret"
PATIENCE = 20.0
"""Seconds after which a test that waits in vain fails."""

StartRaw = Callable[..., RawServer]


@pytest.fixture
def servers() -> Iterator[BlockingPortal]:
    """The loop that servers live in; none of the client's."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture
def service(servers: BlockingPortal) -> Iterator[Service]:
    """An API that answers what it is told to, and an origin of assets. It knows a status and one job."""
    with servers.wrap_async_context_manager(Service()) as service:
        service.answers("GET /v2/getStatus", {"status": "ok"})
        service.answers("POST /v2/html/pdf", JOB, status=202)
        url = service.asset("/7Kq2.pdf", b"%PDF" + bytes(1_000_000), content_type="application/pdf")
        service.answers("GET /v2/jobs/7Kq2", DONE | {"assetUrl": url})
        yield service


@pytest.fixture
def start_raw(servers: BlockingPortal) -> Iterator[StartRaw]:
    """A way to start servers that break rules."""
    started: list[Any] = []

    def start(*steps: Step) -> RawServer:
        context = servers.wrap_async_context_manager(RawServer(*steps))
        server = context.__enter__()
        started.append(context)
        return server

    yield start
    for context in started:
        context.__exit__(None, None, None)


@pytest.fixture
def cl(service: Service, no_environment: None) -> Iterator[Cloudlayer]:
    """A blocking client of `service`."""
    with Cloudlayer(KEY, base_url=service.url) as cl:
        yield cl


class Gate:
    """An answer that is not given before the test says so."""

    def __init__(self, servers: BlockingPortal, data: Any) -> None:
        self._arrived = threading.Semaphore(0)
        self._servers = servers
        self._data = data
        self._opened = servers.call(anyio.Event)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Answers, once opened."""
        self._arrived.release()
        await self._opened.wait()
        return web.json_response(self._data)

    def open(self) -> None:
        """Lets answers out, from now on."""
        self._servers.call(self._opened.set)

    def wait(self, requests: int = 1) -> None:
        """Waits for so many requests that were not waited for yet."""
        for _ in range(requests):
            assert self._arrived.acquire(timeout=PATIENCE)


@pytest.fixture
def gate(servers: BlockingPortal, service: Service) -> Iterator[Gate]:
    """`GET /v2/account` answers when told to."""
    gate = Gate(servers, {"email": "a@example.com"})
    service.answers("GET /v2/account", gate)
    yield gate
    gate.open()


def happens(servers: BlockingPortal, event: Awaitable[Any] | Callable[[], Awaitable[Any]]) -> None:
    """Waits for something in the servers' loop."""

    async def wait() -> None:
        with anyio.fail_after(PATIENCE):
            await (event() if callable(event) else event)

    servers.call(wait)


def interrupt_when(wait: Callable[[], object]) -> threading.Thread:
    """Presses Ctrl-C when `wait` has returned."""

    def press() -> None:
        wait()
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


def client_threads() -> list[threading.Thread]:
    """Threads of blocking clients that run."""
    return [thread for thread in threading.enumerate() if thread.name == "cloudlayer"]


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Every test ends without a thread of a client's, and began without one."""
    assert not client_threads()
    yield
    for thread in client_threads():
        thread.join(PATIENCE)
    assert not client_threads()


HIDE_UVLOOP = """
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "uvloop" else find_spec(name, package)
"""


def run_script(code: str, service: Service, tmp_path: Path, *, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs code in an interpreter of its own, with every warning an error; returns when it has ended well."""
    if importlib.util.find_spec("uvloop") is None:  # or a test has hidden it, and then here too
        code = HIDE_UVLOOP + code
    path = tmp_path / "script.py"
    path.write_text(code, encoding="utf-8")
    done = subprocess.run(
        # Python 3.12 and newer warn of a fork with threads around, which is what some of these are about.
        [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning", str(path)],
        env={**os.environ, "CLOUDLAYER_API_KEY": KEY, "CLOUDLAYER_BASE_URL": service.url},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert (done.returncode, done.stderr) == (0, ""), f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
