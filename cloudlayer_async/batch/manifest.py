"""Batches as files: JSON Lines, one request on each line, as `to_dict` writes it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from ..errors import ValidationError
from ..files import PartialFile, check_target
from ..jsontext import WireFault, json_bytes, parse_json
from ..redaction import shown
from ..requests import REQUEST_TYPES, BaseOptions, ConversionRequest
from ..transport import logger
from ..wire import from_dict, to_dict
from .identity import check_key, split_entry
from .pipeline import Entry

_SHOWN: Final = 20


class Manifest:
    """The requests of a manifest file; see `read_manifest`. May be gone through again; its length is known.

    Attributes:
        bad_lines: What is wrong with lines that are left out, by line number (from 1).
    """

    def __init__(self, path: Path, bad_lines: Literal["refuse", "skip"]) -> None:
        self._path = path
        self._count = 0
        self.bad_lines: dict[int, str] = {}
        first_lines: dict[str, int] = {}
        for number, entry in self._entries():
            if isinstance(entry, tuple) and (first := first_lines.setdefault(entry[0], number)) != number:
                entry = f"key {entry[0]!r} was given in line {first}: each item needs its own"
            if isinstance(entry, str):
                self.bad_lines[number] = entry
            else:
                self._count += 1
        if not self.bad_lines:
            return
        listed = [f"line {number}: {why}" for number, why in list(self.bad_lines.items())[:_SHOWN]]
        if len(self.bad_lines) > _SHOWN:
            listed.append(f"and {len(self.bad_lines) - _SHOWN:,} more")
        lines = "1 bad line" if len(self.bad_lines) == 1 else f"{len(self.bad_lines):,} bad lines"
        said = f"{str(path)!r} has {lines}:\n  " + "\n  ".join(listed)
        if bad_lines == "refuse":
            raise ValidationError(said, field="manifest")
        logger.warning("%s", said)

    def __repr__(self) -> str:
        return f"<Manifest {str(self._path)!r}: {self._count:,} requests, {len(self.bad_lines):,} bad lines>"

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        for number, entry in self._entries():
            if not isinstance(entry, str) and number not in self.bad_lines:
                yield entry

    def _entries(self) -> Iterator[tuple[int, Entry | str]]:
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _entry_of(line)


def _entry_of(line: bytes) -> Entry | str:
    """A request, with its key if it has one; or what is wrong with the line."""
    try:
        data: Any = parse_json(line)
        if not isinstance(data, dict):
            return f"expected an object, found {shown(data)}"
        key = data.pop("key", None)
        if key is not None:
            check_key(key)
        kind = data.get("kind")
        if not isinstance(kind, str) or kind not in REQUEST_TYPES:
            return f"kind must be one of {', '.join(REQUEST_TYPES)}, not {shown(kind)}"
        request: ConversionRequest = from_dict(REQUEST_TYPES[kind], data)
    except (WireFault, ValidationError, TypeError) as error:
        return str(error)
    return request if key is None else (key, request)


def read_manifest(path: str | os.PathLike[str], *, bad_lines: Literal["refuse", "skip"] = "refuse") -> Manifest:
    """The requests of a JSON Lines file, for `batch` and `run_batch`.

    Each line is an object ``{"kind": "html_to_pdf", "html": "...", ...}`` with the names of the request's own fields; an
    optional ``"key"``, different in each line, names the item for a journal. A source that is a file is ``{"path": "..."}``,
    as seen from the working directory; one that is bytes is ``{"base64": "..."}``. Empty lines are passed over.

    The whole file is checked here, before anything can be submitted; the requests themselves are read one by one later,
    so that a long manifest takes no memory.

    Args:
        path: The file.
        bad_lines: ``"refuse"`` raises, naming the first twenty of them; ``"skip"`` leaves them out, and the result's
            `bad_lines` has all of them.

    Returns:
        An iterable of requests and pairs (key, request), with a length.

    Raises:
        ValidationError: There are bad lines, or the file cannot be read.
    """
    if bad_lines not in ("refuse", "skip"):
        raise ValidationError(f'bad_lines must be "refuse" or "skip", not {shown(bad_lines)}', field="bad_lines")
    try:
        return Manifest(Path(path), bad_lines)
    except OSError as error:
        raise ValidationError(f"{os.fspath(path)!r} cannot be read: {error.strerror}", field="manifest") from None


def write_manifest(requests: Iterable[Entry], path: str | os.PathLike[str]) -> int:
    """Writes requests, or pairs (key, request), to a JSON Lines file, which appears whole or not at all.

    Mind that cookies and passwords of the requests are in it.

    Args:
        requests: What to write.
        path: The file; replaced if it is there.

    Returns:
        How many lines were written.

    Raises:
        ValidationError: An entry is no request, or holds an open file; nothing was written.
        OSError: The disk is full, or the like.
    """
    if isinstance(requests, (BaseOptions, str, bytes, Mapping)) or not isinstance(requests, Iterable):
        raise ValidationError(
            f"requests must be an iterable of request objects, not {shown(requests)}", field="requests"
        )
    target = check_target(path)
    if target.is_folder:
        raise ValidationError(f"{os.fspath(path)!r} is a folder: give the file to write", field="path")
    count = 0
    with PartialFile(target) as file:
        for entry in requests:
            key, request = split_entry(entry)
            line = to_dict(request)
            file.write(json_bytes({"key": key, **line} if key is not None else line) + b"\n")
            count += 1
        file.commit()
    return count
