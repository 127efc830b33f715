"""A webhook is a hint: what is told is what the API says, and only to those whom it concerns."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from servers import KEY, Clock, Service

from cloudlayer_async import AsyncCloudlayer, Job, JobStatus, RetryPolicy, UnknownJobs, WebhookReceiver

from .conftest import TOKEN


def hook(job_id: str = "7Kq2", status: str = "success", **fields: Any) -> bytes:
    return json.dumps({"id": job_id, "status": status, **fields}).encode()


def answer(service: Service, *statuses: str, job_id: str = "7Kq2", **fields: Any) -> str:
    """What the API says of a job, one read after the other; gives the read's line."""
    line = f"GET /v2/jobs/{job_id}"
    service.answers(line, *({"id": job_id, "status": status, **fields} for status in statuses))
    return line


@pytest.mark.asyncio
async def test_the_body_is_not_believed(service: Service, client: AsyncCloudlayer) -> None:
    answer(service, "error", error="Navigation timeout")
    told: list[Job] = []
    async with WebhookReceiver(client, on_job=told.append) as receiver:
        assert await receiver.handle({}, hook(assetUrl="https://evil.example/")) == (200, b"ok")
    [job] = told
    assert (job.status, job.error, job.asset_url) == (JobStatus.ERROR, "Navigation timeout", None)
    assert service.requests[0].headers["X-API-Key"] == KEY


@pytest.mark.asyncio
async def test_the_answer_does_not_wait_for_the_read(service: Service, client: AsyncCloudlayer) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: Any) -> Any:
        from aiohttp import web

        asked.set()
        await go_on.wait()
        return web.json_response({"id": "7Kq2", "status": "success"})

    service.answers("GET /v2/jobs/7Kq2", slow)
    told: list[Job] = []
    async with WebhookReceiver(client, on_job=told.append) as receiver:
        assert (await receiver.handle({}, hook()))[0] == 200
        await asked.wait()
        assert not told
        go_on.set()
    assert len(told) == 1


@pytest.mark.asyncio
async def test_duplicates_are_told_once_and_read_once(service: Service, client: AsyncCloudlayer) -> None:
    line = answer(service, "success")
    told: asyncio.Queue[Job] = asyncio.Queue()
    async with WebhookReceiver(client, on_job=told.put_nowait) as receiver:
        answers = await asyncio.gather(*(receiver.handle({}, hook()) for _ in range(20)))
        await told.get()
        answers += [await receiver.handle({}, hook(status="completed")) for _ in range(20)]
    assert {status for status, _ in answers} == {200}
    assert told.empty()
    assert service.count(line) == 1


@pytest.mark.asyncio
async def test_what_comes_out_of_order_is_told_once_for_each_final_state(
    service: Service, client: AsyncCloudlayer
) -> None:
    answer(service, "success", "success", "success", "error")
    told: asyncio.Queue[Job] = asyncio.Queue()
    async with WebhookReceiver(client, on_job=told.put_nowait, path_token=TOKEN) as receiver:
        await receiver.handle({}, hook(status="success"), path=TOKEN)
        assert (await told.get()).is_success
        for status in ("pending", "error"):  # late, and no longer or never true
            await receiver.handle({}, hook(status=status), path=TOKEN)
            while service.count("GET /v2/jobs/7Kq2") < (2 if status == "pending" else 3):
                await asyncio.sleep(0)
        while receiver._inquiries._open:
            await asyncio.sleep(0)
        await receiver.handle({}, hook(status="error"), path=TOKEN)  # and now it is
        assert (await told.get()).is_error
    assert told.empty()


@pytest.mark.asyncio
async def test_another_end_that_comes_while_the_first_is_told(service: Service, client: AsyncCloudlayer) -> None:
    answer(service, "error", "success")
    told: list[str] = []
    telling, go_on = asyncio.Event(), asyncio.Event()

    async def on_job(job: Job) -> None:
        told.append(job.status)
        telling.set()
        await go_on.wait()

    async with WebhookReceiver(client, on_job=on_job) as receiver:
        await receiver.handle({}, hook(status="error"))
        await telling.wait()
        await receiver.handle({}, hook(status="success"))
        await receiver.handle({}, hook(status="error"))
        go_on.set()
    assert told == ["error", "success"]


@pytest.mark.asyncio
async def test_a_read_that_is_older_than_the_webhook_is_made_again(
    service: Service, client: AsyncCloudlayer, clock: Clock
) -> None:
    line = answer(service, "pending", "pending", "success")
    told: list[Job] = []
    async with WebhookReceiver(client, on_job=told.append) as receiver:
        await receiver.handle({}, hook())
        while not told:
            await asyncio.sleep(0)
    assert service.count(line) == 3
    assert clock.slept == [0.25, 0.5]


@pytest.mark.asyncio
async def test_a_job_that_does_not_end_is_told_to_nobody(
    service: Service, client: AsyncCloudlayer, clock: Clock
) -> None:
    line = answer(service, "pending")
    told: list[Job] = []
    async with WebhookReceiver(client, on_job=told.append, on_error=print, attempts=6) as receiver:
        for _ in range(10):
            await receiver.handle({}, hook())
        while receiver._inquiries._open:
            await asyncio.sleep(0)
        assert (told, service.count(line)) == ([], 6)
        assert (await receiver.handle({}, hook()))[0] == 200  # may still end
        while service.count(line) < 7:
            await asyncio.sleep(0)


@pytest.fixture
def long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that finds a job not ended is not made again while the test runs."""
    monkeypatch.setattr("cloudlayer_async.webhooks.inquiries.pause", lambda attempt: 600.0)


@pytest.mark.asyncio
@pytest.mark.usefixtures("long_pauses")
@pytest.mark.parametrize("path_token", [None, TOKEN])
async def test_news_that_come_between_two_reads_are_not_kept_waiting(
    service: Service, client: AsyncCloudlayer, path_token: str | None
) -> None:
    """The first one was early, or made up."""
    line = answer(service, "pending", "success")
    told: asyncio.Queue[Job] = asyncio.Queue()
    async with WebhookReceiver(client, on_job=told.put_nowait, path_token=path_token) as receiver:
        await receiver.handle({}, hook(), path=TOKEN)
        while not receiver._inquiries._open["7Kq2"].pause:
            await asyncio.sleep(0)
        await receiver.handle({}, hook(), path=TOKEN)
        assert (await asyncio.wait_for(told.get(), 5)).is_success
    assert service.count(line) == 2


@pytest.mark.asyncio
@pytest.mark.usefixtures("long_pauses")
async def test_who_knows_the_id_of_a_running_job_cannot_have_it_read_for_ever(
    service: Service, client: AsyncCloudlayer
) -> None:
    service.answers("POST /v2/html/pdf", {"id": "7Kq2", "status": "pending"}, status=202)
    line = answer(service, "pending")
    limits = UnknownJobs(rate=0.001, burst=3, queue=1)
    async with WebhookReceiver(client, unknown=limits) as receiver:
        await client.html_to_pdf("<p>", webhook="https://example.com/hook")
        for _ in range(50):
            await receiver.handle({}, hook())
            while (inquiry := receiver._inquiries._open["7Kq2"]) and not inquiry.pause:
                await asyncio.sleep(0)
    assert service.count(line) == 1 + 3


@pytest.mark.asyncio
async def test_news_that_come_during_the_last_read_are_not_lost(service: Service, client: AsyncCloudlayer) -> None:
    """That read may have been answered before the job ended."""
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def pending(request: Any) -> Any:
        from aiohttp import web

        reading.set()
        await go_on.wait()
        return web.json_response({"id": "7Kq2", "status": "pending"})

    service.answers("GET /v2/jobs/7Kq2", pending)
    answer(service, "success")
    told: list[Job] = []
    async with WebhookReceiver(client, on_job=told.append, attempts=1) as receiver:
        await receiver.handle({}, hook())
        await reading.wait()
        assert (await receiver.handle({}, hook()))[0] == 200
        go_on.set()
    assert len(told) == 1


@pytest.mark.asyncio
async def test_an_id_that_the_api_does_not_know_has_no_effect(
    service: Service, client: AsyncCloudlayer, caplog: pytest.LogCaptureFixture
) -> None:
    service.answers("GET /v2/jobs/made-up", {"message": "no such job"}, status=404)
    told: list[object] = []
    async with WebhookReceiver(client, on_job=told.append, on_error=lambda *_: told.append(_)) as receiver:
        assert await receiver.handle({}, hook("made-up")) == (200, b"ok")
    assert service.lines == ["GET /v2/jobs/made-up"]
    assert (told, caplog.records) == ([], [])


@pytest.mark.asyncio
async def test_an_api_that_fails_is_asked_again(service: Service, client: AsyncCloudlayer, clock: Clock) -> None:
    client = client.with_options(retry=RetryPolicy(attempts=1))
    service.answers("GET /v2/jobs/7Kq2", {"message": "oh"}, status=500)
    service.answers("GET /v2/jobs/7Kq2", b"<html>", status=200)
    answer(service, "success")
    told: list[Job] = []
    async with WebhookReceiver(client, on_job=told.append) as receiver:
        await receiver.handle({}, hook())
        while not told:
            await asyncio.sleep(0)
    assert clock.slept == [0.25, 0.5]


@pytest.mark.asyncio
async def test_an_api_that_goes_on_failing_is_reported(
    service: Service, client: AsyncCloudlayer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    client = client.with_options(retry=RetryPolicy(attempts=1))
    service.answers("GET /v2/jobs/7Kq2", {"message": "oh"}, status=500)
    reported: asyncio.Queue[tuple[str, Exception]] = asyncio.Queue()
    told: list[Job] = []

    def on_error(job_id: str, error: Exception) -> None:
        reported.put_nowait((job_id, error))

    async with WebhookReceiver(client, on_job=told.append, on_error=on_error, attempts=3) as receiver:
        await receiver.handle({}, hook())
        job_id, error = await reported.get()
        assert (job_id, type(error).__name__, told) == ("7Kq2", "ServerError", [])
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        # Nothing is known as told, so another delivery begins anew.
        service._api.clear()
        answer(service, "success")
        await receiver.handle({}, hook())
    assert len(told) == 1


@pytest.mark.asyncio
async def test_ids_are_one_segment_of_a_path(service: Service, client: AsyncCloudlayer) -> None:
    async with WebhookReceiver(client) as receiver:
        assert (await receiver.handle({}, hook("../account?x=1#y")))[0] == 200
        assert (await receiver.handle({}, hook("..")))[0] == 400
    assert service.lines == ["GET /v2/jobs/..%2Faccount%3Fx%3D1%23y"]


# --- limits -------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_strangers_cause_so_many_reads_and_no_more(
    service: Service, client: AsyncCloudlayer, clock: Clock
) -> None:
    async with WebhookReceiver(client, unknown=UnknownJobs(rate=1, burst=5, queue=10)) as receiver:
        began = clock.monotonic()
        statuses = [(await receiver.handle({}, hook(f"made-up-{number}")))[0] for number in range(100)]
        assert statuses == [200] * 10 + [503] * 90
        while len(service.lines) < 10:
            await asyncio.sleep(0)
        assert clock.monotonic() - began >= 5 - 0.01  # five at once, the others a second apart
        # The queue has room again.
        assert (await receiver.handle({}, hook("made-up-200")))[0] == 200


@pytest.mark.asyncio
async def test_ids_that_the_family_submitted_are_never_limited(service: Service, client: AsyncCloudlayer) -> None:
    told: list[Job] = []
    async with WebhookReceiver(
        client, on_job=told.append, unknown=UnknownJobs(rate=0.001, burst=1, queue=1)
    ) as receiver:
        sibling = client.with_options(api_version="v1", webhook="https://example.com/hook")
        for number in range(50):
            submitter = client if number % 2 else sibling
            service.answers(f"POST /{submitter.api_version}/html/pdf", {"id": f"job-{number}", "status": "pending"})
            service.answers(
                f"GET /{submitter.api_version}/jobs/job-{number}", {"id": f"job-{number}", "status": "success"}
            )
            if number > 1:
                service._api[f"POST /{submitter.api_version}/html/pdf"].pop(0)
            await submitter.html_to_pdf("<p>", async_=True)
        for number in range(10):
            await receiver.handle({}, hook(f"made-up-{number}"))
        for number in range(50):
            assert (await receiver.handle({}, hook(f"job-{number}")))[0] == 200
    assert {job.id for job in told} == {f"job-{number}" for number in range(50)}


@pytest.mark.asyncio
async def test_each_job_is_read_as_it_was_submitted(service: Service, client: AsyncCloudlayer) -> None:
    sibling = client.with_options(api_key="cl-another", api_version="v1", webhook="https://example.com/hook")
    service.answers("POST /v1/html/pdf", {"id": "7Kq2", "status": "pending"}, status=202)
    service.answers("GET /v1/jobs/7Kq2", {"id": "7Kq2", "status": "success"})
    async with WebhookReceiver(client) as receiver:
        conversion = await sibling.html_to_pdf("<p>", async_=True)
        await receiver.handle({}, hook())
        await conversion.wait()
    assert [(request.line, request.headers["X-API-Key"]) for request in service.requests] == [
        ("POST /v1/html/pdf", "cl-another"),
        ("GET /v1/jobs/7Kq2", "cl-another"),
    ]


@pytest.mark.asyncio
async def test_the_token_lifts_the_limit(service: Service, client: AsyncCloudlayer) -> None:
    limits = UnknownJobs(rate=0.001, burst=1, queue=1)
    async with WebhookReceiver(client, path_token=TOKEN, unknown=limits) as receiver:
        for number in range(50):
            assert (await receiver.handle({}, hook(f"job-{number}"), path=f"/hooks/{TOKEN}"))[0] == 200
    assert len(service.lines) == 50


@pytest.mark.asyncio
async def test_who_knows_an_id_cannot_make_up_ends_of_it(service: Service, client: AsyncCloudlayer) -> None:
    service.answers("POST /v2/html/pdf", {"id": "7Kq2", "status": "pending"})
    line = answer(service, "success")
    limits = UnknownJobs(rate=0.001, burst=2, queue=1)
    async with WebhookReceiver(client, unknown=limits) as receiver:
        await client.html_to_pdf("<p>", webhook="https://example.com/hook")
        await receiver.handle({}, hook())
        while receiver._inquiries._open:
            await asyncio.sleep(0)
        for number in range(100):
            await receiver.handle({}, hook(status=f"error-{number}"))
            await asyncio.sleep(0)
    assert service.count(line) <= 1 + 2


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "status"),
    [
        (TOKEN, 200),
        (f"/{TOKEN}", 200),
        (f"/hooks/{TOKEN}/", 200),
        (f"https://example.com/hooks/{TOKEN}?x=1", 200),
        ("/hooks/" + "".join(f"%{ord(character):02X}" for character in TOKEN), 200),
        ("", 404),
        ("/", 404),
        (f"/{TOKEN}x", 404),
        (f"/x{TOKEN}", 404),
        (f"/{TOKEN}/x", 404),
        (f"/?{TOKEN}", 404),
        (f"/{TOKEN[:-1]}", 404),
        (f"/{TOKEN.upper()}", 404),
        ("/é", 404),
        ("/\ud800", 404),
        ("/%ff%fe%", 404),
        ("/" * 100_000 + TOKEN, 404),
    ],
)
async def test_only_the_token_lets_in(service: Service, client: AsyncCloudlayer, path: str, status: int) -> None:
    async with WebhookReceiver(client, path_token=TOKEN) as receiver:
        assert (await receiver.handle({}, hook(), path=path))[0] == status
    assert len(service.lines) == (status == 200)


@pytest.mark.asyncio
@pytest.mark.parametrize("token", ["пароль-é", "a/b", "/a/b/", "100%25", "with space"])
async def test_any_text_may_be_the_token(client: AsyncCloudlayer, token: str) -> None:
    from urllib.parse import quote

    async with WebhookReceiver(client, path_token=token) as receiver:
        for path in (token, f"/hooks/{token.strip('/')}", f"/hooks/{quote(token.strip('/'))}"):
            assert receiver.lets_in(path)
        assert not receiver.lets_in("/hooks/other")


# --- verify -------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_verify_function_keeps_strangers_out_and_lifts_the_limit(
    service: Service, client: AsyncCloudlayer
) -> None:
    from cloudlayer_async import sign_webhook, verify_signature

    def verify(headers: Any, body: bytes) -> bool:
        return verify_signature(body, headers.get("x-relay-signature"), ["new", "old"])

    limits = UnknownJobs(rate=0.001, burst=1, queue=1)
    async with WebhookReceiver(client, verify=verify, unknown=limits) as receiver:
        assert (await receiver.handle({}, hook()))[0] == 401
        assert (await receiver.handle({"X-Relay-Signature": sign_webhook(hook(), "other")}, hook()))[0] == 401
        assert service.lines == []
        for number in range(20):
            body = hook(f"job-{number}")
            signature = sign_webhook(body, "old")
            for headers in ({"X-Relay-Signature": signature}, [(b"x-relay-signature", signature.encode())]):
                assert (await receiver.handle(headers, body))[0] == 200  # type: ignore[arg-type]
    assert len(service.lines) == 20


@pytest.mark.asyncio
async def test_a_verify_function_may_be_a_coroutine_function_and_may_fail(client: AsyncCloudlayer) -> None:
    async def verify(headers: Any, body: bytes) -> bool:
        return bool(headers["x-good"])

    async with WebhookReceiver(client, verify=verify) as receiver:
        assert (await receiver.handle({"X-Good": "1"}, hook()))[0] == 200
        assert (await receiver.handle({"X-Good": ""}, hook()))[0] == 401
        assert (await receiver.handle({}, hook()))[0] == 401
        assert (await receiver.handle(None, hook()))[0] == 401  # type: ignore[arg-type]
