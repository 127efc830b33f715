"""JSON text, read and written the same way whatever library is there to do it. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

try:  # the `speed` extra
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment, unused-ignore]


class WireFault(ValueError):
    """A reply's data cannot be read.

    Attributes:
        path: Where, such as ``$.id``.
    """

    def __init__(self, message: str, path: str = "$") -> None:
        super().__init__(message)
        self.path = path

    def within(self, place: str) -> WireFault:
        """The same fault seen from one level further out."""
        return WireFault(str(self), "$" + place + self.path[1:])


def json_bytes(data: Any) -> bytes:
    """Compact UTF-8 JSON; the same with and without the `speed` extra."""
    if orjson is not None:
        try:
            return orjson.dumps(data)
        except TypeError:
            pass  # integers beyond 64 bits, which the standard library writes
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


_DECODER: Final[Any] = json.JSONDecoder(parse_constant=_no_constant)


def parse_json(body: bytes | str) -> Any:
    """JSON data.

    Raises:
        WireFault: It is not JSON, not UTF-8, or nested too deep.
    """
    # Always the standard library: orjson turns integers beyond 64 bits into floats, and an id may be one.
    try:
        if not isinstance(body, str):
            # Two bytes of plain ASCII, as nearly always, cannot be the beginning of another encoding.
            body = body.decode("utf-8" if body[1:2] > b"\0" < body[:1] < b"\x80" else json.detect_encoding(body))
        try:
            data, end = _DECODER.scan_once(body, 0)  # most texts are nothing but their value
            if end == len(body):
                return data
        except StopIteration:
            pass
        return _DECODER.decode(body)
    except RecursionError:
        raise WireFault("JSON nested too deep") from None
    except ValueError as error:
        reason = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "bad text"
        raise WireFault(f"not JSON ({reason})") from None
