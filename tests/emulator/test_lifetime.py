"""Starting and stopping, in a program and from the shell."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from cloudlayer_async.emulator import Emulator

from .conftest import FakeRenderer, Start, html


@pytest.mark.asyncio
async def test_start_and_aclose() -> None:
    renderer = FakeRenderer()
    emulator = Emulator(renderer=renderer)
    with pytest.raises(RuntimeError):
        _ = emulator.base_url
    await emulator.start()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", emulator.base_url)
    assert re.fullmatch(r"cl-[0-9a-f]{32}", emulator.api_key)
    assert emulator.engine_name == "fake 1.0"
    assert emulator.api_key not in repr(emulator) + repr(emulator.service.settings)
    with pytest.raises(RuntimeError):
        await emulator.start()
    await emulator.aclose()
    await emulator.aclose()
    assert renderer.state == "closed"
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(emulator.base_url)


@pytest.mark.asyncio
async def test_a_taken_port_leaves_nothing_behind(start: Start) -> None:
    async with start() as caller:
        port = int(caller.emulator.base_url.rpartition(":")[2])
        renderer = FakeRenderer()
        with pytest.raises(OSError):
            await Emulator(renderer=renderer, port=port).start()
        assert renderer.state == "closed"


@pytest.mark.parametrize(
    "settings",
    [
        {"api_keys": []},
        {"api_keys": "cl-one"},
        {"api_keys": [f"cl-{number}" for number in range(6)]},
        {"api_keys": [" "]},
        {"dialect": "d99"},
        {"plan": "free"},
        {"workers": 0},
    ],
)
def test_wrong_settings(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Emulator(**settings)  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_closing_while_rendering(start: Start) -> None:
    renderer = FakeRenderer()
    renderer.open.clear()
    async with start(renderer=renderer, workers=2) as caller:
        for _ in range(5):
            await caller.submit()
        waiting = asyncio.create_task(caller.send("POST", "/v1/html/pdf", json={"html": html("x")}))
        while caller.emulator.seen.accepted < 6 or renderer.running < 2:
            await asyncio.sleep(0)
        temporary = caller.emulator.service.store
        started = time.monotonic()
        await caller.emulator.aclose()
        assert time.monotonic() - started < 1.5
        status, error, _ = await waiting
        assert (status, error["message"]) == (503, "The emulator is shutting down")
    assert renderer.cancelled == 2
    assert not list(temporary.files_directory.parent.glob(temporary.files_directory.name))
    gc.collect()


@pytest.mark.asyncio
async def test_a_client_that_goes_away_does_not_end_the_job(start: Start) -> None:
    async with start() as caller:
        caller.renderer.open.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await caller.send("POST", "/v1/html/pdf", json={"html": html("x"), "name": "left"})
        caller.renderer.open.set()
        await caller.emulator.settle()
        [job] = await caller.get("/v1/jobs")
        assert (job["name"], job["status"]) == ("left", "success")


@pytest.mark.asyncio
async def test_watching_the_feed(start: Start) -> None:
    async with start() as caller:
        seen: list[tuple[str, str]] = []

        async def watch() -> None:
            with caller.emulator.service.feed.subscribe() as events:
                ready.set()
                seen.extend([(event.kind, event.id) async for event in events])

        ready = asyncio.Event()
        watching = asyncio.create_task(watch())
        await ready.wait()
        job = await caller.finished()
        caller.emulator.faults.add("stuck")
        await caller.emulator.aclose()
        await watching
        assert ("job", job["id"]) in seen
        assert ("asset", job["assetId"]) in seen
        assert ("fault", "f1") in seen


def test_importing_the_package_is_cheap() -> None:
    code = "import sys, cloudlayer_async.emulator; print(sorted({'aiohttp', 'attrs', 'jinja2'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_emulator_knows_nothing_of_the_client() -> None:
    package = Path(sys.modules["cloudlayer_async.emulator"].__file__ or "").parent
    for path in package.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        depth = len(path.relative_to(package).parts)
        assert not re.search(r"^\s*(from|import) cloudlayer_async(?!\.emulator)", source, re.MULTILINE), path
        assert not re.search(rf"^\s*from \.{{{depth + 1},}}", source, re.MULTILINE), path


READY = re.compile(r"cloudlayer emulator ready at (http://127\.0\.0\.1:\d+) with key (cl-\S+)\n")


@asynccontextmanager
async def shell(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the emulator as a command; it does not outlive the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cloudlayer_async.emulator", "--port", "0", "--engine", "plutoprint", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()  # not killed: then it would leave its folders behind
        await process.communicate()


@pytest.mark.asyncio
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_from_the_shell(number: signal.Signals) -> None:
    async with shell("--dialect", "ok-space") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = (await process.stdout.readline()).decode()
        ready = READY.fullmatch(line)
        assert ready, (line, await process.stderr.read())
        async with aiohttp.ClientSession(headers={"X-API-Key": ready[2]}) as session:
            async with session.get(ready[1] + "/v2/getStatus") as response:
                assert await response.json() == {"status": "ok "}
            page = html("<h1>x</h1>" * 20_000)
            for _ in range(3):
                async with session.post(ready[1] + "/v2/html/pdf", json={"html": page}) as response:
                    assert response.status == 202
            process.send_signal(number)
            _, errors = await process.communicate()
        assert process.returncode == 0
        assert b"Traceback" not in errors
        assert ready[2].encode() not in errors


def test_the_shell_names_the_dialects_and_refuses_wrong_ones() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cloudlayer_async.emulator", *arguments], capture_output=True, text=True, check=False
        )

    listed = run("--dialect", "list")
    assert listed.returncode == 0
    assert {"d24", "d26a", "d26b", "timestamp-iso"} <= set(listed.stdout.split())
    for arguments, status, told in [
        (("--dialect", "d99"), 1, "Unknown dialect 'd99'"),
        (("--port", "99999"), 2, "--port: must be between 0 and 65535"),
        (("--port", "x"), 2, "--port: invalid port value: 'x'"),
        (("--workers", "0"), 2, "--workers: must be at least 1"),
        (("--max-age", "nan"), 2, "--max-age: must be a number of seconds"),
        (("--fault", "bogus"), 2, "--fault: 'bogus': kind must be one of latency, "),
        (("--fault", "status; status=many"), 2, "'many' is not a number"),
        (("--template", "letter.html"), 2, "--template: takes ID=FILE"),
        (("--template", "u-x=nothing.html"), 1, "No such file or directory: nothing.html"),
    ]:
        wrong = run(*arguments)
        assert (wrong.returncode, wrong.stdout) == (status, "")
        assert told in wrong.stderr
        assert "Traceback" not in wrong.stderr
    assert "--fault" in run("--help").stdout


@pytest.mark.asyncio
async def test_the_shell_says_why_it_cannot_start(tmp_path: Path) -> None:
    async with shell("--directory", str(tmp_path)) as process:
        assert process.stdout is not None
        ready = READY.fullmatch((await process.stdout.readline()).decode())
        assert ready
        assert "renders with plutoprint" in (await process.stdout.readline()).decode()
        port = ready[1].rpartition(":")[2]
        for arguments, told in [
            (("--port", port), f"Cannot listen on 127.0.0.1 port {port}: Address already in use; choose another"),
            (("--directory", str(tmp_path)), f"Another emulator uses the directory {tmp_path}"),
        ]:
            async with shell(*arguments) as second:
                output, errors = await second.communicate()
            assert (second.returncode, output) == (1, b"")
            assert told in errors.decode()
            assert b"Traceback" not in errors


def test_the_shell_without_the_extra(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudlayer_async.emulator.__main__ import main

    monkeypatch.setitem(sys.modules, "cloudlayer_async.emulator.server", None)
    assert main(["--port", "0"]) == 1
    assert "pip install 'cloudlayer-async[emulator]'" in capsys.readouterr().err
