"""Sessions from first use to the last close: loops, siblings, borrowed sessions and their odd settings, proxies."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from conftest import Connect
from servers import DONE, JOB, KEY, PDF, Exchange, RawServer, Request, Service, http, reply, silence

from cloudlayer_async import (
    AmbiguousSubmissionError,
    AsyncCloudlayer,
    CloudlayerError,
    ConfigError,
    ConnectionFailedError,
    DownloadError,
    HtmlToPdf,
    Job,
    JobStatus,
    RetryPolicy,
    Timeouts,
)

pytestmark = pytest.mark.usefixtures("no_complaints", "no_environment")

OK = reply(200, {"status": "ok"})


# --- opening and closing --------------------------------------------------------------------------------------------


def test_nothing_is_opened_before_the_first_call() -> None:
    client = AsyncCloudlayer(KEY, proxy="http://127.0.0.1:1", ssl=False)  # no loop is needed for this
    sibling = client.with_options(api_version="v1")
    assert client.attach("1").job_id == "1"
    del client, sibling
    gc.collect()


@pytest.mark.asyncio
async def test_closing_closes_connections(connect: Connect) -> None:
    async with RawServer(OK) as server:
        client = AsyncCloudlayer(KEY, base_url=server.url)
        await asyncio.gather(*(client.get_status() for _ in range(5)))
        assert server.open
        await client.aclose()
        while server.open:
            server.hung_up.clear()
            await server.hung_up.wait()
        await client.aclose()
        for call in (client.get_status, lambda: client.submit(HtmlToPdf("<p>")), client.__aenter__):
            with pytest.raises(ConfigError, match="closed"):
                await call()
        with pytest.raises(ConfigError, match="closed"):
            await client.attach("1").wait()
        with pytest.raises(ConfigError, match="closed"):
            await client.with_options(api_version="v1").get_status()


@pytest.mark.asyncio
async def test_never_used_is_fine_to_close() -> None:
    async with AsyncCloudlayer(KEY):
        pass
    await AsyncCloudlayer(KEY).aclose()


@pytest.mark.asyncio
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_forgetting_to_close_is_told() -> None:
    """By aiohttp's session itself; nothing of ours runs when a client is forgotten."""
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    async with RawServer(OK) as server:
        client = AsyncCloudlayer(KEY, base_url=server.url)
        await client.get_status()
        del client
        gc.collect()
    assert "Unclosed client session" in told


@pytest.mark.asyncio
async def test_siblings_close_nothing_and_end_with_their_root(connect: Connect) -> None:
    async with RawServer(OK) as server:
        root = await connect(server.url)
        async with root.with_options(api_version="v1") as sibling:
            await sibling.get_status()
        await sibling.aclose()
        await root.get_status()
        await sibling.get_status()
        assert server.connections == 1
        grandchild = sibling.with_options(api_version="v2")
        await root.aclose()
        for client in (sibling, grandchild):
            with pytest.raises(ConfigError, match="closed"):
                await client.get_status()


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_closing_under_calls_that_are_under_way(connect: Connect) -> None:
    """They end, with errors of ours that say what may have been paid."""
    async with RawServer(silence) as server:
        client = await connect(server.url, max_connections=3)
        tasks = [asyncio.ensure_future(client.html_to_pdf("<p>")) for _ in range(2)]
        tasks.append(asyncio.ensure_future(client.get_status()))
        tasks += [asyncio.ensure_future(client.html_to_pdf("<p>queued")) for _ in range(2)]
        while len(server.requests) < 3:
            server.arrived.clear()
            await server.arrived.wait()
        await client.aclose()
        results: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, CloudlayerError) for result in results)
    assert [result.maybe_billed for result in results] == [True, True, False, False, False]
    assert len(server.requests) == 3


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_closing_takes_no_time_limit_from_calls_on_a_borrowed_session() -> None:
    async with RawServer(silence) as server, aiohttp.ClientSession() as session:
        limits = Timeouts(connect=0.1, read=0.1)
        client = AsyncCloudlayer(KEY, base_url=server.url, session=session, timeouts=limits)
        call = asyncio.ensure_future(client.submit(HtmlToPdf("<p>")))
        while not server.requests:
            server.arrived.clear()
            await server.arrived.wait()
        await client.aclose()
        with pytest.raises(AmbiguousSubmissionError, match="timed out"):
            await asyncio.wait_for(call, 10)


@pytest.mark.asyncio
async def test_closed_while_the_key_is_fetched() -> None:
    async with RawServer(OK) as server:
        asked, given = asyncio.Event(), asyncio.Event()

        async def key() -> str:
            asked.set()
            await given.wait()
            return KEY

        client = AsyncCloudlayer(key, base_url=server.url)
        await AsyncCloudlayer.aclose(client.with_options(api_version="v1"))
        task = asyncio.ensure_future(client.get_status())
        await asked.wait()
        await client.aclose()
        given.set()
        with pytest.raises(ConfigError, match="closed"):
            await task
    assert server.connections == 0


@pytest.mark.asyncio
async def test_calls_at_one_time_are_bounded(connect: Connect) -> None:
    most = 0
    release = asyncio.Event()

    async def count(exchange: Exchange) -> None:
        nonlocal most
        await exchange.request()
        most = max(most, server.open)
        if len(server.requests) >= 4:
            release.set()
        await release.wait()
        await exchange.send(http(200, {"status": "ok"}))

    async with RawServer(count) as server:
        client = await connect(server.url, max_connections=4)
        siblings = [client, client.with_options(api_version="v1")]
        await asyncio.gather(*(siblings[n % 2].get_status() for n in range(40)))
    assert most == 4
    assert server.connections == 4


# --- loops ----------------------------------------------------------------------------------------------------------

LEFT_OPEN = pytest.mark.filterwarnings("ignore::ResourceWarning")
"""A loop that ends with connections open is told so by asyncio, whatever we do."""


class Background:
    """A server on a thread and a loop of its own, so that loops of tests may come and go."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        self.ready.wait(5)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.done = asyncio.Event()
        async with RawServer(OK) as self.server:
            self.url = self.server.url
            self.ready.set()
            await self.done.wait()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.done.set)
        self.thread.join(5)


@pytest.fixture
def background() -> Any:
    background = Background()
    yield background
    background.close()


@LEFT_OPEN
def test_one_client_on_loop_after_loop(background: Background) -> None:
    """As with several asyncio.run calls in a script or a notebook."""
    client = AsyncCloudlayer(KEY, base_url=background.url)
    for _ in range(3):
        assert asyncio.run(client.get_status()).ok
    asyncio.run(client.aclose())
    with pytest.raises(ConfigError, match="closed"):
        asyncio.run(client.get_status())
    gc.collect()


@LEFT_OPEN
def test_closed_on_another_loop_than_used_on(background: Background) -> None:
    client = AsyncCloudlayer(KEY, base_url=background.url)
    asyncio.run(client.get_status())

    async def enter_only() -> None:
        assert client.attach("1")
        await client.__aenter__()

    asyncio.run(enter_only())
    asyncio.run(enter_only())
    asyncio.run(client.aclose())
    gc.collect()


@LEFT_OPEN
def test_a_loop_that_was_left_in_the_middle(background: Background) -> None:
    """Not closed, not run again, with callers in mid-air: the next loop is not held up by them."""
    client = AsyncCloudlayer(KEY, base_url=background.url, max_connections=1)
    old = asyncio.new_event_loop()
    background.server.steps[:] = [silence]
    stuck = [old.create_task(client.get_status()) for _ in range(3)]
    waiting = [old.create_task(client.attach("1").wait()) for _ in range(3)]
    old.run_until_complete(asyncio.sleep(0.05))
    client._family.session.pace.hold(0.05)
    background.server.steps[:] = [OK]
    assert asyncio.run(client.get_status()).ok
    background.server.steps[:] = [reply(200, DONE)]
    assert asyncio.run(client.attach("1").wait(5)).is_success
    asyncio.run(client.aclose())
    for task in [*stuck, *waiting]:
        task.cancel()
    old.run_until_complete(asyncio.gather(*stuck, *waiting, return_exceptions=True))
    old.close()
    gc.collect()


@pytest.mark.asyncio
async def test_two_loops_that_run_at_once(background: Background) -> None:
    client = AsyncCloudlayer(KEY, base_url=background.url)
    await client.get_status()

    def elsewhere() -> str:
        with pytest.raises(ConfigError) as caught:
            asyncio.run(client.get_status())
        return str(caught.value)

    assert "another running event loop" in await asyncio.to_thread(elsewhere)
    await client.get_status()
    await client.aclose()


def test_a_borrowed_session_of_another_loop(background: Background) -> None:
    async def lend() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    session = asyncio.run(lend())
    client = AsyncCloudlayer(KEY, base_url=background.url, session=session)

    async def use() -> None:
        with pytest.raises(ConfigError, match="another event loop"):
            await client.get_status()
        await client.aclose()

    asyncio.run(use())
    asyncio.run(session.close())


# --- borrowed sessions ----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_borrowed_session_stays_open(service: Service) -> None:
    service.answers("GET /v2/getStatus", {"status": "ok"})
    url = service.asset("/a.pdf", PDF)
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer x"}) as session:
        for _ in range(2):
            async with AsyncCloudlayer(KEY, base_url=service.url, session=session) as client:
                await client.get_status()
                await client.attach(Job(id="1", status=JobStatus.SUCCESS, asset_url=url)).result()
            assert not session.closed
        async with session.get(f"{service.url}/v2/getStatus") as response:
            assert response.status == 200
    client = AsyncCloudlayer(KEY, base_url=service.url, session=session)
    with pytest.raises(ConfigError, match="borrowed session is closed"):
        await client.get_status()


def odd_sessions() -> dict[str, Callable[[Service], dict[str, Any]]]:
    """Settings that a caller's session may have."""

    async def raise_always(response: aiohttp.ClientResponse) -> None:
        raise RuntimeError("the session's own check")

    return {
        "raise_for_status": lambda _: {"raise_for_status": True},
        "its own check": lambda _: {"raise_for_status": raise_always},
        "no decompression": lambda _: {"auto_decompress": False},
        "headers": lambda _: {
            "headers": {
                "X-API-Key": "another-key",
                "Authorization": "Bearer sesame",
                "Content-Type": "text/plain",
                "Accept": "text/html",
                "User-Agent": "mine",
                "Cookie": "a=b",
                "X-Team": "docs",
            }
        },
        "base_url": lambda service: {"base_url": f"{service.url}/elsewhere/"},
        "no time": lambda _: {"timeout": aiohttp.ClientTimeout(total=0.000001)},
        "skipped headers": lambda _: {"skip_auto_headers": ["Content-Type", "User-Agent", "Accept"]},
        "cookies": lambda _: {"cookies": {"c": "d"}},
        "few connections": lambda _: {"connector": aiohttp.TCPConnector(limit=1, force_close=True)},
        "small buffer": lambda _: {"read_bufsize": 10},
        "environment": lambda _: {"trust_env": True},
        "a JSON writer of its own": lambda _: {"json_serialize": lambda _: "nonsense"},
    }


@pytest.mark.asyncio
@pytest.mark.parametrize("oddity", list(odd_sessions()))
async def test_a_borrowed_sessions_odd_settings_do_no_harm(oddity: str, service: Service, tmp_path: Path) -> None:
    import gzip

    settings = odd_sessions()[oddity](service)
    url = service.asset("/a.pdf", PDF)
    service.answers("POST /v2/html/pdf", JOB, status=202)
    service.answers("POST /v2/docx/pdf", JOB, status=202)
    service.answers("GET /v2/jobs/7Kq2", {**DONE, "assetUrl": url})
    service.answers("POST /v1/html/pdf", PDF, status=201, content_type="application/pdf")

    async def compressed(request: aiohttp.web.Request) -> aiohttp.web.Response:
        accepts = request.headers.get("Accept-Encoding", "")
        if "gzip" not in accepts:
            return aiohttp.web.json_response([])
        return aiohttp.web.Response(
            body=gzip.compress(b"[]"), headers={"Content-Encoding": "gzip", "Content-Type": "application/json"}
        )

    service.answers("GET /v2/jobs", compressed)
    async with aiohttp.ClientSession(**settings) as session:
        headers = dict(session.headers)
        async with AsyncCloudlayer(KEY, base_url=service.url, session=session) as client:
            conversion = await client.html_to_pdf("<p>")
            assert conversion.job_id == "7Kq2"
            await client.docx_to_pdf(b"docx", name="n")
            assert (await client.attach("7Kq2").result()).content == PDF
            assert await client.list_jobs() == []
            assert (await client.with_options(api_version="v1").convert(HtmlToPdf("<p>"))).content == PDF
            with pytest.raises(CloudlayerError, match="404"):
                await client.get_job("missing")
        assert not session.closed
        assert dict(session.headers) == headers
    for request in service.requests:
        assert request.headers.getall("X-API-Key") == [KEY]
        assert request.headers["User-Agent"].startswith("cloudlayer-async/")
    form = next(request for request in service.requests if request.target == "/v2/docx/pdf")
    assert form.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert form.body
    page = next(request for request in service.requests if request.target == "/v2/html/pdf")
    assert page.headers["Content-Type"] == "application/json"
    (download,) = service.downloads
    assert not {"X-API-Key", "Authorization", "Cookie"} & set(download.headers) or oddity == "cookies"
    assert "X-API-Key" not in download.headers
    if oddity == "headers":
        assert {request.headers["X-Team"] for request in [*service.requests, download]} == {"docs"}


@pytest.mark.asyncio
@pytest.mark.parametrize("setting", [{"proxy": "http://p"}, {"ssl": False}, {"trace_configs": [aiohttp.TraceConfig()]}])
async def test_a_borrowed_session_excludes_what_it_decides_itself(setting: Any) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigError, match="session excludes"):
            AsyncCloudlayer(KEY, session=session, **setting)


# --- redirects and cookies ------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_key_does_not_follow_a_redirect(status: int, connect_any: Connect) -> None:
    async with RawServer(OK) as thief:
        async with RawServer(reply(status, location=f"{thief.url}/v2/x", set_cookie="s=1; Path=/")) as server:
            client = await connect_any(server.url)
            for call in (client.get_status, lambda: client.html_to_pdf("<p>"), lambda: client.delete_storage("x")):
                with pytest.raises(CloudlayerError, match="redirects are not followed"):
                    await call()
    assert thief.connections == 0
    assert len(server.requests) == 3
    assert not any("Cookie" in request.headers for request in server.requests)


# --- traces ---------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_aiohttps_tracing(connect: Connect) -> None:
    seen: list[str] = []

    async def note(_: Any, __: Any, params: aiohttp.TraceRequestEndParams) -> None:
        seen.append(params.url.path)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(note)
    async with RawServer(OK) as server:
        client = await connect(server.url, trace_configs=[trace])
        await client.get_status()
    assert seen == ["/v2/getStatus"]


# --- proxies --------------------------------------------------------------------------------------------------------


class Proxy:
    """A proxy on loopback that writes down what it is asked for, and leads every name to one port."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.tls_port = self.port_for_plain = 0
        self.status = 200

    async def __call__(self, exchange: Exchange) -> None:
        head = await exchange.head()
        self.asked.append(head)
        if self.status != 200:
            await exchange.send(http(self.status, b"no"))
            return
        if head.method == "CONNECT":
            await exchange.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await self._tunnel(exchange, self.tls_port)
            return
        await exchange._take(int(head.headers.get("Content-Length", "0")))
        await exchange.send(http(200, PDF, content_type="application/pdf"))

    async def _tunnel(self, exchange: Exchange, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def there() -> None:
            while await exchange.begins():
                writer.write(bytes(exchange._buffer))
                exchange._buffer.clear()
                await writer.drain()
            writer.close()

        task = asyncio.ensure_future(there())
        try:
            while data := await reader.read(65536):
                await exchange.send(data)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            writer.close()
            exchange.close()


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy and its address."""
    proxy = Proxy()
    async with RawServer(proxy) as server:
        yield proxy, server.url


@pytest_asyncio.fixture
async def cloud(proxy: tuple[Proxy, str], server_tls: ssl.SSLContext) -> AsyncIterator[RawServer]:
    """The service in the cloud: reachable through the proxy only."""
    async with RawServer(reply(202, JOB), tls=server_tls) as server:
        proxy[0].tls_port = server.port
        yield server


CLOUD = "https://api.cloud.example"


@pytest.mark.asyncio
@pytest.mark.parametrize("given", ["argument", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "without a scheme"])
async def test_a_proxy(
    given: str,
    proxy: tuple[Proxy, str],
    cloud: RawServer,
    client_tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    connect: Connect,
) -> None:
    recorder, address = proxy
    settings: dict[str, Any] = {"ssl": client_tls}
    with_password = address.replace("http://", "http://user:p%40ss@")
    if given == "argument":
        settings["proxy"] = with_password
    elif given == "without a scheme":
        monkeypatch.setenv("HTTPS_PROXY", with_password.removeprefix("http://"))
    else:
        monkeypatch.setenv(given, with_password)
    client = await connect(CLOUD, **settings)
    assert (await client.html_to_pdf("<p>")).job_id == "7Kq2"
    (asked,) = recorder.asked
    assert asked.line == "CONNECT api.cloud.example:443"
    assert asked.headers["Proxy-Authorization"] == "Basic dXNlcjpwQHNz"
    assert KEY not in str(asked)  # the key is inside of the tunnel
    assert cloud.lines == ["POST /v2/html/pdf"]
    assert cloud.requests[0].headers["X-API-Key"] == KEY
    assert "Proxy-Authorization" not in cloud.requests[0].headers


@pytest.mark.asyncio
async def test_downloads_take_the_proxy_of_their_own_origin(
    proxy: tuple[Proxy, str], monkeypatch: pytest.MonkeyPatch, service: Service, connect: Connect
) -> None:
    recorder, address = proxy
    monkeypatch.setenv("HTTP_PROXY", address)
    service.answers("GET /v2/getStatus", {"status": "ok"})
    client = await connect(service.url)
    await client.get_status()  # loopback: never through a proxy, which would see the key
    assert recorder.asked == []
    job = Job(id="1", status=JobStatus.SUCCESS, asset_url="http://assets.cloud.example/a.pdf?X-Signature=1")
    assert (await client.attach(job).result()).content == PDF
    (asked,) = recorder.asked
    assert asked.line == "GET http://assets.cloud.example/a.pdf?X-Signature=1"
    assert KEY not in str(asked.headers)


@pytest.mark.asyncio
@pytest.mark.parametrize("exempt", ["api.cloud.example", ".cloud.example", "x.example,cloud.example", "*"])
async def test_no_proxy(
    exempt: str,
    proxy: tuple[Proxy, str],
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    connect: Connect,
) -> None:
    recorder, address = proxy
    real = socket.getaddrinfo

    def local(host: Any, *arguments: Any, **named: Any) -> Any:
        return real("127.0.0.1" if host == "api.cloud.example" else host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", local)
    monkeypatch.setenv("HTTPS_PROXY", address)
    monkeypatch.setenv("NO_PROXY", exempt)
    async with RawServer(reply(202, JOB), tls=server_tls) as server:
        client = await connect(f"https://api.cloud.example:{server.port}", ssl=client_tls)
        await client.html_to_pdf("<p>")
    assert recorder.asked == []
    assert len(server.requests) == 1


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("status", [403, 407, 502])
async def test_a_proxy_that_refuses_has_let_nothing_through(
    status: int, proxy: tuple[Proxy, str], cloud: RawServer, client_tls: ssl.SSLContext, connect: Connect
) -> None:
    recorder, address = proxy
    recorder.status = status
    client = await connect(CLOUD, ssl=client_tls, proxy=address.replace("//", "//user:sesame@"))
    with pytest.raises(ConnectionFailedError) as caught:
        await client.html_to_pdf("<p>")
    assert not caught.value.maybe_billed
    assert len(recorder.asked) == 4
    assert cloud.connections == 0
    assert "sesame" not in repr(caught.value) + repr(caught.value.history)


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_a_proxy_that_is_not_there(connect: Connect, client_tls: ssl.SSLContext) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    client = await connect(CLOUD, ssl=client_tls, proxy=f"http://user:sesame@127.0.0.1:{port}")
    with pytest.raises(ConnectionFailedError) as caught:
        await client.html_to_pdf("<p>")
    assert not caught.value.maybe_billed
    assert "sesame" not in repr(caught.value) + repr(caught.value.history)


@pytest.mark.asyncio
@pytest.mark.parametrize("address", ["socks5://user:sesame@127.0.0.1:1080", "http://", "://"])
async def test_a_proxy_of_the_environment_that_cannot_be_used(
    address: str, monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    client = await connect(CLOUD, retry=RetryPolicy(attempts=1))
    with pytest.raises(ConfigError, match="proxy") as caught:
        await client.html_to_pdf("<p>")
    assert "sesame" not in str(caught.value)
    with pytest.raises(ConfigError):
        await client.attach(Job(id="1", status=JobStatus.SUCCESS, asset_url=f"{CLOUD}/a.pdf")).result()


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_names_that_cannot_be_looked_up(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    client = await connect(CLOUD)
    with pytest.raises(ConnectionFailedError, match="Name or service not known"):
        await client.html_to_pdf("<p>")
    client = await connect(f"https://{'a' * 70}.example")
    with pytest.raises(ConnectionFailedError):
        await client.html_to_pdf("<p>")
    with pytest.raises(DownloadError):
        await client.attach(Job(id="1", status=JobStatus.SUCCESS, asset_url=f"{CLOUD}/a")).result()
    assert os.environ.get("HTTPS_PROXY") is None
