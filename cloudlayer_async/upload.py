"""Request bodies that know whether any of their bytes left.

That is what tells a submission that certainly never arrived from one whose outcome is unknown, on our own sessions and on
borrowed ones alike: a payload is asked by aiohttp itself, whoever owns the session.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from aiohttp import MultipartWriter
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from .errors import ValidationError
from .protocol import FormPart, HttpCall

_CHUNK: Final = 256 * 1024


class Departure:
    """Whether a body was handed to aiohttp, and whether bytes of it left."""

    __slots__ = ("broken", "left", "prepared")

    def __init__(self) -> None:
        self.prepared = False
        """aiohttp has looked at the body, so `left` can be believed. False under a mock that replaces aiohttp's sending."""
        self.left = False
        self.broken: str | None = None
        """Why the body itself could not be read to its end."""

    def on_write(self, writer: AbstractStreamWriter) -> None:
        """Called before the first bytes are handed over."""
        # A transport that is gone or closing takes nothing: the write that follows fails, and nothing has left.
        transport: Any = getattr(writer, "transport", self)
        if transport is self or not (transport is None or transport.is_closing()):
            self.left = True

    @property
    def possible(self) -> bool:
        """Whether the request may have reached the service."""
        return self.left or not self.prepared


NO_BODY: Final = Departure()
"""That of calls that have none; nothing ever leaves of it."""


class _JsonBody(Payload):
    def __init__(self, data: bytes, departure: Departure) -> None:
        super().__init__(data, content_type="application/json")
        self._data = data
        self._departure = departure

    @property
    def size(self) -> int:
        self._departure.prepared = True
        return len(self._data)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._data.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        self._departure.on_write(writer)
        if len(self._data) <= _CHUNK:
            await writer.write(self._data)
            return
        view = memoryview(self._data)
        for start in range(0, len(view), _CHUNK):
            await writer.write(view[start : start + _CHUNK])


class _FormBody(MultipartWriter):
    def __init__(self, departure: Departure) -> None:
        super().__init__("form-data")
        self._departure = departure

    @property
    def size(self) -> int | None:
        self._departure.prepared = True
        return super().size

    async def write(self, writer: AbstractStreamWriter, close_boundary: bool = True) -> None:
        self._departure.on_write(writer)
        await super().write(writer, close_boundary)


class _FilePart(Payload):
    """A file read in pieces off the event loop. Opens and closes a `Path`; never closes a caller's file."""

    def __init__(
        self, source: Path | BinaryIO, size: int | None, content_type: str | None, departure: Departure
    ) -> None:
        super().__init__(source, content_type=content_type or "application/octet-stream")
        self._source = source
        self._length = size
        self._departure = departure

    @property
    def size(self) -> int | None:
        return self._length

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        raise TypeError("an uploaded file is sent in pieces, never as one text")

    async def write(self, writer: AbstractStreamWriter) -> None:
        with self._opened() as file:
            left = self._length
            while left is None or left > 0:
                chunk = await self._read(file, _CHUNK if left is None else min(_CHUNK, left))
                if not chunk and left:
                    self._departure.broken = "the file became shorter while it was sent"
                    raise OSError(self._departure.broken)
                if not chunk:
                    return
                await writer.write(chunk)
                left = None if left is None else left - len(chunk)

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        if not isinstance(self._source, Path):
            yield self._source
            return
        try:
            file = self._source.open("rb")
        except OSError as error:
            self._departure.broken = f"the file cannot be read: {error.strerror}"
            raise
        with file:
            yield file

    async def _read(self, file: BinaryIO, size: int) -> bytes:
        try:
            data = await asyncio.to_thread(file.read, size)
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise TypeError(f"read() gave {type(data).__name__}, not bytes")
            return data
        except Exception as error:  # whatever a file object of the caller raises
            self._departure.broken = f"the file cannot be read: {type(error).__name__}: {error}"
            raise


class Upload:
    """The body of one call, made anew for each attempt."""

    def __init__(self, call: HttpCall) -> None:
        self._call = call
        self._starts: dict[int, int | None] = {}
        self.repeatable = True
        """False when a file object of the caller cannot be rewound: such a call gets one attempt."""
        self.known_bytes = len(call.json or b"")
        """How much there is to send, as far as that is known beforehand."""
        for part in call.form:
            if not isinstance(part.content, (str, bytes, Path)):
                start = _position(part.content)
                self._starts[id(part.content)] = start
                self.repeatable = self.repeatable and start is not None

    def body(self, departure: Departure) -> Payload | None:
        """A fresh body.

        Raises:
            ValidationError: A file is gone, or cannot be read.
        """
        if self._call.json is not None:
            return _JsonBody(self._call.json, departure)
        if not self._call.form:
            return None
        form = _FormBody(departure)
        self.known_bytes = 0
        for part in self._call.form:
            payload = self._part(part, departure)
            names = {"name": part.name} if part.filename is None else {"name": part.name, "filename": part.filename}
            # Plain UTF-8 in quotes, as browsers send it; percent signs would become part of the name.
            payload.set_content_disposition("form-data", quote_fields=False, **names)
            form.append_payload(payload)
            self.known_bytes += payload.size or 0
        return form

    def _part(self, part: FormPart, departure: Departure) -> Payload:
        content = part.content
        if isinstance(content, str):
            return _TextPart(content.encode(), part.content_type or "text/plain; charset=utf-8")
        if isinstance(content, bytes):
            return _FilePart(io.BytesIO(content), len(content), part.content_type, departure)
        try:
            if isinstance(content, Path):
                size = content.stat().st_size
            elif (start := self._starts[id(content)]) is None:
                return _FilePart(content, None, part.content_type, departure)
            else:
                content.seek(0, os.SEEK_END)  # not every file object answers with its place
                size = content.tell() - start
                content.seek(start)
        except (OSError, ValueError) as error:
            raise ValidationError(f"{part.name} cannot be read: {error}", field=part.name) from error
        if size <= 0:  # an earlier submission of the same request has read it to its end, say
            raise ValidationError(f"{part.name} has nothing left to read: rewind the file", field=part.name)
        return _FilePart(content, size, part.content_type, departure)


class _TextPart(Payload):
    def __init__(self, data: bytes, content_type: str) -> None:
        super().__init__(data, content_type=content_type)
        self._data = data
        self._size = len(data)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._data.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await writer.write(self._data)


def _position(file: BinaryIO) -> int | None:
    """Where a file stands; None when it cannot be rewound."""
    seekable: Callable[[], bool] | None = getattr(file, "seekable", None)
    try:
        return file.tell() if seekable is None or seekable() else None
    except (AttributeError, OSError, ValueError):
        return None
