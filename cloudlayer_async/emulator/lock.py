"""One emulator for one directory: a lock that the system lets go of, however its process ends. Blocking calls only."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import BinaryIO

NAME = "lock"


class DirectoryLock:
    """Holds a directory until `release`.

    Args:
        directory: It exists. A file in it named ``lock`` stands for it.

    Raises:
        OSError: Another process, or another emulator of this one, holds it.
    """

    def __init__(self, directory: Path) -> None:
        self._file = (directory / NAME).open("ab")
        try:
            _lock(self._file)
        except OSError as error:
            self._file.close()
            if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                raise
            raise OSError(errno.EBUSY, f"Another emulator uses the directory {directory}") from None

    def release(self) -> None:
        """Let others have it. Doing so twice is fine."""
        self._file.close()


if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
