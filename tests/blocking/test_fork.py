"""A fork after the first use: the child works, and the parent goes on unharmed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from servers import JOB, Service

from .conftest import run_script

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

BEGIN = """
import gc, os, sys, warnings
from cloudlayer_async import Cloudlayer, ConfigError

cl = Cloudlayer()
assert cl.get_status().ok           # a thread, a loop, an idle connection


def in_child(work):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            if code or os.environ.get("LEAVE") == "at once":
                os._exit(code)
        sys.exit(0)                 # with all of the interpreter's finalisation
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize("leave", ["with finalisation", "at once"])
def test_child_and_parent_both_work(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leave: str
) -> None:
    monkeypatch.setenv("LEAVE", leave)
    run_script(
        BEGIN
        + """
def work():
    assert cl.get_status().ok
    assert len(cl.attach("7Kq2").result().content) == 1_000_004

for _ in range(3):
    in_child(work)
    assert cl.get_status().ok
cl.close()
""",
        service,
        tmp_path,
    )


def test_a_child_that_never_uses_it_harms_nothing(service: Service, tmp_path: Path) -> None:
    """The child drops the client and collects garbage: its parent's sockets must stay in the epoll that both share."""
    run_script(
        BEGIN
        + """
def work():
    global cl
    del cl
    gc.collect()

for _ in range(3):
    in_child(work)
    assert cl.get_status().ok
cl.close()
""",
        service,
        tmp_path,
    )


def test_a_stream_goes_on_in_the_parent(service: Service, tmp_path: Path) -> None:
    run_script(
        BEGIN
        + """
with cl.attach("7Kq2").stream() as chunks:
    size = len(next(chunks))

    def work():
        global chunks
        assert cl.get_status().ok
        try:
            next(chunks)
        except ConfigError as error:
            assert "made before a fork" in str(error)
        else:
            raise AssertionError("the parent's stream cannot go on here")
        del chunks
        gc.collect()

    in_child(work)
    size += sum(len(chunk) for chunk in chunks)
assert size == 1_000_004, size
cl.close()
""",
        service,
        tmp_path,
    )


def test_a_block_around_the_fork_is_left_by_both(service: Service, tmp_path: Path) -> None:
    service.answers("POST /v2/html/pdf", JOB, status=202)
    run_script(
        BEGIN
        + """
with cl:
    conversion = cl.html_to_pdf("<p>x</p>")
    draft = cl.with_options(project_id="drafts")

    def work():
        with cl:
            assert draft.get_status().ok
            assert conversion.job_id == "7Kq2"
            try:
                conversion.wait()
            except ConfigError as error:
                assert "made before a fork" in str(error)
                assert cl.attach(conversion.job_id).wait().is_success
            else:
                raise AssertionError("a handle is of the process that made it")

    in_child(work)
    assert conversion.wait().is_success
    assert draft.get_status().ok
""",
        service,
        tmp_path,
    )


def test_a_closed_client_stays_closed_in_the_child(service: Service, tmp_path: Path) -> None:
    run_script(
        BEGIN
        + """
cl.close()

def work():
    try:
        cl.get_status()
    except ConfigError as error:
        assert "closed" in str(error)
    else:
        raise AssertionError("it was closed")

in_child(work)
""",
        service,
        tmp_path,
    )


def test_a_fork_while_a_call_is_under_way(service: Service, tmp_path: Path) -> None:
    """Threads that wait in the parent do not exist in the child; their locks must not matter there."""
    run_script(
        BEGIN
        + """
import threading
stop = threading.Event()

def load():
    while not stop.is_set():
        assert cl.get_status().ok

threads = [threading.Thread(target=load) for _ in range(4)]
for thread in threads:
    thread.start()

def work():
    assert cl.get_status().ok

for _ in range(10):
    in_child(work)
stop.set()
for thread in threads:
    thread.join()
cl.close()
""",
        service,
        tmp_path,
    )


def test_a_process_pool_that_forks(service: Service, tmp_path: Path) -> None:
    """As in Celery's prefork workers: a client at module level, used in each worker."""
    run_script(
        BEGIN
        + """
import multiprocessing

def work(number):
    return cl.get_job("7Kq2").id

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.map(work, range(12)) == ["7Kq2"] * 12
    assert cl.get_status().ok
    cl.close()
""",
        service,
        tmp_path,
    )
