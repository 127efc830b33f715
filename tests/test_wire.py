"""The converter: tolerant when reading, exact when sending, and back again without loss."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from samples import ADDRESS, FIXTURES, MINIMAL, PAGE, fixture, minimal, submission

import cloudlayer_async.jsontext as jsontext_module
from cloudlayer_async import (
    Account,
    ApiStatus,
    Asset,
    BasicAuth,
    Cookie,
    DocxToPdf,
    HeaderFooter,
    HtmlToPdf,
    Job,
    JobStatus,
    Margin,
    MergePdfs,
    Preview,
    StorageConfig,
    Template,
    TemplateToPdf,
    UrlToPdf,
    UserStorage,
    ValidationError,
    Viewport,
    WaitForSelector,
    from_dict,
    to_dict,
)
from cloudlayer_async.jsontext import WireFault, json_bytes, parse_json
from cloudlayer_async.options import wire_name
from cloudlayer_async.wire import (
    converter,
    read_bool,
    read_float,
    read_int,
    read_text,
    read_timestamp,
)

MODELS: tuple[Any, ...] = (Job, Asset, Account, ApiStatus, StorageConfig, Template)

# Wire keys of each model, from the contract, section 5, with its aliases from section 7.
KEYS: dict[Any, list[str]] = {
    Job: [
        *("id", "jobId", "status", "timestamp", "uid", "userId", "name", "projectId", "type", "params", "assetUrl"),
        *("previewUrl", "assetId", "size", "processTime", "apiCreditCost", "processTimeCost", "bandwidthCost"),
        *("totalCost", "apiKeyUsed", "workerName", "worker", "self", "error", "fileId"),
    ],
    Asset: [
        *("id", "uid", "fileId", "previewFileId", "jobId", "projectId", "name", "type", "ext", "previewExt", "size"),
        *("timestamp", "url", "previewUrl"),
    ],
    Account: [
        *("calls", "callsLimit", "email", "uid", "subscription", "subType", "subActive", "bytesTotal", "bytesLimit"),
        *("bytesUsed", "computeTimeTotal", "computeTimeLimit", "computeTime", "storageUsed", "storageLimit", "credit"),
        *("creditBalance", "totalJobs", "successJobs", "errorJobs", "jobCounts", "url-pdf"),
    ],
    ApiStatus: ["status"],
    StorageConfig: ["id", "title", "uid", "data"],
    Template: [
        *("id", "templateId", "title", "shortDescription", "searchKeywords", "tags", "category", "type", "previewUrl"),
        *("exampleAssetUrl", "highlights", "timestamp", "projectId", "sampleData", "authorName"),
    ],
}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-1, 10**13)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(
        [
            *(
                "pending",
                "COMPLETED",
                "failed",
                "archived",
                "",
                " ",
                "-1",
                "12",
                "1.50",
                "1e5",
                "..pdf",
                ".pdf",
                "html/pdf",
            ),
            *(
                "active",
                "inactive",
                "2026-01-01T00:00:00Z",
                "2026-01-01",
                "0001-01-01T00:00:00+23:59",
                "999999999999999999",
            ),
            *("١٢", "\ud800", "a,b,,c", -(10**12), 1e300, 10**400, -0.0),
        ]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["_seconds", "_nanoseconds", "seconds", "nanoseconds", "completed", "failed", "a"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


def replies(cls: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with keys that the service uses, and others, and anything behind them."""
    keys = st.sampled_from(KEYS[cls]) | st.text(max_size=6)
    return st.dictionaries(keys, VALUES, max_size=8)


# --- reading models: whatever comes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", MODELS)
@given(data=st.data())
def test_reading_loses_nothing_and_raises_nothing_but_its_own(cls: Any, data: st.DataObject) -> None:
    reply = data.draw(replies(cls) | VALUES)
    if hasattr(cls, "id") and isinstance(reply, dict):
        reply.setdefault("id", "x")
    try:
        model = converter.structure(reply, cls)
    except WireFault as fault:
        assert fault.path in ("$", "$.id")
        with pytest.raises(ValidationError):
            from_dict(cls, reply)
        return
    assert type(model) is cls
    assert isinstance(repr(model), str)
    assert isinstance(hash(model), int)
    # There and back, also as JSON text.
    written = to_dict(model)
    assert from_dict(cls, written) == from_dict(cls, json.loads(json.dumps(written))) == model
    assert to_dict(from_dict(cls, written)) == written
    # Everything that came is in a field or in `extra`, but for the words that mean "nothing".
    read_as = _fields_by_key(cls)
    for key, value in reply.items():
        if key in model.extra:
            assert model.extra[key] == value
        elif value not in (None, "", -1, "-1"):
            assert getattr(model, read_as[key]) is not None


def _fields_by_key(cls: Any) -> dict[str, str]:
    special = {
        *(
            ("jobId", "id"),
            ("userId", "uid"),
            ("workerName", "worker"),
            ("self", "self_url"),
            ("bytesUsed", "bytes_total"),
        ),
        *(("computeTime", "compute_time_total"), ("creditBalance", "credit")),
    }
    by_key = {wire_name(field.name): field.name for field in attrs.fields(cls) if field.name != "extra"}
    return {**{key: name for key, name in special if name in attrs.fields_dict(cls)}, **by_key}


UNREADABLE: dict[str, list[Any]] = {
    "text": [True, 1.5, [], {}, ["x"]],
    "int": ["many", True, 1.5, [], {}, "", "1e3", "٣", 1e400],
    "float": ["many", True, [], {}, "", "1e3", "nan"],
    "bool": [1, 0, "yes", "", [], 1.0],
    "moment": ["soon", True, [], {}, {"_seconds": "x"}, {"_seconds": None}, "", 1e300, 10**400, "2026-13-01T00:00:00Z"],
    "words": [5, True, {}, [[]], [None], [1.5]],
    "mapping": ["{}", [], 5, True],
}
KINDS: dict[Any, dict[str, str]] = {
    Job: {
        **dict.fromkeys(
            (
                *("type", "name", "assetUrl", "previewUrl", "assetId", "projectId", "uid", "workerName", "worker"),
                *("error", "self", "apiKeyUsed", "userId"),
            ),
            "text",
        ),
        "status": "word",
        "timestamp": "moment",
        "size": "int",
        **dict.fromkeys(("processTime", "apiCreditCost", "processTimeCost", "bandwidthCost", "totalCost"), "float"),
        "params": "mapping",
    },
    Asset: {
        **dict.fromkeys(
            (
                *("uid", "fileId", "previewFileId", "jobId", "projectId", "name", "type", "ext", "previewExt", "url"),
                "previewUrl",
            ),
            "text",
        ),
        "size": "int",
        "timestamp": "moment",
    },
    Account: {
        **dict.fromkeys(("email", "uid", "subscription", "subType"), "text"),
        "subActive": "bool",
        **dict.fromkeys(
            (
                *("calls", "callsLimit", "bytesTotal", "bytesUsed", "bytesLimit", "computeTimeTotal", "computeTime"),
                *("computeTimeLimit", "storageUsed", "storageLimit", "totalJobs", "successJobs", "errorJobs"),
            ),
            "int",
        ),
        **dict.fromkeys(("credit", "creditBalance"), "float"),
    },
    ApiStatus: {"status": "word"},
    StorageConfig: dict.fromkeys(("title", "uid", "data"), "text"),
    Template: {
        **dict.fromkeys(
            (
                *("templateId", "title", "shortDescription", "category", "type", "previewUrl", "exampleAssetUrl"),
                *("projectId", "authorName"),
            ),
            "text",
        ),
        **dict.fromkeys(("searchKeywords", "tags", "highlights"), "words"),
        "timestamp": "moment",
        "sampleData": "mapping",
    },
}
UNREADABLE["word"] = [5, True, 1.5, [], {}]


@pytest.mark.parametrize(
    ("cls", "key", "value"),
    [
        pytest.param(cls, key, value, id=f"{cls.__name__}-{key}-{index}")
        for cls, kinds in KINDS.items()
        for key, kind in kinds.items()
        for index, value in enumerate(UNREADABLE[kind])
        if not (value == "" and key.endswith("Limit"))  # an empty limit is no limit: row 9
    ],
)
def test_a_known_field_that_cannot_be_read_lands_in_extra_under_its_wire_name(cls: Any, key: str, value: Any) -> None:
    plain = from_dict(cls, {"id": "x"})
    model = from_dict(cls, {"id": "x", key: value})
    assert model.extra[key] == value
    assert attrs.evolve(model, extra=plain.extra) == plain  # nothing else changed
    assert to_dict(model)[key] == value
    assert from_dict(cls, to_dict(model)) == model


@pytest.mark.parametrize("cls", MODELS)
def test_null_is_the_same_as_absent_for_what_is_known(cls: Any) -> None:
    plain = from_dict(cls, {"id": "x"})
    nulls = {key: None for key in KINDS[cls] if key != "status"}
    assert from_dict(cls, {"id": "x", **nulls}) == plain
    assert from_dict(cls, {"id": "x", "never heard of": None}).extra == {**plain.extra, "never heard of": None}


@pytest.mark.parametrize("cls", [cls for cls in MODELS if hasattr(cls, "id")])
@pytest.mark.parametrize("bad", [None, "", [], {}, True, 1.5])
def test_a_model_without_an_id_is_a_fault(cls: Any, bad: Any) -> None:
    for reply in ({"title": "x"}, {"id": bad}):
        with pytest.raises(WireFault) as caught:
            converter.structure(reply, cls)
        assert caught.value.path == "$.id"
        assert str(caught.value) == ("no usable id" if "id" in reply else "no id")
        with pytest.raises(ValidationError) as refused:
            from_dict(cls, reply)
        assert "$.id" in str(refused.value)


def test_a_huge_reply_is_shown_short() -> None:
    with pytest.raises(ValidationError) as caught:
        from_dict(Job, ["x" * 10_000_000])  # type: ignore[arg-type]
    assert len(str(caught.value)) < 200


# --- single values --------------------------------------------------------------------------------------------------

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
TIMESTAMPS: list[tuple[Any, datetime]] = [
    (1767225600000, MOMENT),
    (1767225600, MOMENT),
    (1767225600.0, MOMENT),
    (1767225600123, MOMENT + timedelta(milliseconds=123)),
    (1767225600.25, MOMENT + timedelta(seconds=0.25)),
    ("1767225600000", MOMENT),
    (" 1767225600 ", MOMENT),
    ("1767225600.5", MOMENT + timedelta(seconds=0.5)),
    ("2026-01-01T00:00:00.000Z", MOMENT),
    ("2026-01-01T00:00:00Z", MOMENT),
    ("2026-01-01 00:00:00", MOMENT),
    ("2026-01-01", MOMENT),
    ("20260101T000000Z", MOMENT),
    ("2026-01-01T02:00:00+02:00", MOMENT),
    ("2026-01-01T00:00:00.123456789Z", MOMENT + timedelta(microseconds=123456)),
    ({"_seconds": 1767225600, "_nanoseconds": 250_000_000}, MOMENT + timedelta(seconds=0.25)),
    ({"seconds": 1767225600, "nanoseconds": 1500}, MOMENT + timedelta(microseconds=1)),
    ({"_seconds": 1767225600}, MOMENT),
    ({"_seconds": "1767225600", "_nanoseconds": None}, MOMENT),
    (0, datetime(1970, 1, 1, tzinfo=UTC)),
    (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    (99_999_999_999, datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),  # the last one read as seconds
    (100_000_000_000, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),  # the first one read as milliseconds
]


@pytest.mark.parametrize(("value", "moment"), TIMESTAMPS)
def test_timestamps(value: Any, moment: datetime) -> None:
    found = read_timestamp(value)
    assert found == moment
    assert found.tzinfo is UTC


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=-30))])))
def test_a_moment_that_was_written_is_read_back(moment: datetime) -> None:
    job = from_dict(Job, {"id": "x", "timestamp": moment.isoformat()})
    assert job.timestamp == moment
    assert from_dict(Job, to_dict(job)) == job


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5), ("5", 5), (" 5 ", 5), (5.0, 5), ("5.0", 5), (-3, -3), (2**63 + 1, 2**63 + 1), (str(2**62 + 1), 2**62 + 1)],
)
def test_whole_numbers(value: Any, number: int) -> None:
    assert read_int(value) == number
    assert type(read_int(value)) is int


@pytest.mark.parametrize(
    "value",
    [
        True,
        "x",
        "",
        1.5,
        "1.5",
        math.nan,
        math.inf,
        None,
        [],
        pytest.param(10**5000, id="endless"),
        "1" * 30,
        b"5",
        "1_000",
    ],
)
def test_what_is_no_whole_number(value: Any) -> None:
    with pytest.raises(ValueError):
        read_int(value)


def test_texts_and_booleans() -> None:
    assert [read_text(value) for value in ("a", "", 5, -(2**70))] == ["a", "", "5", str(-(2**70))]
    assert [read_bool(value) for value in (True, False, "active", " Inactive ", "TRUE", "false")] == [
        *(True, False, True, False, True, False)
    ]
    assert [read_float(value) for value in (1, 1.5, "1.5", "-2")] == [1.0, 1.5, 1.5, -2.0]
    for read, value in ((read_text, True), (read_text, 1.0), (read_bool, 1), (read_bool, "on"), (read_float, "1e5")):
        with pytest.raises(ValueError):
            read(value)


# --- statuses -------------------------------------------------------------------------------------------------------


@given(st.text())
@example("archived")
@example("unknown")
@example("PENDING ")
def test_an_unknown_status_keeps_its_word_and_is_not_the_end(word: str) -> None:
    job = from_dict(Job, {"id": "x", "status": word})
    assert job.raw_status == word
    assert to_dict(job)["status"] == word
    known = {"pending", "queued", "processing", "running", "success", "completed", "complete", "succeeded", "done"}
    known |= {"error", "failed", "failure", "cancelled", "canceled"}
    if word.strip().lower() not in known:
        assert str(job.status) == job.status == word
        assert (job.is_pending, job.is_success, job.is_error) == (False, False, False)


def test_a_job_without_a_status_is_in_no_known_state() -> None:
    for reply in ({"id": "x"}, {"id": "x", "status": None}, {"id": "x", "status": 5}):
        job = from_dict(Job, reply)
        assert (job.is_pending, job.is_success, job.is_error, job.raw_status) == (False, False, False, None)
        assert from_dict(Job, to_dict(job)) == job


# --- JSON -----------------------------------------------------------------------------------------------------------

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_json_is_the_same_with_and_without_orjson(data: Any) -> None:
    plain = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    assert json.dumps(parse_json(json_bytes(data))) == json.dumps(data)
    assert json.dumps(parse_json(plain)) == json.dumps(data)


def test_json_without_the_speed_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"b": [1, 2**70, None, "é\u2028"], "a": 0.5}
    fast = json_bytes(data)
    monkeypatch.setattr(jsontext_module, "orjson", None)
    assert json_bytes(data) == fast == '{"b":[1,1180591620717411303424,null,"é\u2028"],"a":0.5}'.encode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-16", "utf-32-le", "utf-32"])
@pytest.mark.parametrize("data", [{"id": "é"}, [], 1, "", {"": 0}, [1, 2]])
def test_json_in_any_of_its_encodings(encoding: str, data: Any) -> None:
    assert parse_json(json.dumps(data, ensure_ascii=False).encode(encoding)) == data


@given(st.binary() | st.text())
@example(b"[" * 100_000)
@example(b"\xef\xbb\xbf{}")
@example("\ud800")
@example(b"")
def test_parsing_gives_data_or_a_wire_fault(body: bytes | str) -> None:
    try:
        parse_json(body)
    except WireFault as fault:
        assert fault.path == "$"
        assert len(str(fault)) < 100


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_in_any_unicode_encoding_is_read(encoding: str) -> None:
    assert parse_json('{"a":"é"}'.encode(encoding)) == {"a": "é"}


def test_a_fault_seen_from_further_out_keeps_its_words() -> None:
    fault = WireFault("no id", "$.id").within(".data[2]")
    assert (str(fault), fault.path) == ("no id", "$.data[2].id")


# --- requests as manifests ------------------------------------------------------------------------------------------

RICH: list[Any] = [
    UrlToPdf(
        ADDRESS,
        authentication=BasicAuth("ann", "pw"),
        cookies=[Cookie("a", "b", expires=5, same_site="Lax")],
        storage=UserStorage("s"),
        generate_preview=Preview(width=5, quality=1),
        viewport=Viewport(1, 2, device_scale_factor=1.5),
        margin=Margin(top="1in", left=0),
        header_template=HeaderFooter(template="<b>", margin=Margin(top=1), style={"padding-top": "1px"}),
        wait_for_selector=WaitForSelector("#a", visible=True, timeout=5000),
        timeout=timedelta(seconds=5),
        extra={"new": {"path": "x"}},
        emulate_media_type=None,
    ),
    UrlToPdf(batch=[ADDRESS, ADDRESS]),
    MergePdfs([ADDRESS]),
    HtmlToPdf(PAGE, name="a", inline=False, delay=0),
    HtmlToPdf(b"\xff\x00<p>"),
    TemplateToPdf(template_id="x", data={"path": "/etc/passwd"}),
    TemplateToPdf(template_id="x", data={"base64": "!"}, extra={"path": "x"}),
    TemplateToPdf(template="<p>", data={"z": None, "a": [2**70, {"path": "p"}]}),
    DocxToPdf(b"x"),
]


@pytest.mark.parametrize("request_", RICH)
def test_requests_survive_a_manifest(request_: Any) -> None:
    written = to_dict(request_)
    assert written["kind"] == request_.kind
    line = json.dumps(written)
    again = from_dict(type(request_), json.loads(line))
    assert again == request_
    assert submission(again) == submission(request_)
    assert list(written) == list(to_dict(again))


@pytest.mark.parametrize("kind", MINIMAL)
def test_a_manifest_line_holds_what_was_given_and_no_more(kind: str) -> None:
    written = to_dict(minimal(kind))
    assert set(written) == {"kind", *MINIMAL[kind]}
    assert from_dict(type(minimal(kind)), written) == minimal(kind)


def test_paths_are_written_as_paths(tmp_path: Path) -> None:
    file = tmp_path / "a.docx"
    file.write_bytes(b"x")
    written = to_dict(DocxToPdf(str(file)))
    assert written == {"kind": "docx_to_pdf", "file": {"path": str(file)}}
    assert from_dict(DocxToPdf, written) == DocxToPdf(file)
    assert to_dict(HtmlToPdf(b"<p>"))["html"] == {"base64": base64.b64encode(b"<p>").decode()}
    file.unlink()
    with pytest.raises(ValidationError) as caught:
        from_dict(DocxToPdf, written)
    assert caught.value.field == "file"


def test_an_open_file_cannot_be_written_down(tmp_path: Path) -> None:
    file = tmp_path / "a.docx"
    file.write_bytes(b"x")
    with file.open("rb") as opened, pytest.raises(ValidationError) as caught:
        to_dict(DocxToPdf(opened))
    assert caught.value.field == "file"


def test_what_was_written_shares_nothing_with_its_source() -> None:
    request = TemplateToPdf(template_id="x", data={"a": [1]}, extra={"b": {}})
    written = to_dict(request)
    written["data"]["a"].append(2)
    written["extra"]["b"]["c"] = 1
    assert request == TemplateToPdf(template_id="x", data={"a": [1]}, extra={"b": {}})
    job = from_dict(Job, {"id": "x", "params": {"a": [1]}, "new": [1]})
    written = to_dict(job)
    written["params"]["a"].append(2)
    written["new"].append(2)
    assert job == from_dict(Job, {"id": "x", "params": {"a": [1]}, "new": [1]})


@pytest.mark.parametrize(
    ("cls", "data", "field"),
    [
        (HtmlToPdf, {}, "html"),
        (HtmlToPdf, {"html": PAGE, "printBackground": True}, "printBackground"),
        (HtmlToPdf, {"html": PAGE, "kind": "html_to_image"}, "kind"),
        (HtmlToPdf, {"html": PAGE, "kind": None}, "kind"),
        (HtmlToPdf, {"html": {"base64": "!!"}}, "html"),
        (HtmlToPdf, {"html": {"base64": "é"}}, "html"),
        (HtmlToPdf, {"html": {"path": "/no/such/file"}}, "html"),
        (HtmlToPdf, {"html": {"path": 5}}, "html"),
        (HtmlToPdf, {"html": PAGE, "margin": {"up": 1}}, "up"),
        (HtmlToPdf, {"html": PAGE, "margin": "1in"}, "margin"),
        (HtmlToPdf, {"html": PAGE, "margin": []}, "margin"),
        (HtmlToPdf, {"html": PAGE, "header_template": {"margin": {"top": -1}}}, "top"),
        (HtmlToPdf, {"html": PAGE, "viewport": {"width": 1}}, "height"),
        (HtmlToPdf, {"html": PAGE, 5: 1}, "5"),
        (UrlToPdf, {"url": ADDRESS, "cookies": [{"name": "a"}]}, "value"),
        (UrlToPdf, {"url": ADDRESS, "cookies": {"name": "a", "value": "b"}}, "cookies"),
        (UrlToPdf, {"url": ADDRESS, "storage": {"id": ""}}, "id"),
        (HtmlToPdf, [], "HtmlToPdf"),
        (HtmlToPdf, "x", "HtmlToPdf"),
        (Job, "x", "$"),
        (Job, None, "$"),
        (str, {}, "cls"),
        (Margin, {}, "cls"),
        (None, {}, "cls"),
        ([], {}, "cls"),
    ],
)
def test_a_manifest_is_read_exactly(cls: Any, data: Any, field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        from_dict(cls, data)
    assert caught.value.field == field


@given(
    kind=st.sampled_from(list(MINIMAL)),
    data=st.dictionaries(
        st.sampled_from(["kind", "html", "url", "file", "margin", "storage", "data", "timeout"]), VALUES
    ),
)
def test_any_manifest_gives_a_request_or_a_validation_error(kind: str, data: dict[str, Any]) -> None:
    cls: Any = type(minimal(kind))
    try:
        from_dict(cls, data)
    except ValidationError as error:
        assert isinstance(error.field, str)


@pytest.mark.parametrize("obj", [5, None, "x", {}, Margin(), JobStatus.PENDING, Job, object()])
def test_other_things_are_not_written(obj: Any) -> None:
    with pytest.raises(ValidationError):
        to_dict(obj)


def test_every_fixture_of_a_model_survives_a_round_trip() -> None:
    prefixes = {
        "account": Account,
        "asset_": Asset,
        "job_": Job,
        "webhook": Job,
        "template_d": Template,
        "storage_detail": StorageConfig,
    }
    seen = 0
    for path in sorted(FIXTURES.glob("*.json")):
        cls = next((cls for prefix, cls in prefixes.items() if path.stem.startswith(prefix)), None)
        if cls is not None:
            model = from_dict(cls, fixture(path.stem))
            assert from_dict(cls, to_dict(model)) == model
            seen += 1
    assert seen > 25
