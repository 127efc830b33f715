"""What a batch came to."""

from __future__ import annotations

import json
from collections.abc import Mapping

import attrs

KEPT = 1_000
"""So many failures, and so many ambiguous items, are in a report one by one; beyond, they are only counted."""


@attrs.frozen(kw_only=True)
class BatchItem:
    """One request of a batch, in a report."""

    index: int
    """Its place in `requests`, from 0."""
    kind: str
    """Such as ``html_to_pdf``."""
    key: str | None = None
    """The caller's key, when one was given."""
    job_id: str | None = None
    """The job to resume from with ``attach(job_id)``, where one is known."""
    name: str | None = None
    """The job's name at the service, when that is all there is to look it up by: `find_jobs(name=...)`."""
    error: str | None = None
    """The class of its error."""
    reason: str | None = None
    """Its error in words."""
    maybe_billed: bool = False

    def __str__(self) -> str:
        words = [f"#{self.index} {self.kind}"]
        if self.key is not None:
            words.append(f"key {self.key!r}")
        if self.job_id is not None:
            words.append(f"job {self.job_id}")
        if self.name is not None:
            words.append(f"name {self.name!r}")
        if self.error is not None:
            words.append(f"{self.error}: {self.reason}")
        return ", ".join(words)


@attrs.frozen(kw_only=True)
class BatchReport:
    """What a batch came to, or how far it has come. Times are seconds.

    `failures` and `ambiguous_items` hold the first 1,000 each; the counts are exact, and a journal holds every item.
    """

    pulled: int
    """Requests taken from `requests`."""
    succeeded: int
    failed: int
    ambiguous: int
    """Sent, and it could not be found out whether they were accepted."""
    resumed: int
    """Those of `succeeded` that a journal had whole from an earlier run."""
    accepted: int
    """Conversions the service accepted in this run."""
    credits: float
    """Credits spent in this run: the service's own figures where it gives them, else 1 for a success and n + 1 for a
    batch of n addresses."""
    retries: int
    """Submissions that were sent once more: after a failed connection, or after look-up proved that there is no job."""
    refusals: int
    """Times the service asked to wait."""
    elapsed: float
    mean_seconds: Mapping[str, float]
    """How long one item spent, on average, in each stage: ``submit``, ``wait``, ``download``."""
    stopped: str | None
    """Why the batch could not go on; None when nothing stopped it."""
    finished: bool
    """Whether every request has its outcome."""
    failures: tuple[BatchItem, ...]
    """The failed ones, with their reasons."""
    ambiguous_items: tuple[BatchItem, ...]
    """The ambiguous ones, with the names to look them up by."""
    in_flight: tuple[BatchItem, ...]
    """Submitted, and left alone when the batch was stopped or its block was left: their jobs go on at the service, or have
    ended there, and their products were not taken."""

    def to_json(self, *, indent: int | None = 2) -> str:
        """The report as JSON text."""
        return json.dumps(attrs.asdict(self), ensure_ascii=False, indent=indent)

    def __str__(self) -> str:
        stopped = f"Batch stopped: {self.stopped}" if self.stopped else "Batch not finished"
        head = "Batch finished" if self.finished else stopped
        lines = [
            f"{head} after {self.elapsed:.1f} s",
            f"  {self.pulled:,} requests: {self.succeeded:,} succeeded ({self.resumed:,} earlier), {self.failed:,} failed",
            f"  {self.ambiguous:,} ambiguous, {len(self.in_flight):,} left in flight, {self.accepted:,} accepted now",
            f"  {self.credits:g} credits, {self.retries:,} retries, {self.refusals:,} refusals",
        ]
        if self.mean_seconds:
            lines.append("  on average " + ", ".join(f"{stage} {s:.2f} s" for stage, s in self.mean_seconds.items()))
        for title, items, count in (
            ("failed", self.failures, self.failed),
            ("ambiguous", self.ambiguous_items, self.ambiguous),
            ("in flight", self.in_flight, len(self.in_flight)),
        ):
            lines += [f"  {title}: {item}" for item in items[:20]]
            if count > 20:
                lines.append(f"  {title}: and {count - min(20, len(items)):,} more")
        return "\n".join(lines)
