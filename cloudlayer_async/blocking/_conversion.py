"""`Conversion`, the blocking twin of `AsyncConversion`."""

# GENERATED from conversion.py: do not change by hand. Make it anew with
#     python cloudlayer_async/blocking/generate.py

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

from ..conversion import AsyncConversion, Document
from ..models import Job, ResponseInfo
from ..polling import OnUpdate
from ._errand import ask_caller
from ._portal import Portal


class Conversion:
    """The handle of one conversion: the steps from a submitted job to a file on disk.

    It hides whether the service answered with a job to wait for or with the product itself. Made by the client's
    conversion methods and by `attach`; it needs the client to be open, and no closing of its own.
    """

    def __init__(self, portal: Portal, handle: AsyncConversion) -> None:
        self._portal = portal
        self._async = handle

    def __repr__(self) -> str:
        status = self.job.status.value if self.job is not None else "not read yet"
        return f"<{type(self).__name__} job_id={self.job_id!r} status={status!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} belongs to a client, and is not pickled: pass its job_id on, and attach() there"
        )

    @property
    def job(self) -> Job | None:
        """The job as last seen; None for an attached one that was not read yet.

        When the product came with the reply, a job made from the reply's headers: `SUCCESS`, with an empty `id`.
        """
        return self._async.job

    @property
    def job_id(self) -> str | None:
        """The id to resume from with `attach`; None when the product came at once and no job was made."""
        return self._async.job_id

    @property
    def info(self) -> ResponseInfo | None:
        """What the submission's reply said in its headers; None for an attached job."""
        return self._async.info

    @property
    def done(self) -> bool:
        """Whether the job has ended, well or badly, as far as was seen."""
        return self._async.done

    def wait(self, timeout: float | timedelta | None = None, on_update: OnUpdate | None = None) -> Job:
        """Waits until the job has ended well.

        Ctrl-C stops the waiting only: the job goes on at the service, and may be waited for again.

        Args:
            timeout: Seconds from now; None for `Timeouts.job`, `math.inf` for ever. One last look is taken at the end.
            on_update: Called with the job as first seen and at each change of its status; a coroutine function is awaited.

        Returns:
            The job, successful.

        Raises:
            JobFailedError: It ended badly; `error.job` says why.
            JobTimeoutError: It has not ended in time; `error.job_id` is what to resume from.
            CloudlayerError: The job cannot be read: `ApiError` and its kinds, `ConnectionFailedError`,
                `RequestTimeoutError`, `UnexpectedResponseError`.
        """
        return self._portal.run(self._async.wait, timeout, ask_caller(on_update))

    def result(self, timeout: float | timedelta | None = None) -> Document:
        """Waits for the job and fetches its product into memory.

        Args:
            timeout: Seconds to wait for the job's end, as in `wait`; the download has limits of its own.

        Raises:
            AssetExpiredError: The product's address was refused, and a fresh one too.
            DownloadError: The product cannot be had.
            CloudlayerError: As `wait`.
        """
        if (document := self._async._at_hand()) is not None:
            return document
        return self._portal.run(self._async.result, timeout)

    @contextmanager
    def stream(self, timeout: float | timedelta | None = None) -> Iterator[Iterator[bytes]]:
        """Waits for the job and gives its product in pieces, in constant memory.

        Use it as ``with conversion.stream() as chunks: for chunk in chunks: ...``. Leaving the block early closes the
        connection. Once pieces were given, a download that breaks is a `DownloadError`: only the caller knows what to
        do with the first part.

        Args:
            timeout: Seconds to wait for the job's end, as in `wait`.

        Yields:
            An iterator of bytes.

        Raises:
            AssetExpiredError: The product's address was refused, and a fresh one too.
            DownloadError: The product cannot be had, or its download broke.
            CloudlayerError: As `wait`.
        """
        with self._portal.enter(self._async.stream, timeout) as visit:
            yield visit.iterate(visit.value)

    def save(self, path: str | os.PathLike[str], timeout: float | timedelta | None = None) -> Path:
        """Waits for the job and writes its product to disk, in constant memory.

        The file appears complete or not at all; an interrupted or failed call leaves nothing behind.

        Args:
            path: A file, replaced if it is there; or a folder (existing, or a text that ends in a separator), where the
                server's name is used, made safe, with " (2)" added when taken.
            timeout: Seconds to wait for the job's end, as in `wait`.

        Returns:
            Where the file is.

        Raises:
            ValidationError: `path` cannot be written to; nothing was waited for.
            AssetExpiredError: The product's address was refused, and a fresh one too.
            DownloadError: The product cannot be had, or cannot be written.
            CloudlayerError: As `wait`.
        """
        return self._portal.run(self._async.save, path, timeout)
