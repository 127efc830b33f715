"""`AsyncCloudlayer`: one short coroutine for each thing the service can do."""

from __future__ import annotations

import os
import ssl as ssl_module
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, Unpack

import aiohttp
import attrs

from ._keywords import (
    DefaultOptions,
    DocxToHtmlOptions,
    DocxToPdfOptions,
    HtmlToImageOptions,
    HtmlToPdfOptions,
    MergePdfsOptions,
    PdfToDocxOptions,
    TemplateToImageOptions,
    TemplateToPdfOptions,
    UrlToImageOptions,
    UrlToPdfOptions,
)
from .config import ClientChanges, ClientConfig
from .conversion import AsyncConversion, Document, read_asset, save_document, with_job_id
from .downloads import AssetAddress, Downloads
from .errors import ConfigError, DownloadError, ValidationError
from .files import check_target
from .jobs import Family, Jobs, find_listed, seconds_to_wait
from .models import Account, ApiStatus, Asset, Attempt, Job, Limits, ResponseInfo, StorageConfig, Template
from .options import JSON
from .paging import pages
from .polling import OnUpdate, PollSchedule
from .protocol import (
    ApiVersion,
    Reply,
    UploadOptions,
    free_call,
    path_segment,
    read_any,
    read_call,
    read_list,
    read_model,
)
from .redaction import shown
from .requests import (
    ConversionRequest,
    DocxToHtml,
    DocxToPdf,
    FileSource,
    HtmlSource,
    HtmlToImage,
    HtmlToPdf,
    MergePdfs,
    PdfToDocx,
    TemplateToImage,
    TemplateToPdf,
    UrlToImage,
    UrlToPdf,
)
from .retry import RetryPolicy, Timeouts
from .session import SharedSession
from .storage import add_storage_call, delete_storage_call, read_added, read_deleted, read_storage
from .submission import submit_request
from .transport import Transport
from .validation import text, tuple_of

if TYPE_CHECKING:
    from .batch.pipeline import AsyncBatch, OnProgress, Requests
    from .batch.report import BatchReport
    from .batch.saving import SaveTo

_T = TypeVar("_T")


class AsyncCloudlayer:
    """The service, for asyncio.

    Use it as ``async with AsyncCloudlayer() as cl: ...``, or call `aclose()` in the end. Nothing is opened before the
    first call. One client serves any number of tasks of one event loop. A conversion costs credits, and is sent once:
    what may be repeated without paying twice is repeated, everything else becomes an error whose `maybe_billed` says so.

    Args:
        api_key: The key; from the environment's CLOUDLAYER_API_KEY when not given. A function (plain or async) is called
            for each attempt, so that keys can be rotated.
        api_version: ``"v2"`` answers conversions with a job to wait for, ``"v1"`` with the product, unless `async_` says
            otherwise.
        base_url: The service's address without the version; from CLOUDLAYER_BASE_URL when not given. https, or loopback.
        timeouts: Limits of the phases of a call and of waiting for a job, in seconds.
        retry: How often, and for how long, a call may be repeated.
        polling: How often a waiting client looks at its job.
        defaults: Options sent with every conversion whose kind has them; those of the request win.
        max_connections: Calls to the API at one time; downloads have a gate of the same size.
        session: A session of yours: used, never closed. Excludes `proxy`, `ssl` and `trace_configs`.
        proxy: A proxy's address. Without it the environment's settings count (HTTPS_PROXY, NO_PROXY, ...).
        ssl: A context with private certificates.
        trace_configs: aiohttp's own tracing.
        on_attempt: Called with each `Attempt` of each call. What it raises is logged and goes no further.
        upload_options: How options travel beside uploaded documents; see the service's other SDKs if yours differs.

    Raises:
        ConfigError: A setting is missing or cannot be used.
    """

    def __init__(
        self,
        api_key: str | Callable[[], str | Awaitable[str]] | None = None,
        *,
        api_version: ApiVersion = "v2",
        base_url: str | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 (frozen, so one object may serve all)
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008
        polling: PollSchedule = PollSchedule(),  # noqa: B008
        defaults: DefaultOptions | None = None,
        max_connections: int = 100,
        session: aiohttp.ClientSession | None = None,
        proxy: str | None = None,
        ssl: ssl_module.SSLContext | bool | None = None,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
        on_attempt: Callable[[Attempt], object] | None = None,
        upload_options: UploadOptions = "fields",
    ) -> None:
        config = ClientConfig(
            key=api_key,
            api_version=api_version,
            base_url=base_url,
            timeouts=timeouts,
            retry=retry,
            polling=polling,
            defaults=defaults,
            on_attempt=on_attempt,
            upload_options=upload_options,
        )
        if isinstance(max_connections, bool) or not isinstance(max_connections, int) or max_connections < 1:
            raise ConfigError(f"max_connections must be an int of at least 1, not {shown(max_connections)}")
        if session is not None:
            if not isinstance(session, aiohttp.ClientSession):
                raise ConfigError(f"session must be an aiohttp.ClientSession, not {shown(session)}")
            if proxy is not None or ssl is not None or trace_configs:
                raise ConfigError("session excludes proxy, ssl and trace_configs: set these up on the session itself")
        shared = SharedSession(
            max_connections=max_connections,
            session=session,
            proxy=proxy,
            ssl=True if ssl is None else ssl,
            trace_configs=trace_configs,
        )
        self._set_up(config, Family(session=shared), is_root=True)

    def _set_up(self, config: ClientConfig, family: Family, *, is_root: bool) -> None:
        self._config = config
        self._family = family
        self._is_root = is_root
        self._transport = Transport(
            family.session,
            base_url=config.base_url,
            key=config.key,
            timeouts=config.timeouts,
            retry=config.retry,
            on_attempt=config.on_attempt,
        )
        self._jobs = Jobs(self._transport, family, version=config.api_version, schedule=config.polling)

    # --- lifetime ---------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._family.session.enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the client and all its siblings; a borrowed session stays open.

        Doing so twice is fine. On a sibling made by `with_options` it does nothing. Jobs go on at the service.
        """
        if self._is_root:
            await self._family.session.aclose()

    async def _release(self) -> None:
        """Lets go of connections because the loop is about to end, and stays open: a call in another loop makes others."""
        await self._family.session.release()

    def with_options(self, **changes: Unpack[ClientChanges]) -> Self:
        """A sibling with other settings that shares this client's session, pace and experience.

        Settings of the client (``api_version="v1"``, ``timeouts=...``) replace its own; names of conversion options
        (``webhook=...``, ``format="a4"``) are added to `defaults`. Closing a sibling does nothing; closing the client that
        it came from closes it too.

        Args:
            **changes: Anything the constructor takes, except `session`, `max_connections`, `proxy`, `ssl` and
                `trace_configs`; and any conversion option that may be a default.

        Raises:
            ConfigError: A setting that cannot change, or a value that cannot be used.
        """
        fixed = {"session", "max_connections", "proxy", "ssl", "trace_configs"} & set(changes)
        if fixed:
            raise ConfigError(
                f"{', '.join(sorted(fixed))} cannot change: siblings share one session; make a new client"
            )
        given: dict[str, Any] = dict(changes)
        if "api_key" in given:
            given["key"] = given.pop("api_key")
        settings = {field.name: given.pop(field.name) for field in attrs.fields(ClientConfig) if field.name in given}
        if given:
            base = settings.get("defaults", self._config.defaults)
            if isinstance(base or {}, Mapping):  # else the check below says so
                settings["defaults"] = {**(base or {}), **given}
        sibling = object.__new__(type(self))
        sibling._set_up(attrs.evolve(self._config, **settings), self._family, is_root=False)
        return sibling

    @property
    def api_version(self) -> ApiVersion:
        """The API version in use."""
        return self._config.api_version

    @property
    def base_url(self) -> str:
        """The service's address."""
        return self._config.base_url

    @property
    def last_limits(self) -> Limits | None:
        """The rate limit and the calls left, as the last reply that carried them said; None before that."""
        return self._family.session.limits

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url} {self.api_version}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} holds connections and a key, and is not pickled: make one where it is used"
        )

    # --- conversions ------------------------------------------------------------------------------------------------

    async def submit(self, request: ConversionRequest) -> AsyncConversion:
        """Sends a conversion, once, and gives its handle as soon as the service has answered.

        This is where credits are spent. It is repeated only where nothing can have been accepted: no connection, 429, 503
        with Retry-After.

        Args:
            request: What to convert.

        Raises:
            ValidationError: The request cannot work; nothing was sent.
            ConnectionFailedError: No connection; nothing was sent.
            ApiError: The service refused it, by the kind of its status: `BadRequestError`, `AuthenticationError`,
                `PermissionDeniedError`, `NotFoundError`, `RateLimitError`, `ServiceUnavailableError`, `ServerError`.
            AmbiguousSubmissionError: It left, and what became of it is unknown. It may be billed: `find_jobs` tells.
            UnexpectedResponseError: It was answered, but not readably. It may be billed; a job id found is on the error.
            asyncio.CancelledError: Cancelled; with `maybe_billed = True` and a note on it when the request had left.
        """
        return await submit_request(request, config=self._config, transport=self._transport, jobs=self._jobs)

    async def convert(
        self,
        request: ConversionRequest,
        *,
        save_to: str | os.PathLike[str] | None = None,
        timeout: float | timedelta | None = None,
    ) -> Document:
        """Does it all in one await: submits, waits, and fetches the product.

        Args:
            request: What to convert.
            save_to: A file, or a folder (existing, or a text that ends in a separator) to save in under the server's name.
                The bytes then stay on disk, in constant memory, and `document.path` says where.
            timeout: Seconds to wait for the job's end; None for `Timeouts.job`, `math.inf` for ever.

        Returns:
            The document.

        Raises:
            ValidationError: The request or `save_to` cannot work; nothing was sent.
            JobFailedError: The conversion ran and failed.
            JobTimeoutError: It has not ended in time: ``attach(error.job_id)`` resumes.
            DownloadError: It is done, but its product cannot be had or written: ``attach(error.job_id)`` resumes.
            CloudlayerError: Any other error of `submit` and `AsyncConversion.wait`. Once submitted, every error carries
                `job_id`, also a CancelledError.
        """
        seconds_to_wait(timeout, 0)
        if save_to is not None:
            check_target(save_to)
        conversion = await self.submit(request)
        try:
            if save_to is None:
                return await conversion.result(timeout)
            return await save_document(conversion, save_to, timeout)
        except BaseException as error:
            with_job_id(error, conversion)
            raise

    async def url_to_pdf(self, url: str | None = None, **options: Unpack[UrlToPdfOptions]) -> AsyncConversion:
        """Converts a page, by address, to PDF; with `batch` several pages to one PDF. Costs credits: 1, or n + 1.

        Args:
            url: The page's absolute address. Leave it out with `batch`.
            **options: The options of `UrlToPdf`.

        Raises:
            CloudlayerError: As `submit`.
        """
        return await self.submit(UrlToPdf(url, **options))

    async def url_to_image(self, url: str | None = None, **options: Unpack[UrlToImageOptions]) -> AsyncConversion:
        """Converts a page, by address, to an image. Costs credits.

        Args:
            url: The page's absolute address. Leave it out with `batch`.
            **options: The options of `UrlToImage`.

        Raises:
            CloudlayerError: As `submit`.
        """
        return await self.submit(UrlToImage(url, **options))

    async def html_to_pdf(self, html: HtmlSource, **options: Unpack[HtmlToPdfOptions]) -> AsyncConversion:
        """Converts a page's source to PDF. Costs credits.

        Args:
            html: The page itself as `str` or bytes, or a `Path` to read it from. At most 10 MB as base64.
            **options: The options of `HtmlToPdf`.

        Raises:
            CloudlayerError: As `submit`.
        """
        return await self.submit(HtmlToPdf(html, **options))

    async def html_to_image(self, html: HtmlSource, **options: Unpack[HtmlToImageOptions]) -> AsyncConversion:
        """Converts a page's source to an image. Costs credits.

        Args:
            html: The page itself as `str` or bytes, or a `Path` to read it from. At most 10 MB as base64.
            **options: The options of `HtmlToImage`.

        Raises:
            CloudlayerError: As `submit`.
        """
        return await self.submit(HtmlToImage(html, **options))

    async def template_to_pdf(self, **options: Unpack[TemplateToPdfOptions]) -> AsyncConversion:
        """Fills in a template and converts it to PDF. Costs credits.

        Args:
            **options: `template_id` or `template` (a `str` or bytes goes inline, a `Path` is uploaded), `data`, and the
                other options of `TemplateToPdf`.

        Raises:
            CloudlayerError: As `submit`.
        """
        return await self.submit(TemplateToPdf(**options))

    async def template_to_image(self, **options: Unpack[TemplateToImageOptions]) -> AsyncConversion:
        """Fills in a template and converts it to an image. Costs credits.

        Args:
            **options: `template_id` or `template` (a `str` or bytes goes inline, a `Path` is uploaded), `data`, and the
                other options of `TemplateToImage`.

        Raises:
            CloudlayerError: As `submit`.
        """
        return await self.submit(TemplateToImage(**options))

    async def docx_to_pdf(self, file: FileSource, **options: Unpack[DocxToPdfOptions]) -> AsyncConversion:
        """Converts a Word document to PDF. Costs credits.

        Args:
            file: A path, bytes, or a binary file object, read from where it stands and never closed.
            **options: The options of `DocxToPdf`.

        Raises:
            CloudlayerError: As `submit`.
        """
        return await self.submit(DocxToPdf(file, **options))

    async def docx_to_html(self, file: FileSource, **options: Unpack[DocxToHtmlOptions]) -> AsyncConversion:
        """Converts a Word document to HTML. Costs credits.

        Args:
            file: A path, bytes, or a binary file object, read from where it stands and never closed.
            **options: The options of `DocxToHtml`.

        Raises:
            CloudlayerError: As `submit`.
        """
        return await self.submit(DocxToHtml(file, **options))

    async def pdf_to_docx(self, file: FileSource, **options: Unpack[PdfToDocxOptions]) -> AsyncConversion:
        """Converts a PDF to a Word document. Costs credits.

        Args:
            file: A path, bytes, or a binary file object, read from where it stands and never closed.
            **options: The options of `PdfToDocx`.

        Raises:
            CloudlayerError: As `submit`.
        """
        return await self.submit(PdfToDocx(file, **options))

    async def merge_pdfs(self, urls: Sequence[str], **options: Unpack[MergePdfsOptions]) -> AsyncConversion:
        """Merges PDFs, by address, into one, in order. Costs credits: up to n + 1.

        Args:
            urls: 1 to 20 absolute addresses of PDFs.
            **options: The options of `MergePdfs`.

        Raises:
            CloudlayerError: As `submit`.
        """
        return await self.submit(MergePdfs(urls, **options))

    def attach(self, job_or_id: Job | str) -> AsyncConversion:
        """The handle of a conversion submitted earlier, by any process. Nothing is sent by this.

        Args:
            job_or_id: A job, or its id.

        Raises:
            ValidationError: There is no id in it.
        """
        job = job_or_id if isinstance(job_or_id, Job) else None
        job_id = _id_of(job_or_id, "job_or_id")
        return AsyncConversion(
            transport=self._transport, jobs=self._jobs, version=self.api_version, job=job, job_id=job_id
        )

    # --- batches ----------------------------------------------------------------------------------------------------

    def batch(
        self,
        requests: Requests,
        *,
        concurrency: int = 32,
        save_to: SaveTo | None = None,
        journal: str | os.PathLike[str] | None = None,
        max_credits: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> AsyncBatch:
        """Converts many requests, a bounded number at a time. Costs the credits of each.

        Use it as ``async with cl.batch(...) as batch: async for outcome in batch: ...``. Outcomes come as they are known; a
        failure is an outcome with an `error`, and sinks nothing. Leaving the block early stops taking requests and leaves
        what was submitted to go on at the service; `batch.report` names it.

        Args:
            requests: Request objects of any kinds, or pairs (key, request); any iterable or async iterable, of any length.
                One is taken whenever there is a place for it. A generator is closed in the end. What it raises is raised
                as it is, once all that was taken before has its outcome.
            concurrency: How many conversions may be submitted and not yet taken as outcomes. Fewer for a while when the
                service asks to wait.
            save_to: A folder, made if need be, or a function (plain or async) from a request to a path. Names are made safe
                and unique; no file is ever replaced. Without it products are kept in memory until their outcomes are taken.
            journal: A file (SQLite) that remembers every step. After a crash, run the same code again: nothing accepted is
                submitted again. An item is known by its key, else by what is in its request. Items whose jobs have failed
                are not made again, unless you give them another key.
            max_credits: The batch stops before it would spend more, earlier runs of its journal included.
            on_progress: Called with a `BatchProgress` a few times a second, and once at the end; a coroutine function is
                awaited. What it raises is logged, and the batch goes on.

        Each job is waited for as long as `Timeouts.job` says; one that takes longer is a failed outcome with its job's id.

        Raises:
            ValidationError: An argument cannot be used; nothing was sent.
            JournalError: On entering the block: the journal is in use, damaged, or belongs to another account or service.
            BatchStoppedError: By the iteration, once: going on is pointless (401, `max_credits`, a full disk, a wait beyond
                `max_retry_after`). Its report says what was submitted.
        """
        from .batch.pipeline import AsyncBatch
        from .batch.submitting import Service

        return AsyncBatch(
            requests,
            service=Service(config=self._config, transport=self._transport, jobs=self._jobs),
            concurrency=concurrency,
            save_to=save_to,
            journal=journal,
            max_credits=max_credits,
            on_progress=on_progress,
        )

    async def run_batch(
        self,
        requests: Requests,
        *,
        save_to: SaveTo,
        concurrency: int = 32,
        journal: str | os.PathLike[str] | None = None,
        max_credits: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> BatchReport:
        """Converts many requests into files, and gives the report in the end. Costs the credits of each.

        Arguments are those of `batch`; `save_to` must be given. When the call is cut short, by Ctrl-C or by an error of the
        source of the requests, what was submitted goes on at the service: the exception that comes out has the report, with
        the ids of these jobs, as its attribute `report`, and names some of them in a note.

        Returns:
            What the batch came to. Failures are in it, and raise nothing.

        Raises:
            ValidationError: An argument cannot be used; nothing was sent.
            JournalError: The journal is in use, damaged, or belongs to another account or service.
            BatchStoppedError: Going on was pointless, as with `batch`; it has the report.
        """
        from .batch.pipeline import run_to_the_end

        return await run_to_the_end(
            self.batch(
                requests,
                concurrency=concurrency,
                save_to=save_to,
                journal=journal,
                max_credits=max_credits,
                on_progress=on_progress,
            )
        )

    # --- jobs -------------------------------------------------------------------------------------------------------

    async def get_job(self, job_id: str) -> Job:
        """One job, read now.

        Raises:
            NotFoundError: There is none of that id.
            CloudlayerError: It cannot be read: another `ApiError`, `ConnectionFailedError`, `RequestTimeoutError`,
                `UnexpectedResponseError`; `ValidationError` for an id that is none.
        """
        return await self._jobs.get(job_id)

    async def list_jobs(self, *, limit: int | None = None, offset: int | None = None) -> list[Job]:
        """Recent jobs, newest first. How many the service gives is not certain (10, 25 or all).

        Args:
            limit: Sent only when given; not every deployment knows it.
            offset: Likewise.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return await self._list("/jobs", Job, limit=limit, offset=offset)

    async def iter_jobs(self) -> AsyncGenerator[Job]:
        """All jobs the service gives, newest first: its first page as it comes, then further ones while they bring news.

        Raises:
            CloudlayerError: As `get_job`.
        """
        async with aclosing(pages(lambda offset: self.list_jobs(offset=offset))) as items:
            async for job in items:
                yield job

    async def find_jobs(self, *, name: str | None = None, since: datetime | None = None) -> list[Job]:
        """Recent jobs by name or age, newest first: the way to settle a submission whose outcome is unknown.

        Args:
            name: Only jobs of exactly this name; the token that a batch's journal puts behind it does not count.
            since: Only jobs from then on (a naive time is local); as many pages are read as reach back to it. Without it
                the last 1,000 jobs are looked at, or as many as the service shows.

        Returns:
            The jobs. That none is found proves that there is none only if the list reaches back to before the submission.

        Raises:
            ValidationError: Neither is given.
            CloudlayerError: As `get_job`.
        """
        return await find_listed(self.iter_jobs(), name=name, since=since)

    async def wait_for_job(
        self, job_or_id: Job | str, timeout: float | timedelta | None = None, on_update: OnUpdate | None = None
    ) -> Job:
        """Waits until a job has ended well; the same as ``attach(job_or_id).wait(...)``.

        Args:
            job_or_id: A job, or its id.
            timeout: Seconds from now; None for `Timeouts.job`, `math.inf` for ever.
            on_update: Called with the job as first seen and at each change of its status; a coroutine function is awaited.

        Raises:
            JobFailedError: It ended badly.
            JobTimeoutError: It has not ended in time.
            CloudlayerError: As `get_job`.
        """
        return await self.attach(job_or_id).wait(timeout, on_update)

    async def watch_job(self, job_or_id: Job | str, timeout: float | timedelta | None = None) -> AsyncGenerator[Job]:
        """Gives a job as it is now, then again at each change of its status, the last time when it has ended, well or badly.

        Args:
            job_or_id: A job, or its id.
            timeout: Seconds from now; None for `Timeouts.job`, `math.inf` for ever.

        Raises:
            JobTimeoutError: It has not ended in time.
            CloudlayerError: As `get_job`.
        """
        seconds = seconds_to_wait(timeout, self._config.timeouts.job)
        updates = self._jobs.watch(_id_of(job_or_id, "job_or_id"), timeout=seconds)
        async with aclosing(updates):
            async for job in updates:
                yield job

    # --- assets -----------------------------------------------------------------------------------------------------

    async def get_asset(self, asset_id: str) -> Asset:
        """One asset, read now, with a fresh address.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return await read_asset(self._transport, self.api_version, asset_id)

    async def list_assets(self, *, limit: int | None = None, offset: int | None = None) -> list[Asset]:
        """Recent assets, newest first. How many the service gives is not certain (10, 25 or all).

        Args:
            limit: Sent only when given; not every deployment knows it.
            offset: Likewise.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return await self._list("/assets", Asset, limit=limit, offset=offset)

    async def iter_assets(self) -> AsyncGenerator[Asset]:
        """All assets the service gives, newest first: its first page as it comes, then further ones while they bring news.

        Raises:
            CloudlayerError: As `get_job`.
        """
        async with aclosing(pages(lambda offset: self.list_assets(offset=offset))) as items:
            async for asset in items:
                yield asset

    async def download_asset(self, asset_or_id: Asset | str, path: str | os.PathLike[str]) -> Path:
        """Writes an asset to disk, in constant memory; the file appears complete or not at all.

        Args:
            asset_or_id: An asset, or its id. An expired address is refreshed once.
            path: A file, or a folder (existing, or a text that ends in a separator) to save in under the server's name.

        Returns:
            Where the file is.

        Raises:
            ValidationError: `path` cannot be written to; nothing was sent.
            AssetExpiredError: Its address was refused, and a fresh one too.
            DownloadError: It cannot be had or written.
            CloudlayerError: As `get_job`.
        """
        target = check_target(path)
        asset_id = _id_of(asset_or_id, "asset_or_id")
        asset = asset_or_id if isinstance(asset_or_id, Asset) else await self.get_asset(asset_id)

        async def fresh_url() -> str | None:
            return (await self.get_asset(asset_id)).url

        url = asset.url or await fresh_url()
        if not url:
            raise DownloadError(f"asset {asset.id} has no address", job_id=asset.job_id)
        address = AssetAddress(url=url, refresh=fresh_url, job_id=asset.job_id, filename=asset.name or asset.id)
        return await Downloads(self._transport).save(address, target)

    # --- storage ----------------------------------------------------------------------------------------------------

    async def list_storage(self) -> list[StorageConfig]:
        """Your buckets, by id and title.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return await self._list("/storage", StorageConfig)

    async def get_storage(self, storage_id: str) -> StorageConfig:
        """One of your buckets.

        Raises:
            BadRequestError: There is none of that id (the service answers 400).
            CloudlayerError: As `get_job`.
        """
        call = read_call(f"/{self.api_version}/storage/{path_segment(storage_id, 'storage_id')}")
        return await self._transport.send(call, lambda reply: read_storage(reply, storage_id))

    async def add_storage(
        self,
        *,
        title: str,
        region: str,
        access_key_id: str,
        secret_access_key: str,
        bucket: str,
        endpoint: str | None = None,
    ) -> StorageConfig:
        """Adds a bucket of yours, for `UserStorage`. Sent once, like a conversion, but costs nothing.

        Args:
            title: Its name, unique in the account.
            region: The bucket's region; ``us-east-1`` for some S3-compatible services.
            access_key_id: The bucket's access key.
            secret_access_key: Its secret. Never shown or kept by this package.
            bucket: The bucket's name.
            endpoint: The address of an S3-compatible service; AWS when not given.

        Raises:
            ValidationError: A value is missing or blank; nothing was sent.
            StorageNotAllowedError: The plan does not include it.
            AmbiguousSubmissionError: It left, and what became of it is unknown: look with `list_storage`.
            CloudlayerError: As `get_job`.
        """
        call = add_storage_call(
            self.api_version,
            title=title,
            region=region,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            bucket=bucket,
            endpoint=endpoint,
        )
        added = await self._transport.send(call, lambda reply: read_added(call, reply))
        if added is not None:
            return added
        # "success" and no id: the title is unique in the account (contract section 4.10).
        for config in await self.list_storage():
            if config.title == title:
                return config
        return StorageConfig(id="", title=title)

    async def delete_storage(self, storage_id: str) -> None:
        """Removes the configuration of a bucket; the bucket and what is in it stay.

        Raises:
            BadRequestError: There is none of that id (the service answers 400).
            AmbiguousSubmissionError: It left, and what became of it is unknown.
            CloudlayerError: As `get_job`.
        """
        call = delete_storage_call(self.api_version, storage_id)
        await self._transport.send(call, lambda reply: read_deleted(call, reply))

    # --- templates, account, status ---------------------------------------------------------------------------------

    async def list_templates(
        self,
        *,
        type: str | None = None,
        category: str | None = None,
        tags: str | Sequence[str] | None = None,
        expand: bool | None = None,
    ) -> list[Template]:
        """The public gallery of templates. Always asked of v2, the only version known to have it.

        Args:
            type: ``pdf`` or ``image``.
            category: A category's name.
            tags: One or more tags.
            expand: Ask for all fields of each.

        Raises:
            CloudlayerError: As `get_job`.
        """
        joined = tags if tags is None or isinstance(tags, str) else ",".join(tuple_of(text)(tags, "tags"))
        query = {"type": type, "category": category, "tags": joined, "expand": expand}
        return await self._transport.send(read_call("/v2/templates", query), lambda reply: read_list(reply, Template))

    async def get_template(self, template_id: str) -> Template:
        """One template of the gallery. Always asked of v2, the only version known to have it.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return await self._get(f"/v2/template/{path_segment(template_id, 'template_id')}", Template)

    async def get_account(self) -> Account:
        """The account's plan and use. Costs no credits.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return await self._get(f"/{self.api_version}/account", Account)

    async def get_status(self) -> ApiStatus:
        """Whether the service is there and the key is good. Costs no credits.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return await self._get(f"/{self.api_version}/getStatus", ApiStatus)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: JSON = None,
        params: Mapping[str, str | int | float | bool | None] | None = None,
    ) -> tuple[JSON, ResponseInfo]:
        """Calls any endpoint, for those this package does not know yet.

        GET, HEAD and OPTIONS are repeated like other reads; anything else is treated as carefully as a submission.

        Args:
            method: The HTTP method.
            path: Such as ``"/jobs"``; the version is put in front unless it is there.
            json: The body.
            params: The query; None values are left out.

        Returns:
            The reply's JSON data (bytes when it is not JSON, None when it is empty), and what its headers say.

        Raises:
            ValidationError: The path or method is not usable, or it is the GET form of a conversion.
            CloudlayerError: As `submit`.
        """
        call = free_call(method, path, version=self.api_version, json=json, params=params)
        return await self._transport.send(call, lambda reply: (read_any(reply), reply.info()))

    # --- what they share --------------------------------------------------------------------------------------------

    async def _get(self, path: str, cls: type[_T]) -> _T:
        def read(reply: Reply) -> _T:
            return read_model(reply, cls)

        return await self._transport.send(read_call(path), read)

    async def _list(self, path: str, cls: type[_T], **query: int | None) -> list[_T]:
        for name, value in query.items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
                raise ValidationError(f"{name} must be an int from 0, not {shown(value)}", field=name)

        def read(reply: Reply) -> list[_T]:
            return read_list(reply, cls)

        return await self._transport.send(read_call(f"/{self.api_version}{path}", query), read)


def _id_of(item: Job | Asset | str, name: str) -> str:
    found = item.id if isinstance(item, (Job, Asset)) else item
    path_segment(found, name)
    return found
