"""What is repeated, what is not, and which error it becomes in the end: the design's table, counted at a real server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from conftest import KEY
from servers import JOB, RawServer

from cloudlayer_async import AsyncCloudlayer


@pytest.mark.asyncio
async def test_x(service, client) -> None:
    service.answers("POST /v2/html/pdf", JOB, status=202)
    c = await client.html_to_pdf("<p>")
    assert c.job_id == "7Kq2"
    assert service.requests[0].headers["X-API-Key"] == KEY
