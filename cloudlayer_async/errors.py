"""Every error that leaves this package. Plain data, picklable, without secrets.

Two facts are on each of them, because they decide what a caller does next:

* `maybe_billed`: the conversion may have been accepted, so sending it again may cost a second time.
* `job_id`: the job to resume from (`client.attach(job_id)`), where one is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .redaction import in_words, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from .models import Attempt, Job, ResponseInfo


def _rebuild(cls: type[CloudlayerError], args: tuple[Any, ...], state: dict[str, Any]) -> CloudlayerError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class CloudlayerError(Exception):
    """The base of all errors of this package.

    Attributes:
        maybe_billed: The conversion may have been accepted and billed.
        job_id: The job this is about, when its id is known.
    """

    maybe_billed: bool = False
    job_id: str | None = None

    def __init__(self, message: str, *, maybe_billed: bool = False, job_id: str | None = None) -> None:
        super().__init__(message)
        self.maybe_billed = maybe_billed
        self.job_id = job_id

    def __reduce__(self) -> tuple[Callable[..., CloudlayerError], tuple[Any, ...]]:
        # The default calls cls(*args), which keyword-only constructors do not survive.
        return _rebuild, (type(self), self.args, dict(self.__dict__))


class ConfigError(CloudlayerError, ValueError):
    """The client cannot work as configured (missing key, plain-http address, unknown version, closed client, ...)."""


class ValidationError(CloudlayerError, ValueError):
    """A value was refused before anything was sent, or a text handed to a parser cannot be read.

    Attributes:
        field: The name of the field at fault, as the caller writes it.
    """

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class _CallError(CloudlayerError):
    """An error of one call.

    Attributes:
        request: The call, such as ``"POST /v2/html/pdf"``.
        history: Every attempt that was made, the last one included.
    """

    def __init__(
        self,
        message: str,
        *,
        request: str = "",
        history: tuple[Attempt, ...] = (),
        maybe_billed: bool = False,
        job_id: str | None = None,
    ) -> None:
        super().__init__(message, maybe_billed=maybe_billed, job_id=job_id)
        self.request = request
        self.history = history

    def __str__(self) -> str:
        text = super().__str__()
        if self.request:
            text += f" ({self.request})"
        if len(self.history) > 1:
            text += f" after {len(self.history)} attempts"
        return text


class ConnectionFailedError(_CallError, ConnectionError):
    """No connection, or it broke before a submission left: nothing was accepted.

    On a read it also stands for a connection that broke half-way, after every repeat failed.
    """


class RequestTimeoutError(_CallError, TimeoutError):
    """A read took longer than `Timeouts` allows, on every attempt. It may be repeated."""


class AmbiguousSubmissionError(_CallError):
    """The request left, but whether it was accepted is unknown: it may have been billed, so it was not repeated.

    Look the job up before sending it again: ``await client.find_jobs(name=...)``.

    Attributes:
        status: The HTTP status, when one came (502, 503, 504, 52x).
        info: The reply's headers, when one came.
        name: The job's `name`, when the request gave one.
    """

    def __init__(
        self,
        message: str,
        *,
        request: str = "",
        history: tuple[Attempt, ...] = (),
        maybe_billed: bool = True,
        status: int | None = None,
        info: ResponseInfo | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(message, request=request, history=history, maybe_billed=maybe_billed)
        self.status = status
        self.info = info
        self.name = name


class ApiError(_CallError):
    """The service refused the call.

    Attributes:
        status: The HTTP status. 200 where the service reports a refusal inside a successful reply.
        message: The service's own words, from whichever field carried them.
        body: The raw body as text, at most 16 KiB of it.
        info: The reply's headers, read (`cl-*`, rate limit).
        retry_after: Seconds the service asked to wait, or None.
        request: The call, such as ``"POST /v2/html/pdf"``.
        history: Every attempt that was made, the last one included.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        body: str = "",
        info: ResponseInfo | None = None,
        retry_after: float | None = None,
        request: str = "",
        history: tuple[Attempt, ...] = (),
        maybe_billed: bool = False,
        job_id: str | None = None,
    ) -> None:
        super().__init__(message, request=request, history=history, maybe_billed=maybe_billed, job_id=job_id)
        self.status = status
        self.message = message
        self.body = body
        self.info = info
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"HTTP {self.status}: {super().__str__()}"


class BadRequestError(ApiError):
    """400, 413, 415, 422: the service cannot work with the request as it is."""


class AuthenticationError(ApiError):
    """401: wrong or revoked key, or an account with unpaid bills (contract section 1.1)."""


class PermissionDeniedError(ApiError):
    """403: the key is known but may not do this."""


class NotFoundError(ApiError):
    """404: no such path, job, asset or template."""


class RateLimitError(ApiError):
    """429: too many requests. The request was refused, so nothing was billed."""


class ServerError(ApiError):
    """5xx. For a conversion the work may have run, so `maybe_billed` is True there."""


class ServiceUnavailableError(ServerError):
    """503. With a `retry_after` the request was refused and nothing was billed."""


class UnexpectedResponseError(_CallError):
    """The reply cannot be read, or is not what was asked for.

    Attributes:
        path: Where in the reply the fault is, such as ``$.id`` or ``$[3].status``.
        status: The HTTP status.
        body: The start of the raw body as text, at most 16 KiB of it.
        info: The reply's headers, read.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str = "$",
        status: int | None = None,
        body: str = "",
        info: ResponseInfo | None = None,
        request: str = "",
        history: tuple[Attempt, ...] = (),
        maybe_billed: bool = False,
        job_id: str | None = None,
    ) -> None:
        super().__init__(message, request=request, history=history, maybe_billed=maybe_billed, job_id=job_id)
        self.path = path
        self.status = status
        self.body = body
        self.info = info


class JobFailedError(CloudlayerError):
    """The conversion ran and failed. Whether a failed job is billed is not documented: see `job.api_credit_cost`.

    Attributes:
        job: The job as the service last showed it; `job.error` says why.
    """

    def __init__(self, job: Job) -> None:
        reason = in_words(job.error or "") or "the service gave no reason"
        super().__init__(f"job {shown(job.id)} failed: {reason}", maybe_billed=True, job_id=job.id or None)
        self.job = job


class JobTimeoutError(CloudlayerError, TimeoutError):
    """The job had not ended when the time to wait was over. It goes on at the service: ``attach(job_id)`` resumes.

    Attributes:
        job_id: The job to resume from.
        last_job: The job as last seen, or None when it was never seen.
    """

    def __init__(self, job_id: str, last_job: Job | None = None, *, waited: float | None = None) -> None:
        state = f"still {last_job.raw_status or last_job.status}" if last_job is not None else "never seen"
        after = f" after {waited:.1f} s" if waited is not None else ""
        super().__init__(
            f"job {shown(job_id)} is {state}{after}; it goes on at the service, attach(job_id) resumes the wait",
            maybe_billed=True,
            job_id=job_id,
        )
        self.last_job = last_job


class DownloadError(CloudlayerError):
    """The product exists, but its bytes could not be had. The conversion need not be paid again: `attach(job_id)`."""

    def __init__(self, message: str, *, job_id: str | None = None, maybe_billed: bool = True) -> None:
        super().__init__(message, maybe_billed=maybe_billed, job_id=job_id)


class AssetExpiredError(DownloadError):
    """The asset's address was refused, and a fresh one from the service was refused too."""


class StorageNotAllowedError(CloudlayerError):
    """The account's plan does not include user storage; the service says so on HTTP 200 (contract section 5.5)."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class BatchStoppedError(CloudlayerError):
    """A batch could not go on. Nothing is lost: the report names what was submitted and not settled.

    Attributes:
        report: The `BatchReport` as far as the batch came.
    """

    def __init__(self, message: str, *, report: Any, maybe_billed: bool = False) -> None:
        super().__init__(message, maybe_billed=maybe_billed)
        self.report = report


class JournalError(CloudlayerError):
    """The batch's journal cannot be used: another account's, in use by another process, damaged, or the disk is full."""
