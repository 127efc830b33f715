"""The browser process: started without any way out to the network, and ended with all it started."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import tempfile

from .. import processes
from ..model import RenderError
from .cdp import Connection

logger = logging.getLogger(__name__)

_START_TIMEOUT = 30.0
_ADDRESS = re.compile(rb"DevTools listening on (ws://\S+)")
# Interception alone stops neither websockets, prefetches, popups nor WebRTC. A proxy that is not there does; its
# bypass list must be told not to spare this machine.
_ISOLATION = (
    "--proxy-server=http://127.0.0.1:1",
    "--proxy-bypass-list=<-loopback>",
    # One switch, two names: the headless shell's and the whole browser's.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
)
_FLAGS = (
    "--headless",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    # A frame of another site would be a target of its own, whose requests nobody intercepts.
    "--disable-site-isolation-trials",
    "--disable-features=IsolateOrigins,site-per-process,Translate,DialMediaRouteProvider",
    "--hide-scrollbars",
    "--metrics-recording-only",
    "--mute-audio",
    "--password-store=basic",
    "--use-mock-keychain",
)


class Browser:
    """A running browser; `start` makes one."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        connection: Connection,
        folder: tempfile.TemporaryDirectory[str],
        log: asyncio.Future[None],
        version: str,
    ) -> None:
        self._process = process
        self._folder = folder
        self._log = log
        self.connection = connection
        self.version = version

    @classmethod
    async def start(cls, program: str) -> Browser:
        """Start a browser.

        Args:
            program: Its path.

        Raises:
            RenderError: It does not start; says what it wrote last.
        """
        folder = tempfile.TemporaryDirectory(prefix="cloudlayer-chromium-", ignore_cleanup_errors=True)
        process = await processes.start(
            program,
            *_FLAGS,
            *_ISOLATION,
            *(["--no-sandbox"] if _is_root() else []),
            f"--user-data-dir={folder.name}",
            "about:blank",
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                address = await _address(process.stderr)
                connection = await Connection.open(address)
        except TimeoutError as error:
            await processes.end(process)
            folder.cleanup()
            raise RenderError(f"Chromium does not start within {_START_TIMEOUT:g} s") from error
        except BaseException:
            await processes.end(process)
            folder.cleanup()
            raise
        log = asyncio.ensure_future(_drain(process.stderr))
        browser = cls(process, connection, folder, log, "")
        try:
            browser.version = (await connection.call("Browser.getVersion"))["product"]
        except BaseException:
            await browser.aclose()
            raise
        return browser

    async def aclose(self) -> None:
        """Kill the browser and what it started; remove its profile."""
        await self.connection.aclose()
        await processes.end(self._process)
        await self._log
        self._folder.cleanup()


async def _address(errors: asyncio.StreamReader) -> str:
    said = b""
    while block := await errors.read(2**16):
        said += block
        if match := _ADDRESS.search(said):
            return match[1].decode()
    last = said.decode("utf-8", "replace").strip().splitlines()[-3:]
    raise RenderError(f"Chromium does not start: {' / '.join(last) or 'it says nothing'}")


async def _drain(errors: asyncio.StreamReader) -> None:
    # Never left unread: a browser whose standard error is full stands still.
    while block := await errors.read(2**16):
        logger.debug("Chromium: %s", block.decode("utf-8", "replace").rstrip())


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
