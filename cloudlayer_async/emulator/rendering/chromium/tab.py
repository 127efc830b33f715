"""One document in a browser: a context of its own, its requests answered by our fetcher, and what it is waiting for."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from yarl import URL

from ..fetching import Fetched, FetchFailedError
from ..job import DOCUMENT_URL, Job, Page
from ..model import RenderError
from ..policy import FetchRefusedError, shown
from .cdp import BrowserGoneError, Connection

# What a server says about its answer's meaning; the rest is about its transport, or would start loads by itself.
_HEADERS = frozenset({"content-type", "content-language", "content-security-policy", "content-disposition"})
_SHARING = "access-control-"
_DISPOSAL = 5.0


class Tab:
    """One document. Made by `open_tab`, which also ends it."""

    def __init__(self, connection: Connection, session_id: str, job: Job, page: Page) -> None:
        self._connection = connection
        self._session = session_id
        self._job = job
        self._page = page
        self._answers: set[asyncio.Task[None]] = set()
        self._known: dict[str, Fetched] = {}
        self._changed = asyncio.Condition()
        self._events: dict[str, set[str]] = {}
        self._failure: RenderError | None = None
        self._main = ""

    @property
    def address(self) -> str:
        """Where the document is, as far as the browser knows."""
        return self._page.url if self._page.is_address else DOCUMENT_URL

    async def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Send a command about this document.

        Raises:
            RenderError: The browser refuses, or is gone.
        """
        return await self._connection.call(method, params, self._session)

    async def prepare(self) -> None:
        """Listen, and put our fetcher in the way of all requests."""
        self._connection.listen(self._session, self._event)
        self._main = (await self.call("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        await asyncio.gather(
            self.call("Page.enable"),
            self.call("Page.setLifecycleEventsEnabled", {"enabled": True}),
            self.call("Fetch.enable", {"patterns": [{"urlPattern": "*"}]}),
            self.call("Inspector.enable"),
        )

    async def go(self) -> None:
        """Go to the document.

        Raises:
            RenderError: It may not or can not be loaded.
        """
        self._events.clear()
        reply = await self.call("Page.navigate", {"url": self.address})
        if self._failure is not None:
            raise self._failure
        if "errorText" in reply:
            raise RenderError(f"The address is not loaded: {shown(URL(self.address))}: {reply['errorText']}")

    async def reached(self, event: str) -> None:
        """Wait until the document is at a point of its life, such as ``load`` or ``networkIdle``.

        Raises:
            RenderError: The page crashes, or the browser.
        """
        await self._until(lambda: event in self._events.get(self._main, ()))

    async def frames_reached(self, event: str | None) -> list[str]:
        """Wait until there is a frame, and all frames are at a point of their life; return their ids.

        Raises:
            RenderError: The page crashes, or the browser.
        """

        def there() -> bool:
            frames = self._frames()
            return bool(frames) and (event is None or all(event in self._events[frame] for frame in frames))

        await self._until(there)
        return self._frames()

    async def evaluate(self, expression: str, *, frame: str | None = None) -> Any:
        """Run JavaScript, wait for its promise, and return its value.

        Raises:
            RenderError: It throws.
        """
        params: dict[str, Any] = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        if frame is not None:
            world = await self.call("Page.createIsolatedWorld", {"frameId": frame})
            params["contextId"] = world["executionContextId"]
        reply = await self.call("Runtime.evaluate", params)
        if "exceptionDetails" in reply:
            details = reply["exceptionDetails"]
            raise RenderError(
                str(details.get("exception", {}).get("description") or details.get("text")).split("\n")[0]
            )
        return reply["result"].get("value")

    async def aclose(self) -> None:
        """Stop answering its requests."""
        self._connection.forget(self._session)
        for answer in self._answers:
            answer.cancel()
        await asyncio.gather(*self._answers, return_exceptions=True)

    def _frames(self) -> list[str]:
        return [frame for frame in self._events if frame != self._main]

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with self._changed:
            while not condition():
                if self._failure is not None:
                    raise self._failure
                await self._changed.wait()

    def _event(self, method: str, params: Mapping[str, Any]) -> None:
        match method:
            case "Fetch.requestPaused":
                self._begin(self._answer(params))
                return
            case "Page.lifecycleEvent":
                names = self._events.setdefault(params["frameId"], set())
                if params["name"] == "init":
                    names.clear()
                names.add(params["name"])
            case "Page.frameAttached":
                self._events.setdefault(params["frameId"], set())
            case "Page.frameDetached":
                if params.get("reason") != "swap":
                    self._events.pop(params["frameId"], None)
            case "Page.javascriptDialogOpening":
                self._begin(self._dismiss(params))
            case "Inspector.targetCrashed":
                self._failure = RenderError("The page crashed")
                self._connection.fail(self._session, self._failure)
            case "Inspector.detached":
                self._failure = BrowserGoneError("Chromium ended while it was drawing")
            case _:
                return
        self._begin(self._tell())

    def _begin(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _dismiss(self, params: Mapping[str, Any]) -> None:
        self._job.notes.add(f"The page opened a dialog ({params.get('type')}), which was closed")
        with contextlib.suppress(RenderError):
            await self.call("Page.handleJavaScriptDialog", {"accept": True})

    async def _answer(self, params: Mapping[str, Any]) -> None:
        """Answer a request of the document from the network as the policy has it, or refuse it."""
        # The request may be gone by the time it is answered: the page left, or the tab is being closed.
        with contextlib.suppress(RenderError):
            fetched = await self._load(params)
            request = {"requestId": params["requestId"]}
            if fetched is None:
                await self.call("Fetch.failRequest", {**request, "errorReason": "BlockedByClient"})
                return
            is_document = params.get("resourceType") == "Document"
            if is_document and URL(fetched.url) != URL(params["request"]["url"]).with_fragment(None):
                self._known[fetched.url] = fetched
                headers = [{"name": "Location", "value": fetched.url}]
                await self.call("Fetch.fulfillRequest", {**request, "responseCode": 302, "responseHeaders": headers})
                return
            await self.call(
                "Fetch.fulfillRequest",
                {
                    **request,
                    "responseCode": fetched.status,
                    "responseHeaders": _handed_on(fetched.headers),
                    "body": base64.b64encode(fetched.content).decode(),
                },
            )

    async def _load(self, params: Mapping[str, Any]) -> Fetched | None:
        request = params["request"]
        address = request["url"].partition("#")[0]
        is_main = params.get("resourceType") == "Document" and params.get("frameId") == self._main
        if not self._page.is_address and address == DOCUMENT_URL:
            return self._own_document()
        if params.get("resourceType") == "Other" and URL(address).path == "/favicon.ico":
            # Asked for by some browsers, by no document; it is not drawn.
            return None
        if request["method"] not in ("GET", "HEAD"):
            self._job.notes.add(f"Not sent: a {request['method']} request to {shown(URL(address))}")
            return None
        if address in self._known:
            return self._known.pop(address)
        if is_main and not self._events.get(self._main, set()) >= {"load"}:
            return await self._main_document(address)
        return await self._job.load(address)

    def _own_document(self) -> Fetched:
        content, kind = self._page.html.encode(), "text/html; charset=utf-8"
        return Fetched(
            url=DOCUMENT_URL,
            status=200,
            content=content,
            content_type="text/html",
            charset="utf-8",
            headers={"Content-Type": kind},
        )

    async def _main_document(self, address: str) -> Fetched | None:
        try:
            fetched = await self._job.loads.get(address)
        except (FetchRefusedError, FetchFailedError) as error:
            self._failure = RenderError(f"The address is not loaded: {error}")
            await self._tell()
            return None
        if fetched.status >= 400:
            self._job.notes.add(f"The page answered {fetched.status}; its error page is drawn")
        return fetched


@asynccontextmanager
async def open_tab(connection: Connection, job: Job, page: Page) -> AsyncIterator[Tab]:
    """Open a document in a context of its own, and end it afterwards with all it stored and all it runs.

    Raises:
        RenderError: The browser is gone.
    """
    context = (await connection.call("Target.createBrowserContext", {"disposeOnDetach": True}))["browserContextId"]
    try:
        await connection.call("Browser.setDownloadBehavior", {"behavior": "deny", "browserContextId": context})
        target = await connection.call("Target.createTarget", {"url": "about:blank", "browserContextId": context})
        attached = await connection.call("Target.attachToTarget", {"targetId": target["targetId"], "flatten": True})
        tab = Tab(connection, attached["sessionId"], job, page)
        try:
            await tab.prepare()
            yield tab
        finally:
            await tab.aclose()
    finally:
        await _dispose(connection, context)


async def _dispose(connection: Connection, context: str) -> None:
    try:
        async with asyncio.timeout(_DISPOSAL):
            await connection.call("Target.disposeBrowserContext", {"browserContextId": context})
    except TimeoutError:
        # A browser that does not even end a document is of no use to the next one.
        await connection.aclose()
    except RenderError:
        return


def _handed_on(headers: Mapping[str, str]) -> list[dict[str, str]]:
    return [
        {"name": name, "value": value}
        for name, value in headers.items()
        if name.lower() in _HEADERS or name.lower().startswith(_SHARING)
    ]
