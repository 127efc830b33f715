"""SystemExit inside a task: whoever waits gets it, and the loop lives on; see also `test_dead_portal`."""

from __future__ import annotations

import sys
import threading

import pytest
from servers import Service

from cloudlayer_async import Cloudlayer, Job

from .conftest import KEY, Gate, client_threads


def test_in_a_coroutine(service: Service, no_environment: None) -> None:
    leave = True

    def key() -> str:
        if leave:
            sys.exit(3)
        return KEY

    with Cloudlayer(key, base_url=service.url) as cl:
        with pytest.raises(SystemExit) as exit_:
            cl.get_status()
        assert exit_.value.code == 3
        threads = client_threads()
        leave = False
        assert cl.get_status().ok
        assert client_threads() == threads  # it has not even shaken the loop


def test_in_a_callback(cl: Cloudlayer) -> None:
    def update(_: Job) -> None:
        sys.exit(4)

    with pytest.raises(SystemExit) as exit_:
        cl.attach("7Kq2").wait(on_update=update)
    assert exit_.value.code == 4
    assert cl.get_status().ok


def test_in_an_async_callback(cl: Cloudlayer) -> None:
    async def update(_: Job) -> None:
        sys.exit(5)

    with pytest.raises(SystemExit) as exit_:
        cl.attach("7Kq2").wait(on_update=update)
    assert exit_.value.code == 5
    assert cl.get_status().ok


def test_in_an_iterator(service: Service, no_environment: None) -> None:
    def key() -> str:
        sys.exit(6)

    with Cloudlayer(key, base_url=service.url) as cl, pytest.raises(SystemExit) as exit_:
        next(cl.iter_jobs())
    assert exit_.value.code == 6


def test_other_threads_do_not_notice(service: Service, no_environment: None, gate: Gate) -> None:
    leave = threading.Event()

    def key() -> str:
        if leave.is_set():
            sys.exit(7)
        return KEY

    answers: list[object] = []
    with Cloudlayer(key, base_url=service.url) as cl:
        thread = threading.Thread(target=lambda: answers.append(cl.get_account()))
        thread.start()
        gate.wait()
        leave.set()
        with pytest.raises(SystemExit):
            cl.get_status()
        gate.open()
        thread.join()
    assert len(answers) == 1
