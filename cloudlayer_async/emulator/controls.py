"""The emulator's own endpoints, which the service does not have: fault switches and counters."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from .checks import Refusal
from .faults import ActiveFault, fault_from_json
from .gate import CONTROL
from .intake import read_json
from .service import SERVICE

routes = web.RouteTableDef()


def _body(active: ActiveFault) -> dict[str, Any]:
    return {"id": active.id, "hits": active.hits, **active.fault.as_json()}


@routes.get(f"{CONTROL}faults")
async def list_faults(request: web.Request) -> web.Response:
    """The faults that are on, and how often each kind struck."""
    board = request.app[SERVICE].faults
    return web.json_response({"active": [_body(active) for active in board.active], "struck": board.struck})


@routes.post(f"{CONTROL}faults")
async def add_fault(request: web.Request) -> web.Response:
    """Switch a fault on; the body has the fields of `Fault`."""
    service = request.app[SERVICE]
    try:
        fault = fault_from_json(await read_json(request, service.settings))
    except ValueError as error:
        raise Refusal(400, str(error)) from error
    return web.json_response({"id": service.faults.switch_on(fault)}, status=201)


@routes.delete(f"{CONTROL}faults")
async def clear_faults(request: web.Request) -> web.Response:
    """Switch every fault off."""
    request.app[SERVICE].faults.clear()
    return web.Response(status=204)


@routes.delete(CONTROL + "faults/{id}")
async def remove_fault(request: web.Request) -> web.Response:
    """Switch one fault off."""
    if not request.app[SERVICE].faults.remove(request.match_info["id"]):
        raise Refusal(404, "No such fault is on")
    return web.Response(status=204)


@routes.get(f"{CONTROL}seen")
async def seen(request: web.Request) -> web.Response:
    """The counters."""
    return web.json_response(request.app[SERVICE].seen.as_json())


@routes.delete(f"{CONTROL}seen")
async def reset_seen(request: web.Request) -> web.Response:
    """Start counting anew."""
    request.app[SERVICE].seen.reset()
    return web.Response(status=204)
