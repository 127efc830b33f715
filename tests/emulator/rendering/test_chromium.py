"""What only a browser does: scripts, waiting, emulation; and that it stays where it is put."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cloudlayer_async.emulator.rendering import Renderer, RenderError, RenderSpec

from .conftest import Site, needs_chromium
from .reading import descendants, is_alive, make, make_image, make_pdf, pdf, pixel, until
from .test_workers import orphans_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_chromium]

_LATE = (
    "<body><script>setTimeout(() => { document.body.innerHTML = '<p id=late>late</p>' }, 150)</script><p id=early>early"
)
_FRAME = '<iframe srcdoc="<p id=inner>inner</p>"></iframe>'


def browsers() -> dict[int, str]:
    return {pid: command for pid, command in descendants(os.getpid()).items() if "--user-data-dir" in command}


async def test_scripts_are_run(chromium: Renderer) -> None:
    assert (await make_pdf(chromium, "<script>document.write('written')</script>")).text == "written"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "early"),
        ({"delay": 300}, "late"),
        ({"waitForSelector": {"selector": "#late"}}, "late"),
        ({"waitForSelector": {"selector": "#late", "options": {"visible": True}}}, "late"),
        ({"waitForSelector": {"selector": "#early", "options": {"hidden": True}}}, "late"),
        ({"waitUntil": "domcontentloaded"}, "early"),
        ({"waitUntil": "networkidle0"}, "late"),
        ({"waitUntil": "networkidle2"}, "late"),
    ],
)
async def test_waiting_decides_what_is_seen(chromium: Renderer, options: dict[str, Any], text: str) -> None:
    assert (await make_pdf(chromium, _LATE, **options)).text == text


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"selector": "#never", "options": {"timeout": 100}}, "'#never' failed: timeout 100 ms exceeded"),
        ({"selector": "p[", "options": {"timeout": 100}}, "not a valid selector"),
    ],
)
async def test_a_selector_that_does_not_come_is_an_error(
    chromium: Renderer, wanted: dict[str, Any], message: str
) -> None:
    with pytest.raises(RenderError, match=message):
        await make(chromium, "html-pdf", "<p>text", waitForSelector=wanted)


@pytest.mark.parametrize(
    "options",
    [
        {"waitForFrame": True},
        {"waitForFrameAttachment": True},
        {"waitForFrameNavigation": "load"},
        {"waitForFrameImages": True},
        {"waitForFrameSelector": {"selector": "#inner"}},
    ],
)
async def test_frames_are_waited_for(chromium: Renderer, options: dict[str, Any]) -> None:
    late = f"<body><script>setTimeout(() => {{ document.body.innerHTML = `{_FRAME}` }}, 100)</script>"
    assert (await make_pdf(chromium, late, **options)).text == "inner"


async def test_a_frame_that_never_comes_ends_at_the_timeout(chromium: Renderer) -> None:
    with pytest.raises(RenderError, match="Timeout of 1500 ms exceeded while waiting for a frame"):
        await make(chromium, "html-pdf", "text", waitForFrame=True, timeout=1500)


async def test_scrolling_loads_what_is_far_down(chromium: Renderer) -> None:
    html = """<div style='height:3000px'></div><p id=end>waiting</p><script>
      new IntersectionObserver((seen) => { if (seen[0].isIntersecting) end.textContent = 'reached' }).observe(end)
    </script>"""
    assert (await make_pdf(chromium, html)).text == "waiting"
    assert (await make_pdf(chromium, html, autoScroll=True)).text == "reached"


async def test_the_device_is_emulated(chromium: Renderer) -> None:
    html = """<script>document.write([new Date(0).getHours(), 'ontouchstart' in window, innerWidth,
      devicePixelRatio].join(' '))</script>"""
    viewport = {"width": 400, "height": 300, "deviceScaleFactor": 3, "hasTouch": True}
    assert (await make_pdf(chromium, html, timeZone="Asia/Tokyo", viewPort=viewport)).text == "9 true 400 3"


async def test_a_mobile_device_obeys_the_pages_viewport(chromium: Renderer) -> None:
    html = "<meta name=viewport content='width=500'><script>document.write(innerWidth)</script>"
    viewport = {"width": 250, "height": 300, "isMobile": True}
    assert (await make_pdf(chromium, html, viewPort=viewport)).text == "500"
    assert (await make_pdf(chromium, html, viewPort={**viewport, "isMobile": False})).text == "250"


async def test_an_unknown_time_zone_is_an_error(chromium: Renderer) -> None:
    with pytest.raises(RenderError, match="timeZone is not known: Mars/Base"):
        await make(chromium, "html-pdf", "x", timeZone="Mars/Base")


async def test_grid_and_gradients_are_drawn(chromium: Renderer) -> None:
    html = (
        "<body style='margin:0'><div style='display:grid;grid-template-columns:100px 100px'><i></i>"
        "<b style='height:100px;background:linear-gradient(red,red)'></b></div>"
    )
    assert pixel((await make_image(chromium, html)), 150, 50) == (255, 0, 0)


async def test_scripts_see_the_cookies_of_their_page(chromium: Renderer, site: Site) -> None:
    url = site.page("/", "<script>document.write(document.cookie)</script>")
    spec = RenderSpec(
        conversion="url-pdf", urls=(url,), options={"cookies": [{"name": "a", "value": "b"}], "waitUntil": "load"}
    )
    assert pdf((await chromium.render(spec)).content).text == "a=b"


async def test_scripts_load_from_allowed_hosts_only(chromium: Renderer, site: Site) -> None:
    site.answers["/data"] = lambda _: web.Response(text="loaded")
    url = site.page(
        "/",
        # With its body from the start: a fetch may end before the parser does.
        """<body><script>
        const ends = [
            fetch('/data').then((reply) => reply.text()).then((text) => document.body.append(' ' + text + ' ')),
            fetch('http://example.com/data').catch(() => document.body.append(' refused ')),
            fetch('/data', {method: 'POST', body: 'x'}).catch(() => document.body.append(' unsent ')),
        ]
        Promise.all(ends).then(() => document.body.append(document.createElement('main')))
        </script>""",
    )
    options = {"waitUntil": "networkidle0", "waitForSelector": {"selector": "main"}}
    spec = RenderSpec(conversion="url-pdf", urls=(url,), options=options)
    rendering = await chromium.render(spec)
    assert sorted(pdf(rendering.content).text.split()) == ["loaded", "refused", "unsent"]
    assert any("http://example.com/data: the host is not on the allow list" in note for note in rendering.notes)
    assert any(note.startswith("Not sent: a POST request") for note in rendering.notes)


async def test_documents_keep_nothing_for_the_next(chromium: Renderer, site: Site) -> None:
    url = site.page(
        "/",
        "<script>document.write(localStorage.x || 'empty'); localStorage.x = 'kept'; document.cookie='c=1'</script>",
    )
    spec = RenderSpec(conversion="url-pdf", urls=(url,), options={"waitUntil": "load"})
    for _ in range(2):
        assert pdf((await chromium.render(spec)).content).text == "empty"


class _Canary(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard: list[object] = []

    def datagram_received(self, data: bytes, address: object) -> None:
        self.heard.append(data)


_WAYS_OUT = """
<link rel=stylesheet href=//HOST/css><link rel=prefetch href=//HOST/prefetch><link rel=preconnect href=//HOST/>
<link rel=dns-prefetch href=//HOST/><img src=//HOST/img><iframe src=//HOST/frame></iframe><video src=//HOST/video></video>
<script src=//HOST/script></script><script type=module src=//HOST/module></script><object data=//HOST/object></object>
<style>@import url(//HOST/import);@font-face{font-family:f;src:url(//HOST/font)}p{font-family:f}</style><p>text
<script>
fetch('//HOST/fetch', {mode: 'no-cors'}).catch(() => 0);
navigator.sendBeacon('//HOST/beacon', 'x');
new EventSource('//HOST/events');
new WebSocket('ws://HOST/socket');
new Image().src = '//HOST/image';
const request = new XMLHttpRequest(); request.open('GET', '//HOST/xhr'); request.send();
window.open('//HOST/popup');
new Worker(URL.createObjectURL(new Blob(["fetch('http://HOST/worker', {mode: 'no-cors'}); new WebSocket('ws://HOST/w')"])));
const peer = new RTCPeerConnection({iceServers: [{urls: 'stun:HOST'}]});
peer.createDataChannel('x'); peer.createOffer().then((offer) => peer.setLocalDescription(offer));
</script>
"""


async def test_nothing_gets_out(chromium: Renderer) -> None:
    loop = asyncio.get_running_loop()
    callers: list[asyncio.StreamWriter] = []

    def called(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append(writer)
        writer.close()

    server = await asyncio.start_server(called, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport, canary = await loop.create_datagram_endpoint(_Canary, local_addr=("127.0.0.1", port))
    # The canary's own port is on no list, while other ports of this machine are.
    renderer = Renderer(engine="chromium", workers=1, allowed_hosts=["127.0.0.1:1"])
    await renderer.start()
    try:
        html = _WAYS_OUT.replace("HOST", f"127.0.0.1:{port}")
        rendering = await make(renderer, "html-pdf", html, delay=700)
        assert pdf(rendering.content).text == "text"
        assert any("allow list" in note for note in rendering.notes)
    finally:
        await renderer.aclose()
        transport.close()
        server.close()
        await server.wait_closed()
    assert (callers, canary.heard) == ([], [])


async def test_files_are_not_shown(chromium: Renderer, tmp_path: Any) -> None:
    secret = tmp_path / "secret.html"
    secret.write_text("secret")
    html = (
        f"<iframe src='{secret.as_uri()}'></iframe><script>fetch('{secret.as_uri()}').then(document.write)</script>text"
    )
    assert (await make_pdf(chromium, html)).text == "text"
    with pytest.raises(RenderError, match="not loaded"):
        await chromium.render(RenderSpec(conversion="url-pdf", urls=(secret.as_uri(),)))


async def test_an_endless_script_ends_at_the_timeout_and_harms_nobody(chromium: Renderer) -> None:
    endless = make(chromium, "html-pdf", "<script>for (;;);</script>", timeout=500)
    neighbour = make_pdf(chromium, "neighbour")
    outcome, document = await asyncio.gather(endless, neighbour, return_exceptions=True)
    assert isinstance(outcome, RenderError)
    assert "Timeout of 500 ms exceeded" in str(outcome)
    assert not isinstance(document, BaseException)
    assert document.text == "neighbour"


async def test_cancelling_ends_the_document(chromium: Renderer, site: Site) -> None:
    work = asyncio.ensure_future(make(chromium, "html-pdf", f"<img src={site.origin}/held>"))
    await site.held.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert (await make_pdf(chromium, "after")).text == "after"


async def test_a_crashed_page_fails_alone(site: Site) -> None:
    renderer = Renderer(engine="chromium", workers=2, allowed_hosts=[site.host])
    await renderer.start()
    try:
        before = descendants(os.getpid())
        work = asyncio.ensure_future(make(renderer, "html-pdf", f"<img src={site.origin}/held>"))
        await site.held.wait()
        pages = [
            pid
            for pid, command in descendants(os.getpid()).items()
            if "--type=renderer" in command and pid not in before
        ]
        for pid in pages or [pid for pid, command in before.items() if "--type=renderer" in command]:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(RenderError, match="The page crashed"):
            await work
        assert (await make_pdf(renderer, "after")).text == "after"
    finally:
        await renderer.aclose()


async def test_a_dead_browser_is_started_again_and_the_document_drawn(site: Site) -> None:
    before = set(browsers())
    renderer = Renderer(engine="chromium", workers=1, allowed_hosts=[site.host])
    await renderer.start()
    try:
        work = asyncio.ensure_future(make_pdf(renderer, f"text<img src={site.origin}/held>"))
        await site.held.wait()
        site.released.set()
        first = set(browsers()) - before
        for pid in first:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        assert (await work).text == "text"
        assert set(browsers()) - before
        await until(lambda: not set(browsers()) & first)
    finally:
        await renderer.aclose()
    assert set(browsers()) == before


async def test_closing_ends_the_browser_and_work_under_way(site: Site) -> None:
    before = set(browsers())
    renderer = Renderer(engine="chromium", workers=1, allowed_hosts=[site.host])
    await renderer.start()
    work = asyncio.ensure_future(make(renderer, "html-pdf", f"<img src={site.origin}/held>"))
    await site.held.wait()
    await renderer.aclose()
    with pytest.raises(RenderError):
        await work
    assert set(browsers()) == before


async def test_no_browser_survives_its_parent(tmp_path: Path) -> None:
    below = await orphans_of("chromium", "text", tmp_path)
    assert any("--user-data-dir" in command for command in below.values())
    await until(lambda: not any(is_alive(pid) for pid in below))
