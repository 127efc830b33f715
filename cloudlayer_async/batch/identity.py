"""Which item a request is, and the token that finds its job again.

An item is known by the caller's key, or by a digest of its request: kind, options and source (a file's content, not its
path), as far as they decide the product. A client's `defaults` and the request's `webhook` are left out: they may differ
from run to run without making another product, and an item that is not recognised is paid for again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any, BinaryIO, Final

import attrs

from ..downloads import in_thread
from ..errors import ValidationError
from ..models import Job
from ..redaction import shown
from ..requests import REQUEST_TYPES, ConversionRequest
from ..wire import encode_request, inline_source, uploaded_source

_CHUNK: Final = 1024 * 1024
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def split_entry(entry: Any) -> tuple[str | None, ConversionRequest]:
    """The caller's key, if there is one, and the request, out of one entry of `requests`.

    Raises:
        ValidationError: It is neither a request nor a pair of a key and a request.
    """
    key: str | None = None
    request = entry
    if isinstance(entry, tuple) and len(entry) == 2:
        key, request = entry
        check_key(key)
    kind = getattr(type(request), "kind", None)
    if not isinstance(kind, str) or REQUEST_TYPES.get(kind) is not type(request):
        raise ValidationError(
            f"a batch takes request objects, or pairs (key, request), not a {type(request).__name__}", field="requests"
        )
    return key, request


def check_key(key: object) -> str:
    """An item's key as its caller gave it.

    Raises:
        ValidationError: It is no text, blank, or holds half a character (a lone surrogate), which no file can keep.
    """
    if isinstance(key, str) and key.strip() and not re.search("[\ud800-\udfff]", key):
        return key
    raise ValidationError(f"key must be a text that is not blank and is valid Unicode, not {shown(key)}", field="key")


async def digest(request: ConversionRequest, salt: bytes) -> str:
    """The digest that a request is known by in one journal.

    Raises:
        ValidationError: Its source cannot be read, or cannot be read twice.
    """
    body = encode_request(request)
    body.pop("webhook", None)
    for name in ("async", "storage"):  # a journal sends both as True anyway
        if body.get(name) is True:
            del body[name]
    source = inline_source(request) or uploaded_source(request)
    state = hashlib.blake2b(digest_size=16, key=salt)
    state.update(request.kind.encode() + b"\0" + _canonical(body) + b"\0")
    if isinstance(source, str):
        state.update(source.encode())
    elif isinstance(source, bytes):
        state.update(source)
    elif source is not None:
        await in_thread(lambda: _add_file(state, source))
    return state.hexdigest()


def _canonical(body: dict[str, Any]) -> bytes:
    # Not by whatever library is there: they write some numbers differently, and an item must be recognised.
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _add_file(state: Any, source: Path | BinaryIO) -> None:
    try:
        if isinstance(source, Path):
            with source.open("rb") as file:
                _add_rest(state, file)
            return
        start = source.tell()
        _add_rest(state, source)
        source.seek(start, os.SEEK_SET)
    except (OSError, ValueError, AttributeError) as error:
        raise ValidationError(
            f"file cannot be read twice, as a journal needs it ({error}): give a path, or a pair (key, request)",
            field="file",
        ) from None


def _add_rest(state: Any, file: BinaryIO) -> None:
    while chunk := file.read(_CHUNK):
        state.update(chunk)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"


@attrs.frozen
class Tokens:
    """The short marks that one journal puts behind its jobs' names, such as ``Invoice 7 ~k3x9f2qa-1c~``.

    The end is marked, so that a token that was cut off is not taken for another one.
    """

    journal: str
    """The journal's own eight characters, made at random."""
    _token: re.Pattern[str] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_token", re.compile(rf"\s*~{re.escape(self.journal)}-([0-9a-z]+)~"))

    def label(self, name: str | None, number: int) -> str:
        """The name to send for item `number`: the user's own in front."""
        token = f"~{self.journal}-{_base36(number)}~"
        return f"{name} {token}" if name else token

    def number_in(self, name: str | None) -> int | None:
        """The item whose token is in a name, the last one; None when there is none of this journal."""
        found = self._token.findall(name or "")
        return int(found[-1], 36) if found else None

    def strip(self, text: str) -> str:
        """A text without tokens of this journal."""
        return self._token.sub("", text)

    def hidden(self, job: Job) -> Job:
        """A job as its user knows it: the token taken out of its name."""
        changes: dict[str, Any] = {}
        if job.name is not None and (name := self.strip(job.name)) != job.name:
            changes["name"] = name or None
        if job.params is not None and isinstance(sent := job.params.get("name"), str):
            changes["params"] = {**job.params, "name": self.strip(sent)}
        return attrs.evolve(job, **changes) if changes else job


@attrs.frozen(eq=False)
class Doubt:
    """An item whose submission had no answer."""

    number: int
    label: str
    """The job's name, token included."""
    intent_step: int
    job_id: str | None = None
    """The id that its reply seemed to name. Then there is no proof that there is no job."""
