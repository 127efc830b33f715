"""The receiver behind servers: aiohttp.web, ASGI, and hostile senders."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from servers import Service

from cloudlayer_async import AsyncCloudlayer, ConfigError, Job, UnknownJobs, WebhookReceiver
from cloudlayer_async.webhooks.bodies import BodyLimits, RefusedError

from .conftest import TOKEN, serving
from .test_parsing import BODIES, mutated

NEWS = b'{"id": "7Kq2", "status": "success"}'


@pytest.fixture
def line(service: Service) -> str:
    service.answers("GET /v2/jobs/7Kq2", {"id": "7Kq2", "status": "success"})
    return "GET /v2/jobs/7Kq2"


# --- aiohttp.web --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def mounted(receiver: WebhookReceiver) -> AsyncIterator[str]:
    """The receiver as a sub-application; gives the address above it."""
    app = web.Application()
    app.add_subapp("/hooks", receiver.aiohttp_app())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    finally:
        await runner.cleanup()


@pytest.mark.asyncio
async def test_a_handler_and_a_sub_application_of_aiohttp(service: Service, line: str, client: AsyncCloudlayer) -> None:
    told: list[Job] = []
    async with (
        WebhookReceiver(client, path_token=TOKEN, on_job=told.append) as receiver,
        serving(receiver.aiohttp_handler) as origin,
        mounted(receiver) as above,
        aiohttp.ClientSession() as session,
    ):
        for url in (f"{origin}/hooks/{TOKEN}", f"{above}/{TOKEN}", f"{above}/{TOKEN}/?a=b"):
            async with session.post(url, data=NEWS) as response:
                assert (response.status, await response.read()) == (200, b"ok")
            async with session.post(url, data=b"hello") as response:
                assert response.status == 400
            async with session.get(url) as response:
                assert (response.status, response.headers["Allow"]) == (405, "POST")
        for url in (f"{origin}/", f"{above}/", f"{above}/{TOKEN}x"):
            async with session.post(url, data=NEWS) as response:
                assert response.status == 404
    assert len(told) == 1
    assert service.count(line) == 1


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@pytest.mark.asyncio
async def test_bodies_that_are_too_large_or_compressed_over_aiohttp(client: AsyncCloudlayer) -> None:
    async with (
        WebhookReceiver(client, max_body=1000) as receiver,
        serving(receiver.aiohttp_handler) as origin,
        aiohttp.ClientSession() as session,
    ):
        async with session.post(origin, data=b"x" * 1001) as response:
            assert response.status == 413
        async with session.post(origin, data=chunks(b"x" * 600, b"x" * 600)) as response:
            assert response.status == 413
        bomb = gzip.compress(b"x" * 10_000_000)
        async with session.post(origin, data=bomb, headers={"Content-Encoding": "gzip"}) as response:
            assert response.status == 415
        async with session.post(origin, data=b"x" * 1000) as response:
            assert response.status == 400


@pytest.mark.asyncio
async def test_one_byte_now_and_then_over_aiohttp(client: AsyncCloudlayer) -> None:
    async with (
        WebhookReceiver(client, body_timeout=0.05) as receiver,
        serving(receiver.aiohttp_handler) as origin,
    ):
        port = int(origin.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")

        async def dribble() -> None:
            while True:  # each byte in time, but not all of them
                await asyncio.sleep(0.005)
                writer.write(b" ")

        dribbling = asyncio.create_task(dribble())
        answer = await asyncio.wait_for(reader.readline(), 5)
        dribbling.cancel()
        assert b" 408 " in answer
        writer.close()
        await writer.wait_closed()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
        b"POST /%ff%00 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        b"\x00\x01\x02\r\n\r\n",
    ],
)
async def test_what_breaks_off_or_is_no_http(client: AsyncCloudlayer, line: str, request_bytes: bytes) -> None:
    async with WebhookReceiver(client) as receiver, serving(receiver.aiohttp_handler) as origin:
        port = int(origin.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_bytes)
        writer.write_eof()
        assert not (await asyncio.wait_for(reader.read(), 5)).startswith((b"HTTP/1.1 2", b"HTTP/1.1 5"))
        writer.close()
        await writer.wait_closed()
        async with aiohttp.ClientSession() as session, session.post(origin, data=NEWS) as response:
            assert response.status == 200


# --- ASGI ---------------------------------------------------------------------------------------------------------


class Connection:
    """A server's side of an ASGI application."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = list(messages)
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])


def request(*pieces: bytes, end: bool = True) -> list[dict[str, Any]]:
    last = len(pieces) - 1
    return [
        {"type": "http.request", "body": piece, "more_body": number < last or not end}
        for number, piece in enumerate(pieces)
    ]


def scope(path: str = f"/hooks/{TOKEN}", method: str = "POST", **headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": method, "path": path, "headers": named}


@pytest.mark.asyncio
async def test_an_asgi_application(service: Service, line: str, client: AsyncCloudlayer) -> None:
    told: list[Job] = []
    async with WebhookReceiver(client, path_token=TOKEN, on_job=told.append, max_body=100) as receiver:

        async def ask(messages: list[dict[str, Any]], **arguments: str) -> int:
            connection = Connection(*messages)
            await receiver.asgi(scope(**arguments), connection.receive, connection.send)
            start, body = connection.sent
            assert (start["type"], body["type"]) == ("http.response.start", "http.response.body")
            assert (b"content-length", str(len(body["body"])).encode()) in start["headers"]
            return connection.status

        assert await ask(request(NEWS)) == 200
        assert await ask(request(NEWS[:10], NEWS[10:], b"")) == 200
        assert await ask(request(b"hello")) == 400
        assert await ask(request(b"")) == 400
        assert await ask([], path="/hooks/other") == 404
        assert await ask([], method="GET") == 405
        assert await ask([], content_length="101") == 413
        assert await ask([], content_length="9" * 1000) == 413
        assert await ask(request(b"x" * 60, b"x" * 60, end=False)) == 413
        assert await ask([], content_encoding="gzip") == 415
    assert len(told) == 1
    assert service.count(line) == 1


@pytest.mark.asyncio
async def test_slow_and_vanishing_senders_over_asgi(client: AsyncCloudlayer) -> None:
    async with WebhookReceiver(client, path_token=TOKEN, body_timeout=0.02) as receiver:
        slow = Connection(*request(b"{", end=False))
        await receiver.asgi(scope(), slow.receive, slow.send)
        assert slow.status == 408
        gone = Connection(*request(b"{", end=False), {"type": "http.disconnect"})
        await receiver.asgi(scope(), gone.receive, gone.send)
        assert gone.sent == []


@pytest.mark.asyncio
async def test_as_the_only_application_it_closes_with_the_server(client: AsyncCloudlayer) -> None:
    receiver = WebhookReceiver(client)
    server = Connection({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    await receiver.asgi({"type": "lifespan"}, server.receive, server.send)
    assert [message["type"] for message in server.sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert (await receiver.handle({}, NEWS))[0] == 503


@pytest.mark.asyncio
async def test_it_speaks_no_websocket(client: AsyncCloudlayer) -> None:
    async with WebhookReceiver(client) as receiver:
        server = Connection({"type": "websocket.connect"})
        await receiver.asgi({"type": "websocket", "path": "/"}, server.receive, server.send)
        assert server.sent == [{"type": "websocket.close", "code": 1000}]


# --- bounds -------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_bodies_of_all_senders_together_are_bounded() -> None:
    limits = BodyLimits(1000, 60)
    held = asyncio.Event()
    refused = 0

    async def slowly() -> AsyncIterator[bytes]:
        yield b"x" * 900
        await held.wait()

    async def one() -> None:
        nonlocal refused
        try:
            await limits.collect(slowly(), {})
        except RefusedError as error:
            assert error.status == 503
            refused += 1

    tasks = [asyncio.create_task(one()) for _ in range(100)]
    while refused < 65:
        await asyncio.sleep(0)
    assert refused == 65  # the others hold 31.5 of 32 bodies
    held.set()
    await asyncio.gather(*tasks)
    assert limits._held == 0
    assert await limits.collect(chunks(b"x" * 1000), {}) == b"x" * 1000


@pytest.mark.asyncio
async def test_nothing_a_stranger_sends_raises_or_causes_more_than_the_limit_allows(
    service: Service, client: AsyncCloudlayer
) -> None:
    """Ten thousand bodies, with headers and paths of all kinds."""
    limits = UnknownJobs(rate=0.001, burst=7, queue=10)
    told: list[Job] = []
    headers = st.dictionaries(st.text(), st.text()) | st.lists(st.tuples(st.binary(), st.binary())) | st.none()
    async with WebhookReceiver(client, on_job=told.append, unknown=limits) as receiver:
        statuses: set[int] = set()

        @given(
            seed=st.integers(min_value=0),
            name=st.sampled_from(sorted(BODIES)),
            foreign=headers,
            path=st.text(),
            body=st.binary() | st.none() | st.integers() | st.text(),
        )
        @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
        def send(seed: int, name: str, foreign: Any, path: str, body: Any) -> None:
            chance = random.Random(seed)
            for made in (body, *(mutated(chance, BODIES[name]) for _ in range(100))):
                # Without a step of the loop: `handle` waits for nothing.
                try:
                    receiver.handle(foreign, made, path=path).send(None)
                except StopIteration as stop:
                    statuses.add(stop.value[0])

        send()
        assert statuses == {200, 400, 503}
        while len(service.requests) < 7:
            await asyncio.sleep(0.001)
        assert len(receiver._inquiries._open) <= 10
    assert len(service.requests) == 7
    assert told == []


HEADER = (
    st.tuples(st.binary(max_size=20), st.binary(max_size=20))
    | st.tuples(
        st.just(b"content-length"),
        st.integers(-5, 3_000_000).map(lambda number: b"%d" % number) | st.sampled_from([b"\xb2", b"9" * 5000, b"1e3"]),
    )
    | st.tuples(st.just(b"Content-Encoding"), st.sampled_from([b"gzip", b"identity", b" Identity ", b"\xff", b""]))
)


@pytest.mark.asyncio
@pytest.mark.parametrize("examples", [200, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
async def test_bodies_and_headers_of_all_kinds_over_asgi(
    service: Service, client: AsyncCloudlayer, examples: int
) -> None:
    """Each with headers, a path and pieces of its own."""
    limits = UnknownJobs(rate=0.001, burst=7, queue=10)
    told: list[Job] = []
    async with WebhookReceiver(client, on_job=told.append, unknown=limits, max_body=100_000) as receiver:
        statuses: set[int] = set()

        @given(
            seed=st.integers(min_value=0),
            body=st.sampled_from(sorted(BODIES)) | st.binary() | st.just(b"[" * 100_000) | st.just(b" " * 100_001),
            headers=st.lists(HEADER, max_size=4),
            path=st.text(max_size=30),
        )
        @example(seed=0, body=NEWS, headers=[], path="/")
        @example(seed=0, body=b"[", headers=[], path="/")
        @example(seed=0, body=b" " * 100_001, headers=[], path="/")
        @example(seed=0, body=NEWS, headers=[(b"content-encoding", b"gzip")], path="/")
        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
        def send(seed: int, body: bytes | str, headers: list[tuple[bytes, bytes]], path: str) -> None:
            chance = random.Random(seed)
            raw = mutated(chance, BODIES[body]) if isinstance(body, str) else body
            cut = chance.randrange(len(raw) + 1)
            connection = Connection(*request(raw[:cut], raw[cut:]))
            try:
                asked = receiver.asgi(scope(path) | {"headers": headers}, connection.receive, connection.send)
                asked.__await__().send(None)
            except StopIteration:
                statuses.add(connection.status)

        send()
        assert {200, 400, 413, 415} <= statuses <= {200, 400, 413, 415, 503}
        assert len(receiver._inquiries._open) <= 10
        assert receiver.body_limits._held == 0
    assert 1 <= len(service.requests) <= 7
    assert told == []


@pytest.mark.asyncio
@pytest.mark.parametrize("headers", [b"", b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"])
async def test_what_does_not_end_takes_no_memory(client: AsyncCloudlayer, headers: bytes) -> None:
    """Two headers, since servers differ in which of them counts."""
    compressor = zlib.compressobj(wbits=31)
    endless = compressor.compress(b" " * 200_000_000) + compressor.flush() if headers else b" " * 5_000_000
    async with WebhookReceiver(client) as receiver, serving(receiver.aiohttp_handler) as origin:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(origin.rpartition(":")[2]))
        tracemalloc.start()
        try:
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"Transfer-Encoding: chunked\r\n\r\n")
            for start in range(0, len(endless), 50_000):
                piece = endless[start : start + 50_000]
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            answer = await asyncio.wait_for(reader.readline(), 10)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            writer.transport.abort()
        assert answer.split()[1] in (b"400", b"413", b"415")
        assert peak < (100_000_000 if headers else 20_000_000)  # aiohttp itself unpacks up to 32 MiB


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "arguments",
    [
        {"path_token": ""},
        {"path_token": "/"},
        {"path_token": b"token"},
        {"verify": "trust"},
        {"on_job": 1},
        {"on_error": "print"},
        pytest.param({"on_error": asyncio.sleep}, id="on_error is a coroutine function"),
        {"max_body": 0},
        {"body_timeout": 0},
        {"body_timeout": float("inf")},
        {"dedupe": 0},
        {"attempts": True},
        {"max_pending": 1.5},
        {"concurrency": 0},
        {"unknown": 5},
    ],
    ids=str,
)
async def test_settings_that_cannot_be_used(client: AsyncCloudlayer, arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        WebhookReceiver(client, **arguments)
    assert client._family.announcements._receivers == []


def test_limits_that_cannot_be_used() -> None:
    for name, value in (("rate", 0), ("rate", float("inf")), ("burst", 0), ("queue", 0.5)):
        with pytest.raises(ConfigError, match=name):
            UnknownJobs(**{name: value})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="AsyncCloudlayer"):
        WebhookReceiver("client")  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_secrets_are_not_shown(client: AsyncCloudlayer, line: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with WebhookReceiver(client, path_token=TOKEN) as receiver:
        await receiver.handle({}, NEWS, path=f"/hooks/{TOKEN}")
        await receiver.handle({}, json.dumps({"id": "a", "secret": TOKEN}).encode(), path=f"/hooks/{TOKEN}")
        assert TOKEN not in repr(receiver)
    assert TOKEN not in caplog.text
