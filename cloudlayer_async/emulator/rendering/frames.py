"""What passes between the renderer and its worker processes: a JSON object and some byte strings.

JSON, not pickle: a worker handles untrusted documents, and nothing it says may run code in its parent.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Protocol

import attrs

_PREFIX = struct.Struct("!I")


@attrs.frozen
class Frame:
    """One message."""

    head: Mapping[str, Any]
    blobs: tuple[bytes, ...] = ()


class AsyncSource(Protocol):
    """Something bytes can be read from, such as `asyncio.StreamReader`."""

    async def readexactly(self, n: int, /) -> bytes:
        """Read that many bytes."""
        ...


def encode(head: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> list[bytes]:
    """Return the pieces to write, one after the other."""
    text = json.dumps({"head": head, "sizes": [len(blob) for blob in blobs]}).encode()
    return [_PREFIX.pack(len(text)) + text, *blobs]


def read(source: BinaryIO) -> Frame | None:
    """Read a frame, waiting for it; None at the end of the stream."""
    prefix = source.read(_PREFIX.size)
    if len(prefix) < _PREFIX.size:
        return None
    message = json.loads(source.read(_PREFIX.unpack(prefix)[0]))
    return Frame(message["head"], tuple(source.read(size) for size in message["sizes"]))


async def receive(source: AsyncSource) -> Frame:
    """Read a frame without blocking the loop.

    Raises:
        asyncio.IncompleteReadError: The stream ended.
    """
    prefix = await source.readexactly(_PREFIX.size)
    message = json.loads(await source.readexactly(_PREFIX.unpack(prefix)[0]))
    return Frame(message["head"], tuple([await source.readexactly(size) for size in message["sizes"]]))
