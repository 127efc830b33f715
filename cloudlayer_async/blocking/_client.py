"""`Cloudlayer`, the blocking twin of `AsyncCloudlayer`."""

# GENERATED from client.py: do not change by hand. Make it anew with
#     python cloudlayer_async/blocking/generate.py

from __future__ import annotations

import os
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self, Unpack

import aiohttp

from .._keywords import (
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
from ..client import AsyncCloudlayer
from ..config import ClientChanges
from ..conversion import Document
from ..models import Account, ApiStatus, Asset, Attempt, Job, Limits, ResponseInfo, StorageConfig, Template
from ..options import JSON
from ..polling import OnUpdate, PollSchedule
from ..protocol import ApiVersion, UploadOptions
from ..requests import ConversionRequest, FileSource, HtmlSource
from ..retry import RetryPolicy, Timeouts
from ._batch import Batch
from ._conversion import Conversion
from ._errand import ask_caller, ask_caller_where, pull_from_caller, tell_caller
from ._portal import Home, Portal, refuse_session

if TYPE_CHECKING:
    from ..batch.pipeline import OnProgress, Requests
    from ..batch.report import BatchReport
    from ..batch.saving import SaveTo


class Cloudlayer:
    """The service, without `await`: for scripts, notebooks, threads, views and workers.

    Use it as ``with Cloudlayer() as cl: ...``, or call `close()` in the end. Nothing is opened before the first call.
    One client serves any number of threads. Inside a running event loop (a notebook has one) it works and blocks that
    loop. A forked child makes connections of its own. Your callbacks, and the requests of a batch, run in the thread
    that waits for the call, and may use the client. Ctrl-C ends the call and leaves the client usable. A conversion
    costs credits, and is sent once: what may be repeated without paying twice is repeated, everything else becomes an
    error whose `maybe_billed` says so.

    Args:
        api_key: The key; from the environment's CLOUDLAYER_API_KEY when not given. A function (plain or async) is
            called for each attempt, so that keys can be rotated; in the client's own thread, so that it must not use
            the client.
        api_version: ``"v2"`` answers conversions with a job to wait for, ``"v1"`` with the product, unless `async_` says
            otherwise.
        base_url: The service's address without the version; from CLOUDLAYER_BASE_URL when not given. https, or loopback.
        timeouts: Limits of the phases of a call and of waiting for a job, in seconds.
        retry: How often, and for how long, a call may be repeated.
        polling: How often a waiting client looks at its job.
        defaults: Options sent with every conversion whose kind has them; those of the request win.
        max_connections: Calls to the API at one time; downloads have a gate of the same size.
        session: Only None: a session belongs to an event loop, which here is the client's own.
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
        timeouts: Timeouts = Timeouts(),  # noqa: B008
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
        refuse_session(session)
        make = partial(
            AsyncCloudlayer,
            api_key,
            api_version=api_version,
            base_url=base_url,
            timeouts=timeouts,
            retry=retry,
            polling=polling,
            defaults=defaults,
            max_connections=max_connections,
            proxy=proxy,
            ssl=ssl,
            trace_configs=trace_configs,
            on_attempt=tell_caller(on_attempt),
            upload_options=upload_options,
        )
        self._home = Home(make, lambda client: Portal(client.aclose, client._release))
        self._is_root = True

    @property
    def _async(self) -> AsyncCloudlayer:
        return self._home.client

    @property
    def _portal(self) -> Portal:
        return self._home.portal

    def __enter__(self) -> Self:
        self._portal.check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the client and all its siblings, and ends its thread.

        Calls under way in other threads end with a `ConfigError`. Doing so twice is fine. On a sibling made by
        `with_options` it does nothing. Jobs go on at the service.
        """
        if self._is_root:
            self._portal.close()

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
        if "on_attempt" in changes:
            changes["on_attempt"] = tell_caller(changes["on_attempt"])
        sibling = object.__new__(type(self))
        sibling._home = self._home.sibling(lambda client: client.with_options(**changes))
        sibling._is_root = False
        return sibling

    @property
    def api_version(self) -> ApiVersion:
        """The API version in use."""
        return self._async.api_version

    @property
    def base_url(self) -> str:
        """The service's address."""
        return self._async.base_url

    @property
    def last_limits(self) -> Limits | None:
        """The rate limit and the calls left, as the last reply that carried them said; None before that."""
        return self._async.last_limits

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url} {self.api_version}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} holds connections and a key, and is not pickled: make one where it is used"
        )

    def submit(self, request: ConversionRequest) -> Conversion:
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
            KeyboardInterrupt: Interrupted; with `maybe_billed = True` and a note on it when the request had left.
        """
        return Conversion(self._portal, self._portal.run(self._async.submit, request))

    def convert(
        self,
        request: ConversionRequest,
        *,
        save_to: str | os.PathLike[str] | None = None,
        timeout: float | timedelta | None = None,
    ) -> Document:
        """Does it all in one call: submits, waits, and fetches the product.

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
            CloudlayerError: Any other error of `submit` and `Conversion.wait`. Once submitted, every error carries
                `job_id`, also a KeyboardInterrupt.
        """
        return self._portal.run(self._async.convert, request, save_to=save_to, timeout=timeout)

    def url_to_pdf(self, url: str | None = None, **options: Unpack[UrlToPdfOptions]) -> Conversion:
        """Converts a page, by address, to PDF; with `batch` several pages to one PDF. Costs credits: 1, or n + 1.

        Args:
            url: The page's absolute address. Leave it out with `batch`.
            **options: The options of `UrlToPdf`.
            batch: 1 to 20 addresses instead of `url`: one merged PDF, always asynchronous, billed n + 1 credits.
            authentication: HTTP basic authentication at the page.
            cookies: Cookies set before the page is loaded.
            format: Paper size by name. Not together with `width` or `height`.
            margin: Page margins.
            print_background: Print background colours and pictures; the service's default is False.
            header_template: Printed at the top of each page.
            footer_template: Printed at the bottom of each page.
            wait_until: When the page counts as loaded; the service's default is `networkidle2`.
            wait_for_selector: Wait for an element.
            wait_for_frame: Wait for iframes.
            wait_for_frame_attachment: Wait until iframes are attached.
            wait_for_frame_navigation: When an iframe counts as loaded.
            wait_for_frame_images: Wait for the images inside iframes.
            wait_for_frame_selector: Wait for an element inside an iframe.
            prefer_css_page_size: Let the page's own `@page` size win; the service's default is False.
            scale: Zoom, 0.1 to 2.
            width: Paper width. Not together with `format`.
            height: Paper height. Not together with `format`.
            landscape: Turn the paper.
            page_ranges: Pages to keep of a PDF, such as ``"1-5, 8, 11-13"``.
            auto_scroll: Scroll to the end first, for content that loads late.
            viewport: The window the page is laid out in.
            time_zone: A zone id such as ``"Europe/Rome"``.
            emulate_media_type: The CSS media type. `None` is sent and means no emulation; leave it out for the
                service's default.
            name: A label of the job, shown in the dashboard and found again by `find_jobs`.
            timeout: Cap of the rendering time in milliseconds, at least 1000; the service's default is 30000.
            delay: Milliseconds to wait before the capture; the service's default is 0.
            filename: The product's file name, unless `inline`.
            inline: Content-Disposition `inline` instead of `attachment`; the service's default is False.
            async_: True: the service answers at once with a job. False: it answers when done. None: the version's
                default (v1 False, v2 True). On v1, True brings `storage=True` along.
            storage: False: keep nothing (needs a synchronous call). True: the service's cloud. `UserStorage`: your
                bucket.
            webhook: Address told when the job ends: https, or http on loopback against a local emulator.
            project_id: The project that the job and its assets join.
            generate_preview: Make a small picture too. Needs storage.
            extra: Options this package does not know yet, by wire name. They may not override those it knows.

        Raises:
            CloudlayerError: As `submit`.
        """
        return Conversion(self._portal, self._portal.run(self._async.url_to_pdf, url, **options))

    def url_to_image(self, url: str | None = None, **options: Unpack[UrlToImageOptions]) -> Conversion:
        """Converts a page, by address, to an image. Costs credits.

        Args:
            url: The page's absolute address. Leave it out with `batch`.
            **options: The options of `UrlToImage`.
            batch: 1 to 20 addresses instead of `url`: one merged PDF, always asynchronous, billed n + 1 credits.
            authentication: HTTP basic authentication at the page.
            cookies: Cookies set before the page is loaded.
            image_type: The service's default is png. `jpeg` and `svg` are unconfirmed.
            quality: 0 to 100, for lossy types; the service's default is 80.
            transparent: No background, where the type has an alpha channel.
            trim: Crop the blank surroundings.
            wait_until: When the page counts as loaded; the service's default is `networkidle2`.
            wait_for_selector: Wait for an element.
            wait_for_frame: Wait for iframes.
            wait_for_frame_attachment: Wait until iframes are attached.
            wait_for_frame_navigation: When an iframe counts as loaded.
            wait_for_frame_images: Wait for the images inside iframes.
            wait_for_frame_selector: Wait for an element inside an iframe.
            prefer_css_page_size: Let the page's own `@page` size win; the service's default is False.
            scale: Zoom, 0.1 to 2.
            width: Paper width. Not together with `format`.
            height: Paper height. Not together with `format`.
            landscape: Turn the paper.
            page_ranges: Pages to keep of a PDF, such as ``"1-5, 8, 11-13"``.
            auto_scroll: Scroll to the end first, for content that loads late.
            viewport: The window the page is laid out in.
            time_zone: A zone id such as ``"Europe/Rome"``.
            emulate_media_type: The CSS media type. `None` is sent and means no emulation; leave it out for the
                service's default.
            name: A label of the job, shown in the dashboard and found again by `find_jobs`.
            timeout: Cap of the rendering time in milliseconds, at least 1000; the service's default is 30000.
            delay: Milliseconds to wait before the capture; the service's default is 0.
            filename: The product's file name, unless `inline`.
            inline: Content-Disposition `inline` instead of `attachment`; the service's default is False.
            async_: True: the service answers at once with a job. False: it answers when done. None: the version's
                default (v1 False, v2 True). On v1, True brings `storage=True` along.
            storage: False: keep nothing (needs a synchronous call). True: the service's cloud. `UserStorage`: your
                bucket.
            webhook: Address told when the job ends: https, or http on loopback against a local emulator.
            project_id: The project that the job and its assets join.
            generate_preview: Make a small picture too. Needs storage.
            extra: Options this package does not know yet, by wire name. They may not override those it knows.

        Raises:
            CloudlayerError: As `submit`.
        """
        return Conversion(self._portal, self._portal.run(self._async.url_to_image, url, **options))

    def html_to_pdf(self, html: HtmlSource, **options: Unpack[HtmlToPdfOptions]) -> Conversion:
        """Converts a page's source to PDF. Costs credits.

        Args:
            html: The page itself as `str` or bytes, or a `Path` to read it from. At most 10 MB as base64.
            **options: The options of `HtmlToPdf`.
            format: Paper size by name. Not together with `width` or `height`.
            margin: Page margins.
            print_background: Print background colours and pictures; the service's default is False.
            header_template: Printed at the top of each page.
            footer_template: Printed at the bottom of each page.
            wait_until: When the page counts as loaded; the service's default is `networkidle2`.
            wait_for_selector: Wait for an element.
            wait_for_frame: Wait for iframes.
            wait_for_frame_attachment: Wait until iframes are attached.
            wait_for_frame_navigation: When an iframe counts as loaded.
            wait_for_frame_images: Wait for the images inside iframes.
            wait_for_frame_selector: Wait for an element inside an iframe.
            prefer_css_page_size: Let the page's own `@page` size win; the service's default is False.
            scale: Zoom, 0.1 to 2.
            width: Paper width. Not together with `format`.
            height: Paper height. Not together with `format`.
            landscape: Turn the paper.
            page_ranges: Pages to keep of a PDF, such as ``"1-5, 8, 11-13"``.
            auto_scroll: Scroll to the end first, for content that loads late.
            viewport: The window the page is laid out in.
            time_zone: A zone id such as ``"Europe/Rome"``.
            emulate_media_type: The CSS media type. `None` is sent and means no emulation; leave it out for the
                service's default.
            name: A label of the job, shown in the dashboard and found again by `find_jobs`.
            timeout: Cap of the rendering time in milliseconds, at least 1000; the service's default is 30000.
            delay: Milliseconds to wait before the capture; the service's default is 0.
            filename: The product's file name, unless `inline`.
            inline: Content-Disposition `inline` instead of `attachment`; the service's default is False.
            async_: True: the service answers at once with a job. False: it answers when done. None: the version's
                default (v1 False, v2 True). On v1, True brings `storage=True` along.
            storage: False: keep nothing (needs a synchronous call). True: the service's cloud. `UserStorage`: your
                bucket.
            webhook: Address told when the job ends: https, or http on loopback against a local emulator.
            project_id: The project that the job and its assets join.
            generate_preview: Make a small picture too. Needs storage.
            extra: Options this package does not know yet, by wire name. They may not override those it knows.

        Raises:
            CloudlayerError: As `submit`.
        """
        return Conversion(self._portal, self._portal.run(self._async.html_to_pdf, html, **options))

    def html_to_image(self, html: HtmlSource, **options: Unpack[HtmlToImageOptions]) -> Conversion:
        """Converts a page's source to an image. Costs credits.

        Args:
            html: The page itself as `str` or bytes, or a `Path` to read it from. At most 10 MB as base64.
            **options: The options of `HtmlToImage`.
            image_type: The service's default is png. `jpeg` and `svg` are unconfirmed.
            quality: 0 to 100, for lossy types; the service's default is 80.
            transparent: No background, where the type has an alpha channel.
            trim: Crop the blank surroundings.
            wait_until: When the page counts as loaded; the service's default is `networkidle2`.
            wait_for_selector: Wait for an element.
            wait_for_frame: Wait for iframes.
            wait_for_frame_attachment: Wait until iframes are attached.
            wait_for_frame_navigation: When an iframe counts as loaded.
            wait_for_frame_images: Wait for the images inside iframes.
            wait_for_frame_selector: Wait for an element inside an iframe.
            prefer_css_page_size: Let the page's own `@page` size win; the service's default is False.
            scale: Zoom, 0.1 to 2.
            width: Paper width. Not together with `format`.
            height: Paper height. Not together with `format`.
            landscape: Turn the paper.
            page_ranges: Pages to keep of a PDF, such as ``"1-5, 8, 11-13"``.
            auto_scroll: Scroll to the end first, for content that loads late.
            viewport: The window the page is laid out in.
            time_zone: A zone id such as ``"Europe/Rome"``.
            emulate_media_type: The CSS media type. `None` is sent and means no emulation; leave it out for the
                service's default.
            name: A label of the job, shown in the dashboard and found again by `find_jobs`.
            timeout: Cap of the rendering time in milliseconds, at least 1000; the service's default is 30000.
            delay: Milliseconds to wait before the capture; the service's default is 0.
            filename: The product's file name, unless `inline`.
            inline: Content-Disposition `inline` instead of `attachment`; the service's default is False.
            async_: True: the service answers at once with a job. False: it answers when done. None: the version's
                default (v1 False, v2 True). On v1, True brings `storage=True` along.
            storage: False: keep nothing (needs a synchronous call). True: the service's cloud. `UserStorage`: your
                bucket.
            webhook: Address told when the job ends: https, or http on loopback against a local emulator.
            project_id: The project that the job and its assets join.
            generate_preview: Make a small picture too. Needs storage.
            extra: Options this package does not know yet, by wire name. They may not override those it knows.

        Raises:
            CloudlayerError: As `submit`.
        """
        return Conversion(self._portal, self._portal.run(self._async.html_to_image, html, **options))

    def template_to_pdf(self, **options: Unpack[TemplateToPdfOptions]) -> Conversion:
        """Fills in a template and converts it to PDF. Costs credits.

        Args:
            **options: `template_id` or `template` (a `str` or bytes goes inline, a `Path` is uploaded), `data`, and the
                other options of `TemplateToPdf`.
            template_id: A template of the gallery, or of your own with the prefix ``u-``. Either this or `template`.
            template: The template's own source: a `str` or bytes goes inline, a `Path` is uploaded as a file.
            data: The template's variables: sent value for value, `None` included (it means "calculate this").
            format: Paper size by name. Not together with `width` or `height`.
            margin: Page margins.
            print_background: Print background colours and pictures; the service's default is False.
            header_template: Printed at the top of each page.
            footer_template: Printed at the bottom of each page.
            wait_until: When the page counts as loaded; the service's default is `networkidle2`.
            wait_for_selector: Wait for an element.
            wait_for_frame: Wait for iframes.
            wait_for_frame_attachment: Wait until iframes are attached.
            wait_for_frame_navigation: When an iframe counts as loaded.
            wait_for_frame_images: Wait for the images inside iframes.
            wait_for_frame_selector: Wait for an element inside an iframe.
            prefer_css_page_size: Let the page's own `@page` size win; the service's default is False.
            scale: Zoom, 0.1 to 2.
            width: Paper width. Not together with `format`.
            height: Paper height. Not together with `format`.
            landscape: Turn the paper.
            page_ranges: Pages to keep of a PDF, such as ``"1-5, 8, 11-13"``.
            auto_scroll: Scroll to the end first, for content that loads late.
            viewport: The window the page is laid out in.
            time_zone: A zone id such as ``"Europe/Rome"``.
            emulate_media_type: The CSS media type. `None` is sent and means no emulation; leave it out for the
                service's default.
            name: A label of the job, shown in the dashboard and found again by `find_jobs`.
            timeout: Cap of the rendering time in milliseconds, at least 1000; the service's default is 30000.
            delay: Milliseconds to wait before the capture; the service's default is 0.
            filename: The product's file name, unless `inline`.
            inline: Content-Disposition `inline` instead of `attachment`; the service's default is False.
            async_: True: the service answers at once with a job. False: it answers when done. None: the version's
                default (v1 False, v2 True). On v1, True brings `storage=True` along.
            storage: False: keep nothing (needs a synchronous call). True: the service's cloud. `UserStorage`: your
                bucket.
            webhook: Address told when the job ends: https, or http on loopback against a local emulator.
            project_id: The project that the job and its assets join.
            generate_preview: Make a small picture too. Needs storage.
            extra: Options this package does not know yet, by wire name. They may not override those it knows.

        Raises:
            CloudlayerError: As `submit`.
        """
        return Conversion(self._portal, self._portal.run(self._async.template_to_pdf, **options))

    def template_to_image(self, **options: Unpack[TemplateToImageOptions]) -> Conversion:
        """Fills in a template and converts it to an image. Costs credits.

        Args:
            **options: `template_id` or `template` (a `str` or bytes goes inline, a `Path` is uploaded), `data`, and the
                other options of `TemplateToImage`.
            template_id: A template of the gallery, or of your own with the prefix ``u-``. Either this or `template`.
            template: The template's own source: a `str` or bytes goes inline, a `Path` is uploaded as a file.
            data: The template's variables: sent value for value, `None` included (it means "calculate this").
            image_type: The service's default is png. `jpeg` and `svg` are unconfirmed.
            quality: 0 to 100, for lossy types; the service's default is 80.
            transparent: No background, where the type has an alpha channel.
            trim: Crop the blank surroundings.
            wait_until: When the page counts as loaded; the service's default is `networkidle2`.
            wait_for_selector: Wait for an element.
            wait_for_frame: Wait for iframes.
            wait_for_frame_attachment: Wait until iframes are attached.
            wait_for_frame_navigation: When an iframe counts as loaded.
            wait_for_frame_images: Wait for the images inside iframes.
            wait_for_frame_selector: Wait for an element inside an iframe.
            prefer_css_page_size: Let the page's own `@page` size win; the service's default is False.
            scale: Zoom, 0.1 to 2.
            width: Paper width. Not together with `format`.
            height: Paper height. Not together with `format`.
            landscape: Turn the paper.
            page_ranges: Pages to keep of a PDF, such as ``"1-5, 8, 11-13"``.
            auto_scroll: Scroll to the end first, for content that loads late.
            viewport: The window the page is laid out in.
            time_zone: A zone id such as ``"Europe/Rome"``.
            emulate_media_type: The CSS media type. `None` is sent and means no emulation; leave it out for the
                service's default.
            name: A label of the job, shown in the dashboard and found again by `find_jobs`.
            timeout: Cap of the rendering time in milliseconds, at least 1000; the service's default is 30000.
            delay: Milliseconds to wait before the capture; the service's default is 0.
            filename: The product's file name, unless `inline`.
            inline: Content-Disposition `inline` instead of `attachment`; the service's default is False.
            async_: True: the service answers at once with a job. False: it answers when done. None: the version's
                default (v1 False, v2 True). On v1, True brings `storage=True` along.
            storage: False: keep nothing (needs a synchronous call). True: the service's cloud. `UserStorage`: your
                bucket.
            webhook: Address told when the job ends: https, or http on loopback against a local emulator.
            project_id: The project that the job and its assets join.
            generate_preview: Make a small picture too. Needs storage.
            extra: Options this package does not know yet, by wire name. They may not override those it knows.

        Raises:
            CloudlayerError: As `submit`.
        """
        return Conversion(self._portal, self._portal.run(self._async.template_to_image, **options))

    def docx_to_pdf(self, file: FileSource, **options: Unpack[DocxToPdfOptions]) -> Conversion:
        """Converts a Word document to PDF. Costs credits.

        Args:
            file: A path, bytes, or a binary file object, read from where it stands and never closed.
            **options: The options of `DocxToPdf`.
            name: A label of the job, shown in the dashboard and found again by `find_jobs`.
            timeout: Cap of the rendering time in milliseconds, at least 1000; the service's default is 30000.
            delay: Milliseconds to wait before the capture; the service's default is 0.
            filename: The product's file name, unless `inline`.
            inline: Content-Disposition `inline` instead of `attachment`; the service's default is False.
            async_: True: the service answers at once with a job. False: it answers when done. None: the version's
                default (v1 False, v2 True). On v1, True brings `storage=True` along.
            storage: False: keep nothing (needs a synchronous call). True: the service's cloud. `UserStorage`: your
                bucket.
            webhook: Address told when the job ends: https, or http on loopback against a local emulator.
            project_id: The project that the job and its assets join.
            generate_preview: Make a small picture too. Needs storage.
            extra: Options this package does not know yet, by wire name. They may not override those it knows.

        Raises:
            CloudlayerError: As `submit`.
        """
        return Conversion(self._portal, self._portal.run(self._async.docx_to_pdf, file, **options))

    def docx_to_html(self, file: FileSource, **options: Unpack[DocxToHtmlOptions]) -> Conversion:
        """Converts a Word document to HTML. Costs credits.

        Args:
            file: A path, bytes, or a binary file object, read from where it stands and never closed.
            **options: The options of `DocxToHtml`.
            name: A label of the job, shown in the dashboard and found again by `find_jobs`.
            timeout: Cap of the rendering time in milliseconds, at least 1000; the service's default is 30000.
            delay: Milliseconds to wait before the capture; the service's default is 0.
            filename: The product's file name, unless `inline`.
            inline: Content-Disposition `inline` instead of `attachment`; the service's default is False.
            async_: True: the service answers at once with a job. False: it answers when done. None: the version's
                default (v1 False, v2 True). On v1, True brings `storage=True` along.
            storage: False: keep nothing (needs a synchronous call). True: the service's cloud. `UserStorage`: your
                bucket.
            webhook: Address told when the job ends: https, or http on loopback against a local emulator.
            project_id: The project that the job and its assets join.
            generate_preview: Make a small picture too. Needs storage.
            extra: Options this package does not know yet, by wire name. They may not override those it knows.

        Raises:
            CloudlayerError: As `submit`.
        """
        return Conversion(self._portal, self._portal.run(self._async.docx_to_html, file, **options))

    def pdf_to_docx(self, file: FileSource, **options: Unpack[PdfToDocxOptions]) -> Conversion:
        """Converts a PDF to a Word document. Costs credits.

        Args:
            file: A path, bytes, or a binary file object, read from where it stands and never closed.
            **options: The options of `PdfToDocx`.
            name: A label of the job, shown in the dashboard and found again by `find_jobs`.
            timeout: Cap of the rendering time in milliseconds, at least 1000; the service's default is 30000.
            delay: Milliseconds to wait before the capture; the service's default is 0.
            filename: The product's file name, unless `inline`.
            inline: Content-Disposition `inline` instead of `attachment`; the service's default is False.
            async_: True: the service answers at once with a job. False: it answers when done. None: the version's
                default (v1 False, v2 True). On v1, True brings `storage=True` along.
            storage: False: keep nothing (needs a synchronous call). True: the service's cloud. `UserStorage`: your
                bucket.
            webhook: Address told when the job ends: https, or http on loopback against a local emulator.
            project_id: The project that the job and its assets join.
            generate_preview: Make a small picture too. Needs storage.
            extra: Options this package does not know yet, by wire name. They may not override those it knows.

        Raises:
            CloudlayerError: As `submit`.
        """
        return Conversion(self._portal, self._portal.run(self._async.pdf_to_docx, file, **options))

    def merge_pdfs(self, urls: Sequence[str], **options: Unpack[MergePdfsOptions]) -> Conversion:
        """Merges PDFs, by address, into one, in order. Costs credits: up to n + 1.

        Args:
            urls: 1 to 20 absolute addresses of PDFs.
            **options: The options of `MergePdfs`.
            authentication: HTTP basic authentication at the page.
            cookies: Cookies set before the page is loaded.
            name: A label of the job, shown in the dashboard and found again by `find_jobs`.
            timeout: Cap of the rendering time in milliseconds, at least 1000; the service's default is 30000.
            delay: Milliseconds to wait before the capture; the service's default is 0.
            filename: The product's file name, unless `inline`.
            inline: Content-Disposition `inline` instead of `attachment`; the service's default is False.
            async_: True: the service answers at once with a job. False: it answers when done. None: the version's
                default (v1 False, v2 True). On v1, True brings `storage=True` along.
            storage: False: keep nothing (needs a synchronous call). True: the service's cloud. `UserStorage`: your
                bucket.
            webhook: Address told when the job ends: https, or http on loopback against a local emulator.
            project_id: The project that the job and its assets join.
            generate_preview: Make a small picture too. Needs storage.
            extra: Options this package does not know yet, by wire name. They may not override those it knows.

        Raises:
            CloudlayerError: As `submit`.
        """
        return Conversion(self._portal, self._portal.run(self._async.merge_pdfs, urls, **options))

    def attach(self, job_or_id: Job | str) -> Conversion:
        """The handle of a conversion submitted earlier, by any process. Nothing is sent by this.

        Args:
            job_or_id: A job, or its id.

        Raises:
            ValidationError: There is no id in it.
        """
        return Conversion(self._portal, self._async.attach(job_or_id))

    def batch(
        self,
        requests: Requests,
        *,
        concurrency: int = 32,
        save_to: SaveTo | None = None,
        journal: str | os.PathLike[str] | None = None,
        max_credits: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Batch:
        """Converts many requests, a bounded number at a time. Costs the credits of each.

        Use it as ``with cl.batch(...) as batch: for outcome in batch: ...``. Outcomes come as they are known; a failure
        is an outcome with an `error`, and sinks nothing. Leaving the block early stops taking requests and leaves what
        was submitted to go on at the service; `batch.report` names it.

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
        handle = self._async.batch(
            pull_from_caller(requests),
            concurrency=concurrency,
            save_to=ask_caller_where(save_to),
            journal=journal,
            max_credits=max_credits,
            on_progress=ask_caller(on_progress),
        )
        return Batch(self._portal, handle)

    def run_batch(
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
        return self._portal.run(
            self._async.run_batch,
            pull_from_caller(requests),
            save_to=ask_caller_where(save_to),
            concurrency=concurrency,
            journal=journal,
            max_credits=max_credits,
            on_progress=ask_caller(on_progress),
        )

    def get_job(self, job_id: str) -> Job:
        """One job, read now.

        Raises:
            NotFoundError: There is none of that id.
            CloudlayerError: It cannot be read: another `ApiError`, `ConnectionFailedError`, `RequestTimeoutError`,
                `UnexpectedResponseError`; `ValidationError` for an id that is none.
        """
        return self._portal.run(self._async.get_job, job_id)

    def list_jobs(self, *, limit: int | None = None, offset: int | None = None) -> list[Job]:
        """Recent jobs, newest first. How many the service gives is not certain (10, 25 or all).

        Args:
            limit: Sent only when given; not every deployment knows it.
            offset: Likewise.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return self._portal.run(self._async.list_jobs, limit=limit, offset=offset)

    def iter_jobs(self) -> Generator[Job]:
        """All jobs the service gives, newest first: its first page as it comes, then further ones while they bring news.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return self._portal.iterate(self._async.iter_jobs)

    def find_jobs(self, *, name: str | None = None, since: datetime | None = None) -> list[Job]:
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
        return self._portal.run(self._async.find_jobs, name=name, since=since)

    def wait_for_job(
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
        return self._portal.run(self._async.wait_for_job, job_or_id, timeout, ask_caller(on_update))

    def watch_job(self, job_or_id: Job | str, timeout: float | timedelta | None = None) -> Generator[Job]:
        """Gives a job as it is now, then again at each change of its status, the last time when it has ended, well or badly.

        Args:
            job_or_id: A job, or its id.
            timeout: Seconds from now; None for `Timeouts.job`, `math.inf` for ever.

        Raises:
            JobTimeoutError: It has not ended in time.
            CloudlayerError: As `get_job`.
        """
        return self._portal.iterate(self._async.watch_job, job_or_id, timeout)

    def get_asset(self, asset_id: str) -> Asset:
        """One asset, read now, with a fresh address.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return self._portal.run(self._async.get_asset, asset_id)

    def list_assets(self, *, limit: int | None = None, offset: int | None = None) -> list[Asset]:
        """Recent assets, newest first. How many the service gives is not certain (10, 25 or all).

        Args:
            limit: Sent only when given; not every deployment knows it.
            offset: Likewise.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return self._portal.run(self._async.list_assets, limit=limit, offset=offset)

    def iter_assets(self) -> Generator[Asset]:
        """All assets the service gives, newest first: its first page as it comes, then further ones while they bring news.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return self._portal.iterate(self._async.iter_assets)

    def download_asset(self, asset_or_id: Asset | str, path: str | os.PathLike[str]) -> Path:
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
        return self._portal.run(self._async.download_asset, asset_or_id, path)

    def list_storage(self) -> list[StorageConfig]:
        """Your buckets, by id and title.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return self._portal.run(self._async.list_storage)

    def get_storage(self, storage_id: str) -> StorageConfig:
        """One of your buckets.

        Raises:
            BadRequestError: There is none of that id (the service answers 400).
            CloudlayerError: As `get_job`.
        """
        return self._portal.run(self._async.get_storage, storage_id)

    def add_storage(
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
        return self._portal.run(
            self._async.add_storage,
            title=title,
            region=region,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            bucket=bucket,
            endpoint=endpoint,
        )

    def delete_storage(self, storage_id: str) -> None:
        """Removes the configuration of a bucket; the bucket and what is in it stay.

        Raises:
            BadRequestError: There is none of that id (the service answers 400).
            AmbiguousSubmissionError: It left, and what became of it is unknown.
            CloudlayerError: As `get_job`.
        """
        self._portal.run(self._async.delete_storage, storage_id)

    def list_templates(
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
        return self._portal.run(self._async.list_templates, type=type, category=category, tags=tags, expand=expand)

    def get_template(self, template_id: str) -> Template:
        """One template of the gallery. Always asked of v2, the only version known to have it.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return self._portal.run(self._async.get_template, template_id)

    def get_account(self) -> Account:
        """The account's plan and use. Costs no credits.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return self._portal.run(self._async.get_account)

    def get_status(self) -> ApiStatus:
        """Whether the service is there and the key is good. Costs no credits.

        Raises:
            CloudlayerError: As `get_job`.
        """
        return self._portal.run(self._async.get_status)

    def request(
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
        return self._portal.run(self._async.request, method, path, json=json, params=params)
