"""Files on disk: safe names, and files that appear complete or not at all.

Everything here blocks; a caller inside an event loop runs `PartialFile.commit`, which waits for the disk, in a thread.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self, TypeAlias

from .errors import ValidationError
from .redaction import shown

MAX_NAME_BYTES: Final = 200
"""The longest name that `safe_filename` gives, in bytes of UTF-8: file systems take 255, and " (2)" must still fit."""

_MAX_EXTENSION_BYTES: Final = 20
_MAX_PART_BYTES: Final = 100
_TRIED_IN_TURN: Final = 16
_FOLDER_ENDS: Final = ("/", os.sep)
_FALLBACK: Final = "document"
_SEPARATORS: Final = re.compile(r"[/\\]")
_FORBIDDEN: Final = re.compile(r'[<>:"|?*]')
_EXTENSION: Final = re.compile(r"\.(?=[0-9]*[a-z])[a-z0-9]{1,10}\Z", re.ASCII | re.IGNORECASE)
_RESERVED: Final = re.compile(
    r"(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?",
    re.IGNORECASE | re.DOTALL,
)
_PLAIN: Final = re.compile(r"[a-z0-9]([a-z0-9_.-]*[a-z0-9])?", re.ASCII | re.IGNORECASE)
"""Names that cleaning leaves as they are; most names are of this kind, and there is one in every reply with a product."""
_JOINERS: Final = "\u200c\u200d"
"""Invisible, but part of how Persian words and many emoji are written."""


# --- names ------------------------------------------------------------------------------------------------------


def safe_filename(name: str | None, *, default: str = _FALLBACK, extension: str | None = None) -> str:
    """Reduce any name, such as one that a server sent, to a base name that is safe on every system.

    What goes: folders (of either separator), control and invisible characters, marks that turn the reading direction, and
    leading and trailing dots and spaces. Characters that Windows forbids become ``_``; a name that Windows reserves
    (``NUL``, ``com1.pdf``) gets a ``_`` in front. The name is brought to Unicode's NFC form and cut to `MAX_NAME_BYTES`,
    between characters and before the extension. A safe name is given back as it is.

    Args:
        name: The name as it came.
        default: The name to use when nothing is left; made safe as well.
        extension: Added when the name has none, with or without its dot.

    Returns:
        A name that is not empty and has no separator in it.
    """
    base = _cleaned(name or "") or _cleaned(default) or _FALLBACK
    if extension and not _EXTENSION.search(base) and (added := _cleaned(extension)):
        base = f"{base}.{added}"
    base = _shortened(base, MAX_NAME_BYTES)
    if _RESERVED.fullmatch(base):
        base = _shortened(f"_{base}", MAX_NAME_BYTES)
    return base


def _cleaned(name: str) -> str:
    if _PLAIN.fullmatch(name):
        return name
    # Once before, because a character may become one that is forbidden; once after, because what was taken out may have
    # stood between two that belong together.
    name = unicodedata.normalize("NFC", name)
    name = "".join(char for char in _SEPARATORS.split(name)[-1] if not _is_invisible(char))
    name = unicodedata.normalize("NFC", _FORBIDDEN.sub("_", name))
    return _trimmed(name)


def _is_invisible(char: str) -> bool:
    # Control, format (direction marks), surrogate, unassigned; line and paragraph separators.
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp") and char not in _JOINERS


def _trimmed(name: str) -> str:
    while (inner := name.strip().strip(".")) != name:
        name = inner
    return name


def _shortened(name: str, most: int) -> str:
    if len(name) * 4 <= most:  # no character takes more than four bytes
        return name
    encoded = name.encode()
    if len(encoded) <= most:
        return name
    extension = Path(name).suffix
    if len(extension.encode()) > _MAX_EXTENSION_BYTES:
        extension = ""
    return _trimmed(encoded[: most - len(extension.encode())].decode(errors="ignore")) + extension


def free_path(folder: Path, name: str, taken: Callable[[Path], bool] | None = None) -> Path:
    """A path in `folder` that is not taken: under `name`, or with " (2)", " (3)" and so on before its extension.

    The first few numbers are tried in turn; beyond, one is found in a few steps even among thousands of files, and it
    need not be the lowest one free. Another process may take the path at any moment: `PartialFile` copes with that.
    """
    return free_numbered(folder, name, taken or os.path.lexists)[0]


def free_numbered(folder: Path, name: str, taken: Callable[[Path], bool], above: int = 0) -> tuple[Path, int]:
    """Like `free_path`, with the number as well.

    Args:
        folder: The folder.
        name: The file's name.
        taken: Whether a path is not free.
        above: A number up to which all are known to be taken.
    """
    stem, extension = os.path.splitext(name)

    def numbered(number: int) -> Path:
        return folder / (name if number == 1 else f"{stem} ({number}){extension}")

    used, free = above, above + 1
    while taken(numbered(free)):
        used, free = free, (free + 1 if free < above + _TRIED_IN_TURN else free * 2)
    while free - used > 1:
        middle = (used + free) // 2
        if taken(numbered(middle)):
            used = middle
        else:
            free = middle
    return numbered(free), free


# --- targets ----------------------------------------------------------------------------------------------------


class Target(NamedTuple):
    """Where something is to be saved."""

    path: Path
    is_folder: bool
    """The file gets its name from the server, and never replaces another. Else `path` is the file, and is replaced."""


def check_target(path: str | os.PathLike[str]) -> Target:
    """Decide what a path given by the user means, and refuse what cannot work before anything is sent.

    An existing folder, or a text that ends in a separator, is a folder (made now if need be, with those above it).
    Anything else is the exact path of a file, which is replaced if it exists. A symbolic link there is itself replaced and
    the file it points to stays as it is; a link to a folder is a folder.

    Raises:
        ValidationError: With ``field="path"``: it is not a usable path, the folder it needs does not exist, cannot be made
            or is not writable, or what is there is neither a file nor a folder (a device, a pipe).
    """
    text = _path_text(path)
    if not text:
        raise ValidationError(
            f"path must be the path of a file or a folder, not {shown(path)}",
            field="path",
        )
    target = Path(text)
    try:
        is_folder = target.is_dir() or text.endswith(_FOLDER_ENDS)
        folder = target if is_folder else target.parent
        if is_folder:
            folder.mkdir(parents=True, exist_ok=True)
        elif not folder.is_dir():
            raise ValidationError(
                f"path: there is no folder {str(folder)!r} to save {target.name!r} in",
                field="path",
            )
        elif target.exists() and not target.is_file():
            raise ValidationError(
                f"path: {text!r} is neither a file nor a folder, and is not replaced",
                field="path",
            )
    except OSError as error:
        raise ValidationError(f"path: {text!r} cannot be used: {error.strerror}", field="path") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValidationError(f"path: the folder {str(folder)!r} is not writable", field="path")
    return Target(target, is_folder)


def _path_text(path: str | os.PathLike[str]) -> str:
    """The path as a text; an empty one when the system could not take it."""
    try:
        text = os.fspath(path)
        return text if isinstance(text, str) and b"\0" not in os.fsencode(text) else ""
    except (TypeError, UnicodeError):
        return ""


# --- whole files ------------------------------------------------------------------------------------------------


Reserve: TypeAlias = Callable[[Path, str, int], AbstractContextManager[Path]]
"""Keeps a path free for a file while it is put there, given the folder, the wanted name and the file's size."""


class PartialFile:
    """A file on its way: written under a temporary name beside its place, and put there whole by `commit`.

    Used in a ``with`` block. Leaving the block without a commit, for whatever reason, removes what was written; only a
    process that is killed leaves its ``.part`` file behind. No method may still run in another thread then.

    The file gets the permissions of any new file; one that replaces another keeps that one's.

    Args:
        target: What `check_target` gave.
        filename: The name to use in a folder; made safe. Not used for an exact path.
        mark: A part of the temporary name, by which `remove_parts` finds what a killed process has left.

    Raises:
        OSError: By any method: the disk is full, the folder has gone, and so on.
    """

    def __init__(self, target: Target, filename: str | None = None, *, mark: str = "") -> None:
        self._target = target
        self._folder = target.path if target.is_folder else target.path.parent
        self._name = safe_filename(filename) if target.is_folder else target.path.name
        self._part = self._folder / f".{_shortened(self._name, _MAX_PART_BYTES)}.{mark}{os.urandom(6).hex()}.part"
        self._descriptor = -1
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes written since the start, or since the last `restart`."""
        return self._size

    def __enter__(self) -> Self:
        replaced = None if self._target.is_folder else _permissions(self._target.path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        # Given at the creation, so that a private file's successor is at no moment readable by others.
        self._descriptor = os.open(self._part, flags, 0o666 if replaced is None else replaced)
        if replaced is not None:
            with suppress(OSError):
                os.chmod(self._part, replaced)  # what the umask took
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A fault here must not hide the one that ended the block.
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end. Not buffered, so that a full disk is noticed here."""
        rest = memoryview(data).cast("B")
        while rest:
            written = os.write(self._descriptor, rest)
            self._size += written
            rest = rest[written:]

    def restart(self) -> None:
        """Forget what was written: the download begins again."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.ftruncate(self._descriptor, 0)
        self._size = 0

    def commit(self, reserve: Reserve | None = None) -> Path:
        """Wait until the bytes are on the disk, and put the file into its place in one step; nothing can be added then.

        Args:
            reserve: Chooses the place in a folder, instead of `free_path`.

        Returns:
            Where it is: the exact path, or the path in the folder, with " (2)" and so on in its name when that was taken.
        """
        os.fsync(self._descriptor)
        self._close()
        if not self._target.is_folder:
            os.replace(self._part, self._target.path)
            return self._target.path
        while True:
            with reserve(self._folder, self._name, self._size) if reserve else nullcontext() as reserved:
                path = reserved or free_path(self._folder, self._name)
                try:
                    _move_to_free(self._part, path)
                except FileExistsError:
                    continue  # somebody was faster
                return path

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def remove_parts(folder: Path, mark: str, *, but: str) -> None:
    """Removes the temporary files of a mark that begins with `mark`, but not those of the mark `but`."""
    with suppress(OSError):  # a folder that is gone holds none
        for part in folder.glob(f".*.{mark}*.part"):
            if f".{but}" not in part.name:
                with suppress(OSError):
                    part.unlink()


def _permissions(path: Path) -> int | None:
    """The permission bits of a regular file; None when there is none (a link's own bits mean nothing)."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return None
    return mode & 0o777 if stat.S_ISREG(mode) else None


def _move_to_free(source: Path, target: Path) -> None:
    """Rename without replacing. Raises FileExistsError when something is at the target."""
    if os.name == "nt":
        os.rename(source, target)  # replaces nothing there
        return
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links (FAT, some network shares): an empty file reserves the name.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        try:
            os.replace(source, target)
        except BaseException:
            os.unlink(target)
            raise
    else:
        with suppress(OSError):
            os.unlink(source)
