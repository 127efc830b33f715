"""The service's endpoints other than conversions and storage: jobs, assets, account, status, templates."""

from __future__ import annotations

from aiohttp import web

from .checks import Refusal
from .service import SERVICE

routes = web.RouteTableDef()

_MOST_AT_ONCE = 100


def _paging(request: web.Request) -> tuple[int | None, int]:
    dialect = request.app[SERVICE].dialect
    if not dialect.list_paging:
        return dialect.list_default, 0
    limit: int | None = dialect.list_default
    if "limit" in request.query:
        limit = min(_count(request.query["limit"], "limit", 1), _MOST_AT_ONCE)
    return limit, _count(request.query.get("offset", "0"), "offset", 0)


def _count(value: str, field: str, minimum: int) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10 and int(value) >= minimum):
        raise Refusal(400, f"{field} must be an integer and not less than {minimum}", field)
    return int(value)


@routes.get("/{version:v[12]}/jobs")
async def list_jobs(request: web.Request) -> web.Response:
    """Jobs, newest first."""
    service = request.app[SERVICE]
    limit, offset = _paging(request)
    bodies = [service.job_body(job) for job in service.store.jobs(limit, offset)]
    return web.json_response(service.shapes.listing("jobs", bodies, limit=limit, offset=offset))


@routes.get("/{version:v[12]}/jobs/{id}")
async def get_job(request: web.Request) -> web.Response:
    """One job, with a fresh URL."""
    service = request.app[SERVICE]
    job = service.store.job(request.match_info["id"])
    if job is None:
        raise Refusal(404, "Job not found")
    return web.json_response(service.job_body(job))


@routes.get("/{version:v[12]}/assets")
async def list_assets(request: web.Request) -> web.Response:
    """Assets, newest first."""
    service = request.app[SERVICE]
    limit, offset = _paging(request)
    bodies = [service.shapes.asset(asset) for asset in service.store.assets(limit, offset)]
    return web.json_response(service.shapes.listing("assets", bodies, limit=limit, offset=offset))


@routes.get("/{version:v[12]}/assets/{id}")
async def get_asset(request: web.Request) -> web.Response:
    """One asset, with a fresh URL."""
    service = request.app[SERVICE]
    asset = service.store.asset(request.match_info["id"])
    if asset is None:
        raise Refusal(404, "Asset not found")
    return web.json_response(service.shapes.asset(asset))


@routes.get("/{version:v[12]}/account")
async def get_account(request: web.Request) -> web.Response:
    """The account's figures."""
    service = request.app[SERVICE]
    return web.json_response(service.shapes.account(service.store.asset_bytes))


@routes.get("/{version:v[12]}/getStatus")
async def get_status(request: web.Request) -> web.Response:
    """Whether the key works."""
    return web.json_response({"status": request.app[SERVICE].dialect.ok_word})


@routes.get("/v2/templates")
async def list_templates(request: web.Request) -> web.Response:
    """The gallery; needs no key."""
    service = request.app[SERVICE]
    found = service.gallery.search(
        type_=request.query.get("type", ""),
        category=request.query.get("category", ""),
        tags=request.query.get("tags", ""),
    )
    full = request.query.get("expand", "false").lower() == "true"
    return web.json_response([service.shapes.template(template, full=full) for template in found])


@routes.get("/v2/template/{id}")
async def get_template(request: web.Request) -> web.Response:
    """One gallery template; needs no key."""
    service = request.app[SERVICE]
    template = service.gallery.template(request.match_info["id"])
    if template is None:
        raise Refusal(404, "Template not found")
    return web.json_response(service.shapes.template(template, full=True))
