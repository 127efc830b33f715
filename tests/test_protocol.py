"""Calls as they leave and replies as they are read: combinations of options, paths, headers, lists."""

from __future__ import annotations

import itertools
import json
import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from samples import ADDRESS, MINIMAL, PAGE, call, fixture, minimal, reply, sent, submission

from cloudlayer_async import (
    Asset,
    HtmlToPdf,
    Job,
    Preview,
    ResponseInfo,
    StorageConfig,
    UrlToImage,
    UrlToPdf,
    UserStorage,
    ValidationError,
)
from cloudlayer_async.jsontext import WireFault
from cloudlayer_async.protocol import (
    CallKind,
    Reply,
    free_call,
    is_async,
    is_json,
    is_product,
    parse_retry_after,
    path_segment,
    read_any,
    read_call,
    read_data,
    read_list,
    read_model,
    response_info,
)

# --- combinations of options (section 6.2) --------------------------------------------------------------------------

BUCKET = UserStorage("6d1c")
ROWS = list(
    itertools.product(
        ("v1", "v2"),
        (None, True, False),  # async_
        (None, True, False, BUCKET),  # storage
        (None, "https://hooks.example/x"),  # webhook
        (None, False, True, Preview(width=5)),  # generate_preview
        (False, True),  # batch
    )
)


def oracle(version: str, async_: Any, storage: Any, webhook: Any, preview: Any, batch: bool) -> set[str]:
    """The fields of which one must be refused, in the contract's words; empty where the combination works."""
    faults = set()
    mode = "async" if batch or async_ is True or (async_ is None and version == "v2") else "sync"
    if batch and async_ is False:
        faults.add("async_")  # section 3: a batch is always async
    if storage is None:
        kept = "cloud" if version == "v2" or mode == "async" else "none"  # sections 3 and 6.2, row 21
    else:
        kept = {True: "cloud", False: "none"}.get(storage, "bucket") if isinstance(storage, bool) else "bucket"
    if kept == "none" and mode == "async":
        faults.add("storage")  # false: sync only
    if kept == "bucket" and mode == "sync":
        faults.add("storage")  # user S3: async only
    if kept == "none" and preview:
        faults.add("generate_preview")
    if webhook and (kept == "none" or mode == "sync"):
        faults.add("webhook")
    return faults


def test_the_oracle_knows_the_contracts_own_examples() -> None:
    assert oracle("v2", True, False, None, None, False)  # async:true + storage:false
    assert oracle("v2", False, False, "w", None, False)  # webhook + storage:false
    assert oracle("v2", False, BUCKET, None, None, False)  # storage{id} + async:false
    assert oracle("v2", None, False, None, None, False)  # storage:false with async unset
    assert not oracle("v2", False, False, None, None, False)  # unless it also sends async:false
    assert not oracle("v2", True, None, None, None, False)  # on v2 async needs no storage
    assert not oracle("v1", None, None, None, None, False)
    assert not oracle("v1", True, None, None, None, False)


@pytest.mark.parametrize(("version", "async_", "storage", "webhook", "preview", "batch"), ROWS)
def test_combinations(version: Any, async_: Any, storage: Any, webhook: Any, preview: Any, batch: bool) -> None:
    options = {"async_": async_, "storage": storage, "webhook": webhook, "generate_preview": preview}
    requests: list[Any] = [UrlToPdf(batch=[ADDRESS], **options), UrlToImage(batch=[ADDRESS], **options)]
    if not batch:
        requests = [minimal(kind, **options) for kind in MINIMAL]
    faults = oracle(version, async_, storage, webhook, preview, batch)
    for request in requests:
        if faults:
            with pytest.raises(ValidationError) as caught:
                submission(request, version)
            assert caught.value.field in faults
            assert str(caught.value).startswith(f"{type(request).__name__}.{caught.value.field}")
            continue
        sending = submission(request, version)
        if sending.json is not None:
            body = json.loads(sending.json)
            body = {name: body[name] for name in ("async", "storage", "webhook", "generatePreview") if name in body}
        else:
            body = {part.name: part.content for part in sending.form if part.filename is None}
            body = {name: text if name == "webhook" else json.loads(text) for name, text in body.items()}  # type: ignore[arg-type]
        wanted: dict[str, Any] = {}
        if async_ is not None or (batch and version == "v1"):
            wanted["async"] = True if batch else async_
        if storage is not None:
            wanted["storage"] = {"id": "6d1c"} if storage is BUCKET else storage
        elif version == "v1" and wanted.get("async"):
            wanted["storage"] = True
        if webhook is not None:
            wanted["webhook"] = webhook
        if preview is not None:
            wanted["generatePreview"] = (
                preview if isinstance(preview, bool) else {"width": 5, "type": "webp", "quality": 80}
            )
        assert body == wanted
        assert sending.kind is CallKind.CONVERSION
        # A synchronous call holds the connection while it renders.
        asynchronous = batch or async_ is True or (async_ is None and version == "v2")
        assert is_async(request, version) is asynchronous
        assert sending.render_seconds == (0 if asynchronous else 30)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({}, 30),
        ({"timeout": 1000}, 1),
        ({"timeout": 90_000, "delay": 500}, 90.5),
        ({"delay": timedelta(seconds=5)}, 35),
    ],
)
def test_a_synchronous_call_knows_how_long_it_may_be_held(options: Any, seconds: float) -> None:
    assert submission(HtmlToPdf(PAGE, async_=False, **options)).render_seconds == seconds
    assert submission(HtmlToPdf(PAGE, **options), "v1").render_seconds == seconds
    assert submission(HtmlToPdf(PAGE, async_=True, **options)).render_seconds == 0


@pytest.mark.parametrize("kind", MINIMAL)
def test_a_submission_knows_its_product_and_its_name(kind: str) -> None:
    made = submission(minimal(kind, name="march"))
    assert made.product == ("pdf" if kind == "merge_pdfs" else kind.rpartition("_")[2])
    assert made.name == "march"
    assert made.label == f"POST {made.path}"


def test_a_call_shows_nothing_of_its_body() -> None:
    assert "hunter2" not in repr(submission(HtmlToPdf("<p>hunter2")))
    assert "hunter2" not in repr(submission(minimal("docx_to_pdf", file=b"hunter2")))


# --- paths and queries ----------------------------------------------------------------------------------------------


@given(st.text(min_size=1))
@example("a/b")
@example("../../account")
@example("%2e%2e")
@example("a?b#c")
@example("日本")
@example("a\x00b")
def test_an_id_stays_one_segment_of_a_path(text: str) -> None:
    try:
        segment = path_segment(text, "job_id")
    except ValidationError as error:
        assert error.field == "job_id"
        assert not text.strip() or text in (".", "..") or not _encodable(text)
        return
    assert segment.isascii()
    assert not set(segment) & set("/?#\\ \n")
    assert unquote(segment) == text
    assert unquote(segment) not in (".", "..")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize("value", ["", "  ", ".", "..", None, 5, b"x", "\ud800", ["x"]])
def test_what_is_no_id_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        path_segment(value, "asset_id")
    assert caught.value.field == "asset_id"


def test_a_query_leaves_out_what_is_not_given() -> None:
    query = read_call(
        "/v2/templates", {"type": None, "expand": True, "tags": "a,b", "limit": 5, "x": False, "f": 1.5}
    ).query
    assert dict(query) == {"expand": "true", "tags": "a,b", "limit": "5", "x": "false", "f": "1.5"}


@pytest.mark.parametrize("value", [b"x", ["a"], {"a": 1}, object(), "\ud800"])
def test_what_a_query_cannot_carry_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        read_call("/v2/templates", {"tags": value})
    assert caught.value.field == "tags"


@pytest.mark.parametrize("params", [5, "a=1", [("a", 1)], {5: 1}, {None: 1}, {"\ud800": 1}])
def test_a_query_is_a_mapping_of_names(params: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        free_call("GET", "/jobs", version="v2", params=params)
    assert caught.value.field == "params"


# --- calls to any endpoint ------------------------------------------------------------------------------------------

CONVERSIONS = [
    *("/url/pdf", "/url/image", "/html/pdf", "/html/image", "/template/pdf", "/template/image"),
    *("/docx/pdf", "/docx/html", "/pdf/docx", "/pdf/merge"),
]


@pytest.mark.parametrize("path", CONVERSIONS)
@pytest.mark.parametrize("prefix", ["", "/v1", "/v2"])
def test_a_conversion_is_known_by_its_path(path: str, prefix: str) -> None:
    made = free_call("post", prefix + path, version="v2", json={"a": 1})
    assert (made.method, made.path) == ("POST", (prefix or "/v2") + path)
    assert made.kind is CallKind.CONVERSION
    assert made.render_seconds > 0
    doubled = path.replace("/", "//")[1:]
    for disguised in (path, path + "/", path.upper(), doubled, path[0] + f"%{ord(path[1]):x}" + path[2:]):
        assert free_call("POST", prefix + disguised, version="v2").kind is CallKind.CONVERSION
        for method in ("GET", "get", "HEAD", "OPTIONS"):
            with pytest.raises(ValidationError) as caught:
                free_call(method, prefix + disguised, version="v2")
            assert caught.value.field == "path"


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/jobs", CallKind.READ),
        ("head", "/jobs", CallKind.READ),
        ("OPTIONS", "/html", CallKind.READ),
        ("POST", "/storage", CallKind.WRITE),
        ("DELETE", "/storage/x", CallKind.WRITE),
        ("PUT", "/html/pdf/x", CallKind.WRITE),
        ("PATCH", "/projects", CallKind.WRITE),
    ],
)
def test_other_calls_are_reads_or_writes(method: str, path: str, kind: CallKind) -> None:
    made = free_call(method, path, version="v1", params={"a": 1, "b": None})
    assert (made.kind, made.path, dict(made.query), made.json) == (kind, "/v1" + path, {"a": "1"}, None)
    assert made.render_seconds == 0


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "jobs",
            "//evil.example/x",
            "https://evil.example",
            "/jobs?x=1",
            "/jobs#x",
            "/a b",
            "/a\n",
            "/a\\b",
            "/\x00",
        ),
        *("/../account", "/./jobs", "/%2e%2e/x", "/%2E./x", "/jobs/..", "/ключ", 5, None, b"/jobs"),
    ],
)
def test_paths_that_lead_elsewhere_are_refused(path: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        free_call("GET", path, version="v2")
    assert caught.value.field == "path"


@pytest.mark.parametrize("method", ["", "GE T", "GET\n", "G-T", "ПУТЬ", 5, None])
def test_methods_are_words(method: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        free_call(method, "/jobs", version="v2")
    assert caught.value.field == "method"


@pytest.mark.parametrize(
    "data", [{"a": math.nan}, {1: 2}, {1, 2}, b"x", {"a": "\ud800"}, [10**5000], datetime.now(UTC), math.inf]
)
def test_a_body_that_is_no_json_is_refused(data: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        free_call("POST", "/x", version="v2", json=data)
    assert caught.value.field == "json"


def test_a_body_without_end_is_refused() -> None:
    data: list[Any] = []
    data.append(data)
    with pytest.raises(ValidationError):
        free_call("POST", "/x", version="v2", json=data)


@pytest.mark.parametrize("data", [{}, [], "text", 5, False, {"b": None, "a": [2**70, 0.1, "é"]}])
def test_a_body_is_sent_as_it_is(data: Any) -> None:
    assert json.loads(free_call("POST", "/x", version="v2", json=data).json or b"") == data


# --- replies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "said"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("APPLICATION/JSON", True),
        (" text/json ;x=1", True),
        ("application/problem+json", True),
        ("application/vnd.api+JSON", True),
        ("application/pdf", False),
        ("text/html", False),
        ("application/jsonp", False),
        ("application/json-seq", False),
        ("image/svg+xml", False),
        ("", False),
    ],
)
def test_json_is_known_by_its_content_type(content_type: str, said: bool) -> None:
    assert is_json({"content-type": content_type}) is said


@pytest.mark.parametrize(
    ("product", "content_type", "body", "said"),
    [
        ("pdf", "application/pdf", b"%PDF", True),
        ("pdf", "application/octet-stream", b"%PDF", True),
        ("pdf", "", b"%PDF", True),
        ("image", "image/svg+xml", b"<svg/>", True),
        ("html", "text/html; charset=utf-8", b"<p>", True),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", b"PK", True),
        ("pdf", "text/html", b"<h1>Bad gateway</h1>", False),
        ("pdf", "text/plain", b"ok", False),
        ("pdf", "application/pdf", b"", False),
        ("html", "application/json", b"{}", False),
    ],
)
def test_a_product_is_known_by_its_content_type(product: str, content_type: str, body: bytes, said: bool) -> None:
    conversion = call(CallKind.CONVERSION, product=product)
    assert is_product(conversion, reply(body, content_type=content_type)) is said


def test_any_reply_reads_as_what_came() -> None:
    assert read_any(reply(b"")) is None
    assert read_any(reply({"a": 1})) == {"a": 1}
    assert read_any(reply(b"%PDF", content_type="application/pdf")) == b"%PDF"
    assert read_data(reply(b"  \n")) is None
    assert read_data(reply(b"\xef\xbb\xbf[1]")) == [1]
    assert read_data(reply(b'{"id":12345678901234567890123}')) == {"id": 12345678901234567890123}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"<html>",
        b"\xff\xfe\xfd",
        b'{"a":NaN}',
        b"Infinity",
        b'{"a":1}x',
        b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_no_json_is_a_wire_fault(body: bytes) -> None:
    for read in (read_data, lambda reply: read_model(reply, Job), lambda reply: read_list(reply, Job)):
        with pytest.raises(WireFault) as caught:
            read(reply(body))
        assert caught.value.path == "$"
        assert len(str(caught.value)) < 200


JOB = {"id": "a", "status": "pending"}


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ([], []),
        (None, []),
        ([JOB], ["a"]),
        (JOB, ["a"]),
        *[
            ({key: [JOB, {**JOB, "id": 5}], "limit": 25}, ["a", "5"])
            for key in ("data", "items", "jobs", "assets", "results")
        ],
        ({"data": None}, []),
        ({"data": []}, []),
        ({"id": "a", "status": "pending", "data": None}, ["a"]),
        ({"id": "a", "status": "pending", "results": 5}, ["a"]),
        ({"data": {"x": 1}, "items": [JOB]}, ["a"]),
    ],
)
def test_lists_come_bare_wrapped_or_as_one_item(body: Any, ids: list[str]) -> None:
    assert [job.id for job in read_list(reply(body), Job)] == ids


@pytest.mark.parametrize("body", [{}, {"data": 5}, "text", 5, True, {"jobId": None}, {"error": "x"}])
def test_what_is_no_list_is_a_wire_fault(body: Any) -> None:
    with pytest.raises(WireFault) as caught:
        read_list(reply(body), Job)
    assert caught.value.path == "$"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ([JOB, {"status": "pending"}], "$[1].id"),
        ([5], "$[0]"),
        ({"data": [JOB, JOB, {"id": True}]}, "$.data[2].id"),
        ([None], "$[0]"),
    ],
)
def test_the_place_of_a_bad_item_is_named(body: Any, path: str) -> None:
    with pytest.raises(WireFault) as caught:
        read_list(reply(body), Job)
    assert caught.value.path == path


@pytest.mark.parametrize("cls", [Job, Asset, StorageConfig])
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"5", b"{}", b'{"id":null}', b'{"id":""}', b'{"id":[]}', b'"x"'])
def test_what_has_no_id_is_a_wire_fault(cls: Any, body: bytes) -> None:
    with pytest.raises(WireFault) as caught:
        read_model(reply(body), cls)
    assert caught.value.path in ("$", "$.id")


# --- headers (section 5.8) ------------------------------------------------------------------------------------------

HEADERS: list[tuple[str, str, str, Any]] = [
    ("cl-worker-job-id", "wj-81", "worker_job_id", "wj-81"),
    ("cl-cluster-id", "eu-1", "cluster_id", "eu-1"),
    ("cl-worker", "rend-eu-04", "worker", "rend-eu-04"),
    ("cl-bandwidth", "88213", "bandwidth", 88213),
    ("cl-process-time", "1875", "process_time", 1875),
    ("cl-calls-remaining", "389", "calls_remaining", 389),
    ("cl-charged-time", "2000", "charged_time", 2000),
    ("cl-bandwidth-cost", "0.0004", "bandwidth_cost", 0.0004),
    ("cl-process-time-cost", "0.0031", "process_time_cost", 0.0031),
    ("cl-api-credit-cost", "1", "api_credit_cost", 1.0),
    ("x-ratelimit-limit", "60", "rate_limit", 60),
    ("x-ratelimit-remaining", "0", "rate_limit_remaining", 0),
    ("x-ratelimit-reset", "1767225600", "rate_limit_reset", 1767225600),
]


@pytest.mark.parametrize(("header", "value", "name", "read"), HEADERS)
def test_each_header_is_read(header: str, value: str, name: str, read: Any) -> None:
    info = response_info(201, {header: value})
    assert info == ResponseInfo(status=201, headers={header: value}, **{name: read})
    assert type(getattr(info, name)) is type(read)


@pytest.mark.parametrize("header", [row[0] for row in HEADERS if not isinstance(row[3], str)])
@pytest.mark.parametrize("value", ["", "many", "NaN", "inf", "1e5", "0x10", "1,5", "--1", "١", "9" * 400])
def test_an_unreadable_header_is_none_and_stays_in_headers(header: str, value: str) -> None:
    assert response_info(200, {header: value}) == ResponseInfo(status=200, headers={header: value})


# --- Retry-After (RFC 9110 section 10.2.3) --------------------------------------------------------------------------

NOW = 1_767_225_600.4  # 2026-01-01 00:00:00.4 UTC


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("3600000", 3_600_000),
        ("9" * 400, math.inf),
        # Dates: RFC 5322, RFC 850, asctime; rounded up, never below zero.
        ("Thu, 01 Jan 2026 00:00:10 GMT", 10),
        ("Thursday, 01-Jan-26 00:01:00 GMT", 60),
        ("Thu Jan  1 00:00:02 2026", 2),
        ("Thu, 01 Jan 2026 01:00:02 +0100", 2),
        ("Wed, 31 Dec 2025 23:59:59 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251_635_075_200 - 1),
        # Garbage.
        ("", None),
        ("soon", None),
        ("-5", None),
        ("+5", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("0x10", None),
        ("١٢", None),
        ("²", None),
        ("5 minutes", None),
        ("5, 10", None),
        ("Thu, 99 Jan 2026 00:00:10 GMT", None),
        ("Thu, 01 Jan 2026 00:00:10 +999999", None),
        ("2026-01-01T00:00:10Z", None),
        ("\x00", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,5} \d\d:\d\d:\d\d( GMT| [+-]\d{1,6})?"))
def test_retry_after_never_raises(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


@given(st.floats(0, 10**9), st.floats(0, 10**7))
def test_a_date_is_never_reached_too_early(now: float, wait: float) -> None:
    moment = (datetime.fromtimestamp(now, UTC) + timedelta(seconds=wait)).replace(microsecond=0)
    seconds = parse_retry_after(format_datetime(moment, usegmt=True), now)
    assert seconds is not None
    assert now + seconds >= moment.timestamp() - 1e-3
    assert seconds == 0 or now + seconds < moment.timestamp() + 1.001


def test_fixture_headers_are_read() -> None:
    headers = {name.lower(): value for name, value in fixture("response_headers_limit_plan").items()}
    info = response_info(201, headers)
    assert (info.calls_remaining, info.rate_limit_reset, info.api_credit_cost, info.charged_time) == (
        389,
        41,
        1.0,
        None,
    )
    assert info.headers["content-type"] == "application/pdf"


def test_a_reply_shows_nothing_of_its_body() -> None:
    assert "hunter2" not in repr(Reply(status=200, headers={}, body=b"hunter2"))
    assert sent(HtmlToPdf(PAGE))
