"""`WebhookReceiver`: takes what the service posts, believes none of it, and wakes whoever waits."""

from __future__ import annotations

import hmac
import inspect
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self
from urllib.parse import unquote

from ..client import AsyncCloudlayer
from ..errors import ConfigError, ValidationError
from ..redaction import shown
from ..transport import logger
from .bodies import BodyLimits
from .inquiries import Inquiries, OnError
from .limits import UnknownJobs
from .notifier import Notifier, OnJob
from .parsing import MAX_BODY, parse_webhook

if TYPE_CHECKING:
    from aiohttp import web

    from .asgi import ASGIApplication

Headers = Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
Verify = Callable[[Mapping[str, str], bytes], bool | Awaitable[bool]]
"""Sees the headers (names in lower case) and the raw body; True when they surely come from the service or your relay."""

_LONGEST_PATH: Final = 8192


class WebhookReceiver:
    """Receives the webhooks of one account, for a client and all its siblings.

    The service signs nothing and promises no order, so that a webhook is only a hint: the job is read again by its id, with
    the client's key, before anyone is told. Then whoever waits for the job wakes (`wait`, `result`, `save`, batches), and
    `on_job` is called, once for each final state of a job, whatever comes twice or late. While a receiver is attached, jobs
    submitted with a `webhook` are polled only every `PollSchedule.max_interval` seconds, so that a lost webhook costs time
    and nothing else; their end is then told to `on_job` by the waiter who finds it.

    It is attached to the client from its making until `aclose()`: use it as ``async with WebhookReceiver(...) as receiver``
    or call `aclose()`, before the client is closed. It closes neither the client nor the server it is used in.

    Serve it with `aiohttp_handler` or `aiohttp_app`, with `asgi`, or with anything else through `handle`, in the event loop
    of the client.

    Args:
        client: Reads the jobs. Those submitted by a sibling are read as the sibling does.
        path_token: An unguessable text (``secrets.token_urlsafe(32)``) that ends the address given to the service. Whoever
            does not know it gets 404 and causes nothing; whoever does is not limited by `unknown`.
        on_job: Called with each job that has ended, well or badly; a coroutine function is awaited. It is called again,
            after growing pauses, when it raises. A plain function that takes long stops the loop.
        verify: ``"refetch"`` for the above. A function is asked as well, before anything else is done: it sees the headers
            and the raw body, and answers whether they surely come from the service or a relay of yours; see
            `verify_signature`. When it says so the webhook is not limited by `unknown`; else it gets 401.
        max_body: Bytes that a body may have; more gets 413.
        body_timeout: Seconds in which a body must have arrived; else the sender gets 408.
        dedupe: How many final states are remembered as told; the oldest are forgotten first.
        attempts: How often a job is read, and `on_job` called, until it works. Pauses grow from 0.25 s to 60 s; the default
            makes it two minutes.
        on_error: A plain function, called with a job's id and the error when all attempts failed, or the receiver was
            closed before. It is logged, too.
        max_pending: Webhooks that are taken and not yet settled; more get 503, so that nothing is taken and dropped.
        concurrency: Calls of `on_job` at the same time.
        unknown: How many webhooks are looked into of jobs that neither this client nor a sibling submitted or waits for.

    Raises:
        ConfigError: A setting cannot be used.
    """

    def __init__(
        self,
        client: AsyncCloudlayer,
        *,
        path_token: str | None = None,
        on_job: OnJob | None = None,
        verify: Literal["refetch"] | Verify = "refetch",
        max_body: int = MAX_BODY,
        body_timeout: float = 10.0,
        dedupe: int = 100_000,
        attempts: int = 10,
        on_error: OnError | None = None,
        max_pending: int = 1_000,
        concurrency: int = 16,
        unknown: UnknownJobs = UnknownJobs(),  # noqa: B008 (frozen)
    ) -> None:
        if not isinstance(client, AsyncCloudlayer):
            raise ConfigError(f"client must be an AsyncCloudlayer, not {shown(client)}")
        if path_token is not None and (not isinstance(path_token, str) or not path_token.strip("/")):
            raise ConfigError("path_token must be a text that nobody can guess, such as secrets.token_urlsafe(32)")
        if verify != "refetch" and not callable(verify):
            raise ConfigError(f'verify must be "refetch" or a function of headers and body, not {shown(verify)}')
        for name, function in (("on_job", on_job), ("on_error", on_error)):
            if function is not None and not callable(function):
                raise ConfigError(f"{name} must be callable, not {shown(function)}")
        if inspect.iscoroutinefunction(on_error):
            raise ConfigError("on_error must be a plain function: nothing awaits it")
        if not isinstance(unknown, UnknownJobs):
            raise ConfigError(f"unknown must be an UnknownJobs, not {shown(unknown)}")
        self._session = client._family.session
        self._announcements = client._family.announcements
        self._token = None if path_token is None else path_token.strip("/")
        self._verify = None if verify == "refetch" else verify
        self._max_body = _count(max_body, "max_body")
        self.body_limits: Final = BodyLimits(max_body, _seconds(body_timeout, "body_timeout"))
        """What the adapters go by."""
        notifier = Notifier(
            on_job,
            attempts=_count(attempts, "attempts"),
            concurrency=_count(concurrency, "concurrency"),
            remembered=_count(dedupe, "dedupe"),
        )
        self._inquiries = Inquiries(
            self._announcements,
            client.get_job,
            notifier,
            on_error=on_error,
            attempts=attempts,
            max_pending=_count(max_pending, "max_pending"),
            unknown=unknown,
        )
        self._announcements.attach(self._inquiries)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self, *, grace: float = 5.0) -> None:
        """Detaches from the client and ends every task. Doing so twice is fine.

        Webhooks get 503 from now on, and waiting jobs are polled. Calls of `on_job` that are under way, or due, may come to
        their end; what has not after `grace` seconds is cancelled, logged and given to `on_error`. The client stays open.
        """
        self._announcements.detach(self._inquiries)
        await self._inquiries.aclose(grace)

    # --- receiving ----------------------------------------------------------------------------------------------------

    def lets_in(self, path: str) -> bool:
        """Whether a path ends in the token, where there is one. How long it takes says nothing of the token's text."""
        if self._token is None:
            return True
        if not isinstance(path, str) or len(path) > _LONGEST_PATH:
            return False
        token = self._token.encode("utf-8", "surrogatepass")
        right = False
        for form in (path, unquote(path)):  # servers differ in whether they decode it
            segments = form.partition("?")[0].strip("/").split("/")
            end = "/".join(segments[-1 - self._token.count("/") :])
            right |= hmac.compare_digest(end.encode("utf-8", "surrogatepass"), token)
        return right

    async def handle(self, headers: Headers, body: bytes, *, path: str = "") -> tuple[int, bytes]:
        """Takes one webhook, for any server. Never raises for what a stranger sends, and answers before the job is read.

        Args:
            headers: The request's headers. Only a `verify` function looks at them.
            body: The raw body.
            path: The request's path, decoded or not; only its end counts. Needed with `path_token`.

        Returns:
            The status and the body to answer with: 200 taken, or known already; 400 no webhook; 401 refused by `verify`;
            404 no or a wrong token; 413 too large; 503 not now (too many, or closed), so it should come again.
        """
        if not self.lets_in(path):
            return 404, b"not found"
        try:
            if len(body) > self._max_body:
                return 413, b"too large"
            if self._verify is not None and not await self._is_verified(headers, body):
                return 401, b"not verified"
            job = parse_webhook(body, max_body=self._max_body)
        except (ValidationError, TypeError):
            return 400, b"not a webhook of a job"
        try:
            self._session.enter()
        except ConfigError as error:
            logger.error("a webhook cannot be taken: %s", error)
            return 503, b"not now"
        trusted = self._token is not None or self._verify is not None
        return (200, b"ok") if self._inquiries.take(job, trusted=trusted) else (503, b"not now")

    async def _is_verified(self, headers: Headers, body: bytes) -> bool:
        assert self._verify is not None
        try:
            answer = self._verify(_plain_headers(headers), bytes(body))
            return bool(await answer if inspect.isawaitable(answer) else answer)
        except Exception:  # foreign code on foreign data
            logger.exception("verify raised: the webhook is refused")
            return False

    # --- serving ------------------------------------------------------------------------------------------------------

    async def aiohttp_handler(self, request: web.Request) -> web.Response:
        """A handler for aiohttp.web: ``app.router.add_post("/hooks/{token}", receiver.aiohttp_handler)``."""
        from .aiohttp_server import respond

        return await respond(self, request)

    def aiohttp_app(self) -> web.Application:
        """A sub-application for aiohttp.web: ``app.add_subapp("/hooks", receiver.aiohttp_app())``.

        It does not close the receiver.
        """
        from .aiohttp_server import application

        return application(self)

    @property
    def asgi(self) -> ASGIApplication:
        """An ASGI application: ``app.mount("/hooks", receiver.asgi)`` in FastAPI and Starlette.

        A mounted one does not close the receiver. As a server's only application it does, when the server stops.
        """
        from .asgi import ASGIApplication

        return ASGIApplication(self)


def _plain_headers(headers: Any) -> dict[str, str]:
    pairs = headers.items() if hasattr(headers, "items") else headers
    return {_text(name).lower(): _text(value) for name, value in pairs}


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _count(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} must be an int of at least 1, not {shown(value)}")
    return value


def _seconds(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ConfigError(f"{name} must be a number of seconds above zero, not {shown(value)}")
    return value
