"""Servers on loopback that do what a test tells them, and write down what really arrived; and a clock.

`RawServer` speaks bytes, so that it can break every rule; `Service` speaks HTTP, and answers what it was given to answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import attrs
from aiohttp import web
from multidict import CIMultiDict

KEY = "cl-0123456789abcdef-secret"
JOB = {"id": "7Kq2", "status": "pending", "type": "html-pdf"}
DONE = {"id": "7Kq2", "status": "success", "type": "html-pdf"}
PDF = b"%PDF-1.7 made by a test"


@attrs.frozen(kw_only=True)
class Request:
    """One request that arrived whole."""

    method: str
    target: str
    """Path and query as they were on the wire."""
    headers: CIMultiDict[str]
    body: bytes = b""

    @property
    def line(self) -> str:
        """Such as ``POST /v2/html/pdf``."""
        return f"{self.method} {self.target}"

    def json(self) -> Any:
        """The body's data."""
        return json.loads(self.body)


class Clock:
    """Monotonic time in which sleeping costs nothing: whoever sleeps moves everybody's time."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        """The sleeps that were asked for."""
        self._ahead = 0.0
        self._monotonic = time.monotonic
        self._sleep = asyncio.sleep

    def monotonic(self) -> float:
        """The time."""
        return self._monotonic() + self._ahead

    async def sleep(self, seconds: float, result: Any = None) -> Any:
        """Like asyncio's, at once."""
        until = self.monotonic() + seconds
        if seconds > 0:
            self.slept.append(seconds)
        await self._sleep(0)
        self._ahead += max(0.0, until - self.monotonic())
        return result


# --- bytes --------------------------------------------------------------------------------------------------------


class Exchange:
    """One accepted connection in the hands of a script."""

    def __init__(self, server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()

    async def _more(self) -> bool:
        data = await self._reader.read(65536)
        self._buffer += data
        return bool(data)

    async def begins(self) -> bool:
        """Wait for the first bytes of the next request; False when the client hangs up instead."""
        return bool(self._buffer) or await self._more()

    async def head(self) -> Request:
        """Read up to the end of the next request's headers. This does not count as a request."""
        while b"\r\n\r\n" not in self._buffer:
            if not await self._more():
                raise ConnectionResetError("the client hung up within the headers")
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer[:] = rest
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = CIMultiDict[str]()
        for line in lines:
            name, _, value = line.partition(":")
            headers.add(name, value.strip())
        self.server.begun += 1
        return Request(method=method, target=target, headers=headers)

    async def request(self) -> Request:
        """Read one whole request, and write it down."""
        head = await self.head()
        if "chunked" in head.headers.get("Transfer-Encoding", ""):
            body = await self._chunked()
        else:
            body = await self._take(int(head.headers.get("Content-Length", "0")))
        whole = attrs.evolve(head, body=body)
        self.server.requests.append(whole)
        self.server.arrived.set()
        return whole

    async def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not await self._more():
                raise ConnectionResetError("the client hung up within the body")
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def _chunked(self) -> bytes:
        body = bytearray()
        while True:
            while b"\r\n" not in self._buffer:
                if not await self._more():
                    raise ConnectionResetError("the client hung up within the body")
            line, _, rest = bytes(self._buffer).partition(b"\r\n")
            self._buffer[:] = rest
            size = int(line, 16)
            body += await self._take(size)
            await self._take(2)
            if not size:
                return bytes(body)

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        """Hang up politely, once everything is sent."""
        self._writer.close()

    def reset(self) -> None:
        """Hang up with a reset."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the client has hung up."""
        with contextlib.suppress(ConnectionError):
            while await self._more():
                pass
        self.server.hung_up.set()
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether this side has not hung up."""
        return not self._writer.transport.is_closing()


Step = Callable[[Exchange], Awaitable[None]]
"""What becomes of one request."""


class RawServer:
    """Takes one step a request (or a connection, where the step looks at no request); the last one for all that follow."""

    def __init__(self, *steps: Step, tls: ssl.SSLContext | None = None) -> None:
        self.steps = list(steps)
        self.requests: list[Request] = []
        """Those that arrived whole."""
        self.begun = 0
        """Requests whose headers arrived, at least."""
        self.connections = 0
        self.open = 0
        self.arrived = asyncio.Event()
        """Set with each whole request."""
        self.hung_up = asyncio.Event()
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._faults: list[BaseException] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, limit=2**20)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        if self._faults and error is None:
            raise self._faults[0]

    @property
    def url(self) -> str:
        """Its origin."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    @property
    def lines(self) -> list[str]:
        """Method and target of every request."""
        return [request.line for request in self.requests]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        exchange = Exchange(self, reader, writer)
        try:
            while True:
                step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
                await step(exchange)
                if not exchange.is_open or not await exchange.begins():
                    return
        except ConnectionError:
            pass
        except asyncio.CancelledError:
            # Only this server's end cancels it, and asyncio's streams complain of handlers that end so.
            return
        except Exception as error:
            self._faults.append(error)
        finally:
            self.open -= 1
            self.hung_up.set()
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()


def http(status: int = 200, body: Any = b"", /, **headers: str) -> bytes:
    """A whole reply; a body that is not bytes goes as JSON. `retry_after="1"` is the header Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
        named.setdefault("content-type", "application/json")
    named.setdefault("content-length", str(len(body)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode("latin-1") + body


def reply(status: int = 200, body: Any = b"", /, **headers: str) -> Step:
    """Answers, and keeps the connection."""

    async def step(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(http(status, body, **headers))

    return step


def broken_off(data: bytes) -> Step:
    """Takes the request, sends these bytes and hangs up."""

    async def step(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(data)
        exchange.close()

    return step


async def reset_unread(exchange: Exchange) -> None:
    """Resets the connection without reading."""
    exchange.reset()


async def reset_after_headers(exchange: Exchange) -> None:
    """Resets the connection when the headers are there."""
    await exchange.head()
    exchange.reset()


async def reset_after_body(exchange: Exchange) -> None:
    """Takes the whole request and resets the connection."""
    await exchange.request()
    exchange.reset()


async def hang_up(exchange: Exchange) -> None:
    """Takes the whole request and hangs up."""
    await exchange.request()
    exchange.close()


async def silence(exchange: Exchange) -> None:
    """Takes the whole request and never answers."""
    await exchange.request()
    await exchange.gone()


# --- HTTP ---------------------------------------------------------------------------------------------------------

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Service:
    """An API, and an origin for assets on a port of its own: both answer what they were given to."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        """What the API got."""
        self.downloads: list[Request] = []
        """What the asset origin got."""
        self._tls = tls
        self._api: dict[str, list[Answer]] = defaultdict(list)
        self._assets: dict[str, list[Answer]] = defaultdict(list)
        self._runners: list[web.AppRunner] = []

    async def __aenter__(self) -> Self:
        self.url = await self._listen(self._api, self.requests)
        self.asset_url = await self._listen(self._assets, self.downloads)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for runner in self._runners:
            await runner.cleanup()

    def answers(self, line: str, *answers: Any, status: int = 200, **headers: str) -> None:
        """What ``GET /v2/jobs`` and the like get: data for JSON, bytes, or a function; the last one again and again."""
        self._api[line].extend(_answer(answer, status, headers) for answer in answers)

    def asset(self, path: str, *answers: Any, status: int = 200, **headers: str) -> str:
        """The same for a file at the asset origin; gives its address."""
        self._assets[f"GET {unquote(path)}"].extend(_answer(answer, status, headers) for answer in answers)
        return f"{self.asset_url}{path}?X-Signature=sesame"

    @property
    def lines(self) -> list[str]:
        """Method and target of what the API got."""
        return [request.line for request in self.requests]

    def count(self, line: str) -> int:
        """How often the API got this."""
        return self.lines.count(line)

    async def _listen(self, answers: dict[str, list[Answer]], seen: list[Request]) -> str:
        async def handle(request: web.Request) -> web.StreamResponse:
            waiting = answers.get(f"{request.method} {request.path}", [_no_answer])
            answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            # A function of the test's own reads the body as it likes.
            body = await request.read() if isinstance(answer, _Canned) else b""
            headers = CIMultiDict(request.headers)
            seen.append(Request(method=request.method, target=request.raw_path, headers=headers, body=body))
            return await answer(request)

        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"


@attrs.frozen
class _Canned:
    answer: Any
    status: int
    headers: dict[str, str]

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if isinstance(self.answer, bytes):
            return web.Response(status=self.status, body=self.answer, headers=self.headers)
        return web.json_response(self.answer, status=self.status, headers=self.headers)


def _answer(answer: Any, status: int, headers: dict[str, str]) -> Answer:
    if callable(answer):
        return answer  # type: ignore[no-any-return]
    return _Canned(answer, status, {name.replace("_", "-"): value for name, value in headers.items()})


async def _no_answer(request: web.Request) -> web.StreamResponse:
    return web.json_response({"message": f"no answer to {request.method} {request.path}"}, status=404)
