"""What type checkers must know of the blocking client. Checked by mypy --strict and pyright; never run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import assert_type

from cloudlayer_async import (
    Account,
    ApiStatus,
    Asset,
    Attempt,
    Batch,
    BatchReport,
    Cloudlayer,
    Conversion,
    Document,
    HtmlToPdf,
    Job,
    JobStatus,
    Limits,
    Margin,
    Outcome,
    ResponseInfo,
    RetryPolicy,
    Timeouts,
    UserStorage,
)


def key() -> str:
    return "cl-key"


def conversions(cl: Cloudlayer) -> None:
    conversion = cl.html_to_pdf(
        Path("page.html"),
        format="a4",
        margin=Margin(top=1, bottom="2cm"),
        delay=timedelta(seconds=1),
        storage=UserStorage("s3"),
        emulate_media_type=None,
        async_=True,
    )
    assert_type(conversion, Conversion)
    assert_type(conversion.wait(timeout=timedelta(minutes=1), on_update=print), Job)
    assert_type(conversion.result(), Document)
    assert_type(conversion.save("folder/"), Path)
    assert_type(conversion.job_id, str | None)
    with conversion.stream() as chunks:
        assert_type(chunks, Iterator[bytes])
        for chunk in chunks:
            assert_type(chunk, bytes)
    cl.url_to_pdf(batch=["https://a.example", "https://b.example"])
    cl.template_to_image(template_id="x", data={"a": [1, None]}, image_type="webp")
    cl.docx_to_html(b"PK")
    assert_type(cl.submit(HtmlToPdf("<p>")), Conversion)
    assert_type(cl.convert(HtmlToPdf("<p>"), save_to=Path("x.pdf"), timeout=3), Document)

    # What must not pass: each line needs its ignore, or the checkers complain of an unused one.
    cl.html_to_pdf("<p>", fromat="a4")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    cl.html_to_pdf("<p>", format="A4")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cl.html_to_image("<p>", format="a4")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    conversion.wait(timeout="1m")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cl.aclose()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def data(cl: Cloudlayer) -> None:
    job = cl.get_job("id")
    assert_type(job.status, JobStatus)
    assert_type(cl.get_status(), ApiStatus)
    assert_type(cl.get_account(), Account)
    assert_type(cl.list_jobs(limit=3), list[Job])
    for each in cl.iter_jobs():
        assert_type(each, Job)
    for change in cl.watch_job(job):
        assert_type(change, Job)
    changes = cl.watch_job(job)
    changes.close()
    assert_type(cl.download_asset(Asset(id="x", url="https://a.example/x.pdf"), "x.pdf"), Path)
    assert_type(cl.last_limits, Limits | None)
    assert_type(cl.attach(job), Conversion)
    _, info = cl.request("GET", "/jobs")
    assert_type(info, ResponseInfo)


def batches(cl: Cloudlayer) -> None:
    with cl.batch((HtmlToPdf(page) for page in ("a", "b")), save_to="out/", journal="run.db") as batch:
        assert_type(batch, Batch)
        for outcome in batch:
            assert_type(outcome, Outcome)
            assert_type(outcome.ok, bool)
    assert_type(batch.report, BatchReport)
    assert_type(cl.run_batch([HtmlToPdf("a")], save_to="out/"), BatchReport)
    manager: AbstractContextManager[Batch] = cl.batch([])
    manager.__enter__()


def configured() -> Cloudlayer:
    def seen(attempt: Attempt) -> None:
        print(attempt.request)

    cl = Cloudlayer(key, timeouts=Timeouts(job=60), retry=RetryPolicy(attempts=1), defaults={"format": "a4"})
    with cl as same:
        assert_type(same, Cloudlayer)
    return cl.with_options(webhook="https://hooks.example/x", on_attempt=seen, api_version="v1")
