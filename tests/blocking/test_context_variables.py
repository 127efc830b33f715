"""Context variables of the caller are visible inside a call."""

from __future__ import annotations

from contextvars import ContextVar

import pytest
from servers import DONE, Service

from cloudlayer_async import Cloudlayer, Job

from .conftest import KEY

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


@pytest.fixture
def seen(service: Service, no_environment: None) -> list[str]:
    return []


def test_in_a_call(service: Service, seen: list[str]) -> None:
    def key() -> str:
        seen.append(tenant.get())
        tenant.set("changed inside")
        return KEY

    with Cloudlayer(key, base_url=service.url) as cl:
        for name in ("a", "b"):
            token = tenant.set(name)
            cl.get_status()
            assert tenant.get() == name  # what is set inside stays inside
            tenant.reset(token)
    assert seen == ["a", "b"]


def test_in_an_iterator_and_in_a_block(service: Service, seen: list[str]) -> None:
    service.answers("GET /v2/jobs", [DONE])

    async def key() -> str:
        seen.append(tenant.get())
        return KEY

    with Cloudlayer(key, base_url=service.url) as cl:
        token = tenant.set("c")
        list(cl.iter_jobs())
        with cl.attach("7Kq2").stream() as chunks:
            next(chunks)
        tenant.reset(token)
    assert set(seen) == {"c"}


def test_in_callbacks(service: Service, seen: list[str], no_environment: None) -> None:
    def update(_: Job) -> None:
        seen.append(tenant.get())
        tenant.set("set by the callback")

    with Cloudlayer(KEY, base_url=service.url) as cl:
        token = tenant.set("d")
        cl.attach("7Kq2").wait(on_update=update)
        assert tenant.get() == "set by the callback"  # it ran in this thread
        tenant.reset(token)
    assert seen == ["d"]
