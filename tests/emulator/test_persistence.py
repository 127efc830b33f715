"""A directory that outlives the emulator."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
