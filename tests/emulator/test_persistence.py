"""A directory that outlives the emulator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cloudlayer_async.emulator import Emulator

from .conftest import PDF, FakeRenderer, Start


@pytest.mark.asyncio
async def test_jobs_and_assets_are_there_again(start: Start, tmp_path: Path) -> None:
    key = "cl-" + "k" * 30
    async with start(directory=tmp_path / "kept", api_keys=[key]) as caller:
        done = await caller.finished(name="first", generatePreview=True, webhook="http://127.0.0.1:1/secret-path")
        account = await caller.get("/v2/account")
    async with start(directory=tmp_path / "kept", api_keys=[key]) as caller:
        again = await caller.get(f"/v2/jobs/{done['id']}")
        changing = {"assetUrl", "previewUrl", "self"}
        assert {name: again[name] for name in again if name not in changing} == {
            name: done[name] for name in done if name not in changing
        }
        async with caller.session.get(again["assetUrl"]) as response:
            assert await response.read() == PDF
        async with caller.session.get(again["previewUrl"]) as response:
            assert response.content_type == "image/webp"
        assert await caller.get("/v2/account") == account
        await caller.finished(name="second")
        assert [job["name"] for job in await caller.get("/v2/jobs")] == ["second", "first"]
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(key.encode() in text or b"secret-path" in text for text in texts)


@pytest.mark.asyncio
async def test_a_job_cut_short_has_failed(start: Start, tmp_path: Path) -> None:
    renderer = FakeRenderer()
    renderer.open.clear()
    async with start(directory=tmp_path, renderer=renderer) as caller:
        job = await caller.submit()
        while not list((tmp_path / "jobs").glob("*.json")) or not renderer.running:
            await caller.get("/v2/jobs")
    async with start(directory=tmp_path) as caller:
        again = await caller.get(f"/v2/jobs/{job['id']}")
        assert again["status"] == "error"
        assert "stopped" in again["error"]
        assert (await caller.get("/v2/account"))["errorJobs"] == 1


@pytest.mark.asyncio
async def test_what_goes_is_gone_from_the_directory(start: Start, tmp_path: Path) -> None:
    async with start(directory=tmp_path, max_bytes=len(PDF)) as caller:
        for _ in range(3):
            await caller.finished()
    assert len(list((tmp_path / "files").iterdir())) == 1
    assert len(list((tmp_path / "assets").iterdir())) == 1
    async with start(directory=tmp_path, max_age=0.0) as caller:
        assert await caller.get("/v2/jobs") == []
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["lock"]


@pytest.mark.asyncio
async def test_a_directory_serves_one_emulator_at_a_time(start: Start, tmp_path: Path) -> None:
    async with start(directory=tmp_path) as caller:
        job = await caller.finished()
        second = Emulator(renderer=FakeRenderer(), directory=tmp_path)
        with pytest.raises(OSError, match="Another emulator uses the directory"):
            await second.start()
        assert (await caller.get(f"/v2/jobs/{job['id']}"))["status"] == "success"
    async with start(directory=tmp_path) as caller:
        assert len(await caller.get("/v2/jobs")) == 1


@pytest.mark.asyncio
async def test_another_process_cannot_have_it_either_and_a_dead_one_holds_nothing(start: Start, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from cloudlayer_async.emulator.persistence import Archive;"
        "archive = Archive(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(OSError, match="Another emulator uses"):
            async with start(directory=tmp_path):
                pass
        holder.kill()
    async with start(directory=tmp_path) as caller:
        assert await caller.get("/v2/jobs") == []
