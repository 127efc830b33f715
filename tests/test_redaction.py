"""What may be shown: no key, password, signature or hook anywhere a person or a log may look."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from cloudlayer_async import (
    Asset,
    AsyncCloudlayer,
    CloudlayerError,
    HtmlToPdf,
    Job,
    RetryPolicy,
    Template,
    from_dict,
)
from cloudlayer_async.config import ClientConfig
from cloudlayer_async.polling import PollSchedule
from cloudlayer_async.redaction import Secret, censored, in_words, redacted, shown, without_signature
from cloudlayer_async.retry import Timeouts

KEY = "cl-hunter2-hunter2"

# --- the key --------------------------------------------------------------------------------------------------------


def test_a_secret_never_prints_itself() -> None:
    secret = Secret(KEY)
    assert secret.reveal() == KEY
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!r}", f"{secret:>40}", "%s" % secret, repr([secret])):  # noqa: UP031
        assert KEY not in text
        assert "***" in text
    assert not hasattr(secret, "__dict__")
    assert (Secret("a") == Secret("a"), Secret("a") == Secret("b"), Secret("a") == "a") == (True, False, False)
    assert hash(Secret("a")) == hash(Secret("a")) != hash("a")


@pytest.mark.parametrize("spread", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_is_not_pickled_or_copied(spread: Any) -> None:
    with pytest.raises(TypeError) as caught:
        spread(Secret(KEY))
    assert KEY not in str(caught.value)


def test_a_configuration_shows_no_secret() -> None:
    config = ClientConfig(
        key=KEY,
        api_version="v2",
        base_url="https://api.example",
        timeouts=Timeouts(),
        retry=RetryPolicy(),
        polling=PollSchedule(),
        defaults={"webhook": "https://hooks.example/hunter2"},
        on_attempt=None,
        upload_options="fields",
    )
    assert "hunter2" not in repr(config)
    with pytest.raises(TypeError):
        pickle.dumps(config)


def test_a_client_shows_no_secret_and_is_not_pickled() -> None:
    client = AsyncCloudlayer(KEY, defaults={"webhook": "https://hooks.example/hunter2"})
    assert "hunter2" not in repr(client)
    assert "https://api.cloudlayer.io v2" in repr(client)
    sibling = client.with_options(api_key="cl-other-hunter2")
    assert "hunter2" not in repr(sibling)
    for spread in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError) as caught:
            spread(client)
        assert "hunter2" not in str(caught.value)


def test_models_show_no_signature() -> None:
    signed = "https://assets.example/x.pdf?sig=hunter2"
    models: list[Any] = [
        from_dict(Job, {"id": "x", "assetUrl": signed, "previewUrl": signed, "self": signed, "apiKeyUsed": "hunter2"}),
        from_dict(Job, {"id": "x", "params": {"html": "hunter2"}, "unknown": "hunter2"}),
        from_dict(Asset, {"id": "x", "url": signed, "previewUrl": signed}),
        from_dict(Template, {"id": "x", "previewUrl": signed, "exampleAssetUrl": signed}),
    ]
    for model in models:
        assert "hunter2" not in repr(model)
        assert "hunter2" not in str(model)
        assert "id='x'" in repr(model)


# --- the functions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://a.example/x.pdf?sig=1#f", "https://a.example/x.pdf"),
        ("https://ann:pw@a.example:8443/x", "https://a.example:8443/x"),
        ("https://ann@a.example", "https://a.example"),
        ("http://[2001:db8::1]:80/x?y", "http://[2001:db8::1]:80/x"),
        ("/v2/jobs/9Zt8?x=1", "/v2/jobs/9Zt8"),
        ("", ""),
        ("https://[::1", "<unreadable address>"),
        ("https://a.example:99999/x", "<unreadable address>"),
    ],
)
def test_addresses_without_their_secrets(url: str, kept: str) -> None:
    assert without_signature(url) == kept


@pytest.mark.parametrize(
    "address",
    ["htp://a:hunter2@h/?hunter2", "https://a:hun@hunter2@h.example/#hunter2", "//a:hunter2@", "www.h.example?hunter2"],
)
def test_what_should_have_been_an_address_is_censored(address: str) -> None:
    assert "hunter2" not in censored(address)


@given(st.text())
def test_what_is_shown_is_short_and_never_raises(text: str) -> None:
    assert len(shown(text)) <= 60
    assert len(in_words(text)) <= 500
    assert len(in_words(text).splitlines()) <= 1
    assert isinstance(without_signature("https://" + text), str)
    assert isinstance(censored(text), str)


def test_long_and_broken_values_are_shown() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise KeyError("hunter2")

    assert shown(Broken()) == "<Broken, whose repr raised KeyError>"
    assert len(shown("x" * 10_000_000)) == 60
    assert len(shown([1] * 1000)) == 60
    assert shown(10**5000).startswith("<int")
    assert in_words("x" * 500) == "x" * 500
    assert in_words("x" * 501) == "x" * 499 + "…"
    assert in_words(" a\r\n\tb\x1b[0m ") == "a b [0m"


def test_redacted() -> None:
    assert redacted("a key k and k", "k") == "a ***ey *** and ***"
    assert redacted("nothing", "") == "nothing"


# --- a client whose every call fails, and whose service repeats the key ---------------------------------------------


@pytest_asyncio.fixture
async def parrot() -> Any:
    """A service that says the key it was given, in headers and bodies, whatever the status asked for."""

    async def answer(request: web.Request) -> web.Response:
        key = request.headers["X-API-Key"]
        status = int(request.path.rpartition("/")[2]) if request.path[-3:].isdigit() else 201
        body = f'{{"message": "no such key: {key}", "key": "{key}"}}'
        return web.Response(status=status, text=body, content_type="application/json", headers={"X-Echo": key})

    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.asyncio
async def test_a_failing_run_shows_the_key_nowhere(parrot: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    attempts: list[Any] = []
    errors: list[CloudlayerError] = []
    policy = RetryPolicy(attempts=1)
    async with AsyncCloudlayer(KEY, base_url=parrot, retry=policy, on_attempt=attempts.append) as client:
        for status in (301, 400, 401, 403, 404, 408, 418, 422, 429, 500, 502, 503):
            for method in ("GET", "POST"):
                with pytest.raises(CloudlayerError) as caught:
                    await client.request(method, f"/things/{status}")
                errors.append(caught.value)
        with pytest.raises(CloudlayerError) as caught:
            await client.submit(HtmlToPdf("<p>"))  # a 201 without a job in it
        errors.append(caught.value)
    for error in errors:
        said = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
        info: Any = getattr(error, "info", None)
        said += list(info.headers.values())
        assert KEY not in "\n".join(said)
        assert KEY.encode() not in pickle.dumps(error)
    assert len(attempts) == len(errors)
    assert KEY not in repr(attempts)
    assert caplog.records
    assert KEY not in caplog.text


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "said",
    [
        {"allowed": False, "reason": f"key {KEY} is not allowed"},
        [KEY],
        KEY,
        {"id": {"of": KEY}},
        {"id": "7Kq2", "status": "error", "error": f"key {KEY} has run out", "apiKeyUsed": KEY},
    ],
)
async def test_a_success_that_says_the_key_shows_it_nowhere(said: Any) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(said, status=202)

    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with AsyncCloudlayer(KEY, base_url=address) as client:
            async with client.batch([HtmlToPdf("<p>")]) as batch:
                (outcome,) = [outcome async for outcome in batch]
    finally:
        await runner.cleanup()
    error = outcome.error
    assert error is not None
    shown = [str(error), repr(vars(error)), *traceback.format_exception(error), batch.report.to_json(), repr(outcome)]
    assert KEY not in "\n".join(shown)
    assert KEY.encode() not in pickle.dumps(error)
