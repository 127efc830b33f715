"""What an HTTP reply means: success, or which error, and whether it may be billed. The status table of the design. Pure."""

from __future__ import annotations

import html
import json
import re
from http import HTTPStatus
from typing import Any, Final

from .errors import (
    AmbiguousSubmissionError,
    ApiError,
    AuthenticationError,
    BadRequestError,
    CloudlayerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ServiceUnavailableError,
    UnexpectedResponseError,
)
from .jsontext import WireFault, parse_json
from .models import Attempt
from .protocol import CallKind, HttpCall, Reply, response_info
from .redaction import in_words
from .retry import Fault

_SHOWN_BODY: Final = 16 * 1024
_CLASSES: Final[dict[int, type[ApiError]]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: BadRequestError,
    415: BadRequestError,
    422: BadRequestError,
    429: RateLimitError,
    503: ServiceUnavailableError,
}


def fault_of(reply: Reply, retry_after: float | None) -> Fault | None:
    """What a reply means for repeating the call; None for success."""
    status = reply.status
    if 200 <= status < 300:
        return None
    if status == 429 or (status == 503 and retry_after is not None):
        return Fault.REFUSED
    return Fault.UNKNOWN if status >= 500 else Fault.FINAL


def error_of(
    call: HttpCall, reply: Reply, retry_after: float | None, history: tuple[Attempt, ...], note: str = ""
) -> CloudlayerError:
    """The error for a reply that is not a success.

    Args:
        call: What was asked.
        reply: What came; its body already freed of the key.
        retry_after: What the reply asked to wait, in seconds.
        history: The attempts.
        note: Why it was not repeated, where that needs saying.
    """
    status = reply.status
    body = body_text(reply)
    message = error_message(reply.body.decode("utf-8", "replace")) or _phrase(status)
    info = response_info(status, reply.headers)
    submits = call.kind is CallKind.CONVERSION
    if status < 400:
        return UnexpectedResponseError(
            f"HTTP {status}: redirects are not followed, since they would carry the request elsewhere",
            status=status,
            body=body,
            info=info,
            request=call.label,
            history=history,
            maybe_billed=submits,
        )
    if (
        status >= 500
        and status != 500
        and call.kind is not CallKind.READ
        and not (status == 503 and retry_after is not None)
    ):
        return AmbiguousSubmissionError(
            f"HTTP {status}: {message}; it is not known whether the request was accepted{note}",
            status=status,
            info=info,
            name=call.name,
            request=call.label,
            history=history,
            maybe_billed=submits,
        )
    cls = _CLASSES.get(status) or (ServerError if status >= 500 else ApiError)
    error = cls(
        message + note,
        status=status,
        body=body,
        info=info,
        retry_after=retry_after,
        request=call.label,
        history=history,
        maybe_billed=submits and status in (408, 500),
    )
    error.message = message  # the service's own words, without the note
    return error


def refusal_of(call: HttpCall, reply: Reply, message: str) -> ApiError:
    """The error for a refusal that came inside a successful reply."""
    info = response_info(reply.status, reply.headers)
    return ApiError(message, status=reply.status, body=body_text(reply), info=info, request=call.label)


def unexpected(
    call: HttpCall, reply: Reply, fault: WireFault | str, history: tuple[Attempt, ...] = ()
) -> UnexpectedResponseError:
    """The error for a successful reply that cannot be read. A job id in it is kept: the job is not lost."""
    path = fault.path if isinstance(fault, WireFault) else "$"
    return UnexpectedResponseError(
        f"HTTP {reply.status} with a body that cannot be used: {fault} (at {path})",
        path=path,
        status=reply.status,
        body=body_text(reply),
        info=response_info(reply.status, reply.headers),
        request=call.label,
        history=history,
        maybe_billed=call.kind is CallKind.CONVERSION,
        job_id=_salvaged_id(reply.body) if call.kind is CallKind.CONVERSION else None,
    )


def body_text(reply: Reply) -> str:
    """The start of a reply's body as text."""
    return reply.body[:_SHOWN_BODY].decode("utf-8", "replace")


_TITLE: Final = re.compile(r"<title[^<>]*>([^<]*)</title>", re.IGNORECASE)
_TRUNCATED_ID: Final = re.compile(r'"(?:id|jobId)"\s*:\s*"([^"\\\s]{1,200})"')


def _salvaged_id(body: bytes) -> str | None:
    # Also out of a truncated or mislabelled body: a paid job's id is worth a guess that look-up can confirm.
    match = _TRUNCATED_ID.search(body[:_SHOWN_BODY].decode("utf-8", "replace"))
    return match[1] if match else None


def error_message(body: str) -> str:
    """The service's own words in an error body of any shape (contract section 5.7), shortened."""
    try:
        data: Any = parse_json(body.removeprefix("\ufeff"))
    except WireFault:
        title = _TITLE.search(body[:_SHOWN_BODY])
        data = html.unescape(title[1]) if title else "" if "<" in body[:200] else body
    if isinstance(data, dict):
        data = next((data[key] for key in ("message", "reason", "error") if data.get(key)), "")
    if isinstance(data, list) and all(isinstance(item, str) for item in data):
        data = "; ".join(data)
    return in_words(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no message"
