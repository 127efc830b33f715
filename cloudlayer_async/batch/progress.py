"""How far a batch has come."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class BatchProgress:
    """A batch at one moment. Times are seconds."""

    total: int | None
    """How many requests there are; None when that cannot be known beforehand."""
    waiting: int
    """Taken from `requests`, not sent yet: their turn has not come, or the service has asked to wait."""
    submitting: int
    """Being sent."""
    pending: int
    """At the service: queued or being rendered."""
    downloading: int
    """Done, and being fetched."""
    ready: int
    """Outcomes that wait to be taken from the batch; they count among the next four, too."""
    succeeded: int
    failed: int
    ambiguous: int
    """Sent, and it cannot be known whether they were accepted."""
    resumed: int
    """Those of `succeeded` that the journal had, so that nothing was done for them."""
    refusals: int
    """Times the service asked to wait."""
    credits: float
    """Credits spent so far, by the service's own figures where it gives them, else as documented."""
    elapsed: float
    rate: float
    """Outcomes a second, over the last ten seconds or so."""
    remaining: float | None
    """An estimate of the seconds still needed; None while there is no ground for one."""
    concurrency: int
    """How many conversions may be under way now."""
    paused: float
    """Seconds for which the service has asked for silence."""
    finished: bool
    """Whether this is the last word."""

    @property
    def done(self) -> int:
        """Requests whose outcome is known."""
        return self.succeeded + self.failed + self.ambiguous

    def __str__(self) -> str:
        of = f"{self.done:,}" if self.total is None else f"{self.done:,} of {self.total:,}"
        # The most wanted first: a narrow terminal cuts the rest off.
        words = [f"{of} done"]
        if self.paused:
            words.append(f"paused for {self.paused:.0f} s")
        if self.remaining is not None and not self.finished:
            words.append(f"{self.remaining:.0f} s left")
        if self.failed:
            words.append(f"{self.failed:,} failed")
        if self.ambiguous:
            words.append(f"{self.ambiguous:,} ambiguous")
        words.append(f"{self.credits:g} credits")
        if not self.finished:
            words += [f"{self.submitting + self.pending + self.downloading:,} under way", f"{self.rate:.1f}/s"]
        return ", ".join(words)
