"""Reading a reply as far as it comes, and what an attempt came to."""

from __future__ import annotations

import asyncio
import re
import tempfile
from contextlib import suppress
from functools import partial
from typing import BinaryIO, Final, cast

import aiohttp
import attrs

from .deadlines import Limit
from .protocol import CallKind, HttpCall, Reply, is_json
from .redaction import Secret, in_words, redacted, shown_headers
from .retry import Fault

_MEMORY_LIMIT: Final = 8 * 1024 * 1024
"""A product up to this size stays in memory (design section 4)."""
_JSON_LIMIT: Final = 64 * 1024 * 1024
_ERROR_LIMIT: Final = 64 * 1024


@attrs.define(kw_only=True, eq=False)
class Outcome:
    """What one attempt came to: a reply, or a fault in words."""

    reply: Reply | None = None
    fault: Fault | None = None
    reason: str = ""
    timed_out: bool = False
    unreadable: bool = False
    """A successful status came, and its body broke off or was too much."""
    key: Secret
    """The key that was sent."""


async def receive(call: HttpCall, response: aiohttp.ClientResponse, key: Secret, until: Limit) -> Outcome:
    """Reads a body as far as it comes: what came of a broken one may still name a job."""
    received = response.headers
    means_json = is_json(received)
    succeeded = 200 <= response.status < 300
    product = succeeded and call.kind is CallKind.CONVERSION and not means_json
    limit = _MEMORY_LIMIT if product else _JSON_LIMIT if succeeded else _ERROR_LIMIT
    content = response.content
    pieces: list[bytes] = []
    size = 0
    spool: BinaryIO | None = None
    reason = ""
    timed_out = too_much = False
    try:
        if content.is_eof():  # all of it is here, as with most replies: nothing to wait for
            pieces.append(content.read_nowait())
        else:
            while chunk := await _next(content, until):
                if spool is not None:
                    await asyncio.to_thread(spool.write, chunk)
                    continue
                pieces.append(chunk)
                size += len(chunk)
                if size <= limit:
                    continue
                if not product:
                    too_much = True
                    reason = f"the reply is larger than {limit:,} bytes"
                    break
                spool = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 (the reply owns it)
                await asyncio.to_thread(spool.write, b"".join(pieces))
                pieces.clear()
            if spool is not None:
                await asyncio.to_thread(spool.seek, 0)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        timed_out = isinstance(error, TimeoutError)
        reason = f"the reply broke off: {described(error, key)}"
    except BaseException:
        _let_go(spool)
        raise
    if reason and spool is not None:
        _let_go(spool)
        spool = None
    reply = Reply(
        status=response.status,
        headers=received,
        body=pieces[0] if len(pieces) == 1 else b"".join(pieces),
        spool=spool,
        is_json=means_json,
        show=partial(shown_headers, key=key),
    )
    if not reason or not succeeded:
        return Outcome(reply=reply, key=key)
    # What was accepted is not sent again, whatever became of the answer; neither is what will be as large next time.
    repeatable = call.kind is CallKind.READ and not too_much
    return Outcome(
        reply=reply,
        fault=Fault.UNKNOWN if repeatable else Fault.FINAL,
        reason=reason,
        timed_out=timed_out,
        unreadable=True,
        key=key,
    )


async def _next(content: aiohttp.StreamReader, until: Limit) -> bytes:
    with until:
        return await content.readany()


def described(error: BaseException, key: Secret) -> str:
    """An exception in words: its type and reason; no address with credentials, no key."""
    if isinstance(error, aiohttp.ClientResponseError):
        words = error.message  # its status is made up where the reply was no HTTP
    elif isinstance(error, TimeoutError):
        words = "timed out"
    else:
        try:
            words = str(error)
        except Exception:  # aiohttp's own, when made by hand as tests do
            words = str(getattr(error, "strerror", None) or "")
    words = re.sub(r"//\S*@", "//***@", words)
    words = in_words(redacted(re.sub(r"\?[^\s'\"]+", "?…", words), key.reveal()))
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def without_key(reply: Reply, key: Secret) -> Reply:
    """A reply whose body does not repeat the key."""
    secret = key.reveal().encode()
    return attrs.evolve(reply, body=reply.body.replace(secret, b"***")) if secret in reply.body else reply


def _let_go(spool: BinaryIO | None) -> None:
    """Closes a file whose content nobody wants: that its last bytes cannot be written is no matter."""
    if spool is not None:
        with suppress(OSError):
            spool.close()
