"""Reading the bodies of requests within bounds: of size, of time, and of all of them together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Mapping
from typing import Final

_AT_ONCE: Final = 32
"""Bodies of full size that may be held at the same time, over all connections."""


class RefusedError(Exception):
    """A request is answered without its body being read to the end.

    Attributes:
        status: To answer with.
        reason: Likewise.
    """

    def __init__(self, status: int, reason: bytes) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


class BodyLimits:
    """The bounds, and what is held at the moment.

    Args:
        size: Bytes of one body.
        seconds: Until it must be there.
    """

    def __init__(self, size: int, seconds: float) -> None:
        self._size = size
        self._seconds = seconds
        self._held = 0

    async def collect(self, chunks: AsyncIterable[bytes], headers: Mapping[str, str]) -> bytes:
        """The body.

        Args:
            chunks: Gives it in pieces.
            headers: Content-Length and Content-Encoding are looked at, under these names or in lower case.

        Raises:
            RefusedError: It is too large, too slow or compressed, or there is no room for it now.
        """
        encoding = headers.get("Content-Encoding", headers.get("content-encoding", "identity"))
        if encoding.strip().lower() != "identity":
            raise RefusedError(415, b"compressed")  # small on the way, and of any size in memory
        length = headers.get("Content-Length", headers.get("content-length", "0"))
        if length.isdecimal() and (len(length) > 18 or int(length) > self._size):
            raise RefusedError(413, b"too large")
        body = bytearray()
        try:
            async with asyncio.timeout(self._seconds):
                async for chunk in chunks:
                    body += chunk
                    self._held += len(chunk)
                    if len(body) > self._size:
                        raise RefusedError(413, b"too large")
                    if self._held > self._size * _AT_ONCE:
                        raise RefusedError(503, b"not now")
        except TimeoutError:
            raise RefusedError(408, b"too slow") from None
        finally:
            self._held -= len(body)
        return bytes(body)
