"""What is repeated, what is not, and which error it becomes in the end: the design's table, counted at a real server."""

from __future__ import annotations

import asyncio
import socket
import ssl
from email.utils import formatdate
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses as Mocked
from conftest import Connect
from servers import (
    DONE,
    JOB,
    Clock,
    Exchange,
    RawServer,
    Step,
    broken_off,
    hang_up,
    http,
    reply,
    reset_after_body,
    reset_after_headers,
    reset_unread,
    silence,
)

from cloudlayer_async import (
    AmbiguousSubmissionError,
    ApiError,
    AsyncCloudlayer,
    Attempt,
    AuthenticationError,
    BadRequestError,
    CloudlayerError,
    ConnectionFailedError,
    HtmlToPdf,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    ServiceUnavailableError,
    Timeouts,
    UnexpectedResponseError,
)

pytestmark = pytest.mark.usefixtures("no_complaints", "no_environment")

OPT_IN = RetryPolicy(resubmit_ambiguous=True)
LENGTH = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n"
CHUNKED = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
PAGE = b"<html><head><title>502 Bad gateway</title></head><body>nginx</body></html>"


async def stalled(exchange: Exchange) -> None:
    """Begins an answer and never ends it."""
    await exchange.request()
    await exchange.send(LENGTH + b'{"id"')
    await exchange.gone()


async def refused_address() -> str:
    """An address at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{sock.getsockname()[1]}"


# --- a conversion's POST --------------------------------------------------------------------------------------------


def patience(step: Step) -> Timeouts:
    """Little where nothing will come; else so much that a busy machine is not taken for a silent server."""
    hangs = step in (silence, stalled)
    return Timeouts(connect=0.1, read=0.4) if hangs else Timeouts()


POST: list[tuple[str, Step, type[CloudlayerError], bool, int, int]] = [
    # what happens, at the server, the error, maybe_billed, whole requests seen, and seen with resubmit_ambiguous
    *[
        (str(status), reply(status, {"message": "no"}), error, False, 1, 1)
        for status, error in {
            400: BadRequestError,
            401: AuthenticationError,
            402: ApiError,
            403: PermissionDeniedError,
            404: NotFoundError,
            409: ApiError,
            413: BadRequestError,
            415: BadRequestError,
            418: ApiError,
            422: BadRequestError,
        }.items()
    ],
    ("408", reply(408), ApiError, True, 1, 1),
    ("429", reply(429, {"message": "slow down"}), RateLimitError, False, 4, 4),
    ("429 with Retry-After", reply(429, retry_after="0"), RateLimitError, False, 4, 4),
    ("503 with Retry-After", reply(503, retry_after="0"), ServiceUnavailableError, False, 4, 4),
    ("500", reply(500, {"error": "worker died"}), ServerError, True, 1, 4),
    *[(str(status), reply(status, PAGE), AmbiguousSubmissionError, True, 1, 4) for status in (502, 504, 520, 522, 524)],
    ("503 alone", reply(503), AmbiguousSubmissionError, True, 1, 4),
    ("503 with a Retry-After that is none", reply(503, retry_after="soon"), AmbiguousSubmissionError, True, 1, 4),
    ("silence", silence, AmbiguousSubmissionError, True, 1, 4),
    ("reset after the body", reset_after_body, AmbiguousSubmissionError, True, 1, 4),
    ("reset after the headers", reset_after_headers, AmbiguousSubmissionError, True, 0, 0),
    ("hung up after the body", hang_up, AmbiguousSubmissionError, True, 1, 4),
    ("half a status line", broken_off(b"HTTP/1.1 20"), AmbiguousSubmissionError, True, 1, 4),
    ("half of the headers", broken_off(b"HTTP/1.1 202 OK\r\nContent-Le"), AmbiguousSubmissionError, True, 1, 4),
    ("no HTTP at all", broken_off(b"220 mail.example ESMTP\r\n\r\n"), AmbiguousSubmissionError, True, 1, 4),
    *[
        (str(status), reply(status, location="/v2/elsewhere"), UnexpectedResponseError, True, 1, 1)
        for status in (301, 302, 303, 307, 308)
    ],
    ("304", reply(304), UnexpectedResponseError, True, 1, 1),
    ("no JSON", reply(202, b"{oops", content_type="application/json"), UnexpectedResponseError, True, 1, 1),
    ("an array", reply(202, [JOB]), UnexpectedResponseError, True, 1, 1),
    ("a text", reply(200, "accepted"), UnexpectedResponseError, True, 1, 1),
    ("a job without id", reply(202, {"status": "pending"}), UnexpectedResponseError, True, 1, 1),
    ("nothing", reply(202), UnexpectedResponseError, True, 1, 1),
    ("204", reply(204), UnexpectedResponseError, True, 1, 1),
    ("a gateway's page", reply(200, PAGE, content_type="text/html"), UnexpectedResponseError, True, 1, 1),
    ("a gateway's text", reply(200, b"ok", content_type="text/plain"), UnexpectedResponseError, True, 1, 1),
    ("a body cut off", broken_off(LENGTH + b'{"id": "7K'), UnexpectedResponseError, True, 1, 1),
    ("a chunk cut off", broken_off(CHUNKED + b'40\r\n{"id": "7K'), UnexpectedResponseError, True, 1, 1),
    ("no last chunk", broken_off(CHUNKED + b'4\r\n{"id\r\n'), UnexpectedResponseError, True, 1, 1),
    # aiohttp does not say which status came before it.
    ("chunks that are none", broken_off(CHUNKED + b"oops\r\n{}\r\n"), AmbiguousSubmissionError, True, 1, 4),
    ("a body that stalls", stalled, UnexpectedResponseError, True, 1, 1),
    ("a PDF cut off", broken_off(LENGTH.replace(b"json", b"pdf") + b"%PDF"), UnexpectedResponseError, True, 1, 1),
]


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("step", "kind", "billed", "times", "_"), [row[1:] for row in POST], ids=[row[0] for row in POST]
)
async def test_a_conversion_is_repeated_only_when_nothing_can_be_accepted(
    step: Step, kind: type[CloudlayerError], billed: bool, times: int, _: int, connect_any: Connect
) -> None:
    async with RawServer(step) as server:
        client = await connect_any(server.url, timeouts=patience(step))
        with pytest.raises(CloudlayerError) as caught:
            await client.html_to_pdf("<p>once</p>", name="march")
    assert type(caught.value) is kind
    assert caught.value.maybe_billed is billed
    assert len(server.requests) == times
    assert {request.line for request in server.requests} <= {"POST /v2/html/pdf"}
    assert server.begun == max(times, 1)
    error: Any = caught.value
    assert error.request == "POST /v2/html/pdf"
    assert [attempt.number for attempt in error.history] == list(range(1, max(times, 1) + 1))
    assert all(attempt.sent for attempt in error.history)
    assert error.__cause__ is None
    assert error.__context__ is None  # it would hold aiohttp's request, and with it the key


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("step", "kind", "billed", "_", "times"), [row[1:] for row in POST], ids=[row[0] for row in POST]
)
async def test_whoever_opts_in_may_pay_twice(
    step: Step, kind: type[CloudlayerError], billed: bool, _: int, times: int, connect: Connect
) -> None:
    async with RawServer(step) as server:
        client = await connect(server.url, timeouts=patience(step), retry=OPT_IN)
        with pytest.raises(kind) as caught:
            await client.html_to_pdf("<p>once</p>")
    assert caught.value.maybe_billed is billed
    assert len(server.requests) == times
    assert server.begun == (4 if step is reset_after_headers else times)


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_opting_in_is_for_the_doubtful_and_still_says_what_it_may_have_cost(connect: Connect) -> None:
    """A later refusal does not take back that an earlier try may have been accepted."""
    async with RawServer(hang_up, reply(400, {"message": "no"})) as server:
        client = await connect(server.url, retry=OPT_IN)
        with pytest.raises(BadRequestError) as caught:
            await client.html_to_pdf("<p>")
    assert caught.value.maybe_billed
    assert len(server.requests) == 2


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("faults", [1, 3])
@pytest.mark.parametrize("step", [reply(429), reply(503, retry_after="0")], ids=["429", "503"])
async def test_a_refusal_is_repeated_until_it_is_taken(step: Step, faults: int, connect_any: Connect) -> None:
    async with RawServer(*[step] * faults, reply(202, JOB)) as server:
        client = await connect_any(server.url)
        conversion = await client.html_to_pdf("<p>")
    assert conversion.job_id == "7Kq2"
    assert len(server.requests) == faults + 1
    assert len({request.body for request in server.requests}) == 1


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_no_connection(connect_any: Connect) -> None:
    client = await connect_any(f"http://{await refused_address()}")
    with pytest.raises(ConnectionFailedError) as caught:
        await client.html_to_pdf("<p>")
    assert not caught.value.maybe_billed
    assert len(caught.value.history) == 4
    assert not any(attempt.sent for attempt in caught.value.history)
    assert isinstance(caught.value, ConnectionError)


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_a_certificate_nobody_vouches_for(connect_any: Connect, server_tls: ssl.SSLContext) -> None:
    async with RawServer(reply(202, JOB), tls=server_tls) as server:
        client = await connect_any(server.url)
        with pytest.raises(ConnectionFailedError, match="certificate") as caught:
            await client.html_to_pdf("<p>")
    assert not caught.value.maybe_billed
    assert not any(attempt.sent for attempt in caught.value.history)
    assert server.begun == 0


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("step", [reset_unread, broken_off(b"SSH-2.0-x\r\n")], ids=["reset", "no TLS"])
async def test_a_handshake_that_fails_sends_nothing(step: Step, connect_any: Connect) -> None:
    async def greet(exchange: Exchange) -> None:
        await exchange.begins()
        await exchange.send(b"SSH-2.0-OpenSSH\r\n")
        exchange.close()

    async with RawServer(step if step is reset_unread else greet) as server:
        client = await connect_any(server.url.replace("http:", "https:"))
        with pytest.raises(ConnectionFailedError) as caught:
            await client.html_to_pdf("<p>")
        assert server.connections == 4
    assert not caught.value.maybe_billed


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_a_handshake_that_stalls_sends_nothing(connect_any: Connect) -> None:
    async def stall(exchange: Exchange) -> None:
        await exchange.gone()

    async with RawServer(stall) as server:
        client = await connect_any(
            server.url.replace("http:", "https:"),
            timeouts=Timeouts(connect=0.05, read=5),
            retry=RetryPolicy(attempts=2),
        )
        with pytest.raises(ConnectionFailedError) as caught:
            await client.html_to_pdf("<p>")
        assert server.connections == 2
    assert not caught.value.maybe_billed
    assert not any(attempt.sent for attempt in caught.value.history)


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_a_trusted_certificate_of_ones_own(
    connect_any: Connect, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with RawServer(reply(202, JOB), tls=server_tls) as server:
        client = await connect_any(server.url, ssl=client_tls)
        assert (await client.html_to_pdf("<p>")).job_id == "7Kq2"


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_a_kept_connection_that_dies_before_the_first_byte(connect_any: Connect) -> None:
    """Nothing left, on sessions of either kind: the submission goes again, and the service sees it once."""
    old: list[Exchange] = []

    async def first(exchange: Exchange) -> None:
        old.append(exchange)
        await reply(200, {"status": "ok"})(exchange)

    async with RawServer(first, reply(202, JOB)) as server:

        async def reused(*_: object) -> None:
            if old:
                old.pop().reset()
                while server.open:
                    await asyncio.sleep(0)
                await asyncio.sleep(0.02)  # the reset comes up to the client's side of the loopback

        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(reused)
        seen: list[Attempt] = []
        client = await connect_any(server.url, trace_configs=[trace], on_attempt=seen.append)
        await client.get_status()
        assert (await client.html_to_pdf("<p>")).job_id == "7Kq2"
    assert server.lines == ["GET /v2/getStatus", "POST /v2/html/pdf"]
    assert [attempt.sent for attempt in seen] == [True, False, True]


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_aiohttps_own_repeat_never_concerns_a_billed_call(connect_any: Connect) -> None:
    """On a kept connection that dies, aiohttp repeats a GET by itself; a POST only we could, and do not."""
    async with RawServer(reply(200, {"status": "ok"}), hang_up, reply(200, {"status": "ok"})) as server:
        seen: list[Attempt] = []
        client = await connect_any(server.url, on_attempt=seen.append)
        await client.get_status()
        await client.get_status()
        assert len(seen) == 2
        assert len(server.requests) == 3
    async with RawServer(reply(200, {"status": "ok"}), hang_up, reply(202, JOB)) as server:
        client = await connect_any(server.url)
        await client.get_status()
        with pytest.raises(AmbiguousSubmissionError):
            await client.html_to_pdf("<p>")
        assert server.lines == ["GET /v2/getStatus", "POST /v2/html/pdf"]


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
async def test_a_conversion_is_never_sent_by_a_method_that_others_may_repeat(method: str, connect: Connect) -> None:
    async with RawServer(reply(202, JOB)) as server:
        client = await connect(server.url)
        with pytest.raises(CloudlayerError, match="costs credits"):
            await client.request(method, "/html/pdf")
    assert not server.begun


@pytest.mark.asyncio
async def test_a_connection_closed_while_idle_is_not_used_again(connect_any: Connect) -> None:
    async def once(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(http(200, {"status": "ok"}))
        exchange.close()

    async with RawServer(once, reply(202, JOB)) as server:
        client = await connect_any(server.url)
        await client.get_status()
        await server.hung_up.wait()
        await asyncio.sleep(0.02)
        assert (await client.html_to_pdf("<p>")).job_id == "7Kq2"
    assert server.lines == ["GET /v2/getStatus", "POST /v2/html/pdf"]
    assert server.connections == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("exception", [aiohttp.ServerDisconnectedError(), TimeoutError(), OSError(104, "reset")])
async def test_under_a_mock_that_tells_nothing_a_fault_is_ambiguous(
    mocked: Mocked, exception: Exception, at_once: None
) -> None:
    """aioresponses replaces aiohttp's sending: whether bytes left is not known there, and the worst is assumed."""
    mocked.post("https://api.cloudlayer.io/v2/html/pdf", exception=exception, repeat=True)
    async with AsyncCloudlayer("cl-key") as client:
        with pytest.raises(AmbiguousSubmissionError) as caught:
            await client.html_to_pdf("<p>")
    assert caught.value.maybe_billed
    assert len(caught.value.history) == 1
    (calls,) = mocked.requests.values()
    assert len(calls) == 1


@pytest.mark.asyncio
async def test_under_a_mock_no_connection_is_no_connection(mocked: Mocked, at_once: None) -> None:
    refused = aiohttp.ClientConnectorError(None, OSError(111, "refused"))  # type: ignore[arg-type]
    refused._conn_key = aiohttp.client_reqrep.ConnectionKey("h", 443, True, True, None, None, None)
    mocked.post("https://api.cloudlayer.io/v2/html/pdf", exception=refused)
    mocked.post("https://api.cloudlayer.io/v2/html/pdf", payload=JOB, status=202)
    async with AsyncCloudlayer("cl-key") as client:
        assert (await client.html_to_pdf("<p>")).job_id == "7Kq2"


# --- reads ----------------------------------------------------------------------------------------------------------

READ: list[tuple[str, Step, type[CloudlayerError], int]] = [
    *[
        (str(status), reply(status, {"message": "no"}), error, 1)
        for status, error in {
            400: BadRequestError,
            401: AuthenticationError,
            403: PermissionDeniedError,
            404: NotFoundError,
            408: ApiError,
            422: BadRequestError,
        }.items()
    ],
    ("429", reply(429), RateLimitError, 4),
    *[(str(status), reply(status, PAGE), ServerError, 4) for status in (500, 502, 504, 522)],
    ("503", reply(503), ServiceUnavailableError, 4),
    ("503 with Retry-After", reply(503, retry_after="0"), ServiceUnavailableError, 4),
    ("silence", silence, RequestTimeoutError, 4),
    ("a body that stalls", stalled, RequestTimeoutError, 4),
    ("reset after the request", reset_after_body, ConnectionFailedError, 4),
    ("hung up after the request", hang_up, ConnectionFailedError, 4),
    ("no HTTP at all", broken_off(b"220 mail.example ESMTP\r\n\r\n"), ConnectionFailedError, 4),
    ("a body cut off", broken_off(LENGTH.replace(b"202", b"200") + b'{"id"'), ConnectionFailedError, 4),
    ("a chunk cut off", broken_off(CHUNKED + b'40\r\n{"id": "7K'), ConnectionFailedError, 4),
    *[
        (str(status), reply(status, location="/v2/elsewhere"), UnexpectedResponseError, 1)
        for status in (301, 302, 303, 307, 308)
    ],
    ("no JSON", reply(200, b"{oops", content_type="application/json"), UnexpectedResponseError, 1),
    ("a page", reply(200, PAGE, content_type="text/html"), UnexpectedResponseError, 1),
    ("nothing", reply(200), UnexpectedResponseError, 1),
    ("an array", reply(200, [1]), UnexpectedResponseError, 1),
]


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("step", "kind", "times"), [row[1:] for row in READ], ids=[row[0] for row in READ])
async def test_a_read_is_repeated(step: Step, kind: type[CloudlayerError], times: int, connect: Connect) -> None:
    async with RawServer(step) as server:
        client = await connect(server.url, timeouts=patience(step))
        with pytest.raises(CloudlayerError) as caught:
            await client.get_job("7Kq2")
    assert type(caught.value) is kind
    assert not caught.value.maybe_billed
    assert set(server.lines) == {"GET /v2/jobs/7Kq2"}
    assert times <= len(server.requests) <= 2 * times  # aiohttp repeats a GET once by itself when the line goes dead
    error: Any = caught.value
    assert len(error.history) == times
    assert error.__context__ is None


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("step", [row[1] for row in READ if row[3] == 4], ids=[row[0] for row in READ if row[3] == 4])
async def test_a_read_outlives_what_passes(step: Step, connect: Connect) -> None:
    async with RawServer(step, step, step, reply(200, DONE)) as server:
        client = await connect(server.url, timeouts=patience(step))
        assert (await client.get_job("7Kq2")).is_success


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_a_read_from_nobody(connect: Connect) -> None:
    client = await connect(f"http://{await refused_address()}")
    with pytest.raises(ConnectionFailedError) as caught:
        await client.get_status()
    assert len(caught.value.history) == 4


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("step", [hang_up, reset_after_body, silence, reply(502)])
async def test_other_writes_are_as_careful_and_cost_nothing(step: Step, connect: Connect) -> None:
    async with RawServer(step) as server:
        client = await connect(server.url, timeouts=patience(step))
        with pytest.raises(AmbiguousSubmissionError) as caught:
            await client.add_storage(title="t", region="r", access_key_id="a", secret_access_key="s", bucket="b")
    assert not caught.value.maybe_billed
    assert len(server.requests) == 1


# --- limits of a reply ----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_an_endless_error_page_is_not_read_to_its_end(connect: Connect) -> None:
    async def endless(exchange: Exchange) -> None:
        await exchange.request()
        await exchange.send(b"HTTP/1.1 400 X\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
        while exchange.is_open:
            await exchange.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    async with RawServer(endless) as server:
        client = await connect(server.url)
        with pytest.raises(BadRequestError) as caught:
            await client.html_to_pdf("<p>")
    assert len(caught.value.body) == 16 * 1024
    assert len(str(caught.value)) < 1000


@pytest.mark.asyncio
async def test_an_endless_job_is_not_read_to_its_end(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudlayer_async.receiving._JSON_LIMIT", 100_000)
    async with RawServer(reply(200, {"id": "7Kq2", "pad": "x" * 200_000})) as server:
        client = await connect(server.url)
        with pytest.raises(UnexpectedResponseError, match="larger than 100,000 bytes"):
            await client.get_job("7Kq2")
        assert len(server.requests) == 1  # it would be as large again
        with pytest.raises(UnexpectedResponseError) as caught:
            await client.html_to_pdf("<p>")
    assert caught.value.maybe_billed
    assert caught.value.job_id == "7Kq2"


# --- waiting --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_retry_after_is_waited_out(clock: Clock, connect: Connect, at_once: None) -> None:
    async with RawServer(reply(429, retry_after="7"), reply(503, retry_after="3"), reply(202, JOB)) as server:
        client = await connect(server.url)
        began = clock.monotonic()
        await client.html_to_pdf("<p>")
    assert len(server.requests) == 3
    assert 10 <= clock.monotonic() - began < 12


@pytest.mark.asyncio
async def test_retry_after_as_a_date(clock: Clock, connect: Connect, at_once: None) -> None:
    async def refuse(exchange: Exchange) -> None:
        import time

        await reply(429, retry_after=formatdate(time.time() + 20, usegmt=True))(exchange)

    async with RawServer(refuse, reply(202, JOB)) as server:
        client = await connect(server.url)
        began = clock.monotonic()
        await client.html_to_pdf("<p>")
    assert 18 <= clock.monotonic() - began <= 22


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_that_is_too_long_fails_at_once_and_says_so(status: int, clock: Clock, connect: Connect) -> None:
    async with RawServer(reply(status, {"message": "later"}, retry_after="3600")) as server:
        client = await connect(server.url, retry=RetryPolicy(max_retry_after=30))
        with pytest.raises(ApiError, match=r"asks to wait 3600 s, more than max_retry_after=30") as caught:
            await client.html_to_pdf("<p>")
    assert caught.value.retry_after == 3600
    assert not caught.value.maybe_billed
    assert len(server.requests) == 1
    assert clock.slept == []


@pytest.mark.asyncio
async def test_a_wait_beyond_the_budget_fails_at_once_and_says_so(clock: Clock, connect: Connect) -> None:
    async with RawServer(reply(429, retry_after="60")) as server:
        client = await connect(server.url, retry=RetryPolicy(budget=30))
        with pytest.raises(RateLimitError, match=r"asks to wait 60 s, more than what is left of budget=30"):
            await client.html_to_pdf("<p>")
    assert len(server.requests) == 1
    assert clock.slept == []


@pytest.mark.asyncio
async def test_a_refusal_pauses_every_call_once(clock: Clock, connect: Connect, at_once: None) -> None:
    """Twenty submissions under way and one refused: the others' next calls wait for the same moment, nobody pays."""
    async with RawServer(reply(429, retry_after="5"), reply(202, JOB)) as server:
        client = await connect(server.url, max_connections=1)
        began = clock.monotonic()
        moments: list[float] = []

        async def one(number: int) -> None:
            await client.html_to_pdf(f"<p>{number}</p>")
            moments.append(clock.monotonic() - began)

        await one(0)
        assert 5 <= moments[0] < 6
        server.steps[:] = [reply(429, retry_after="5"), reply(202, JOB)]
        await asyncio.gather(*(one(number) for number in range(20)))
    assert len(server.requests) == 23  # 21 accepted, two refused
    assert all(10 <= moment < 12 for moment in moments[-19:])
    assert sum(clock.slept) < 5 * 25


@pytest.mark.asyncio
async def test_a_pause_holds_for_siblings_and_reads_too(clock: Clock, connect: Connect, at_once: None) -> None:
    async with RawServer(reply(429, retry_after="9"), reply(200, {"status": "ok"})) as server:
        client = await connect(server.url, retry=RetryPolicy(attempts=2))
        sibling = client.with_options(api_version="v1", retry=RetryPolicy(attempts=1))
        first = asyncio.ensure_future(client.get_status())
        await server.arrived.wait()
        began = clock.monotonic()
        await asyncio.gather(first, sibling.get_status())
    assert clock.monotonic() - began >= 8.9
    assert server.lines == ["GET /v2/getStatus", "GET /v2/getStatus", "GET /v1/getStatus"] or server.lines == [
        "GET /v2/getStatus",
        "GET /v1/getStatus",
        "GET /v2/getStatus",
    ]


@pytest.mark.asyncio
async def test_the_budget_ends_repeats(clock: Clock, connect: Connect) -> None:
    async with RawServer(reply(429, retry_after="20")) as server:
        client = await connect(server.url, retry=RetryPolicy(attempts=100, budget=50))
        with pytest.raises(RateLimitError) as caught:
            await client.get_status()
    assert len(server.requests) == 3
    assert [attempt.retry_in for attempt in caught.value.history] == [20, 20, None]


@pytest.mark.asyncio
async def test_a_limit_that_is_used_up_is_not_run_into(clock: Clock, connect: Connect, at_once: None) -> None:
    headers = {"x_ratelimit_limit": "60", "x_ratelimit_remaining": "0", "x_ratelimit_reset": "12"}
    async with RawServer(reply(202, JOB, **headers), reply(202, JOB)) as server:
        client = await connect(server.url)
        await client.html_to_pdf("<p>")
        assert client.last_limits is not None
        assert client.last_limits.rate_limit_remaining == 0
        began = clock.monotonic()
        await client.html_to_pdf("<p>")
    assert clock.monotonic() - began >= 11.9
    assert len(server.requests) == 2


# --- observers ------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_every_attempt_is_seen(connect: Connect) -> None:
    seen: list[Attempt] = []
    async with RawServer(reply(429), reply(202, JOB)) as server:
        client = await connect(server.url, on_attempt=seen.append)
        await client.html_to_pdf("<p>")
    assert [(attempt.number, attempt.status, attempt.retry_in) for attempt in seen] == [(1, 429, 0.0), (2, 202, None)]
    assert {attempt.request for attempt in seen} == {"POST /v2/html/pdf"}
    assert all(attempt.elapsed > 0 for attempt in seen)


@pytest.mark.asyncio
async def test_an_observer_that_raises_loses_no_job(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    def observe(attempt: Attempt) -> None:
        raise RuntimeError("observer")

    async with RawServer(reply(202, JOB)) as server:
        client = await connect(server.url, on_attempt=observe)
        conversion = await client.submit(HtmlToPdf("<p>"))
    assert conversion.job_id == "7Kq2"
    assert "on_attempt raised" in caplog.text


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_history_says_what_each_attempt_came_to(connect: Connect) -> None:
    async with RawServer(reply(503), silence, reply(500, {"message": "dead"})) as server:
        client = await connect(server.url, timeouts=patience(silence))
        with pytest.raises(ServerError, match=r"HTTP 500: dead \(GET /v2/jobs/7Kq2\) after 4 attempts") as caught:
            await client.get_job("7Kq2")
    assert [attempt.status for attempt in caught.value.history] == [503, None, 500, 500]
    assert caught.value.history[1].error
    assert len(server.requests) == 4
