"""The asset origin: a server of its own, on a port of its own, that knows nothing of API keys."""

from __future__ import annotations

from html import escape

from aiohttp import web

from .faults import HEADER, REQUEST_KINDS, faults_from_header
from .mischief import Handler, serve, shape
from .records import StoredFile
from .service import SERVICE, Service
from .visit import VISIT, Visit

_NAMES = ("assets", "GET asset")


def asset_app(service: Service) -> web.Application:
    """Return the application of the asset origin."""
    app = web.Application(middlewares=[_faults])
    app[SERVICE] = service
    app.router.add_get("/{id}/{name}", _serve_asset)
    return app


@web.middleware
async def _faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    service = request.app[SERVICE]
    service.seen.asset_requests += 1
    if "X-API-Key" in request.headers:
        service.seen.asset_requests_with_key += 1
    try:
        own = faults_from_header(",".join(request.headers.getall(HEADER, [])))
    except ValueError as error:
        return web.Response(status=400, text=str(error))
    VISIT.set(Visit(faults=own))
    if service.faults.pick({"expire"}, _NAMES, own):
        return _refused(403, "AccessDenied", "Request has expired")
    striking = service.faults.pick(REQUEST_KINDS, _NAMES, own)
    return await shape(request, await serve(request, handler, striking, service.dialect), striking)


async def _serve_asset(request: web.Request) -> web.StreamResponse:
    service = request.app[SERVICE]
    path = f"/{request.match_info['id']}/{request.match_info['name']}"
    if not service.links.allows(path, request.query.get("exp", ""), request.query.get("sig", "")):
        return _refused(403, "AccessDenied", "Request has expired or its signature does not match")
    file = _file(service, request.match_info["id"], request.match_info["name"])
    if file is None or not file.path.is_file():
        return _refused(404, "NoSuchKey", "The asset is not here")
    headers = {"Content-Type": file.content_type, "Content-Disposition": file.disposition}
    if VISIT.get().whole_body:
        return web.Response(body=file.path.read_bytes(), headers=headers)
    return web.FileResponse(file.path, headers=headers)


def _file(service: Service, asset_id: str, name: str) -> StoredFile | None:
    asset = service.store.asset(asset_id)
    if asset is None:
        return None
    files = {file.name: file for file in (asset.preview, asset.file) if file is not None}
    return files.get(name)


def _refused(status: int, code: str, message: str) -> web.Response:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    )
    return web.Response(status=status, text=text, content_type="application/xml")
