"""The event loop under a blocking client: uvloop's where that is installed, and asyncio's."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
from functools import partial
from typing import Any


def new_loop() -> asyncio.AbstractEventLoop:
    """A loop for a thread of our own."""
    if importlib.util.find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    import uvloop

    class Loop(uvloop.Loop):
        """One that stays out of libuv's pool of threads, and looks names up in Python's, as asyncio's loops do.

        That pool does not survive a fork: at the exit of a child, libuv joins threads that only the parent has, which ends
        the child with a segmentation fault, after its work is done. Nothing but looking up names would use it here.
        """

        async def getaddrinfo(self, host: Any, port: Any, **hints: int) -> Any:
            return await self.run_in_executor(None, partial(socket.getaddrinfo, host, port, **hints))

    return Loop()
