"""A receiver behind aiohttp.web."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

from .bodies import RefusedError

if TYPE_CHECKING:
    from .receiver import WebhookReceiver


def application(receiver: WebhookReceiver) -> web.Application:
    """All paths below where it is mounted."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.aiohttp_handler)
    return app


async def respond(receiver: WebhookReceiver, request: web.Request) -> web.Response:
    """Answers one request."""
    # Before the body, so that strangers cannot make us hold theirs.
    if not receiver.lets_in(request.rel_url.raw_path):
        return _refusal(404, b"not found")
    if request.method != "POST":
        return web.Response(status=405, headers={"Allow": "POST"})
    try:
        body = await receiver.body_limits.collect(request.content.iter_any(), request.headers)
    except RefusedError as refused:
        return _refusal(refused.status, refused.reason)
    except (aiohttp.ClientError, web.RequestPayloadError, OSError):
        return _refusal(400, b"broken off")
    status, answer = await receiver.handle(request.headers, body, path=request.rel_url.raw_path)
    return web.Response(status=status, body=answer, content_type="text/plain")


def _refusal(status: int, reason: bytes) -> web.Response:
    response = web.Response(status=status, body=reason, content_type="text/plain")
    response.force_close()  # what is left of the body is not waited for
    return response
