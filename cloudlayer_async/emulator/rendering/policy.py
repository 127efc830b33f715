"""What a document may load: the allow list, and which addresses a name may stand for. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

import attrs
from yarl import URL

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class FetchRefusedError(Exception):
    """The policy forbids a load; the message says why, without query strings or passwords."""


@attrs.frozen
class _Entry:
    host: str
    port: int | None


class AllowList:
    """The hosts that documents may load from; nothing else is ever asked for.

    Args:
        entries: ``host`` (any port) or ``host:port``. A literal address, or ``localhost``, is explicit permission
            for a private address; a name is not.

    Raises:
        ValueError: An entry is neither.
    """

    def __init__(self, entries: Collection[str] = ()) -> None:
        self._entries = frozenset(_entry(text) for text in entries)

    def check(self, url: URL) -> None:
        """Check an address as written, before any name is resolved.

        Raises:
            FetchRefusedError: Its scheme, form or host is not allowed.
        """
        if url.scheme not in ("http", "https"):
            raise FetchRefusedError(f"{url.scheme or 'relative'}: addresses are never loaded")
        host = _normal(url.host or "")
        if not host:
            raise FetchRefusedError("An address without a host is never loaded")
        if url.user is not None or url.password is not None:
            raise FetchRefusedError(f"{shown(url)}: addresses with a user name are not loaded")
        if _Entry(host, None) not in self._entries and _Entry(host, url.port) not in self._entries:
            raise FetchRefusedError(f"{shown(url)}: the host is not on the allow list")

    def check_resolved(self, host: str, addresses: Collection[str]) -> None:
        """Check what a host's name stands for; all its addresses must be fit to be asked.

        Raises:
            FetchRefusedError: One is private, and the host is not itself a literal address or ``localhost``.
        """
        normal = _normal(host)
        if _literal(normal) is not None:
            return
        for text in addresses:
            address = _literal(text)
            if normal == "localhost":
                if address is None or not address.is_loopback:
                    raise FetchRefusedError("localhost stands for an address that is not this machine's")
            elif address is None or not _is_public(address):
                raise FetchRefusedError(f"{host} stands for a private address, and those are not loaded from")


def shown(url: URL) -> str:
    """Return an address as logs may show it: no query, no fragment, no user."""
    if url.scheme not in ("http", "https", "ws", "wss") or not url.raw_host:
        return f"{url.scheme}:"
    return str(url.with_user(None).with_query(None).with_fragment(None))


def _entry(text: str) -> _Entry:
    bare = text.strip()
    if _literal(bare) is not None:
        return _Entry(_normal(bare), None)
    try:
        url = URL(f"http://{bare}")
        port = url.explicit_port
    except ValueError as error:
        raise ValueError(f"Not a host or host:port: {text!r}") from error
    if not url.host or url.path not in ("", "/") or "/" in bare or "@" in bare or "?" in bare:
        raise ValueError(f"Not a host or host:port: {text!r}")
    return _Entry(_normal(url.host), port)


def _normal(host: str) -> str:
    literal = _literal(host)
    return str(literal) if literal is not None else host.lower().rstrip(".")


def _literal(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
        if inner:
            return _is_public(inner)
        if address in _NAT64:
            return _is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address.is_global and not address.is_multicast and not address.is_reserved


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
