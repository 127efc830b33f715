"""Carrying out the faults that strike a request."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from multidict import CIMultiDict

from .checks import Refusal
from .dialects import Dialect
from .faults import BODY_KINDS, Fault
from .replies import error_response
from .visit import VISIT

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_STEPS = 20
_LINGER = "hh" if os.name == "nt" else "ii"


async def serve(
    request: web.Request, handler: Handler, faults: Sequence[Fault], dialect: Dialect
) -> web.StreamResponse:
    """Handle a request as the faults have it; what they do to the body of the reply is left to `shape`."""
    VISIT.get().whole_body = any(fault.kind in BODY_KINDS for fault in faults)
    for fault in faults:
        if fault.when == "before":
            refused = await _strike(request, fault, dialect)
            if refused is not None:
                return refused
    response = await handler(request)
    for fault in faults:
        if fault.when == "after":
            refused = await _strike(request, fault, dialect)
            if refused is not None:
                return refused
    for fault in faults:
        if fault.kind == "content-type":
            response.headers["Content-Type"] = fault.content_type
    return response


async def shape(request: web.Request, response: web.StreamResponse, faults: Sequence[Fault]) -> web.StreamResponse:
    """Send a reply's body as the faults have it."""
    for fault in faults:
        if fault.kind in BODY_KINDS and isinstance(response, web.Response) and isinstance(response.body, bytes):
            return await _send(request, response, response.body, fault)
    return response


async def _strike(request: web.Request, fault: Fault, dialect: Dialect) -> web.Response | None:
    """Carry out what can happen before and after the work; return a reply where it takes the place of the real one."""
    if fault.kind == "latency":
        await asyncio.sleep(fault.seconds or 0)
    elif fault.kind == "reset":
        _reset(request)
        return web.Response(status=500)
    elif fault.kind == "status":
        message = "Rate limit exceeded" if fault.status == 429 else "This error was asked for"
        return error_response(dialect, Refusal(fault.status, message, None, fault.retry_after_header()))
    return None


def _reset(request: web.Request) -> None:
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        # Without lingering the kernel sends RST where it would otherwise end the stream in good order.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
    transport.abort()


async def _send(request: web.Request, response: web.Response, body: bytes, fault: Fault) -> web.StreamResponse:
    headers = CIMultiDict(response.headers)
    headers["Content-Length"] = str(len(body))
    stream = web.StreamResponse(status=response.status, headers=headers)
    stream.force_close()
    await stream.prepare(request)
    if fault.kind == "truncate":
        await stream.write(body[: min(int(len(body) * fault.at), len(body) - 1)])
        if request.transport is not None:
            request.transport.close()
        return stream
    step = max(1, -(-len(body) // _STEPS))
    for start in range(0, len(body), step):
        await stream.write(body[start : start + step])
        await asyncio.sleep((fault.seconds or 0) / _STEPS)
    return stream
