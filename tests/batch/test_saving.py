"""Where products go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cloudlayer_async import AsyncCloudlayer, HtmlToPdf, ValidationError
from cloudlayer_async.batch.saving import Destination

from .conftest import batch_of, pages
from .service import FakeService

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("journalled", [False, True])
async def test_equal_names_are_told_apart_and_nothing_is_replaced(
    cl: AsyncCloudlayer, service: FakeService, tmp_path: Path, journalled: bool
) -> None:
    service.filename = lambda job: "../../report.pdf"
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.pdf").write_bytes(b"mine")
    journal = tmp_path / "run.db" if journalled else None
    async with batch_of(cl, pages(12), save_to=out, journal=journal) as batch:
        outcomes = [outcome async for outcome in batch]
    assert all(outcome.ok for outcome in outcomes)
    assert (out / "report.pdf").read_bytes() == b"mine"
    names = {outcome.path.name for outcome in outcomes if outcome.path is not None}
    assert names == {f"report ({number}).pdf" for number in range(2, 14)}
    for outcome in outcomes:
        assert outcome.document is not None and outcome.document.path == outcome.path
        assert f"page {outcome.index}<".encode() in outcome.document.content


async def test_a_function_gives_each_request_its_path(
    cl: AsyncCloudlayer, service: FakeService, tmp_path: Path
) -> None:
    def place(request: Any) -> Path:
        return tmp_path / f"{request.name}.pdf"

    requests = [*pages(2, name="a"), *pages(1, name="b")]
    async with cl.batch(requests, save_to=place) as batch:
        outcomes = [outcome async for outcome in batch]
    assert {outcome.path for outcome in outcomes} == {tmp_path / name for name in ("a.pdf", "a (2).pdf", "b.pdf")}


async def test_a_place_that_cannot_be_costs_nothing(cl: AsyncCloudlayer, service: FakeService, tmp_path: Path) -> None:
    def place(request: HtmlToPdf) -> str:
        if request.name == "raises":
            raise KeyError("no place")
        return str(tmp_path / "nowhere" / "x.pdf")

    async with cl.batch([*pages(1, name="raises"), *pages(1)], save_to=place) as batch:  # type: ignore[arg-type]
        outcomes = [outcome async for outcome in batch]
    assert all(isinstance(outcome.error, ValidationError) for outcome in outcomes)
    assert not service.calls


async def test_a_folder_may_look_like_a_file(cl: AsyncCloudlayer, tmp_path: Path) -> None:
    report = await cl.run_batch(pages(2), save_to=str(tmp_path / "products.v1"))
    assert report.succeeded == 2 and len(list((tmp_path / "products.v1").iterdir())) == 2


async def test_no_part_file_is_left(cl: AsyncCloudlayer, service: FakeService, tmp_path: Path) -> None:
    service.size = 3_000_000
    async with cl.batch(pages(6), save_to=tmp_path / "out", concurrency=3) as batch:
        async for _ in batch:
            break
    assert not list((tmp_path / "out").glob(".*"))
    assert {path.stat().st_size for path in (tmp_path / "out").iterdir()} <= {3_000_000}


async def test_names_that_all_want_are_numbered_without_counting_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[Any] = []
    exists = os.path.lexists
    monkeypatch.setattr(os.path, "lexists", lambda path: (looked_at.append(path), exists(path))[1])
    destination = Destination(tmp_path)
    for _ in range(500):
        with destination.reserved(tmp_path, "document.pdf") as path:
            path.touch()
    assert len(list(tmp_path.iterdir())) == 500 and path.name == "document (500).pdf"
    assert len(looked_at) < 1_100
    (tmp_path / "document (501).pdf").touch()  # by somebody else
    with destination.reserved(tmp_path, "document.pdf") as path:
        assert path.name == "document (502).pdf"
