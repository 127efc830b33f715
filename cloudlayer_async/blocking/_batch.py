"""`Batch`, the blocking twin of `AsyncBatch`."""

# GENERATED from batch/pipeline.py: do not change by hand. Make it anew with
#     python cloudlayer_async/blocking/generate.py

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from ._portal import Portal, Visit

if TYPE_CHECKING:
    from ..batch.outcome import Outcome
    from ..batch.pipeline import AsyncBatch
    from ..batch.progress import BatchProgress
    from ..batch.report import BatchReport


class Batch:
    """A batch under way: ``with cl.batch(...) as batch: for outcome in batch: ...``.

    Outcomes come in the order in which they are known. Leaving the block early (by `break`, an error, or Ctrl-C) stops
    taking requests; what was submitted goes on at the service, and is named in the report's `in_flight` and in the
    journal.
    """

    def __init__(self, portal: Portal, handle: AsyncBatch) -> None:
        self._portal = portal
        self._async = handle
        self._visit = Visit(portal, handle)

    def __enter__(self) -> Self:
        self._visit.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return self._visit.__exit__(kind, error, traceback)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Outcome:
        return self._visit.next(self._async)

    @property
    def report(self) -> BatchReport:
        """What the batch came to, or how far it has come."""
        return self._visit.look(lambda: self._async.report)

    @property
    def progress(self) -> BatchProgress:
        """How far the batch has come."""
        return self._visit.look(lambda: self._async.progress)
