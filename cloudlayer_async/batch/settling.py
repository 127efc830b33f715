"""Settling a submission of which no answer came: was it accepted, or is there proof that it was not?

Design rule 1. A token that shows up in the list of jobs settles it: the job is ours. That there is *no* job is
proven only by two lists in a row, both asked for after a settle time past the end of the attempt, neither of which
holds the token, and each of which

* reaches back beyond the moment before the intent: it holds a job of this journal that was accepted earlier, or it
  is shorter than a full page, so that it is everything there is (but then it must show one of this journal's jobs, if
  there are any: else tokens do not survive, or it is no list of this account's jobs); and
* holds, down to there, no entry that could be the job with its name cut short, written otherwise or left out. An entry
  without a name counts as somebody else's only where it shows its parameters, and they have none either.

Pages overlap by one entry, so that what lies between two pages is not taken for absent. Where the service shows no
more than one page, what was asked after an intent may push its job out of sight; there, submissions wait while
something is settled.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import anyio
import attrs

from ..errors import CloudlayerError
from ..jobs import shown_names
from ..models import Job
from .identity import Doubt, Tokens

SETTLE_TIME: Final = 2.0
"""Seconds after an attempt's end from which on a list is believed to show its job."""
_LEAST_PAGE: Final = 10
"""A reply shorter than this is shorter than a full page under every reading of the service (contract section 6.5)."""
_ASKED_FOR: Final = 100
_MOST_PAGES: Final = 100
_MOST_WITHOUT_OLDER: Final = 5
"""Pages in a row that show nothing older, before the end of the list is given up: the offset is not heeded."""

ReadPage = Callable[[int | None, int | None], Awaitable[list[Job]]]
"""Reads jobs, newest first: limit and offset, both None for the list as it comes."""


class Verdict(enum.Enum):
    """What one list says of one item that is not in it."""

    ABSENT = enum.auto()
    UNPROVEN = enum.auto()


@attrs.frozen
class Entry:
    """A job in a list, as far as settling goes."""

    number: int | None
    """The item of this journal whose token it carries."""
    name: str | None
    """Empty when it has none; None when it does not show whether it has one."""

    @classmethod
    def of(cls, job: Job, tokens: Tokens) -> Entry:
        """What a job in a list shows: its name, or the one in the parameters that the service echoes."""
        name, echoed = shown_names(job)
        number = tokens.number_in(name)
        if number is None:
            number = tokens.number_in(echoed)
        return cls(number, name or echoed or (None if job.params is None else ""))

    def may_be(self, label: str) -> bool:
        """Whether it may be the job that was submitted under this name."""
        return self.name is None or (self.name != "" and _letters(label).startswith(_letters(self.name)))


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def judge(
    doubt: Doubt, entries: list[Entry], accepted_steps: Mapping[int, int], *, complete: bool, anchored: bool
) -> Verdict:
    """What a list proves of an item whose token is not in it. Pure.

    Args:
        doubt: The item.
        entries: The list, newest first.
        accepted_steps: When the items in it were accepted, in the journal's steps.
        complete: Whether the list is all there is.
        anchored: Whether the journal has jobs that such a list must show.
    """
    for entry in entries:
        if entry.number is not None:
            step = accepted_steps.get(entry.number)
            if step is not None and step < doubt.intent_step:
                return Verdict.ABSENT
        elif entry.may_be(doubt.label):
            return Verdict.UNPROVEN
    shows_ours = any(entry.number is not None for entry in entries)
    return Verdict.ABSENT if complete and (shows_ours or not anchored) else Verdict.UNPROVEN


@attrs.define(eq=False)
class _Listing:
    """The jobs that were listed at one time."""

    turn: int
    entries: list[Entry] = attrs.field(factory=list)
    jobs: dict[int, Job] = attrs.field(factory=dict)
    """Jobs of those in doubt, by item."""
    accepted_steps: dict[int, int] = attrs.field(factory=dict)
    complete: bool = False
    anchored: bool = False
    """Whether the journal had jobs when it was asked for."""
    error: CloudlayerError | None = None


class Settlement:
    """Settles the doubts of one batch; lists asked for at the same time are shared.

    Args:
        read_page: Reads the list of jobs.
        accepted_steps: Asks the journal when items were accepted.
        anchored: Tells whether any were.
        tokens: The journal's marks.
        settle_time: Seconds; see `SETTLE_TIME`.
    """

    def __init__(
        self,
        read_page: ReadPage,
        accepted_steps: Callable[[list[int]], Awaitable[Mapping[int, int]]],
        anchored: Callable[[], bool],
        tokens: Tokens,
        settle_time: float = SETTLE_TIME,
    ) -> None:
        self._read_page = read_page
        self._accepted_steps = accepted_steps
        self._anchored = anchored
        self._tokens = tokens
        self._settle_time = settle_time
        self._doubts: dict[Doubt, None] = {}
        self._lock = anyio.Lock()
        self._turns = 0
        self._latest: _Listing | None = None
        self._deep = False
        """Whether the service was seen to show more than one page."""
        self._clear = anyio.Event()
        self._clear.set()

    async def clear(self) -> None:
        """Waits while a submission could push a job that is being looked for out of sight."""
        await self._clear.wait()

    async def settle(self, doubt: Doubt) -> Job | Verdict:
        """The job, when there is one; else whether it is proven that there is none.

        Called when the attempt has ended (or, for one of an earlier run, when the journal is open).

        Raises:
            CloudlayerError: The list of jobs cannot be had.
        """
        self._doubts[doubt] = None
        self._set_clear()
        try:
            ended = anyio.current_time()
            if (job := (await self._list()).jobs.get(doubt.number)) is not None:
                return job
            await anyio.sleep_until(ended + self._settle_time)
            for look in range(2):
                if look:
                    # Another moment, so that no cache on the way answers both.
                    await anyio.sleep(self._settle_time / 2)
                listing = await self._list()
                if (job := listing.jobs.get(doubt.number)) is not None:
                    return job
                verdict = judge(
                    doubt,
                    listing.entries,
                    listing.accepted_steps,
                    complete=listing.complete,
                    anchored=listing.anchored,
                )
                if verdict is Verdict.UNPROVEN:
                    return verdict
            return Verdict.ABSENT
        finally:
            del self._doubts[doubt]
            self._set_clear()

    def _set_clear(self) -> None:
        if not self._doubts or self._deep:
            self._clear.set()
        elif self._clear.is_set():
            self._clear = anyio.Event()

    async def _list(self) -> _Listing:
        """A list that was asked for after this call, shared with all who ask meanwhile."""
        asked = self._turns
        async with self._lock:
            listing = self._latest
            if listing is None or listing.turn <= asked:
                self._turns += 1
                listing = _Listing(turn=self._turns, anchored=self._anchored())
                try:
                    await self._fill(listing)
                except CloudlayerError as error:
                    listing.error = error
                self._latest = listing
                self._set_clear()
        if listing.error is not None:
            raise listing.error
        return listing

    async def _fill(self, listing: _Listing) -> None:
        earliest = min(doubt.intent_step for doubt in self._doubts)
        wanted = {doubt.number for doubt in self._doubts}
        seen: set[str] = set()
        offset = longest = without_older = 0
        for page_number in range(_MOST_PAGES):
            page = await (self._read_page(_ASKED_FOR, offset) if page_number else self._read_page(None, None))
            shown = [Entry.of(job, self._tokens) for job in page]
            listing.jobs.update(
                (entry.number, job)
                for entry, job in zip(shown, page, strict=True)
                if entry.number in wanted and entry.number
            )
            known = max((place for place, job in enumerate(page) if job.id in seen), default=-1)
            if page_number and known < 0:
                return  # what lies between this page and the last one is unknown
            # What is new above the known ones came while we read, or the offset was not heeded.
            older = page[known + 1 :]
            seen.update(job.id for job in older)
            entries = shown[known + 1 :]
            listing.entries += entries
            numbers = [entry.number for entry in entries if entry.number is not None]
            listing.accepted_steps.update(await self._accepted_steps(numbers) if numbers else {})
            if (page_number and older) or len(page) > _ASKED_FOR:
                self._deep = True
            # A page that was not full and ends with the oldest known entry ends the list, however many came above it.
            at_the_end = page_number > 1 and not older and len(page) < longest
            if len(page) < _LEAST_PAGE or at_the_end:
                listing.complete = True
                return
            reached = any(step < earliest for step in listing.accepted_steps.values())
            if (reached or wanted <= listing.jobs.keys()) and (self._deep or page_number):
                return
            without_older = 0 if older else without_older + 1
            if without_older == _MOST_WITHOUT_OLDER:
                return
            longest = max(longest, len(page) if page_number else 0)
            offset += len(page) - 1
