"""Loading for documents: every address checked, resolved, checked again and pinned, within limits of size and time."""

from __future__ import annotations

import asyncio
import base64
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import attrs
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from .policy import AllowList, FetchRefusedError, shown

MAX_BYTES = 32 * 2**20
"""The largest single resource."""
MAX_TOTAL_BYTES = 128 * 2**20
"""All that one conversion may load."""
MAX_REDIRECTS = 10
_TIMEOUT = 20.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; cloudlayer-emulator)", "Accept-Encoding": "gzip, deflate"}


@attrs.frozen(kw_only=True)
class Fetched:
    """A loaded resource."""

    url: str
    """Where it was in the end, after redirects."""
    status: int
    content: bytes = attrs.field(repr=False)
    content_type: str
    """Without parameters, lower case."""
    charset: str | None
    headers: Mapping[str, str] = attrs.field(repr=False)


class FetchFailedError(Exception):
    """A load that was allowed did not work; the message says why."""


@attrs.frozen(kw_only=True)
class Target:
    """The page a URL conversion is of: the one origin that its credentials go to."""

    url: str
    authentication: Mapping[str, str] | None = attrs.field(default=None, repr=False)
    cookies: Sequence[Mapping[str, Any]] = attrs.field(default=(), repr=False)

    def headers_for(self, url: URL, now: float) -> dict[str, str]:
        """Return the credentials to send to an address: none when its origin is not the target's."""
        if url.origin() != URL(self.url).origin():
            return {}
        headers = {}
        if self.authentication is not None:
            login = f"{self.authentication['username']}:{self.authentication['password']}"
            headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in self.cookies if _fits(cookie, url, now))
        if cookies and not any(character in cookies for character in "\r\n\0"):
            headers["Cookie"] = cookies
        return headers


class Fetcher:
    """The one way out to the network, for every engine.

    Args:
        allowed: What may be loaded.
        resolver: Turns names into addresses; the system's own when None.
    """

    def __init__(self, allowed: AllowList, *, resolver: AbstractResolver | None = None) -> None:
        self._allowed = allowed
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the session. The machine's proxy settings are not used: they would undo the address check."""
        resolver = self._resolver or aiohttp.ThreadedResolver()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_CheckedResolver(self._allowed, resolver), use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT, connect=10, sock_connect=10, sock_read=10),
            headers=_HEADERS,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def loads(self, target: Target | None = None) -> Loads:
        """Begin the loads of one conversion."""
        if self._session is None:
            raise RuntimeError("The fetcher was not started.")
        return Loads(self._session, self._allowed, target)


class Loads:
    """What one conversion loads, with a budget of its own."""

    def __init__(self, session: aiohttp.ClientSession, allowed: AllowList, target: Target | None) -> None:
        self._session = session
        self._allowed = allowed
        self._target = target
        self._left = MAX_TOTAL_BYTES

    async def get(self, address: str) -> Fetched:
        """Load an address, following redirects, each checked like the first.

        Raises:
            FetchRefusedError: The policy forbids it, or a place it redirects to.
            FetchFailedError: The server does not answer, or the answer is too large, too slow or unreadable.
        """
        try:
            url = URL(address).with_fragment(None)
        except ValueError as error:
            raise FetchFailedError("The address cannot be read") from error
        try:
            async with asyncio.timeout(_TIMEOUT):
                for _ in range(MAX_REDIRECTS + 1):
                    self._allowed.check(url)
                    answer = await self._get_once(url)
                    if isinstance(answer, Fetched):
                        return answer
                    url = answer
        except TimeoutError as error:
            raise FetchFailedError(f"{shown(url)} did not answer in time") from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _RefusedAddressError):
                raise FetchRefusedError(str(error.os_error)) from error
            raise FetchFailedError(f"{shown(url)} cannot be reached") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise FetchFailedError(f"{shown(url)} cannot be loaded: {type(error).__name__}") from error
        raise FetchFailedError(f"{shown(url)} redirects too often")

    async def _get_once(self, url: URL) -> Fetched | URL:
        headers = self._target.headers_for(url, time.time()) if self._target is not None else {}
        async with self._session.get(url, allow_redirects=False, headers=headers) as response:
            location = response.headers.get("Location")
            if response.status in _REDIRECTS and location:
                return url.join(URL(location)).with_fragment(None)
            content = bytearray()
            async for chunk in response.content.iter_chunked(2**16):
                self._left -= len(chunk)
                content += chunk
                if len(content) > MAX_BYTES or self._left < 0:
                    raise FetchFailedError(f"{shown(url)} is too large")
            return Fetched(
                url=str(url),
                status=response.status,
                content=bytes(content),
                content_type=response.content_type.lower(),
                charset=response.charset,
                headers=dict(response.headers),
            )


class _RefusedAddressError(OSError):
    """Carries a refusal through the connector, which knows only OSError."""


class _CheckedResolver(AbstractResolver):
    def __init__(self, allowed: AllowList, inner: AbstractResolver) -> None:
        self._allowed = allowed
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        try:
            # The connector goes to exactly these addresses, so what is checked here is what is asked.
            self._allowed.check_resolved(host, [entry["host"] for entry in found])
        except FetchRefusedError as error:
            raise _RefusedAddressError(str(error)) from error
        return found

    async def close(self) -> None:
        await self._inner.close()


def _fits(cookie: Mapping[str, Any], url: URL, now: float) -> bool:
    """Whether a cookie belongs to an address (RFC 6265, section 5.4), without a jar's storage."""
    host, path = (url.host or "").lower(), url.path
    home = URL(cookie["url"]) if cookie.get("url") else None
    if home is not None and home.host != url.host:
        return False
    domain = str(cookie.get("domain") or "").lower().lstrip(".")
    if domain and host != domain and not host.endswith("." + domain):
        return False
    root = str(cookie.get("path") or "/")
    if path != root and not path.startswith(root if root.endswith("/") else root + "/"):
        return False
    expires = cookie.get("expires")
    if isinstance(expires, (int, float)) and 0 < expires <= now:
        return False
    return url.scheme == "https" or not cookie.get("secure")
