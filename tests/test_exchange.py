"""The short way of a call, and what must not go by it. That both ways do the same is shown by `test_transport`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import aiohttp
import pytest
from conftest import Connect
from servers import DONE, KEY, PDF, Exchange, RawServer, http, reply, silence

from cloudlayer_async import (
    AsyncCloudlayer,
    Attempt,
    ConnectionFailedError,
    DownloadError,
    HtmlToPdf,
    Job,
    JobStatus,
    RetryPolicy,
    Timeouts,
)

pytestmark = pytest.mark.usefixtures("no_complaints", "no_environment")

ACCEPTED = reply(202, {"id": "7Kq2", "status": "pending"})
PRODUCT = reply(200, PDF, content_type="application/pdf")
STATUS = reply(200, {"status": "ok"})


@contextmanager
def by_aiohttp() -> Iterator[list[str]]:
    """The methods of the requests that `aiohttp.ClientSession` itself has sent meanwhile."""
    sent: list[str] = []
    sending: Any = aiohttp.ClientSession._request
    before = sys.getprofile()

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is sending.__code__ and "tm" not in frame.f_locals:
            sent.append(frame.f_locals["method"])

    sys.setprofile(watch)
    try:
        yield sent
    finally:
        sys.setprofile(before)


async def product_at(client: AsyncCloudlayer, url: str) -> bytes:
    job = Job(id="7Kq2", status=JobStatus.SUCCESS, asset_url=url, type="html-pdf")
    return (await client.attach(job).result()).content


@pytest.mark.asyncio
async def test_calls_and_downloads_of_a_session_of_ours_go_straight(connect: Connect) -> None:
    async with RawServer(ACCEPTED, reply(200, DONE), PRODUCT) as server:
        client = await connect(server.url)
        with by_aiohttp() as sent:
            await client.html_to_pdf("<p>")
            await client.get_job("7Kq2")
            assert await product_at(client, f"{server.url}/a.pdf") == PDF
    assert server.lines == ["POST /v2/html/pdf", "GET /v2/jobs/7Kq2", "GET /a.pdf"]
    assert server.connections == 1
    assert [KEY in str(request.headers) for request in server.requests] == [True, True, False]
    assert sent == []


@pytest.mark.asyncio
async def test_traces_see_everything(connect: Connect) -> None:
    async with RawServer(ACCEPTED, PRODUCT) as server:
        client = await connect(server.url, trace_configs=[aiohttp.TraceConfig()])
        with by_aiohttp() as sent:
            await client.html_to_pdf("<p>")
            await product_at(client, f"{server.url}/a.pdf")
    assert sent == ["POST", "GET"]


@pytest.mark.asyncio
async def test_a_session_of_the_callers_is_used_as_it_is(connect: Connect) -> None:
    async with RawServer(ACCEPTED, PRODUCT) as server, aiohttp.ClientSession() as session:
        client = await connect(server.url, session=session)
        with by_aiohttp() as sent:
            await client.html_to_pdf("<p>")
            await product_at(client, f"{server.url}/a.pdf")
    assert sent == ["POST", "GET"]


@pytest.mark.asyncio
async def test_what_is_not_plain_goes_aiohttps_own_way(connect: Connect, tmp_path: Path) -> None:
    document = tmp_path / "a.docx"
    document.write_bytes(b"PK")
    moved = reply(302, location="/moved.pdf")
    async with RawServer(ACCEPTED, reply(200, {"status": "deleted"}), PRODUCT, moved, PRODUCT) as server:
        client = await connect(server.url)
        with by_aiohttp() as sent:
            await client.docx_to_pdf(document)
            await client.delete_storage("6d1c")
            assert await product_at(client, server.url.replace("//", "//user:word@") + "/a.pdf") == PDF
            assert await product_at(client, f"{server.url}/b.pdf") == PDF
    assert sent == ["POST", "DELETE", "GET", "GET"]
    assert server.lines[-2:] == ["GET /b.pdf", "GET /moved.pdf"]
    assert server.requests[2].headers["Authorization"].startswith("Basic ")


@pytest.mark.asyncio
async def test_a_proxy_is_aiohttps_matter(connect: Connect) -> None:
    async with RawServer(STATUS) as proxy:
        client = await connect("http://127.0.0.1:9", proxy=proxy.url)
        with by_aiohttp() as sent:
            await client.get_status()
    assert sent == ["GET"]
    assert proxy.lines == ["GET http://127.0.0.1:9/v2/getStatus"]


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["_request", "request", "get"])
async def test_who_replaces_a_sessions_sending_sees_every_request(
    method: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As mocks, recorders and monitors do; also while the client is in use."""
    async with RawServer(STATUS, STATUS, ACCEPTED, PRODUCT, STATUS) as server:
        client = await connect(server.url)
        await client.get_status()
        with monkeypatch.context() as patch, by_aiohttp() as sent:
            original: Callable[..., Any] = getattr(aiohttp.ClientSession, method)
            seen = []

            def watched(*args: Any, **options: Any) -> Any:
                seen.append(args)
                return original(*args, **options)

            patch.setattr(aiohttp.ClientSession, method, watched)
            await client.get_status()
            await client.html_to_pdf("<p>")
            await product_at(client, f"{server.url}/a.pdf")
        assert len(seen) == {"_request": 3, "request": 2, "get": 1}[method]
        with by_aiohttp() as later:
            await client.get_status()
    assert sent == ["GET", "POST", "GET"]
    assert later == []


UNKNOWN = """
import asyncio, sys
import aiohttp
from aiohttp import web
if sys.argv[1] == "replaced":
    original = aiohttp.ClientSession._request
    aiohttp.ClientSession._request = lambda *args, **options: original(*args, **options)
elif sys.argv[1] == "changed":
    connect = aiohttp.TCPConnector.connect
    def with_deadline(self, req, traces, timeout, deadline): ...
    aiohttp.TCPConnector.connect = with_deadline
else:
    aiohttp.__version__ = sys.argv[1]
from cloudlayer_async import AsyncCloudlayer
if sys.argv[1] == "changed":
    aiohttp.TCPConnector.connect = connect

async def main() -> None:
    app = web.Application()
    app.router.add_get("/v2/getStatus", lambda request: asyncio.sleep(0, web.json_response({"status": "ok"})))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sent = []
    code = aiohttp.client.ClientSession._request.__code__
    async with AsyncCloudlayer("key", base_url="http://127.0.0.1:%d" % runner.addresses[0][1]) as client:
        sys.setprofile(lambda frame, event, arg: sent.append(event) if frame.f_code is code and event == "call" else None)
        await client.get_status()
        sys.setprofile(None)
    await runner.cleanup()
    print("by aiohttp" if sent else "straight")

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("aiohttp_is", "way"),
    [
        (aiohttp.__version__, "straight"),
        ("3.99.1", "by aiohttp"),
        ("4.0.0a1", "by aiohttp"),
        ("replaced", "by aiohttp"),
        ("changed", "by aiohttp"),
    ],
)
def test_an_aiohttp_that_is_not_known_is_left_to_itself(aiohttp_is: str, way: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", UNKNOWN, aiohttp_is], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.stdout.strip(), ran.stderr) == (way, "")


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_a_connection_that_dies_before_anything_left_is_no_doubt(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The billed call is sent again, since it certainly was not sent."""
    old: list[Exchange] = []

    async def first(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(http(200, {"status": "ok"}))
        old.append(exchange)

    lend = aiohttp.TCPConnector.connect
    async with RawServer(first, ACCEPTED) as server:

        async def lent(*args: Any, **options: Any) -> Any:
            connection = await lend(*args, **options)
            if old:
                old.pop().reset()
                while server.open:
                    await asyncio.sleep(0)
                await asyncio.sleep(0.02)  # the reset comes up to the client's side of the loopback
            return connection

        seen: list[Attempt] = []
        client = await connect(server.url, on_attempt=seen.append)
        await client.get_status()
        monkeypatch.setattr(aiohttp.TCPConnector, "connect", lent)
        with by_aiohttp() as sent:
            assert (await client.html_to_pdf("<p>")).job_id == "7Kq2"
    assert sent == []
    assert server.lines == ["GET /v2/getStatus", "POST /v2/html/pdf"]
    assert [attempt.sent for attempt in seen] == [True, False, True]


@pytest.mark.asyncio
async def test_a_connection_that_takes_too_long_is_no_doubt_either(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object, **__: object) -> None:
        raise TimeoutError

    client = await connect("http://127.0.0.1:9", retry=RetryPolicy(attempts=1), timeouts=Timeouts(connect=1.0))
    monkeypatch.setattr(aiohttp.TCPConnector, "connect", never)
    with pytest.raises(ConnectionFailedError) as caught:
        await client.html_to_pdf("<p>")
    assert not caught.value.maybe_billed
    assert [attempt.sent for attempt in caught.value.history] == [False]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "settings",
    [
        {"headers": {"X-Trace": "1"}},
        {"middlewares": "passing"},
        {"proxy": "itself"},
        {"cookie_jar": "kept"},
        {"trace_configs": [aiohttp.TraceConfig()]},
    ],
    ids=lambda settings: next(iter(settings)),
)
async def test_what_others_put_into_the_constructor_counts(
    settings: dict[str, Any], connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As monitors and companies with a proxy do."""
    passed = []

    async def passing(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        passed.append(request.method)
        return await handler(request)

    made = aiohttp.ClientSession.__init__
    async with RawServer(STATUS) as server:
        real = {"passing": (passing,), "itself": server.url, "kept": aiohttp.CookieJar()}
        added = {name: real[value] if isinstance(value, str) else value for name, value in settings.items()}
        monkeypatch.setattr(
            aiohttp.ClientSession, "__init__", lambda self, **options: made(self, **{**options, **added})
        )
        client = await connect(server.url)
        with by_aiohttp() as sent:
            await client.get_status()
    assert sent == ["GET"]
    assert passed == (["GET"] if "middlewares" in settings else [])
    assert ("X-Trace" in server.requests[0].headers) == ("headers" in settings)
    assert server.requests[0].target.startswith("http:") == ("proxy" in settings)


@pytest.mark.asyncio
async def test_a_class_in_the_place_of_sessions_is_used(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        auto_decompress = True
        closed = False

        def __init__(self, **_: Any) -> None:
            self.asked: list[str] = []

        async def request(self, method: str, url: object, **_: Any) -> Any:
            raise aiohttp.ClientPayloadError(f"{method} {url}")

        async def close(self) -> None:
            pass

    monkeypatch.setattr(aiohttp, "ClientSession", Session)
    client = await connect("http://127.0.0.1:9", retry=RetryPolicy(attempts=1))
    with pytest.raises(ConnectionFailedError, match="GET http://127"):
        await client.get_status()


@pytest.mark.asyncio
async def test_the_key_is_in_nothing_that_a_tracker_takes_apart(connect: Connect) -> None:
    """Trackers walk mappings and sequences item by item, and do not ask how they want to be shown."""
    async with RawServer(silence) as server:
        client = await connect(server.url)
        task = asyncio.create_task(client.submit(HtmlToPdf("<p>")))
        await server.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    held = []
    for frame, _ in traceback.walk_tb(caught.value.__traceback__):
        for value in frame.f_locals.values():
            held.append(repr(value))
            if isinstance(value, Mapping):
                held += [str(item) for item in value.items()]
            elif isinstance(value, Sequence):
                held += [repr(item) for item in value]
    assert any("DirectSession" in text for text in held)
    assert not [text for text in held if KEY in text]


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_a_redirect_to_nowhere_is_not_asked_again(connect_any: Connect) -> None:
    async with RawServer(reply(302, location="")) as server:
        client = await connect_any(server.url)
        with pytest.raises(DownloadError, match="302"):
            await product_at(client, f"{server.url}/a.pdf")
    assert len(server.requests) == 1
