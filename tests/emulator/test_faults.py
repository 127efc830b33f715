"""Fault switches: what strikes, where, how often, and what the counters say afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest
from yarl import URL

from cloudlayer_async.emulator.faults import PLACES, Fault, fault_from_json, faults_from_header

from .conftest import PDF, Caller, Start, html

SUBMIT = ("POST", "/v2/html/pdf")
BODY = {"html": html("<p>x</p>"), "name": "once"}


async def send(caller: Caller, fault: str = "", **body: Any) -> tuple[int, Any, aiohttp.ClientResponse]:
    headers = {"X-Emulator-Fault": fault} if fault else {}
    return await caller.send(*SUBMIT, json={**BODY, **body}, headers=headers)


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_error_replies_before_and_after_acceptance(caller: Caller, status: int) -> None:
    answered, error, response = await send(caller, f"status; status={status}")
    assert (answered, error["statusCode"]) == (status, status)
    assert "Retry-After" not in response.headers
    assert caller.emulator.seen.accepted == 0
    answered, _, _ = await send(caller, f"status; status={status}; when=after")
    assert answered == status
    assert caller.emulator.seen.accepted == 1
    assert (await send(caller))[0] == 202
    assert caller.emulator.seen.submitted_twice == ("once",)
    assert caller.emulator.seen.statuses == {status: 2, 202: 1}
    assert caller.emulator.seen.requests == {"POST html/pdf": 3}


@pytest.mark.asyncio
async def test_retry_after_in_both_forms(caller: Caller) -> None:
    _, _, response = await send(caller, "status; status=429; retry_after=2")
    assert response.headers["Retry-After"] == "2"
    _, _, response = await send(caller, "status; status=503; retry_after=60; retry_after_form=date")
    moment = parsedate_to_datetime(response.headers["Retry-After"]).timestamp()
    assert 58 < moment - time.time() < 62


@pytest.mark.asyncio
async def test_resets_before_and_after_acceptance(caller: Caller) -> None:
    with pytest.raises(aiohttp.ClientConnectionError):
        await send(caller, "reset")
    assert caller.emulator.seen.accepted == 0
    with pytest.raises(aiohttp.ClientConnectionError):
        await send(caller, "reset; when=after")
    assert caller.emulator.seen.accepted == 1
    assert caller.emulator.seen.statuses == {}
    assert (await send(caller))[0] == 202


@pytest.mark.asyncio
async def test_truncated_replies(caller: Caller) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await send(caller, "truncate; at=0.5")
    with pytest.raises(aiohttp.ClientPayloadError):
        await send(caller, "truncate; at=1")
    assert caller.emulator.seen.accepted == 2


@pytest.mark.asyncio
async def test_slow_replies_arrive_whole(caller: Caller) -> None:
    status, job, _ = await send(caller, "slow; seconds=0.05")
    assert (status, job["status"]) == (202, "pending")


@pytest.mark.asyncio
async def test_a_wrong_content_type(caller: Caller) -> None:
    status, body, response = await send(caller, "content-type; content_type=text/html")
    assert (status, response.headers["Content-Type"]) == (202, "text/html")
    assert body.startswith(b"{")


@pytest.mark.asyncio
async def test_latency_before_and_after(caller: Caller) -> None:
    started = time.monotonic()
    assert (await send(caller, "latency; seconds=0.05, latency; seconds=0.05; when=after"))[0] == 202
    assert time.monotonic() - started >= 0.1


@pytest.mark.asyncio
async def test_faults_of_downloads(caller: Caller) -> None:
    job = await caller.finished()

    async def download() -> bytes:
        async with caller.session.get(job["assetUrl"]) as response:
            response.raise_for_status()
            return await response.read()

    async def fails(work: Awaitable[object], error: type[Exception]) -> None:
        with pytest.raises(error):
            await work

    caller.emulator.faults.add("expire", count=1)
    await fails(download(), aiohttp.ClientResponseError)
    caller.emulator.faults.add("truncate", on="assets", count=1)
    await fails(download(), aiohttp.ClientPayloadError)
    # Without a count: aiohttp repeats a GET by itself when a connection that it used before is gone.
    reset = caller.emulator.faults.add("reset", on="assets")
    await fails(download(), aiohttp.ClientConnectionError)
    caller.emulator.faults.remove(reset)
    caller.emulator.faults.add("slow", on="GET asset", seconds=0.01)
    assert await download() == PDF
    assert caller.emulator.seen.requests["GET jobs/{id}"] == 1


@pytest.mark.asyncio
async def test_where_and_how_often(caller: Caller) -> None:
    faults = caller.emulator.faults
    faults.add("status", on="reads", status=503, count=2)
    assert (await send(caller))[0] == 202
    statuses = [(await caller.send("GET", "/v2/jobs"))[0] for _ in range(3)]
    assert statuses == [503, 503, 200]
    assert faults.active == ()
    for on, path in (("GET account", "/v1/account"), ("v1", "/v1/jobs"), ("GET jobs/{id}", "/v2/jobs/x")):
        id_ = faults.add("status", on=on, status=504)
        assert (await caller.send("GET", path))[0] == 504
        assert (await caller.send("GET", "/v2/jobs"))[0] == 200
        assert faults.remove(id_)
    faults.add("status", on="url-image", status=504)
    assert (await caller.send("POST", "/v2/url/image", json={}))[0] == 504
    assert (await send(caller))[0] == 202
    faults.clear()
    assert (await caller.send("POST", "/v2/url/image", json={}))[0] == 400
    assert faults.struck["status"] == 6


@pytest.mark.asyncio
async def test_chances_repeat_with_their_seed(start: Start) -> None:
    runs = []
    for seed in (1, 1, 2):
        async with start(seed=seed) as caller:
            caller.emulator.faults.add("status", probability=0.5)
            runs.append([(await caller.send("GET", "/v2/jobs"))[0] for _ in range(30)])
    assert runs[0] == runs[1] != runs[2]
    assert set(runs[0]) == {200, 500}


@pytest.mark.asyncio
async def test_stuck_jobs(caller: Caller) -> None:
    caller.emulator.faults.add("stuck", count=1)
    stuck = (await send(caller))[1]
    other = (await send(caller))[1]
    while (await caller.get(f"/v2/jobs/{other['id']}"))["status"] == "pending":
        await asyncio.sleep(0)
    assert (await caller.get(f"/v2/jobs/{stuck['id']}"))["status"] == "pending"
    late = (await send(caller, "stuck; seconds=0.01"))[1]
    while (await caller.get(f"/v2/jobs/{late['id']}"))["status"] == "pending":
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_the_control_endpoints(caller: Caller) -> None:
    url = caller.emulator.base_url + "/emulator/"
    session = caller.session
    async with session.post(url + "faults", json={"kind": "status", "status": 502, "count": 5}) as response:
        assert response.status == 201
        id_ = (await response.json())["id"]
    assert (await send(caller))[0] == 502
    async with session.get(url + "faults") as response:
        assert await response.json() == {
            "active": [{"id": id_, "hits": 1, "kind": "status", "status": 502, "count": 5}],
            "struck": {"status": 1},
        }
    async with session.delete(f"{url}faults/{id_}") as response:
        assert response.status == 204
    async with session.delete(f"{url}faults/{id_}") as response:
        assert response.status == 404
    assert (await send(caller))[0] == 202
    async with session.get(url + "seen") as response:
        seen = await response.json()
    assert seen["accepted_by_name"] == {"once": 1}
    assert seen["statuses"] == {"502": 1, "202": 1}
    assert seen["submitted_twice"] == []
    async with session.delete(url + "seen") as response:
        assert response.status == 204
    assert caller.emulator.seen.accepted == 0
    assert caller.emulator.seen.requests == {}
    async with session.delete(url + "faults") as response:
        assert response.status == 204


@pytest.mark.asyncio
@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}])
async def test_pages_of_other_origins_cannot_reach_the_controls(caller: Caller, headers: dict[str, str]) -> None:
    async with caller.session.get(caller.emulator.base_url + "/emulator/seen", headers=headers) as response:
        assert response.status == 403
    own = {"Origin": caller.emulator.base_url}
    async with caller.session.get(caller.emulator.base_url + "/emulator/seen", headers=own) as response:
        assert response.status == 200


@pytest.mark.asyncio
@pytest.mark.parametrize("route", sorted(place for place in PLACES if " " in place and place != "GET asset"))
async def test_every_route_can_be_struck(caller: Caller, route: str) -> None:
    method, _, path = route.partition(" ")
    caller.emulator.faults.add("status", status=599, on=route, count=1)
    status, _, _ = await caller.send(method, f"/v2/{path.format(id='x')}", json={} if method == "POST" else None)
    assert status == 599
    assert caller.emulator.seen.requests == {route: 1}


@pytest.mark.asyncio
async def test_a_caller_that_hangs_up_is_no_fault_of_ours(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    url = URL(caller.emulator.base_url)
    _, writer = await asyncio.open_connection(url.host, url.port)
    head = f"POST /v2/html/pdf HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nX-API-Key: {caller.emulator.api_key}\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
    async with asyncio.timeout(5):
        while not caller.emulator.seen.requests:
            await asyncio.sleep(0.001)
        writer.transport.abort()
        await writer.wait_closed()
        assert (await caller.send("GET", "/v2/getStatus"))[0] == 200
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.asyncio
async def test_a_header_that_makes_no_sense_is_refused(caller: Caller) -> None:
    for text in ("explode", "status; color=red", "latency", "status; status=200", "status; status=x"):
        status, error, _ = await send(caller, text)
        assert status == 400, text
        assert error["details"] == {"field": "X-Emulator-Fault"}
    async with caller.session.post(caller.emulator.base_url + "/emulator/faults", json={"status": 500}) as response:
        assert response.status == 400


@pytest.mark.asyncio
async def test_one_request_has_one_of_those_that_take_the_replys_place(caller: Caller) -> None:
    for fault in ({"status": 500}, {"status": 400}):
        caller.emulator.faults.add("status", on="conversions", count=1, **fault)
    caller.emulator.faults.add("latency", on="conversions", seconds=0.001)
    assert [(await send(caller))[0] for _ in range(3)] == [500, 400, 202]
    assert caller.emulator.faults.struck == {"status": 2, "latency": 3}


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"kind": "status", "count": 0},
        {"kind": "status", "probability": 1.5},
        {"kind": "status", "when": "now"},
        {"kind": "status", "status": [500]},
        {"kind": "latency", "seconds": -1},
        {"kind": "latency", "seconds": float("inf")},
        {"kind": "content-type", "content_type": "no\r\nX: y"},
        {"kind": "truncate", "at": True},
        {"kind": "status", "on": "conversion"},
        {"kind": "status", "on": "GET jobs/17"},
        {"kind": "status", "on": ""},
    ],
)
def test_wrong_faults(raw: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        fault_from_json(raw)


def test_reading_the_header() -> None:
    assert faults_from_header("reset; when=after, latency;seconds=.5") == [
        Fault(kind="reset", when="after"),
        Fault(kind="latency", seconds=0.5),
    ]
    assert faults_from_header(" ") == []
