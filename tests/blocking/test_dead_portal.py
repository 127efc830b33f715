"""A loop that broke down: nobody hangs, what was paid for is known, and the next call starts a new loop."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator

import pytest
from servers import Service

from cloudlayer_async import Cloudlayer, CloudlayerError, ConfigError

from .conftest import KEY, PATIENCE, Gate, client_threads


class Breaker:
    """A function for `api_key` that can bring the loop down: by a task of its own, which nothing shields."""

    def __init__(self) -> None:
        self.broken = False

    async def __call__(self) -> str:
        """Gives the key; once `broken`, starts a task that leaves the interpreter."""
        if self.broken:
            self.broken = False

            async def leave() -> None:
                sys.exit(1)

            await asyncio.create_task(leave())
        return KEY


@pytest.fixture
def breaker() -> Breaker:
    return Breaker()


@pytest.fixture
def fragile(breaker: Breaker, service: Service, no_environment: None) -> Iterator[Cloudlayer]:
    """A client whose loop can be brought down."""
    with Cloudlayer(breaker, base_url=service.url) as cl:
        yield cl


def break_down(breaker: Breaker, fragile: Cloudlayer) -> None:
    """Brings the loop down; whoever does so gets the SystemExit, or hears of it."""
    breaker.broken = True
    with pytest.raises((SystemExit, CloudlayerError)):
        fragile.get_status()


def test_the_next_call_starts_a_new_one(fragile: Cloudlayer, breaker: Breaker) -> None:
    assert fragile.get_status().ok
    (before,) = client_threads()
    break_down(breaker, fragile)
    before.join(PATIENCE)
    assert fragile.get_status().ok
    (after,) = client_threads()
    assert after is not before
    assert len(fragile.attach("7Kq2").result().content) == 1_000_004


def test_those_who_wait_get_an_error(fragile: Cloudlayer, breaker: Breaker, gate: Gate) -> None:
    errors: list[BaseException] = []

    def call() -> None:
        try:
            fragile.get_account()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    gate.wait(len(threads))  # one that came later would be the first of the next loop
    break_down(breaker, fragile)
    for thread in threads:
        thread.join(PATIENCE)
    assert [type(error) for error in errors] == [CloudlayerError] * 4
    assert "broke down" in str(errors[0])
    assert fragile.get_status().ok


def test_a_submission_that_had_left_says_so(
    fragile: Cloudlayer, breaker: Breaker, gate: Gate, service: Service
) -> None:
    service.answers("POST /v2/url/pdf", gate)
    errors: list[BaseException] = []

    def call() -> None:
        try:
            fragile.url_to_pdf("https://example.com", name="invoice-17")
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    gate.wait()
    break_down(breaker, fragile)
    thread.join(PATIENCE)
    assert isinstance(errors[0], CloudlayerError)
    assert errors[0].maybe_billed
    assert "invoice-17" in errors[0].__notes__[0]


def test_what_was_open_is_gone(fragile: Cloudlayer, breaker: Breaker) -> None:
    with fragile.attach("7Kq2").stream() as chunks:
        next(chunks)
        break_down(breaker, fragile)
        for thread in client_threads():
            thread.join(PATIENCE)
        with pytest.raises(CloudlayerError, match="broke down"):
            next(chunks)
    assert fragile.get_status().ok


def test_an_iterator_that_is_waited_for(fragile: Cloudlayer, breaker: Breaker, gate: Gate, service: Service) -> None:
    service.answers("GET /v2/jobs", gate)
    errors: list[BaseException] = []

    def call() -> None:
        try:
            next(fragile.iter_jobs())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    gate.wait()
    break_down(breaker, fragile)
    thread.join(PATIENCE)
    assert "broke down" in str(errors[0])
    assert fragile.get_status().ok


def test_it_can_be_closed(breaker: Breaker, service: Service, no_environment: None) -> None:
    cl = Cloudlayer(breaker, base_url=service.url)
    assert cl.get_status().ok
    break_down(breaker, cl)
    for thread in client_threads():
        thread.join(PATIENCE)
    cl.close()
    cl.close()
    with pytest.raises(ConfigError, match="closed"):
        cl.get_status()
