"""What type checkers must know of the async client. Checked by mypy --strict and pyright; never run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import assert_type

from cloudlayer_async import (
    ApiError,
    AsyncBatch,
    AsyncCloudlayer,
    AsyncConversion,
    Attempt,
    BatchReport,
    ConversionRequest,
    Document,
    HtmlToImage,
    HtmlToPdf,
    Job,
    JobStatus,
    Limits,
    Margin,
    Outcome,
    Preview,
    ResponseInfo,
    RetryPolicy,
    Timeouts,
    UrlToPdf,
    UserStorage,
    from_dict,
    read_manifest,
    show_progress,
    to_dict,
)


async def key() -> str:
    return "cl-key"


async def conversions(cl: AsyncCloudlayer) -> None:
    conversion = await cl.html_to_pdf(
        Path("page.html"),
        format="a4",
        margin=Margin(top=1, bottom="2cm"),
        delay=timedelta(seconds=1),
        storage=UserStorage("s3"),
        generate_preview=Preview(width=200),
        emulate_media_type=None,
        async_=True,
    )
    assert_type(conversion, AsyncConversion)
    assert_type(await conversion.wait(timeout=timedelta(minutes=1), on_update=print), Job)
    assert_type(await conversion.result(), Document)
    assert_type(await conversion.save("folder/"), Path)
    async with conversion.stream() as chunks:
        async for chunk in chunks:
            assert_type(chunk, bytes)
    await cl.url_to_pdf(batch=["https://a.example", "https://b.example"])
    await cl.template_to_image(template_id="x", data={"a": [1, None]}, image_type="webp")
    await cl.docx_to_html(b"PK")
    assert_type(await cl.convert(HtmlToPdf("<p>"), save_to=Path("x.pdf"), timeout=3), Document)

    # What must not pass: each line needs its ignore, or the checkers complain of an unused one.
    await cl.html_to_pdf("<p>", fromat="a4")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await cl.html_to_pdf("<p>", format="A4")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await cl.html_to_image("<p>", format="a4")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    HtmlToPdf("<p>", "name")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def data(cl: AsyncCloudlayer) -> None:
    job = await cl.get_job("id")
    assert_type(job.status, JobStatus)
    assert_type(await cl.list_jobs(limit=3), list[Job])
    async for change in cl.watch_job(job):
        assert_type(change, Job)
    assert_type(cl.last_limits, Limits | None)
    assert_type(cl.attach(job), AsyncConversion)
    _, info = await cl.request("GET", "/jobs")
    assert_type(info, ResponseInfo)
    assert_type(from_dict(Job, to_dict(job)), Job)


def configured() -> AsyncCloudlayer:
    def seen(attempt: Attempt) -> None:
        print(attempt.request)

    cl = AsyncCloudlayer(key, timeouts=Timeouts(job=60), retry=RetryPolicy(attempts=1), defaults={"format": "a4"})
    return cl.with_options(webhook="https://hooks.example/x", on_attempt=seen, api_version="v1")


def failed(error: ApiError) -> tuple[int, str, bool, str | None]:
    return error.status, error.message, error.maybe_billed, error.job_id


async def place(request: ConversionRequest) -> Path:
    return Path(f"{request.name}.pdf")


async def batches(cl: AsyncCloudlayer) -> None:
    mixed = [HtmlToPdf("<p>"), UrlToPdf("https://example.com"), HtmlToImage("<p>")]
    keyed = ((str(number), HtmlToPdf("<p>")) for number in range(3))
    async with cl.batch([*mixed, ("key", HtmlToPdf("<p>"))], save_to=place, on_progress=show_progress()) as batch:
        assert_type(batch, AsyncBatch)
        async for outcome in batch:
            assert_type(outcome, Outcome)
            assert_type(outcome.path, Path | None)
    assert_type(batch.report, BatchReport)
    for requests in (mixed, read_manifest("batch.jsonl")):
        assert_type(await cl.run_batch(requests, save_to="out/", journal=Path("run.db")), BatchReport)
    await cl.run_batch(keyed, save_to=lambda request: f"{request.kind}.pdf")
    await cl.run_batch(mixed)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    cl.batch(["<p>"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
