"""What the tests share: a service that answers as told, a clock that does not wait, aioresponses on today's aiohttp."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiohttp
import aioresponses.core
import pytest
import pytest_asyncio
import trustme
from aioresponses import aioresponses as Mocked
from hypothesis import settings
from servers import KEY, Clock, Service

from cloudlayer_async import AsyncCloudlayer


class _MockedResponse(aiohttp.ClientResponse):
    """aioresponses 0.7.9 does not give what aiohttp 3.14 asks for (pnuckowski/aioresponses #289)."""

    def __init__(self, *args: Any, **arguments: Any) -> None:
        try:
            super().__init__(*args, **arguments)
        except TypeError:
            super().__init__(*args, **arguments, stream_writer=Mock(output_size=0))


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mocked]:
    """aiohttp's sending replaced by canned replies."""
    monkeypatch.setattr(aioresponses.core, "ClientResponse", _MockedResponse)
    with Mocked() as mocked:
        yield mocked


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoff without waiting: chance always takes the shortest."""
    monkeypatch.setattr(random, "random", lambda: 0.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time in which sleeping costs nothing; the clients made in the test live in it."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(asyncio, "sleep", clock.sleep)
    return clock


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, address or proxy comes from outside of the test."""
    for name in ("CLOUDLAYER_API_KEY", "CLOUDLAYER_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def no_complaints(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """asyncio has nothing to complain of: no lost exception, no task destroyed while pending."""
    yield
    complaints = [record.getMessage() for record in caplog.records if record.name == "asyncio"]
    assert not [text for text in complaints if not text.startswith("Using selector")]


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    """An API that answers what it is told to, and an origin of assets."""
    async with Service() as service:
        yield service


@pytest_asyncio.fixture
async def client(service: Service, no_environment: None) -> AsyncIterator[AsyncCloudlayer]:
    """A client of `service`."""
    async with AsyncCloudlayer(KEY, base_url=service.url) as client:
        yield client


Connect = Callable[..., Awaitable[AsyncCloudlayer]]
"""Makes a client of an address, which the end of the test closes."""


@pytest_asyncio.fixture
async def connect(no_environment: None) -> AsyncIterator[Connect]:
    """Clients with sessions of their own."""
    async with AsyncExitStack() as stack:

        async def connect(address: str, **settings: Any) -> AsyncCloudlayer:
            return await stack.enter_async_context(AsyncCloudlayer(KEY, base_url=address, **settings))

        yield connect


@pytest_asyncio.fixture(params=["owned", "borrowed"])
async def connect_any(request: pytest.FixtureRequest, no_environment: None) -> AsyncIterator[Connect]:
    """Clients with sessions of their own, then the same on sessions of the caller."""
    async with AsyncExitStack() as stack:

        async def connect(address: str, **settings: Any) -> AsyncCloudlayer:
            if request.param == "borrowed":
                connector = aiohttp.TCPConnector(ssl=settings.pop("ssl", True))
                traces = settings.pop("trace_configs", None)
                session = aiohttp.ClientSession(connector=connector, trace_configs=traces)
                settings["session"] = await stack.enter_async_context(session)
            return await stack.enter_async_context(AsyncCloudlayer(KEY, base_url=address, **settings))

        yield connect


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that nobody else trusts."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """What a TLS server on loopback uses; it is also ``api.cloud.example`` and ``assets.cloud.example``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    names = ("127.0.0.1", "localhost", "api.cloud.example", "assets.cloud.example")
    authority.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture(scope="session")
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    """What a client needs to believe `server_tls`."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this test's temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def debug_log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that is logged, from DEBUG on."""
    caplog.set_level(logging.DEBUG)
    return caplog


# No time limit for one example: a machine that is busy with other things proves nothing.
settings.register_profile("unhurried", parent=settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("unhurried")
