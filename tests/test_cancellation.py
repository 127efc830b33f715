"""Cancelled at every await: nothing is left behind, no job id is lost, and what may have been paid for is said."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import random
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from conftest import Connect
from servers import DONE, JOB, PDF, Exchange, RawServer, Service, Step, hang_up, http, reply, silence

from cloudlayer_async import (
    AsyncCloudlayer,
    DocxToPdf,
    HtmlToPdf,
    Job,
    JobStatus,
    PollSchedule,
    RetryPolicy,
)

pytestmark = pytest.mark.usefixtures("no_complaints", "no_environment")


def open_files() -> list[str]:
    """The regular files this process has open, those without a name included."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            continue  # the listing's own
        if target.startswith("/") and not target.startswith(("/dev/", "/proc/", "/sys/")):
            found.append(target)
    return sorted(found)


@asynccontextmanager
async def nothing_left(client: AsyncCloudlayer, *servers: RawServer, folder: Path | None = None) -> AsyncIterator[None]:
    """No task of ours survives the block; no socket, file or temporary file survives the client."""
    tasks, files = asyncio.all_tasks(), open_files()
    before = sorted(folder.rglob("*")) if folder else []
    yield
    ours = {task for task in asyncio.all_tasks() - tasks if "_serve" not in repr(task)}
    assert not ours
    await client.aclose()
    for server in servers:
        while server.open:
            server.hung_up.clear()
            await server.hung_up.wait()
    if folder:
        assert sorted(folder.rglob("*")) == before
    assert open_files() == files
    # The executor keeps its idle threads; none of them may be at work.
    busy = [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("asyncio_") and "cloudlayer" in str(sys._current_frames().get(thread.ident or 0))
    ]
    assert not busy


# --- submission -----------------------------------------------------------------------------------------------------


class Stage:
    """How far a submission has come when it is cancelled."""

    left = True
    """Whether bytes of it had left."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.release = threading.Event()

    def steps(self) -> list[Step]:
        """What the server does."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """How the client is set up."""
        return {}

    def request(self, folder: Path) -> Any:
        """What is submitted."""
        return HtmlToPdf("<p>", name="march")

    def address(self, server: RawServer) -> str:
        """Where it is sent."""
        return server.url

    async def prepare(self, client: AsyncCloudlayer) -> None:
        """What happens before."""

    async def _head(self, exchange: Exchange) -> None:
        await exchange.head()
        self.reached.set()
        await exchange.gone()

    async def _whole(self, exchange: Exchange) -> None:
        await exchange.request()
        self.reached.set()
        await exchange.gone()


class FetchingTheKey(Stage):
    left = False

    def steps(self) -> list[Step]:
        return [self._whole]

    def settings(self) -> dict[str, Any]:
        async def key() -> str:
            self.reached.set()
            await asyncio.Event().wait()
            return "never"

        return {"key": key}


class WaitingForTheGate(Stage):
    left = False

    def steps(self) -> list[Step]:
        return [silence]

    def settings(self) -> dict[str, Any]:
        return {"max_connections": 1}

    async def prepare(self, client: AsyncCloudlayer) -> None:
        self.other = asyncio.ensure_future(client.get_status())
        await asyncio.sleep(0.02)
        self.reached.set()


class Connecting(Stage):
    left = False

    def steps(self) -> list[Step]:
        async def stall(exchange: Exchange) -> None:
            await exchange.begins()
            self.reached.set()
            await exchange.gone()

        return [stall]

    def address(self, server: RawServer) -> str:
        return server.url.replace("http:", "https:")


class HeldBack(Stage):
    left = False

    def steps(self) -> list[Step]:
        return [reply(429, retry_after="50")]

    def settings(self) -> dict[str, Any]:
        return {"on_attempt": lambda _: self.reached.set()}


class BackingOff(Stage):
    left = False

    def steps(self) -> list[Step]:
        return [silence]

    def settings(self) -> dict[str, Any]:
        return {"on_attempt": lambda _: self.reached.set()}

    def address(self, server: RawServer) -> str:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            return f"http://127.0.0.1:{sock.getsockname()[1]}"


class BackingOffAfterADoubtfulTry(Stage):
    def steps(self) -> list[Step]:
        return [hang_up]

    def settings(self) -> dict[str, Any]:
        return {"on_attempt": lambda _: self.reached.set(), "retry": RetryPolicy(resubmit_ambiguous=True)}


class SendingALargeBody(Stage):
    def steps(self) -> list[Step]:
        return [self._deaf]

    async def _deaf(self, exchange: Exchange) -> None:
        await exchange.head()
        self.reached.set()
        await asyncio.sleep(0.05)  # for the buffers on the way to fill up
        await exchange.gone()

    def request(self, folder: Path) -> Any:
        path = folder / "big.docx"
        with path.open("wb") as file:
            file.truncate(50_000_000)
        return DocxToPdf(path, name="march")


class ReadingTheFile(Stage):
    def steps(self) -> list[Step]:
        return [self._whole]

    def request(self, folder: Path) -> Any:
        loop, stage = asyncio.get_running_loop(), self

        class Slow(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                loop.call_soon_threadsafe(stage.reached.set)
                stage.release.wait(5)
                return super().read(size)

        return DocxToPdf(Slow(b"x" * 1000), name="march")


class WaitingForTheReply(Stage):
    def steps(self) -> list[Step]:
        return [self._whole]


class InTheRepliesHeaders(Stage):
    def steps(self) -> list[Step]:
        async def step(exchange: Exchange) -> None:
            await exchange.request()
            await exchange.send(b"HTTP/1.1 202 Accepted\r\nContent-Type: applic")
            self.reached.set()
            await exchange.gone()

        return [step]


class InTheRepliesBody(Stage):
    def steps(self) -> list[Step]:
        async def step(exchange: Exchange) -> None:
            await exchange.request()
            await exchange.send(http(202, JOB)[:-5])
            self.reached.set()
            await exchange.gone()

        return [step]


class InALargeProduct(Stage):
    def steps(self) -> list[Step]:
        async def step(exchange: Exchange) -> None:
            await exchange.request()
            await exchange.send(http(201, b"x" * 12_000_000, content_type="application/pdf")[:-5])
            self.reached.set()
            await exchange.gone()

        return [step]


STAGES = [
    FetchingTheKey,
    WaitingForTheGate,
    Connecting,
    HeldBack,
    BackingOff,
    BackingOffAfterADoubtfulTry,
    SendingALargeBody,
    ReadingTheFile,
    WaitingForTheReply,
    InTheRepliesHeaders,
    InTheRepliesBody,
    InALargeProduct,
]


@pytest.mark.asyncio
@pytest.mark.parametrize("stage_type", STAGES, ids=[stage.__name__ for stage in STAGES])
@pytest.mark.parametrize("kind", ["owned", "borrowed"])
async def test_a_submission_cancelled(
    kind: str,
    stage_type: type[Stage],
    tmp_path: Path,
    temporary: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    caplog.set_level(logging.INFO, "cloudlayer_async")
    stage = stage_type()
    request = stage.request(tmp_path)
    async with RawServer(*stage.steps()) as server, aiohttp.ClientSession() as session:
        settings = stage.settings()
        key = settings.pop("key", "cl-key")
        borrowed = {"session": session} if kind == "borrowed" else {}
        client = AsyncCloudlayer(key, base_url=stage.address(server), **settings, **borrowed)
        others: set[Any] = set()
        async with nothing_left(client, *([] if kind == "borrowed" else [server]), folder=temporary):
            await stage.prepare(client)
            others = {task for task in [getattr(stage, "other", None)] if task}
            task = asyncio.ensure_future(client.submit(request))
            await stage.reached.wait()
            await asyncio.sleep(0.02)
            assert not task.done()
            task.cancel("enough")
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            stage.release.set()
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await asyncio.sleep(0)
    assert type(caught.value) is asyncio.CancelledError
    assert caught.value.args == ("enough",)
    ours = [record for record in caplog.records if record.name.startswith("cloudlayer_async")]  # older aiohttps chatter
    warnings = [record.getMessage() for record in ours if record.levelno >= logging.WARNING]
    if stage.left:
        assert caught.value.maybe_billed is True  # type: ignore[attr-defined]
        (note,) = caught.value.__notes__
        assert "'march'" in note
        (warning,) = warnings
        assert "'march'" in warning
        assert "may exist and be billed" in warning
    else:
        assert not hasattr(caught.value, "maybe_billed")
        assert not hasattr(caught.value, "__notes__")
        assert warnings == []


@pytest.mark.asyncio
async def test_a_page_that_is_being_read_is_let_go(
    service: Service, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, reached, release = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    page = tmp_path / "page.html"
    page.write_text("<p>")
    real = Path.open

    def slow(path: Path, *arguments: Any, **named: Any) -> Any:
        if path == page:
            loop.call_soon_threadsafe(reached.set)
            release.wait(5)
        return real(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", slow)
    client = await connect(service.url)
    task = asyncio.ensure_future(client.html_to_pdf(page))
    await reached.wait()
    task.cancel()
    await asyncio.sleep(0.01)
    assert not task.done()  # a cancellation waits for the disk
    release.set()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert not hasattr(caught.value, "maybe_billed")
    assert service.requests == []


@pytest.mark.asyncio
async def test_a_timeout_of_the_callers(service: Service, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    async with RawServer(silence) as server:
        client = await connect(server.url)
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.1):
                await client.html_to_pdf("<p>", name="march")
    assert caught.value.__cause__.maybe_billed is True  # type: ignore[union-attr]
    assert "'march'" in caplog.text
    assert len(server.requests) == 1


@pytest.mark.asyncio
async def test_a_read_or_a_write_that_is_cancelled_is_no_matter(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    async with RawServer(silence) as server:
        client = await connect(server.url)
        for call in (client.get_status(), client.delete_storage("x")):
            task = asyncio.ensure_future(call)
            await server.arrived.wait()
            server.arrived.clear()
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            assert not hasattr(caught.value, "maybe_billed")
    assert not [record for record in caplog.records if record.name.startswith("cloudlayer")]


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_one_of_many_is_cancelled_and_the_others_go_on(connect: Connect) -> None:
    release = asyncio.Event()

    async def late(exchange: Exchange) -> None:
        await exchange.request()
        await release.wait()
        await exchange.send(http(202, JOB))

    async with RawServer(late) as server:
        client = await connect(server.url)
        tasks = [asyncio.ensure_future(client.html_to_pdf(f"<p>{n}")) for n in range(20)]
        while len(server.requests) < 20:
            server.arrived.clear()
            await server.arrived.wait()
        tasks[7].cancel()
        release.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results].count(True) == 1
    assert len(server.requests) == 20


# --- convert and the handle -----------------------------------------------------------------------------------------

Hook = Callable[[], Awaitable[None]]


@pytest.mark.asyncio
@pytest.mark.parametrize("stage", ["sleeping", "reading the job", "opening", "downloading", "writing", "committing"])
async def test_convert_cancelled(
    stage: str, service: Service, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, reached, release = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    answered = asyncio.Event()

    def block(real: Any) -> Any:
        def blocked(*arguments: Any, **named: Any) -> Any:
            loop.call_soon_threadsafe(reached.set)
            release.wait(5)
            return real(*arguments, **named)

        return blocked

    async def endless(request: web.Request) -> web.StreamResponse:
        reached.set()
        await answered.wait()
        return web.json_response(DONE)

    async def partial(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "5000000"})
        await response.prepare(request)
        await response.write(b"x" * 3_000_000)
        reached.set()
        await answered.wait()
        return response

    service.answers("POST /v2/html/pdf", JOB, status=202)
    url = service.asset(
        "/a.pdf", {"opening": endless, "downloading": partial, "writing": b"x" * 2_000_000}.get(stage, PDF)
    )
    done = {**DONE, "assetUrl": url}
    service.answers("GET /v2/jobs/7Kq2", {"reading the job": endless, "sleeping": JOB}.get(stage, done))
    if stage == "writing":
        monkeypatch.setattr(os, "write", block(os.write))
    if stage == "committing":
        monkeypatch.setattr(os, "replace", block(os.replace))
    folder = tmp_path / "out"
    folder.mkdir()
    client = await connect(service.url)
    if stage != "sleeping":
        monkeypatch.setattr("cloudlayer_async.polling._FIRST_DELAY", 0.0)
        client = client.with_options(polling=PollSchedule(min_interval=0.01))
    tasks = asyncio.all_tasks()
    task = asyncio.ensure_future(client.convert(HtmlToPdf("<p>"), save_to=folder / "a.pdf"))
    if stage == "sleeping":
        while not service.requests:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
    else:
        await reached.wait()
        await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.sleep(0.01)
    release.set()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    answered.set()
    assert caught.value.job_id == "7Kq2"  # type: ignore[attr-defined]
    assert caught.value.maybe_billed is True  # type: ignore[attr-defined]
    assert "attach('7Kq2')" in caught.value.__notes__[0]
    await asyncio.sleep(0.01)
    ours = {item for item in asyncio.all_tasks() - tasks if "web_protocol" not in repr(item)}
    assert not ours
    monkeypatch.undo()
    # Too late to take back what was being put into its place: it is there, and whole.
    left = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert left == ({"a.pdf": PDF} if stage == "committing" else {})


@pytest.mark.asyncio
async def test_convert_cancelled_with_the_product_in_hand(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No job to resume, but it was paid for."""
    loop, reached, release = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    real = os.write

    def slow(*arguments: Any) -> int:
        loop.call_soon_threadsafe(reached.set)
        release.wait(5)
        return real(*arguments)

    monkeypatch.setattr(os, "write", slow)
    async with RawServer(reply(201, PDF * 100_000, content_type="application/pdf")) as server:
        client = await connect(server.url, api_version="v1")
        task = asyncio.ensure_future(client.convert(HtmlToPdf("<p>"), save_to=tmp_path / "a.pdf"))
        await reached.wait()
        task.cancel()
        release.set()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert caught.value.maybe_billed is True  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.asyncio
async def test_cancelling_a_wait_stops_the_waiting_only(service: Service, connect: Connect) -> None:
    service.answers("POST /v2/html/pdf", JOB, status=202)
    service.answers("GET /v2/jobs/7Kq2", {**DONE, "assetUrl": service.asset("/a.pdf", PDF)})
    client = await connect(service.url)
    conversion = await client.html_to_pdf("<p>")
    task = asyncio.ensure_future(conversion.wait())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert conversion.job_id == "7Kq2"
    assert (await client.attach("7Kq2").result()).content == PDF
    assert service.count("POST /v2/html/pdf") == 1


@pytest.mark.asyncio
async def test_a_stream_cancelled_hangs_up(connect: Connect) -> None:
    async def endless(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx")
        await exchange.gone()

    async with RawServer(endless) as server:
        client = await connect(server.url)
        conversion = client.attach(Job(id="1", status=JobStatus.SUCCESS, asset_url=f"{server.url}/a"))

        async def read() -> None:
            async with conversion.stream() as chunks:
                async for _ in chunks:
                    pass

        task = asyncio.ensure_future(read())
        await server.arrived.wait()
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.hung_up.wait()
        assert server.open == 0


@pytest.mark.asyncio
async def test_the_end_of_the_loop_waits_for_the_disk(tmp_path: Path) -> None:
    """asyncio.run cancels every task at its end; a thread that writes must not find its file closed under it."""
    script = f"""
        import asyncio, os, threading, time
        from cloudlayer_async.downloads import FileSink, Head
        from cloudlayer_async.files import check_target

        real, faults = os.write, []

        def slow(descriptor, data):
            time.sleep(0.1)
            try:
                return real(descriptor, data)
            except OSError as error:
                faults.append(error)
                raise

        async def save():
            async with FileSink(check_target({str(tmp_path / "a.pdf")!r})) as sink:
                await sink.begin(Head(filename="a.pdf", content_type="x/y"))
                os.write = slow
                await sink.add(b"x" * 3_000_000)

        async def main():
            task = asyncio.ensure_future(save())
            await asyncio.sleep(0.05)

        asyncio.run(main())
        os.write = real
        assert not faults, faults
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.asyncio
async def test_ctrl_c_after_it_left() -> None:
    async with RawServer(silence) as server:
        script = f"""
            import asyncio, logging, os, signal
            from cloudlayer_async import AsyncCloudlayer

            logging.basicConfig(level=logging.WARNING)

            async def main():
                async with AsyncCloudlayer("cl-sesame", base_url={server.url!r}) as client:
                    await client.html_to_pdf("<p>", name="march")

            try:
                asyncio.run(main())
            except KeyboardInterrupt as error:
                cancelled = error.__context__
                print(type(error).__name__, cancelled.maybe_billed, cancelled.__notes__)
        """
        command = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        await server.arrived.wait()
        process.send_signal(2)
        output, errors = await process.communicate()
        await server.hung_up.wait()
    assert output.decode().startswith('KeyboardInterrupt True ["POST /v2/html/pdf had already left')
    assert "'march'" in errors.decode()
    assert "sesame" not in errors.decode()
    assert len(server.requests) == 1
