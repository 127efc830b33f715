"""The page's files, its data, its stream of events, and the documents that it shows."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from aiohttp import web

from ..checks import Refusal
from ..events import Event, Subscription
from ..gate import CONTROL
from ..records import StoredFile
from ..service import SERVICE, Service
from .views import asset_row, delivery_rows, document_kind, job_detail, job_row, overview

routes = web.RouteTableDef()

_MOST_ROWS = 200
_BEAT = 15.0
"""Seconds between signs of life, by which a browser that went away is noticed."""

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = frozenset(
    {"page.css", "icon.svg", "main.js", "dom.js", "jobs.js", "detail.js", "assets.js", "deliveries.js", "faults.js"}
    | {"about.js"}
)
_COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A product is anyone's content: it must not act as this page does. (A PDF has no script of the page's kind, and the
# browsers' viewers do not start in a sandbox.)
_PRODUCT_POLICY = (
    "sandbox; default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'"
)
_SHOWN_TYPES = {"pdf": "application/pdf", "html": "text/html; charset=utf-8"}


@routes.get("/")
async def page(request: web.Request) -> web.Response:
    """The page itself."""
    return _static("index.html")


@routes.get(CONTROL + "page/{name}")
async def page_file(request: web.Request) -> web.Response:
    """One of the page's files."""
    name = request.match_info["name"]
    if name not in _FILES:
        raise Refusal(404, "No such file")
    return _static(name)


@routes.get(f"{CONTROL}overview")
async def get_overview(request: web.Request) -> web.Response:
    """What holds for the emulator as a whole."""
    return _data(overview(request.app[SERVICE]))


@routes.get(f"{CONTROL}jobs")
async def list_jobs(request: web.Request) -> web.Response:
    """The newest jobs, as the page lists them."""
    service = request.app[SERVICE]
    return _data([job_row(service, job) for job in service.store.jobs(_MOST_ROWS)])


@routes.get(CONTROL + "jobs/{id}")
async def get_job(request: web.Request) -> web.Response:
    """Everything about one job, its log included."""
    service = request.app[SERVICE]
    job = service.store.job(request.match_info["id"])
    if job is None:
        raise Refusal(404, "Job not found")
    return _data(job_detail(service, job))


@routes.get(f"{CONTROL}assets")
async def list_assets(request: web.Request) -> web.Response:
    """The newest assets."""
    return _data([asset_row(asset) for asset in request.app[SERVICE].store.assets(_MOST_ROWS)])


@routes.get(f"{CONTROL}deliveries")
async def list_deliveries(request: web.Request) -> web.Response:
    """The newest webhook deliveries."""
    return _data(delivery_rows(request.app[SERVICE], _MOST_ROWS))


@routes.get(CONTROL + "documents/{id}")
async def get_document(request: web.Request) -> web.StreamResponse:
    """The product of a job, to be shown."""
    return _product(request.app[SERVICE], request.match_info["id"], is_preview=False)


@routes.get(CONTROL + "previews/{id}")
async def get_preview(request: web.Request) -> web.StreamResponse:
    """The preview of a job's product."""
    return _product(request.app[SERVICE], request.match_info["id"], is_preview=True)


@routes.get(f"{CONTROL}events")
async def events(request: web.Request) -> web.StreamResponse:
    """What happens, as server-sent events: each is the JSON of a kind and an id, with the row when it is a job."""
    service = request.app[SERVICE]
    response = web.StreamResponse(headers={**_COMMON, "Content-Type": "text/event-stream"})
    with service.feed.subscribe() as subscription:
        await response.prepare(request)
        beat = asyncio.create_task(_beat(response, subscription))
        try:
            await response.write(b"retry: 1000\n\n")
            async for event in subscription:
                await response.write(f"data: {json.dumps(_told(service, event))}\n\n".encode())
        except ConnectionResetError:
            pass  # the browser went away
        finally:
            beat.cancel()
    return response


async def _beat(response: web.StreamResponse, subscription: Subscription) -> None:
    while True:
        await asyncio.sleep(_BEAT)
        try:
            await response.write(b": still here\n\n")
        except ConnectionResetError:
            subscription.close()
            return


def _told(service: Service, event: Event) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": event.kind, "id": event.id}
    job = service.store.job(event.id) if event.kind == "job" else None
    if job is not None:
        told["row"] = job_row(service, job)
    return told


def _product(service: Service, job_id: str, *, is_preview: bool) -> web.StreamResponse:
    job = service.store.job(job_id)
    asset = service.asset_of(job) if job is not None else None
    file: StoredFile | None = None
    if asset is not None:
        file = asset.preview if is_preview else asset.file
    if file is not None and file.path.is_file():
        return web.FileResponse(file.path, headers=_product_headers(file.content_type, file.name))
    product = service.recent.get(job_id)
    content = None if product is None else product.preview if is_preview else product.content
    if product is None or content is None:
        raise Refusal(404, "The product is not here")
    content_type = (product.preview_content_type or "") if is_preview else product.content_type
    return web.Response(body=content, headers=_product_headers(content_type, f"{job_id}.{product.extension}"))


def _product_headers(content_type: str, name: str) -> dict[str, str]:
    kind = document_kind(content_type)
    shown = kind != "file"
    return {
        **_COMMON,
        "Content-Type": _SHOWN_TYPES.get(kind, content_type if shown else "application/octet-stream"),
        "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": "frame-ancestors 'self'" if kind == "pdf" else _PRODUCT_POLICY,
    }


def _data(data: Any) -> web.Response:
    return web.json_response(data, headers=_COMMON)


def _static(name: str) -> web.Response:
    headers = {**_COMMON, "Content-Security-Policy": _PAGE_POLICY}
    return web.Response(
        body=_content(name), content_type=_TYPES[name[name.rindex(".") :]], charset="utf-8", headers=headers
    )


@cache
def _content(name: str) -> bytes:
    return (files("cloudlayer_async.emulator.page") / "static" / name).read_bytes()
