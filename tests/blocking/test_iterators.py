"""Iterators: no further than asked, and closed when left early."""

from __future__ import annotations

import pytest
from anyio.from_thread import BlockingPortal
from servers import DONE, Service, http

from cloudlayer_async import Cloudlayer, NotFoundError

from .conftest import KEY, StartRaw, happens


def page(first: int) -> list[dict[str, object]]:
    return [DONE | {"id": f"job-{number}"} for number in range(first, first + 3)]


def test_early_break(cl: Cloudlayer, service: Service) -> None:
    service.answers("GET /v2/jobs", page(0), page(3), [])
    for job in cl.iter_jobs():
        assert job.id == "job-0"
        break
    assert service.lines == ["GET /v2/jobs"]
    assert cl.get_status().ok


def test_the_next_page_is_read_when_it_is_asked_for(cl: Cloudlayer, service: Service) -> None:
    service.answers("GET /v2/jobs", page(0), page(3), [])
    jobs = cl.iter_jobs()
    assert service.lines == []
    assert [next(jobs).id for _ in range(3)] == ["job-0", "job-1", "job-2"]
    assert service.lines == ["GET /v2/jobs"]
    assert next(jobs).id == "job-3"
    assert service.lines == ["GET /v2/jobs", "GET /v2/jobs?offset=3"]
    jobs.close()
    assert list(jobs) == []


def test_an_error_ends_the_iteration(cl: Cloudlayer) -> None:
    jobs = cl.iter_jobs()  # the service knows no list
    with pytest.raises(NotFoundError, match="no answer to GET /v2/jobs"):
        next(jobs)
    assert list(jobs) == []


def test_many_left_early_leave_nothing_behind(cl: Cloudlayer, service: Service) -> None:
    service.answers("GET /v2/jobs", page(0))
    for _ in range(50):
        for _ in cl.iter_jobs():
            break
    assert cl.get_status().ok


def test_a_stream_left_early_closes_its_connection(
    start_raw: StartRaw, servers: BlockingPortal, no_environment: None
) -> None:
    async def endless(exchange: object) -> None:
        request = await exchange.request()  # type: ignore[attr-defined]
        if request.target.startswith("/v2/"):
            url = f"http://{request.headers['Host']}/asset"
            await exchange.send(http(200, DONE | {"assetUrl": url}))  # type: ignore[attr-defined]
            return
        server.hung_up.clear()
        await exchange.send(http(200, b"%PDF", content_length="100000"))  # type: ignore[attr-defined]
        await exchange.gone()  # type: ignore[attr-defined]

    server = start_raw(endless)
    with Cloudlayer(KEY, base_url=server.url) as cl:
        with cl.attach("7Kq2").stream() as chunks:
            for chunk in chunks:
                assert chunk == b"%PDF"
                break
        happens(servers, server.hung_up.wait)


def test_two_iterators_at_once(cl: Cloudlayer, service: Service) -> None:
    service.answers("GET /v2/jobs", page(0))
    service.answers("GET /v2/assets", [{"id": f"asset-{number}", "url": "https://example.com/"} for number in range(3)])
    pairs = zip(cl.iter_jobs(), cl.iter_assets(), strict=True)
    assert [(job.id, asset.id) for job, asset in pairs] == [(f"job-{n}", f"asset-{n}") for n in range(3)]
