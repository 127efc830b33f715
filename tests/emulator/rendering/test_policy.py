"""What may be loaded, decided without a network."""

from __future__ import annotations

import pytest
from yarl import URL

from cloudlayer_async.emulator.rendering.policy import AllowList, FetchRefusedError, shown


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("example.com", "http://example.com/x?y"),
        ("example.com", "https://EXAMPLE.com.:8443/"),
        ("example.com:8080", "http://example.com:8080/"),
        ("example.com:443", "https://example.com/"),
        ("127.0.0.1", "http://127.0.0.1:9999/"),
        ("[::1]:8080", "http://[::1]:8080/"),
        ("::1", "http://[::1]/"),
        ("localhost:80", "http://localhost/"),
    ],
)
def test_what_is_listed_is_allowed(entry: str, url: str) -> None:
    AllowList([entry]).check(URL(url))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "http://sub.example.com/",
        "http://example.com.evil.test/",
        "http://example.com:81/",
        "http://user:secret@example.com:8080/",
        "http://evil.test@127.0.0.1/",
        "file:///etc/passwd",
        "ftp://example.com:8080/",
        "javascript:alert(1)",
        "http:///etc/passwd",
        "http://127.0.0.1/",
        "picture.png",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(FetchRefusedError):
        AllowList(["example.com:8080"]).check(URL(url))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "not an address",
    ],
)  # fmt: skip
def test_a_name_that_stands_for_a_private_address_is_refused(address: str) -> None:
    allowed = AllowList(["example.com"])
    with pytest.raises(FetchRefusedError, match="private"):
        allowed.check_resolved("example.com", ["93.184.216.34", address])
    allowed.check_resolved("example.com", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])


def test_localhost_must_be_this_machine() -> None:
    AllowList(["localhost"]).check_resolved("localhost", ["127.0.0.1", "::1"])
    with pytest.raises(FetchRefusedError):
        AllowList(["localhost"]).check_resolved("localhost", ["10.0.0.1"])


@pytest.mark.parametrize(
    "entry", ["", "http://example.com", "example.com/path", "user@example.com", "a b:c", "x:99999"]
)
def test_an_entry_that_is_no_host_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError, match="Not a host"):
        AllowList([entry])


def test_addresses_are_shown_without_what_may_be_secret() -> None:
    assert shown(URL("https://user:pass@host/path?token=1#f")) == "https://host/path"
    assert shown(URL("data:text/plain,secret")) == "data:"
