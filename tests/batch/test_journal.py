"""The journal: runs that go on where another was, and journals that must not be used."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cloudlayer_async import (
    AsyncCloudlayer,
    BadRequestError,
    BatchStoppedError,
    DocxToPdf,
    HtmlToPdf,
    JobFailedError,
    JournalError,
    Outcome,
    ValidationError,
)

from .conftest import batch_of, make_client, pages
from .service import KEY, FakeService, Job, refusal, until

pytestmark = pytest.mark.asyncio


async def run(client: AsyncCloudlayer, requests: Any, **options: Any) -> list[Outcome]:
    async with batch_of(client, requests, **options) as batch:
        return sorted([outcome async for outcome in batch], key=lambda outcome: outcome.index)


def rows(journal: Path, columns: str = "state") -> list[Any]:
    with sqlite3.connect(journal) as connection:
        found = connection.execute(f"SELECT {columns} FROM items ORDER BY number").fetchall()
    connection.close()
    return [row[0] if len(row) == 1 else row for row in found]


async def test_a_second_run_does_nothing_and_gives_the_same(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, tmp_path: Path
) -> None:
    first = await run(cl, pages(20, name="Page"), journal=journal, save_to=tmp_path / "out")
    assert all(outcome.ok for outcome in first) and rows(journal) == ["finished"] * 20
    service.calls.clear()
    second = await run(cl, pages(20, name="Page"), journal=journal, save_to=tmp_path / "out")
    assert not service.calls
    assert [outcome.path for outcome in second] == [outcome.path for outcome in first]
    for one, two in zip(first, second, strict=True):
        assert one.job is not None and two.job is not None and one.job.id == two.job.id
        assert two.document is not None and two.document.content == (one.path and one.path.read_bytes())


async def test_the_token_is_sent_and_never_shown(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, tmp_path: Path
) -> None:
    def fail_one(job: Job) -> None:
        job.failed = len(service.jobs) == 2

    service.make = fail_one
    outcomes = await run(
        cl, [*pages(3, name="Invoice"), *pages(1, start=9)], journal=journal, save_to=tmp_path / "out", concurrency=1
    )
    sent = [job.name or "" for job in service.jobs.values()]
    assert len(set(sent)) == 4 and all(name.startswith("Invoice ~") for name in sent[:3]) and sent[3].startswith("~")
    for outcome in outcomes:
        assert outcome.job is not None and "~" not in repr(outcome)
        assert outcome.job.name == ("Invoice" if outcome.index < 3 else None)
        assert "~" not in str(outcome.job.params)
    assert isinstance(outcomes[2].error, JobFailedError) and outcomes[2].error.job.name == "Invoice"
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["Invoice (2).pdf", "Invoice.pdf", "document.pdf"]
    assert all(job.body["async"] is True and job.body["storage"] is True for job in service.jobs.values())


async def test_equal_requests_are_different_items(cl: AsyncCloudlayer, service: FakeService, journal: Path) -> None:
    same = [HtmlToPdf("<p>same</p>") for _ in range(3)]
    await run(cl, same, journal=journal)
    assert service.accepted == 3
    await run(cl, [*same, HtmlToPdf("<p>same</p>"), HtmlToPdf("<p>other</p>")], journal=journal)
    assert service.accepted == 5
    assert rows(journal, "occurrence") == [1, 2, 3, 4, 1]


async def test_items_are_known_by_content_not_by_place_or_path(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, tmp_path: Path
) -> None:
    service.product = lambda job: b"%PDF"  # type: ignore[method-assign]
    service.convert = service.convert  # type: ignore[method-assign]
    (tmp_path / "a.html").write_text("<p>a</p>")
    await run(cl, [*pages(4), HtmlToPdf(tmp_path / "a.html")], journal=journal)
    shutil.move(tmp_path / "a.html", tmp_path / "b.html")
    await run(cl, [HtmlToPdf(tmp_path / "b.html"), *reversed(pages(4))], journal=journal)
    assert service.accepted == 5
    (tmp_path / "b.html").write_text("<p>changed</p>")
    await run(cl, [HtmlToPdf(tmp_path / "b.html")], journal=journal)
    assert service.accepted == 6


async def test_another_webhook_or_other_defaults_make_no_other_item(service: FakeService, journal: Path) -> None:
    for number in range(2):
        async with make_client(service.base_url, defaults={"landscape": bool(number)}) as cl:
            hook = f"http://127.0.0.1/hook/{number}"
            assert all(outcome.ok for outcome in await run(cl, pages(2, webhook=hook), journal=journal))
    assert service.accepted == 2


async def test_the_callers_key_is_the_item(cl: AsyncCloudlayer, service: FakeService, journal: Path) -> None:
    outcomes = await run(cl, [("a", pages(1)[0]), ("b", pages(1)[0])], journal=journal)
    assert [outcome.key for outcome in outcomes] == ["a", "b"]
    await run(cl, [("b", pages(1, start=7)[0]), ("a", pages(1, start=8)[0])], journal=journal)
    assert service.accepted == 2
    twice = await run(cl, [("a", pages(1)[0]), ("a", pages(1)[0])], journal=journal)
    assert sorted(outcome.ok for outcome in twice) == [False, True]
    assert isinstance(next(outcome.error for outcome in twice if not outcome.ok), ValidationError)


async def test_an_open_file_needs_a_key_only_when_it_cannot_be_rewound(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, tmp_path: Path
) -> None:
    class Pipe:
        def read(self, size: int = -1) -> bytes:
            return b""

    outcomes = await run(cl, [DocxToPdf(Pipe())], journal=journal)  # type: ignore[arg-type]
    assert isinstance(outcomes[0].error, ValidationError) and "key" in str(outcomes[0].error)
    assert service.calls["submit"] == 0


@pytest.mark.parametrize("option", ["async_", "storage"])
async def test_what_could_be_lost_with_a_reply_is_refused(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, option: str
) -> None:
    request = HtmlToPdf("<p>", async_=False, **({"storage": False} if option == "storage" else {}))
    outcomes = await run(cl, [request, *pages(1)], journal=journal)
    assert isinstance(outcomes[0].error, ValidationError) and outcomes[1].ok and service.accepted == 1


async def test_what_was_pending_is_waited_for_not_submitted(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, tmp_path: Path
) -> None:
    service.make = lambda job: setattr(job, "done", False)
    async with batch_of(cl, pages(6), journal=journal, concurrency=3, save_to=tmp_path / "out"):
        await until(lambda: service.accepted == 3)
    assert rows(journal) == ["submitted"] * 3
    for job in service.jobs.values():
        job.done = True
    service.make = None
    outcomes = await run(cl, pages(6), journal=journal, save_to=tmp_path / "out")
    assert all(outcome.ok for outcome in outcomes) and service.accepted == 6


async def test_a_lost_file_is_fetched_again_for_nothing(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, tmp_path: Path
) -> None:
    first = await run(cl, pages(3), journal=journal, save_to=tmp_path / "out")
    assert first[0].path is not None and first[1].path is not None
    first[0].path.unlink()
    first[1].path.write_bytes(b"cut")
    second = await run(cl, pages(3), journal=journal, save_to=tmp_path / "out")
    assert all(outcome.ok for outcome in second) and service.accepted == 3 and service.calls["download"] == 5
    assert second[1].path is not None and second[1].path != first[1].path and first[1].path.read_bytes() == b"cut"
    assert second[1].path.stat().st_size == service.size


async def test_refused_items_are_tried_again_and_failed_jobs_are_not(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    async def refuse(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return refusal(400) if body["name"].startswith("bad") else None

    def fail(job: Job) -> None:
        job.failed = (job.name or "").startswith("fails")

    service.before, service.make = refuse, fail
    requests = [*pages(1, name="bad"), *pages(1, name="fails"), *pages(1)]
    first = await run(cl, requests, journal=journal)
    assert isinstance(first[0].error, BadRequestError) and isinstance(first[1].error, JobFailedError)
    assert rows(journal, "state, error") == [
        ("open", "BadRequestError"),
        ("failed", "JobFailedError"),
        ("finished", None),
    ] or sorted(rows(journal)) == ["failed", "finished", "open"]
    service.before = None
    second = await run(cl, requests, journal=journal)
    assert second[0].ok and isinstance(second[1].error, JobFailedError) and second[2].ok
    assert service.accepted == 3


async def test_credits_of_earlier_runs_count(cl: AsyncCloudlayer, service: FakeService, journal: Path) -> None:
    for limit, made in ((4, 4), (4, 4), (6, 6)):
        with pytest.raises(BatchStoppedError):
            await run(cl, pages(10), journal=journal, max_credits=limit)
        assert service.accepted == made
    assert len(await run(cl, pages(10), journal=journal, max_credits=10)) == 10
    assert service.accepted == 10


# --- journals that must not be used -----------------------------------------------------------------------------------


async def test_a_journal_serves_one_batch_at_a_time(cl: AsyncCloudlayer, service: FakeService, journal: Path) -> None:
    async with batch_of(cl, pages(1), journal=journal):
        with pytest.raises(JournalError, match="in use"):
            await run(cl, pages(1), journal=journal)
        process = await asyncio.create_subprocess_exec(
            shutil.which("python3") or "python3",
            "-c",
            f"import sqlite3; sqlite3.connect({str(journal)!r}, timeout=0).execute('SELECT * FROM items')",
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        assert b"locked" in said
        journal.read_bytes()  # by which this process loses SQLite's lock
        with pytest.raises(JournalError, match="in use"):
            await asyncio.to_thread(in_another_process, service.base_url, journal)
    assert all(outcome.ok for outcome in await run(cl, pages(1), journal=journal))


def in_another_process(base_url: str, journal: Path) -> None:
    """Runs a batch of nothing there; raises what that raised."""
    code = (
        "from cloudlayer_async import Cloudlayer, JournalError\n"
        f"with Cloudlayer({KEY!r}, base_url={base_url!r}) as cl:\n"
        "    try:\n"
        f"        with cl.batch([], journal={str(journal)!r}): pass\n"
        "    except JournalError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    if done.stdout:
        raise JournalError(done.stdout.strip())


async def test_another_key_or_service_is_refused(cl: AsyncCloudlayer, service: FakeService, journal: Path) -> None:
    await run(cl, pages(1), journal=journal)
    async with make_client(service.base_url, api_key="cl-another") as other:
        with pytest.raises(JournalError, match="another account"):
            await run(other, pages(1), journal=journal)
    async with make_client("http://127.0.0.1:9") as other:
        with pytest.raises(JournalError, match="belongs to"):
            await run(other, pages(1), journal=journal)
    assert service.calls["submit"] == 1


@pytest.mark.parametrize("content", [b"this is no database, whatever its name says" * 100, None])
async def test_what_is_no_journal_is_refused_and_left_as_it_is(
    cl: AsyncCloudlayer, journal: Path, content: bytes | None
) -> None:
    if content is not None:
        journal.write_bytes(content)
    else:
        connection = sqlite3.connect(journal)
        connection.execute("CREATE TABLE theirs (x)")
        connection.close()
    before = journal.read_bytes()
    with pytest.raises(JournalError):
        await run(cl, pages(1), journal=journal)
    assert journal.read_bytes() == before


async def test_a_newer_format_is_refused(cl: AsyncCloudlayer, journal: Path) -> None:
    await run(cl, pages(1), journal=journal)
    connection = sqlite3.connect(journal)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(JournalError, match="format is 2"):
        await run(cl, pages(1), journal=journal)


async def test_a_folder_that_is_not_there_is_a_journal_error(cl: AsyncCloudlayer, tmp_path: Path) -> None:
    with pytest.raises(JournalError):
        await run(cl, pages(1), journal=tmp_path / "no" / "run.db")


async def test_no_secret_and_no_page_is_in_it(cl: AsyncCloudlayer, service: FakeService, journal: Path) -> None:
    requests = [HtmlToPdf("<p>very private page</p>", extra={"token": "hidden-token"})]
    await run(cl, requests, journal=journal)
    written = b"".join(path.read_bytes() for path in journal.parent.glob("run.db*"))
    for secret in (KEY.encode(), b"private", b"hidden-token"):
        assert secret not in written
    assert b"digest:" in written


async def test_every_intent_is_on_the_disk_before_it_is_sent(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, tmp_path: Path
) -> None:
    """What a loss of power would leave: the files as they are at the moment a submission arrives."""
    seen: list[tuple[str, list[Any]]] = []

    async def photograph(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        copy = tmp_path / f"copy{len(seen)}"
        copy.mkdir()
        for file in journal.parent.glob("run.db*"):
            shutil.copy(file, copy)
        seen.append((body["name"], rows(copy / "run.db", "number, state")))
        return None

    service.before = photograph
    async with batch_of(cl, pages(8), journal=journal, concurrency=4) as batch:
        async for _ in batch:
            pass
    assert len(seen) == 8
    for name, states in seen:
        assert dict(states)[int(name.rpartition("-")[2].rstrip("~"), 36)] == "intent"


async def test_what_an_earlier_run_knew_of_the_cost_is_not_forgotten(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, tmp_path: Path
) -> None:
    """Five credits each by the job's own figure, which a job that cannot be fetched again does not tell."""
    service.on_show = lambda shown: shown.update(apiCreditCost=5) if "apiCreditCost" in shown else None
    options: dict[str, Any] = {"journal": journal, "save_to": tmp_path / "out"}
    for outcome in await run(cl, pages(4), **options):
        assert outcome.path is not None
        outcome.path.unlink()
    old = set(service.jobs)

    async def gone(request: web.Request) -> web.Response | None:
        return web.Response(status=404) if request.match_info["id"] in old else None

    service.on_download = gone
    with pytest.raises(BatchStoppedError, match="max_credits"):
        async with batch_of(cl, pages(40), max_credits=21, concurrency=1, **options) as batch:
            async for _ in batch:
                pass
    assert service.accepted - len(old) == 1


async def test_the_cost_that_only_the_reply_told_is_kept(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, tmp_path: Path
) -> None:
    service.headers = {"cl-api-credit-cost": "3"}
    service.on_show = lambda shown: shown.pop("apiCreditCost", None)
    options: dict[str, Any] = {"journal": journal, "save_to": tmp_path / "out"}
    for outcome in await run(cl, pages(2), **options):
        assert outcome.path is not None
        outcome.path.unlink()
    assert all(outcome.ok for outcome in await run(cl, pages(2), **options))
    with sqlite3.connect(journal) as connection:
        assert connection.execute("SELECT credits FROM items").fetchall() == [(3.0,), (3.0,)]
    connection.close()


async def test_what_a_journal_sends_anyway_makes_no_other_item(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    for options in ({}, {"async_": True}, {"storage": True}, {"async_": True, "storage": True}):
        (outcome,) = await run(cl, pages(1, **options), journal=journal)
        assert outcome.ok
    assert service.accepted == 1


@pytest.mark.parametrize("path", ["", 3, True, b"run.db"])
async def test_a_journal_is_the_path_of_a_file(cl: AsyncCloudlayer, path: Any) -> None:
    with pytest.raises(ValidationError, match="journal"):
        cl.batch(pages(1), journal=path)


async def test_a_folder_is_no_journal_and_nothing_is_left_beside_it(cl: AsyncCloudlayer, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path, said in ((tmp_path / "folder", "folder"), (tmp_path / "nowhere" / "run.db", "there is no folder")):
        with pytest.raises(JournalError, match=said):
            async with cl.batch(pages(1), journal=path):
                pass
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


async def test_a_file_is_named_as_its_caller_names_the_folder(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for save_to in ("out", "out", tmp_path / "out"):
        (outcome,) = await run(cl, pages(1), journal=journal, save_to=save_to)
        assert outcome.path is not None and outcome.path.parent == Path(save_to)
    assert service.accepted == service.calls["download"] == 1


async def test_jobs_are_found_by_their_names_in_spite_of_the_token(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    await run(cl, [*pages(1, name="Invoice 7"), *pages(1, start=1, name="Invoice 77")], journal=journal)
    for _ in range(200):
        service.add("somebody else's")
    (found,) = await cl.find_jobs(name="Invoice 7")
    assert found.name is not None and found.name.startswith("Invoice 7 ~")


async def test_a_rotated_key_of_the_same_account_goes_on(service: FakeService, journal: Path) -> None:
    service.on_show = lambda shown: shown.update(uid="user-1")
    async with make_client(service.base_url) as cl:
        assert (await run(cl, pages(1), journal=journal))[0].ok
    for uid, key in (("user-1", "cl-rotated"), ("user-1", KEY)):
        service.account = {"uid": uid}
        async with make_client(service.base_url, api_key=key) as cl:
            assert (await run(cl, pages(1), journal=journal))[0].ok
    for account in ({"uid": "user-2"}, {}, []):  # the last is none that could be read
        service.account = account  # type: ignore[assignment]
        async with make_client(service.base_url, api_key="cl-another") as cl:
            with pytest.raises(JournalError, match="another account"):
                await run(cl, pages(1), journal=journal)
    assert service.accepted == 1
    assert b"user-1" not in journal.read_bytes()
