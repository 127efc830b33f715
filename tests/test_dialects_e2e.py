"""The client against the emulator in every dialect: each switch alone, and each generation of the documentation.

The two ends share no decoding code, so what passes here was understood twice.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from emulator.conftest import PDF, FakeRenderer

from cloudlayer_async import (
    ApiError,
    AsyncCloudlayer,
    AuthenticationError,
    BadRequestError,
    ConversionRequest,
    DocxToHtml,
    DocxToPdf,
    HeaderFooter,
    HtmlToImage,
    HtmlToPdf,
    Job,
    JobFailedError,
    JobStatus,
    Margin,
    MergePdfs,
    NotFoundError,
    PdfToDocx,
    PollSchedule,
    Preview,
    RateLimitError,
    RetryPolicy,
    ServerError,
    StorageNotAllowedError,
    TemplateToImage,
    TemplateToPdf,
    UrlToImage,
    UrlToPdf,
    UserStorage,
    from_dict,
)
from cloudlayer_async.emulator import Emulator
from cloudlayer_async.emulator.dialects import GENERATIONS, SWITCHES, Dialect, parse

DIALECTS = ["", *SWITCHES, *GENERATIONS]
PAGE = "<h1>Hello</h1>"
DOCX = b"PK\x03\x04 docx"
ADDRESS = "https://site.example/page"
BUCKET = {"region": "us-east-1", "access_key_id": "AKIA", "secret_access_key": "s3cret", "bucket": "products"}
PRODUCTS = {"image": b"\x89PNG fake", "pdf": PDF, "docx": PDF, "html": b"<p>fake</p>"}
"""What the fake renderer makes, by the end of the conversion's name."""

pytestmark = pytest.mark.asyncio


class Desk:
    """An emulator of one dialect, and clients of it. All of them share one connection pool."""

    def __init__(self, name: str, emulator: Emulator, renderer: FakeRenderer, session: aiohttp.ClientSession) -> None:
        self.dialect: Dialect = parse(name)
        self.emulator = emulator
        self.renderer = renderer
        self.session = session

    def client(self, api_version: Any = "v2", **settings: Any) -> AsyncCloudlayer:
        return AsyncCloudlayer(
            **{
                "api_key": self.emulator.api_key,
                "base_url": self.emulator.base_url,
                "api_version": api_version,
                "polling": PollSchedule(min_interval=0.002, max_interval=0.01),
                "session": self.session,
                "upload_options": self.upload_options,
                **settings,
            }
        )

    @property
    def upload_options(self) -> str:
        """What a user of such a service would set."""
        taken = self.dialect.upload_options
        return "fields" if "flat" in taken else "options" if "options" in taken else "json"


@pytest_asyncio.fixture(params=DIALECTS, ids=lambda name: name or "default")
async def desk(request: pytest.FixtureRequest, no_environment: None) -> AsyncIterator[Desk]:
    renderer = FakeRenderer()
    async with (
        Emulator(renderer=renderer, dialect=request.param) as emulator,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        yield Desk(request.param, emulator, renderer, session)
    assert emulator.seen.asset_requests_with_key == 0


async def test_one_conversion(desk: Desk, tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        async with desk.client(version) as cl:
            for async_ in (None, True, False):
                await convert_once(desk, cl, tmp_path, async_)
    assert desk.emulator.seen.accepted == len(desk.renderer.specs) == 6


async def convert_once(desk: Desk, cl: AsyncCloudlayer, folder: Path, async_: bool | None) -> None:
    """One conversion from the submission to files, and what the service then says about it."""
    began = time.time()
    conversion = await cl.html_to_pdf(
        PAGE,
        name="letter",
        filename="letter.pdf",
        async_=async_,
        margin=Margin(top="1in"),
        header_template=HeaderFooter(method="extract", selector="h1"),
    )
    job = await conversion.wait()
    assert job.is_success
    document = await conversion.result()
    assert (document.content, document.content_type, document.filename) == (PDF, "application/pdf", "letter.pdf")
    assert (await conversion.save(folder)).read_bytes() == PDF
    async with conversion.stream() as chunks:
        assert b"".join([chunk async for chunk in chunks]) == PDF
    seen = (await cl.list_jobs())[0]
    assert (seen.name, seen.type, seen.status) == ("letter", "html-pdf", JobStatus.SUCCESS)
    assert seen.timestamp is not None
    assert began - 1 <= seen.timestamp.timestamp() <= time.time() + 1
    assert seen.size == len(PDF)
    assert (seen.worker or "").startswith("emulator-worker-")
    assert seen.uid == "emulator"
    if job.id:
        assert job.id == seen.id == conversion.job_id
        assert (await cl.get_job(job.id)).asset_id == seen.asset_id
        assert (await cl.attach(job.id).result()).content == PDF
    spec = desk.renderer.specs[-1]
    assert spec.html == PAGE
    assert spec.options["margin"] == {"top": "1in"}


async def test_every_conversion(desk: Desk, tmp_path: Path) -> None:
    docx = tmp_path / "letter.docx"
    docx.write_bytes(DOCX)
    preview = Preview(width=100, type="webp", quality=80)
    requests: list[ConversionRequest] = [
        UrlToPdf(ADDRESS, name="0", cookies=[], page_ranges="1-2"),
        UrlToPdf(batch=[ADDRESS, ADDRESS], name="1"),
        UrlToImage(ADDRESS, name="2", image_type="png", quality=70),
        HtmlToPdf(PAGE, name="3", format="a4", generate_preview=preview, storage=True),
        HtmlToImage(PAGE, name="4", image_type="webp", transparent=True),
        TemplateToPdf(template_id="plain-invoice", data={"invoice_no": "A-17", "total": None}, name="5"),
        TemplateToImage(template="<p>{{ who }}</p>", data={"who": "Zoë"}, name="6"),
        DocxToPdf(docx, name="7", filename="letter.pdf"),
        DocxToHtml(DOCX, name="8"),
        PdfToDocx(PDF, name="9", inline=True),
        MergePdfs([ADDRESS, ADDRESS], name="10"),
    ]
    async with desk.client() as cl:
        conversions = await asyncio.gather(*map(cl.submit, requests))
        documents = await asyncio.gather(*(conversion.result() for conversion in conversions))
        jobs = {job.name: job async for job in cl.iter_jobs()}
        [asset] = [asset async for asset in cl.iter_assets() if asset.job_id == documents[3].job.id]
    for index, (request, document) in enumerate(zip(requests, documents, strict=True)):
        kind = type(request).__name__.lower().rpartition("to")[2].removeprefix("mergep").replace("dfs", "pdf")
        assert document.content == PRODUCTS[kind], request
        assert document.job.is_success
        if desk.dialect.list_paging or desk.dialect.list_default is None or desk.dialect.list_default > 10:
            assert jobs[str(index)].api_credit_cost == (3 if index == 1 else 1)
    assert documents[7].filename == "letter.pdf"
    if desk.dialect.asset_fields == "full":
        assert asset.preview_ext == "webp"
    specs = {spec.conversion: spec for spec in desk.renderer.specs}
    assert specs["template-pdf"].data == {"invoice_no": "A-17", "total": None}
    assert specs["docx-pdf"].upload == DOCX
    assert specs["pdf-docx"].options == {"inline": True, "name": "9"}
    assert desk.emulator.seen.accepted == len(requests)


async def test_lists_and_looks(desk: Desk, tmp_path: Path) -> None:
    async with desk.client() as cl:
        names = [f"n{number}" for number in range(12)]
        for name in names:
            await (await cl.html_to_pdf(PAGE, name=name)).wait()
        listed = [job.name async for job in cl.iter_jobs()]
        kept = 12 if desk.dialect.list_paging or desk.dialect.list_default is None else desk.dialect.list_default
        assert listed == names[::-1][:kept]
        assert [job.name for job in await cl.find_jobs(name="n11")] == ["n11"]
        if desk.dialect.list_paging:
            assert [job.name for job in await cl.list_jobs(limit=2, offset=1)] == ["n10", "n9"]
        assets = [asset async for asset in cl.iter_assets()]
        assert len(assets) == kept
        asset = await cl.get_asset(assets[0].id)
        assert (asset.id, asset.job_id, asset.ext, asset.size) == (assets[0].id, assets[0].job_id, "pdf", len(PDF))
        assert asset.timestamp is not None
        assert (await cl.download_asset(asset, tmp_path / "x.pdf")).read_bytes() == PDF
        assert (await cl.download_asset(asset.id, tmp_path / "y.pdf")).read_bytes() == PDF
        account = await cl.get_account()
        assert (account.calls, account.success_jobs, account.error_jobs) == (12, 12, 0)
        assert account.bytes_total == 12 * len(PDF)
        assert account.bytes_limit is None
        if desk.dialect.account != "2026a":
            assert account.sub_active is True
            assert account.total_jobs == 12
        assert (await cl.get_status()).ok
        templates = await cl.list_templates(expand=True)
        invoice = next(template for template in templates if template.template_id == "plain-invoice")
        assert invoice.tags
        assert invoice.timestamp is not None
        assert (await cl.get_template("plain-invoice")).id == invoice.id
        assert [change.status async for change in cl.watch_job(assets[0].job_id or "")] == ["success"]
        data, info = await cl.request("GET", "/getStatus")
        assert data["status"].strip() == "ok"
        assert info.status == 200


async def test_storage(desk: Desk) -> None:
    async with desk.client() as cl:
        assert await cl.list_storage() == []
        if desk.dialect.storage_create == "error-200":
            with pytest.raises(ApiError):
                await cl.add_storage(title="mine", **BUCKET)
            return
        added = await cl.add_storage(title="mine", **BUCKET)
        assert added.id
        assert [(config.id, config.title) for config in await cl.list_storage()] == [(added.id, "mine")]
        assert (await cl.get_storage(added.id)).title == "mine"
        with pytest.raises(BadRequestError) as caught:
            await cl.add_storage(title="mine", **BUCKET)
        assert "s3cret" not in str(caught.value) + repr(caught.value)
        await cl.delete_storage(added.id)
        assert await cl.list_storage() == []
        with pytest.raises(ApiError):
            await cl.delete_storage(added.id)
        with pytest.raises(BadRequestError):
            await cl.get_storage(added.id)


async def test_a_plan_without_storage(desk: Desk) -> None:
    desk.emulator.service.settings = desk.emulator.service.settings.__class__(user_storage=False)
    async with desk.client(api_key=desk.emulator.api_key) as cl:
        with pytest.raises(StorageNotAllowedError, match=r"plan|storage"):
            await cl.add_storage(title="mine", **BUCKET)


async def test_refusals(desk: Desk) -> None:
    async with desk.client() as cl, desk.client(api_key="cl-wrong") as stranger:
        with pytest.raises(AuthenticationError):
            await stranger.get_status()
        with pytest.raises(AuthenticationError) as caught:
            await stranger.html_to_pdf(PAGE)
        assert caught.value.maybe_billed is False
        with pytest.raises(NotFoundError) as missing:
            await cl.get_job("nothing")
        assert missing.value.status == 404
        if desk.dialect.error_body in ("full", "message", "reason", "error", "list", "text"):
            assert "not found" in str(missing.value).lower()
        with pytest.raises(NotFoundError):
            await cl.get_asset("nothing")
        with pytest.raises(NotFoundError):
            await cl.get_template("nothing")
        with pytest.raises(BadRequestError) as refused:
            await cl.html_to_pdf(PAGE, storage=UserStorage("nothing"))
        assert refused.value.maybe_billed is False
    assert desk.emulator.seen.accepted == 0


async def test_a_conversion_that_fails(desk: Desk) -> None:
    desk.renderer.error = "No <such> page"
    for version in ("v1", "v2"):
        async with desk.client(version) as cl:
            conversion = await cl.html_to_pdf(PAGE, async_=True)
            with pytest.raises(JobFailedError, match="No <such> page") as failed:
                await conversion.result()
            assert failed.value.job.is_error
            assert failed.value.job_id == conversion.job_id
            with pytest.raises(ServerError) as caught:
                await cl.html_to_pdf(PAGE, async_=False)
            assert caught.value.maybe_billed
    async with desk.client() as cl:
        account = await cl.get_account()
    assert (account.calls, account.success_jobs, account.error_jobs) == (0, 0, 4)
    assert desk.emulator.seen.accepted == 4


async def test_faults(desk: Desk, at_once: None) -> None:
    async with desk.client(retry=RetryPolicy(attempts=3)) as cl:
        desk.emulator.faults.add("status", status=429, retry_after=0, on="conversions", count=2)
        conversion = await cl.html_to_pdf(PAGE, name="once")
        desk.emulator.faults.add("status", status=502, on="reads", count=2)
        desk.emulator.faults.add("reset", on="GET jobs/{id}", count=1)
        assert (await conversion.wait()).is_success
        desk.emulator.faults.add("expire", count=1)
        desk.emulator.faults.add("truncate", on="assets", count=1)
        assert (await conversion.result()).content == PDF
        desk.emulator.faults.add("status", status=429, retry_after=3600, on="conversions")
        with pytest.raises(RateLimitError) as limited:
            await cl.html_to_pdf(PAGE)
        assert limited.value.retry_after == 3600
    assert desk.emulator.seen.submitted_twice == ()
    assert desk.emulator.seen.accepted == 1


async def test_webhooks_are_jobs(desk: Desk) -> None:
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(request: web.Request) -> web.Response:
        arrived.put_nowait(await request.read())
        return web.Response()

    receiver = web.Application()
    receiver.router.add_post("/hook", receive)
    runner = web.AppRunner(receiver)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        async with desk.client() as cl:
            for error in (None, "no"):
                desk.renderer.error = error
                conversion = await cl.html_to_pdf(PAGE, webhook=hook)
                job = from_dict(Job, json.loads(await arrived.get()))
                assert job.id == conversion.job_id
                assert job.is_error if error else job.is_success
                assert job.timestamp is not None
    finally:
        await runner.cleanup()
