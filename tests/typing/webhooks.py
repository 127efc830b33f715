"""What type checkers must know of webhooks. Checked by mypy --strict and pyright; never run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_type

from aiohttp import web

from cloudlayer_async import (
    AsyncCloudlayer,
    Job,
    UnknownJobs,
    WebhookReceiver,
    parse_webhook,
    sign_webhook,
    verify_signature,
)

assert_type(parse_webhook(b"{}"), Job)
assert_type(parse_webhook("{}", max_body=1000), Job)
assert_type(parse_webhook({"id": "7Kq2"}), Job)
parse_webhook(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def on_job(job: Job) -> None:
    """A coroutine function."""


def on_error(job_id: str, error: Exception) -> None:
    """A plain function."""


def verify(headers: Mapping[str, str], body: bytes) -> bool:
    return verify_signature(body, headers.get("x-signature"), ["new", b"old"])


async def verify_elsewhere(headers: Mapping[str, str], body: bytes) -> bool:
    return verify(headers, body)


async def receivers(cl: AsyncCloudlayer, jobs: list[Job]) -> None:
    WebhookReceiver(cl, path_token="token", on_job=on_job, on_error=on_error, verify=verify)
    WebhookReceiver(cl, on_job=jobs.append, verify=verify_elsewhere, max_body=1000, body_timeout=1, dedupe=10)
    WebhookReceiver(cl, verify="refetch", unknown=UnknownJobs(rate=1, burst=10, queue=10), attempts=3)
    WebhookReceiver(cl, max_pending=10, concurrency=2)
    WebhookReceiver(cl, verify="trust")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    WebhookReceiver(cl, "token")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

    async with WebhookReceiver(cl) as receiver:
        assert_type(receiver, WebhookReceiver)
        assert_type(await receiver.handle({"X-A": "b"}, b"{}", path="/hooks/token"), tuple[int, bytes])
        await receiver.handle([(b"x-a", b"b")], b"{}")
        await receiver.handle(pairs(), b"{}")
        assert_type(receiver.aiohttp_app(), web.Application)
        app = web.Application()
        app.router.add_post("/hooks/{token}", receiver.aiohttp_handler)
        app.add_subapp("/more", receiver.aiohttp_app())
        await receiver.aclose(grace=1)


def pairs() -> list[tuple[str, str]]:
    return [("X-A", "b")]


assert_type(sign_webhook(b"{}", "secret", timestamp=0), str)
assert_type(verify_signature(b"{}", None, "secret", tolerance=60), bool)


async def siblings(cl: AsyncCloudlayer) -> None:
    assert_type(cl.with_options(webhook="https://example.com/hooks/token"), AsyncCloudlayer)
    cl.with_options(webhook=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
