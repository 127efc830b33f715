"""The wire contract: every fixture decodes, and each row of its section 7 ("where sources disagree") is proven.

One test a row, named `test_row_NN_...`. The table of rows against tests, as Markdown:

    python tests/test_contract.py
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from samples import ADDRESS, FIXTURES, PAGE, fixture, reply, sent, submission
from servers import KEY, Service

from cloudlayer_async import (
    Account,
    ApiError,
    ApiStatus,
    Asset,
    AsyncCloudlayer,
    Cookie,
    DocxToHtml,
    DocxToPdf,
    HeaderFooter,
    HtmlToImage,
    HtmlToPdf,
    Job,
    JobStatus,
    MergePdfs,
    PdfToDocx,
    Preview,
    StorageConfig,
    StorageNotAllowedError,
    Template,
    TemplateToPdf,
    UrlToImage,
    UrlToPdf,
    UserStorage,
    ValidationError,
    from_dict,
    to_dict,
)
from cloudlayer_async.jsontext import WireFault
from cloudlayer_async.protocol import read_list, read_model, response_info
from cloudlayer_async.storage import read_storage
from cloudlayer_async.verdict import error_message, fault_of

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
SIGNED = "https://assets.example.net/7Kq2mVd0/march-statement.pdf?sig=abc&exp=1767229200"
PREVIEW = "https://assets.example.net/7Kq2mVd0/preview.webp?sig=def&exp=1767229200"

ROWS = {
    1: "job status words",
    2: "timestamps",
    3: "job id",
    4: "v2 sync result",
    5: "worker",
    6: "job type",
    7: "account fields",
    8: "compute time unit",
    9: "unlimited",
    10: "subActive",
    11: "asset identity",
    12: "asset type/ext",
    13: "batch",
    14: "merge input",
    15: "list size",
    16: "storage by id",
    17: "storage create reply",
    18: "upload option parts",
    19: "header method",
    20: "cookie expiry",
    21: '"async requires storage"',
    22: "storage values",
    23: "preview default type",
    24: "format vs width/height",
    25: "getStatus value",
    26: "success codes",
    27: "asset URL",
    28: "webhook body",
    29: "template data",
    30: "image types",
    31: "timeout unit",
    32: "default version",
}


# --- every fixture decodes ------------------------------------------------------------------------------------------

FULL_JOB: dict[str, Any] = {
    "id": "7Kq2mVd0",
    "uid": "own_5521",
    "name": "march-statement",
    "type": "html-pdf",
    "status": JobStatus.SUCCESS,
    "raw_status": "success",
    "timestamp": NEW_YEAR,
    "worker": "rend-eu-04",
    "process_time": 1875.0,
    "api_key_used": "cl-demo...9f",
    "process_time_cost": 0.0031,
    "api_credit_cost": 1.0,
    "bandwidth_cost": 0.0004,
    "total_cost": 0.0035,
    "size": 88213,
    "params": {"format": "a4", "printBackground": True, "html": "..."},
    "asset_url": SIGNED,
    "preview_url": PREVIEW,
    "self_url": "https://api.cloudlayer.io/v2/jobs/7Kq2mVd0",
    "asset_id": "as_31f0",
    "project_id": "prj_water",
}
ISO_JOB: dict[str, Any] = {
    "id": "job_q81s77",
    "uid": "usr_88",
    "api_key_used": "key_...4tre",
    "type": "html-pdf",
    "status": JobStatus.SUCCESS,
    "raw_status": "completed",
    "params": {"format": "letter", "margin": {"top": "1in"}},
    "size": 190442,
    "process_time": 2210.0,
    "api_credit_cost": 1.0,
    "worker": "w-us-2b",
    "timestamp": NEW_YEAR,
}
TIMEOUT = "Navigation timeout of 30000 ms exceeded"


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(1767225600 + seconds, UTC)


MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "job_success_full": (Job, FULL_JOB),
    "webhook_full_job": (Job, FULL_JOB),
    "job_pending": (
        Job,
        {
            "id": "7Kq2mVd0",
            "status": JobStatus.PENDING,
            "raw_status": "pending",
            "timestamp": at(-2),
            "self_url": "https://api.cloudlayer.io/v2/jobs/7Kq2mVd0",
        },
    ),
    "job_pending_minimal_v2_async": (
        Job,
        {"id": "1767225600123", "status": JobStatus.PENDING, "raw_status": "pending"},
    ),
    "job_queued_jobid": (Job, {"id": "job_q81s77", "status": JobStatus.PENDING, "raw_status": "queued"}),
    "job_processing_iso": (
        Job,
        {
            "id": "job_q81s78",
            "uid": "usr_88",
            "type": "url-image",
            "status": JobStatus.PENDING,
            "raw_status": "processing",
            "worker": "w-us-2b",
            "timestamp": at(3.12),
        },
    ),
    "job_success_trimmed_v2_sync": (
        Job,
        {
            "id": "1767225600123",
            "status": JobStatus.SUCCESS,
            "raw_status": "success",
            "asset_url": "https://assets.example.net/1767225600123/out.pdf",
            "timestamp": at(0.123),
        },
    ),
    "job_success_jobid": (
        Job,
        {
            "id": "job_q81s77",
            "status": JobStatus.SUCCESS,
            "raw_status": "success",
            "asset_url": "https://assets.example.net/q81s77/out.pdf",
        },
    ),
    "job_success_timestamp_firestore": (
        Job,
        {
            "id": "7Kq2mVd0",
            "uid": "own_5521",
            "type": "html-pdf",
            "status": JobStatus.SUCCESS,
            "raw_status": "success",
            "asset_url": SIGNED,
            "asset_id": "as_31f0",
            "size": 88213,
            "timestamp": at(0.25),
        },
    ),
    "job_success_timestamp_seconds": (
        Job,
        {
            "id": "7Kq2mVd1",
            "uid": "own_5521",
            "status": JobStatus.SUCCESS,
            "raw_status": "success",
            "timestamp": NEW_YEAR,
            "asset_url": "https://assets.example.net/7Kq2mVd1/out.pdf",
        },
    ),
    "job_completed_iso_worker": (Job, ISO_JOB),
    "job_error": (
        Job,
        {
            "id": "9Zt8",
            "uid": "own_5521",
            "name": "slow-page",
            "type": "url-image",
            "status": JobStatus.ERROR,
            "raw_status": "error",
            "timestamp": at(100),
            "error": TIMEOUT,
            "self_url": "/v2/jobs/9Zt8",
        },
    ),
    "job_failed_iso": (
        Job,
        {
            "id": "job_q81s79",
            "uid": "usr_88",
            "type": "url-pdf",
            "status": JobStatus.ERROR,
            "raw_status": "failed",
            "error": "net::ERR_NAME_NOT_RESOLVED",
            "worker": "w-us-2b",
            "timestamp": at(9),
        },
    ),
    "job_null_fields": (Job, {"id": "7Kq2mVe0", "status": JobStatus.PENDING, "raw_status": "pending"}),
    "job_unknown_status_and_fields": (
        Job,
        {
            "id": "7Kq2mVd9",
            "status": JobStatus("archived"),
            "raw_status": "archived",
            "timestamp": NEW_YEAR,
            "type": "pdf-epub",
            "extra": {"somethingNew": {"a": 1}},
        },
    ),
    "webhook_success": (
        Job,
        {
            "id": "7Kq2mVd0",
            "status": JobStatus.SUCCESS,
            "raw_status": "success",
            "type": "html-pdf",
            "asset_url": SIGNED,
            "preview_url": PREVIEW,
            "process_time": 1875.0,
            "size": 88213,
            "timestamp": NEW_YEAR,
        },
    ),
    "webhook_error": (
        Job,
        {
            "id": "9Zt8",
            "status": JobStatus.ERROR,
            "raw_status": "error",
            "type": "url-image",
            "error": TIMEOUT,
            "timestamp": at(100),
        },
    ),
    "webhook_jobid_iso": (
        Job,
        {
            "id": "job_q81s77",
            "status": JobStatus.SUCCESS,
            "raw_status": "success",
            "asset_url": "https://assets.example.net/q81s77/out.pdf",
            "timestamp": at(2),
        },
    ),
    "asset_minimal": (
        Asset,
        {
            "id": "as_31f0",
            "job_id": "7Kq2mVd0",
            "ext": "pdf",
            "type": "pdf",
            "size": 88213,
            "timestamp": at(1),
            "url": "https://assets.example.net/as_31f0.pdf",
        },
    ),
    "asset_full": (
        Asset,
        {
            "uid": "own_5521",
            "id": "as_31f0",
            "file_id": "fl_900",
            "preview_file_id": "fl_901",
            "type": "application/pdf",
            "ext": "pdf",
            "preview_ext": "webp",
            "url": "https://assets.example.net/as_31f0.pdf?sig=1",
            "preview_url": "https://assets.example.net/as_31f0-p.webp?sig=2",
            "size": 88213,
            "timestamp": at(1),
            "project_id": "prj_water",
            "job_id": "7Kq2mVd0",
            "name": "march-statement",
        },
    ),
    "asset_nulls_dotted_ext": (
        Asset,
        {
            "id": "as_31f1",
            "type": "pdf",
            "ext": "pdf",
            "preview_ext": "png",
            "url": "https://assets.example.net/as_31f1.pdf",
            "size": 25110,
            "timestamp": at(1),
            "job_id": "7Kq2mVd1",
            "name": "memo",
        },
    ),
    "asset_iso_mime": (
        Asset,
        {
            "id": "ast_55ac",
            "job_id": "job_q81s77",
            "ext": "pdf",
            "type": "application/pdf",
            "size": 190442,
            "url": "https://assets.example.net/ast_55ac.pdf",
            "timestamp": at(2),
        },
    ),
    "asset_timestamp_firestore": (
        Asset,
        {
            "uid": "own_5521",
            "id": "as_31f2",
            "file_id": "fl_910",
            "type": "application/pdf",
            "ext": "pdf",
            "url": "https://assets.example.net/as_31f2.pdf",
            "size": 1200,
            "timestamp": at(1),
            "job_id": "7Kq2mVd2",
        },
    ),
    "account_limit": (
        Account,
        {
            "email": "ops@example.org",
            "uid": "u_limit_1",
            "subscription": "price-starter-1k",
            "sub_type": "limit",
            "sub_active": True,
            "calls": 611,
            "calls_limit": 1000,
            "bytes_total": 734003200,
            "bytes_limit": 5368709120,
            "compute_time_total": 291000,
            "compute_time_limit": 600000,
            "storage_used": 41943040,
            "storage_limit": 1073741824,
            "total_jobs": 640,
            "success_jobs": 611,
            "error_jobs": 29,
        },
    ),
    "account_usage": (
        Account,
        {
            "email": "ops@example.org",
            "uid": "u_usage_1",
            "subscription": "price-growth-usage",
            "sub_type": "usage",
            "sub_active": True,
            "calls": 20480,
            "credit": 3120.5,
            "bytes_total": 3221225472,
            "compute_time_total": 990000,
            "storage_used": 209715200,
            "total_jobs": 20600,
            "success_jobs": 20480,
            "error_jobs": 120,
        },
    ),
    "account_2024": (
        Account,
        {
            "calls": 611,
            "subscription": "growth",
            "bytes_total": 734003200,
            "compute_time_total": 291,
            "sub_type": "limit",
            "uid": "u_limit_1",
            "sub_active": True,
            "success_jobs": 600,
            "error_jobs": 11,
            "total_jobs": 611,
        },
    ),
    "account_2026_alt": (
        Account,
        {
            "calls": 20480,
            "subscription": "professional",
            "bytes_total": 3221225472,
            "compute_time_total": 990000,
            "credit": 3120.0,
            "success_jobs": 20300,
            "error_jobs": 170,
            "extra": {"jobCounts": {"completed": 20300, "failed": 170, "pending": 4, "processing": 6}},
        },
    ),
    "account_with_type_counters": (
        Account,
        {
            "email": "ops@example.org",
            "uid": "u_limit_1",
            "subscription": "growth",
            "sub_type": "limit",
            "sub_active": False,
            "calls": 42,
            "calls_limit": 1000,
            "storage_used": 2,
            "storage_limit": 5,
            "bytes_total": 5000000,
            "bytes_limit": 100000000,
            "compute_time_total": 30000,
            "credit": 0.0,
            "extra": {"url-pdf": 15, "html-pdf": 20, "template-image": 7},
        },
    ),
    "status_ok": (ApiStatus, {"status": "ok"}),
    "status_ok_trailing_space": (ApiStatus, {"status": "ok"}),
    "storage_create_id_title": (StorageConfig, {"id": "6d1c0b7e-0f7e-4f57-9d0a-1f6f7a1c0a03", "title": "New bucket"}),
    "storage_detail_full": (
        StorageConfig,
        {
            "id": "6d1c0b7e-0f7e-4f57-9d0a-1f6f7a1c0a01",
            "title": "Archive S3",
            "uid": "own_5521",
            "data": "U2FsdGVkX1+opaque",
        },
    ),
    "storage_detail_short": (StorageConfig, {"id": "6d1c0b7e-0f7e-4f57-9d0a-1f6f7a1c0a01", "title": "Archive S3"}),
    "template_detail": (
        Template,
        {
            "id": "tp_0c1",
            "template_id": "plain-invoice",
            "title": "Plain invoice",
            "short_description": "One page invoice",
            "search_keywords": ("invoice", "bill"),
            "tags": ("finance",),
            "category": "invoice",
            "type": "pdf",
            "preview_url": "https://assets.example.net/tp_0c1.png",
            "example_asset_url": "https://assets.example.net/tp_0c1.pdf",
            "highlights": ("one page",),
            "timestamp": datetime.fromtimestamp(1740000000, UTC),
            "project_id": "prj_tpl",
            "sample_data": {
                "__auto_calculate": True,
                "invoice_no": "A-17",
                "amount": None,
                "items": [{"unit_price": 12.5, "quantity": 2, "amount": None}],
            },
            "author_name": "gallery",
        },
    ),
}
LISTS: dict[str, tuple[Any, list[str]]] = {
    "jobs_list": (Job, ["7Kq2mVd0", "9Zt8", "8Aa1"]),
    "jobs_list_empty": (Job, []),
    "jobs_list_iso": (Job, ["job_q81s77"]),
    "jobs_list_wrapped": (Job, ["job_q81s77"]),
    "assets_list": (Asset, ["as_31f0", "as_31f0"]),
    "storage_list": (
        StorageConfig,
        ["6d1c0b7e-0f7e-4f57-9d0a-1f6f7a1c0a01", "6d1c0b7e-0f7e-4f57-9d0a-1f6f7a1c0a02"],
    ),
    "storage_list_empty": (StorageConfig, []),
    "templates_list": (Template, ["tp_0c1", "tp_0c2"]),
    "templates_list_tags_string": (Template, ["tp_0c3"]),
}
REFUSALS: dict[str, str] = {
    "error_error_only": "Internal server error",
    "error_full": "url must be a valid address",
    "error_json_array": "unexpected",
    "error_message": "Invalid API key",
    "error_message_list": "html must be base64; timeout must not be less than 1000",
    "error_rate_limit": "Rate limit exceeded",
    "error_reason_401": "The API key is not valid",
}
ELSEWHERE = {
    # Bodies that we send, or whose meaning is an error or nothing: a row's own test, or tests of that room, have them.
    "request_batch_list_2024": "test_row_13_batch",
    "request_batch_object": "test_row_13_batch",
    "request_template_inline": "test_row_23_preview_type_and_quality",
    "storage_create_request": "test_row_17_storage_create_reply",
    "storage_create_status": "test_row_17_storage_create_reply",
    "storage_create_status_error": "test_row_17_storage_create_reply",
    "storage_not_allowed": "test_row_17_storage_create_reply",
    "storage_delete_status": "test_row_16_storage_by_id",
    "storage_delete_error_http200": "test_row_16_storage_by_id",
    "response_headers_limit_plan": "test_headers_of_both_kinds_of_plan",
    "response_headers_usage_plan": "test_headers_of_both_kinds_of_plan",
}


def test_every_fixture_is_decoded_by_some_test() -> None:
    known = {*MODELS, *LISTS, *REFUSALS, *ELSEWHERE}
    assert known == {path.stem for path in FIXTURES.glob("*.json")}
    assert {name for name in ELSEWHERE.values() if name not in globals()} == set()


@pytest.mark.parametrize("name", MODELS)
def test_model_fixtures_decode_to_every_field(name: str) -> None:
    cls, wanted = MODELS[name]
    assert read_model(reply(fixture(name)), cls) == cls(**wanted)
    assert from_dict(cls, fixture(name)) == cls(**wanted)


@pytest.mark.parametrize("name", LISTS)
def test_list_fixtures_decode(name: str) -> None:
    cls, ids = LISTS[name]
    assert [item.id for item in read_list(reply(fixture(name)), cls)] == ids


def test_a_list_holds_the_same_models() -> None:
    assert read_list(reply(fixture("jobs_list")), Job)[0] == Job(**FULL_JOB)
    assert read_list(reply(fixture("jobs_list_wrapped")), Job) == [Job(**ISO_JOB)]
    assert read_list(reply(fixture("templates_list_tags_string")), Template)[0].tags == ("social", "web")


@pytest.mark.parametrize("name", REFUSALS)
def test_error_fixtures_decode(name: str) -> None:
    assert error_message(json.dumps(fixture(name))) == REFUSALS[name]


def test_headers_of_both_kinds_of_plan() -> None:
    limit = {name.lower(): value for name, value in fixture("response_headers_limit_plan").items()}
    usage = {name.lower(): value for name, value in fixture("response_headers_usage_plan").items()}
    one, other = response_info(201, limit), response_info(202, usage)
    assert (one.worker_job_id, one.cluster_id, one.worker, one.bandwidth) == ("wj-81", "eu-1", "rend-eu-04", 88213)
    assert (one.process_time, one.calls_remaining, one.api_credit_cost) == (1875, 389, 1.0)
    assert (one.rate_limit, one.rate_limit_remaining, one.rate_limit_reset) == (60, 58, 41)
    assert (one.charged_time, one.bandwidth_cost, one.process_time_cost) == (None, None, None)
    assert (other.charged_time, other.bandwidth_cost, other.process_time_cost) == (2000, 0.0004, 0.0031)
    assert (other.calls_remaining, other.api_credit_cost, other.rate_limit) == (None, None, None)


# --- section 7, row by row ------------------------------------------------------------------------------------------


def job(**fields: Any) -> Job:
    return from_dict(Job, {"id": "x", **fields})


def test_row_01_job_status_words() -> None:
    words = {
        JobStatus.PENDING: ("pending", "queued", "processing", "running"),
        JobStatus.SUCCESS: ("success", "completed", "complete", "succeeded", "done"),
        JobStatus.ERROR: ("error", "failed", "failure", "cancelled", "canceled"),
    }
    for status, spellings in words.items():
        for spelling in spellings:
            for written in (spelling, spelling.upper(), f" {spelling} "):
                found = job(status=written)
                assert found.status is status
                assert found.raw_status == written
                assert to_dict(found)["status"] == written
    unknown = job(status="archived")
    assert (unknown.status, unknown.raw_status) == ("archived", "archived")
    assert (unknown.is_pending, unknown.is_success, unknown.is_error) == (False, False, False)


def test_row_02_timestamps() -> None:
    seconds = {"_seconds": 1767225600, "_nanoseconds": 0}
    bare = {"seconds": 1767225600, "nanoseconds": 0}
    spellings = (1767225600000, 1767225600, "1767225600000", "1767225600", "2026-01-01T00:00:00.000Z", seconds, bare)
    for spelling in spellings:
        for model in (job(timestamp=spelling), from_dict(Asset, {"id": "x", "timestamp": spelling})):
            assert model.timestamp == NEW_YEAR
            assert model.extra == {}
    assert from_dict(Template, {"id": "x", "timestamp": seconds}).timestamp == NEW_YEAR
    assert job(timestamp=100_000_000_000).timestamp == datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)  # ms from 1e11 on
    assert job(timestamp=99_999_999_999).timestamp == datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)
    for unreadable in ("soon", {"when": 5}, [1], True):
        found = job(timestamp=unreadable)
        assert found.timestamp is None
        assert found.extra == {"timestamp": unreadable}


@pytest.mark.asyncio
async def test_row_03_job_id(service: Service, client: AsyncCloudlayer) -> None:
    assert from_dict(Job, {"id": "a"}).id == "a"
    assert from_dict(Job, {"jobId": "b"}).id == "b"
    both = from_dict(Job, {"jobId": "b", "id": "a"})
    assert (both.id, both.extra) == ("a", {"jobId": "b"})
    assert from_dict(Job, {"id": 1767225600123}).id == "1767225600123"
    assert from_dict(Job, {"id": None, "jobId": "b"}).id == "b"
    for nothing in ({}, {"id": ""}, {"id": None}, {"jobId": {}}):
        with pytest.raises(WireFault):
            read_model(reply(nothing), Job)
    service.answers("GET /v2/jobs/a/b?", {"jobId": "a/b?"})
    assert (await client.get_job("a/b?")).id == "a/b?"
    assert service.lines == ["GET /v2/jobs/a%2Fb%3F"]


@pytest.mark.asyncio
async def test_row_04_v2_sync_result(service: Service, client: AsyncCloudlayer) -> None:
    service.answers("POST /v2/html/pdf", fixture("job_success_trimmed_v2_sync"), status=201)
    for content_type in ("application/pdf", "application/octet-stream"):
        service.answers("POST /v2/html/pdf", b"%PDF-1.7", status=201, content_type=content_type)
    for content_type in ("text/json", "application/vnd.x+json"):
        service.answers("POST /v2/html/pdf", b'{"id":"j","status":"pending"}', status=202, content_type=content_type)
    service.answers("POST /v2/docx/html", b"<p>hello", status=201, content_type="text/html")
    as_job = await client.html_to_pdf(PAGE, async_=False)
    assert (as_job.done, as_job.job_id) == (True, "1767225600123")
    for _ in range(2):
        as_bytes = await client.html_to_pdf(PAGE, async_=False)
        assert as_bytes.done
        assert (await as_bytes.result()).content == b"%PDF-1.7"
    for _ in range(2):
        assert (await client.html_to_pdf(PAGE)).job_id == "j"
    assert (await (await client.docx_to_html(b"x", async_=False)).result()).content == b"<p>hello"
    assert len(service.requests) == 6  # a result that came with the reply costs no further request
    assert service.requests[0].json()["async"] is False


def test_row_05_worker() -> None:
    assert job(workerName="a").worker == "a"
    assert job(worker="b").worker == "b"
    for both in ({"workerName": "a", "worker": "b"}, {"worker": "b", "workerName": "a"}):
        assert job(**both).worker == "a"
        assert job(**both).extra == {"worker": "b"}
    assert job(workerName=None, worker="b").worker == "b"


def test_row_06_job_type() -> None:
    assert job(type="html/pdf").type == job(type="html-pdf").type == "html-pdf"
    assert job(type="pdf-epub").type == "pdf-epub"


def test_row_07_account_fields() -> None:
    theirs = {
        "bytesUsed": 1,
        "computeTime": 2,
        "creditBalance": 3.5,
        "jobCounts": {"completed": 4, "failed": 5, "pending": 6},
    }
    account = from_dict(Account, {**theirs, "surprise": True})
    assert (account.bytes_total, account.compute_time_total, account.credit) == (1, 2, 3.5)
    assert (account.success_jobs, account.error_jobs) == (4, 5)
    assert account.extra == {"jobCounts": theirs["jobCounts"], "surprise": True}
    own = {"bytesTotal": 10, "computeTimeTotal": 20, "credit": 30, "successJobs": 40, "errorJobs": 50}
    for order in ({**theirs, **own}, {**own, **theirs}):
        account = from_dict(Account, order)
        assert (account.bytes_total, account.compute_time_total, account.credit) == (10, 20, 30)
        assert (account.success_jobs, account.error_jobs) == (40, 50)
        assert account.extra == theirs
    for counts in ([], "x", {"completed": True}, {"completed": "many"}, {}):
        account = from_dict(Account, {"jobCounts": counts})
        assert (account.success_jobs, account.extra) == (None, {"jobCounts": counts})


def test_row_08_compute_time_unit() -> None:
    account = from_dict(Account, {"computeTimeTotal": 291, "computeTimeLimit": 600000})
    assert (account.compute_time_total, account.compute_time_limit) == (291, 600000)  # as sent, never converted


def test_row_09_unlimited() -> None:
    limits = ("callsLimit", "bytesLimit", "computeTimeLimit", "storageLimit")
    for nothing in (-1, "-1", "", None):
        assert from_dict(Account, dict.fromkeys(limits, nothing)) == from_dict(Account, {})
    zero = from_dict(Account, dict.fromkeys(limits, 0))
    assert (zero.calls_limit, zero.bytes_limit, zero.compute_time_limit, zero.storage_limit) == (0, 0, 0, 0)


def test_row_10_sub_active() -> None:
    for value, active in ((True, True), (False, False), ("active", True), ("inactive", False), ("Active", True)):
        assert from_dict(Account, {"subActive": value}).sub_active is active
    assert from_dict(Account, {"subActive": "paused"}).extra == {"subActive": "paused"}


def test_row_11_asset_identity() -> None:
    for reply_ in ({"id": "x"}, {"id": "x", "uid": None, "fileId": None}):
        asset = from_dict(Asset, reply_)
        assert (asset.uid, asset.file_id) == (None, None)


def test_row_12_asset_type_and_ext() -> None:
    for kind in ("pdf", "image", "application/pdf"):
        assert from_dict(Asset, {"id": "x", "type": kind}).type == kind
    for ext in ("pdf", ".pdf", "..pdf"):
        asset = from_dict(Asset, {"id": "x", "ext": ext, "previewExt": ext})
        assert (asset.ext, asset.preview_ext) == ("pdf", "pdf")


def test_row_13_batch() -> None:
    urls = fixture("request_batch_list_2024")["batch"]
    wanted = fixture("request_batch_object")["batch"]
    for cls in (UrlToPdf, UrlToImage):
        for given in (urls, tuple(urls), wanted):
            assert sent(cls(batch=given))["batch"] == wanted
    assert sent(UrlToPdf(batch=urls), "v1") == {"batch": wanted, "async": True, "storage": True}
    assert sent(UrlToPdf(batch=urls), "v2") == {"batch": wanted}
    with pytest.raises(ValidationError):
        submission(UrlToPdf(batch=urls, async_=False))


def test_row_14_merge_input() -> None:
    body = sent(MergePdfs(["https://one.example/a.pdf", "https://two.example/b.pdf"]))
    assert body == {"batch": {"urls": ["https://one.example/a.pdf", "https://two.example/b.pdf"]}}
    assert submission(MergePdfs([ADDRESS])).path == "/v2/pdf/merge"


@pytest.mark.asyncio
async def test_row_15_list_size(service: Service, client: AsyncCloudlayer) -> None:
    for key in ("data", "items", "jobs", "assets", "results"):
        assert [found.id for found in read_list(reply({key: [{"id": "a"}], "total": 900}), Job)] == ["a"]
    assert [found.id for found in read_list(reply([{"id": "a"}]), Job)] == ["a"]
    service.answers("GET /v2/jobs", fixture("jobs_list"))
    service.answers("GET /v2/assets", fixture("assets_list"))
    assert len(await client.list_jobs()) == 3
    await client.list_jobs(limit=25)
    await client.list_jobs(limit=5, offset=10)
    await client.list_assets()
    assert [found.id async for found in client.iter_jobs()] == ["7Kq2mVd0", "9Zt8", "8Aa1"]
    assert service.lines == [
        *("GET /v2/jobs", "GET /v2/jobs?limit=25", "GET /v2/jobs?limit=5&offset=10", "GET /v2/assets"),
        *("GET /v2/jobs", "GET /v2/jobs?offset=3"),
    ]


@pytest.mark.asyncio
async def test_row_16_storage_by_id(service: Service, client: AsyncCloudlayer) -> None:
    one = "6d1c0b7e-0f7e-4f57-9d0a-1f6f7a1c0a01"
    for name in ("storage_detail_short", "storage_detail_full", "storage_list"):
        assert read_storage(reply(fixture(name)), one).title == "Archive S3"
    # A list may come as an array or as one object, whose `data` may be anything.
    for single in ({"id": one, "data": "blob"}, {"id": one, "data": None}):
        assert [found.id for found in read_list(reply(single), StorageConfig)] == [one]
    service.answers(f"GET /v2/storage/{one}", fixture("storage_detail_short"))
    service.answers("GET /v2/storage", fixture("storage_detail_short"))
    service.answers(f"DELETE /v2/storage/{one}", fixture("storage_delete_status"))
    service.answers(f"DELETE /v2/storage/{one}", b"", status=204)
    service.answers(f"DELETE /v2/storage/{one}", fixture("storage_delete_error_http200"))
    assert (await client.get_storage(one)).id == one
    assert [found.id for found in await client.list_storage()] == [one]
    await client.delete_storage(one)
    await client.delete_storage(one)
    with pytest.raises(ApiError) as caught:
        await client.delete_storage(one)
    assert (caught.value.status, caught.value.message) == (200, "storage configuration not found")
    assert {request.target for request in service.requests} == {f"/v2/storage/{one}", "/v2/storage"}


@pytest.mark.asyncio
async def test_row_17_storage_create_reply(service: Service, client: AsyncCloudlayer) -> None:
    bucket: dict[str, Any] = {
        "title": "Spaces FRA",
        "region": "us-east-1",
        "access_key_id": "AKEXAMPLE",
        "secret_access_key": "not-a-real-secret",
        "bucket": "docs-out",
        "endpoint": "https://fra1.storage.example.net",
    }
    for name in ("create_id_title", "detail_full", "create_status", "create_status_error", "not_allowed"):
        service.answers("POST /v2/storage", fixture(f"storage_{name}"))
    service.answers("GET /v2/storage", fixture("storage_list"))
    assert (await client.add_storage(**bucket)).title == "New bucket"
    assert (await client.add_storage(**bucket)).data == "U2FsdGVkX1+opaque"
    assert service.count("GET /v2/storage") == 0
    # Without an id the list is asked, and the unique title found in it.
    assert (await client.add_storage(**bucket)).id == "6d1c0b7e-0f7e-4f57-9d0a-1f6f7a1c0a02"
    assert service.lines[-2:] == ["POST /v2/storage", "GET /v2/storage"]
    with pytest.raises(ApiError):
        await client.add_storage(**bucket)
    with pytest.raises(StorageNotAllowedError) as caught:
        await client.add_storage(**bucket)
    assert "not part of this plan" in str(caught.value)
    bodies = [request.json() for request in service.requests if request.method == "POST"]
    assert bodies == [fixture("storage_create_request")] * 5


def test_row_18_upload_option_parts() -> None:
    for cls in (DocxToPdf, DocxToHtml, PdfToDocx):
        request = cls(b"x", name="a", inline=True, timeout=2000, storage=UserStorage("s"))
        flat = [(part.name, part.content) for part in submission(request).form]
        assert flat == [
            *(("name", "a"), ("timeout", "2000"), ("inline", "true"), ("storage", '{"id":"s"}'), ("file", b"x")),
        ]
        for encoding in ("options", "json"):
            part, file = submission(request, upload_options=encoding).form
            assert (part.name, file.name) == (encoding, "file")
            wanted = {"name": "a", "timeout": 2000, "inline": True, "storage": {"id": "s"}}
            assert json.loads(part.content) == wanted  # type: ignore[arg-type]
        for encoding in ("fields", "options", "json"):
            assert [part.name for part in submission(cls(b"x"), upload_options=encoding).form] == ["file"]


def test_row_19_header_method() -> None:
    assert sent(HtmlToPdf(PAGE, header_template=HeaderFooter(template="<b>")))["headerTemplate"] == {"template": "<b>"}
    for method in ("extract", "template", "text", "something new"):
        header = HeaderFooter(method=method, selector="#h")
        assert sent(HtmlToPdf(PAGE, footer_template=header))["footerTemplate"] == {"method": method, "selector": "#h"}


def test_row_20_cookie_expiry() -> None:
    (cookie,) = sent(UrlToPdf(ADDRESS, cookies=[Cookie("a", "b", expires=1767225600)]))["cookies"]
    assert cookie == {"name": "a", "value": "b", "expires": 1767225600}


def test_row_21_async_requires_storage() -> None:
    assert sent(HtmlToPdf(PAGE, async_=True), "v1")["storage"] is True
    assert sent(HtmlToPdf(PAGE, async_=True, storage=UserStorage("s")), "v1")["storage"] == {"id": "s"}
    assert "storage" not in sent(HtmlToPdf(PAGE, async_=True), "v2")
    assert "storage" not in sent(HtmlToPdf(PAGE), "v1")
    for version in ("v1", "v2"):
        with pytest.raises(ValidationError):
            submission(HtmlToPdf(PAGE, async_=True, storage=False), version)  # type: ignore[arg-type]


def test_row_22_storage_values() -> None:
    assert sent(HtmlToPdf(PAGE, storage=True))["storage"] is True
    assert sent(HtmlToPdf(PAGE, storage=False, async_=False))["storage"] is False
    for text in ("true", "false", 1, 0):
        with pytest.raises(ValidationError):
            HtmlToPdf(PAGE, storage=text)  # type: ignore[arg-type]


def test_row_23_preview_type_and_quality() -> None:
    assert sent(HtmlToPdf(PAGE, generate_preview=Preview(width=300)))["generatePreview"] == {
        "width": 300,
        "type": "webp",
        "quality": 80,
    }
    wanted = fixture("request_template_inline")
    preview = Preview(width=300, type="webp", quality=75)
    assert sent(TemplateToPdf(template_id="plain-invoice", data=wanted["data"], generate_preview=preview)) == wanted
    assert sent(HtmlToPdf(PAGE, generate_preview=True))["generatePreview"] is True


def test_row_24_format_or_width_and_height() -> None:
    for sizes in ({"width": 5}, {"height": "5cm"}, {"width": 5, "height": 5}):
        with pytest.raises(ValidationError) as caught:
            HtmlToPdf(PAGE, format="a4", **sizes)  # type: ignore[arg-type]
        assert caught.value.field == "format"


@pytest.mark.asyncio
async def test_row_25_status_is_trimmed(service: Service, client: AsyncCloudlayer) -> None:
    words = {"ok": True, "ok ": True, " OK\n": True, "down": False, "": False}
    service.answers("GET /v2/getStatus", *({"status": word} for word in words))
    for word, ok in words.items():
        status = await client.get_status()
        assert (status.ok, status.status) == (ok, word.strip())


@pytest.mark.asyncio
async def test_row_26_success_codes(service: Service, client: AsyncCloudlayer) -> None:
    assert all(fault_of(reply(b"", status), None) is None for status in range(200, 300))
    codes = (200, 201, 202, 203)
    for status in codes:
        service.answers("POST /v2/html/pdf", {"id": "j", "status": "pending"}, status=status)
        service.answers("GET /v2/jobs/j", {"id": "j", "status": "done"}, status=status)
    for _ in codes:
        assert (await client.html_to_pdf(PAGE)).job_id == "j"
        assert (await client.get_job("j")).is_success


@pytest.mark.asyncio
async def test_row_27_asset_url(service: Service, client: AsyncCloudlayer, tmp_path: Path) -> None:
    stale = service.asset("/stale.pdf", b"<Error/>", status=403, content_type="application/xml")
    fresh = service.asset("/fresh.pdf", b"%PDF-1.7", content_type="application/pdf")
    service.answers("POST /v2/html/pdf", {"id": "j", "status": "success", "assetUrl": stale}, status=201)
    service.answers("GET /v2/jobs/j", {"id": "j", "status": "success", "assetUrl": fresh})
    saved = await (await client.html_to_pdf(PAGE)).save(tmp_path / "x.pdf")
    assert saved.read_bytes() == b"%PDF-1.7"
    assert service.lines == ["POST /v2/html/pdf", "GET /v2/jobs/j"]  # it expired: refreshed once
    assert [request.target.partition("?")[0] for request in service.downloads] == ["/stale.pdf", "/fresh.pdf"]
    assert all(request.headers["X-API-Key"] == KEY for request in service.requests)
    for request in service.downloads:
        assert "X-API-Key" not in request.headers
        assert KEY not in f"{request.headers} {request.target}"


def test_row_28_webhook_body() -> None:
    ids = {name: from_dict(Job, fixture(name)).id for name in MODELS if name.startswith("webhook_")}
    assert ids == {
        "webhook_full_job": "7Kq2mVd0",
        "webhook_success": "7Kq2mVd0",
        "webhook_error": "9Zt8",
        "webhook_jobid_iso": "job_q81s77",
    }
    assert from_dict(Job, fixture("webhook_full_job")) == from_dict(Job, fixture("job_success_full"))


def test_row_29_template_data(tmp_path: Path) -> None:
    data = {"z": None, "a": {"b": [1.5, "é"]}}
    assert sent(TemplateToPdf(template_id="x", data=data))["data"] == data
    assert sent(TemplateToPdf(template="<p>"))["data"] == {}
    file = tmp_path / "t.html"
    file.write_text("<p>")
    parts = {part.name: part for part in submission(TemplateToPdf(template=file, data=data)).form}
    assert list(parts) == ["options", "template", "data"]
    assert json.loads(parts["data"].content) == data  # type: ignore[arg-type]


def test_row_30_image_types() -> None:
    for word in ("png", "jpg", "webp", "jpeg", "svg"):
        assert sent(HtmlToImage(PAGE, image_type=word))["imageType"] == word  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        HtmlToImage(PAGE, image_type="gif")  # type: ignore[arg-type]


def test_row_31_timeout_unit() -> None:
    assert sent(HtmlToPdf(PAGE, timeout=30_000, delay=500)) == {
        **sent(HtmlToPdf(PAGE)),
        "timeout": 30_000,
        "delay": 500,
    }
    with pytest.raises(ValidationError) as caught:
        HtmlToPdf(PAGE, timeout=30)
    assert "looks like seconds" in str(caught.value)


@pytest.mark.asyncio
async def test_row_32_default_version(service: Service, client: AsyncCloudlayer) -> None:
    service.answers("POST /v2/html/pdf", {"id": "j", "status": "pending"}, status=202)
    service.answers("GET /v2/account", {})
    service.answers("GET /v1/account", {})
    assert client.api_version == "v2"
    await client.html_to_pdf(PAGE)
    await client.get_account()
    await client.with_options(api_version="v1").get_account()
    assert service.lines == ["POST /v2/html/pdf", "GET /v2/account", "GET /v1/account"]


def row_tests() -> dict[int, list[str]]:
    """The tests of this module by row."""
    found: dict[int, list[str]] = {number: [] for number in ROWS}
    for name in globals():
        if match := re.fullmatch(r"test_row_(\d\d)_\w+", name):
            found[int(match[1])].append(name)
    return found


def test_every_row_has_its_test() -> None:
    assert list(ROWS) == list(range(1, 33))
    assert all(len(names) == 1 for names in row_tests().values())


if __name__ == "__main__":
    print("| row | topic | test |\n|---|---|---|")
    for row, names in row_tests().items():
        print(f"| {row} | {ROWS[row]} | {', '.join(f'`{name}`' for name in names)} |")
