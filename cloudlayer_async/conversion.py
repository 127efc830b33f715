"""One conversion: waiting for it, and getting its product."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

import attrs

from .disposition import disposition_filename
from .downloads import AssetAddress, Downloads, FileSink, Head, MemorySink, Sink, named
from .errors import CloudlayerError, DownloadError
from .files import PartialFile, check_target
from .jobs import Jobs, seconds_to_wait
from .models import Asset, Job, JobStatus, ResponseInfo
from .polling import OnUpdate, has_ended, told
from .protocol import Reply, path_segment, read_call, read_model
from .transport import Transport

_CHUNK: Final = 256 * 1024


@attrs.frozen(kw_only=True)
class Document:
    """A product: its bytes and what is known of them."""

    _content: bytes | None = attrs.field(default=None, alias="content", repr=False)
    filename: str
    """The server's name for it, made safe."""
    content_type: str
    job: Job
    """The job that made it. Its `id` is empty when the product came at once."""
    path: Path | None = None
    """Where it was saved, when it was; its bytes are then left there."""

    @property
    def content(self) -> bytes:
        """The bytes; read from `path` when the document was saved there.

        Raises:
            OSError: The saved file is gone.
        """
        if self._content is not None:
            return self._content
        assert self.path is not None  # one of the two is always given
        return self.path.read_bytes()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the bytes to a file, which appears complete or not at all.

        Args:
            path: A file, replaced if it is there; or a folder (existing, or a text that ends in a separator), where
                `filename` is used, with " (2)" added when taken.

        Returns:
            Where the file is.

        Raises:
            ValidationError: `path` cannot be written to.
            OSError: The disk is full, or the like.
        """
        with PartialFile(check_target(path), self.filename) as file:
            file.write(self.content)
            return file.commit()


class HeldProduct:
    """A product that came with the reply: in memory, or in a temporary file when large. Reading it costs no request."""

    def __init__(self, reply: Reply, fallback: str | None) -> None:
        content_type = reply.headers.get("content-type", "application/octet-stream")
        name = disposition_filename(reply.headers.get("content-disposition")) or fallback
        self.head = Head(filename=named(name, content_type), content_type=content_type)
        self._body = reply.body
        self._spool = reply.spool
        self._lock = threading.Lock()
        if reply.spool is not None:
            # A temporary file left to the garbage collector would warn; it is nobody's fault to forget a handle.
            weakref.finalize(self, reply.spool.close)
        self.size = len(reply.body) if reply.spool is None else _length(reply.spool)

    @property
    def body(self) -> bytes | None:
        """All of it; None when it is in a file."""
        return self._body if self._spool is None else None

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The bytes in pieces."""
        for start in range(0, self.size, _CHUNK):
            if self._spool is None:
                yield self._body[start : start + _CHUNK]
            else:
                yield await asyncio.to_thread(self._read, start)

    def _read(self, start: int) -> bytes:
        assert self._spool is not None
        with self._lock:
            self._spool.seek(start)
            return self._spool.read(_CHUNK)


def _length(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


class AsyncConversion:
    """The handle of one conversion: awaitable steps from a submitted job to a file on disk.

    It hides whether the service answered with a job to wait for or with the product itself. Made by the client's
    conversion methods and by `attach`; it needs the client to be open, and no closing of its own.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        jobs: Jobs,
        version: str,
        job: Job | None,
        job_id: str | None = None,
        reply: Reply | None = None,
        held: HeldProduct | None = None,
        job_type: str | None = None,
        submitted_at: float | None = None,
    ) -> None:
        self._transport = transport
        self._jobs = jobs
        self._version = version
        self._job = job
        self._job_id = (job.id if job is not None else job_id) or None
        self._reply = reply
        self._held = held
        self._job_type = job_type
        self._submitted_at = submitted_at

    def __repr__(self) -> str:
        status = self.job.status.value if self.job is not None else "not read yet"
        return f"<{type(self).__name__} job_id={self.job_id!r} status={status!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} belongs to a client, and is not pickled: pass its job_id on, and attach() there"
        )

    @property
    def job(self) -> Job | None:
        """The job as last seen; None for an attached one that was not read yet.

        When the product came with the reply, a job made from the reply's headers: `SUCCESS`, with an empty `id`.
        """
        return self._job

    @property
    def job_id(self) -> str | None:
        """The id to resume from with `attach`; None when the product came at once and no job was made."""
        return self._job_id

    @property
    def info(self) -> ResponseInfo | None:
        """What the submission's reply said in its headers; None for an attached job."""
        return None if self._reply is None else self._reply.info()

    @property
    def done(self) -> bool:
        """Whether the job has ended, well or badly, as far as was seen."""
        return self._job is not None and has_ended(self._job)

    async def wait(self, timeout: float | timedelta | None = None, on_update: OnUpdate | None = None) -> Job:
        """Waits until the job has ended well.

        Cancelling stops the waiting only: the job goes on at the service, and may be waited for again.

        Args:
            timeout: Seconds from now; None for `Timeouts.job`, `math.inf` for ever. One last look is taken at the end.
            on_update: Called with the job as first seen and at each change of its status; a coroutine function is awaited.

        Returns:
            The job, successful.

        Raises:
            JobFailedError: It ended badly; `error.job` says why.
            JobTimeoutError: It has not ended in time; `error.job_id` is what to resume from.
            CloudlayerError: The job cannot be read: `ApiError` and its kinds, `ConnectionFailedError`,
                `RequestTimeoutError`, `UnexpectedResponseError`.
        """
        seconds = seconds_to_wait(timeout, self._transport.timeouts.job)
        if self._job_id is None:
            assert self._job is not None  # a product that came at once
            if on_update is not None:
                await told(on_update, self._job)
            return self._job

        def see(job: Job) -> object:
            self._job = job
            return None if on_update is None else on_update(job)

        return await self._jobs.wait(
            self._job_id,
            timeout=seconds,
            job=self._job,
            job_type=self._job_type,
            submitted_at=self._submitted_at,
            on_update=see,
        )

    async def result(self, timeout: float | timedelta | None = None) -> Document:
        """Waits for the job and fetches its product into memory.

        Args:
            timeout: Seconds to wait for the job's end, as in `wait`; the download has limits of its own.

        Raises:
            AssetExpiredError: The product's address was refused, and a fresh one too.
            DownloadError: The product cannot be had.
            CloudlayerError: As `wait`.
        """
        if (document := self._at_hand()) is not None:
            return document
        sink = MemorySink()
        head = await self._fetch(sink, timeout)
        assert self._job is not None
        return Document(content=sink.content(), filename=head.filename, content_type=head.content_type, job=self._job)

    def _at_hand(self) -> Document | None:
        """The product that came with the reply, if it is in memory: nothing has to be awaited for it."""
        if self._held is None or self._held.body is None:
            return None
        assert self._job is not None
        head = self._held.head
        return Document(content=self._held.body, filename=head.filename, content_type=head.content_type, job=self._job)

    @asynccontextmanager
    async def stream(self, timeout: float | timedelta | None = None) -> AsyncIterator[AsyncIterator[bytes]]:
        """Waits for the job and gives its product in pieces, in constant memory.

        Use it as ``async with conversion.stream() as chunks: async for chunk in chunks: ...``. Leaving the block early
        closes the connection. Once pieces were given, a download that breaks is a `DownloadError`: only the caller knows
        what to do with the first part.

        Args:
            timeout: Seconds to wait for the job's end, as in `wait`.

        Yields:
            An async iterator of bytes.

        Raises:
            AssetExpiredError: The product's address was refused, and a fresh one too.
            DownloadError: The product cannot be had, or its download broke.
            CloudlayerError: As `wait`.
        """
        if self._held is not None:
            async with aclosing(self._held.chunks()) as held:
                yield held
            return
        address = await self._address(timeout)
        async with Downloads(self._transport).stream(address) as chunks:
            yield chunks

    async def save(self, path: str | os.PathLike[str], timeout: float | timedelta | None = None) -> Path:
        """Waits for the job and writes its product to disk, in constant memory.

        The file appears complete or not at all; a cancelled or failed call leaves nothing behind.

        Args:
            path: A file, replaced if it is there; or a folder (existing, or a text that ends in a separator), where the
                server's name is used, made safe, with " (2)" added when taken.
            timeout: Seconds to wait for the job's end, as in `wait`.

        Returns:
            Where the file is.

        Raises:
            ValidationError: `path` cannot be written to; nothing was waited for.
            AssetExpiredError: The product's address was refused, and a fresh one too.
            DownloadError: The product cannot be had, or cannot be written.
            CloudlayerError: As `wait`.
        """
        saved, _ = await self._save(path, timeout)
        return saved

    async def _save(self, path: str | os.PathLike[str], timeout: float | timedelta | None) -> tuple[Path, Head]:
        async with FileSink(check_target(path)) as sink:
            head = await self._fetch(sink, timeout)
            try:
                return await sink.finish(), head
            except OSError as error:
                raise DownloadError(f"the product cannot be written: {error}", job_id=self._job_id) from error

    async def _fetch(
        self, sink: Sink, timeout: float | timedelta | None, rename: Callable[[str], str] | None = None
    ) -> Head:
        if self._held is None:
            return await Downloads(self._transport).receive(await self._address(timeout, rename), sink)
        await sink.begin(self._held.head)
        try:
            async for chunk in self._held.chunks():
                await sink.add(chunk)
        except OSError as error:
            raise DownloadError(f"the product cannot be written: {error}") from error
        return self._held.head

    async def _address(
        self, timeout: float | timedelta | None, rename: Callable[[str], str] | None = None
    ) -> AssetAddress:
        job = self._job if self._job is not None and self._job.is_success else await self.wait(timeout)
        url = job.asset_url or await self._fresh_url()
        if not url:
            raise DownloadError(
                f"job {job.id} succeeded, but the service names no asset of it; was storage off?", job_id=job.id
            )
        fallback = job.name or (f"{job.type}-{job.id}" if job.type else job.id)
        return AssetAddress(url=url, refresh=self._fresh_url, job_id=job.id, filename=fallback, rename=rename)

    async def _fresh_url(self) -> str | None:
        """The product's address as the service gives it now: of the job, else of its asset."""
        assert self._job_id is not None
        try:
            job = self._job = await self._jobs.get(self._job_id)
            if job.asset_url or not job.asset_id:
                return job.asset_url
            asset = await read_asset(self._transport, self._version, job.asset_id)
        except CloudlayerError as error:
            error.job_id = error.job_id or self._job_id
            raise
        return asset.url


def _asset_of(reply: Reply) -> Asset:
    return read_model(reply, Asset)


async def read_asset(transport: Transport, version: str, asset_id: str) -> Asset:
    """One asset, read now."""
    call = read_call(f"/{version}/assets/{path_segment(asset_id, 'asset_id')}")
    return await transport.send(call, _asset_of)


def job_of_product(held: HeldProduct, info: ResponseInfo, *, name: str | None, job_type: str) -> Job:
    """What is known of a conversion whose product came with the reply: a successful job without an id."""
    return Job(
        id="",
        status=JobStatus.SUCCESS,
        raw_status=None,
        type=job_type,
        name=name,
        size=held.size,
        worker=info.worker,
        process_time=info.process_time,
        api_credit_cost=info.api_credit_cost,
        process_time_cost=info.process_time_cost,
        bandwidth_cost=info.bandwidth_cost,
    )


async def save_document(
    conversion: AsyncConversion, path: str | os.PathLike[str], timeout: float | timedelta | None
) -> Document:
    """Like `AsyncConversion.save`, and gives the document, its bytes left on disk."""
    saved, head = await conversion._save(path, timeout)
    assert conversion.job is not None  # it was saved
    return Document(filename=head.filename, content_type=head.content_type, job=conversion.job, path=saved)


def fetch_product(conversion: AsyncConversion, sink: Sink, rename: Callable[[str], str]) -> Awaitable[Head]:
    """Puts a conversion's product into a sink, once its job has ended; `rename` is given the name as it came."""
    return conversion._fetch(sink, None, rename)


def submission_cost(conversion: AsyncConversion) -> float | None:
    """The credits that the submission's reply names, if it does."""
    reply = conversion._reply
    return reply.info().api_credit_cost if reply is not None and "cl-api-credit-cost" in reply.received else None


def with_job_id(error: BaseException, conversion: AsyncConversion) -> None:
    """Puts a conversion's job id on an error on its way out, so that a paid job is never lost with it."""
    job_id = conversion.job_id
    if isinstance(error, CloudlayerError):
        error.job_id = error.job_id or job_id
        error.maybe_billed = True
    else:
        error.job_id = job_id  # type: ignore[attr-defined]
        error.maybe_billed = True  # type: ignore[attr-defined]
        if job_id is not None:
            error.add_note(f"job {job_id} goes on at the service: attach({job_id!r}) resumes")
