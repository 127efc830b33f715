"""What every API request passes: counting, faults, the key, the rate limit, and errors turned into replies."""

from __future__ import annotations

import logging
import re

from aiohttp import web

from .checks import Refusal, is_loopback
from .endpoints import ENDPOINTS
from .faults import HEADER, REQUEST_KINDS, Fault, faults_from_header
from .mischief import Handler, serve, shape
from .replies import error_response, rate_headers
from .service import SERVICE, Service
from .visit import VISIT, Visit

logger = logging.getLogger("cloudlayer_async.emulator")

CONTROL = "/emulator/"
"""Paths of the emulator itself, which the service does not have."""

_OWN_SITES = ("none", "same-origin")
_ADDRESS = re.compile(r"\d+(\.\d+){3}")
_OPEN_ROUTES = frozenset({"GET templates", "GET template/{id}"})
_JOB_TYPES = {endpoint.path: endpoint.job_type for endpoint in ENDPOINTS}


def route_name(request: web.Request) -> str:
    """Return what a request asks for, without version and values: ``GET jobs/{id}``."""
    resource = request.match_info.route.resource
    if resource is None:
        return "unknown"
    path = resource.canonical.lstrip("/")
    return f"{request.method} {path.partition('/')[2] or path}"


def names(request: web.Request) -> tuple[str, ...]:
    """Return every name under which a fault may strike this request."""
    route = route_name(request)
    method, _, path = route.partition(" ")
    version = request.path.lstrip("/").partition("/")[0]
    if path in _JOB_TYPES:
        return route, version, "conversions", _JOB_TYPES[path]
    if method == "GET":
        return route, version, "reads"
    return route, version, "storage"


def is_control(request: web.Request) -> bool:
    """Tell whether a request is for the emulator itself."""
    return request.path == "/" or request.path.startswith(CONTROL)


@web.middleware
async def control(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let only this machine's own pages and programs reach the emulator's controls.

    A page of another site can send requests to a local port; its Origin, its Sec-Fetch-Site, or the name that it reached
    us by betrays it. (And what changes something is a DELETE or JSON, which a browser sends nowhere without asking.)
    """
    if not is_control(request):
        return await handler(request)
    host = request.url.host or ""
    if not _is_own_name(host, request.app[SERVICE].settings.host):
        return web.json_response({"message": f"Not reachable as {host}"}, status=403)
    origin = request.headers.get("Origin")
    is_foreign = origin is not None and origin != f"{request.scheme}://{request.host}"
    if is_foreign or (request.path != "/" and request.headers.get("Sec-Fetch-Site", "none") not in _OWN_SITES):
        return web.json_response({"message": "Not for pages of other origins"}, status=403)
    return await handler(request)


def _is_own_name(host: str, bound_to: str) -> bool:
    if is_loopback(host) or host == bound_to:
        return True
    # Bound to every address, it goes by names that are not known here. Whoever lets a name of theirs lead here, so that
    # their pages pass for ours, has one with a dot; an address is nobody's name.
    return bound_to in ("0.0.0.0", "::") and ("." not in host or _ADDRESS.fullmatch(host) is not None)


@web.middleware
async def faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request and let faults strike it."""
    if is_control(request):
        return await handler(request)
    service = request.app[SERVICE]
    service.seen.requests[route_name(request)] += 1
    try:
        own = faults_from_header(",".join(request.headers.getall(HEADER, [])))
    except ValueError as error:
        return error_response(service.dialect, Refusal(400, str(error), HEADER))
    VISIT.set(Visit(faults=own))
    striking: list[Fault] = service.faults.pick(REQUEST_KINDS, names(request), own)
    response = await serve(request, handler, striking, service.dialect)
    if request.transport is not None and not request.transport.is_closing():
        service.seen.statuses[response.status] += 1
    return await shape(request, response, striking)


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Check key and rate limit, and answer every failure in the shape of the service."""
    service = request.app[SERVICE]
    headers: dict[str, str] = {}
    response: web.StreamResponse
    try:
        _find_route(request)
        if not is_control(request):
            _admit(request, service, headers)
        response = await handler(request)
    except Refusal as refusal:
        response = error_response(service.dialect, refusal)
    except web.HTTPException as error:
        response = error_response(service.dialect, Refusal(error.status, error.reason))
    except Exception as error:
        if isinstance(error, ConnectionError) and request.transport is None:
            logger.debug("%s %s: the client hung up", request.method, request.path)
        else:
            logger.exception("%s %s failed unexpectedly", request.method, request.path)
        response = error_response(service.dialect, Refusal(500, "Internal server error"))
    response.headers.update(headers)
    return response


def _find_route(request: web.Request) -> None:
    if request.match_info.http_exception is not None:
        raise Refusal(404, f"Cannot {request.method} {request.path}")


def _admit(request: web.Request, service: Service, headers: dict[str, str]) -> None:
    key = request.headers.get("X-API-Key", "")
    masked = service.masked_key(key)
    if masked is None and route_name(request) not in _OPEN_ROUTES:
        raise Refusal(401, "Invalid API key")
    VISIT.get().key = masked or ""
    allowance = service.rates.take(masked or "")
    if allowance is None:
        return
    headers.update(
        rate_headers(service.dialect, limit=allowance.limit, remaining=allowance.remaining, reset_in=allowance.reset_in)
    )
    if allowance.refused:
        raise Refusal(429, "Rate limit exceeded", None, str(allowance.reset_in))
