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
import re
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache, lru_cache
from typing import BinaryIO, Final, TypeAlias, TypeVar, cast

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
from .jsontext import WireFault
from .models import Attempt, Limits
from .protocol import CallKind, HttpCall, Reply, is_json, parse_retry_after, response_info
from .redaction import Secret, in_words, redacted, shown_headers
from .retry import Fault, RetryPolicy, Timeouts, wait_before_repeat
from .session import Download, SharedSession
from .upload import Departure, Upload
from .verdict import error_of, fault_of, unexpected

_T = TypeVar("_T")

KeySource: TypeAlias = Secret | Callable[[], str | Awaitable[str]]
"""An API key, or a function (plain or async) that gives the key of the moment."""

logger: Final = logging.getLogger("cloudlayer_async")

_MEMORY_LIMIT: Final = 8 * 1024 * 1024
"""A product up to this size stays in memory (design section 4)."""
_JSON_LIMIT: Final = 64 * 1024 * 1024
_ERROR_LIMIT: Final = 64 * 1024
_SLOWEST_UPLOAD: Final = 32_000
"""Bytes a second that an upload is expected to make at the least; its time limit grows by its size over this."""
_UNIX_TIMES: Final = 1_000_000_000
"""Where a rate limit's reset is above this it is a Unix time, else the seconds left: the sources do not agree."""
_LAST_READ: Final = 5.0
"""A read made at the end of somebody's patience is given this many seconds."""


@attrs.define(kw_only=True, eq=False)
class _Outcome:
    """What one attempt came to: a reply, or a fault in words."""

    reply: Reply | None = None
    fault: Fault | None = None
    reason: str = ""
    timed_out: bool = False
    unreadable: bool = False
    """A successful status came, and its body broke off or was too much."""
    key: Secret
    """The key that was sent."""


class Transport:
    """Sends calls with one client's key, limits and observers.

    Args:
        shared: The session.
        base_url: Scheme, host and an optional path prefix, without the version.
        key: Where the key comes from.
        timeouts: The limits of each phase.
        retry: The limits of repeating.
        on_attempt: Sees every attempt; what it raises is logged and goes no further, since a job may hang on the call.
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
    ) -> None:
        self.shared = shared
        self.timeouts = timeouts
        self.retry = retry
        self._base_url = base_url
        self._key = key
        self._on_attempt = on_attempt

    # --- calls ------------------------------------------------------------------------------------------------------

    async def send(
        self,
        call: HttpCall,
        read: Callable[[Reply], _T],
        *,
        within: float | None = None,
        repeat_refused: bool = True,
    ) -> _T:
        """Sends a call, repeated where that is safe, and reads its reply.

        Args:
            call: The call.
            read: Makes the result out of a successful reply; a `WireFault` from it becomes an `UnexpectedResponseError`.
            within: Seconds after which nobody needs the answer any more; for reads.
            repeat_refused: False hands a refusal (429, 503 with Retry-After) to the caller at once, who will repeat it.

        Raises:
            CloudlayerError: As the design's table of section 4 says.
            asyncio.CancelledError: With `maybe_billed = True` and a note, when a submission had already left.
        """
        if within is not None:
            within = max(within, _LAST_READ)
        self.shared.enter()
        upload = Upload(call)
        policy = self.retry if upload.repeatable else attrs.evolve(self.retry, attempts=1)
        history: list[Attempt] = []
        began = time.monotonic()
        maybe_accepted = False
        departure = Departure()
        try:
            while True:
                patience = None if within is None else began + within - time.monotonic()
                pace = self.shared.pace
                if pace.remaining() and not await pace.ready(math.inf if within is None else began + within):
                    raise self._held_back(call, tuple(history))
                body = upload.body(departure)
                started = time.monotonic()
                outcome = await self._attempt(call, body, departure, upload.known_bytes, patience)
                reply = outcome.reply
                retry_after = parse_retry_after(reply.headers.get("retry-after"), time.time()) if reply else None
                fault = fault_of(reply, retry_after) if reply and not outcome.unreadable else outcome.fault
                if fault is None and reply is not None:
                    watched = self._on_attempt is not None or logger.isEnabledFor(logging.DEBUG)
                    if watched:
                        self._observe(history, call, started, reply.status)
                    try:
                        return read(reply)
                    except WireFault as found:
                        wire_fault = found
                    if not watched:
                        self._observe(history, call, started, reply.status)
                    if reply.spool is not None:
                        reply.spool.close()
                    raise unexpected(call, _without_key(reply, outcome.key), wire_fault, tuple(history))
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
                maybe_accepted = maybe_accepted or (call.kind is CallKind.CONVERSION and fault is Fault.UNKNOWN)
                departure = Departure()
                if fault is Fault.REFUSED:
                    self.shared.pace.hold(wait)
                else:
                    await asyncio.sleep(wait)
        except CloudlayerError as error:
            error.maybe_billed = error.maybe_billed or maybe_accepted
            raise
        except BaseException as interruption:  # cancelled, Ctrl-C, or foreign code such as a trace config
            if call.kind is CallKind.CONVERSION and (departure.left or maybe_accepted):
                _mark_interrupted(interruption, call)
            raise

    async def _attempt(
        self, call: HttpCall, body: Payload | None, departure: Departure, known_bytes: int, patience: float | None
    ) -> _Outcome:
        """One attempt: never raises for what the network or the service did."""
        async with self.shared.api_gate:
            # The key first: while a function fetches it, the client may be closed.
            key = self._key if isinstance(self._key, Secret) else Secret(await self.current_key())
            session = self.shared.open()
            url = URL(self._base_url + call.path, encoded=True)
            if call.query:
                url = url.with_query(call.query)
            self.shared.calls_under_way += 1
            try:
                async with session.request(
                    call.method,
                    url,
                    data=body,
                    headers=self._headers(session, key, body),
                    allow_redirects=False,
                    timeout=self._limits(call, known_bytes, patience),
                    **self.shared.request_options(url),
                ) as response:
                    return await self._receive(call, response, key)
            except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:
                not_sent = _never_connected(error) or (body is not None and not departure.possible)
                return _Outcome(
                    fault=Fault.NOT_SENT if not_sent else Fault.UNKNOWN,
                    reason=departure.broken or _described(error, key),
                    timed_out=isinstance(error, TimeoutError),
                    key=key,
                )
            finally:
                self.shared.calls_under_way -= 1

    def _limits(self, call: HttpCall, known_bytes: int, patience: float | None) -> aiohttp.ClientTimeout:
        connect, read = self.timeouts.connect, self.timeouts.read + call.render_seconds
        whole = connect + read + known_bytes // _SLOWEST_UPLOAD
        if call.render_seconds:
            # The product comes with the reply: it may take long to arrive, and only silence in it is limited to `read`.
            return _client_timeout(whole + self.timeouts.job, connect, read)
        return _client_timeout(whole if patience is None else min(whole, patience), connect, None)

    async def _receive(self, call: HttpCall, response: aiohttp.ClientResponse, key: Secret) -> _Outcome:
        """Reads a body as far as it comes: what came of a broken one may still name a job."""
        headers = shown_headers(response.headers, key)
        self._note_limits(response.status, headers)
        succeeded = 200 <= response.status < 300
        product = succeeded and call.kind is CallKind.CONVERSION and not is_json(headers)
        limit = _MEMORY_LIMIT if product else _JSON_LIMIT if succeeded else _ERROR_LIMIT
        pieces = bytearray()
        spool: BinaryIO | None = None
        reason = ""
        timed_out = too_much = False
        try:
            while chunk := await response.content.readany():
                if spool is not None:
                    await asyncio.to_thread(spool.write, chunk)
                    continue
                pieces += chunk
                if len(pieces) <= limit:
                    continue
                if not product:
                    too_much = True
                    reason = f"the reply is larger than {limit:,} bytes"
                    break
                spool = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 (the reply owns it)
                await asyncio.to_thread(spool.write, bytes(pieces))
                pieces.clear()
            if spool is not None:
                await asyncio.to_thread(spool.seek, 0)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            timed_out = isinstance(error, TimeoutError)
            reason = f"the reply broke off: {_described(error, key)}"
        except BaseException:
            _let_go(spool)
            raise
        if reason and spool is not None:
            _let_go(spool)
            spool = None
        reply = Reply(status=response.status, headers=headers, body=bytes(pieces), spool=spool)
        if not reason or not succeeded:
            return _Outcome(reply=reply, key=key)
        # What was accepted is not sent again, whatever became of the answer; neither is what will be as large next time.
        repeatable = call.kind is CallKind.READ and not too_much
        return _Outcome(
            reply=reply,
            fault=Fault.UNKNOWN if repeatable else Fault.FINAL,
            reason=reason,
            timed_out=timed_out,
            unreadable=True,
            key=key,
        )

    def _error(
        self,
        call: HttpCall,
        outcome: _Outcome,
        fault: Fault | None,
        retry_after: float | None,
        history: tuple[Attempt, ...],
    ) -> CloudlayerError:
        converts = call.kind is CallKind.CONVERSION
        if outcome.reply is not None and not (outcome.unreadable and fault is Fault.UNKNOWN):
            reply = _without_key(outcome.reply, outcome.key)
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

    def _note_limits(self, status: int, headers: dict[str, str]) -> None:
        if "x-ratelimit-limit" in headers or "x-ratelimit-remaining" in headers or "cl-calls-remaining" in headers:
            info = response_info(status, headers)
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

    @staticmethod
    def _headers(session: aiohttp.ClientSession, key: Secret, body: Payload | None) -> dict[str, str]:
        headers = {"X-API-Key": key.reveal(), "Accept": "application/json, */*;q=0.5", "User-Agent": _user_agent()}
        if body is not None:
            headers["Content-Type"] = body.content_type  # a borrowed session may have a default one
        if not session.auto_decompress:
            headers["Accept-Encoding"] = "identity"
        return headers

    # --- downloads --------------------------------------------------------------------------------------------------

    async def download(self, url: str) -> Download:
        """Opens an asset's address, wherever it is, without the key. Redirects are followed: nothing secret travels.

        Raises whatever aiohttp raises: `downloads` turns that into errors of ours. The caller closes what it is given.
        """
        self.shared.enter()
        gate = self.shared.download_gate
        await gate.acquire()
        try:
            session = self.shared.open_for_downloads()
            # A signed address must arrive as it was given; only one that cannot travel so is encoded.
            address = URL(url, encoded=url.isascii() and " " not in url)
            response = await session.get(
                address,
                # Identity, so that the length promised is the length to be counted.
                headers={"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": _user_agent()},
                timeout=_client_timeout(math.inf, self.timeouts.connect, self.timeouts.read),
                **self.shared.request_options(address),
            )
        except BaseException:
            gate.release()
            raise
        return Download(response, gate)


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
def _client_timeout(total: float, connect: float, silence: float | None) -> aiohttp.ClientTimeout:
    # All four are set: the defaults differ between aiohttp's versions. `connect` would count the wait for a pooled
    # connection, and is left to `total`.
    whole = None if math.isinf(total) else total
    return aiohttp.ClientTimeout(total=whole, connect=None, sock_connect=connect, sock_read=silence)


@cache
def _user_agent() -> str:
    from . import __version__

    return f"cloudlayer-async/{__version__} aiohttp/{aiohttp.__version__}"


def _never_connected(error: BaseException) -> bool:
    return isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL))


def _described(error: BaseException, key: Secret) -> str:
    """An exception in words: its type and reason; no address with credentials, no key."""
    if isinstance(error, aiohttp.ClientResponseError):
        words = error.message  # its status is made up where the reply was no HTTP
    elif isinstance(error, TimeoutError):
        words = "timed out"
    else:
        try:
            words = str(error)
        except Exception:  # aiohttp's own, when made by hand as tests do
            words = str(getattr(error, "strerror", None) or "")
    words = re.sub(r"//\S*@", "//***@", words)
    words = in_words(redacted(re.sub(r"\?[^\s'\"]+", "?…", words), key.reveal()))
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _without_key(reply: Reply, key: Secret) -> Reply:
    """A reply whose body does not repeat the key, for use in an error."""
    return attrs.evolve(reply, body=reply.body.replace(key.reveal().encode(), b"***"))


def _let_go(spool: BinaryIO | None) -> None:
    """Closes a file whose content nobody wants: that its last bytes cannot be written is no matter."""
    if spool is not None:
        with suppress(OSError):
            spool.close()


def _mark_interrupted(interruption: BaseException, call: HttpCall) -> None:
    """Design rule 4: a submission that was cut short when it had left says so, on the exception and in the log."""
    name = f" named {call.name!r}" if call.name else ""
    interruption.maybe_billed = True  # type: ignore[attr-defined]
    interruption.add_note(f"{call.label} had already left: the job{name} may exist and be billed; see find_jobs()")
    logger.warning("%s was cancelled after it left: the job%s may exist and be billed", call.label, name)
