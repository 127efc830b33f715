"""From a request object to a submitted conversion: the one path on which credits are spent."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from .config import ClientConfig
from .conversion import AsyncConversion, HeldProduct, job_of_product
from .downloads import in_thread
from .errors import ValidationError
from .jobs import Jobs
from .jsontext import WireFault
from .models import Job
from .protocol import MAX_JSON_BYTES, HttpCall, Reply, as_model, conversion_call, is_product, read_data
from .redaction import shown
from .requests import REQUEST_TYPES, BaseOptions, with_defaults
from .transport import Transport, logger
from .verdict import error_message, refusal_of
from .wire import inline_source

_JOB_TYPES: Final = {"merge_pdfs": "merge-pdf"}
"""The service's names of job types that are not our kind with hyphens (contract section 5.1)."""


async def submit_request(
    request: BaseOptions,
    *,
    config: ClientConfig,
    transport: Transport,
    jobs: Jobs,
    repeat_refused: bool = True,
    before_sending: Callable[[], object] | None = None,
) -> AsyncConversion:
    """Checks a request, sends it once, and gives its handle; see `AsyncCloudlayer.submit` and `Transport.send`."""
    kind = getattr(type(request), "kind", None)
    if kind is None or REQUEST_TYPES.get(kind) is not type(request):
        raise ValidationError(f"request must be one of the ten request objects, not {shown(request)}", field="request")
    request = with_defaults(request, config.defaults)
    source = inline_source(request)
    call = conversion_call(
        request,
        version=config.api_version,
        source=await in_thread(partial(_file_bytes, source, request)) if isinstance(source, Path) else source,
        upload_options=config.upload_options,
        local=config.is_local,
    )
    job_type = _JOB_TYPES.get(kind) or kind.replace("_to_", "-")
    job, reply = await transport.send(
        call, lambda reply: _read(call, reply), repeat_refused=repeat_refused, before_sending=before_sending
    )
    if job is not None:
        logger.info("%s accepted: job %s", kind, job.id)
        jobs.submitted(job.id, has_webhook=request.webhook is not None)
        return AsyncConversion(
            transport=transport,
            jobs=jobs,
            version=config.api_version,
            job=job,
            reply=reply,
            job_type=job_type,
            submitted_at=time.monotonic(),
        )
    info = reply.info()
    logger.info("%s done: %s came with the reply", kind, info.worker_job_id or "the product")
    held = HeldProduct(reply, fallback=request.filename or request.name)
    job = job_of_product(held, info, name=request.name, job_type=job_type)
    return AsyncConversion(transport=transport, jobs=jobs, version=config.api_version, job=job, reply=reply, held=held)


def _read(call: HttpCall, reply: Reply) -> tuple[Job | None, Reply]:
    """The job, or none where the reply holds the product (contract section 3: by Content-Type, never by version)."""
    if reply.is_json:
        data = read_data(reply)
        if isinstance(data, dict) and data.get("allowed") is False:
            raise refusal_of(call, reply, error_message(reply.body.decode("utf-8", "replace")))
        return as_model(data, Job), reply
    if is_product(call, reply):
        return None, reply
    content_type = reply.headers.get("content-type", "no content type")
    raise WireFault(f"expected a job or the {call.product}, got {len(reply.body):,} bytes of {shown(content_type)}")


def _file_bytes(path: Path, request: BaseOptions) -> bytes:
    try:
        # One byte more than fits, so that a file too large is noticed without being read whole.
        with path.open("rb") as file:
            data: Any = file.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        raise ValidationError(
            f"{type(request).__name__}.html: {str(path)!r} cannot be read: {error.strerror}", field="html"
        ) from None
    return bytes(data)
