"""The DevTools protocol over one websocket: commands, their replies, and events by session."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from ..model import RenderError

Event = Callable[[str, Mapping[str, Any]], None]


class BrowserGoneError(RenderError):
    """The browser ended, or the connection to it."""


class ProtocolError(RenderError):
    """The browser refused a command; the message is its own."""


class Connection:
    """A connection to a browser. Ends, and fails all that waits, when the browser does."""

    def __init__(self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._session = session
        self._socket = socket
        self._number = 0
        self._waiting: dict[int, tuple[str | None, asyncio.Future[Mapping[str, Any]]]] = {}
        self._listeners: dict[str, Event] = {}
        self._reader = asyncio.ensure_future(self._read())

    @classmethod
    async def open(cls, address: str) -> Connection:
        """Connect to the websocket that the browser names when it starts.

        Raises:
            BrowserGoneError: It does not answer.
        """
        session = aiohttp.ClientSession(trust_env=False)
        try:
            # A product comes as one message, however large.
            socket = await session.ws_connect(address, max_msg_size=0)
        except (aiohttp.ClientError, OSError) as error:
            await session.close()
            raise BrowserGoneError("Chromium does not answer") from error
        except BaseException:
            await session.close()
            raise
        return cls(session, socket)

    @property
    def is_open(self) -> bool:
        """Whether the browser can still be spoken to."""
        return not self._reader.done()

    def listen(self, session_id: str, listener: Event) -> None:
        """Have the events of a session told to a function, one after the other."""
        self._listeners[session_id] = listener

    def fail(self, session_id: str, error: RenderError) -> None:
        """End a session's commands with an error: its page crashed, and nothing will reply."""
        for owner, reply in self._waiting.values():
            if owner == session_id and not reply.done():
                reply.set_exception(error)

    def forget(self, session_id: str) -> None:
        """Tell a session's events to nobody."""
        self._listeners.pop(session_id, None)

    async def call(self, method: str, params: Mapping[str, Any] | None = None, session_id: str | None = None) -> Any:
        """Send a command and return its result.

        Raises:
            ProtocolError: The browser refuses it.
            BrowserGoneError: The browser ends before it replies.
        """
        if not self.is_open:
            raise BrowserGoneError("Chromium ended")
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": params or {}}
        if session_id is not None:
            message["sessionId"] = session_id
        reply: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = session_id, reply
        try:
            await self._socket.send_str(json.dumps(message))
            answer = await reply
        except ConnectionError as error:
            raise BrowserGoneError("Chromium ended") from error
        finally:
            self._waiting.pop(number, None)
            if reply.done() and not reply.cancelled():
                # Looked at here, so that a failure nobody awaited any more is not reported as lost.
                reply.exception()
        if "error" in answer:
            raise ProtocolError(str(answer["error"].get("message", "Chromium refused a command")))
        return answer.get("result", {})

    async def aclose(self) -> None:
        """Close the connection; what waits fails."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self._socket.close()
        await self._session.close()

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(json.loads(message.data))
        finally:
            for _, reply in self._waiting.values():
                if not reply.done():
                    reply.set_exception(BrowserGoneError("Chromium ended while it was drawing"))
            for listener in tuple(self._listeners.values()):
                listener("Inspector.detached", {})

    def _take(self, message: Mapping[str, Any]) -> None:
        if "id" in message:
            _, reply = self._waiting.get(message["id"], (None, None))
            if reply is not None and not reply.done():
                reply.set_result(message)
        elif (listener := self._listeners.get(message.get("sessionId", ""))) is not None:
            listener(message["method"], message.get("params", {}))
