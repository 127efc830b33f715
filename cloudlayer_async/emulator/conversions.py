"""The endpoints that convert: accept a request, and reply with a job or with the product itself."""

from __future__ import annotations

import asyncio

from aiohttp import web

from .checks import Refusal
from .endpoints import ENDPOINTS, Endpoint
from .gate import names
from .intake import read_request
from .keeping import product_name
from .records import Job
from .rendering.model import Rendering
from .replies import accepted_headers, disposition, error_response, finished_headers
from .runner import Submission
from .service import SERVICE, Service
from .visit import VISIT


def add_routes(app: web.Application) -> None:
    """Add every conversion, in both versions."""
    for endpoint in ENDPOINTS:
        handler = _Handler(endpoint).handle
        app.router.add_post(f"/{{version:v[12]}}/{endpoint.path}", handler)
        if endpoint.takes_get:
            app.router.add_get(f"/{{version:v[12]}}/{endpoint.path}", handler, allow_head=False)


class _Handler:
    """Handles one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def handle(self, request: web.Request) -> web.StreamResponse:
        service = request.app[SERVICE]
        version = request.match_info["version"]
        try:
            intake = await read_request(request, self._endpoint, service.settings)
            conversion = service.validator.judge(
                self._endpoint, version, intake, storages=service.store.storages.keys()
            )
        except Refusal as refusal:
            service.seen.refused[refusal.field or ""] += 1
            raise
        if service.account.exhausted:
            raise Refusal(401, "The account has used up what its plan allows")
        if service.runner.closing:
            raise Refusal(503, "The emulator is shutting down")
        submission = service.runner.submit(
            self._endpoint,
            version,
            conversion,
            key=VISIT.get().key,
            names=names(request),
            faults=VISIT.get().faults,
        )
        if conversion.is_async:
            return _job_reply(service, submission.job, 202)
        return await _wait(service, submission)


async def _wait(service: Service, submission: Submission) -> web.StreamResponse:
    """Reply once the job has ended. The job goes on when the client does not wait for the reply."""
    job, work = submission.job, submission.work
    await asyncio.wait({work})
    if work.cancelled():
        raise Refusal(503, "The emulator is shutting down")
    rendering = work.result()
    if rendering is None:
        failed = error_response(service.dialect, Refusal(500, job.error or "The conversion failed"))
        failed.headers.update(accepted_headers(job))
        return failed
    if _replies_with_job(service, job):
        return _job_reply(service, job, 201)
    return _product_reply(service, job, rendering)


def _replies_with_job(service: Service, job: Job) -> bool:
    if job.version == "v1" or job.storage == "none":
        return False
    form = service.dialect.v2_sync
    return form == "job" or (form == "bytes-for-templates" and not job.type.startswith("template-"))


def _job_reply(service: Service, job: Job, status: int) -> web.Response:
    done = job.status == "success"
    headers = finished_headers(job, service.account) if done else accepted_headers(job)
    body = service.shapes.job(job, service.asset_of(job), "reply")
    return web.json_response(body, status=_status(service, status), headers=headers)


def _product_reply(service: Service, job: Job, rendering: Rendering) -> web.Response:
    headers = finished_headers(job, service.account)
    headers["Content-Type"] = rendering.content_type
    headers["Content-Disposition"] = disposition(product_name(job, rendering.extension), inline=job.inline)
    return web.Response(body=rendering.content, status=_status(service, 201), headers=headers)


def _status(service: Service, status: int) -> int:
    return 200 if service.dialect.success_codes == "200" else status
