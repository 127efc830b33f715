"""The page's data, files and defences, asked for with plain HTTP."""

from __future__ import annotations

import asyncio
import json
import re
from importlib.resources import files
from typing import Any

import aiohttp
import pytest

from cloudlayer_async.emulator.rendering.model import Rendering, RenderSpec

from .conftest import PDF, Caller, FakeRenderer, Start, html

pytestmark = pytest.mark.asyncio

CONTROL = "/emulator/"
DATA = ("overview", "jobs", "assets", "deliveries", "faults", "seen")


async def events_of(caller: Caller, count: int) -> list[dict[str, Any]]:
    """The next events of the stream; a job is submitted once it is listened to."""
    found: list[dict[str, Any]] = []
    async with caller.session.get(caller.emulator.base_url + CONTROL + "events") as response:
        assert response.content_type == "text/event-stream"
        await response.content.readuntil(b"\n\n")
        await caller.submit(name="watched")
        while len(found) < count:
            block = (await response.content.readuntil(b"\n\n")).decode()
            found.extend(json.loads(line.removeprefix("data: ")) for line in block.splitlines() if line[:5] == "data:")
    return found


async def test_the_page_and_its_files(caller: Caller) -> None:
    async with caller.session.get(caller.emulator.base_url + "/") as response:
        text = await response.text()
        assert response.content_type == "text/html"
        policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script>|<style|\son\w+=|https?://", text)
    static = [file.name for file in (files("cloudlayer_async.emulator.page") / "static").iterdir()]
    assert {"page.css", "main.js", "icon.svg"} < set(static)
    for name in static:
        status, body, response = await caller.send("GET", f"/emulator/page/{name}")
        if name == "index.html":  # that is at "/"
            assert status == 404
            continue
        assert (status, response.headers["X-Content-Type-Options"]) == (200, "nosniff")
        assert b"http://" not in body.replace(b"http://www.w3.org/2000/svg", b"")
        assert b"innerHTML" not in body.replace(b"there is no innerHTML", b"")
    for name in ("nothing.js", "..%2fserving.py", "%2e%2e/serving.py"):
        assert (await caller.send("GET", f"/emulator/page/{name}"))[0] == 404


async def test_what_a_job_shows(caller: Caller) -> None:
    caller.renderer.engine_name = "plutoprint 0.23"
    job = await caller.finished(name="letter", format="a4", generatePreview=True)
    detail = await caller.get(f"/emulator/jobs/{job['id']}")
    shown = {name: detail[name] for name in ("name", "status", "type", "version", "credits", "size", "document")}
    assert shown == {
        "name": "letter",
        "status": "success",
        "type": "html-pdf",
        "version": "v2",
        "credits": 1,
        "size": len(PDF),
        "document": "pdf",
    }
    assert detail["cost"] == job["totalCost"]
    assert detail["created"] <= detail["started"] <= detail["finished"]
    assert detail["params"] == {"name": "letter", "html": "...", "format": "a4", "generatePreview": True}
    assert detail["notes"] == ["scripts do not run"]
    assert (await caller.get("/emulator/jobs"))[0] == {
        name: value for name, value in detail.items() if name in (await caller.get("/emulator/jobs"))[0]
    } | {"notes": 1}
    assert (await caller.get(f"/emulator/documents/{job['id']}")) == PDF
    assert (await caller.get(f"/emulator/previews/{job['id']}")) == b"RIFF fake WEBP"
    overview = await caller.get("/emulator/overview")
    assert overview["account"]["credits used"] == 1
    assert any("CSS grid" in limit for limit in overview["limits"])
    for path in ("jobs/nothing", "documents/nothing", "previews/nothing"):
        assert (await caller.send("GET", CONTROL + path))[0] == 404


async def test_a_product_that_was_stored_nowhere_can_be_looked_at(caller: Caller) -> None:
    assert (await caller.send("POST", "/v1/html/pdf", json={"html": html("x")}))[0] == 201
    [job] = await caller.get("/emulator/jobs")
    assert (job["document"], await caller.get(f"/emulator/documents/{job['id']}")) == ("pdf", PDF)


class _Odd(FakeRenderer):
    """Gives products of whatever type it is told."""

    def __init__(self, content_type: str) -> None:
        super().__init__()
        self.content_type = content_type

    async def render(self, spec: RenderSpec) -> Rendering:
        return Rendering(content=b"<script>1</script>", content_type=self.content_type, extension="x")


@pytest.mark.parametrize(
    ("made", "served", "shown"),
    [
        ("text/html", "text/html", "inline"),
        ("image/png", "image/png", "inline"),
        ("image/svg+xml", "application/octet-stream", "attachment"),
        ("application/xhtml+xml", "application/octet-stream", "attachment"),
        ("application/vnd.openxmlformats-officedocument", "application/octet-stream", "attachment"),
    ],
)
async def test_products_cannot_act_as_the_page(start: Start, made: str, served: str, shown: str) -> None:
    async with start(renderer=_Odd(made)) as caller:
        job = await caller.finished(filename='a"\r\nb.html')
        _, _, response = await caller.send("GET", f"/emulator/documents/{job['id']}")
        assert response.content_type == served
        assert response.headers["Content-Disposition"].startswith(shown)
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("sandbox; default-src 'none'")
        assert "script" not in policy


async def test_events_come_as_they_happen(caller: Caller) -> None:
    events = await events_of(caller, 4)
    rows = [event["row"]["status"] for event in events if event["kind"] == "job"]
    assert rows[0] == "pending"
    assert {event["row"]["name"] for event in events if event["kind"] == "job"} == {"watched"}


async def test_a_watcher_does_not_hold_up_the_end(start: Start) -> None:
    async with start() as caller:
        response = await caller.session.get(caller.emulator.base_url + "/emulator/events")
        await response.content.readuntil(b"\n\n")
        async with asyncio.timeout(1.5):
            await caller.emulator.aclose()
        assert response.content.at_eof() or await response.content.read() == b""


async def test_no_secret_is_shown(start: Start) -> None:
    keys = ["cl-first-key-0123456789abcdef", "cl-second-key-0123456789abcdef"]
    secrets = [
        *keys,
        "s3cret-access",
        "AKIA-access",
        "hook-token",
        "word-of-pass",
        "signed-query",
        "biscuit",
        "fragile",
    ]
    async with start(api_keys=keys, webhook_attempts=1) as caller:
        bucket = {"region": "us-east-1", "bucket": "mine", "accessKeyId": "AKIA-access", "title": "titled"}
        storage = {**bucket, "secretAccessKey": "s3cret-access", "endpoint": "http://127.0.0.1:1/s3"}
        assert (await caller.send("POST", "/v2/storage", json=storage))[0] in (200, 201)
        address = "https://me:word-of-pass@site.example/page?sig=signed-query#fragile"
        options = {
            "url": address,
            "webhook": "http://user:word-of-pass@127.0.0.1:1/hook-token?sig=signed-query",
            "authentication": {"username": "me", "password": "word-of-pass"},
            "cookies": [{"name": "c", "value": "biscuit"}],
        }
        caller.renderer.error = "Cannot load https://site.example/page?sig=signed-query"
        await caller.submit("/v2/url/pdf", **options)
        caller.renderer.error = None
        await caller.submit(
            "/v2/pdf/merge", batch={"urls": [address, caller.emulator.asset_url + "/x?sig=signed-query"]}
        )
        await caller.emulator.settle()
        [merged, failed] = await caller.get("/emulator/jobs")
        paths = [*DATA, f"jobs/{merged['id']}", f"jobs/{failed['id']}"]
        texts = [json.dumps(await caller.get(CONTROL + path)) for path in paths]
        texts.append(json.dumps(await events_of(caller, 2)))
        async with caller.session.get(caller.emulator.base_url) as response:
            texts.append(await response.text())
        assert "site.example/page" in texts[-3]
        assert "titled" in texts[0]
        assert [secret for secret in secrets if any(secret in text for text in texts)] == []
        assert not any("sig=" in text for text in texts)


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_pages_of_others_reach_nothing(caller: Caller, headers: dict[str, str]) -> None:
    job = await caller.finished()
    caller.emulator.faults.add("latency", seconds=0)
    for path in (*DATA, "events", f"documents/{job['id']}", "page/main.js"):
        assert (await caller.send("GET", CONTROL + path, headers=headers))[0] == 403
    fault = {"kind": "status", "status": 500}
    assert (await caller.send("POST", "/emulator/faults", json=fault, headers=headers))[0] == 403
    assert (await caller.send("DELETE", "/emulator/faults", headers=headers))[0] == 403
    assert [active.fault.kind for active in caller.emulator.faults.active] == ["latency"]
    # A link of another site may lead here all the same.
    expected = 200 if "Sec-Fetch-Site" in headers else 403
    assert (await caller.send("GET", "/", headers=headers))[0] == expected


async def test_what_a_form_of_another_site_could_send_changes_nothing(caller: Caller) -> None:
    body = json.dumps({"kind": "status"})
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        headers = {"Content-Type": content_type}
        assert (await caller.send("POST", "/emulator/faults", data=body, headers=headers))[0] == 400
    status, _, response = await caller.send("OPTIONS", "/emulator/faults", headers={"Origin": caller.emulator.base_url})
    assert status == 404
    assert not [name for name in response.headers if name.lower().startswith("access-control-")]
    assert caller.emulator.faults.active == ()
    own = {"Origin": caller.emulator.base_url, "Sec-Fetch-Site": "same-origin"}
    assert (await caller.send("POST", "/emulator/faults", json={"kind": "status"}, headers=own))[0] == 201


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:80", 200), ("emulator:8787", 200), ("10.0.0.5", 200), ("[::1]:8787", 200), ("evil.example", 403)],
)
async def test_names_of_an_emulator_that_others_can_reach(start: Start, host: str, status: int) -> None:
    async with start(host="0.0.0.0") as caller:
        assert (await caller.send("GET", "/emulator/seen", headers={"Host": host}))[0] == status


async def test_the_page_needs_no_key_and_counts_as_nothing(start: Start) -> None:
    async with start(rate_limit=1) as caller, aiohttp.ClientSession() as stranger:
        for path in ("", "emulator/overview", "emulator/jobs"):
            async with stranger.get(f"{caller.emulator.base_url}/{path}") as response:
                assert response.status == 200
        caller.emulator.faults.add("status", status=500)
        async with stranger.get(caller.emulator.base_url + "/emulator/seen") as response:
            assert response.status == 200
        assert not caller.emulator.seen.requests
