"""Proof of where a webhook comes from, for those who relay webhooks themselves: the service signs nothing."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import time
from collections.abc import Iterable
from typing import Final

from ..errors import ConfigError, ValidationError
from ..redaction import shown

TOLERANCE: Final = 300.0
"""Seconds that the clocks of both sides, and the way between them, may differ."""
_TIMESTAMP: Final = re.compile(r"\d{1,15}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LONGEST: Final = 4096
_MOST_SIGNATURES: Final = 16


def sign_webhook(body: bytes, secret: str | bytes, *, timestamp: float | None = None) -> str:
    """The text to send in a header along with a relayed webhook, for `verify_signature` on the other side.

    Args:
        body: The raw body as it is sent.
        secret: What both sides know.
        timestamp: Unix time; now by default.

    Returns:
        Such as ``t=1767225600,v1=5257a8...``: HMAC-SHA256 of the time, a dot and the body, in hexadecimal.

    Raises:
        ConfigError: The secret is empty, or no text.
        ValidationError: The body is not bytes.
    """
    moment = str(int(time.time() if timestamp is None else timestamp))
    return f"t={moment},v1={_digest(_raw(body), moment, _key(secret)).decode()}"


def verify_signature(
    body: bytes,
    signature: str | bytes | None,
    secrets: str | bytes | Iterable[str | bytes],
    *,
    tolerance: float = TOLERANCE,
    now: float | None = None,
) -> bool:
    """Whether a webhook was signed by somebody who knows one of the secrets, and not long ago.

    Args:
        body: The raw body as it arrived: parsed and written again it is another one.
        signature: The header's text, as `sign_webhook` makes it; None when there was none. It may hold several ``v1``.
        secrets: The secret, or several while one takes the place of another.
        tolerance: Seconds, in both directions; `math.inf` lets old ones in.
        now: Unix time to compare with; now by default.

    Returns:
        True only for a good signature. Whatever else a stranger sends is False, never an error.

    Raises:
        ConfigError: There is no secret, or an empty one.
        ValidationError: The body is not bytes.
    """
    keys = [_key(secrets)] if isinstance(secrets, (str, bytes)) else [_key(secret) for secret in secrets]
    if not keys:
        raise ConfigError("a signature cannot be checked without a secret")
    raw = _raw(body)
    if signature is None or len(signature) > _LONGEST:
        return False
    text = signature if isinstance(signature, str) else signature.decode("latin-1")
    parts = [part.strip().partition("=") for part in text.split(",")]
    moments = [value for name, _, value in parts if name == "t"]
    claimed = [value.encode() for name, _, value in parts if name == "v1" and _DIGEST.fullmatch(value)]
    if len(moments) != 1 or not _TIMESTAMP.fullmatch(moments[0]):
        return False
    genuine = False
    for key in keys:
        expected = _digest(raw, moments[0], key)
        for candidate in claimed[:_MOST_SIGNATURES]:
            # Bytes, and all of them, so that the time it takes tells nothing.
            genuine |= hmac.compare_digest(expected, candidate)
    age = (time.time() if now is None else now) - int(moments[0])
    return genuine and (math.isinf(tolerance) or abs(age) <= tolerance)


def _raw(body: object) -> bytes:
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise ValidationError(f"body must be the raw bytes, not {shown(type(body).__name__)}", field="body")
    return bytes(body)


def _key(secret: object) -> bytes:
    if not isinstance(secret, (str, bytes)) or not secret:
        raise ConfigError("a secret must be a str or bytes, and not empty")
    return secret.encode() if isinstance(secret, str) else secret


def _digest(raw: bytes, moment: str, key: bytes) -> bytes:
    return hmac.new(key, moment.encode() + b"." + raw, hashlib.sha256).hexdigest().encode()
