"""Where a batch's products go: names that are safe and unique, files that never replace another."""

from __future__ import annotations

import asyncio
import errno
import inspect
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from ..conversion import AsyncConversion, Document, fetch_product
from ..downloads import FileSink, Head, MemorySink, in_thread
from ..errors import DownloadError, ValidationError
from ..files import Reserve, Target, check_target, free_numbered, remove_parts, safe_filename
from ..redaction import shown
from ..requests import ConversionRequest

SavePath: TypeAlias = str | os.PathLike[str]
SaveTo: TypeAlias = SavePath | Callable[[ConversionRequest], SavePath | Awaitable[SavePath]]
"""A folder, or a function that gives each request its path. A coroutine function is awaited."""

_NUMBERS_KEPT: Final = 1_000
_DISK: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@attrs.frozen(kw_only=True)
class Place:
    """Where one product goes."""

    folder: Path
    name: str | None
    """The file's name; None for the server's."""


class Destination:
    """Turns `save_to` into a place for each request, and keeps those who save at the same time from each other's names.

    Raises:
        ValidationError: `save_to` is neither a folder nor a function, or the folder cannot be used.
    """

    def __init__(self, save_to: SaveTo) -> None:
        self._function: Callable[[ConversionRequest], SavePath | Awaitable[SavePath]] | None = None
        self._folder: Path | None = None
        self._reserved: set[Path] = set()
        self._numbers: dict[tuple[Path, str], int] = {}
        """The last number that went behind a name which many files want, so that the next one is not looked for again."""
        self._swept: dict[Path, asyncio.Event] = {}
        self._lock = threading.Lock()
        if callable(save_to):
            self._function = save_to
            return
        if not isinstance(save_to, (str, os.PathLike)) or not isinstance(os.fspath(save_to), str):
            raise ValidationError(
                f"save_to must be a folder or a function from a request to a path, not {shown(save_to)}",
                field="save_to",
            )
        if not os.fspath(save_to):
            raise ValidationError("save_to must be a folder, not an empty text", field="save_to")
        # Always a folder, made if need be, whatever its name looks like: there are many products.
        if os.path.isfile(save_to):
            raise ValidationError(f"save_to must be a folder, and {os.fspath(save_to)!r} is a file", field="save_to")
        self._folder = check_target(os.path.join(os.fspath(save_to), "")).path

    async def place(self, request: ConversionRequest) -> Place:
        """Where the product of a request goes.

        Raises:
            ValidationError: The function gave nothing usable, or raised.
        """
        if self._folder is not None:
            return Place(folder=self._folder, name=None)
        assert self._function is not None
        try:
            answer = self._function(request)
            path = await answer if inspect.isawaitable(answer) else answer
        except Exception as error:
            raise ValidationError(f"save_to raised {type(error).__name__}: {error}", field="save_to") from error
        target = check_target(path)
        if target.is_folder:
            return Place(folder=target.path, name=None)
        return Place(folder=target.path.parent, name=target.path.name)

    async def swept(self, folder: Path, journal: str, mark: str) -> None:
        """Removes what earlier runs of a journal that were killed have left half-written in a folder; once in a run.

        Args:
            folder: The folder.
            journal: What the marks of all its runs begin with.
            mark: That of this run.
        """
        done = self._swept.get(folder)
        if done is None:
            done = self._swept[folder] = asyncio.Event()
            try:
                await in_thread(lambda: remove_parts(folder, journal, but=mark))
            finally:
                done.set()
        await done.wait()

    @contextmanager
    def reserved(self, folder: Path, name: str) -> Iterator[Path]:
        """A free path that nobody else in this batch is given meanwhile; for threads."""
        with self._lock:
            above = self._numbers.pop((folder, name), 0)
            path, number = free_numbered(
                folder, name, lambda path: path in self._reserved or os.path.lexists(path), above
            )
            if number > 1:
                self._numbers[folder, name] = number
                if len(self._numbers) > _NUMBERS_KEPT:
                    del self._numbers[next(iter(self._numbers))]
            self._reserved.add(path)
        try:
            yield path
        finally:
            with self._lock:
                self._reserved.remove(path)


class _ProductSink(FileSink):
    """A file whose name in its folder is ours to choose."""

    def __init__(self, place: Place, rename: Callable[[str], str], reserve: Reserve, mark: str) -> None:
        super().__init__(Target(place.folder, is_folder=True), reserve=reserve, mark=mark)
        self._name = place.name
        self._rename = rename

    async def begin(self, head: Head) -> None:
        """See `Sink`."""
        await super().begin(attrs.evolve(head, filename=self._name or safe_filename(self._rename(head.filename))))


async def fetch(
    conversion: AsyncConversion,
    place: Place | None,
    *,
    rename: Callable[[str], str],
    reserve: Reserve,
    mark: str,
) -> Document:
    """Fetches the product of a job that has ended, into a file or into memory.

    Args:
        conversion: The job's handle.
        place: Where to; None for memory.
        rename: Takes a journal's token out of the server's name for it.
        reserve: Chooses the path of the file, in a thread.
        mark: See `PartialFile`.

    Raises:
        DownloadError: It cannot be had, or cannot be written.
    """
    if place is None:
        memory = MemorySink()
        head = await fetch_product(conversion, memory, rename)
        content: bytes | None = memory.content()
        path = None
    else:
        async with _ProductSink(place, rename, reserve, mark) as file:
            head = await fetch_product(conversion, file, rename)
            content = None
            try:
                path = await file.finish()
            except OSError as error:
                raise DownloadError(f"the product cannot be written: {error}", job_id=conversion.job_id) from error
    assert conversion.job is not None
    return Document(
        content=content,
        filename=rename(head.filename),
        content_type=head.content_type,
        job=conversion.job,
        path=path,
    )


def is_disk_full(error: BaseException) -> bool:
    """Whether a product could not be written for want of room: nothing that follows could be, either."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _DISK
