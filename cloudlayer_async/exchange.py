"""One request and its reply over a session of ours, by the shortest way.

A sixth of the CPU of a call goes into what `aiohttp.ClientSession.request` does for everybody: default headers, cookies,
.netrc, proxies, redirects, traces, timers. A session of ours has none of these, and its parts do as well without: its
connector lends a connection, aiohttp's request is sent over it, its reply is read. In a batch of small jobs that is 70
microseconds of CPU for each of them, of some 480 (`benchmarks/batch.py`).

Whatever is not as plain goes aiohttp's own way: a session with traces, a proxy, other methods than GET and POST, uploads,
redirects, an aiohttp that was not tested here, and a `ClientSession` whose sending was replaced by a mock, a recorder or a
monitor, which are to see every request. Errors are the same on both ways, and so is what is sent: the tests of the
transport run over both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from inspect import signature
from types import FunctionType
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.payload import Payload
from yarl import URL

_TESTED: Final = ("3.13.", "3.14.")
"""Versions of aiohttp whose parts are known to work together as they are used here."""
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 10
"""As many as aiohttp follows."""
_SESSION: Final = aiohttp.ClientSession


def _senders() -> tuple[object, ...]:
    return _SESSION._request, _SESSION.request, _SESSION.get


def _parts_fit() -> bool:
    """Whether aiohttp's parts take what they are given here: a patch release may change what it does not document."""
    try:
        signature(aiohttp.ClientRequest).bind("GET", URL(), headers={}, data=None, loop=None, session=None)
        signature(aiohttp.TCPConnector.connect).bind(None, None, traces=[], timeout=None)
        signature(ResponseHandler.set_response_params).bind(None, read_until_eof=True, read_timeout=None)
        signature(aiohttp.ClientRequest.send).bind(None, None)
        signature(aiohttp.ClientResponse.start).bind(None, None)
    except (TypeError, AttributeError):
        return False
    return True


_OF_AIOHTTP: Final = _senders()
_IS_KNOWN: Final = (
    aiohttp.__version__.startswith(_TESTED)
    and all(isinstance(sender, FunctionType) and sender.__module__ == "aiohttp.client" for sender in _OF_AIOHTTP)
    and _parts_fit()
)


def can_be_direct(session: Any) -> bool:
    """Whether a session that was made here may be used as a `DirectSession`: it has nothing that every request gets.

    It is asked, although we made it: others may have put settings into the constructor, or a mock into the class's place.
    """
    return (
        _IS_KNOWN
        and type(session) is _SESSION
        and isinstance(session.cookie_jar, aiohttp.DummyCookieJar)
        and not (session.trace_configs or session.headers or session.auth or session.trust_env)
        and not (getattr(session, "_default_proxy", None) or getattr(session, "_middlewares", ()))
    )


class _Headers:
    """Headers that do not show their key where an error tracker writes down what each function had in hand."""

    __slots__ = ("_named",)

    def __init__(self, named: Mapping[str, str]) -> None:
        self._named = named

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._named.items())


class DirectSession:
    """As much of a session as calls and downloads need: `request` and `get`, without detours.

    Args:
        session: The session, of which it uses the connections; made in the running loop. It stays the caller's to close.
    """

    auto_decompress: Final = True

    def __init__(self, session: aiohttp.ClientSession) -> None:
        assert session.connector is not None
        self._session = session
        self._connector = session.connector
        self._loop = asyncio.get_running_loop()

    def request(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,
        data: Payload | None = None,
        allow_redirects: bool = True,
        raise_for_status: bool = False,
        proxy: str | None = None,
    ) -> Awaitable[aiohttp.ClientResponse]:
        """Sends a request and waits for its reply's head; arguments, result and errors are `ClientSession.request`'s."""
        if not allow_redirects and proxy is None and _is_plain(url):
            if method == "GET" and data is None:
                return self._read(url, _Headers(headers), timeout)
            if method == "POST" and not isinstance(data, aiohttp.MultipartWriter):
                return self._sent(self._made(method, url, _Headers(headers), data), timeout)
        return self._session.request(
            method,
            url,
            headers=headers,
            timeout=timeout,
            data=data,
            allow_redirects=allow_redirects,
            raise_for_status=raise_for_status,
            proxy=proxy,
        )

    def get(
        self,
        url: URL,
        *,
        headers: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,
        raise_for_status: bool = False,
        proxy: str | None = None,
    ) -> Awaitable[aiohttp.ClientResponse]:
        """`ClientSession.get`: it follows redirects, so nothing secret may be in the headers."""
        if proxy is None and _is_plain(url):
            return self._followed(url, headers, timeout)
        return self._session.get(url, headers=headers, timeout=timeout, raise_for_status=raise_for_status, proxy=proxy)

    async def _followed(
        self, url: URL, headers: Mapping[str, str], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        response = await self._read(url, _Headers(headers), timeout)
        if response.status not in _REDIRECTS:
            return response
        target = response.headers.get("Location") or response.headers.get("URI")
        if not target:
            return response
        response.release()
        # From here on aiohttp follows: it knows where a redirect may lead.
        return await self._session.get(
            url.join(URL(target)),
            headers=headers,
            timeout=timeout,
            max_redirects=_MOST_REDIRECTS - 1,
            raise_for_status=False,
        )

    async def _read(self, url: URL, headers: _Headers, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        try:
            return await self._sent(self._made("GET", url, headers), timeout)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            pass
        # The server had closed a connection that was kept: a read is sent once more (RFC 9112 section 9.3.1).
        return await self._sent(self._made("GET", url, headers), timeout)

    def _made(self, method: str, url: URL, headers: _Headers, data: Payload | None = None) -> aiohttp.ClientRequest:
        return aiohttp.ClientRequest(method, url, headers=headers, data=data, loop=self._loop, session=self._session)

    async def _sent(self, request: aiohttp.ClientRequest, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        try:
            connection = await self._connector.connect(request, traces=[], timeout=timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {request.url}") from error
        try:
            assert connection.protocol is not None
            connection.protocol.set_response_params(read_until_eof=True, read_timeout=timeout.sock_read)
            response = await request.send(connection)
            try:
                await response.start(connection)
            except BaseException:
                response.close()
                raise
        except BaseException:
            connection.close()
            raise
        return response


def _is_plain(url: URL) -> bool:
    """Whether nothing in an address wants looking after, and nobody wants to see requests."""
    return url.scheme in ("http", "https") and url.raw_user is None and _senders() == _OF_AIOHTTP
