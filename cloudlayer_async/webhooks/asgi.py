"""A receiver as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeAlias

from .bodies import RefusedError

if TYPE_CHECKING:
    from .receiver import WebhookReceiver

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class _HungUpError(Exception):
    """Nobody is there to be answered."""


class ASGIApplication:
    """What a server calls. An object, since uvicorn takes a bound method for an application of ASGI 2."""

    def __init__(self, receiver: WebhookReceiver) -> None:
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or lives through one server's life."""
        match scope["type"]:
            case "http":
                await _http(self._receiver, scope, receive, send)
            case "lifespan":
                await _lifespan(self._receiver, receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1000})


async def _http(receiver: WebhookReceiver, scope: Scope, receive: Receive, send: Send) -> None:
    path = scope["path"]
    # Before the body, so that strangers cannot make us hold theirs.
    if not receiver.lets_in(path):
        return await _answer(send, 404, b"not found")
    if scope["method"] != "POST":
        return await _answer(send, 405, b"", (b"allow", b"POST"))
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    try:
        async with aclosing(_chunks(receive)) as chunks:
            body = await receiver.body_limits.collect(chunks, headers)
    except RefusedError as refused:
        return await _answer(send, refused.status, refused.reason)
    except _HungUpError:
        return None
    await _answer(send, *await receiver.handle(headers, body, path=path))


async def _chunks(receive: Receive) -> AsyncGenerator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _HungUpError
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    sent = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receiver: WebhookReceiver, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await receiver.aclose()
            await send({"type": "lifespan.shutdown.complete"})
            return
