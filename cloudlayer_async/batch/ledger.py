"""The books of one batch: items by stage, credits, times. From here come progress and report."""

from __future__ import annotations

import enum
import time
from collections import deque

import attrs

from ..errors import CloudlayerError
from ..requests import ConversionRequest
from .outcome import Outcome
from .progress import BatchProgress
from .report import KEPT, BatchItem, BatchReport

_WINDOW = 10.0
"""Seconds over which the rate is taken."""


class Stage(enum.Enum):
    """Where an item is on its way; the values are those of the report's `mean_seconds`."""

    __hash__ = object.__hash__  # they are the keys of the books, and an Enum's own hash is slow

    WAITING = "queue"
    SUBMITTING = "submit"
    PENDING = "wait"
    DOWNLOADING = "download"


_TIMED = (Stage.SUBMITTING, Stage.PENDING, Stage.DOWNLOADING)


@attrs.define(eq=False, kw_only=True)
class Item:
    """One request on its way."""

    index: int
    request: ConversionRequest
    key: str | None
    cost: int
    """Credits it is expected to cost (contract section 6.7)."""
    stage: Stage = Stage.WAITING
    since: float = 0.0
    """When it came into its stage."""
    number: int | None = None
    """Its number in the journal."""
    label: str | None = None
    """The job's name with its token."""
    job_id: str | None = None
    maybe_sent: bool = False
    """Whether the service may have a job of it."""
    era: int = 0
    """See `Slots`."""
    reserved: float = 0.0
    """Credits set aside for it."""
    spent_before: float | None = None
    """Credits that the journal has for it, where an earlier run has submitted it."""

    def reported(self, error: CloudlayerError | None = None) -> BatchItem:
        """The item as a report shows it."""
        return BatchItem(
            index=self.index,
            kind=getattr(self.request, "kind", type(self.request).__name__),
            key=self.key,
            job_id=self.job_id or (error.job_id if error is not None else None),
            name=self._name_to_look_for(error),
            error=None if error is None else type(error).__name__,
            reason=None if error is None else str(error),
            maybe_billed=self.maybe_sent if error is None else error.maybe_billed,
        )

    def _name_to_look_for(self, error: CloudlayerError | None) -> str | None:
        """The job's name, where that is all there is to find it by."""
        if self.job_id is not None or not (self.maybe_sent or (error is not None and error.maybe_billed)):
            return None
        return self.label or getattr(error, "name", None) or getattr(self.request, "name", None)


def expected_cost(request: ConversionRequest) -> int:
    """Credits that a conversion costs: 1, or n + 1 for n addresses (contract section 6.7)."""
    urls = getattr(request, "urls", None) or getattr(request, "batch", None)
    return len(urls) + 1 if urls else 1


class Ledger:
    """Counts everything that happens to a batch's items.

    Args:
        max_credits: The most that may be spent, earlier runs of the same journal included; None for no limit.
    """

    def __init__(self, max_credits: float | None) -> None:
        self._max_credits = max_credits
        self._began = time.monotonic()
        self._ended: float | None = None
        self._stages = dict.fromkeys(Stage, 0)
        self._seconds = dict.fromkeys(_TIMED, 0.0)
        self._passed = dict.fromkeys(_TIMED, 0)
        self._failures: list[BatchItem] = []
        self._ambiguous: list[BatchItem] = []
        self._in_flight: list[BatchItem] = []
        self._samples: deque[tuple[float, int, int]] = deque()
        self._committed = 0.0
        """Credits spent, or set aside for what is under way."""
        self.pulled = 0
        self.succeeded = 0
        self.failed = 0
        self.ambiguous = 0
        self.resumed = 0
        self.accepted = 0
        self.credits = 0.0
        self.retries = 0
        self.refusals = 0
        self.stopped: str | None = None
        self.changes = 0
        """Grows with each change, so that progress need not be told twice."""

    # --- items ------------------------------------------------------------------------------------------------------

    def enter(self, item: Item) -> None:
        """A new item."""
        self.pulled += 1
        item.since = time.monotonic()
        self._stages[item.stage] += 1
        self.changes += 1

    def move(self, item: Item, stage: Stage | None) -> None:
        """An item comes into another stage; None where it leaves the last one."""
        now = time.monotonic()
        left = item.stage
        self._stages[left] -= 1
        if left is not Stage.WAITING:
            self._seconds[left] += now - item.since
            self._passed[left] += 1
        item.since = now
        if stage is not None:
            item.stage = stage
            self._stages[stage] += 1
        self.changes += 1

    def under_way(self, stage: Stage) -> int:
        """How many items are in a stage."""
        return self._stages[stage]

    def close(self, item: Item, outcome: Outcome, *, ambiguous: bool, resumed: bool) -> None:
        """An item has its outcome."""
        self.move(item, None)
        if outcome.error is None:
            self.succeeded += 1
            self.resumed += resumed
        elif ambiguous:
            self.ambiguous += 1
            if len(self._ambiguous) < KEPT:
                self._ambiguous.append(item.reported(outcome.error))
        else:
            self.failed += 1
            if len(self._failures) < KEPT:
                self._failures.append(item.reported(outcome.error))

    def leave_alone(self, item: Item) -> None:
        """An item is left as it is, since the batch ends."""
        self.move(item, None)
        if item.job_id is not None or item.maybe_sent:
            self._in_flight.append(item.reported())

    def not_taken(self, outcome: Outcome) -> None:
        """An outcome is known, and the block was left before it was taken: its job must not be forgotten."""
        error = outcome.error
        job_id = outcome.job.id if outcome.job is not None else error.job_id if error is not None else None
        if outcome.path is None and (job_id or outcome.document is not None):
            item = Item(index=outcome.index, request=outcome.request, key=outcome.key, cost=0, job_id=job_id or None)
            item.maybe_sent = True
            self._in_flight.append(item.reported(error))

    # --- credits ----------------------------------------------------------------------------------------------------

    def spent_before(self, credits: float) -> None:
        """Credits that earlier runs of the journal have spent."""
        self._committed += credits

    def reserve(self, item: Item) -> bool:
        """Sets an item's cost aside; False when that would pass the limit."""
        if self._max_credits is not None and self._committed + item.cost > self._max_credits:
            return False
        self._committed += item.cost
        item.reserved = item.cost
        return True

    def give_back(self, item: Item) -> None:
        """An item costs nothing after all."""
        self._committed -= item.reserved
        item.reserved = 0.0

    def charge(self, item: Item, reported: float | None, *, succeeded: bool) -> float:
        """What a job has cost, by the service's figure, else as documented; gives it.

        For a job that failed, of which the service gives no figure, nothing is counted as spent, but what was set aside
        for it stays set aside: whether it was billed is not documented.
        """
        known = float(item.cost) if item.spent_before is None else item.spent_before
        cost = known if reported is None else reported
        if item.spent_before is not None:
            self._committed += cost - item.spent_before
            item.spent_before = cost
        elif item.reserved:
            self._committed += cost - item.reserved
            item.reserved = cost
            if reported is not None or succeeded:
                self.credits += cost
        return cost

    # --- what others see --------------------------------------------------------------------------------------------

    @property
    def unlimited(self) -> bool:
        """Whether credits are not limited."""
        return self._max_credits is None

    def end(self) -> None:
        """The clock stops."""
        self._ended = self._ended or time.monotonic()

    def _elapsed(self) -> float:
        return (self._ended or time.monotonic()) - self._began

    def progress(
        self, *, total: int | None, ready: int, concurrency: int, paused: float, finished: bool
    ) -> BatchProgress:
        """The batch at this moment."""
        done = self.succeeded + self.failed + self.ambiguous
        rate, work_rate = self._rates(done, done - self.resumed)
        left = None if total is None else max(0, total - done)
        # What a journal has is there at once, and tells nothing of how long the rest will take.
        remaining = 0.0 if finished else left / work_rate if left is not None and work_rate > 0 else None
        return BatchProgress(
            total=total,
            waiting=self._stages[Stage.WAITING],
            submitting=self._stages[Stage.SUBMITTING],
            pending=self._stages[Stage.PENDING],
            downloading=self._stages[Stage.DOWNLOADING],
            ready=ready,
            succeeded=self.succeeded,
            failed=self.failed,
            ambiguous=self.ambiguous,
            resumed=self.resumed,
            refusals=self.refusals,
            credits=self.credits,
            elapsed=self._elapsed(),
            rate=rate,
            remaining=remaining,
            concurrency=concurrency,
            paused=paused,
            finished=finished,
        )

    def _rates(self, done: int, worked: int) -> tuple[float, float]:
        """Outcomes a second, and those of them that took work."""
        now = time.monotonic()
        self._samples.append((now, done, worked))
        while len(self._samples) > 2 and now - self._samples[0][0] > _WINDOW:
            self._samples.popleft()
        then, done_before, worked_before = self._samples[0] if len(self._samples) > 1 else (self._began, 0, 0)
        passed = now - then
        return ((done - done_before) / passed, (worked - worked_before) / passed) if passed > 0 else (0.0, 0.0)

    def report(self, *, finished: bool) -> BatchReport:
        """The batch so far."""
        return BatchReport(
            pulled=self.pulled,
            succeeded=self.succeeded,
            failed=self.failed,
            ambiguous=self.ambiguous,
            resumed=self.resumed,
            accepted=self.accepted,
            credits=self.credits,
            retries=self.retries,
            refusals=self.refusals,
            elapsed=self._elapsed(),
            mean_seconds={
                stage.value: self._seconds[stage] / passed for stage, passed in self._passed.items() if passed
            },
            stopped=self.stopped,
            finished=finished and self.pulled == self.succeeded + self.failed + self.ambiguous,
            failures=tuple(self._failures),
            ambiguous_items=tuple(self._ambiguous),
            in_flight=tuple(self._in_flight),
        )
