"""One scenario that succeeds and many that fail: everything they print, log, raise and pickle is searched for secrets."""

from __future__ import annotations

import asyncio
import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from servers import DONE, JOB, PDF, Clock, Exchange, RawServer, Service, broken_off, hang_up, reply, silence

import cloudlayer_async
from cloudlayer_async import (
    AmbiguousSubmissionError,
    AsyncCloudlayer,
    BasicAuth,
    CloudlayerError,
    Cookie,
    DocxToPdf,
    HtmlToPdf,
    Job,
    JobStatus,
    RetryPolicy,
    Timeouts,
    UrlToPdf,
    UserStorage,
)

pytestmark = pytest.mark.usefixtures("no_complaints", "no_environment", "at_once")

KEY = "cl-KEYKEYKEY-0001"
SECRETS = {
    "key": KEY,
    "page password": "PAGEPASSWORD",
    "cookie": "COOKIEVALUE",
    "storage secret": "STORAGESECRET",
    "proxy password": "PROXYPASSWORD",
    "signature": "SIGNATURE",
    "webhook": "WEBHOOKTOKEN",
}


def found_in(text: str) -> list[str]:
    """Names of the secrets in a text."""
    return [name for name, secret in SECRETS.items() if secret in text]


def everything(error: BaseException) -> str:
    """All that an error may ever show: texts, attributes, tracebacks, its pickle."""
    shown = [str(error), repr(error), repr(vars(error)), *getattr(error, "__notes__", [])]
    shown += traceback.format_exception(error)
    if isinstance(error, CloudlayerError):
        shown.append(pickle.dumps(error).decode("latin-1"))
        shown.append(repr(pickle.loads(pickle.dumps(error)).__dict__))
    return "\n".join(shown)


def local_variables(error: BaseException) -> str:
    """The locals of our own frames, as error trackers collect them."""
    shown = []
    step: BaseException | None = error
    while step is not None:
        for frame, _ in traceback.walk_tb(step.__traceback__):
            if Path(frame.f_code.co_filename).is_relative_to(Path(cloudlayer_async.__file__).parent):
                shown += [f"{frame.f_code.co_name}: {name}={value!r}" for name, value in frame.f_locals.items()]
        step = step.__cause__ or step.__context__
    return "\n".join(shown)


Scenario = Callable[[AsyncCloudlayer], Awaitable[Any]]
SUBMIT: Scenario = lambda client: client.submit(  # noqa: E731
    UrlToPdf(
        "https://site.example/page?token=SIGNATURE",
        name="march",
        authentication=BasicAuth("user", "PAGEPASSWORD"),
        cookies=[Cookie("session", "COOKIEVALUE")],
        webhook="https://hooks.example/WEBHOOKTOKEN",
        storage=UserStorage("6d1c"),
    )
)
UPLOAD: Scenario = lambda client: client.submit(DocxToPdf(b"docx", name="march"))  # noqa: E731
READ: Scenario = lambda client: client.get_job("7Kq2")  # noqa: E731
ADD: Scenario = lambda client: client.add_storage(  # noqa: E731
    title="t", region="r", access_key_id="a", secret_access_key="STORAGESECRET", bucket="b"
)


async def echo(exchange: Exchange) -> None:
    """A service that says everything it was told, the key included, in every place it can."""
    request = await exchange.request()
    await exchange.send(
        b"HTTP/1.1 400 Bad " + KEY.encode() + b"\r\nX-Echo: " + KEY.encode() + b"\r\nContent-Type: application/json\r\n"
        b'Connection: close\r\n\r\n{"message": "bad key ' + KEY.encode() + b'", "more": "' + KEY.encode() + b'"}'
    )
    exchange.close()
    assert request


async def garbled(exchange: Exchange) -> None:
    """The same in a reply that is no JSON."""
    await exchange.request()
    await exchange.send(b"HTTP/1.1 200 OK\r\nX-Echo: " + KEY.encode() + b"\r\nContent-Type: application/json\r\n")
    await exchange.send(b'Content-Length: 1000\r\n\r\n{"key": "' + KEY.encode() + b'", ')
    exchange.close()


async def no_http(exchange: Exchange) -> None:
    """And in a reply that is no HTTP."""
    await exchange.request()
    await exchange.send(KEY.encode() + b" not HTTP\r\n\r\n")
    exchange.close()


STEPS = {
    "echo": echo,
    "garbled": garbled,
    "no HTTP": no_http,
    "400": reply(400, {"message": "no"}),
    "401": reply(401, {"message": "bad key"}),
    "429": reply(429),
    "500": reply(500),
    "502": reply(502, b"<html>"),
    "redirect": reply(302, location="https://elsewhere.example/?X-Signature=SIGNATURE"),
    "hung up": hang_up,
    "silence": silence,
    "cut off": broken_off(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"id'),
    "no job": reply(200, [1]),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("scenario", [SUBMIT, UPLOAD, READ, ADD], ids=["submit", "upload", "read", "add storage"])
@pytest.mark.parametrize("step", list(STEPS.values()), ids=list(STEPS))
@pytest.mark.parametrize("kind", ["text", "function"])
async def test_failures(
    kind: str,
    step: Any,
    scenario: Scenario,
    debug_log: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    key: Any = KEY if kind == "text" else lambda: KEY
    async with RawServer(step) as server:
        async with AsyncCloudlayer(
            key, base_url=server.url, timeouts=Timeouts(connect=0.1, read=0.05), retry=RetryPolicy(attempts=2)
        ) as client:
            with pytest.raises(CloudlayerError) as caught:
                await scenario(client)
            texts = repr(client) + repr(client._config)
    out, err = capfd.readouterr()
    assert server.requests
    for name, text in {"error": everything(caught.value), "log": debug_log.text, "out": out + err + texts}.items():
        assert not found_in(text), name
    assert "key" not in found_in(local_variables(caught.value))
    assert "attempt 1" in debug_log.text


@pytest.mark.asyncio
async def test_success(
    debug_log: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    clock: Clock,
    service: Service,
    tmp_path: Path,
) -> None:
    gone = service.asset("/gone.pdf", b"", status=403).replace("sesame", "SIGNATURE")
    url = service.asset("/a.pdf", b"", PDF, status=503).replace("sesame", "SIGNATURE")
    good = service.asset("/b.pdf", PDF).replace("sesame", "SIGNATURE")
    echoed = {"apiKeyUsed": KEY, "params": {"password": "PAGEPASSWORD"}}
    service.answers("POST /v2/url/pdf", JOB, status=202)
    service.answers(
        "GET /v2/jobs/7Kq2", JOB, {**DONE, **echoed, "assetUrl": gone}, {**DONE, **echoed, "assetUrl": good}
    )
    async with AsyncCloudlayer(KEY, base_url=service.url) as client:
        conversion = await SUBMIT(client)
        document = await conversion.result()
        path = await conversion.save(tmp_path / "a.pdf")
        shown = repr([conversion, document, conversion.job, conversion.info, path, client])
        with pytest.raises(CloudlayerError) as caught:
            await client.attach(Job(id="1", status=JobStatus.SUCCESS, asset_url=url)).result()
        shown += everything(caught.value)
    out, err = capfd.readouterr()
    assert not found_in(shown)
    assert not found_in(debug_log.text + out + err)
    assert "job 7Kq2" in debug_log.text


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "address", ["http://user:PROXYPASSWORD@127.0.0.1:1", "http://user:PROXY%40/PASSWORD@127.0.0.1:1"]
)
async def test_a_proxys_password(address: str, debug_log: pytest.LogCaptureFixture) -> None:
    try:
        client = AsyncCloudlayer(KEY, base_url="https://api.cloud.example", proxy=address)
    except CloudlayerError as error:
        assert "PASSWORD" not in everything(error)
        return
    async with client:
        with pytest.raises(CloudlayerError) as caught:
            await SUBMIT(client)
    assert "PASSWORD" not in everything(caught.value) + debug_log.text + repr(client)


@pytest.mark.asyncio
async def test_a_cancelled_submission(debug_log: pytest.LogCaptureFixture) -> None:
    """aiohttp's own frames know the headers, ours do not."""
    async with RawServer(silence) as server, AsyncCloudlayer(KEY, base_url=server.url) as client:
        task = asyncio.ensure_future(SUBMIT(client))
        await server.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert not found_in(everything(caught.value) + debug_log.text)
    assert "key" not in found_in(local_variables(caught.value))


@pytest.mark.asyncio
async def test_a_download_that_fails(service: Service, debug_log: pytest.LogCaptureFixture) -> None:
    async def redirect(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/x?X-Signature=SIGNATURE"})

    addresses = [
        service.asset("/1.pdf", redirect),
        "http://user:PAGEPASSWORD@127.0.0.1:1/a.pdf?X-Signature=SIGNATURE",
        "http://[bad/a.pdf?X-Signature=SIGNATURE",
        "nonsense?X-Signature=SIGNATURE",
    ]
    async with AsyncCloudlayer(KEY, base_url=service.url) as client:
        for address in addresses:
            job = Job(id="1", status=JobStatus.SUCCESS, asset_url=address)
            with pytest.raises(CloudlayerError) as caught:
                await client.attach(job).result()
            shown = f"{caught.value} {caught.value!r} {caught.value.__dict__} {client.attach(job)!r} {job!r}"
            assert not found_in(shown + "".join(traceback.format_exception(caught.value)))
    assert not found_in(debug_log.text)


@pytest.mark.asyncio
async def test_requests_show_no_secrets() -> None:
    request = UrlToPdf(
        "https://site.example/page?token=SIGNATURE",
        authentication=BasicAuth("user", "PAGEPASSWORD"),
        cookies=[Cookie("session", "COOKIEVALUE")],
        webhook="https://hooks.example/WEBHOOKTOKEN",
    )
    assert not found_in(repr(request))


def test_the_logger_is_left_to_the_application() -> None:
    logger = logging.getLogger("cloudlayer_async")
    assert AsyncCloudlayer(KEY)
    assert logger.handlers == []
    assert logger.level == logging.NOTSET
    assert logger.propagate
    assert not logger.disabled
    assert cloudlayer_async.__version__


@pytest.mark.asyncio
async def test_what_is_logged_by_default(
    service: Service, clock: Clock, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """INFO: a conversion's id and outcome. No more."""
    caplog.set_level(logging.INFO)
    service.answers("POST /v2/html/pdf", JOB, status=202)
    service.answers("GET /v2/jobs/7Kq2", JOB, {**DONE, "assetUrl": service.asset("/a.pdf", PDF)})
    async with AsyncCloudlayer(KEY, base_url=service.url) as client:
        await client.convert(HtmlToPdf("<p>"), save_to=tmp_path / "a.pdf")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("cloudlayer_async")]
    assert ours == ["html_to_pdf accepted: job 7Kq2", "job 7Kq2 ended: success"]


@pytest.mark.asyncio
async def test_an_ambiguous_submission_names_the_way_out() -> None:
    async with RawServer(hang_up) as server, AsyncCloudlayer(KEY, base_url=server.url) as client:
        with pytest.raises(AmbiguousSubmissionError, match=r'find_jobs\(name="march"\)') as caught:
            await SUBMIT(client)
    assert caught.value.name == "march"
    assert aiohttp.__version__
