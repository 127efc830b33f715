"""What may be shown: secrets that never print themselves, shortened values, addresses without their signatures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, final
from urllib.parse import urlsplit, urlunsplit

_SHOWN_LENGTH: Final = 60
_SHOWN_WORDS: Final = 500
_ADDRESSES: Final = ("location", "content-location")
_CONTROL: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


@final
class Secret:
    """A text that does not appear in reprs, format strings, logs or pickles.

    `reveal()` gives it back; only the transport calls that, at the moment a request leaves.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> str:
        raise TypeError(
            "a secret is not pickled: give the key again on the other side, or read it from the environment"
        )


def shown(value: object) -> str:
    """A short one-line repr of `value` for an error message."""
    try:
        # A slice first: the repr of a 10 MB page would be built whole only to be cut.
        text = repr(value[: _SHOWN_LENGTH * 2] if isinstance(value, (str, bytes)) else value)
    except Exception as error:  # a foreign object's repr may fail in any way, and must not hide our message
        text = f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"


def in_words(text: str) -> str:
    """Words of somebody else's, fit for a message: on one line, without control characters, shortened."""
    # Some more first, so that a body of megabytes is not gone through.
    words = _CONTROL.sub(" ", text[: _SHOWN_WORDS * 8]).strip()
    return words if len(words) <= _SHOWN_WORDS else words[: _SHOWN_WORDS - 1] + "…"


def censored(address: str) -> str:
    """What should have been an address: no query or fragment, and nothing that may be a password."""
    return re.sub(r"//\S*@", "//***@", re.split(r"[?#]", address, maxsplit=1)[0])


def redacted(text: str, *secrets: str) -> str:
    """`text` with every occurrence of the given secrets replaced by ``***``."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text


def without_signature(url: str) -> str:
    """An address fit for a log: scheme, host and path; no credentials, query or fragment.

    Asset addresses are pre-authenticated, so their query strings are secrets (contract section 6.4).
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "<unreadable address>"
    if ":" in host:
        host = f"[{host}]"
    return urlunsplit((parts.scheme, host + port, parts.path, "", ""))


def shown_headers(received: Mapping[str, str], key: Secret) -> dict[str, str]:
    """Headers fit for errors, by names in lower case: no key that a service repeats, no signed address."""
    headers = {name.lower(): value for name, value in received.items()}
    for name in _ADDRESSES:
        if name in headers:
            headers[name] = without_signature(headers[name])
    secret = key.reveal()
    if secret in "\n".join(headers.values()):
        headers = {name: redacted(value, secret) for name, value in headers.items()}
    return headers
