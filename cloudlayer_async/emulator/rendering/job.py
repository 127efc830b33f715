"""One conversion under way: its limits, its notes and its loads, shared by the steps that make the product."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs
from yarl import URL

from .fetching import Fetched, FetchFailedError, Loads, Target
from .frames import Frame
from .model import RenderError
from .notes import Notes
from .policy import FetchRefusedError, shown
from .pool import WorkerPool

DOCUMENT_URL = "http://document.invalid/"
"""Where a document that came as text pretends to be: a name that stands for nothing, by RFC 2606."""


@attrs.frozen(kw_only=True)
class Page:
    """A document to be drawn."""

    html: str
    url: str = ""
    """Where it is from; the base of its relative addresses."""
    is_address: bool = False
    """Whether the engine itself goes to `url`; there is no `html` then."""
    content: bytes = b""
    """The bytes of a picture, when `content_type` says that it is one."""
    content_type: str = "text/html"


@attrs.define(kw_only=True)
class Job:
    """What every step of a conversion needs."""

    options: Mapping[str, Any]
    is_template: bool
    pool: WorkerPool
    loads: Loads
    target: Target | None
    """The page of a URL conversion."""
    notes: Notes
    deadline: float
    """On the loop's clock."""
    waiting_for: str = ""
    """What a timeout would have waited for in vain."""

    async def work(self, task: str, arguments: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> Frame:
        """Do a step in a worker process, which may load what the policy allows.

        Raises:
            RenderError: It failed.
        """
        limit = max(0.0, self.deadline - asyncio.get_running_loop().time())
        frame = await self.pool.run(task, arguments, blobs, limit=limit, load=self._answer)
        self.notes.extend(frame.head.get("notes", ()))
        return frame

    async def load(self, url: str) -> Fetched | None:
        """Load a part of a document; None, and a note, when that may or can not be."""
        if url.startswith(DOCUMENT_URL):
            path = shown(URL(url)).removeprefix(DOCUMENT_URL)
            self.notes.add(f"Not loaded, the document has no address that this could be relative to: {path}")
            return None
        try:
            fetched = await self.loads.get(url)
        except FetchRefusedError as error:
            self.notes.add(f"Not loaded, {error}")
            return None
        except FetchFailedError as error:
            self.notes.add(f"Not loaded: {error}")
            return None
        if fetched.status >= 400:
            self.notes.add(f"Not loaded: {shown(URL(fetched.url))} answered {fetched.status}")
            return None
        return fetched

    async def load_document(self, url: str) -> Fetched:
        """Load what the conversion is of.

        Raises:
            RenderError: That may or can not be.
        """
        try:
            return await self.loads.get(url)
        except (FetchRefusedError, FetchFailedError) as error:
            raise RenderError(f"The address is not loaded: {error}") from error

    async def _answer(self, url: str) -> Frame:
        fetched = await self.load(url)
        if fetched is None:
            return Frame({})
        return Frame({"content_type": fetched.content_type, "charset": fetched.charset or ""}, (fetched.content,))


class Engine(Protocol):
    """Something that draws documents."""

    name: str
    """With its version."""

    async def start(self) -> None:
        """Make ready.

        Raises:
            RenderError: It is not there or does not work.
        """

    async def aclose(self) -> None:
        """End everything that was started."""

    async def open(self, job: Job, url: str) -> Page:
        """Get the document of a URL conversion."""
        ...

    async def pdf(self, job: Job, page: Page) -> bytes:
        """Draw a PDF as the job's options say."""
        ...

    async def image(self, job: Job, page: Page) -> bytes:
        """Draw a picture as the job's options say, encoded."""
        ...
