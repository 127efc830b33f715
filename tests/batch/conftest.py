"""A counting service, and clients for it that do not dawdle."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_asyncio

from cloudlayer_async import AsyncBatch, AsyncCloudlayer, HtmlToPdf, PollSchedule
from cloudlayer_async.batch.pipeline import Requests
from cloudlayer_async.batch.submitting import Service

from .service import KEY, FakeService

SETTLE = 0.02
"""Seconds; the real one is 2."""


@pytest_asyncio.fixture
async def service() -> AsyncIterator[FakeService]:
    async with FakeService().running() as service:
        yield service


def make_client(base_url: str, **options: Any) -> AsyncCloudlayer:
    options = {"polling": PollSchedule(min_interval=0.005, max_interval=0.02), "api_key": KEY, **options}
    return AsyncCloudlayer(base_url=base_url, **options)


@pytest_asyncio.fixture
async def cl(service: FakeService) -> AsyncIterator[AsyncCloudlayer]:
    async with make_client(service.base_url) as client:
        yield client


MakeBatch = Callable[..., AsyncBatch]


def batch_of(client: AsyncCloudlayer, requests: Requests, *, settle_time: float = SETTLE, **options: Any) -> AsyncBatch:
    """A batch as `client.batch` makes it, that settles quickly."""
    service = Service(config=client._config, transport=client._transport, jobs=client._jobs, settle_time=settle_time)
    options = {"concurrency": 32, "save_to": None, "journal": None, "max_credits": None, "on_progress": None, **options}
    return AsyncBatch(requests, service=attrs.evolve(service), **options)


def pages(count: int, start: int = 0, **options: Any) -> list[HtmlToPdf]:
    return [HtmlToPdf(f"<p>page {number}</p>", **options) for number in range(start, start + count)]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "run.db"
