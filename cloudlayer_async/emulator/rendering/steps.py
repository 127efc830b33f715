"""The steps from a request to its product, the same for every engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
from yarl import URL

from . import soffice
from .fetching import Fetcher, Target
from .job import Engine, Job, Page
from .model import RenderError, Rendering, RenderSpec
from .notes import Notes
from .policy import shown
from .pool import WorkerPool

DEFAULT_TIMEOUT = 30_000
_PDF = ("application/pdf", "pdf")
_DOCX = ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx")
_HTML = ("text/html; charset=utf-8", "html")
_IMAGES = {
    "png": ("image/png", "png"),
    "jpg": ("image/jpeg", "jpg"),
    "jpeg": ("image/jpeg", "jpeg"),
    "webp": ("image/webp", "webp"),
}


@attrs.frozen
class _Product:
    content: bytes
    content_type: str
    extension: str


class Conversion:
    """One conversion.

    Args:
        spec: What to make.
        engine: What draws.
        pool: Where the rest of the work is done.
        fetcher: The way out.
    """

    def __init__(self, spec: RenderSpec, engine: Engine, pool: WorkerPool, fetcher: Fetcher) -> None:
        self._spec = spec
        self._engine = engine
        self._pool = pool
        self._fetcher = fetcher
        self._notes = Notes()
        self._engines = engine.name
        self._source, _, self._kind = spec.conversion.partition("-")

    async def run(self) -> Rendering:
        """Make the product.

        Raises:
            RenderError: It cannot be made.
        """
        product = await self._product()
        preview = await self._preview(product)
        return Rendering(
            content=product.content,
            content_type=product.content_type,
            extension=product.extension,
            preview=preview.content if preview else None,
            preview_content_type=preview.content_type if preview else None,
            preview_extension=preview.extension if preview else None,
            notes=self._notes.all(),
            engine=self._engines,
        )

    async def _product(self) -> _Product:
        match self._spec.conversion:
            case "html-pdf" | "html-image" | "template-pdf" | "template-image":
                async with self._job() as job:
                    return await self._draw(job, Page(html=await self._markup(job)))
            case "url-pdf" | "url-image":
                return await self._addresses()
            case "merge-pdf":
                return await self._merge()
            case "docx-pdf":
                async with self._job() as job:
                    return _Product(await self._docx_pdf(job, await self._upload(job)), *_PDF)
            case "docx-html":
                async with self._job() as job:
                    frame = await job.work("docx_html", {}, (await self._upload(job),))
                    self._engines = "mammoth"
                    return _Product(frame.blobs[0], *_HTML)
            case "pdf-docx":
                async with self._job() as job:
                    frame = await job.work("pdf_docx", {}, (await self._upload(job),))
                    self._engines = "pypdfium2 and python-docx"
                    return _Product(frame.blobs[0], *_DOCX)
        raise RenderError(f"There is no engine for {self._spec.conversion}")

    @asynccontextmanager
    async def _job(self, url: str | None = None) -> AsyncIterator[Job]:
        """One document's work, ended at its time limit."""
        options = self._spec.options
        milliseconds = options.get("timeout") or DEFAULT_TIMEOUT
        target = None
        if url is not None:
            target = Target(url=url, authentication=options.get("authentication"), cookies=options.get("cookies") or ())
        job = Job(
            options=options,
            is_template=self._source == "template",
            pool=self._pool,
            loads=self._fetcher.loads(target),
            target=target,
            notes=self._notes,
            deadline=asyncio.get_running_loop().time() + milliseconds / 1000,
        )
        limit = asyncio.timeout_at(job.deadline)
        try:
            async with limit:
                yield job
        except TimeoutError as error:
            if not limit.expired():
                raise
            reason = f" while waiting for {job.waiting_for}" if job.waiting_for else ""
            raise RenderError(f"Timeout of {milliseconds} ms exceeded{reason}") from error

    async def _markup(self, job: Job) -> str:
        if self._spec.template is None:
            return self._spec.html or ""
        frame = await job.work("template", {"source": self._spec.template, "data": self._spec.data})
        return frame.blobs[0].decode()

    async def _draw(self, job: Job, page: Page) -> _Product:
        if self._kind == "image":
            image_type = str(job.options.get("imageType") or "png").lower()
            known = _IMAGES.get(image_type)
            if known is None:
                raise RenderError(f"imageType {image_type} cannot be made here; png, jpg, jpeg and webp can")
            return _Product(await self._engine.image(job, page), *known)
        return _Product(await self._engine.pdf(job, page), *_PDF)

    async def _addresses(self) -> _Product:
        products = []
        for url in self._spec.urls:
            async with self._job(url) as job:
                products.append(await self._draw(job, await self._engine.open(job, url)))
        if len(products) == 1:
            return products[0]
        task = "merge_images" if self._kind == "image" else "merge"
        async with self._job() as job:
            frame = await job.work(task, {"names": list(self._spec.urls)}, [product.content for product in products])
        return _Product(frame.blobs[0], *_PDF)

    async def _merge(self) -> _Product:
        contents = []
        for url in self._spec.urls:
            async with self._job(url) as job:
                contents.append(await self._download(job, url))
        async with self._job() as job:
            names = [shown(URL(url)) for url in self._spec.urls]
            frame = await job.work("merge", {"names": names}, contents)
        self._engines = "pypdfium2"
        return _Product(frame.blobs[0], *_PDF)

    async def _upload(self, job: Job) -> bytes:
        if self._spec.upload is not None:
            return self._spec.upload
        if not self._spec.urls:
            raise RenderError("There is no document to convert")
        return await self._download(job, self._spec.urls[0])

    async def _download(self, job: Job, url: str) -> bytes:
        fetched = await job.load_document(url)
        if fetched.status >= 400:
            raise RenderError(f"{shown(URL(fetched.url))} answered {fetched.status}")
        return fetched.content

    async def _docx_pdf(self, job: Job, upload: bytes) -> bytes:
        office = soffice.find()
        if office is not None:
            await job.work("docx_check", {}, (upload,))
            self._engines = "LibreOffice"
            return await soffice.to_pdf(office, upload)
        frame = await job.work("docx_html", {}, (upload,))
        self._engines = f"mammoth and {self._engine.name}"
        self._notes.add(
            "Without LibreOffice a docx keeps its text, lists, tables and pictures, "
            "but neither colours, headers nor page breaks"
        )
        return await self._engine.pdf(job, Page(html=frame.blobs[0].decode()))

    async def _preview(self, product: _Product) -> _Product | None:
        wanted = self._spec.options.get("generatePreview")
        if not wanted:
            return None
        is_pdf = product.content_type == _PDF[0]
        if not is_pdf and not product.content_type.startswith("image/"):
            self._notes.add("generatePreview: there are previews of PDFs and pictures only")
            return None
        async with self._job() as job:
            arguments = {"is_pdf": is_pdf, "wanted": {} if wanted is True else wanted}
            frame = await job.work("preview", arguments, (product.content,))
        return _Product(frame.blobs[0], frame.head["content_type"], frame.head["extension"])
