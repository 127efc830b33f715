"""From an asset's address to bytes or a whole file: repeated from the start when it breaks, refreshed once when expired."""

from __future__ import annotations

import asyncio
import mimetypes
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol, TypeVar
from urllib.parse import unquote

import aiohttp
import attrs

from .disposition import disposition_filename
from .errors import AssetExpiredError, CloudlayerError, DownloadError
from .files import PartialFile, Reserve, Target, safe_filename
from .protocol import parse_retry_after
from .redaction import without_signature
from .retry import Fault, wait_before_repeat
from .session import Download
from .transport import Transport, logger

_T = TypeVar("_T")

_BUFFER: Final = 1024 * 1024
"""Bytes collected before a thread writes them: small products cost one thread call, large ones stay small in memory."""
_REAL_WAIT: Final = 1.0
"""A refusal that asks to wait for so many seconds at the least uses up no attempt."""
_EXPIRED: Final = (401, 403, 404, 410)


@attrs.define(kw_only=True)
class AssetAddress:
    """Where a product is, and how to learn a fresh address when this one has expired."""

    url: str = attrs.field(repr=without_signature)
    refresh: Callable[[], Awaitable[str | None]]
    job_id: str | None = None
    filename: str | None = None
    """A name to fall back on."""
    rename: Callable[[str], str] | None = None
    """Makes another name of the one that came, before that is made safe and short."""


@attrs.define(kw_only=True)
class Head:
    """What is known of a product before its bytes."""

    filename: str
    """Safe as a base name."""
    content_type: str


class Sink(Protocol):
    """Takes a product's bytes."""

    async def begin(self, head: Head) -> None:
        """Forget what came before: the download starts (again)."""

    async def add(self, chunk: bytes) -> None:
        """Take the next bytes."""


class MemorySink:
    """Keeps a product in memory."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    async def begin(self, head: Head) -> None:
        """See `Sink`."""
        self._pieces = []

    async def add(self, chunk: bytes) -> None:
        """See `Sink`."""
        self._pieces.append(chunk)

    def content(self) -> bytes:
        """All of it."""
        return b"".join(self._pieces)


class FileSink:
    """Writes a product beside its place and puts it there when whole. Used in an `async with` block.

    Leaving the block without `finish` removes what was written. Disk work happens in threads, which a cancellation waits
    for, so that nothing is left behind.

    Args:
        target: Where it goes.
        reserve: Chooses the place in a folder, in a thread.
        mark: See `PartialFile`.
    """

    def __init__(self, target: Target, *, reserve: Reserve | None = None, mark: str = "") -> None:
        self._target = target
        self._reserve = reserve
        self._mark = mark
        self._file: PartialFile | None = None
        self._entered = False
        self._finished = False
        self._buffer: list[bytes] = []
        self._buffered = 0

    async def __aenter__(self) -> FileSink:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._file is not None and self._entered and not self._finished:
            file, self._file = self._file, None
            await in_thread(lambda: file.__exit__(None, None, None))

    async def begin(self, head: Head) -> None:
        """See `Sink`."""
        self._buffer, self._buffered = [], 0
        if self._file is None:
            self._file = PartialFile(self._target, head.filename, mark=self._mark)
        elif self._entered:
            await in_thread(self._file.restart)

    async def add(self, chunk: bytes) -> None:
        """See `Sink`."""
        self._buffer.append(chunk)
        self._buffered += len(chunk)
        if self._buffered >= _BUFFER:
            await in_thread(self._flush)

    async def finish(self) -> Path:
        """Puts the whole file into its place and says where that is."""
        return await in_thread(self._commit)

    def _flush(self) -> None:
        assert self._file is not None
        if not self._entered:
            self._file.__enter__()
            self._entered = True
        for chunk in self._buffer:
            self._file.write(chunk)
        self._buffer, self._buffered = [], 0

    def _commit(self) -> Path:
        self._flush()
        assert self._file is not None
        path = self._file.commit(self._reserve)
        self._finished = True  # nothing is left to be removed
        return path


async def in_thread(work: Callable[[], _T]) -> _T:
    """Runs blocking work in a thread. A cancellation is raised only when the work has ended."""
    # A future and no task: the end of asyncio.run cancels every task, and would not wait for the thread.
    done = asyncio.get_running_loop().run_in_executor(None, work)
    cancelled: asyncio.CancelledError | None = None
    while not done.done():
        try:
            await asyncio.wait({done})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        done.exception()  # noted, so that asyncio does not complain of an error nobody saw
        raise cancelled
    return done.result()


class Downloads:
    """Fetches products over one client's transport. The key is never sent with a download (design rule 2)."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def receive(self, asset: AssetAddress, sink: Sink) -> Head:
        """Fetches a product into a sink, from the start again when it breaks.

        Raises:
            AssetExpiredError: Its address was refused, a fresh one too.
            DownloadError: It could not be had, or the sink could not take it.
        """
        tries = _Tries(self._transport, asset)
        while True:
            download = await self._opened(tries)
            try:
                head = _head(download.response, tries.asset)
                reason = await self._pour(_Body(download), head, sink, tries.asset)
            finally:
                download.close()
            if reason is None:
                return head
            await tries.failed(reason)

    async def save(self, asset: AssetAddress, target: Target) -> Path:
        """Fetches a product into a file, which appears complete or not at all; raises as `receive`."""
        async with FileSink(target) as sink:
            await self.receive(asset, sink)
            try:
                return await sink.finish()
            except OSError as error:
                raise DownloadError(f"the product cannot be written: {error}", job_id=asset.job_id) from error

    @asynccontextmanager
    async def stream(self, asset: AssetAddress) -> AsyncIterator[AsyncIterator[bytes]]:
        """Opens a product and gives its bytes as they come. Once bytes were given, a break is a `DownloadError`."""
        download = await self._opened(_Tries(self._transport, asset))
        try:
            async with aclosing(_streamed(_Body(download), asset)) as chunks:
                yield chunks
        finally:
            download.close()

    async def _opened(self, tries: _Tries) -> Download:
        """A response with status 200: the address refreshed once, everything passing repeated."""
        while True:
            download: Download | None = None
            reason = ""
            try:
                download = await self._transport.download(tries.asset.url)
            except CloudlayerError:
                raise  # a closed client, say; some of these are ValueErrors too
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                reason = _reason(error)
            if download is None:
                await tries.failed(reason)
                continue
            status = download.response.status
            if status == 200:
                return download
            retry_after = parse_retry_after(download.response.headers.get("Retry-After"), time.time())
            download.close()
            await tries.refused(status, retry_after)

    async def _pour(self, body: _Body, head: Head, sink: Sink, asset: AssetAddress) -> str | None:
        """Reads a body into the sink; the reason in words when it broke off."""
        try:
            await sink.begin(head)
            while not body.ended:
                if chunk := await body.more():
                    await sink.add(chunk)
        except _BrokenOff as error:
            return str(error)
        except OSError as error:
            raise DownloadError(f"the product cannot be written: {error}", job_id=asset.job_id) from error
        return None


async def _streamed(body: _Body, asset: AssetAddress) -> AsyncGenerator[bytes]:
    try:
        while not body.ended:
            if chunk := await body.more():
                yield chunk
        return
    except _BrokenOff as error:
        reason = str(error)
    raise DownloadError(reason, job_id=asset.job_id)


class _Body:
    """The bytes of a response, counted."""

    def __init__(self, download: Download) -> None:
        response = download.response
        self._content = response.content
        self._patience = download.patience
        # An encoded body has been decoded, and its length is another one.
        promised = "" if "Content-Encoding" in response.headers else response.headers.get("Content-Length", "")
        self._promised = int(promised) if promised.isdigit() else None
        self._received = 0
        self.ended = False
        """Whether all of them were given."""

    async def more(self) -> bytes:
        """The next bytes, if there are any more.

        Raises:
            _BrokenOff: The end came too soon.
        """
        content = self._content
        try:
            if content.is_eof():  # the rest of it is here: nothing to wait for
                chunk = content.read_nowait()
            else:
                with self._patience():
                    chunk = await content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = _reason(error)
        else:
            self._received += len(chunk)
            whole = self._promised is None or self._promised == self._received
            self.ended = whole and (not chunk or content.at_eof())
            if chunk or self.ended:
                return chunk
            reason = f"{self._received:,} of {self._promised:,} bytes came"
        raise _BrokenOff(f"the download broke off: {reason}")


class _BrokenOff(Exception):
    """A body that ended too soon; fetching it again may help."""


class _Tries:
    """Counts the attempts of one download, and decides about the next."""

    def __init__(self, transport: Transport, asset: AssetAddress) -> None:
        self.asset = asset
        self._transport = transport
        self._attempt = 0
        self._refusals = 0
        self._began = time.monotonic()
        self._refreshed = False

    async def failed(self, reason: str, retry_after: float | None = None) -> None:
        """Waits before the next attempt; one that was refused for so many seconds counts for nothing but its time.

        Raises:
            DownloadError: There is none.
        """
        self._attempt += 1
        if retry_after is not None and retry_after >= _REAL_WAIT:
            self._refusals += 1
        wait = wait_before_repeat(
            self._transport.retry,
            Fault.UNKNOWN,
            is_read=True,
            attempt=max(1, self._attempt - self._refusals),
            elapsed=time.monotonic() - self._began,
            retry_after=retry_after,
            random=random.random(),
        )
        logger.debug("download of %s failed (%s), next in %s s", without_signature(self.asset.url), reason, wait)
        if wait is None:
            raise DownloadError(
                f"{without_signature(self.asset.url)}: {reason}, after {self._attempt} attempts",
                job_id=self.asset.job_id,
            )
        await asyncio.sleep(wait)

    async def refused(self, status: int, retry_after: float | None) -> None:
        """Deals with a status that is not 200: a fresh address, another attempt, or an error."""
        if status == 429 or status >= 500:
            await self.failed(f"HTTP {status}", retry_after)
            return
        shown = without_signature(self.asset.url)
        if status not in _EXPIRED:
            raise DownloadError(f"{shown} answered HTTP {status}", job_id=self.asset.job_id)
        fresh = None if self._refreshed else await self.asset.refresh()
        if fresh is None:
            raise AssetExpiredError(
                f"{shown} answered HTTP {status}{', and so did a fresh address' if self._refreshed else ''}",
                job_id=self.asset.job_id,
            )
        self._refreshed = True
        self.asset = attrs.evolve(self.asset, url=fresh)


def _reason(error: BaseException) -> str:
    # The type and no more: messages of aiohttp's errors may hold the signed address.
    if isinstance(error, (aiohttp.ServerTimeoutError, TimeoutError)):
        return "timed out"
    return f"{type(error).__name__}" + (f": {error.strerror}" if isinstance(error, OSError) and error.strerror else "")


def _head(response: aiohttp.ClientResponse, asset: AssetAddress) -> Head:
    content_type = response.headers.get("Content-Type", "application/octet-stream")
    name = (
        disposition_filename(response.headers.get("Content-Disposition")) or _last_segment(asset.url) or asset.filename
    )
    if name and asset.rename is not None:
        name = asset.rename(name)
    return Head(filename=named(name, content_type), content_type=content_type)


def _last_segment(url: str) -> str:
    """The end of an address's path, decoded."""
    host_and_path = url.partition("#")[0].partition("?")[0].partition("://")[2]
    segment = host_and_path.partition("/")[2].rpartition("/")[2]
    return unquote(segment) if "%" in segment else segment


def named(name: str | None, content_type: str) -> str:
    """A safe base name, with the extension of its content type when it has none of its own."""
    return safe_filename(name, default="document", extension=_extension(content_type))


@lru_cache(maxsize=64)
def _extension(content_type: str) -> str | None:
    found = mimetypes.guess_extension(content_type.partition(";")[0].strip().lower())
    return found and found.removeprefix(".")
