"""A call from the client's own thread would wait for itself: a clear error instead."""

from __future__ import annotations

import pytest
from servers import Service

from cloudlayer_async import Cloudlayer, ConfigError, Job

from .conftest import KEY

MESSAGE = "called from the thread of its own event loop"


def test_an_api_key_function_that_uses_the_client(service: Service, no_environment: None) -> None:
    def key() -> str:
        cl.get_status()
        return KEY

    with Cloudlayer(key, base_url=service.url) as cl, pytest.raises(ConfigError, match=MESSAGE):
        cl.get_account()


def test_an_async_callback_that_uses_the_client(cl: Cloudlayer) -> None:
    async def look(_: Job) -> None:
        cl.get_status()

    with pytest.raises(ConfigError, match=MESSAGE):
        cl.attach("7Kq2").wait(on_update=look)
    assert cl.get_status().ok


@pytest.mark.parametrize("use", ["iterate", "enter", "close"])
def test_at_every_door(cl: Cloudlayer, use: str) -> None:
    async def look(_: Job) -> None:
        if use == "iterate":
            next(cl.iter_jobs())
        elif use == "enter":
            with cl.attach("7Kq2").stream():
                pass
        else:
            cl.close()

    with pytest.raises(ConfigError, match=MESSAGE):
        cl.attach("7Kq2").wait(on_update=look)
    assert cl.get_status().ok


def test_another_client_may_be_used_there(service: Service, no_environment: None) -> None:
    with Cloudlayer(KEY, base_url=service.url) as other:

        def key() -> str:
            assert other.get_status().ok
            return KEY

        with Cloudlayer(key, base_url=service.url) as cl:
            assert cl.get_status().ok
