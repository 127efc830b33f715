"""Error bodies, headers and status codes, in the shapes of one dialect."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from aiohttp import web

from .account import Account
from .checks import Refusal
from .dialects import Dialect
from .records import Job

CLUSTER = "emulator-1"


def error_response(dialect: Dialect, refusal: Refusal) -> web.Response:
    """Return the reply that a refusal gets."""
    status, message = refusal.status, refusal.message
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Error"
    headers = {"Retry-After": refusal.retry_after} if refusal.retry_after is not None else None
    body: dict[str, Any]
    match dialect.error_body:
        case "text":
            return web.Response(status=status, text=message, headers=headers)
        case "html":
            page = f"<html><title>{status} {phrase}</title><body><h1>{html.escape(message)}</h1></body></html>"
            return web.Response(status=status, text=page, content_type="text/html", headers=headers)
        case "empty":
            return web.Response(status=status, headers=headers)
        case "message":
            body = {"statusCode": status, "message": message}
        case "reason":
            body = {"allowed": False, "statusCode": status, "reason": message, "error": None}
        case "error":
            body = {"statusCode": status, "error": message}
        case "list":
            body = {"statusCode": status, "error": phrase, "message": [message]}
        case _:
            body = {"statusCode": status, "error": phrase, "message": message}
            if refusal.field is not None:
                body["details"] = {"field": refusal.field}
    return web.json_response(body, status=status, headers=headers)


def accepted_headers(job: Job) -> dict[str, str]:
    """Return the headers of every conversion's reply."""
    return {"cl-worker-job-id": job.worker_job_id, "cl-cluster-id": CLUSTER}


def finished_headers(job: Job, account: Account) -> dict[str, str]:
    """Return the headers of a finished conversion's reply."""
    headers: dict[str, Any] = {
        **accepted_headers(job),
        "cl-worker": job.worker,
        "cl-bandwidth": job.size,
        "cl-process-time": job.process_time,
    }
    if account.settings.plan == "usage":
        headers |= {
            "cl-charged-time": job.charged_time,
            "cl-bandwidth-cost": job.bandwidth_cost,
            "cl-process-time-cost": job.process_time_cost,
        }
    else:
        headers |= {"cl-calls-remaining": account.calls_remaining, "cl-api-credit-cost": job.credits}
    if job.engine:
        headers["X-Emulator-Engine"] = _header_safe(job.engine)
    return {name: str(value) for name, value in headers.items() if value is not None}


def disposition(filename: str, *, inline: bool) -> str:
    """Return a Content-Disposition; an inline one carries no file name, as the service has it."""
    if inline:
        return "inline"
    name = _header_safe(filename, keep_unicode=True)
    plain = name.encode("ascii", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    value = f'attachment; filename="{plain}"'
    if not name.isascii():
        value += f"; filename*=UTF-8''{quote(name, safe='')}"
    return value


def rate_headers(dialect: Dialect, *, limit: int, remaining: int, reset_in: int) -> Mapping[str, str]:
    """Return the headers that tell a client of its rate limit."""
    reset = reset_in if dialect.rate_reset == "seconds" else int(time.time()) + reset_in
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(reset),
    }


def _header_safe(text: str, *, keep_unicode: bool = False) -> str:
    text = re.sub(r"[\x00-\x1f\x7f]", "", text)
    return text if keep_unicode else text.encode("ascii", "replace").decode()
