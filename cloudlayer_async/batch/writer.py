"""One thread that writes to one SQLite file, many steps to a transaction.

A step is a function of the connection. Steps are carried out in the order in which they were handed in; all that wait while
one transaction reaches the disk share the next one, so that the cost of a sync is divided among them. A step's result is
given out only when its transaction is on the disk.
"""

from __future__ import annotations

import asyncio
import errno
import os
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from ..downloads import in_thread
from ..errors import JournalError

if sys.platform != "win32":
    import fcntl

_T = TypeVar("_T")

_MOST_TOGETHER: Final = 500
_IN_USE: Final = "it is in use, by another process or another batch: a journal serves one batch at a time"
_PATIENCE: Final = 0.01
"""Seconds for which a step that nobody waits for may stay off the disk."""


class _Step(Generic[_T]):
    """A function to carry out, and who waits for its result: a coroutine, a thread, or nobody."""

    __slots__ = ("answer", "run")

    def __init__(self, run: Callable[[sqlite3.Connection], _T], answer: asyncio.Future[_T] | Future[_T] | None) -> None:
        self.run = run
        self.answer = answer


class Writer:
    """The thread and its queue. `start` before the first step, `aclose` after the last one.

    Args:
        path: The file; made if it is not there.
        check: Sees the file before anything in it is changed, and raises a `JournalError` where it is not to be.
        on_fault: Called on the event loop when the file cannot be written any more. Every step then fails.
    """

    def __init__(
        self,
        path: Path,
        check: Callable[[sqlite3.Connection, Path], None],
        on_fault: Callable[[JournalError], None],
    ) -> None:
        self._path = path
        self._check = check
        self._on_fault = on_fault
        self._steps: queue.SimpleQueue[_Step[Any] | None] = queue.SimpleQueue()
        self._fault: JournalError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Opens the file.

        Raises:
            JournalError: It cannot be opened, or another process has it open.
        """
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name=f"journal {self._path.name}", daemon=True)
        self._thread.start()
        await self.run(lambda _: None)

    async def aclose(self) -> None:
        """Carries out what waits, and closes the file. Not to be cancelled: the caller shields it."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._steps.put(None)
            await in_thread(thread.join)

    async def run(self, step: Callable[[sqlite3.Connection], _T]) -> _T:
        """Carries out a step and waits until it is on the disk. Cancelling does not take the step back.

        Raises:
            JournalError: The file cannot be written.
        """
        assert self._loop is not None
        answer: asyncio.Future[_T] = self._loop.create_future()
        self._hand_in(_Step(step, answer))
        return await answer

    def run_in_thread(self, step: Callable[[sqlite3.Connection], _T]) -> _T:
        """Like `run`, for other threads."""
        answer: Future[_T] = Future()
        self._hand_in(_Step(step, answer))
        return answer.result()

    def post(self, step: Callable[[sqlite3.Connection], object]) -> None:
        """Hands in a step whose result nobody waits for. A fault is told to `on_fault`."""
        self._hand_in(_Step(step, None))

    def _hand_in(self, step: _Step[Any]) -> None:
        if self._thread is None:
            raise JournalError("the journal is closed")
        self._steps.put(step)

    # --- in the thread ----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        connection: sqlite3.Connection | None = None
        lock: int | None = None
        try:
            lock = _locked(self._path)
            connection = _opened(self._path, self._check)
        except Exception as error:
            self._fault = _fault_of(error, self._path)
        going_on = True
        while going_on:
            steps = self._next_steps()
            going_on = None not in steps
            self._carry_out(connection, [step for step in steps if step is not None])
        if connection is not None:
            connection.close()
        if lock is not None:
            os.close(lock)

    def _next_steps(self) -> list[_Step[Any] | None]:
        """All that wait. Steps that nobody waits for are kept a moment, for others to share their transaction."""
        step = self._steps.get()
        steps = [step]
        until = time.monotonic() + _PATIENCE
        awaited = step is None or step.answer is not None
        while len(steps) < _MOST_TOGETHER:
            try:
                left = until - time.monotonic()
                step = self._steps.get_nowait() if awaited or left <= 0 else self._steps.get(timeout=left)
            except queue.Empty:
                break
            steps.append(step)
            awaited = awaited or step is None or step.answer is not None
        return steps

    def _carry_out(self, connection: sqlite3.Connection | None, steps: list[_Step[Any]]) -> None:
        results: list[Any] = []
        told = self._fault is not None
        if self._fault is None and connection is not None:
            try:
                connection.execute("BEGIN IMMEDIATE")
                results = [step.run(connection) for step in steps]
                connection.execute("COMMIT")
            except Exception as error:  # whatever it is, those who wait must be told
                self._fault = _fault_of(error, self._path)
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
        fault = self._fault
        waiting: list[tuple[asyncio.Future[Any], Any]] = []
        for place, step in enumerate(steps):
            if isinstance(step.answer, Future):
                if fault is None:
                    step.answer.set_result(results[place])
                else:
                    step.answer.set_exception(fault)
            elif step.answer is not None:
                waiting.append((step.answer, fault if fault is not None else results[place]))
        assert self._loop is not None
        if waiting or (fault is not None and not told):
            with suppress(RuntimeError):  # the loop is gone, and with it whoever waited
                self._loop.call_soon_threadsafe(self._answer, waiting, None if told else fault)

    # --- back on the loop -------------------------------------------------------------------------------------------

    def _answer(self, waiting: list[tuple[asyncio.Future[Any], Any]], fault: JournalError | None) -> None:
        for answer, result in waiting:
            if answer.done():
                continue  # cancelled; the step is done all the same
            if isinstance(result, JournalError):
                answer.set_exception(result)
            else:
                answer.set_result(result)
        if fault is not None:
            self._on_fault(fault)


def _locked(path: Path) -> int | None:
    """A lock of our own: a process loses SQLite's when any part of it opens and closes the file (fcntl(2) on POSIX systems).

    On a file beside it, since closing this one's descriptor would do just that.
    """
    if not path.parent.is_dir():
        raise JournalError(f"journal {str(path)!r}: there is no folder {str(path.parent)!r}")
    if path.is_dir():
        raise JournalError(f"journal {str(path)!r}: it is a folder, and a journal is a file")
    if sys.platform == "win32":
        return None  # its locks are not lost
    file = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise JournalError(f"journal {str(path)!r}: {_IN_USE}") from error
        return None  # a file system without such locks
    return file


def _opened(path: Path, check: Callable[[sqlite3.Connection, Path], None]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        check(connection, path)
        # Exclusive for as long as the file is open, given up by the system when the process ends, however it ends.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        # A step that was answered must survive a loss of power, which in this mode only FULL promises.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _fault_of(error: Exception, path: Path) -> JournalError:
    if isinstance(error, JournalError):
        return error
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        why = _IN_USE
    elif primary == sqlite3.SQLITE_FULL:
        why = "the disk is full"
    elif primary in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        why = f"it is damaged, or no journal ({error})"
    else:
        why = str(error)
    return JournalError(f"journal {str(path)!r}: {why}")
