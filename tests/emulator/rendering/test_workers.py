"""Workers that hang, crash, are cancelled or lose their parent."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from cloudlayer_async.emulator.rendering import Renderer, RenderError, RenderSpec

from .conftest import Site
from .reading import descendants, is_alive, make, make_pdf, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

_ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


def workers() -> set[int]:
    return {pid for pid, command in descendants(os.getpid()).items() if "rendering.worker" in command}


async def test_work_that_does_not_end_is_ended_by_its_timeout(pluto: Renderer) -> None:
    spec = RenderSpec(conversion="template-pdf", template=_ENDLESS, options={"timeout": 200})
    began = time.monotonic()
    with pytest.raises(RenderError, match="Timeout of 200 ms exceeded"):
        await pluto.render(spec)
    assert time.monotonic() - began < 2
    assert (await make_pdf(pluto, "after")).text == "after"


async def test_delay_counts_toward_the_timeout(renderer: Renderer) -> None:
    with pytest.raises(RenderError, match="Timeout of 150 ms exceeded"):
        await make(renderer, "html-pdf", "text", delay=60_000, timeout=150)


async def test_a_killed_worker_fails_its_own_job_only(site: Site) -> None:
    renderer = Renderer(engine="plutoprint", workers=2, allowed_hosts=[site.host])
    before = workers()
    await renderer.start()
    try:
        held = asyncio.ensure_future(make(renderer, "html-pdf", f"<img src={site.origin}/held>"))
        await site.held.wait()
        [victim] = workers() - before
        neighbour = asyncio.ensure_future(make_pdf(renderer, "neighbour"))
        assert (await neighbour).text == "neighbour"
        os.kill(victim, signal.SIGKILL)
        with pytest.raises(RenderError, match="brought its worker process down"):
            await held
        documents = await asyncio.gather(*(make_pdf(renderer, f"after {number}") for number in range(4)))
        assert [document.text for document in documents] == [f"after {number}" for number in range(4)]
    finally:
        await renderer.aclose()
    assert workers() == before


async def test_cancelling_kills_the_work(site: Site) -> None:
    renderer = Renderer(engine="plutoprint", workers=1, allowed_hosts=[site.host])
    before = workers()
    await renderer.start()
    try:
        work = asyncio.ensure_future(make(renderer, "html-pdf", f"<img src={site.origin}/held>"))
        await site.held.wait()
        [worker] = workers() - before
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert not is_alive(worker)
        assert (await make_pdf(renderer, "after")).text == "after"
    finally:
        await renderer.aclose()


async def test_closing_ends_work_under_way(site: Site) -> None:
    renderer = Renderer(engine="plutoprint", workers=1, allowed_hosts=[site.host])
    before = workers()
    await renderer.start()
    work = asyncio.ensure_future(make(renderer, "html-pdf", f"<img src={site.origin}/held>"))
    waiting = asyncio.ensure_future(make(renderer, "html-pdf", "waits for the worker"))
    await site.held.wait()
    await renderer.aclose()
    for job in (work, waiting):
        with pytest.raises(RenderError):
            await job
    assert workers() == before
    await renderer.aclose()


_PARENT = """
import asyncio
from cloudlayer_async.emulator.rendering import Renderer, RenderSpec

async def main():
    renderer = Renderer(engine={engine!r}, workers=2)
    await renderer.start()
    template = {template!r}
    work = asyncio.ensure_future(renderer.render(RenderSpec(conversion="template-pdf", template=template)))
    await asyncio.sleep(0)
    print("started", flush=True)
    await work

asyncio.run(main())
"""


async def orphans_of(engine: str, template: str, folder: Path) -> dict[int, str]:
    """Start a renderer in a process, have it work, kill that process; return what ran below it."""
    source = _PARENT.format(engine=engine, template=template)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE, env={**os.environ, "TMPDIR": str(folder)}
    )
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"started\n"
    below = descendants(parent.pid)
    parent.kill()
    await parent.wait()
    return below


async def test_no_worker_survives_its_parent(tmp_path: Path) -> None:
    below = await orphans_of("plutoprint", _ENDLESS, tmp_path)
    assert any("rendering.worker" in command for command in below.values())
    await until(lambda: not any(is_alive(pid) for pid in below))


async def test_workers_are_not_told_the_environments_secrets(pluto: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDLAYER_API_KEY", "cl-secret")
    before = workers()
    renderer = Renderer(engine="plutoprint", workers=1)
    await renderer.start()
    try:
        [worker] = workers() - before
        if sys.platform == "linux":
            with open(f"/proc/{worker}/environ", "rb") as environment:
                assert b"cl-secret" not in environment.read()
    finally:
        await renderer.aclose()


async def test_a_large_document_does_not_block_the_loop(pluto: Renderer) -> None:
    html = "<table>" + "<tr><td>cell<td>cell" * 20_000
    work = asyncio.ensure_future(make(pluto, "html-pdf", html))
    longest, last = 0.0, time.monotonic()
    began = last
    while not work.done():
        await asyncio.sleep(0.001)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    await work
    assert longest < (last - began) / 2
