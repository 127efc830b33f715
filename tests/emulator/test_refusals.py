"""What the emulator refuses, and how it says so."""

from __future__ import annotations

import io
from typing import Any

import pytest

from .conftest import Caller, Start, html

PAGE = {"html": html("<p>x</p>")}
URL = {"url": "https://example.com"}
COOKIE = {"name": "a", "value": "b"}


async def refused(caller: Caller, path: str, body: Any) -> dict[str, Any]:
    status, error, _ = await caller.send("POST", path, json=body)
    assert status == 400, (status, error)
    assert error["statusCode"] == 400
    assert error["error"] == "Bad Request"
    assert caller.emulator.seen.accepted == 0
    return dict(error)


@pytest.mark.asyncio
@pytest.mark.parametrize("key", [None, "", "cl-wrong", "cl-wröng"])
@pytest.mark.parametrize("path", ["/v1/getStatus", "/v2/jobs", "/v2/account"])
async def test_a_wrong_key_is_a_401(caller: Caller, key: str | None, path: str) -> None:
    headers = {} if key is None else {"x-api-key": key}
    async with caller.session.get(caller.emulator.base_url + path, headers=headers) as response:
        assert response.status == 401
        assert await response.json() == {"statusCode": 401, "error": "Unauthorized", "message": "Invalid API key"}


@pytest.mark.asyncio
async def test_every_given_key_is_let_in_and_recorded_masked(start: Start) -> None:
    keys = [f"cl-{letter * 30}" for letter in "abcde"]
    async with start(api_keys=keys) as caller:
        for key in keys:
            await caller.send("POST", "/v2/html/pdf", json=PAGE, headers={"X-API-Key": key})
        used = {job["apiKeyUsed"] for job in await caller.get("/v2/jobs")}
        assert used == {f"cl-{letter * 4}...{letter * 2}" for letter in "abcde"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "path", ["/v3/jobs", "/jobs", "/v2/nothing", "/v2/jobs/a/b", "/v1/templates", "/v2/html/docx", "/emulator/nothing"]
)
async def test_an_unknown_path_is_a_404(caller: Caller, path: str) -> None:
    status, error, _ = await caller.send("GET", path)
    assert (status, error["statusCode"], error["message"]) == (404, 404, f"Cannot GET {path}")


@pytest.mark.asyncio
async def test_a_wrong_method_is_a_404(caller: Caller) -> None:
    status, error, _ = await caller.send("DELETE", "/v2/html/pdf")
    assert (status, error["message"]) == (404, "Cannot DELETE /v2/html/pdf")


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/v2/jobs/none", "/v2/assets/a%2Fb", "/v2/template/none"])
async def test_an_unknown_id_is_a_404(caller: Caller, path: str) -> None:
    status, error, _ = await caller.send("GET", path)
    assert status == 404
    assert "not found" in error["message"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v2/html/pdf", {}, "html"),
        ("/v2/html/pdf", {"html": ""}, "html"),
        ("/v2/html/pdf", {"html": None}, "html"),
        ("/v2/html/pdf", {"html": "<p>not base64</p>"}, "html"),
        ("/v2/html/pdf", {"html": "//79"}, "html"),
        ("/v2/html/pdf", {"html": 5}, "html"),
        ("/v2/url/pdf", {}, "url"),
        ("/v2/url/pdf", {"url": "example.com"}, "url"),
        ("/v2/url/pdf", {"url": "file:///etc/passwd"}, "url"),
        ("/v2/url/pdf", {"url": "https://"}, "url"),
        ("/v2/url/pdf", {"url": "https://[bad"}, "url"),
        ("/v2/url/pdf", {**URL, "batch": {"urls": ["https://a.example"]}}, "url"),
        ("/v2/url/pdf", {"batch": {"urls": []}}, "batch.urls"),
        ("/v2/url/pdf", {"batch": {"urls": ["https://a.example"] * 21}}, "batch.urls"),
        ("/v2/url/pdf", {"batch": {"urls": ["nothing"]}}, "batch.urls[0]"),
        ("/v2/url/pdf", {"batch": "https://a.example"}, "batch"),
        ("/v2/pdf/merge", {"urls": ["https://a.example"]}, "url"),
        ("/v2/template/pdf", {"data": {}}, "templateId"),
        ("/v2/template/pdf", {"templateId": "plain-invoice", "template": "eA==", "data": {}}, "templateId"),
        ("/v2/template/pdf", {"templateId": "no-such", "data": {}}, "templateId"),
        ("/v2/template/pdf", {"templateId": "plain-invoice", "data": [1]}, "data"),
        ("/v2/template/pdf", {"template": "not base64!", "data": {}}, "template"),
    ],
)
async def test_inputs(caller: Caller, path: str, body: Any, field: str) -> None:
    assert (await refused(caller, path, body))["details"] == {"field": field}
    assert caller.emulator.seen.refused[field] == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("name", 5),
        ("timeout", 999),
        ("timeout", "5000"),
        ("timeout", 1500.5),
        ("timeout", True),
        ("delay", -1),
        ("inline", "true"),
        ("async", 1),
        ("storage", "true"),
        ("storage", {"title": "x"}),
        ("storage", {"id": "unknown"}),
        ("webhook", "http://example.com/hook"),
        ("webhook", "ftp://example.com"),
        ("waitUntil", "networkidle1"),
        ("waitForSelector", "p"),
        ("waitForSelector", {"options": {}}),
        ("waitForSelector", {"selector": "p", "options": {"visible": True, "hidden": True}}),
        ("waitForSelector", {"selector": "p", "options": {"timeout": "1"}}),
        ("preferCSSPageSize", 1),
        ("scale", 0.05),
        ("scale", 2.5),
        ("width", "10em"),
        ("height", -5),
        ("height", True),
        ("landscape", "yes"),
        ("pageRanges", "one"),
        ("viewPort", {"width": 100}),
        ("viewPort", {"width": 100, "height": 10.5}),
        ("emulateMediaType", "paper"),
        ("format", "A4"),
        ("format", "b5"),
        ("margin", "1in"),
        ("margin", {"top": "1 inch"}),
        ("printBackground", "true"),
        ("headerTemplate", {"method": "other"}),
        ("footerTemplate", {"margin": {"left": "x"}}),
        ("generatePreview", {"width": "200"}),
        ("generatePreview", {"quality": 80}),
        ("generatePreview", {"width": 10, "quality": 101}),
        ("generatePreview", {"width": 10, "type": "gif"}),
    ],
)
async def test_options(caller: Caller, option: str, value: Any) -> None:
    error = await refused(caller, "/v2/html/pdf", {**PAGE, option: value})
    assert error["details"]["field"].startswith(option)
    assert option in error["message"] or option == "storage"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("imageType", "gif"),
        ("quality", 101),
        ("quality", 50.5),
        ("transparent", 0),
        ("trim", "true"),
        ("authentication", {"username": "a"}),
        ("cookies", COOKIE),
        ("cookies", [{"name": "a"}]),
        ("cookies", [{**COOKIE, "expires": "tomorrow"}]),
        ("cookies", [{**COOKIE, "sameSite": "None"}]),
    ],
)
async def test_options_of_images_and_urls(caller: Caller, option: str, value: Any) -> None:
    error = await refused(caller, "/v2/url/image", {**URL, option: value})
    assert error["details"]["field"].startswith(option)


@pytest.mark.asyncio
async def test_good_and_unknown_options_are_taken(caller: Caller) -> None:
    options: dict[str, Any] = {
        "timeout": 1000,
        "scale": 2,
        "width": 300.5,
        "height": "20cm",
        "margin": {"top": 0, "left": "1.5mm"},
        "pageRanges": "1-5, 8, 11-13",
        "emulateMediaType": None,
        "format": None,
        "viewPort": {"width": 800, "height": 600, "deviceScaleFactor": 2},
        "waitForSelector": {"selector": "#a", "options": {"visible": True}},
        "headerTemplate": {"style": {"padding-bottom": "2px"}},
        "somethingNew": {"a": [1, None]},
        "imageType": "not for a PDF, and so not looked at",
    }
    await caller.submit(**options)
    await caller.emulator.settle()
    [spec] = caller.renderer.specs
    assert spec.options == {name: value for name, value in options.items() if name != "format"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "options", "field"),
    [
        ("/v2/html/pdf", {"storage": False}, "storage"),
        ("/v2/html/pdf", {"storage": False, "async": True}, "storage"),
        ("/v1/html/pdf", {"async": True}, "storage"),
        ("/v1/html/pdf", {"webhook": "https://example.com/h"}, "webhook"),
        ("/v2/html/pdf", {"async": False, "storage": False, "webhook": "https://example.com/h"}, "webhook"),
        ("/v1/html/pdf", {"generatePreview": True}, "generatePreview"),
        ("/v2/html/pdf", {"storage": {"id": "x"}, "async": False}, "storage"),
    ],
)
async def test_combinations(caller: Caller, path: str, options: dict[str, Any], field: str) -> None:
    assert (await refused(caller, path, {**PAGE, **options}))["details"] == {"field": field}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"html": NaN}', b"\xff", b'{"a":' * 100_000, b'{"a": ' + b"9" * 5000 + b"}"]
)
async def test_malformed_json_is_a_400(caller: Caller, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    status, error, _ = await caller.send("POST", "/v2/html/pdf", data=body, headers=headers)
    assert (status, error["statusCode"]) == (400, 400)


@pytest.mark.asyncio
async def test_deep_data_is_taken_and_not_echoed_whole(caller: Caller) -> None:
    deep: Any = "bottom"
    for _ in range(900):
        deep = [deep]
    await caller.submit("/v2/template/pdf", templateId="event-ticket", data={"deep": deep})
    await caller.emulator.settle()
    [job] = await caller.get("/v2/jobs")
    assert job["status"] == "success"
    assert "bottom" not in str(job)
    assert caller.renderer.specs[0].data == {"deep": deep}


@pytest.mark.asyncio
async def test_the_body_must_say_that_it_is_json(caller: Caller) -> None:
    status, error, _ = await caller.send("POST", "/v2/html/pdf", data=b"{}", headers={"Content-Type": "text/plain"})
    assert (status, error["message"]) == (400, "The Content-Type must be application/json")


@pytest.mark.asyncio
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_ten_megabytes_is_a_413(caller: Caller, chunked: bool) -> None:
    body = b'{"html": "' + b"A" * (10 * 1024**2) + b'"}'

    async def parts() -> Any:
        yield body

    headers = {"Content-Type": "application/json"}
    data = parts() if chunked else io.BytesIO(body)
    status, error, _ = await caller.send("POST", "/v2/html/pdf", data=data, headers=headers)
    assert (status, error["statusCode"]) == (413, 413)


@pytest.mark.asyncio
async def test_a_broken_form_is_a_400(caller: Caller) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    status, _, _ = await caller.send("POST", "/v2/docx/pdf", data=b"--y\r\nnothing", headers=headers)
    assert status == 400
    status, _, _ = await caller.send("POST", "/v2/docx/pdf", data=b"x", headers={"Content-Type": "multipart/form-data"})
    assert status == 400


@pytest.mark.asyncio
async def test_a_rate_limit(start: Start) -> None:
    async with start(rate_limit=3) as caller:
        for left in (2, 1, 0):
            _, _, response = await caller.send("GET", "/v2/jobs")
            assert response.headers["X-RateLimit-Limit"] == "3"
            assert response.headers["X-RateLimit-Remaining"] == str(left)
        status, error, response = await caller.send("POST", "/v2/html/pdf", json=PAGE)
        assert (status, error["message"]) == (429, "Rate limit exceeded")
        assert 1 <= int(response.headers["Retry-After"]) <= 60
        assert response.headers["X-RateLimit-Reset"] == response.headers["Retry-After"]
        assert caller.emulator.seen.accepted == 0


@pytest.mark.asyncio
async def test_a_used_up_plan(start: Start) -> None:
    async with start(calls_limit=1) as caller:
        await caller.finished()
        status, _, _ = await caller.send("POST", "/v2/html/pdf", json=PAGE)
        assert status == 401


@pytest.mark.asyncio
async def test_a_rate_limit_starts_anew_after_a_minute() -> None:
    from cloudlayer_async.emulator.rates import RateLimiter

    now = [100.0]
    limiter = RateLimiter(1, clock=lambda: now[0])
    first, second = limiter.take("a"), limiter.take("a")
    assert first is not None
    assert second is not None
    assert (first.refused, second.refused, second.reset_in) == (False, True, 60)
    now[0] += 60
    third = limiter.take("a")
    assert third is not None
    assert not third.refused


@pytest.mark.asyncio
async def test_jobs_that_have_not_ended_count_against_the_plan_s_limit(start: Start) -> None:
    async with start(calls_limit=2) as caller:
        caller.renderer.open.clear()
        statuses = [(await caller.send("POST", "/v2/html/pdf", json=PAGE))[0] for _ in range(4)]
        caller.renderer.open.set()
        await caller.emulator.settle()
        assert (await caller.get("/v2/account"))["calls"] == 2
    assert statuses[:2] == [202, 202] and all(status >= 400 for status in statuses[2:])


@pytest.mark.asyncio
@pytest.mark.parametrize("body", [{"templateId": "plain-invoice"}, {"templateId": "plain-invoice", "data": None}])
async def test_a_template_needs_data(caller: Caller, body: dict[str, Any]) -> None:
    assert "data is required" in (await refused(caller, "/v2/template/pdf", body))["message"]


@pytest.mark.asyncio
@pytest.mark.parametrize("field", ["name", "filename"])
async def test_half_a_character_is_refused(caller: Caller, field: str) -> None:
    error = await refused(caller, "/v1/html/pdf", {**PAGE, field: "\ud800"})
    assert error["message"] == f"{field} must be valid Unicode"
