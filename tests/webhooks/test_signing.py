"""The helper for those who relay webhooks: signed, not old, by a secret that still counts."""

from __future__ import annotations

import hashlib
import hmac
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlayer_async import ConfigError, ValidationError, sign_webhook, verify_signature

BODY = b'{"id": "7Kq2", "status": "success"}'
NOW = 1_767_225_600


def test_what_is_signed_is_good() -> None:
    signature = sign_webhook(BODY, "secret")
    assert verify_signature(BODY, signature, "secret")
    assert verify_signature(BODY, signature.encode(), b"secret")
    assert not verify_signature(BODY + b" ", signature, "secret")
    assert not verify_signature(BODY, signature, "another")


def test_the_scheme_is_the_one_the_docs_describe() -> None:
    digest = hmac.new(b"secret", f"{NOW}.".encode() + BODY, hashlib.sha256).hexdigest()
    assert sign_webhook(BODY, "secret", timestamp=NOW + 0.9) == f"t={NOW},v1={digest}"


@pytest.mark.parametrize(("age", "tolerance", "good"), [
    (0, 300, True), (300, 300, True), (301, 300, False), (-300, 300, True), (-301, 300, False), (10**9, math.inf, True),
])  # fmt: skip
def test_old_and_early_ones_are_refused(age: int, tolerance: float, good: bool) -> None:
    signature = sign_webhook(BODY, "secret", timestamp=NOW)
    assert verify_signature(BODY, signature, "secret", tolerance=tolerance, now=NOW + age) is good


def test_secrets_rotate() -> None:
    old, new = sign_webhook(BODY, "old"), sign_webhook(BODY, "new")
    assert verify_signature(BODY, old, ["new", "old"])
    assert verify_signature(BODY, new, iter(["new", "old"]))
    assert not verify_signature(BODY, old, ["new"])
    # A relay that signs with both while the other side still has one.
    both = f"{old},{new.partition(',')[2]}"
    assert verify_signature(BODY, both, "new")
    assert verify_signature(BODY, both, "old")


def test_the_time_is_signed_too() -> None:
    signature = sign_webhook(BODY, "secret", timestamp=NOW - 1000)
    forged = signature.replace(f"t={NOW - 1000}", f"t={NOW}")
    assert not verify_signature(BODY, forged, "secret", now=NOW)
    assert not verify_signature(BODY, f"{signature},t={NOW}", "secret", now=NOW)


@pytest.mark.parametrize(
    "signature", [None, "", "t=", "v1=", "t=1", "é=é", "t=١,v1=" + "a" * 64, "t=1,v1=é", "," * 10_000]
)
def test_what_is_no_signature_is_no_error(signature: str | None) -> None:
    assert not verify_signature(BODY, signature, "secret")


@given(signature=st.text() | st.binary(), body=st.binary(max_size=20))
def test_nothing_a_stranger_sends_is_an_error(signature: str | bytes, body: bytes) -> None:
    assert verify_signature(body, signature, "secret") is False


def test_mistakes_of_our_own_are_errors() -> None:
    for secrets in ("", b"", [], ["secret", ""], [None]):
        with pytest.raises(ConfigError):
            verify_signature(BODY, "t=1,v1=0", secrets)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        sign_webhook(BODY, "")
    with pytest.raises(ValidationError, match="raw bytes"):
        sign_webhook(BODY.decode(), "secret")  # type: ignore[arg-type]
