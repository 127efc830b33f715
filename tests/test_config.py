"""A client's settings, checked when given: the key and the address above all."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlayer_async import AsyncCloudlayer, ConfigError, Margin, PollSchedule, RetryPolicy, Timeouts, UserStorage
from cloudlayer_async.config import ClientConfig, checked_base_url, key_source
from cloudlayer_async.redaction import Secret

GOOD: dict[str, Any] = {
    "key": "cl-key",
    "api_version": "v2",
    "base_url": None,
    "timeouts": Timeouts(),
    "retry": RetryPolicy(),
    "polling": PollSchedule(),
    "defaults": None,
    "on_attempt": None,
    "upload_options": "fields",
}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUDLAYER_API_KEY", raising=False)
    monkeypatch.delenv("CLOUDLAYER_BASE_URL", raising=False)


def config(**changes: Any) -> ClientConfig:
    return ClientConfig(**{**GOOD, **changes})


# --- the key --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "", "  ", "\n"])
def test_a_key_is_needed(key: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        AsyncCloudlayer(key)
    assert "api_key" in str(caught.value)
    assert "CLOUDLAYER_API_KEY" in str(caught.value)
    assert (caught.value.maybe_billed, caught.value.job_id) == (False, None)


@pytest.mark.parametrize(
    "key", ["cl hunter2", "cl-hunter2\r\nX-Evil: 1", "cl-hünter2", "cl-hunter2\x00", b"cl-hunter2", 5, ["cl-hunter2"]]
)
def test_a_key_that_no_header_carries_is_refused_and_not_shown(key: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        AsyncCloudlayer(key)
    assert "hunter2" not in str(caught.value)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDLAYER_API_KEY", " cl-env\n")
    assert key_source(None) == Secret("cl-env")
    assert key_source("cl-own") == Secret("cl-own")
    with pytest.raises(ConfigError):
        key_source("")  # given, and blank: not silently another account's


def test_a_key_may_be_a_function() -> None:
    def current() -> str:
        return "cl-x"

    assert key_source(current) is current


# --- the address ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, "https://api.cloudlayer.io"),
        ("https://api.example", "https://api.example"),
        (" https://api.example/ ", "https://api.example"),
        ("https://api.example:8443/gateway//", "https://api.example:8443/gateway"),
        ("HTTPS://API.EXAMPLE", "HTTPS://API.EXAMPLE"),
        ("http://localhost:8787", "http://localhost:8787"),
        ("http://LOCALHOST", "http://LOCALHOST"),
        ("http://api.localhost:1", "http://api.localhost:1"),
        ("http://127.0.0.1:8787", "http://127.0.0.1:8787"),
        ("http://127.1.2.3", "http://127.1.2.3"),
        ("http://[::1]:8787", "http://[::1]:8787"),
    ],
)
def test_addresses_that_serve(given: str | None, kept: str) -> None:
    assert checked_base_url(given) == kept
    assert config(base_url=given).is_local is kept.lower().startswith("http:")


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDLAYER_BASE_URL", "http://127.0.0.1:5/")
    assert AsyncCloudlayer("cl-x").base_url == "http://127.0.0.1:5"
    assert AsyncCloudlayer("cl-x", base_url="https://own.example").base_url == "https://own.example"
    monkeypatch.setenv("CLOUDLAYER_BASE_URL", "")
    assert AsyncCloudlayer("cl-x").base_url == "https://api.cloudlayer.io"


@pytest.mark.parametrize(
    "address",
    [
        # The key would travel in clear, or elsewhere.
        *(
            "http://api.cloudlayer.io",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "http://evillocalhost",
        ),
        *(
            "http://0.0.0.0",
            "http://[::ffff:127.0.0.1]",
            "http://10.0.0.1",
            "http://127.0.0.1\\.evil.example",
            "http://١٢٧.0.0.1",
        ),
        *(
            "http://localhost@evil.example",
            "https://api.cloudlayer.io\\@evil.example",
            "https://ann:hunter2@api.example",
        ),
        # It would not be an address, or another one.
        *(
            "api.cloudlayer.io",
            "//api.cloudlayer.io",
            "ftp://api.example",
            "https://",
            "https:///v2",
            "https://:443",
            "x",
        ),
        *(
            "https://api.example?",
            "https://api.example#",
            "https://api.example/?hunter2",
            "https://api.example/#hunter2",
        ),
        *("https://a pi.example", "https://api.example/\n/x", "https://api.example:99999", "https://api.example:0"),
        *(
            "https://[::1",
            "https://api.example/a b",
            "https://api.example\\x",
            "unix:///var/run/x",
            "javascript:alert(1)",
        ),
        # It would have the version twice.
        *("https://api.example/v2", "https://api.example/v1/", "http://127.0.0.1:5/x/v2//"),
        *(5, b"https://api.example", ["https://api.example"], True),
    ],
)
def test_addresses_that_do_not_serve(address: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        AsyncCloudlayer("cl-x", base_url=address)
    assert "base_url" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@given(st.text() | st.text().map("https://{}".format) | st.text().map("http://{}".format))
def test_no_text_breaks_the_check(address: str) -> None:
    try:
        kept = checked_base_url(address)
    except ConfigError:
        return
    assert not kept.endswith("/")
    assert not set(kept) & set(" ?#\\@\n\r\t")
    assert kept.lower().startswith(("https://", "http://localhost", "http://127.", "http://[::1]", "http://"))


# --- the rest -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_version", "v3"),
        ("api_version", "V2"),
        ("api_version", 2),
        ("api_version", None),
        ("timeouts", 30),
        ("timeouts", None),
        ("retry", 4),
        ("retry", None),
        ("polling", 1.0),
        ("on_attempt", "print"),
        ("upload_options", "form"),
        ("upload_options", None),
        ("defaults", [("name", "x")]),
        ("defaults", "name=x"),
        ("max_connections", 0),
        ("max_connections", True),
        ("max_connections", 5.0),
        ("max_connections", "5"),
        ("session", object()),
    ],
)
def test_other_settings_are_checked_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        AsyncCloudlayer("cl-x", **{name: value})
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("defaults", "told"),
    [
        ({"printBackground": True}, "printBackground"),
        ({"timeout": 30}, "looks like seconds"),
        ({"scale": math.nan}, "scale"),
        ({"html": "<p>"}, "html"),
        ({"url": "https://x.example"}, "url"),
        ({"storage": "true"}, "storage"),
        ({"webhook": "http://x.example/hunter2"}, "webhook"),
        ({"format": "a4", "height": 5}, "format"),
        ({"api_key": "cl-hunter2"}, "api_key"),
    ],
)
def test_defaults_are_checked_when_the_client_is_made(defaults: Any, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AsyncCloudlayer("cl-x", defaults=defaults)
    assert "defaults" in str(caught.value)
    assert told in str(caught.value)
    assert "hunter2" not in str(caught.value)
    client = AsyncCloudlayer("cl-x")
    with pytest.raises(ConfigError):
        client.with_options(defaults=defaults)
    if "api_key" not in defaults:
        with pytest.raises(ConfigError):
            client.with_options(**defaults)


def test_defaults_of_every_kind_are_taken() -> None:
    defaults: Any = {
        "storage": UserStorage("s"),
        "webhook": "https://hooks.example",
        "format": "a4",
        "image_type": "png",
        "cookies": [],
        "margin": Margin(top=1),
        "async_": True,
        "emulate_media_type": None,
    }
    made = config(defaults=defaults)
    assert made.defaults == defaults
    defaults["format"] = "nonsense"
    assert made.defaults["format"] == "a4"


def test_a_sibling_changes_what_is_named_and_keeps_the_rest() -> None:
    client = AsyncCloudlayer("cl-x", api_version="v1", defaults={"name": "a", "format": "a4"})
    sibling = client.with_options(api_version="v2", name="b", landscape=True)
    assert (client.api_version, sibling.api_version) == ("v1", "v2")
    assert sibling._config.defaults == {"name": "b", "format": "a4", "landscape": True}
    assert client._config.defaults == {"name": "a", "format": "a4"}
    assert attrs.evolve(sibling._config, api_version="v1", defaults=client._config.defaults) == client._config
    for fixed in ("session", "max_connections", "proxy", "ssl", "trace_configs"):
        with pytest.raises(ConfigError) as caught:
            client.with_options(**{fixed: None})
        assert fixed in str(caught.value)
    with pytest.raises(ConfigError):
        client.with_options(nonsense=1)  # type: ignore[call-arg]


def test_settings_are_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config().base_url = "https://evil.example"  # type: ignore[misc]
