"""Every endpoint of the contract, as it leaves and as its reply is read, on v1 and v2; and the client's own settings."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import Connect
from samples import MINIMAL, PAGE, fixture, minimal
from servers import JOB, KEY, RawServer, Service, reply

import cloudlayer_async
from cloudlayer_async import (
    ApiError,
    Asset,
    AsyncCloudlayer,
    BadRequestError,
    CloudlayerError,
    ConfigError,
    HtmlToPdf,
    Job,
    Limits,
    NotFoundError,
    PollSchedule,
    RetryPolicy,
    StorageNotAllowedError,
    Timeouts,
    UnexpectedResponseError,
    UrlToPdf,
    ValidationError,
)
from cloudlayer_async.requests import REQUEST_TYPES

pytestmark = pytest.mark.usefixtures("no_complaints", "no_environment")

VERSIONS = ("v1", "v2")
PATHS = {
    "url_to_pdf": "/url/pdf",
    "url_to_image": "/url/image",
    "html_to_pdf": "/html/pdf",
    "html_to_image": "/html/image",
    "template_to_pdf": "/template/pdf",
    "template_to_image": "/template/image",
    "docx_to_pdf": "/docx/pdf",
    "docx_to_html": "/docx/html",
    "pdf_to_docx": "/pdf/docx",
    "merge_pdfs": "/pdf/merge",
}
ENCODED = base64.b64encode(PAGE.encode()).decode()
BODIES: dict[str, dict[str, Any]] = {
    "url_to_pdf": {"url": "https://site.example/page"},
    "url_to_image": {"url": "https://site.example/page"},
    "html_to_pdf": {"html": ENCODED},
    "html_to_image": {"html": ENCODED},
    "template_to_pdf": {"templateId": "plain-invoice", "data": {}},
    "template_to_image": {"templateId": "plain-invoice", "data": {}},
    "merge_pdfs": {"batch": {"urls": ["https://site.example/page"]}},
}
UPLOADS = ("docx_to_pdf", "docx_to_html", "pdf_to_docx")


def sibling(client: AsyncCloudlayer, version: str) -> AsyncCloudlayer:
    """The same client on one of the versions."""
    return client.with_options(api_version=version)  # type: ignore[arg-type]


def call(client: AsyncCloudlayer, kind: str, **options: Any) -> Any:
    """The client's own method for a kind of conversion, with the least it needs."""
    given = {**MINIMAL[kind], **options}
    first = [given.pop(name) for name in ("url", "html", "file", "urls") if name in given]
    return getattr(client, kind)(*first, **given)


# --- the ten conversions --------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", sorted(BODIES))
async def test_a_conversion_leaves_as_json(kind: str, version: str, service: Service, client: AsyncCloudlayer) -> None:
    line = f"POST /{version}{PATHS[kind]}"
    service.answers(line, JOB, status=202)
    conversion = await call(sibling(client, version), kind)
    assert conversion.job_id == "7Kq2"
    (request,) = service.requests
    assert request.line == line
    assert request.json() == BODIES[kind]
    headers = dict(request.headers)
    assert headers.pop("Host") == service.url.removeprefix("http://")
    assert headers.pop("User-Agent").startswith(f"cloudlayer-async/{cloudlayer_async.__version__} ")
    assert headers.pop("Content-Length") == str(len(request.body))
    assert "deflate" in headers.pop("Accept-Encoding")
    assert headers == {
        "X-API-Key": KEY,
        "Accept": "application/json, */*;q=0.5",
        "Content-Type": "application/json",
    }


@pytest.mark.asyncio
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", UPLOADS)
async def test_an_upload_leaves_as_a_form(kind: str, version: str, service: Service, client: AsyncCloudlayer) -> None:
    line = f"POST /{version}{PATHS[kind]}"
    service.answers(line, JOB, status=202)
    await call(sibling(client, version), kind, async_=True)
    (request,) = service.requests
    assert request.line == line
    assert request.headers["X-API-Key"] == KEY
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert MINIMAL[kind]["file"] in request.body


@pytest.mark.asyncio
@pytest.mark.parametrize("async_", [None, True, False])
@pytest.mark.parametrize("version", VERSIONS)
async def test_async_is_sent_as_given_and_brings_storage_on_v1(
    version: str, async_: bool | None, service: Service, client: AsyncCloudlayer
) -> None:
    service.answers(f"POST /{version}/html/pdf", JOB, status=202)
    await sibling(client, version).html_to_pdf(PAGE, async_=async_)
    body = service.requests[0].json()
    assert body.get("async") is async_
    assert body.get("storage") is (True if version == "v1" and async_ else None)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", sorted(REQUEST_TYPES))
async def test_submit_is_what_the_ten_call(kind: str, service: Service, client: AsyncCloudlayer) -> None:
    service.answers(f"POST /v2{PATHS[kind]}", JOB, status=202)
    await call(client, kind, name="n")
    await client.submit(minimal(kind, name="n"))
    first, second = service.requests
    assert first.line == second.line
    if kind not in UPLOADS:
        assert first.body == second.body


@pytest.mark.asyncio
@pytest.mark.parametrize("thing", [None, "<p>", {"html": "<p>"}, HtmlToPdf, object()])
async def test_submit_takes_requests_only(thing: Any, client: AsyncCloudlayer, service: Service) -> None:
    with pytest.raises(ValidationError) as caught:
        await client.submit(thing)
    assert caught.value.field == "request"
    assert service.requests == []


@pytest.mark.asyncio
async def test_a_page_is_read_from_a_path_when_it_is_sent(
    tmp_path: Path, service: Service, client: AsyncCloudlayer
) -> None:
    service.answers("POST /v2/html/pdf", JOB, status=202)
    page = tmp_path / "page.html"
    page.write_text("<p>early")
    request = HtmlToPdf(page)
    page.write_bytes("<p>späte".encode())
    await client.submit(request)
    assert base64.b64decode(service.requests[0].json()["html"]).decode() == "<p>späte"
    page.unlink()
    with pytest.raises(ValidationError, match="cannot be read") as caught:
        await client.submit(request)
    assert caught.value.field == "html"
    assert len(service.requests) == 1


@pytest.mark.asyncio
async def test_a_page_that_is_too_large_is_refused_unsent(
    tmp_path: Path, service: Service, client: AsyncCloudlayer
) -> None:
    page = tmp_path / "page.html"
    with page.open("wb") as file:
        file.write(b"<p>")
        file.truncate(2**34)  # sparse: 16 GB that must not be read
    for source in (page, "<p>" + "x" * 7_500_000):
        with pytest.raises(ValidationError, match="10,000,000") as caught:
            await client.html_to_pdf(source)
        assert caught.value.field == "html"
    assert service.requests == []


@pytest.mark.asyncio
async def test_defaults_go_out_with_every_conversion_that_has_them(service: Service, connect: Connect) -> None:
    service.answers("POST /v2/html/pdf", JOB, status=202)
    service.answers("POST /v2/html/image", JOB, status=202)
    client = await connect(service.url, defaults={"project_id": "prj", "format": "a4", "quality": 5})
    await client.html_to_pdf(PAGE)
    await client.html_to_pdf(PAGE, format="a5", project_id="other")
    await client.with_options(name="n", project_id="third").html_to_image(PAGE)
    first, second, third = (request.json() for request in service.requests)
    assert {**first, "html": ""} == {"html": "", "projectId": "prj", "format": "a4"}
    assert {**second, "html": ""} == {"html": "", "projectId": "other", "format": "a5"}
    assert {**third, "html": ""} == {"html": "", "projectId": "third", "quality": 5, "name": "n"}


# --- data -----------------------------------------------------------------------------------------------------------

READS: list[tuple[str, str, str, Any]] = [
    # how it is called, the request it makes after the version, a fixture, what is read from it
    ("get_job('7Kq2')", "/jobs/7Kq2", "job_success_full", lambda job: job.is_success),
    ("get_job('a/b c?')", "/jobs/a%2Fb%20c%3F", "job_pending", lambda job: job.is_pending),
    ("list_jobs()", "/jobs", "jobs_list", lambda jobs: len(jobs) == len(fixture("jobs_list"))),
    ("list_jobs(limit=5, offset=10)", "/jobs?limit=5&offset=10", "jobs_list_empty", lambda jobs: jobs == []),
    ("list_jobs(offset=0)", "/jobs?offset=0", "jobs_list_wrapped", lambda jobs: bool(jobs)),
    ("get_asset('as_31f0')", "/assets/as_31f0", "asset_minimal", lambda asset: asset.job_id == "7Kq2mVd0"),
    ("list_assets()", "/assets", "assets_list", lambda assets: all(isinstance(item, Asset) for item in assets)),
    ("list_assets(limit=1)", "/assets?limit=1", "assets_list", bool),
    ("list_storage()", "/storage", "storage_list", lambda found: found[0].title == "Archive S3"),
    ("list_storage()", "/storage", "storage_list_empty", lambda found: found == []),
    ("list_storage()", "/storage", "storage_detail_full", lambda found: len(found) == 1),
    (
        "get_storage('6d1c0b7e-0f7e-4f57-9d0a-1f6f7a1c0a01')",
        "/storage/6d1c0b7e-0f7e-4f57-9d0a-1f6f7a1c0a01",
        "storage_detail_full",
        lambda found: found.data == "U2FsdGVkX1+opaque",
    ),
    (
        "get_storage('6d1c0b7e-0f7e-4f57-9d0a-1f6f7a1c0a02')",
        "/storage/6d1c0b7e-0f7e-4f57-9d0a-1f6f7a1c0a02",
        "storage_list",
        lambda found: found.title == "Spaces FRA",
    ),
    ("get_account()", "/account", "account_limit", lambda account: account.calls_limit == 1000),
    ("get_status()", "/getStatus", "status_ok", lambda status: status.ok),
    ("get_status()", "/getStatus", "status_ok_trailing_space", lambda status: status.ok),
]
GALLERY: list[tuple[str, str, str]] = [
    ("list_templates()", "/v2/templates", "templates_list"),
    (
        "list_templates(type='pdf', category='a b', tags=['x', 'y'], expand=True)",
        "/v2/templates?type=pdf&category=a+b&tags=x,y&expand=true",
        "templates_list",
    ),
    ("list_templates(tags='x,y', expand=False)", "/v2/templates?tags=x,y&expand=false", "templates_list_tags_string"),
    ("get_template('tp/0')", "/v2/template/tp%2F0", "template_detail"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("code", "target", "name", "right"), READS, ids=[f"{row[0]}-{row[2]}" for row in READS])
async def test_a_read(code: str, target: str, name: str, right: Any, version: str, connect: Connect) -> None:
    async with RawServer(reply(200, fixture(name))) as server:
        client = await connect(server.url, api_version=version)
        found = await eval(f"client.{code}", {"client": client})
    assert right(found)
    (request,) = server.requests
    assert request.line == f"GET /{version}{target}"
    assert request.body == b""
    assert request.headers["X-API-Key"] == KEY
    assert "Content-Type" not in request.headers


@pytest.mark.asyncio
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("code", "target", "name"), GALLERY)
async def test_the_gallery_is_v2s(code: str, target: str, name: str, version: str, connect: Connect) -> None:
    async with RawServer(reply(200, fixture(name))) as server:
        client = await connect(server.url, api_version=version)
        assert await eval(f"client.{code}", {"client": client})
    assert server.lines == [f"GET {target}"]


@pytest.mark.asyncio
@pytest.mark.parametrize("version", VERSIONS)
async def test_storage_is_added_and_deleted(version: str, service: Service, client: AsyncCloudlayer) -> None:
    mine = sibling(client, version)
    service.answers(f"POST /{version}/storage", fixture("storage_create_id_title"))
    service.answers(f"DELETE /{version}/storage/6d 1c", b"", fixture("storage_delete_status"), status=200)
    added = await mine.add_storage(
        title="Spaces FRA",
        region="us-east-1",
        access_key_id="AKEXAMPLE",
        secret_access_key="not-a-real-secret",
        bucket="docs-out",
        endpoint="https://fra1.storage.example.net",
    )
    assert added.title == "New bucket"
    await mine.delete_storage("6d 1c")
    await mine.delete_storage("6d 1c")
    post, *deletions = service.requests
    assert post.json() == fixture("storage_create_request")
    assert [request.line for request in deletions] == [f"DELETE /{version}/storage/6d%201c"] * 2
    assert [request.body for request in deletions] == [b"", b""]


@pytest.mark.asyncio
async def test_storage_added_without_an_id_is_found_by_its_title(service: Service, client: AsyncCloudlayer) -> None:
    service.answers("POST /v2/storage", fixture("storage_create_status"))
    service.answers("GET /v2/storage", fixture("storage_list"))
    given = {"region": "r", "access_key_id": "a", "secret_access_key": "s", "bucket": "b"}
    added = await client.add_storage(title="Spaces FRA", **given)
    assert added.id.endswith("a02")
    assert (await client.add_storage(title="unknown", **given)).id == ""


@pytest.mark.asyncio
async def test_refusals_on_http_200_are_errors(service: Service, client: AsyncCloudlayer) -> None:
    given = {"title": "t", "region": "r", "access_key_id": "a", "secret_access_key": "s", "bucket": "b"}
    service.answers("POST /v2/storage", fixture("storage_not_allowed"), fixture("storage_create_status_error"))
    with pytest.raises(StorageNotAllowedError, match="Custom storage is not part of this plan"):
        await client.add_storage(**given)
    with pytest.raises(ApiError):
        await client.add_storage(**given)
    service.answers("DELETE /v2/storage/x", fixture("storage_delete_error_http200"))
    with pytest.raises(ApiError, match="storage configuration not found") as caught:
        await client.delete_storage("x")
    assert caught.value.status == 200
    assert not caught.value.maybe_billed
    service.answers("POST /v2/html/pdf", fixture("storage_not_allowed"))
    with pytest.raises(ApiError, match="not part of this plan") as caught:
        await client.html_to_pdf(PAGE)
    assert not caught.value.maybe_billed


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("error_full", None),
        ("error_message", None),
        ("error_error_only", None),
        ("error_reason_401", None),
        ("error_message_list", None),
        ("error_json_array", None),
    ],
)
async def test_the_services_words_are_found_in_every_shape(
    name: str, message: str | None, service: Service, client: AsyncCloudlayer
) -> None:
    data = fixture(name)
    service.answers("GET /v2/jobs/x", data, status=400)
    with pytest.raises(BadRequestError) as caught:
        await client.get_job("x")
    words = data
    if isinstance(data, dict):
        words = data.get("message") or data.get("reason") or data.get("error")
    first = words[0] if isinstance(words, list) and isinstance(words[0], str) else words
    assert caught.value.message
    if isinstance(first, str):
        assert first in caught.value.message
    assert json.loads(caught.value.body) == data


@pytest.mark.asyncio
async def test_headers_are_read(service: Service, client: AsyncCloudlayer) -> None:
    limits = {name.lower(): value for name, value in fixture("response_headers_limit_plan").items()}
    named = {name.replace("-", "_"): value for name, value in limits.items() if name != "content-type"}
    service.answers("POST /v2/html/pdf", JOB, status=202, **named)
    conversion = await client.html_to_pdf(PAGE)
    assert conversion.info is not None
    assert conversion.info.status == 202
    assert conversion.info.calls_remaining == 389
    assert conversion.info.worker_job_id == "wj-81"
    assert dict(conversion.info.headers).items() >= {k: v for k, v in limits.items() if k != "content-type"}.items()
    assert client.last_limits is not None
    assert client.last_limits == Limits(
        calls_remaining=389, rate_limit=60, rate_limit_remaining=58, rate_limit_reset=41
    )


# --- lists ----------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("what", ["jobs", "assets"])
async def test_going_through_a_list(what: str, service: Service, client: AsyncCloudlayer) -> None:
    pages = [[{"id": str(number)} for number in numbers] for numbers in (range(3), range(2, 5), range(3, 5), [])]
    service.answers(f"GET /v2/{what}", *pages)
    found = [item.id async for item in getattr(client, f"iter_{what}")()]
    assert found == ["0", "1", "2", "3", "4"]
    assert service.lines == [f"GET /v2/{what}", f"GET /v2/{what}?offset=3", f"GET /v2/{what}?offset=6"]


@pytest.mark.asyncio
async def test_jobs_are_found_by_name_and_age(service: Service, client: AsyncCloudlayer) -> None:
    def job(number: int, name: str) -> dict[str, Any]:
        return {"id": str(number), "name": name, "timestamp": 1767225600000 - number * 60_000}

    service.answers("GET /v2/jobs", [job(0, "a"), job(1, "b")], [job(2, "a"), job(3, "a")], [])
    found = await client.find_jobs(name="a", since=datetime(2025, 12, 31, 23, 58, tzinfo=UTC))
    assert [item.id for item in found] == ["0", "2"]
    assert service.lines == ["GET /v2/jobs", "GET /v2/jobs?offset=2"]
    service.answers("GET /v2/jobs", [job(0, "a"), job(1, "b")])
    assert isinstance((await client.find_jobs(name="a")), list)
    with pytest.raises(ValidationError):
        await client.find_jobs()


@pytest.mark.asyncio
@pytest.mark.parametrize("value", [-1, 1.5, True, "5"])
async def test_a_page_is_a_number(value: Any, client: AsyncCloudlayer, service: Service) -> None:
    with pytest.raises(ValidationError) as caught:
        await client.list_jobs(limit=value)
    assert caught.value.field == "limit"
    assert service.requests == []


@pytest.mark.asyncio
@pytest.mark.parametrize("value", ["", " ", ".", "..", None, 7, b"x"])
@pytest.mark.parametrize("method", ["get_job", "get_asset", "get_storage", "delete_storage", "get_template"])
async def test_what_is_no_id_is_not_sent(method: str, value: Any, client: AsyncCloudlayer, service: Service) -> None:
    with pytest.raises(ValidationError):
        await getattr(client, method)(value)
    assert service.requests == []


# --- endpoints we do not know ---------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("version", VERSIONS)
async def test_any_endpoint(version: str, connect: Connect) -> None:
    async with RawServer(
        reply(200, {"a": 1}, cl_worker="w"), reply(200, b"\x00", content_type="x/y"), reply(204), reply(201, [1])
    ) as server:
        client = await connect(server.url, api_version=version)
        data, info = await client.request("get", "/new/thing", params={"a": True, "b": None, "c": "ü&", "d": 2})
        assert data == {"a": 1}
        assert info.worker == "w"
        assert (await client.request("GET", "/v1/other"))[0] == b"\x00"
        assert (await client.request("DELETE", "/x"))[0] is None
        assert (await client.request("POST", "/x", json={"k": [None, "ü"]}))[0] == [1]
    assert server.lines == [
        f"GET /{version}/new/thing?a=true&c=%C3%BC%26&d=2",
        "GET /v1/other",
        f"DELETE /{version}/x",
        f"POST /{version}/x",
    ]
    assert server.requests[3].json() == {"k": [None, "ü"]}
    assert server.requests[3].headers["Content-Type"] == "application/json"
    assert all(request.headers["X-API-Key"] == KEY for request in server.requests)


# --- settings -------------------------------------------------------------------------------------------------------

BAD_SETTINGS: list[dict[str, Any]] = [
    {"api_key": ""},
    {"api_key": "  "},
    {"api_key": "cl- key"},
    {"api_key": "cl-\u00fc"},
    {"api_key": "cl-\r\nX: y"},
    {"api_key": 5},
    {"api_version": "v3"},
    {"api_version": None},
    {"base_url": "http://api.example"},
    {"base_url": "ftp://127.0.0.1"},
    {"base_url": "https://"},
    {"base_url": "https://user:pw@api.example"},
    {"base_url": "https://api.example?x=1"},
    {"base_url": "https://api.example/v2"},
    {"base_url": 5},
    {"timeouts": 5},
    {"retry": {"attempts": 3}},
    {"polling": 5.0},
    {"defaults": {"nonsense": 1}},
    {"defaults": {"format": "a99"}},
    {"defaults": [("format", "a4")]},
    {"max_connections": 0},
    {"max_connections": True},
    {"max_connections": 2.5},
    {"session": "mine"},
    {"on_attempt": 5},
    {"upload_options": "parts"},
    {"proxy": 5},
    {"proxy": "socks5://user:sesame@127.0.0.1:9"},
    {"proxy": "http://user:sesame@[bad"},
    {"ssl": "no"},
]


@pytest.mark.parametrize("settings", BAD_SETTINGS, ids=[str(item)[:60] for item in BAD_SETTINGS])
def test_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        AsyncCloudlayer(**{"api_key": KEY, **settings})
    assert "sesame" not in str(caught.value)
    assert "pw" not in str(caught.value)


def test_a_key_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="CLOUDLAYER_API_KEY"):
        AsyncCloudlayer()
    monkeypatch.setenv("CLOUDLAYER_API_KEY", KEY)
    monkeypatch.setenv("CLOUDLAYER_BASE_URL", "https://eu.example/")
    client = AsyncCloudlayer()
    assert client.base_url == "https://eu.example"
    assert client.api_version == "v2"
    monkeypatch.setenv("CLOUDLAYER_API_KEY", " ")
    with pytest.raises(ConfigError):
        AsyncCloudlayer()


@pytest.mark.asyncio
async def test_a_base_url_may_have_a_path(connect: Connect) -> None:
    async with RawServer(reply(200, {"status": "ok"})) as server:
        client = await connect(server.url + "/gateway/cl/")
        await client.get_status()
    assert server.lines == ["GET /gateway/cl/v2/getStatus"]


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_a_key_may_be_a_function(connect: Connect) -> None:
    keys = iter(["cl-first", "cl-second", "cl-third"])

    async def rotate() -> str:
        await asyncio.sleep(0)
        return next(keys)

    async with RawServer(reply(429), reply(202, JOB)) as server:
        client = AsyncCloudlayer(rotate, base_url=server.url)
        async with client:
            await client.html_to_pdf(PAGE)
            await client.with_options(api_key=lambda: "cl-plain").get_job("x")
    assert [request.headers["X-API-Key"] for request in server.requests] == ["cl-first", "cl-second", "cl-plain"]


@pytest.mark.asyncio
@pytest.mark.parametrize("given", [None, "", 5, "cl-\n-x"])
async def test_a_function_that_gives_no_key(given: Any, service: Service) -> None:
    async with AsyncCloudlayer(lambda: given, base_url=service.url) as client:
        with pytest.raises(ConfigError, match="api_key"):
            await client.html_to_pdf(PAGE)
    assert service.requests == []


@pytest.mark.asyncio
async def test_siblings_share_and_differ(service: Service, client: AsyncCloudlayer) -> None:
    service.answers("GET /v1/getStatus", {"status": "ok"}, cl_calls_remaining="41")
    v1 = client.with_options(api_version="v1", timeouts=Timeouts(read=5), retry=RetryPolicy(attempts=1))
    assert (v1.api_version, client.api_version) == ("v1", "v2")
    await v1.get_status()
    assert client.last_limits is not None
    assert client.last_limits.calls_remaining == 41
    assert type(v1) is AsyncCloudlayer
    for fixed in (
        {"session": None},
        {"proxy": "http://p"},
        {"ssl": True},
        {"max_connections": 5},
        {"trace_configs": ()},
    ):
        with pytest.raises(ConfigError, match="cannot change"):
            client.with_options(**fixed)
    with pytest.raises(ConfigError):
        client.with_options(nonsense=1)  # type: ignore[call-arg]
    with pytest.raises(ConfigError):
        client.with_options(api_version="v9")  # type: ignore[arg-type]


def test_a_client_is_not_pickled_and_shows_no_key() -> None:
    client = AsyncCloudlayer(KEY, polling=PollSchedule(min_interval=1))
    assert KEY not in repr(client)
    assert "v2" in repr(client)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(client)


# --- replies that are not what was asked for ------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "body", "path"),
    [
        ("get_job('x')", b"{}", "$"),
        ("get_job('x')", b'{"id": null}', "$"),
        ("get_job('x')", b"[]", "$"),
        ("get_job('x')", b"null", "$"),
        ("list_jobs()", b'[{"id": "1"}, {"status": "success"}]', "$[1]"),
        ("list_jobs()", b'{"jobs": [7]}', "$.jobs[0]"),
        ("list_jobs()", b'"jobs"', "$"),
        ("get_account()", b"[]", "$"),
        ("get_status()", b"7", "$"),
        ("get_storage('x')", b"[]", "$"),
        ("list_templates()", b'[{"title": "t"}]', "$[0]"),
    ],
)
async def test_the_place_of_a_fault_is_named(method: str, body: bytes, path: str, connect: Connect) -> None:
    async with RawServer(reply(200, body, content_type="application/json")) as server:
        client = await connect(server.url)
        with pytest.raises(UnexpectedResponseError) as caught:
            await eval(f"client.{method}", {"client": client})
    assert caught.value.path.startswith(path)
    assert caught.value.status == 200
    assert caught.value.body == body.decode()
    assert not caught.value.maybe_billed
    assert len(server.requests) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"id": "7Kq2", "status"', "application/json"),
        (b'{"jobId": "7Kq2", "status": "pending"}', "text/plain"),
        (b'[{"id": "7Kq2"}]', "application/json"),
        (b'{"status": "pending", "job": {"id": "7Kq2"}}', "application/json"),
    ],
)
async def test_a_job_id_is_salvaged_from_a_reply_that_cannot_be_read(
    body: bytes, content_type: str, connect: Connect
) -> None:
    async with RawServer(reply(202, body, content_type=content_type)) as server:
        client = await connect(server.url)
        with pytest.raises(UnexpectedResponseError) as caught:
            await client.html_to_pdf(PAGE)
    assert caught.value.job_id == "7Kq2"
    assert caught.value.maybe_billed


@pytest.mark.asyncio
async def test_errors_travel_between_processes(connect: Connect) -> None:
    async with RawServer(reply(400, {"message": "no"}, cl_worker="w")) as server:
        client = await connect(server.url)
        with pytest.raises(BadRequestError) as caught:
            await client.html_to_pdf(PAGE, name="n")
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.history == caught.value.history
    assert again.info == caught.value.info


@pytest.mark.asyncio
async def test_not_found(service: Service, client: AsyncCloudlayer) -> None:
    with pytest.raises(NotFoundError) as caught:
        await client.get_job("x")
    assert caught.value.status == 404
    assert caught.value.info is not None
    assert isinstance(caught.value, CloudlayerError)


@pytest.mark.asyncio
async def test_version_rules_are_kept_before_anything_is_sent(service: Service, client: AsyncCloudlayer) -> None:
    with pytest.raises(ValidationError) as caught:
        await client.html_to_pdf(PAGE, storage=False)
    assert caught.value.field == "storage"
    with pytest.raises(ValidationError):
        await client.with_options(api_version="v1").html_to_pdf(PAGE, webhook="https://hooks.example/x")
    with pytest.raises(ValidationError):
        await client.submit(UrlToPdf(batch=["https://a.example"], async_=False))
    assert service.requests == []
    assert os.environ.get("CLOUDLAYER_API_KEY") is None
    assert Job(id="x", status=cloudlayer_async.JobStatus.PENDING).is_pending
