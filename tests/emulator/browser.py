"""A headless Chromium, driven over its DevTools protocol: just what tests of a page need."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

_PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_PATIENCE = 20.0


def program(*names: str) -> str | None:
    """The browser there is; `names` instead of any."""
    return next((found for name in names or _PROGRAMS if (found := shutil.which(name))), None)


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._session = ""
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.create_task(self._read())
        self.complaints: list[str] = []
        """Exceptions in scripts, refusals of the Content Security Policy, failed requests: whatever the console says."""
        self.requests: list[str] = []
        """Addresses that were asked for."""

    async def start(self) -> None:
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")

    async def close(self) -> None:
        with contextlib.suppress(Exception):
            self._session = ""
            await self.call("Browser.close")
        self._reading.cancel()

    async def call(self, method: str, **params: Any) -> Any:
        number = len(self._answers) + 1
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        await self._socket.send_json(message)
        return await asyncio.wait_for(answer, _PATIENCE)

    async def goto(self, address: str) -> None:
        await self.call("Page.navigate", url=address)
        await self.until("document.readyState === 'complete'")

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        told = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            details = told["exceptionDetails"]
            raise AssertionError(details.get("exception", {}).get("description") or details["text"])
        return told["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until a JavaScript condition holds; fails after some seconds."""
        loop = (
            f"new Promise((resolve, reject) => {{ const end = Date.now() + {int(_PATIENCE * 900)};"
            f"const look = () => {{ let held = false; try {{ held = ({condition}); }} catch {{}}"
            "if (held) resolve(true); else if (Date.now() > end) reject(new Error('It did not come to that'));"
            "else setTimeout(look, 15); }; look(); })"
        )
        try:
            await self.evaluate(loop)
        except AssertionError as error:
            if "navigat" not in str(error) and "destroyed" not in str(error):
                raise AssertionError(f"{condition}: {error}") from None
            await self.until(condition)  # the page was replaced meanwhile

    async def text(self, selector: str) -> str:
        """What an element shows."""
        return str(await self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    async def press(self, key: str, **more: Any) -> None:
        """A key, as a keyboard sends it."""
        codes = {"Tab": 9, "Enter": 13, "ArrowDown": 40, "ArrowUp": 38, "ArrowRight": 39, "ArrowLeft": 37}
        event = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key], **more}
        text = {"text": "\r"} if key == "Enter" else {}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **event, **text)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    async def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode((await self.call("Page.captureScreenshot"))["data"]))

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                answer = self._answers[told["id"]]
                if answer.done():
                    continue
                if "error" in told:
                    answer.set_exception(AssertionError(told["error"]["message"]))
                else:
                    answer.set_result(told["result"])
            elif told["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(told["params"]["exceptionDetails"]))
            elif told["method"] == "Log.entryAdded":
                self.complaints.append(str(told["params"]["entry"]))
            elif told["method"] == "Network.requestWillBeSent":
                self.requests.append(told["params"]["request"]["url"])


@contextlib.asynccontextmanager
async def browser(command: str, width: int = 1360, height: int = 860, *arguments: str) -> AsyncIterator[Page]:
    """A browser with one tab, in a profile of its own."""
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            command,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            *arguments,
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "TMPDIR": profile},  # it is killed, and leaves things lying about
            start_new_session=True,
        )
        try:
            address = await asyncio.wait_for(_address(process), _PATIENCE)
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(address, max_msg_size=0) as socket,
            ):
                page = Page(socket)
                try:
                    await page.start()
                    yield page
                finally:
                    await page.close()
        finally:
            # Its own session, so this ends the browser's children too, and nothing else.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        found = re.search(rb"DevTools listening on (ws://\S+)", line)
        if found:
            return found[1].decode()
    raise AssertionError("The browser ended before it could be driven")
