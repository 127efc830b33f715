"""The blocking client does what the async one does."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from servers import DONE, PDF, Service

import cloudlayer_async
from cloudlayer_async import (
    Cloudlayer,
    ConfigError,
    Conversion,
    HtmlToPdf,
    JobFailedError,
    JobTimeoutError,
    NotFoundError,
    ValidationError,
)

from .conftest import KEY, Gate, client_threads


def test_a_conversion_step_by_step(cl: Cloudlayer, service: Service, tmp_path: Path) -> None:
    conversion = cl.html_to_pdf("<h1>Hello</h1>", format="a4", name="hello")
    assert isinstance(conversion, Conversion)
    assert (conversion.job_id, conversion.done) == ("7Kq2", False)
    assert service.requests[0].json() == {"html": "PGgxPkhlbGxvPC9oMT4=", "format": "a4", "name": "hello"}
    assert repr(conversion) == "<Conversion job_id='7Kq2' status='pending'>"
    assert conversion.wait(timeout=30).is_success
    assert conversion.done
    assert conversion.info is not None
    document = conversion.result()
    assert (len(document.content), document.filename) == (1_000_004, "7Kq2.pdf")
    assert conversion.save(tmp_path / "hello.pdf").read_bytes() == document.content
    with conversion.stream() as chunks:
        assert b"".join(chunks) == document.content


def test_all_in_one_call(cl: Cloudlayer, tmp_path: Path) -> None:
    document = cl.convert(HtmlToPdf("<h1>Hello</h1>"), save_to=tmp_path / "hello.pdf")
    assert document.path == tmp_path / "hello.pdf"
    assert document.job.id == "7Kq2"


def test_a_product_that_comes_with_the_reply(service: Service, no_environment: None, tmp_path: Path) -> None:
    service.answers("POST /v1/url/pdf", PDF, content_type="application/pdf")
    with Cloudlayer(KEY, base_url=service.url, api_version="v1") as cl:
        conversion = cl.url_to_pdf("https://example.com")
        assert conversion.done
        assert conversion.result().content == PDF
        assert conversion.save(f"{tmp_path}/").read_bytes() == PDF
    assert service.lines == ["POST /v1/url/pdf"]


def test_attach_and_wait_for_job(cl: Cloudlayer) -> None:
    assert cl.attach("7Kq2").job is None
    assert cl.attach("7Kq2").wait().is_success
    assert cl.wait_for_job("7Kq2").id == "7Kq2"


def test_iterators_are_python_s(cl: Cloudlayer, service: Service) -> None:
    service.answers("GET /v2/jobs", [DONE | {"id": f"job-{n}"} for n in range(3)], [])
    assert [job.id for job in cl.iter_jobs()] == ["job-0", "job-1", "job-2"]
    assert [job.id for job in cl.watch_job("7Kq2")] == ["7Kq2"]


def test_errors_are_the_same(cl: Cloudlayer, service: Service) -> None:
    service.answers("GET /v2/jobs/failed", DONE | {"id": "failed", "status": "error", "error": "no fonts"})
    service.answers("GET /v2/jobs/slow", DONE | {"id": "slow", "status": "pending"})
    with pytest.raises(JobFailedError, match="no fonts") as failed:
        cl.attach("failed").result()
    assert failed.value.job_id == "failed"
    with pytest.raises(JobTimeoutError) as late:
        cl.attach("slow").wait(timeout=0)
    assert late.value.job_id == "slow"
    with pytest.raises(NotFoundError):
        cl.get_job("unknown")
    with pytest.raises(ValidationError):
        cl.html_to_pdf("page.html")


def test_a_sibling_shares_everything_but_its_settings(cl: Cloudlayer, service: Service) -> None:
    service.answers("GET /v1/getStatus", {"status": "ok"})
    sibling = cl.with_options(api_version="v1", name="of the sibling")
    assert (sibling.api_version, cl.api_version) == ("v1", "v2")
    assert sibling.get_status().ok
    with sibling:
        pass
    sibling.close()
    assert sibling.get_status().ok  # closing a sibling does nothing
    assert len(client_threads()) == 1
    cl.close()
    with pytest.raises(ConfigError, match="closed"):
        sibling.get_status()
    with pytest.raises(ConfigError, match="cannot change"):
        cl.with_options(session=None)  # type: ignore[call-arg]


def test_last_limits_are_seen(cl: Cloudlayer, service: Service) -> None:
    service.answers("GET /v2/account", {}, x_ratelimit_limit="60", x_ratelimit_remaining="59")
    assert cl.last_limits is None
    cl.get_account()
    limits = cl.last_limits
    assert limits is not None
    assert (limits.rate_limit, limits.rate_limit_remaining) == (60, 59)


# --- lifetime -----------------------------------------------------------------------------------------------------


def test_with_block_opens_nothing_and_closes_everything(service: Service, no_environment: None) -> None:
    with Cloudlayer(KEY, base_url=service.url) as cl:
        assert not client_threads()
        assert cl.get_status().ok
        assert len(client_threads()) == 1
    assert not client_threads()


def test_closing_twice_is_fine(service: Service, no_environment: None) -> None:
    cl = Cloudlayer(KEY, base_url=service.url)
    cl.close()
    cl.close()
    cl = Cloudlayer(KEY, base_url=service.url)
    cl.get_status()
    with cl:
        cl.close()
    cl.close()


def test_use_after_close_is_a_clear_error(service: Service, no_environment: None) -> None:
    with Cloudlayer(KEY, base_url=service.url) as cl:
        conversion = cl.html_to_pdf("<p>x</p>")
        jobs = cl.iter_jobs()
        batch = cl.batch([])
    for use in (cl.get_status, conversion.wait, lambda: next(jobs), cl.__enter__, batch.__enter__):
        with pytest.raises(ConfigError, match="this client is closed: make a new one"):
            use()
    with pytest.raises(ConfigError, match="this client is closed"), conversion.stream():
        pass
    assert conversion.job_id == "7Kq2"  # what is known needs no connection


def test_a_call_under_way_ends_when_another_thread_closes(cl: Cloudlayer, gate: Gate) -> None:
    errors: list[BaseException] = []

    def call() -> None:
        try:
            cl.get_account()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    gate.wait()
    cl.close()
    thread.join()
    assert isinstance(errors[0], ConfigError)
    assert "closed while the call was under way" in str(errors[0])


def test_closing_inside_a_block_or_a_loop_is_fine(service: Service, no_environment: None) -> None:
    service.answers("GET /v2/jobs", [DONE | {"id": f"job-{n}"} for n in range(3)], [])
    cl = Cloudlayer(KEY, base_url=service.url)
    with cl.attach("7Kq2").stream() as chunks:
        next(chunks)
        for _ in cl.iter_jobs():
            cl.close()
            break
        with pytest.raises(ConfigError, match="closed"):
            next(chunks)


def test_a_borrowed_session_is_refused(no_environment: None) -> None:
    with pytest.raises(ConfigError, match="session is for AsyncCloudlayer"):
        Cloudlayer(KEY, session=object())  # type: ignore[arg-type]


def test_a_bad_setting_is_refused_before_anything_starts(no_environment: None) -> None:
    with pytest.raises(ConfigError, match="api_key is missing"):
        Cloudlayer()
    with pytest.raises(ConfigError, match="on_attempt must be callable"):
        Cloudlayer(KEY, on_attempt=1)  # type: ignore[arg-type]
    assert not client_threads()


def test_names_are_public() -> None:
    for name in ("Cloudlayer", "Conversion", "Batch"):
        assert name in cloudlayer_async.__all__
        assert getattr(cloudlayer_async, name).__name__ == name


def test_a_product_that_came_with_the_reply_needs_no_connection(service: Service, no_environment: None) -> None:
    service.answers("POST /v1/html/pdf", b"%PDF-1.7", status=201, content_type="application/pdf")
    with Cloudlayer(KEY, base_url=service.url, api_version="v1") as cl:
        conversion = cl.html_to_pdf("<p>x</p>")
        document = conversion.result()
    assert document.content == b"%PDF-1.7"
    assert conversion.result() == document
