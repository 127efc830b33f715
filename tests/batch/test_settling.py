"""Submissions without an answer: found, proven absent, or left ambiguous. Never paid twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cloudlayer_async import AmbiguousSubmissionError, AsyncCloudlayer, RetryPolicy, ServerError
from cloudlayer_async.batch.identity import Doubt
from cloudlayer_async.batch.settling import Entry, Verdict, judge

from .conftest import batch_of, make_client, pages
from .service import FakeService, FaultMix, refusal, reset
from .test_journal import rows, run

DOUBT = Doubt(5, "Name ~abcdefgh-5", 100)


def entries(*items: tuple[int | None, str | None]) -> list[Entry]:
    return [Entry(number, name) for number, name in items]


@pytest.mark.parametrize(
    ("items", "steps", "complete", "expected"),
    [
        # An earlier job of this journal is there: the list reaches back beyond the intent.
        ([(4, "Name ~abcdefgh-4")], {4: 99}, False, Verdict.ABSENT),
        # It is there, but was accepted later than the intent, or it is not known when.
        ([(4, "Name ~abcdefgh-4")], {4: 101}, False, Verdict.UNPROVEN),
        ([(4, "Name ~abcdefgh-4")], {}, False, Verdict.UNPROVEN),
        # Everything there is.
        ([], {}, True, Verdict.ABSENT),
        ([(None, "other"), (6, "x ~abcdefgh-6")], {6: 200}, True, Verdict.ABSENT),
        # A full page of others.
        ([(None, "other")] * 10, {}, False, Verdict.UNPROVEN),
        # What could be the job with its name cut short.
        ([(None, "Name ~abc"), (4, "y ~abcdefgh-4")], {4: 9}, True, Verdict.UNPROVEN),
        ([(None, "Na"), (4, "y ~abcdefgh-4")], {4: 9}, True, Verdict.UNPROVEN),
        # The same, but older than what reaches back.
        ([(4, "y ~abcdefgh-4"), (None, "Name ~abc")], {4: 9}, True, Verdict.ABSENT),
        # Jobs that do not show whether they have a name prove nothing; those that have none are somebody else's.
        ([(None, None)], {}, True, Verdict.UNPROVEN),
        ([(None, None), (4, "y ~abcdefgh-4")], {4: 9}, False, Verdict.UNPROVEN),
        ([(4, "y ~abcdefgh-4"), (None, None)], {4: 9}, False, Verdict.ABSENT),
        ([(None, ""), (4, "y ~abcdefgh-4")], {4: 9}, False, Verdict.ABSENT),
        # What could be the job with its name written otherwise.
        ([(None, "NAME _abcdefgh_5_"), (4, "y ~abcdefgh-4")], {4: 9}, True, Verdict.UNPROVEN),
    ],
)
@pytest.mark.parametrize("anchored", [True, False])
def test_what_a_list_proves(
    items: list[tuple[int | None, str | None]],
    steps: dict[int, int],
    complete: bool,
    expected: Verdict,
    anchored: bool,
) -> None:
    if anchored and not any(number for number, _ in items):
        expected = Verdict.UNPROVEN  # this journal's jobs must be there, if there are any
    assert judge(DOUBT, entries(*items), steps, complete=complete, anchored=anchored) is expected


def lose(names: str, *, accepted: bool) -> Any:
    """A hook that resets the first submission of each job whose name begins so."""
    lost: set[str] = set()

    async def hook(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        if body["name"].startswith(names) and body["name"] not in lost:
            lost.add(body["name"])
            return reset(request)
        return None

    return hook


@pytest.mark.asyncio
async def test_an_accepted_one_is_found_and_not_sent_again(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    service.after = lose("lost", accepted=True)
    outcomes = await run(cl, [*pages(5), *pages(3, start=5, name="lost")], journal=journal)
    assert all(outcome.ok for outcome in outcomes)
    assert service.accepted == 8 == service.calls["submit"]
    assert rows(journal) == ["finished"] * 8


@pytest.mark.asyncio
async def test_one_proven_absent_is_sent_again(cl: AsyncCloudlayer, service: FakeService, journal: Path) -> None:
    service.before = lose("lost", accepted=False)
    for _ in range(30):
        service.add("somebody else's")
    outcomes = await run(cl, [*pages(5), *pages(3, start=5, name="lost")], journal=journal, concurrency=2)
    assert all(outcome.ok for outcome in outcomes)
    assert service.accepted == 38 and service.calls["submit"] == 11
    assert Counter(service.pages()).most_common(2)[1][1] == 1


@pytest.mark.asyncio
async def test_the_first_of_a_journal_among_many_others_cannot_be_proven(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    service.before, service.paging = lose("lost", accepted=False), False
    for _ in range(10):
        service.add("somebody else's")
    outcomes = await run(cl, pages(3, name="lost"), journal=journal, concurrency=1)
    error = outcomes[0].error
    assert isinstance(error, AmbiguousSubmissionError) and error.maybe_billed
    assert error.name is not None and error.name.startswith("lost ~") and error.name in str(error)
    assert rows(journal)[0] == "ambiguous"
    # Again: still nothing can be proven, so still nothing is sent.
    before = service.calls["submit"]
    again = await run(cl, pages(1, name="lost"), journal=journal)
    assert isinstance(again[0].error, AmbiguousSubmissionError) and service.calls["submit"] == before


@pytest.mark.asyncio
async def test_a_short_list_is_all_there_is(cl: AsyncCloudlayer, service: FakeService, journal: Path) -> None:
    service.before = lose("lost", accepted=False)
    for _ in range(8):
        service.add("somebody else's")
    assert (await run(cl, pages(1, name="lost"), journal=journal))[0].ok
    assert service.calls["submit"] == 2


@pytest.mark.asyncio
async def test_where_names_are_not_shown_nothing_is_proven(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    service.before, service.shows_names = lose("lost", accepted=False), False
    service.on_show = lambda shown: shown.pop("params")
    outcomes = await run(cl, [*pages(3), *pages(1, name="lost")], journal=journal, concurrency=1)
    assert isinstance(outcomes[3].error, AmbiguousSubmissionError) and service.calls["submit"] == 4


@pytest.mark.asyncio
async def test_where_there_is_one_page_only_submissions_wait_for_the_proof(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    service.before, service.paging = lose("lost", accepted=False), False
    for _ in range(20):
        service.add("somebody else's")
    requests = [*pages(10), *pages(1, start=50, name="lost"), *pages(60, start=100)]
    outcomes = await run(cl, requests, journal=journal, concurrency=4)
    assert all(outcome.ok for outcome in outcomes)
    assert service.accepted == 20 + 71 and service.calls["submit"] == 72


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_server_errors_are_settled_too(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, status: int
) -> None:
    failed: set[str] = set()

    async def fail(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        if body["name"] in failed:
            return None
        failed.add(body["name"])
        return web.json_response({"message": "oops"}, status=status)

    service.after = fail
    assert all(outcome.ok for outcome in await run(cl, pages(4), journal=journal))
    assert service.accepted == 4
    service.before, service.after = fail, None
    assert all(outcome.ok for outcome in await run(cl, pages(8), journal=journal))
    assert service.accepted == 8


@pytest.mark.asyncio
async def test_an_error_without_end_is_an_outcome_that_cost_nothing(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    async def fail(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return refusal(500)

    service.before = fail
    outcomes = await run(cl, pages(1), journal=journal)
    assert isinstance(outcomes[0].error, ServerError) and not outcomes[0].error.maybe_billed
    assert service.calls["submit"] == 4 and rows(journal) == ["open"]


@pytest.mark.asyncio
@pytest.mark.parametrize("accepted", [True, False])
async def test_garbage_instead_of_an_answer_is_looked_up_but_never_sent_again(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, accepted: bool
) -> None:
    async def garbage(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return web.Response(text="{]", content_type="application/json", status=202)

    if accepted:
        service.after = garbage
    else:
        service.before = garbage
    outcomes = await run(cl, pages(2), journal=journal)
    assert [outcome.ok for outcome in outcomes] == [accepted] * 2
    assert service.calls["submit"] == 2


@pytest.mark.asyncio
async def test_without_the_list_nothing_is_sent_again(cl: AsyncCloudlayer, service: FakeService, journal: Path) -> None:
    async def no_list(request: web.Request) -> web.Response | None:
        return refusal(404)

    service.before, service.on_list = lose("lost", accepted=False), no_list
    outcomes = await run(cl, [*pages(2), *pages(1, name="lost")], journal=journal, concurrency=1)
    assert isinstance(outcomes[2].error, AmbiguousSubmissionError) and service.calls["submit"] == 3


@pytest.mark.asyncio
async def test_two_lists_are_read_after_the_settle_time(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    """A job that shows up late is found by a later list."""
    loop = asyncio.get_running_loop()
    lost_at: list[float] = []
    lists: list[float] = []

    async def lose_first(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        if body["name"].startswith("late") and not lost_at:
            lost_at.append(loop.time())
            return reset(request)
        return None

    async def note(request: web.Request) -> web.Response | None:
        lists.append(loop.time())
        return None

    service.before, service.on_list = lose_first, note
    outcomes = await run(cl, [*pages(1), *pages(1, name="late")], journal=journal, concurrency=1, settle_time=0.1)
    assert all(outcome.ok for outcome in outcomes)
    at_once, first, second = lists
    assert at_once >= lost_at[0] and first - lost_at[0] >= 0.1 and second - first >= 0.045


@pytest.mark.asyncio
@pytest.mark.parametrize("arriving", [1, 9, 10, 40])
async def test_the_end_of_a_list_is_seen_while_jobs_arrive(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, arriving: int
) -> None:
    """Nothing was accepted before the intent, so that only the whole list proves something; and it grows as it is read."""
    for _ in range(120):
        service.add("somebody else's")

    async def grow(request: web.Request) -> web.Response | None:
        for _ in range(arriving):
            service.add("somebody else's")
        return None

    service.before, service.on_list = lose("first", accepted=False), grow
    outcomes = await run(cl, pages(1, name="first"), journal=journal)
    assert [outcome.error for outcome in outcomes] == [None]
    assert service.calls["submit"] == 2


@pytest.mark.asyncio
@pytest.mark.parametrize(("count", "seed"), [(400, 1), (400, 2), pytest.param(10_000, 3, marks=pytest.mark.slow)])
async def test_a_mix_of_faults_loses_nothing_and_pays_nothing_twice(
    service: FakeService, journal: Path, tmp_path: Path, count: int, seed: int
) -> None:
    """5% resets before acceptance, 5% after it, 5% of 429, 2% of 503."""
    mix = FaultMix(before=0.05, after=0.05, refused=0.05, unavailable=0.02, seed=seed)
    service.before, service.after = mix.before, mix.after
    async with make_client(service.base_url) as cl:
        async with batch_of(cl, pages(count), journal=journal, save_to=tmp_path / "out") as batch:
            outcomes = [outcome async for outcome in batch]
    assert all(mix.struck.values()), mix.struck
    assert [outcome.error for outcome in outcomes if not outcome.ok] == []
    assert len(outcomes) == count == service.accepted
    assert Counter(service.pages()) == Counter(f"<p>page {number}</p>" for number in range(count))
    files = list((tmp_path / "out").iterdir())
    assert len(files) == count and {file.stat().st_size for file in files} == {service.size}
    assert batch.report.ambiguous == 0 and batch.report.credits == count
    print(f"{count} items, seed {seed}: {dict(mix.struck)}; {batch.report}")


# --- lists that look like proofs --------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer",
    [
        lambda request: web.Response(body=b""),
        lambda request: web.Response(status=204),
        lambda request: web.json_response({"data": None, "message": "warming up"}),
        lambda request: web.json_response([]) if "offset" in request.query else None,
    ],
    ids=["empty body", "no content", "null", "empty second page"],
)
async def test_an_empty_answer_is_no_list(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, answer: Any
) -> None:
    lost: list[str] = []

    async def after(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        if body["name"].startswith("lost") and not lost:
            lost.append(body["name"])
            for _ in range(12):
                service.add("somebody else's")
            return reset(request)
        return None

    async def on_list(request: web.Request) -> web.Response | None:
        found: web.Response | None = answer(request)
        return found

    service.after, service.on_list = after, on_list
    outcomes = await run(cl, [*pages(1, name="lost"), *pages(2, start=5)], journal=journal, concurrency=1)
    assert Counter(service.pages())["<p>page 0</p>"] == 1
    assert [type(outcome.error) for outcome in outcomes] == [AmbiguousSubmissionError, type(None), type(None)]


@pytest.mark.asyncio
async def test_a_job_without_a_name_is_known_by_its_parameters(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    service.shows_names = False
    service.after = lose("lost", accepted=True)
    outcomes = await run(cl, [*pages(1), *pages(1, start=5, name="lost")], journal=journal, concurrency=1)
    assert all(outcome.ok for outcome in outcomes)
    assert service.accepted == 2 == service.calls["submit"]


@pytest.mark.asyncio
async def test_an_unshown_name_is_nobodys(cl: AsyncCloudlayer, service: FakeService, journal: Path) -> None:
    def hide(shown: dict[str, Any]) -> None:
        if "lost" in shown.get("name", ""):
            del shown["name"], shown["params"]

    service.after, service.on_show = lose("lost", accepted=True), hide
    outcomes = await run(cl, [*pages(1), *pages(1, start=5, name="lost")], journal=journal, concurrency=1)
    assert isinstance(outcomes[1].error, AmbiguousSubmissionError)
    assert service.accepted == 2 == service.calls["submit"]


@pytest.mark.asyncio
@pytest.mark.parametrize("rewrite", [lambda name: name.replace("~", "_"), str.upper, lambda name: name[:7]])
async def test_a_name_written_otherwise_may_be_the_one(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, rewrite: Any
) -> None:
    def rewritten(shown: dict[str, Any]) -> None:
        shown["name"] = shown["params"]["name"] = rewrite(shown["name"])

    service.after, service.on_show = lose("lost", accepted=True), rewritten
    outcomes = await run(cl, [*pages(1, name="lost"), *pages(1, start=5)], journal=journal, concurrency=1)
    assert isinstance(outcomes[0].error, AmbiguousSubmissionError)
    assert service.accepted == 2 == service.calls["submit"]


@pytest.mark.asyncio
@pytest.mark.parametrize("lists", ["404", "empty"])
@pytest.mark.parametrize("readable", [True, False])
async def test_a_job_that_a_broken_reply_names_is_not_lost(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, lists: str, readable: bool
) -> None:
    async def cut(request: web.Request, body: dict[str, Any]) -> web.Response:
        text = f'{{"id": "{list(service.jobs)[-1]}", "status": "pend'
        return web.Response(status=202, content_type="application/json", text=text)

    async def on_list(request: web.Request) -> web.Response:
        return refusal(404) if lists == "404" else web.json_response([])

    async def unreadable(request: web.Request) -> web.Response:
        return refusal(404)

    service.after, service.on_list = cut, on_list
    service.on_read = None if readable else unreadable
    for _ in range(2):
        (outcome,) = await run(cl, pages(1), journal=journal)
        if readable:
            assert outcome.ok
        else:
            assert outcome.error is not None and outcome.error.maybe_billed
        assert service.accepted == 1 == service.calls["submit"]
    if not readable:
        async with batch_of(cl, pages(1, start=7), journal=journal) as batch:
            async for outcome in batch:
                assert outcome.error is not None and outcome.error.job_id == "job-2"
        assert batch.report.ambiguous_items[0].job_id == "job-2"


@pytest.mark.asyncio
async def test_why_a_list_could_not_be_had_is_said(cl: AsyncCloudlayer, service: FakeService, journal: Path) -> None:
    async def on_list(request: web.Request) -> web.Response:
        return refusal(404)

    service.before, service.on_list = lose("lost", accepted=False), on_list
    (outcome,) = await run(cl, pages(1, name="lost"), journal=journal)
    assert "HTTP 404" in str(outcome.error) and str(outcome.error).count("look for it") == 1


@pytest.mark.asyncio
async def test_an_id_that_a_broken_reply_seems_to_name_is_not_believed(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    async def cut(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        if len(service.jobs) != 2:
            return None
        text = '{"previousJob": {"id": "job-1"}, "id": "job-2", "sta'
        return web.Response(status=202, content_type="application/json", text=text)

    service.after = cut
    for _ in range(2):
        outcomes = await run(cl, pages(2), journal=journal, concurrency=1)
        assert [outcome.job.id for outcome in outcomes if outcome.job] == ["job-1", "job-2"]
    assert service.accepted == 2


@pytest.mark.asyncio
async def test_an_id_that_nobody_knows_stays_a_doubt(cl: AsyncCloudlayer, service: FakeService, journal: Path) -> None:
    async def portal(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        if body["name"].startswith("lost"):
            return web.Response(text='<script>x = {"id": "widget-7"}</script>', content_type="text/html")
        return None

    service.before = portal
    for _ in range(3):
        async with batch_of(cl, [*pages(1), *pages(1, start=1, name="lost")], journal=journal) as batch:
            outcomes = [outcome async for outcome in batch]
        (error,) = [outcome.error for outcome in outcomes if outcome.error is not None]
        assert isinstance(error, AmbiguousSubmissionError) and error.job_id == "widget-7"
        assert batch.report.ambiguous == 1 and batch.report.failed == 0
    assert service.calls["submit"] == 2


@pytest.mark.asyncio
async def test_a_job_found_by_the_id_in_a_broken_reply_must_show_in_lists(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    async def cut(request: web.Request, body: dict[str, Any]) -> web.Response:
        text = f'{{"id": "{list(service.jobs)[-1]}", "sta'
        return web.Response(status=202, content_type="application/json", text=text)

    async def broken(request: web.Request) -> web.Response:
        return refusal(404)

    async def empty(request: web.Request) -> web.Response:
        return web.json_response([])

    service.after, service.on_list, service.on_read = cut, broken, broken
    assert not (await run(cl, pages(1), journal=journal))[0].ok
    service.on_read = None
    assert (await run(cl, pages(1), journal=journal))[0].ok
    service.after, service.on_list = lose("", accepted=True), empty
    outcomes = await run(cl, pages(2), journal=journal)
    assert outcomes[0].ok and isinstance(outcomes[1].error, AmbiguousSubmissionError)
    assert service.accepted == 2


@pytest.mark.asyncio
async def test_find_jobs_sees_what_settling_sees(cl: AsyncCloudlayer, service: FakeService, journal: Path) -> None:
    service.shows_names = False
    await run(cl, pages(2, name="Invoice 7"), journal=journal)
    assert {job.id for job in await cl.find_jobs(name="Invoice 7")} == {"job-1", "job-2"}


@pytest.mark.asyncio
async def test_where_the_job_that_a_broken_reply_names_cannot_be_read_the_list_tells(
    service: FakeService, journal: Path
) -> None:
    async def cut(request: web.Request, body: dict[str, Any]) -> web.Response:
        text = f'{{"id": "{list(service.jobs)[-1]}", "sta'
        return web.Response(status=202, content_type="application/json", text=text)

    async def broken(request: web.Request) -> web.Response | None:
        return None if service.calls["list"] else refusal(500)

    service.after, service.on_read = cut, broken
    async with make_client(service.base_url, retry=RetryPolicy(attempts=1)) as cl:
        (outcome,) = await run(cl, pages(1), journal=journal)
    assert outcome.ok and service.accepted == 1 == service.calls["submit"]
