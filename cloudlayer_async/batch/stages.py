"""The stages of one item: claimed in the journal, submitted, waited for, fetched."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio
import attrs

from ..config import ClientConfig
from ..conversion import AsyncConversion, Document, submission_cost
from ..errors import CloudlayerError, DownloadError, JobFailedError, JobTimeoutError, JournalError, ValidationError
from ..models import Job, JobStatus
from .ending import NotSubmitted, OutOfCredits
from .identity import digest
from .journal import Journal, Record, State
from .ledger import Item, Ledger, Stage
from .outcome import Outcome
from .saving import Destination, Place, fetch
from .submitting import Submitter, check_durable, durable


class Stages:
    """Carries the items of one batch.

    Args:
        config: The client's settings.
        submitter: Sends them.
        ledger: The books.
        destination: Where products go; None keeps them in memory.
        journal: Where every step is written; None for nowhere.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        submitter: Submitter,
        ledger: Ledger,
        destination: Destination | None,
        journal: Journal | None,
    ) -> None:
        self._config = config
        self._submitter = submitter
        self._ledger = ledger
        self._destination = destination
        self._journal = journal
        self.closed = False
        """Whether no further item is begun."""

    async def carry(self, item: Item) -> Outcome:
        """Takes an item from its place in the queue to its outcome.

        Raises:
            NotSubmitted: It goes no further, because the batch ends.
        """
        conversion: AsyncConversion | None = None
        try:
            place = None if self._destination is None else await self._destination.place(item.request)
            record = None
            if self._journal is not None:
                if self._destination is not None and place is not None:
                    await self._destination.swept(place.folder, f"{self._journal.tokens.journal}-", self._journal.mark)
                record = await self._claim(item)
            if record is not None and record.path is not None and record.whole:
                return self._resumed(item, record, _as_given(record.path, place))
            if record is None:
                self._reserve(item)
                conversion = await self._submitter.submit(item, item.request, None)
            else:
                conversion = await self._started(item, record)
            item.job_id = conversion.job_id
            self._ledger.move(item, Stage.PENDING)
            job = await conversion.wait()
            self._ledger.move(item, Stage.DOWNLOADING)
            if place is None and self._journal is None:
                document = await conversion.result()
            else:
                document = await self._fetched(item, conversion, place)
        except JournalError as error:
            raise NotSubmitted(error) from error
        except CloudlayerError as error:
            return self._failure(item, error, conversion)
        credits = self._ledger.charge(item, _reported(job, conversion), succeeded=True)
        if self._journal is not None and item.number is not None:
            if job.uid:
                self._journal.belongs_to(job.uid)
            self._journal.finished(
                item.number, credits=credits, asset_id=job.asset_id, content_type=document.content_type
            )
        return self._success(item, document)

    def _success(self, item: Item, document: Document, *, resumed: bool = False) -> Outcome:
        outcome = Outcome(
            index=item.index,
            request=item.request,
            key=item.key,
            job=document.job,
            document=document,
            path=document.path,
        )
        self._ledger.close(item, outcome, ambiguous=False, resumed=resumed)
        return outcome

    def _failure(self, item: Item, error: CloudlayerError, conversion: AsyncConversion | None) -> Outcome:
        job = None if conversion is None else self._hidden(conversion.job)
        if conversion is None:
            if not error.maybe_billed:
                self._ledger.give_back(item)
        else:
            error.job_id = error.job_id or conversion.job_id
            error.maybe_billed = True
            failed = isinstance(error, JobFailedError)
            if isinstance(error, JobFailedError):
                job = error.job = self._hidden(error.job) or error.job
            elif isinstance(error, JobTimeoutError):
                error.last_job = self._hidden(error.last_job)
            reported = _reported(job, conversion) if failed and job is not None else None
            credits = self._ledger.charge(item, reported, succeeded=not failed)
            if self._journal is not None and item.number is not None:
                if failed:
                    self._journal.failed(item.number, credits=credits, error=type(error).__name__)
                else:
                    # Accepted, and not had: the next run fetches it by its job's id.
                    self._journal.noted(item.number, type(error).__name__)
        outcome = Outcome(index=item.index, request=item.request, key=item.key, job=job, error=error)
        self._ledger.close(item, outcome, ambiguous=conversion is None and error.maybe_billed, resumed=False)
        return outcome

    def _hidden(self, job: Job | None) -> Job | None:
        return job if job is None or self._journal is None else self._journal.tokens.hidden(job)

    async def _fetched(self, item: Item, conversion: AsyncConversion, place: Place | None) -> Document:
        reserve = partial(self._path_for, item)
        mark = "" if self._journal is None else self._journal.mark
        document = await fetch(conversion, place, rename=self._renamed, reserve=reserve, mark=mark)
        if self._journal is None:
            return document
        return attrs.evolve(document, job=self._journal.tokens.hidden(document.job))

    @contextmanager
    def _path_for(self, item: Item, folder: Path, name: str, size: int) -> Iterator[Path]:
        """A free path for an item's product of this size, written down before it is used."""
        assert self._destination is not None
        with self._destination.reserved(folder, name) as path:
            if self._journal is not None and item.number is not None:
                self._journal.place(item.number, path, size)
            yield path

    def _renamed(self, filename: str) -> str:
        """A server's name for a product without the token that it may have taken over from the job's name."""
        if self._journal is None:
            return filename
        name = self._journal.tokens.strip(filename)
        return name if name.strip() and not name.startswith(".") else f"document{name.strip()}"

    # --- what the journal has ---------------------------------------------------------------------------------------

    async def _claim(self, item: Item) -> Record:
        """The item's row, marked as sent where it is open and credits are not limited."""
        assert self._journal is not None
        name = check_durable(item.request, self._config)
        if item.key is None:
            key = f"digest:{await digest(item.request, self._journal.salt)}"
        else:
            key = f"key:{item.key}"
        if self.closed:
            raise NotSubmitted
        # Not to be cut off: the row may say that the item was sent, and whoever leaves now must be able to take that back.
        record: Record | None = None
        with anyio.CancelScope(shield=True):
            record = await self._journal.claim(
                key,
                kind=item.request.kind,
                name=name,
                unique=item.key is not None,
                credits=item.cost if self._ledger.unlimited else None,
            )
        if record is None:
            raise ValidationError(
                f"key {item.key!r} was given before in this batch: each item needs its own", field="key"
            )
        item.number = record.number
        return record

    def _resumed(self, item: Item, record: Record, path: Path) -> Outcome:
        """The outcome of an item whose product is there from an earlier run."""
        if self._journal is not None and record.state is not State.FINISHED:
            self._journal.finished(
                record.number, credits=record.credits, asset_id=record.asset_id, content_type=record.content_type
            )
        item.job_id = record.job_id
        job = Job(
            id=record.job_id or "",
            status=JobStatus.SUCCESS,
            name=item.request.name,
            asset_id=record.asset_id,
            size=record.size,
            api_credit_cost=record.credits,
        )
        content_type = record.content_type or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return self._success(
            item, Document(filename=path.name, content_type=content_type, job=job, path=path), resumed=True
        )

    async def _started(self, item: Item, record: Record) -> AsyncConversion:
        """The handle of the conversion of an item that is in the journal: submitted now, or by an earlier run."""
        assert self._journal is not None
        is_settled = record.state not in (State.AMBIGUOUS, State.INTENT)
        if record.job_id is not None and is_settled:
            item.spent_before = record.credits
            return self._submitter.attached(record.job_id)
        request = durable(item.request, self._config, self._journal.tokens, record.number)
        item.label = request.name
        if not is_settled:
            item.spent_before = record.credits
            return await self._submitter.settled_earlier(item, record.job_id)
        if record.state is not State.OPEN:
            raise DownloadError(
                "its product came with the reply of an earlier run, and was not saved: it cannot be had again"
            )
        step = record.intent_step
        try:
            self._reserve(item)
            if step is None:
                step = await self._journal.begin(record.number, item.cost)
        except BaseException:
            self._submitter.withdraw(item)
            raise
        return await self._submitter.submit(item, request, step)

    def _reserve(self, item: Item) -> None:
        if self.closed:
            raise NotSubmitted
        if not self._ledger.reserve(item):
            raise NotSubmitted(OutOfCredits(f"the next conversion, of {item.cost} credits, would pass max_credits"))


def _as_given(path: Path, place: Place | None) -> Path:
    """A journal's path, which is absolute, as one below the folder that the caller named, if it is that folder's."""
    same = place is not None and place.folder.absolute() == path.parent
    return place.folder / path.name if place is not None and same else path


def _reported(job: Job, conversion: AsyncConversion) -> float | None:
    """What a job has cost by the service's own figure: the job's, else that of the submission's reply."""
    return job.api_credit_cost if job.api_credit_cost is not None else submission_cost(conversion)
