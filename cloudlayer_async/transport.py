"""The one place where requests leave: key, attempts, time limits, streaming.

A `Transport` is one client's way of using the session that it shares with its siblings. Errors are raised outside of
`except` blocks on purpose: aiohttp's exceptions hold the request with its key, and must not hang on ours.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, lru_cache
from typing import Any, Final, TypeAlias, TypeVar

import aiohttp
import attrs
from aiohttp.payload import Payload
from yarl import URL

from .errors import (
    AmbiguousSubmissionError,
    CloudlayerError,
    ConfigError,
    ConnectionFailedError,
    RateLimitError,
    RequestTimeoutError,
)
from .exchange import DirectSession
from .jsontext import WireFault
from .models import Attempt, Limits
from .protocol import CallKind, HttpCall, Reply, parse_retry_after, response_info
from .receiving import Outcome, described, receive, without_key
from .redaction import Secret
from .retry import Fault, RetryPolicy, Timeouts, wait_before_repeat
from .session import Download, SharedSession
from .upload import NO_BODY, Departure, Upload
from .verdict import error_of, fault_of, unexpected

_T = TypeVar("_T")

KeySource: TypeAlias = Secret | Callable[[], str | Awaitable[str]]
"""An API key, or a function (plain or async) that gives the key of the moment."""

logger: Final = logging.getLogger("cloudlayer_async")

_USUAL_TYPES: Final = (None, "application/json")
_SLOWEST_UPLOAD: Final = 32_000
"""Bytes a second that an upload is expected to make at the least; its time limit grows by its size over this."""
_UNIX_TIMES: Final = 1_000_000_000
"""Where a rate limit's reset is above this it is a Unix time, else the seconds left: the sources do not agree."""
_LAST_READ: Final = 5.0
"""A read made at the end of somebody's patience is given this many seconds."""


class Transport:
    """Sends calls with one client's key, limits and observers.

    Args:
        shared: The session.
        base_url: Scheme, host and an optional path prefix, without the version.
        key: Where the key comes from.
        timeouts: The limits of each phase.
        retry: The limits of repeating.
        on_attempt: Sees every attempt; what it raises is logged and goes no further, since a job may hang on the call.
        on_repeat: Called before a submission is sent once more.
    """

    def __init__(
        self,
        shared: SharedSession,
        *,
        base_url: str,
        key: KeySource,
        timeouts: Timeouts,
        retry: RetryPolicy,
        on_attempt: Callable[[Attempt], object] | None = None,
        on_repeat: Callable[[], object] | None = None,
    ) -> None:
        self.shared = shared
        self.timeouts = timeouts
        self.retry = retry
        self._address = URL(base_url, encoded=True)
        self._prefix = self._address.raw_path.rstrip("/")
        self._key = key
        self._conversion_urls: dict[str, URL] = {}
        """By path: there are ten of them, and an address parsed before is cheaper to send to."""
        self._options: dict[str, Any] | None = None
        """What requests to this address carry besides their own; known when the first one is sent."""
        self._usual_headers: dict[str | None, dict[str, str]] = {}
        """By content type, where the key is fixed and nothing depends on the session or the body."""
        self._on_attempt = on_attempt
        self._on_repeat = on_repeat

    # --- calls ------------------------------------------------------------------------------------------------------

    async def send(
        self,
        call: HttpCall,
        read: Callable[[Reply], _T],
        *,
        within: float | None = None,
        repeat_refused: bool = True,
        before_sending: Callable[[], object] | None = None,
    ) -> _T:
        """Sends a call, repeated where that is safe, and reads its reply.

        Args:
            call: The call.
            read: Makes the result out of a successful reply; a `WireFault` from it becomes an `UnexpectedResponseError`.
            within: Seconds after which nobody needs the answer any more; for reads.
            repeat_refused: False hands a refusal (429, 503 with Retry-After) to the caller at once, who will repeat it.
            before_sending: Called at the last moment before each attempt; what it raises comes out, and nothing is sent.

        Raises:
            CloudlayerError: As the design's table of section 4 says.
            asyncio.CancelledError: With `maybe_billed = True` and a note, when a submission had already left.
        """
        if within is not None:
            within = max(within, _LAST_READ)
        shared = self.shared
        shared.enter()
        upload = Upload(call) if call.json is not None or call.form else None
        policy = self.retry if upload is None or upload.repeatable else attrs.evolve(self.retry, attempts=1)
        history: list[Attempt] = []
        began = started = time.monotonic()
        maybe_accepted = False
        departure = NO_BODY
        try:
            while True:
                if shared.pace.remaining() or not shared.api_gate.take():
                    if not await self._admitted(math.inf if within is None else began + within):
                        raise self._held_back(call, tuple(history))
                    started = time.monotonic()
                body: Payload | None = None
                try:
                    if before_sending is not None:
                        before_sending()
                    if upload is not None:
                        departure = Departure()
                        body = upload.body(departure)
                except BaseException:
                    shared.api_gate.release()
                    raise
                # However long the wait for a place was: a read that is made at all is given the time for it.
                patience = None if within is None else max(_LAST_READ, began + within - started)
                outcome = await self._attempt(call, body, departure, upload.known_bytes if upload else 0, patience)
                reply, fault = outcome.reply, outcome.fault
                retry_after: float | None = None
                if reply is not None and not outcome.unreadable:
                    if (asked := reply.received.get("retry-after")) is not None:
                        retry_after = parse_retry_after(asked, time.time())
                    fault = fault_of(reply, retry_after)
                if fault is None and reply is not None:
                    watched = self._on_attempt is not None or logger.isEnabledFor(logging.DEBUG)
                    if watched:
                        self._observe(history, call, started, reply.status)
                    try:
                        # Freed of the key, should the service repeat it: what is read goes into models, errors and files.
                        return read(without_key(reply, outcome.key) if reply.is_json else reply)
                    except WireFault as found:
                        wire_fault = found
                    if not watched:
                        self._observe(history, call, started, reply.status)
                    if reply.spool is not None:
                        reply.spool.close()
                    raise unexpected(call, without_key(reply, outcome.key), wire_fault, tuple(history))
                wait = wait_before_repeat(
                    policy,
                    fault or Fault.FINAL,
                    is_read=call.kind is CallKind.READ,
                    attempt=len(history) + 1,
                    elapsed=time.monotonic() - began,
                    retry_after=retry_after,
                    random=random.random(),
                )
                if wait is not None and within is not None and time.monotonic() + wait > began + within:
                    wait = None
                if fault is Fault.REFUSED and not repeat_refused:
                    wait = None
                self._observe(
                    history,
                    call,
                    started,
                    reply.status if reply else None,
                    error=outcome.reason or None,
                    sent=fault is not Fault.NOT_SENT,
                    retry_in=wait,
                )
                if wait is None:
                    raise self._error(call, outcome, fault, retry_after, tuple(history))
                if call.kind is CallKind.CONVERSION:
                    maybe_accepted = maybe_accepted or fault is Fault.UNKNOWN
                    if self._on_repeat is not None:
                        self._on_repeat()
                departure = NO_BODY
                if fault is Fault.REFUSED:
                    shared.pace.hold(wait)
                else:
                    await asyncio.sleep(wait)
                started = time.monotonic()
        except CloudlayerError as error:
            error.maybe_billed = error.maybe_billed or maybe_accepted
            raise
        except BaseException as interruption:  # cancelled, Ctrl-C, or foreign code such as a trace config
            if call.kind is CallKind.CONVERSION and (departure.left or maybe_accepted):
                _mark_interrupted(interruption, call)
            raise

    async def _admitted(self, deadline: float) -> bool:
        """Waits for the end of a pause and for a place at the gate; False, and no place, when the pause ends too late."""
        shared = self.shared
        while True:
            if shared.pace.remaining() and not await shared.pace.ready(deadline):
                return False
            await shared.api_gate.acquire()
            if not shared.pace.remaining():
                return True
            shared.api_gate.release()  # the service has asked for silence meanwhile

    async def _attempt(
        self, call: HttpCall, body: Payload | None, departure: Departure, known_bytes: int, patience: float | None
    ) -> Outcome:
        """One attempt, in a place at the gate that it gives back: never raises for what the network or the service do."""
        shared = self.shared
        try:
            # The key first: while a function fetches it, the client may be closed.
            key = self._key if isinstance(self._key, Secret) else Secret(await self.current_key())
            session = shared.open()
            if self._options is None:
                self._options = shared.request_options(self._address)
            url = self._url(call)
            seconds, timeout = self._limits(call, known_bytes, patience)
            limit = shared.deadlines.within(seconds)
            shared.calls_under_way += 1
            try:
                with limit:
                    response = await session.request(
                        call.method,
                        url,
                        data=body,
                        headers=self._headers(session, key, body),
                        allow_redirects=False,
                        timeout=timeout,
                        **self._options,
                    )
                try:
                    self._note_limits(response.status, response.headers)
                    return await receive(call, response, key, limit)
                finally:
                    if call.form or not response.closed:  # read to its end it has let go of its connection already
                        response.release()
                        await response.wait_for_close()
            except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:
                not_sent = _never_connected(error) or (body is not None and not departure.possible)
                return Outcome(
                    fault=Fault.NOT_SENT if not_sent else Fault.UNKNOWN,
                    reason=departure.broken or described(error, key),
                    timed_out=isinstance(error, TimeoutError),
                    key=key,
                )
            finally:
                shared.calls_under_way -= 1
        finally:
            shared.api_gate.release()

    def _url(self, call: HttpCall) -> URL:
        if call.kind is CallKind.CONVERSION and not call.query and (known := self._conversion_urls.get(call.path)):
            return known
        url = self._address.with_path(self._prefix + call.path, encoded=True)
        if call.query:
            return url.with_query(call.query)
        if call.kind is CallKind.CONVERSION:
            self._conversion_urls[call.path] = url
        return url

    def _limits(self, call: HttpCall, known_bytes: int, patience: float | None) -> tuple[float, aiohttp.ClientTimeout]:
        """Seconds for the whole of an attempt, and what aiohttp is to watch over by itself."""
        connect, read = self.timeouts.connect, self.timeouts.read + call.render_seconds
        whole = connect + read + known_bytes // _SLOWEST_UPLOAD
        if call.render_seconds:
            # The product comes with the reply: it may take long to arrive, and only silence in it is limited to `read`.
            return whole + self.timeouts.job, _client_timeout(connect, read)
        return whole if patience is None else min(whole, patience), _client_timeout(connect, None)

    def _error(
        self,
        call: HttpCall,
        outcome: Outcome,
        fault: Fault | None,
        retry_after: float | None,
        history: tuple[Attempt, ...],
    ) -> CloudlayerError:
        converts = call.kind is CallKind.CONVERSION
        if outcome.reply is not None and not (outcome.unreadable and fault is Fault.UNKNOWN):
            reply = without_key(outcome.reply, outcome.key)
            if outcome.unreadable:
                return unexpected(call, reply, outcome.reason, history)
            note = self._too_long(retry_after, history) if fault is Fault.REFUSED and retry_after is not None else ""
            return error_of(call, reply, retry_after, history, note)
        if fault is Fault.NOT_SENT:
            return ConnectionFailedError(f"no connection: {outcome.reason}", request=call.label, history=history)
        if call.kind is not CallKind.READ:
            look_up = f'; look for it with find_jobs(name="{call.name}")' if converts and call.name else ""
            return AmbiguousSubmissionError(
                f"the request left and no answer came ({outcome.reason}): it may have been accepted{look_up}",
                name=call.name,
                request=call.label,
                history=history,
                maybe_billed=converts,
            )
        cls = RequestTimeoutError if outcome.timed_out else ConnectionFailedError
        return cls(f"no usable reply: {outcome.reason}", request=call.label, history=history)

    def _too_long(self, retry_after: float, history: tuple[Attempt, ...]) -> str:
        """Why a wait that the service asks for is not waited; empty when that is not the reason."""
        policy = self.retry
        spent = sum(attempt.elapsed + (attempt.retry_in or 0.0) for attempt in history)
        if retry_after > policy.max_retry_after:
            limit = f"max_retry_after={policy.max_retry_after:g}"
        elif spent + retry_after > policy.budget:
            limit = f"what is left of budget={policy.budget:g}"
        else:
            return ""
        return f"; it asks to wait {retry_after:g} s, more than {limit}"

    def _held_back(self, call: HttpCall, history: tuple[Attempt, ...]) -> RateLimitError:
        """The refusal that a call would get which nobody has the time to hold back."""
        left = self.shared.pace.remaining()
        return RateLimitError(
            f"the service has asked for silence for another {left:.1f} s",
            status=429,
            retry_after=left,
            request=call.label,
            history=history,
        )

    def _observe(
        self,
        history: list[Attempt],
        call: HttpCall,
        started: float,
        status: int | None,
        *,
        error: str | None = None,
        sent: bool = True,
        retry_in: float | None = None,
    ) -> None:
        attempt = Attempt(
            request=call.label,
            number=len(history) + 1,
            status=status,
            error=error,
            sent=sent,
            elapsed=time.monotonic() - started,
            retry_in=retry_in,
        )
        history.append(attempt)
        if logger.isEnabledFor(logging.DEBUG):
            next_one = "" if retry_in is None else f", next in {retry_in:.2f} s"
            said = (attempt.request, attempt.number, status or error, attempt.elapsed, next_one)
            logger.debug("%s attempt %d: %s in %.3f s%s", *said)
        if self._on_attempt is not None:
            try:
                self._on_attempt(attempt)
            except Exception:  # the observer is foreign code, and the reply it would drop may carry a paid job
                logger.exception("on_attempt raised; the call goes on")

    def _note_limits(self, status: int, received: Mapping[str, str]) -> None:
        if "x-ratelimit-limit" in received or "x-ratelimit-remaining" in received or "cl-calls-remaining" in received:
            info = response_info(status, {name.lower(): value for name, value in received.items()})
            known = self.shared.limits or Limits()
            seen = {
                field.name: value for field in attrs.fields(Limits) if (value := getattr(info, field.name)) is not None
            }
            self.shared.limits = attrs.evolve(known, **seen)
            left, reset = info.rate_limit_remaining, info.rate_limit_reset
            # Calls that are under way may use up what is left, so there is no waiting for the first refusal.
            if left is not None and reset is not None and left < self.shared.calls_under_way:
                seconds = reset - time.time() if reset > _UNIX_TIMES else reset
                if seconds <= self.retry.max_retry_after:
                    self.shared.pace.hold(seconds)

    async def current_key(self) -> str:
        """The key of the moment.

        Raises:
            ConfigError: The function that gives it gave none.
        """
        if isinstance(self._key, Secret):
            return self._key.reveal()
        answer = self._key()
        key = await answer if inspect.isawaitable(answer) else answer
        return check_key(key)

    def _headers(
        self, session: aiohttp.ClientSession | DirectSession, key: Secret, body: Payload | None
    ) -> dict[str, str]:
        content_type = None if body is None else body.content_type
        usual = key is self._key and session.auto_decompress and content_type in _USUAL_TYPES
        if usual and (kept := self._usual_headers.get(content_type)) is not None:
            return kept
        headers = {"X-API-Key": key.reveal(), "Accept": "application/json, */*;q=0.5", "User-Agent": _user_agent()}
        if content_type is not None:
            headers["Content-Type"] = content_type  # a borrowed session may have a default one
        if not session.auto_decompress:
            headers["Accept-Encoding"] = "identity"
        if usual:
            self._usual_headers[content_type] = headers
        return headers

    # --- downloads --------------------------------------------------------------------------------------------------

    async def download(self, url: str) -> Download:
        """Opens an asset's address, wherever it is, without the key. Redirects are followed: nothing secret travels.

        Raises whatever aiohttp raises: `downloads` turns that into errors of ours. The caller closes what it is given.
        """
        shared = self.shared
        shared.enter()
        gate = shared.download_gate
        if not gate.take():
            await gate.acquire()
        try:
            session = shared.open_for_downloads()
            # A signed address must arrive as it was given; only one that cannot travel so is encoded.
            address = URL(url, encoded=url.isascii() and " " not in url)
            silence = self.timeouts.read
            with shared.deadlines.within(self.timeouts.connect + silence):
                response = await session.get(
                    address,
                    headers=_download_headers(),
                    timeout=_client_timeout(self.timeouts.connect, None),
                    **shared.request_options(address),
                )
        except BaseException:
            gate.release()
            raise
        return Download(response, shared, silence)


def check_key(key: object) -> str:
    """A key fit for a header, freed of surrounding white space.

    Raises:
        ConfigError: It is missing, blank, or holds what a header cannot carry. The key itself is not shown.
    """
    if not isinstance(key, str) or not key.strip():
        raise ConfigError("api_key is missing: pass api_key=..., or set CLOUDLAYER_API_KEY")
    key = key.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError("api_key holds characters that no key has (spaces, control characters or non-ASCII)")
    return key


@lru_cache(maxsize=64)
def _client_timeout(connect: float, silence: float | None) -> aiohttp.ClientTimeout:
    # All four are set: the defaults differ between aiohttp's versions. `connect` would count the wait for a pooled
    # connection, and `total` costs a timer for each call: see `deadlines`.
    return aiohttp.ClientTimeout(total=None, connect=None, sock_connect=connect, sock_read=silence)


@cache
def _download_headers() -> dict[str, str]:
    # Identity, so that the length promised is the length to be counted.
    return {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": _user_agent()}


@cache
def _user_agent() -> str:
    from . import __version__

    return f"cloudlayer-async/{__version__} aiohttp/{aiohttp.__version__}"


def _never_connected(error: BaseException) -> bool:
    return isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL))


def _mark_interrupted(interruption: BaseException, call: HttpCall) -> None:
    """Design rule 4: a submission that was cut short when it had left says so, on the exception and in the log."""
    name = f" named {call.name!r}" if call.name else ""
    interruption.maybe_billed = True  # type: ignore[attr-defined]
    interruption.add_note(f"{call.label} had already left: the job{name} may exist and be billed; see find_jobs()")
    logger.warning("%s was cancelled after it left: the job%s may exist and be billed", call.label, name)
