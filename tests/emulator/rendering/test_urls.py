"""URL conversions, and what documents load: with a real site on loopback."""

from __future__ import annotations

import base64
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from cloudlayer_async.emulator.rendering import Renderer, RenderError, Rendering, RenderSpec, fetching
from cloudlayer_async.emulator.rendering.fetching import Fetcher, FetchFailedError
from cloudlayer_async.emulator.rendering.policy import AllowList, FetchRefusedError

from .conftest import Site, needs_chromium, serve
from .reading import image, make, make_image, pdf, pixel

pytestmark = pytest.mark.asyncio(loop_scope="session")

_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)


@pytest_asyncio.fixture(loop_scope="session")
async def other() -> AsyncIterator[Site]:
    """A second origin on this machine."""
    async for served in serve(Site()):
        yield served


@pytest.fixture(params=["plutoprint", pytest.param("chromium", marks=needs_chromium)])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


async def convert(renderer: Renderer, kind: str, *urls: str, **options: Any) -> Rendering:
    return await renderer.render(
        RenderSpec(conversion=f"url-{kind}", urls=urls, options={"waitUntil": "load", **options})
    )


async def test_a_page_is_drawn_with_all_its_parts(renderer: Renderer, site: Site) -> None:
    site.answers["/a/style.css"] = lambda _: web.Response(text="p{color:red}", content_type="text/css")
    site.answers["/pixel.png"] = lambda _: web.Response(body=_PIXEL, content_type="image/png")
    url = site.page("/a/page", "<link rel=stylesheet href=style.css><p>text<img src=/pixel.png>")
    rendering = await convert(renderer, "pdf", url)
    assert pdf(rendering.content).text == "text"
    assert sorted(site.asked()) == ["/a/page", "/a/style.css", "/pixel.png"]


async def test_an_address_can_be_made_a_picture(renderer: Renderer, site: Site) -> None:
    url = site.page("/", "<body style='margin:0;background:red'>")
    picture = image((await convert(renderer, "image", url)).content)
    assert (picture.size, pixel(picture, 50, 50)) == ((800, 600), (255, 0, 0))


async def test_a_batch_makes_one_pdf_in_order(renderer: Renderer, site: Site) -> None:
    urls = [site.page(f"/{name}", f"<p>{name}") for name in ("one", "two", "three")]
    assert pdf((await convert(renderer, "pdf", *urls)).content).texts == ["one", "two", "three"]


async def test_a_batch_of_pictures_makes_one_pdf(pluto: Renderer, site: Site) -> None:
    rendering = await convert(pluto, "image", site.page("/1", "one"), site.page("/2", "two"))
    assert rendering.extension == "pdf"
    assert pdf(rendering.content).sizes == [(600, 450), (600, 450)]


async def test_redirects_are_followed_and_are_the_base_of_what_follows(renderer: Renderer, site: Site) -> None:
    site.answers["/start"] = lambda _: to("/deep/er/page")
    site.page("/deep/er/page", "<p>arrived<img src=pixel.png>")
    rendering = await convert(renderer, "pdf", f"{site.origin}/start")
    assert pdf(rendering.content).text == "arrived"
    assert "/deep/er/pixel.png" in site.asked()


async def test_a_page_that_is_not_there_is_drawn_and_noted(renderer: Renderer, site: Site) -> None:
    rendering = await convert(renderer, "pdf", f"{site.origin}/nowhere")
    assert pdf(rendering.content).text == "nothing here"
    assert any("404" in note for note in rendering.notes)


async def test_credentials_go_to_the_target_only(renderer: Renderer, site: Site, other: Site) -> None:
    url = site.page("/", f"<img src=/own.png><img src={other.origin}/foreign.png><p>text")
    cookies = [
        {"name": "plain", "value": "1"},
        {"name": "elsewhere", "value": "2", "domain": "example.com"},
        {"name": "deep", "value": "3", "path": "/deep"},
        {"name": "secure", "value": "4", "secure": True},
        {"name": "old", "value": "5", "expires": 1},
    ]
    await convert(renderer, "pdf", url, authentication={"username": "ann", "password": "pässword"}, cookies=cookies)
    login = "Basic " + base64.b64encode("ann:pässword".encode()).decode()
    assert [request.headers.get("Authorization") for request in site.requests] == [login, login]
    assert {request.headers.get("Cookie") for request in site.requests} == {"plain=1"}
    assert [request.headers.keys() & {"Authorization", "Cookie"} for request in other.requests] == [set()]


async def test_credentials_do_not_follow_a_redirect_elsewhere(renderer: Renderer, site: Site, other: Site) -> None:
    site.answers["/"] = lambda _: to(other.page("/there", "there"))
    options = {"authentication": {"username": "u", "password": "p"}, "cookies": [{"name": "a", "value": "b"}]}
    await convert(renderer, "pdf", f"{site.origin}/", **options)
    assert [request.headers.keys() & {"Authorization", "Cookie"} for request in other.requests] == [set()]


async def test_urls_are_refused_when_no_host_is_allowed(engine: Any, site: Site) -> None:
    renderer = Renderer(engine=engine, workers=1)
    await renderer.start()
    try:
        for url in (site.page("/", "x"), "http://localhost/", "http://169.254.169.254/", "file:///etc/passwd"):
            with pytest.raises(RenderError, match=r"not loaded.*(allow list|never)"):
                await convert(renderer, "pdf", url)
        rendering = await make(
            renderer, "html-image", f"<img src={site.origin}/x.png?token=1><img src=file:///etc/hostname>"
        )
    finally:
        await renderer.aclose()
    assert site.requests == []
    assert any(site.origin in note for note in rendering.notes)
    assert not any("token" in note for note in rendering.notes)


async def test_only_the_listed_port_is_allowed(engine: Any, site: Site, other: Site) -> None:
    site.answers["/away"] = lambda _: to(f"{other.origin}/secret")
    site.answers["/own.png"] = lambda _: web.Response(body=_PIXEL, content_type="image/png")
    renderer = Renderer(engine=engine, workers=1, allowed_hosts=[site.host])
    await renderer.start()
    try:
        with pytest.raises(RenderError, match="allow list"):
            await convert(renderer, "pdf", f"{site.origin}/away")
        rendering = await make(
            renderer,
            "html-pdf",
            f"<img src={site.origin}/own.png><img src={site.origin}/away><link rel=stylesheet href={other.origin}/x.css>",
        )
    finally:
        await renderer.aclose()
    assert other.requests == []
    assert "/own.png" in site.asked()
    assert len([note for note in rendering.notes if "allow list" in note]) == 2


async def test_data_addresses_need_no_permission(renderer: Renderer) -> None:
    source = "data:image/png;base64," + base64.b64encode(_PIXEL).decode()
    picture = await make_image(renderer, f"<body style='margin:0'><img src='{source}' width=100 height=100>")
    assert pixel(picture, 50, 50) == (255, 0, 0)


async def test_what_is_relative_to_nothing_is_noted(renderer: Renderer) -> None:
    rendering = await make(renderer, "html-pdf", "<img src='pictures/logo.png?v=1'>text")
    assert rendering.notes == (
        "Not loaded, the document has no address that this could be relative to: pictures/logo.png",
    )


async def test_an_address_of_a_picture_is_drawn(renderer: Renderer, site: Site) -> None:
    site.answers["/pixel.png"] = lambda _: web.Response(body=_PIXEL, content_type="image/png")
    rendering = await convert(renderer, "pdf", f"{site.origin}/pixel.png")
    assert len(pdf(rendering.content).sizes) == 1


async def test_a_failing_part_is_noted_and_the_rest_is_drawn(renderer: Renderer, site: Site) -> None:
    rendering = await make(renderer, "html-pdf", f"text<img src={site.origin}/none.png?secret=1>")
    assert pdf(rendering.content).text == "text"
    assert rendering.notes == (f"Not loaded: {site.origin}/none.png answered 404",)


async def test_merge_puts_pdfs_together(pluto: Renderer, site: Site) -> None:
    for name in ("one", "two"):
        made = await make(pluto, "html-pdf", f"<p>{name}", format="a5" if name == "two" else "letter")
        site.file(f"/{name}.pdf", made.content)
    urls = tuple(f"{site.origin}/{name}.pdf" for name in ("two", "one", "two"))
    rendering = await pluto.render(RenderSpec(conversion="merge-pdf", urls=urls, options={"generatePreview": True}))
    merged = pdf(rendering.content)
    assert (merged.texts, merged.sizes) == (["two", "one", "two"], [(420, 595), (612, 792), (420, 595)])
    assert rendering.preview is not None


@pytest.mark.parametrize(("path", "message"), [("/page", "cannot be opened as a PDF"), ("/none", "answered 404")])
async def test_merge_takes_nothing_but_pdfs(pluto: Renderer, site: Site, path: str, message: str) -> None:
    url = site.page("/page", "no pdf").replace("/page", path)
    with pytest.raises(RenderError, match=message):
        await pluto.render(RenderSpec(conversion="merge-pdf", urls=(f"{url}?token=1",)))


def to(address: str) -> web.Response:
    return web.Response(status=302, headers={"Location": address})


class _Resolver(AbstractResolver):
    """Says what a test wants a name to stand for; each time the next of its answers."""

    def __init__(self, port: int, *answers: str) -> None:
        self.port = port
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.answers.pop(0)
        return [ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        pass


async def test_a_name_for_a_private_address_is_refused_after_resolving(site: Site) -> None:
    port = int(site.host.rpartition(":")[2])
    fetcher = Fetcher(AllowList(["inside.test"]), resolver=_Resolver(port, "127.0.0.1", "10.0.0.1"))
    await fetcher.start()
    try:
        for _ in range(2):
            with pytest.raises(FetchRefusedError, match="private address"):
                await fetcher.loads().get(f"http://inside.test:{port}/")
    finally:
        await fetcher.aclose()
    assert site.requests == []


async def test_a_resource_that_is_too_large_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_BYTES", 1000)
    site.answers["/large"] = lambda _: web.Response(body=b"x" * 5000)
    site.answers["/bomb"] = _squeezed
    fetcher = Fetcher(AllowList([site.host]))
    await fetcher.start()
    try:
        for path in ("/large", "/bomb"):
            with pytest.raises(FetchFailedError, match="too large"):
                await fetcher.loads().get(site.origin + path)
    finally:
        await fetcher.aclose()


def _squeezed(_: web.Request) -> web.Response:
    response = web.Response(body=b"x" * 5000)
    response.enable_compression(web.ContentCoding.gzip)
    return response


async def test_endless_redirects_end(pluto: Renderer, site: Site) -> None:
    site.answers["/round"] = lambda _: to("/round")
    with pytest.raises(RenderError, match="redirects too often"):
        await convert(pluto, "pdf", f"{site.origin}/round")


async def test_what_cannot_be_drawn_is_an_error(pluto: Renderer, site: Site) -> None:
    site.answers["/x"] = lambda _: web.Response(body=b"\0", content_type="application/zip")
    with pytest.raises(RenderError, match="application/zip"):
        await convert(pluto, "pdf", f"{site.origin}/x")


async def test_the_text_of_old_pages_is_decoded_as_they_say(renderer: Renderer, site: Site) -> None:
    body = "<meta charset=iso-8859-2><p>Łódź".encode("iso-8859-2")
    site.answers["/"] = lambda _: web.Response(body=body, headers={"Content-Type": "text/html"})
    assert pdf((await convert(renderer, "pdf", f"{site.origin}/")).content).text == "Łódź"
