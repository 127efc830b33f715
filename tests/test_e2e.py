"""The client against the emulator over real sockets: every conversion, on both versions, in every mode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from emulator.conftest import PDF, FakeRenderer
from samples import minimal

from cloudlayer_async import (
    AmbiguousSubmissionError,
    AssetExpiredError,
    AsyncCloudlayer,
    AuthenticationError,
    ConversionRequest,
    DownloadError,
    HtmlToPdf,
    JobFailedError,
    JobTimeoutError,
    NotFoundError,
    PollSchedule,
    RetryPolicy,
    ServerError,
)
from cloudlayer_async.emulator import Emulator
from cloudlayer_async.emulator.faults import Fault
from cloudlayer_async.protocol import is_async
from cloudlayer_async.requests import REQUEST_TYPES

pytestmark = pytest.mark.usefixtures("no_complaints", "no_environment", "at_once")

SWIFT = PollSchedule(min_interval=0.005, max_interval=0.01)
DOCX = b"PK\x03\x04 docx"


@pytest.fixture
def renderer() -> FakeRenderer:
    """What renders in the emulator."""
    return FakeRenderer()


@pytest_asyncio.fixture
async def emulator(renderer: FakeRenderer) -> AsyncIterator[Emulator]:
    """An emulator with a renderer that only pretends."""
    async with Emulator(renderer=renderer) as emulator:
        yield emulator


@pytest_asyncio.fixture
async def cl(emulator: Emulator) -> AsyncIterator[AsyncCloudlayer]:
    """A client of it."""
    async with AsyncCloudlayer(emulator.api_key, base_url=emulator.base_url, polling=SWIFT) as client:
        yield client


def request_of(kind: str, **options: Any) -> ConversionRequest:
    """A request of each kind that the emulator takes."""
    return minimal(kind, **({"file": DOCX} if kind.startswith("docx") else {}), **options)  # type: ignore[no-any-return]


def product_of(kind: str) -> bytes:
    """What the pretended renderer makes of each kind."""
    if kind.endswith("_to_image"):
        return b"\x89PNG fake"
    return b"<p>fake</p>" if kind == "docx_to_html" else PDF


@pytest.mark.asyncio
@pytest.mark.parametrize("async_", [None, True, False])
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("kind", sorted(REQUEST_TYPES))
async def test_every_conversion(
    kind: str, version: Any, async_: bool | None, cl: AsyncCloudlayer, emulator: Emulator, tmp_path: Path
) -> None:
    client = cl.with_options(api_version=version)
    request = request_of(kind, async_=async_, name=f"{kind} {version}")
    conversion = await client.submit(request)
    asynchronous = is_async(request, version)
    assert conversion.info is not None
    assert conversion.info.status == (202 if asynchronous else 201)
    assert conversion.done is not asynchronous
    came_at_once = version == "v1" and not asynchronous
    assert (conversion.job_id is None) is came_at_once
    document = await conversion.result()
    assert document.content == product_of(kind)
    assert document.job.is_success
    path = await conversion.save(tmp_path)
    assert path.name == document.filename
    async with conversion.stream() as chunks:
        assert b"".join([chunk async for chunk in chunks]) == path.read_bytes() == document.content
    if conversion.job_id is not None:
        again = client.attach(conversion.job_id)
        assert (await again.wait()).id == conversion.job_id
        assert (await client.get_job(conversion.job_id)).name == f"{kind} {version}"
        (found,) = await client.find_jobs(name=f"{kind} {version}")
        assert found.id == conversion.job_id
    assert emulator.seen.accepted == 1
    assert emulator.seen.asset_requests_with_key == 0
    assert emulator.seen.asset_requests == (0 if came_at_once else 3)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", sorted(REQUEST_TYPES))
async def test_convert_into_a_folder(kind: str, cl: AsyncCloudlayer, tmp_path: Path) -> None:
    document = await cl.convert(request_of(kind), save_to=f"{tmp_path}/out/")
    assert document.path is not None
    assert document.path.parent == tmp_path / "out"
    assert document.content == product_of(kind)


@pytest.mark.asyncio
async def test_many_at_once(cl: AsyncCloudlayer, emulator: Emulator) -> None:
    requests = [HtmlToPdf(f"<p>{number}</p>", name=str(number)) for number in range(60)]
    documents = await asyncio.gather(*(cl.convert(request) for request in requests))
    assert [document.job.name for document in documents] == [str(number) for number in range(60)]
    assert emulator.seen.accepted == 60
    assert emulator.seen.submitted_twice == ()


@pytest.mark.asyncio
async def test_other_endpoints(cl: AsyncCloudlayer, emulator: Emulator, tmp_path: Path) -> None:
    for client in (cl, cl.with_options(api_version="v1")):
        assert (await client.get_status()).ok
        assert (await client.get_account()).calls is not None
        conversion = await client.html_to_pdf("<p>", async_=True)
        job = await conversion.wait()
        assert job.asset_id
        asset = await client.get_asset(job.asset_id)
        assert (await client.download_asset(asset, tmp_path)).read_bytes() == PDF
        assert job.id in [job.id for job in await client.list_jobs()]
        assert asset.id in [asset.id async for asset in client.iter_assets()]
        added = await client.add_storage(
            title=f"b-{client.api_version}", region="r", access_key_id="a", secret_access_key="s", bucket="b"
        )
        assert added.id in [item.id for item in await client.list_storage()]
        assert (await client.get_storage(added.id)).title == added.title
        await client.delete_storage(added.id)
        assert added.id not in [item.id for item in await client.list_storage()]
        (template, *_) = await client.list_templates()
        assert (await client.get_template(template.id)).id == template.id
        with pytest.raises(NotFoundError):
            await client.get_job("missing")
        with pytest.raises(AuthenticationError):
            await client.with_options(api_key="cl-wrong").get_status()


@pytest.mark.asyncio
async def test_a_rendering_that_fails(cl: AsyncCloudlayer, renderer: FakeRenderer) -> None:
    renderer.error = "the page does not answer"
    with pytest.raises(JobFailedError, match="the page does not answer") as caught:
        await cl.convert(HtmlToPdf("<p>"))
    assert caught.value.job_id
    with pytest.raises((ServerError, JobFailedError)):
        await cl.convert(HtmlToPdf("<p>", async_=False))


@pytest.mark.asyncio
async def test_a_wait_resumed(cl: AsyncCloudlayer, renderer: FakeRenderer, emulator: Emulator) -> None:
    renderer.open.clear()
    with pytest.raises(JobTimeoutError) as caught:
        await cl.convert(HtmlToPdf("<p>"), timeout=0)
    renderer.open.set()
    assert (await cl.attach(caught.value.job_id).result()).content == PDF
    assert emulator.seen.accepted == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        (Fault(kind="status", on="conversions", status=429, retry_after=0, count=2), 1),
        (Fault(kind="status", on="conversions", status=503, retry_after=0, count=1), 1),
        (Fault(kind="status", on="reads", status=500, count=2), 1),
        (Fault(kind="reset", on="reads", count=2), 1),
        (Fault(kind="truncate", on="reads", count=2), 1),
        (Fault(kind="content-type", on="reads", count=1, content_type="text/plain"), 1),
        (Fault(kind="truncate", on="assets", count=2), 1),
        (Fault(kind="reset", on="assets", count=2), 1),
        (Fault(kind="status", on="assets", status=502, count=2), 1),
        (Fault(kind="expire", on="assets", count=1), 1),
    ],
    ids=lambda value: f"{value.kind}-{value.on}-{value.status}" if isinstance(value, Fault) else "",
)
async def test_faults_that_pass(fault: Fault, accepted: int, cl: AsyncCloudlayer, emulator: Emulator) -> None:
    emulator.faults.switch_on(fault)
    document = await cl.convert(HtmlToPdf("<p>", name="once"))
    assert document.content == PDF
    assert emulator.seen.accepted == accepted
    assert emulator.seen.submitted_twice == ()


@pytest.mark.asyncio
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_submission_that_is_lost_is_found_again(when: Any, cl: AsyncCloudlayer, emulator: Emulator) -> None:
    """What the design asks for: never twice, and `find_jobs` tells what became of it."""
    emulator.faults.switch_on(Fault(kind="reset", on="conversions", when=when, count=1))
    with pytest.raises(AmbiguousSubmissionError) as caught:
        await cl.html_to_pdf("<p>", name="march")
    assert caught.value.maybe_billed
    found = await cl.find_jobs(name="march")
    assert len(found) == emulator.seen.accepted == (1 if when == "after" else 0)
    if found:
        assert (await cl.attach(found[0]).result()).content == PDF


@pytest.mark.asyncio
async def test_an_asset_that_is_gone_for_good(cl: AsyncCloudlayer, emulator: Emulator) -> None:
    emulator.faults.switch_on(Fault(kind="expire", on="assets"))
    with pytest.raises(AssetExpiredError) as caught:
        await cl.convert(HtmlToPdf("<p>"))
    assert caught.value.job_id
    assert isinstance(caught.value, DownloadError)
    assert emulator.seen.asset_requests == 2
    assert emulator.seen.accepted == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_submission_is_not_repeated(status: int, cl: AsyncCloudlayer, emulator: Emulator) -> None:
    emulator.faults.switch_on(Fault(kind="status", on="conversions", status=status, when="after"))
    with pytest.raises((ServerError, AmbiguousSubmissionError)) as caught:
        await cl.html_to_pdf("<p>", name="once")
    assert caught.value.maybe_billed
    assert emulator.seen.accepted == 1
    paid = cl.with_options(retry=RetryPolicy(attempts=3, resubmit_ambiguous=True))
    with pytest.raises((ServerError, AmbiguousSubmissionError)):
        await paid.html_to_pdf("<p>", name="thrice")
    assert emulator.seen.accepted_by_name["thrice"] == 3
