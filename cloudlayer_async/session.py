"""One aiohttp session for a client and its siblings: made late, tied to a loop, with gates before it."""

from __future__ import annotations

import asyncio
import random
import ssl as ssl_module
import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from .deadlines import Deadlines, Limit
from .errors import ConfigError
from .exchange import DirectSession, can_be_direct
from .gate import Gate
from .models import Limits
from .polling import Pace
from .redaction import shown
from .validation import is_loopback

_FOR_THE_API: Final = ("x-api-key", "authorization", "proxy-authorization", "cookie")
"""Headers that must not reach the origin of assets."""


class SharedSession:
    """One aiohttp session, made when first used inside the running loop, and the gates before it.

    Args:
        max_connections: Calls to the API at one time. Downloads have a gate of the same size of their own, so that neither
            keeps the other waiting.
        session: A session of the caller, used and never closed.
        proxy: The proxy's address; without one the environment's proxy settings count.
        ssl: A context with private certificates, or False to check none.
        trace_configs: aiohttp's own tracing.

    Raises:
        ConfigError: A value cannot be used.
    """

    def __init__(
        self,
        *,
        max_connections: int,
        session: aiohttp.ClientSession | None = None,
        proxy: str | None = None,
        ssl: ssl_module.SSLContext | bool = True,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        if not isinstance(ssl, (ssl_module.SSLContext, bool)):
            raise ConfigError(f"ssl must be an ssl.SSLContext, True or False, not {shown(ssl)}")
        self._max_connections = max_connections
        self._borrowed = session is not None
        self._session = session
        self._proxy = None if proxy is None else _checked_proxy(proxy, "proxy")
        self._ssl = ssl
        self._trace_configs = list(trace_configs)
        self._options: dict[tuple[str, str], dict[str, Any]] = {}
        """What `request_options` has found for each origin that was called."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._direct: DirectSession | None = None
        """The session of ours, where it can be used so."""
        self._for_downloads: aiohttp.ClientSession | None = None
        self._stale: list[aiohttp.ClientSession] = []
        """Sessions left by loops that ended without closing them."""
        self.api_gate = Gate(max_connections)
        self.download_gate = Gate(max_connections)
        self.pace = Pace(clock=time.monotonic, sleep=asyncio.sleep, random=random.random)
        self.deadlines: Deadlines
        """Those of the loop; there is none before `enter`."""
        self.limits: Limits | None = None
        self.calls_under_way = 0
        """Calls to the API that were sent and not answered."""

    @property
    def closed(self) -> bool:
        """Whether the client was closed."""
        return self._closed

    def enter(self) -> None:
        """Ties the session to the running loop, or moves it there from a loop that has ended.

        Raises:
            ConfigError: The client is closed, or another loop that is still running uses it.
        """
        if self._closed:
            raise ConfigError("this client is closed: make a new one, or keep it open with `async with`")
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        if self._borrowed and getattr(self._session, "_loop", loop) is not loop:
            raise ConfigError("the borrowed session belongs to another event loop: give one that was made in this loop")
        if self._loop is not None:
            if self._loop.is_running():
                raise ConfigError("this client is in use on another running event loop: make one client for each loop")
            if self._session is not None and not self._borrowed:
                self._stale.append(self._session)
                self._session = self._direct = None
            self.pace.abandon()
            self.calls_under_way = 0
        self._loop = loop
        self.api_gate = Gate(self._max_connections)
        self.download_gate = Gate(self._max_connections)
        self.deadlines = Deadlines(loop)

    def open(self) -> aiohttp.ClientSession | DirectSession:
        """The session, made now, inside the running loop, if there is none. After `enter`."""
        if self._closed or self._loop is None:
            self.enter()
        if self._stale:
            self._drop_stale()
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=0, ssl=self._ssl),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=self._trace_configs or None,
            )
            self._direct = DirectSession(self._session) if can_be_direct(self._session) else None
        elif self._borrowed and self._session.closed:
            raise ConfigError("the borrowed session is closed")
        return self._direct or self._session

    def open_for_downloads(self) -> aiohttp.ClientSession | DirectSession:
        """The session; or, where a borrowed one has headers for the API of its own, one on its connections without them."""
        session = self.open()
        if isinstance(session, DirectSession) or not self._borrowed:
            return session
        harmless = {name: value for name, value in session.headers.items() if name.lower() not in _FOR_THE_API}
        if session.auth is None and len(harmless) == len(session.headers):
            return session
        if self._for_downloads is None:
            proxy = getattr(session, "_default_proxy", None)
            self._for_downloads = aiohttp.ClientSession(
                connector=session.connector,
                connector_owner=False,
                headers=harmless,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=session.trust_env,
                trace_configs=session.trace_configs,
                auto_decompress=session.auto_decompress,
                **({} if proxy is None else {"proxy": proxy}),
            )
        return self._for_downloads

    def request_options(self, url: URL) -> dict[str, Any]:
        """What every request carries besides its own: the proxy, and no surprises from a borrowed session's settings."""
        place = url.scheme, url.raw_authority
        options = self._options.get(place)
        if options is None:
            # Instead of aiohttp's trust_env, which asks two threads for every request and also reads passwords in .netrc.
            proxy = self._proxy or (None if self._borrowed else _environment_proxy(url.origin()))
            options = {"raise_for_status": False} if proxy is None else {"raise_for_status": False, "proxy": proxy}
            self._options[place] = options
        return options

    def _drop_stale(self) -> None:
        while self._stale:
            session = self._stale.pop()
            if (connector := session.connector) is not None:
                # Not their own close(), which would wait in a loop that is gone; this only lets go of sockets.
                session.detach()
                connector._close()

    async def release(self) -> None:
        """Closes a session of ours because its loop is about to end. A call in another loop makes another one."""
        if self._loop is not None:
            self.deadlines.close()
        if not self._borrowed and self._session is not None:
            session, self._session, self._direct = self._session, None, None
            await session.close()

    async def aclose(self) -> None:
        """Closes the session, unless it is borrowed. Doing so twice is fine."""
        if self._closed:
            return
        self._closed = True
        if self._loop is not None:
            self.deadlines.close()
        session, self._session, self._direct = self._session, None, None
        if self._for_downloads is not None:
            await self._for_downloads.close()
        if self._borrowed:
            return
        if session is not None and self._loop is not asyncio.get_running_loop():
            self._stale.append(session)
            session = None
        self._drop_stale()
        if session is not None:
            await session.close()


class Download:
    """A product under way, which occupies a place among the downloads until it is closed.

    Args:
        response: Its response.
        shared: The session with the place.
        silence: Seconds to wait for each piece.
    """

    def __init__(self, response: aiohttp.ClientResponse, shared: SharedSession, silence: float) -> None:
        self.response = response
        self._gate = shared.download_gate
        self._deadlines = shared.deadlines
        self._silence = silence

    def patience(self) -> Limit:
        """The time limit for the next piece."""
        return self._deadlines.within(self._silence)

    def close(self) -> None:
        """Gives the place free. One that was not read to its end closes its connection: nobody wants the rest of 200 MB."""
        if not self.response.closed:
            self.response.close()
        self._gate.release()


def _environment_proxy(origin: URL) -> str | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY (also in lower case) name for an origin."""
    if is_loopback(origin.host or ""):
        return None  # an emulator; and plain http to a proxy would show it the key
    proxies = getproxies()
    proxy = proxies.get(origin.scheme) or proxies.get("all")
    if proxy is None or proxy_bypass(f"{origin.host}:{origin.port}"):
        return None
    return _checked_proxy(proxy, "the environment's proxy")


def _checked_proxy(address: object, name: str) -> str:
    """A proxy's address, its scheme added where it has none, as is usual in the environment.

    Raises:
        ConfigError: It is none that aiohttp can use. The address, which may hold a password, is not shown.
    """
    text = str(address) if isinstance(address, (str, URL)) else ""
    try:
        url = URL(text if "://" in text else f"http://{text}")
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(f"{name} must be an http or https address (aiohttp knows no SOCKS)")
    return str(url)
