"""A loop that broke down: nobody hangs, what was paid for is known, and the next call starts a new loop."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator

import pytest
from servers import Service

from cloudlayer_async import Cloudlayer, CloudlayerError, ConfigError

from .conftest import KEY, PATIENCE, Gate, client_threads


@pytest.fixture
def fragile(service: Service, no_environment: None) -> AsyncIterator[Cloudlayer]:
    """A client whose key function can bring the loop down: by a task of its own, which nothing shields."""
    with Cloudlayer(Breaker(), base_url=service.url) as cl:
        yield cl  # type: ignore[misc]


class Breaker:
    """A function for `api_key`."""

    broken = False

    async def __call__(self) -> str:
        """Gives the key; once `broken`, starts a task that leaves the interpreter."""
        if Breaker.broken:
            Breaker.broken = False

            async def leave() -> None:
                sys.exit(1)

            await asyncio.create_task(leave())
        return KEY


def test_the_next_call_starts_a_new_one(fragile: Cloudlayer) -> None:
    assert fragile.get_status().ok
    (before,) = client_threads()
    Breaker.broken = True
    with pytest.raises((SystemExit, CloudlayerError)):
        fragile.get_status()
    before.join(PATIENCE)
    assert fragile.get_status().ok
    (after,) = client_threads()
    assert after is not before
    assert len(fragile.attach("7Kq2").result().content) == 1_000_004


def test_those_who_wait_get_an_error(fragile: Cloudlayer, gate: Gate) -> None:
    errors: list[BaseException] = []

    def call() -> None:
        try:
            fragile.get_account()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    gate.wait()
    Breaker.broken = True
    with pytest.raises((SystemExit, CloudlayerError)):
        fragile.get_status()
    for thread in threads:
        thread.join(PATIENCE)
    assert [type(error) for error in errors] == [CloudlayerError] * 4
    assert "broke down" in str(errors[0])
    assert fragile.get_status().ok


def test_a_submission_that_had_left_says_so(fragile: Cloudlayer, gate: Gate, service: Service) -> None:
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
    Breaker.broken = True
    with pytest.raises((SystemExit, CloudlayerError)):
        fragile.get_status()
    thread.join(PATIENCE)
    assert isinstance(errors[0], CloudlayerError)
    assert errors[0].maybe_billed
    assert "invoice-17" in errors[0].__notes__[0]


def test_what_was_open_is_gone(fragile: Cloudlayer) -> None:
    with fragile.attach("7Kq2").stream() as chunks:
        next(chunks)
        Breaker.broken = True
        with pytest.raises((SystemExit, CloudlayerError)):
            fragile.get_status()
        for thread in client_threads():
            thread.join(PATIENCE)
        with pytest.raises(CloudlayerError, match="broke down"):
            next(chunks)
    assert fragile.get_status().ok


def test_it_can_be_closed(service: Service, no_environment: None) -> None:
    cl = Cloudlayer(Breaker(), base_url=service.url)
    assert cl.get_status().ok
    Breaker.broken = True
    with pytest.raises((SystemExit, CloudlayerError)):
        cl.get_status()
    for thread in client_threads():
        thread.join(PATIENCE)
    cl.close()
    cl.close()
    with pytest.raises(ConfigError, match="closed"):
        cl.get_status()
