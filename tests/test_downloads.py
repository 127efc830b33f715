"""Products on their way to disk: whole or not at all, from the start again when broken, refreshed once when expired."""

from __future__ import annotations

import asyncio
import gzip
import os
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from conftest import Connect
from servers import (
    DONE,
    KEY,
    PDF,
    Exchange,
    RawServer,
    Service,
    Step,
    broken_off,
    hang_up,
    http,
    reply,
    reset_after_body,
    reset_unread,
    silence,
)

from cloudlayer_async import (
    Asset,
    AssetExpiredError,
    AsyncCloudlayer,
    AsyncConversion,
    ConfigError,
    DownloadError,
    Job,
    JobStatus,
    RetryPolicy,
    Timeouts,
    ValidationError,
)

pytestmark = pytest.mark.usefixtures("no_complaints", "no_environment", "at_once")

SECRET = "X-Signature=sesame"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n"


def at(client: AsyncCloudlayer, url: str) -> AsyncConversion:
    """A conversion whose product lies at an address."""
    return client.attach(Job(id="7Kq2", status=JobStatus.SUCCESS, asset_url=url, type="html-pdf"))


async def by_result(conversion: AsyncConversion, _: Path) -> bytes:
    return (await conversion.result()).content


async def by_stream(conversion: AsyncConversion, _: Path) -> bytes:
    async with conversion.stream() as chunks:
        return b"".join([chunk async for chunk in chunks])


async def by_save(conversion: AsyncConversion, folder: Path) -> bytes:
    return (await conversion.save(folder / "out.pdf")).read_bytes()


Way = Callable[[AsyncConversion, Path], Awaitable[bytes]]
WAYS: list[Way] = [by_result, by_stream, by_save]


# --- faults ---------------------------------------------------------------------------------------------------------

BEFORE: list[tuple[str, Step]] = [
    ("500", reply(500)),
    ("503", reply(503, retry_after="0")),
    ("429", reply(429)),
    ("reset", reset_after_body),
    ("reset unread", reset_unread),
    ("hung up", hang_up),
    ("silence", silence),
    ("no HTTP", broken_off(b"220 mail ESMTP\r\n\r\n")),
]


async def stall(exchange: Exchange) -> None:
    await exchange.request()
    await exchange.send(HEAD + b"Content-Length: 23\r\n\r\n%PDF")
    await exchange.gone()


def patience(step: Step) -> Timeouts:
    """Little where nothing will come; else so much that a busy machine is not taken for a silent server."""
    hangs = step in (silence, stall)
    return Timeouts(connect=0.1, read=0.4) if hangs else Timeouts()


DURING: list[tuple[str, Step]] = [
    ("length", broken_off(HEAD + b"Content-Length: 23\r\n\r\n%PDF-1.7")),
    ("chunked", broken_off(HEAD + b"Transfer-Encoding: chunked\r\n\r\n8\r\n%PDF-1.7\r\n")),
    ("within a chunk", broken_off(HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n%PDF-1.7")),
    ("stalled", stall),
]
GOOD = reply(200, PDF, content_type="application/pdf")


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", [step for _, step in BEFORE], ids=[name for name, _ in BEFORE])
async def test_a_download_that_does_not_begin_is_repeated(
    step: Step, way: Way, connect: Connect, tmp_path: Path
) -> None:
    async with RawServer(step, step, GOOD) as server:
        client = await connect(server.url, timeouts=patience(step))
        assert await way(at(client, f"{server.url}/a.pdf?{SECRET}"), tmp_path) == PDF
    assert {request.target for request in server.requests} == {f"/a.pdf?{SECRET}"}
    assert {path.name for path in tmp_path.iterdir()} <= {"out.pdf"}


@pytest.mark.asyncio
@pytest.mark.parametrize("way", [by_result, by_save])
@pytest.mark.parametrize("step", [step for _, step in DURING], ids=[name for name, _ in DURING])
async def test_a_download_that_breaks_is_repeated_from_the_start(
    step: Step, way: Way, connect: Connect, tmp_path: Path
) -> None:
    async with RawServer(step, step, GOOD) as server:
        client = await connect(server.url, timeouts=patience(step))
        assert await way(at(client, f"{server.url}/a.pdf"), tmp_path) == PDF
    assert len(server.requests) == 3
    assert not any("Range" in request.headers for request in server.requests)


@pytest.mark.asyncio
@pytest.mark.parametrize("step", [step for _, step in DURING], ids=[name for name, _ in DURING])
async def test_a_stream_that_breaks_says_so(step: Step, connect: Connect) -> None:
    async with RawServer(step, GOOD) as server:
        client = await connect(server.url, timeouts=patience(step))
        given = b""
        with pytest.raises(DownloadError, match="broke off") as caught:
            async with at(client, f"{server.url}/a.pdf?{SECRET}").stream() as chunks:
                async for chunk in chunks:
                    given += chunk
    assert type(caught.value) is DownloadError
    assert PDF.startswith(given)
    assert caught.value.job_id == "7Kq2"
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None
    assert len(server.requests) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", [step for _, step in BEFORE], ids=[name for name, _ in BEFORE])
async def test_a_download_that_never_succeeds(step: Step, way: Way, connect: Connect, tmp_path: Path) -> None:
    async with RawServer(step) as server:
        client = await connect(server.url, timeouts=patience(step), retry=RetryPolicy(attempts=3))
        with pytest.raises(DownloadError, match="after 3 attempts") as caught:
            await way(at(client, f"{server.url}/a.pdf?{SECRET}"), tmp_path)
    assert type(caught.value) is DownloadError
    assert caught.value.job_id == "7Kq2"
    assert caught.value.maybe_billed
    assert SECRET not in repr(caught.value) + str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [204, 206, 304, 400, 416, 418])
async def test_other_answers_are_final(status: int, way: Way, connect: Connect, tmp_path: Path) -> None:
    async with RawServer(reply(status)) as server:
        client = await connect(server.url)
        with pytest.raises(DownloadError, match=str(status)):
            await way(at(client, f"{server.url}/a.pdf"), tmp_path)
    assert len(server.requests) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "url", ["", "nonsense", "ftp://x/y", "http://", "http://[bad", "http://127.0.0.1:99999/", "file:///etc/passwd"]
)
async def test_an_address_that_is_none(
    url: str, way: Way, service: Service, client: AsyncCloudlayer, tmp_path: Path
) -> None:
    service.answers("GET /v2/jobs/7Kq2", {**DONE, "assetUrl": url})
    with pytest.raises(DownloadError):
        await way(at(client, url), tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- expiry ---------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_an_expired_address_is_refreshed_once(
    status: int, way: Way, service: Service, client: AsyncCloudlayer, tmp_path: Path
) -> None:
    old = service.asset("/old.pdf", b"expired", status=status)
    new = service.asset("/new.pdf", PDF)
    service.answers("GET /v2/jobs/7Kq2", {**DONE, "assetUrl": new})
    conversion = at(client, old)
    assert await way(conversion, tmp_path) == PDF
    assert service.lines == ["GET /v2/jobs/7Kq2"]
    assert [request.target for request in service.downloads] == [f"/old.pdf?{SECRET}", f"/new.pdf?{SECRET}"]
    assert conversion.job is not None
    assert conversion.job.asset_url == new


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
async def test_a_fresh_address_that_is_refused_too(
    way: Way, service: Service, client: AsyncCloudlayer, tmp_path: Path
) -> None:
    old = service.asset("/old.pdf", b"expired", status=403)
    service.answers("GET /v2/jobs/7Kq2", {**DONE, "assetUrl": old})
    with pytest.raises(AssetExpiredError, match="so did a fresh address") as caught:
        await way(at(client, old), tmp_path)
    assert caught.value.job_id == "7Kq2"
    assert SECRET not in str(caught.value)
    assert len(service.requests) == 1
    assert len(service.downloads) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.asyncio
async def test_a_job_that_is_gone_too(service: Service, client: AsyncCloudlayer) -> None:
    old = service.asset("/old.pdf", b"expired", status=403)
    with pytest.raises(Exception, match="404") as caught:
        await at(client, old).result()
    assert caught.value.job_id == "7Kq2"  # type: ignore[attr-defined]


@pytest.mark.asyncio
async def test_an_asset_is_saved_and_refreshed(service: Service, client: AsyncCloudlayer, tmp_path: Path) -> None:
    old = service.asset("/old.pdf", b"expired", status=403)
    new = service.asset("/new.pdf", PDF, content_type="application/pdf")
    service.answers("GET /v2/assets/as_1", {"id": "as_1", "url": new, "name": "report"})
    asset = Asset(id="as_1", url=old, job_id="7Kq2")
    assert (await client.download_asset(asset, tmp_path / "a.pdf")).read_bytes() == PDF
    assert service.count("GET /v2/assets/as_1") == 1
    assert (await client.download_asset("as_1", f"{tmp_path}/x/")).name == "new.pdf"
    assert service.count("GET /v2/assets/as_1") == 2
    service.answers("GET /v2/assets/none", {"id": "none"})
    with pytest.raises(DownloadError, match="no address"):
        await client.download_asset("none", tmp_path / "b.pdf")
    for place in ("", tmp_path / "missing" / "a.pdf"):
        with pytest.raises(ValidationError) as caught:
            await client.download_asset("as_1", place)
        assert caught.value.field == "path"


# --- where the key does not go --------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
async def test_the_key_never_reaches_the_assets(
    way: Way, service: Service, connect_any: Connect, tmp_path: Path
) -> None:
    """Not directly, not over redirects, not even where the asset lies beside the API; and no cookie is kept."""
    client = await connect_any(service.url)
    last = service.asset("/last.pdf", PDF)

    async def redirect(request: web.Request) -> web.StreamResponse:
        response = web.Response(status=307, headers={"Location": last})
        response.set_cookie("tracker", "1")
        return response

    service.answers("GET /v2/files/a.pdf", redirect)
    for _ in range(2):
        assert await way(at(client, f"{service.url}/v2/files/a.pdf"), tmp_path) == PDF
    for request in [*service.requests, *service.downloads]:
        assert KEY not in str(dict(request.headers))
        assert not {"X-API-Key", "Authorization", "Referer", "Cookie"} & set(request.headers)
    assert service.lines == ["GET /v2/files/a.pdf"] * 2
    assert len(service.downloads) == 2


@pytest.mark.asyncio
async def test_redirects_in_a_circle_end(connect: Connect) -> None:
    async with RawServer(reply(302, location="/again")) as server:
        client = await connect(server.url, retry=RetryPolicy(attempts=2))
        with pytest.raises(DownloadError, match="TooManyRedirects"):
            await at(client, f"{server.url}/a.pdf").result()
    assert len(server.requests) == 20


@pytest.mark.asyncio
async def test_a_signed_address_arrives_as_it_was_given(connect: Connect) -> None:
    """Signatures cover the exact spelling: nothing is decoded, encoded or put in order."""
    signed = "/a%2Fb/c%20d+e/%C3%BC.pdf?z=1&a=%2F%3D&X-Amz-Signature=ab%2Bcd+ef&empty=&flag"
    async with RawServer(GOOD) as server:
        client = await connect(server.url)
        await at(client, server.url + signed).result()
        await at(client, server.url + "/ü d.pdf").result()
        await at(client, server.url + "/a\r\nX-Injected:1\t.pdf").result()
    first, second, third = server.requests
    assert (first.target, second.target) == (signed, "/%C3%BC%20d.pdf")
    assert "X-Injected" not in third.headers
    assert "X-Injected" in third.target


# --- lengths, encodings, names --------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
async def test_a_stored_encoding_is_undone(way: Way, connect: Connect, tmp_path: Path) -> None:
    """Identity is asked for; a bucket that stores gzip sends it all the same, and its length is not the product's."""
    packed = gzip.compress(PDF * 100)
    async with RawServer(reply(200, packed, content_type="application/pdf", content_encoding="gzip")) as server:
        client = await connect(server.url)
        assert await way(at(client, f"{server.url}/a.pdf"), tmp_path) == PDF * 100
    assert len(server.requests) == 1
    assert server.requests[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
async def test_a_body_without_a_length(way: Way, connect: Connect, tmp_path: Path) -> None:
    async with RawServer(broken_off(HEAD + b"\r\n" + PDF)) as server:
        client = await connect(server.url)
        assert await way(at(client, f"{server.url}/a.pdf"), tmp_path) == PDF


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
async def test_an_empty_product(way: Way, connect: Connect, tmp_path: Path) -> None:
    async with RawServer(reply(200, b"", content_type="text/html")) as server:
        client = await connect(server.url)
        assert await way(at(client, f"{server.url}/a.html"), tmp_path) == b""


NAMES: list[tuple[str, str, str]] = [
    # path, Content-Disposition, the name in the folder
    ("/a.pdf", "", "a.pdf"),
    ("/a.pdf", "attachment; filename=b.pdf", "b.pdf"),
    ("/a.pdf", 'attachment; filename="march statement.pdf"', "march statement.pdf"),
    ("/a.pdf", "attachment; filename=\"x.pdf\"; filename*=UTF-8''Z%C3%BCrich%20%E2%82%AC.pdf", "Zürich €.pdf"),
    ("/a.pdf", "inline; filename=../../etc/passwd", "passwd.pdf"),
    ("/a.pdf", 'attachment; filename="C:\\\\Windows\\\\nul.pdf"', "_nul.pdf"),
    ("/a.pdf", 'attachment; filename="..."', "document.pdf"),
    ("/files/2026%2F03.pdf", "", "03.pdf"),
    ("/", "", "html-pdf-7Kq2.pdf"),
    ("/download", "", "download.pdf"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("path", "disposition", "name"), NAMES)
async def test_the_name_in_a_folder(path: str, disposition: str, name: str, connect: Connect, tmp_path: Path) -> None:
    async with RawServer(reply(200, PDF, content_type="application/pdf", content_disposition=disposition)) as server:
        client = await connect(server.url)
        saved = await at(client, f"{server.url}{path}?{SECRET}").save(tmp_path)
        document = await at(client, f"{server.url}{path}?{SECRET}").result()
    assert saved == tmp_path / name
    assert document.filename == name
    assert [item.name for item in tmp_path.iterdir()] == [name]


@pytest.mark.asyncio
async def test_nothing_in_a_folder_is_replaced(connect: Connect, tmp_path: Path) -> None:
    async with RawServer(GOOD) as server:
        client = await connect(server.url)
        conversion = at(client, f"{server.url}/a.pdf")
        await asyncio.gather(*(conversion.save(tmp_path) for _ in range(8)))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"a.pdf", *(f"a ({number}).pdf" for number in range(2, 9))}


@pytest.mark.asyncio
async def test_an_exact_path_is_replaced_only_by_a_whole_file(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"old")
    async with RawServer(DURING[0][1], DURING[0][1], GOOD) as server:
        client = await connect(server.url, retry=RetryPolicy(attempts=2))
        conversion = at(client, f"{server.url}/a.pdf")
        with pytest.raises(DownloadError):
            await conversion.save(path)
        assert path.read_bytes() == b"old"
        assert await conversion.save(path) == path
    assert path.read_bytes() == PDF
    assert list(tmp_path.iterdir()) == [path]


# --- disk and memory ------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
async def test_a_disk_that_refuses(
    call: str, service: Service, client: AsyncCloudlayer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = service.asset("/a.pdf", b"x" * 3_000_000)

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(DownloadError, match="No space left") as caught:
        await at(client, url).save(tmp_path / "a.pdf")
    with pytest.raises(DownloadError):
        await client.download_asset(Asset(id="1", url=url), tmp_path / "b.pdf")
    monkeypatch.undo()
    assert caught.value.job_id == "7Kq2"
    assert list(tmp_path.iterdir()) == []
    assert len(service.downloads) == 2  # a full disk is not the server's fault


@pytest.mark.asyncio
@pytest.mark.parametrize("way", ["save", "stream"])
async def test_a_large_product_takes_constant_memory(way: str, connect: Connect, tmp_path: Path) -> None:
    size, piece = 50_000_000, b"x" * 100_000

    async def pour(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(HEAD + f"Content-Length: {size}\r\n\r\n".encode())
        for _ in range(size // len(piece)):
            await exchange.send(piece)

    async with RawServer(pour) as server:
        client = await connect(server.url)
        conversion = at(client, f"{server.url}/a.pdf")
        tracemalloc.start()
        try:
            if way == "save":
                assert (await conversion.save(tmp_path / "a.pdf")).stat().st_size == size
            else:
                taken = 0
                async with conversion.stream() as chunks:
                    async for chunk in chunks:
                        taken += len(chunk)
                assert taken == size
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.asyncio
async def test_a_stream_that_is_left_early_hangs_up(connect: Connect) -> None:
    async def endless(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(HEAD + b"Content-Length: 1000000000\r\n\r\n")
        while True:
            await exchange.send(b"x" * 100_000)

    async with RawServer(endless) as server:
        client = await connect(server.url, max_connections=1)
        for _ in range(3):  # the gate is free again each time
            async with at(client, f"{server.url}/a.pdf").stream() as chunks:
                async for chunk in chunks:
                    assert chunk
                    break
            await server.hung_up.wait()
            server.hung_up.clear()
        with pytest.raises(RuntimeError, match="mine"):
            async with at(client, f"{server.url}/a.pdf").stream() as chunks:
                async for _ in chunks:
                    raise RuntimeError("mine")
        await server.hung_up.wait()
    assert server.open == 0


@pytest.mark.asyncio
async def test_downloads_do_not_keep_calls_waiting(connect: Connect) -> None:
    """Each has a gate of its own."""

    async def forever(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(HEAD + b"Content-Length: 10\r\n\r\nx")
        await exchange.gone()

    async with RawServer(forever) as assets, RawServer(reply(200, {"status": "ok"})) as api:
        client = await connect(api.url, max_connections=1)
        async with at(client, f"{assets.url}/a.pdf").stream():
            assert (await client.get_status()).ok


@pytest.mark.asyncio
@pytest.mark.parametrize("way", WAYS)
async def test_a_closed_client_downloads_nothing(way: Way, service: Service, connect: Connect, tmp_path: Path) -> None:
    client = await connect(service.url)
    conversion = at(client, service.asset("/a.pdf", PDF))
    await client.aclose()
    with pytest.raises(ConfigError, match="closed"):
        await way(conversion, tmp_path)
    assert service.downloads == []
    assert list(tmp_path.iterdir()) == []
    assert http(200)
