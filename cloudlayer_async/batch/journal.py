"""The journal of a batch: an SQLite file from which a killed run goes on where it was.

Format, version 1 (`PRAGMA user_version`; `PRAGMA application_id` is 0x636C6A31, "clj1")
----------------------------------------------------------------------------------------
``meta(name, value)`` holds ``id`` (the eight characters in its tokens), ``salt`` (hexadecimal), ``account`` (a salted
digest of the API key; never the key), ``owner`` (one of the account's uid, once a job has told it, by which the account is
known when its key was rotated) and ``base_url``. ``items`` has one row for each item:

=================  =====================================================================================================
``number``         the item's number, in the order in which items were first seen; its token is made of it
``key``            ``digest:`` and a digest of the request (its options, and its source's content), or ``key:`` and the
                   caller's own key; no html, no option, no secret is kept
``occurrence``     1 for the first item of this digest, 2 for the second, and so on
``kind``           such as ``html_to_pdf``
``name``           the job's name as its user gave it, without the token
``state``          ``open``: nothing is at the service · ``intent``: it may have been sent · ``submitted``: accepted, see
                   ``job_id`` (none where the product came with the reply) · ``finished``: its product is had, see
                   ``path`` · ``failed``: its job failed · ``ambiguous``: sent, and it could not be found out whether it
                   was accepted
``run``            the last run in which it was asked for
``intent_step``    when the intent was written, and
``accepted_step``  when the acceptance was, counted in steps of this journal, which order them without a clock
``job_id`` ...     and ``asset_id``, ``path``, ``size`` (bytes), ``content_type``, ``credits``, ``error`` (an error's class),
                   ``changed`` (Unix time)
=================  =====================================================================================================

What a sudden end leaves behind
-------------------------------
Every step that spends money, or claims a file name, is on the disk (WAL, ``synchronous=FULL``) before it is taken:

1. *Before the intent is on the disk.* Nothing was sent, since sending waits for it. The row is not there, or
   ``open``: the item is submitted by the next run, for the first time.
2. *Intent on the disk, not sent yet* (also: waiting for a rate limit's end, or refused by 429). ``intent``. The
   next run cannot tell this from 3, so it looks the token up, proves that there is no job (see `settling`), and
   submits.
3. *Sent; accepted or not; no answer read.* ``intent``. Look-up finds the token (the job is adopted: ``submitted``),
   or proves that there is no job (submitted again), or cannot prove it (``ambiguous``; never submitted again by
   itself).
4. *Answer read, acceptance not on the disk yet.* As 3: look-up finds the job, which exists for certain.
5. *Acceptance on the disk; the job pending, done, or half downloaded.* ``submitted`` with its ``job_id``. The next
   run waits for that job and fetches its product. A half-written file has another name (``.part``), is never
   taken for a product, and is removed by the next run.
6. *File about to be put in its place.* ``path`` and ``size`` were written just before. A file of that size at that
   path is the product, since it is put there whole and in one step; else it is downloaded again, and gets a free
   name: nothing that is there is ever replaced.
7. *File in its place, ``finished`` not on the disk yet.* As 6: it is found, and nothing is fetched or paid.
8. *Finished on the disk.* The next run gives its outcome without any call, while the file is there whole. When it
   is gone, or was never saved, it is fetched again by its ``job_id``: that costs nothing.

A withdrawn intent (refused, not connected, cancelled before a byte left) goes back to ``open``; a crash before that
is written is 2. A full disk fails the step that cannot be written, and so stops the batch *before* what the step
was to allow; where the step was an acceptance, it is 4. Two runs at once cannot be: the file is locked while it is
open, and so is an empty one beside it (``-lock``), which stays.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import attrs

from ..errors import CloudlayerError, JournalError
from .identity import Doubt, Tokens
from .writer import Writer

VERSION: Final = 1
_APPLICATION_ID: Final = 0x636C6A31
_TOKEN_LETTERS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_AT_ONCE: Final = 500

_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE items (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    occurrence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT,
    state TEXT NOT NULL,
    run INTEGER NOT NULL,
    intent_step INTEGER,
    accepted_step INTEGER,
    job_id TEXT,
    asset_id TEXT,
    path TEXT,
    size INTEGER,
    content_type TEXT,
    credits REAL NOT NULL DEFAULT 0,
    error TEXT,
    changed REAL NOT NULL,
    UNIQUE (key, occurrence)
);
CREATE INDEX items_by_run ON items (key, run, occurrence);
CREATE INDEX items_by_path ON items (path) WHERE path IS NOT NULL;
CREATE INDEX items_unsettled ON items (state) WHERE state IN ('intent', 'ambiguous');
"""


class State(StrEnum):
    """Where an item is: see the module's text."""

    OPEN = "open"
    INTENT = "intent"
    SUBMITTED = "submitted"
    FINISHED = "finished"
    FAILED = "failed"
    AMBIGUOUS = "ambiguous"


@attrs.frozen(kw_only=True)
class Record:
    """One item as the journal has it."""

    number: int
    state: State
    intent_step: int | None
    job_id: str | None
    asset_id: str | None
    path: Path | None
    size: int | None
    content_type: str | None
    credits: float
    whole: bool
    """Whether a file of the right size is at `path`."""


_COLUMNS: Final = "number, state, intent_step, job_id, asset_id, path, size, content_type, credits"


def _record(row: tuple[object, ...]) -> Record:
    values: dict[str, Any] = dict(zip(_COLUMNS.split(", "), row, strict=True))
    path = values["path"] = None if values["path"] is None else Path(os.fsdecode(values["path"]))
    values["state"] = State(values["state"])
    return Record(**values, whole=path is not None and _size_of(path) == values["size"])


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


class Journal:
    """One open journal. Made by `open`, ended by `aclose`.

    Steps whose result decides what happens next are awaited; the others are handed to the writing thread, in order.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._run = 0
        self._step = 0
        self._has_owner = False
        self.salt = b""
        self.tokens = Tokens("")
        self.mark = ""
        """This run's part of the names of files that are being written."""
        self.anchored = False
        """Whether a job of this journal was ever accepted: only then can a look-up reach back beyond an intent."""

    @classmethod
    async def open(
        cls,
        path: str | os.PathLike[str],
        *,
        key: str,
        base_url: str,
        on_fault: Callable[[JournalError], None],
        ask_uid: Callable[[], Awaitable[str | None]],
    ) -> Journal:
        """Opens a journal, or makes it.

        Args:
            path: The file.
            key: The API key, of which a salted digest is kept.
            base_url: The service's address.
            on_fault: Called when the journal cannot be written any more.
            ask_uid: Asks the service for the account's uid; only when the key is another than last time, since keys may
                be rotated.

        Raises:
            JournalError: It is in use, damaged, no journal, of a newer version, another account's or another service's.
        """
        # Absolute, since the program may go to another folder while the file is open.
        journal = cls(Writer(Path.cwd() / path, _check, on_fault))
        try:
            await journal._writer.start()
            owner = await journal._writer.run(lambda connection: journal._set_up(connection, str(path), key, base_url))
            if owner is not None:
                other = f"journal {str(path)!r}: it belongs to another account (its API key is another"
                try:
                    uid = await ask_uid() if owner else None
                except CloudlayerError as error:
                    raise JournalError(f"{other}, and the account of this one cannot be read: {error})") from error
                if uid is None or _digest_of(uid, journal.salt) != owner:
                    raise JournalError(f"{other})")
                await journal._writer.run(lambda connection: journal._set_meta(connection, "account", key))
        except BaseException:
            await journal._writer.aclose()
            raise
        return journal

    def belongs_to(self, uid: str) -> None:
        """Writes down the account's uid, by which it is known after its key was rotated."""
        if not self._has_owner:
            self._has_owner = True
            self._writer.post(lambda connection: self._set_meta(connection, "owner", uid))

    async def aclose(self) -> None:
        """Writes what waits, and closes the file."""
        await self._writer.aclose()

    # --- steps ------------------------------------------------------------------------------------------------------

    async def claim(
        self, key: str, *, kind: str, name: str | None, unique: bool, credits: float | None
    ) -> Record | None:
        """The row of the next item of this key that was not asked for in this run; made when there is none.

        Args:
            key: ``digest:...`` or ``key:...``.
            kind: The request's kind.
            name: The job's name without a token.
            unique: There can be only one item of this key.
            credits: When given, an open item is marked as sent in the same step, with this estimate of its cost.

        Returns:
            The row as it was before; None when a unique key was asked for twice.
        """
        return await self._writer.run(lambda connection: self._claim(connection, key, kind, name, unique, credits))

    async def begin(self, number: int, credits: float) -> int:
        """Writes down that an item may have been sent from now on; gives the step."""
        return await self._writer.run(lambda connection: self._begin(connection, number, credits))

    def withdraw(self, number: int, error: str | None = None) -> None:
        """Writes down that nothing of an item is at the service after all."""
        self._change(number, state=State.OPEN, intent_step=None, credits=0, error=error)

    def accepted(self, number: int, job_id: str | None) -> None:
        """Writes down a job's id; None where the product came with the reply, and no job can be asked for it again."""
        self.anchored = True
        self._change(number, state=State.SUBMITTED, job_id=job_id, error=None, stamp="accepted_step")

    def place(self, number: int, path: Path, size: int) -> None:
        """Writes down where a product is about to be put. Blocks until it is on the disk; for threads."""
        # As bytes where the name is no Unicode, which the file system takes and SQLite's texts do not.
        text = os.path.abspath(path)
        values = {"path": text if text.isprintable() else os.fsencode(text), "size": size}

        def place(connection: sqlite3.Connection) -> None:
            # The path was free, so whoever had it before has lost the file: this one must not be taken for theirs.
            connection.execute("UPDATE items SET path = NULL WHERE path = ?", (values["path"],))
            self._set(connection, number, values)

        self._writer.run_in_thread(place)

    def finished(self, number: int, *, credits: float, asset_id: str | None, content_type: str | None) -> None:
        """Writes down that an item's product is had."""
        self._change(
            number, state=State.FINISHED, credits=credits, asset_id=asset_id, content_type=content_type, error=None
        )

    def failed(self, number: int, *, credits: float, error: str) -> None:
        """Writes down that an item's job failed."""
        self._change(number, state=State.FAILED, credits=credits, error=error)

    def noted(self, number: int, error: str) -> None:
        """Writes down why a submitted item's product was not had in this run."""
        self._change(number, error=error)

    def ambiguous(self, number: int, error: str, job_id: str | None = None) -> None:
        """Writes down that it cannot be known whether an item was accepted; and the id in its reply, if there was one."""
        self._change(number, state=State.AMBIGUOUS, error=error, job_id=job_id)

    async def spent(self) -> float:
        """Credits of all items so far, ambiguous ones included."""

        def read(connection: sqlite3.Connection) -> float:
            (credits,) = connection.execute("SELECT coalesce(sum(credits), 0.0) FROM items").fetchone()
            return float(credits)

        return await self._writer.run(read)

    async def unsettled(self) -> list[Doubt]:
        """The items of which it is not known whether they were accepted."""

        def read(connection: sqlite3.Connection) -> list[Doubt]:
            found = connection.execute(
                "SELECT number, name, intent_step, job_id FROM items WHERE state IN ('intent', 'ambiguous')"
            )
            return [
                Doubt(number, self.tokens.label(name, number), step, job_id) for number, name, step, job_id in found
            ]

        return await self._writer.run(read)

    async def accepted_steps(self, numbers: Iterable[int]) -> Mapping[int, int]:
        """When those of these items that have a job were accepted."""
        wanted = list(numbers)

        def read(connection: sqlite3.Connection) -> dict[int, int]:
            found: dict[int, int] = {}
            for start in range(0, len(wanted), _AT_ONCE):
                some = wanted[start : start + _AT_ONCE]
                marks = ",".join("?" * len(some))
                found.update(
                    connection.execute(
                        f"SELECT number, accepted_step FROM items WHERE number IN ({marks}) AND accepted_step IS NOT NULL",
                        some,
                    )
                )
            return found

        return await self._writer.run(read)

    # --- in the writing thread --------------------------------------------------------------------------------------

    def _set_up(self, connection: sqlite3.Connection, path: str, key: str, base_url: str) -> str | None:
        """Reads what must be known; where the key is another, gives the digest of the owner's uid, empty if not known."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not version:
            self._make(connection, key, base_url)
        meta = dict(connection.execute("SELECT name, value FROM meta"))
        self.salt = bytes.fromhex(meta["salt"])
        self.tokens = Tokens(meta["id"])
        if meta["base_url"] != base_url:
            raise JournalError(f"journal {path!r}: it belongs to {meta['base_url']}, not to {base_url}")
        self._run, self._step, accepted = connection.execute(
            "SELECT coalesce(max(run), 0) + 1, max(coalesce(max(intent_step), 0), coalesce(max(accepted_step), 0)),"
            " max(state IN ('submitted', 'finished', 'failed') OR accepted_step IS NOT NULL) FROM items"
        ).fetchone()
        self.anchored = bool(accepted)
        self.mark = f"{self.tokens.journal}-{self._run}-"
        self._has_owner = "owner" in meta
        return None if meta["account"] == _digest_of(key, self.salt) else meta.get("owner", "")

    def _set_meta(self, connection: sqlite3.Connection, name: str, secret: str) -> None:
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, _digest_of(secret, self.salt)))

    def _make(self, connection: sqlite3.Connection, key: str, base_url: str) -> None:
        for statement in filter(None, (part.strip() for part in _SCHEMA.split(";"))):
            connection.execute(statement)
        salt = secrets.token_bytes(16)
        meta = {
            "id": "".join(secrets.choice(_TOKEN_LETTERS) for _ in range(8)),
            "salt": salt.hex(),
            "account": _digest_of(key, salt),
            "base_url": base_url,
        }
        connection.executemany("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")

    def _claim(
        self,
        connection: sqlite3.Connection,
        key: str,
        kind: str,
        name: str | None,
        unique: bool,
        credits: float | None,
    ) -> Record | None:
        row = connection.execute(
            f"SELECT {_COLUMNS} FROM items WHERE key = ? AND run < ? ORDER BY run, occurrence LIMIT 1", (key, self._run)
        ).fetchone()
        if row is None:
            (last,) = connection.execute(
                "SELECT coalesce(max(occurrence), 0) FROM items WHERE key = ?", (key,)
            ).fetchone()
            if unique and last:
                return None
            row = connection.execute(
                "INSERT INTO items (key, occurrence, kind, name, state, run, changed) VALUES (?, ?, ?, ?, 'open', ?, ?)"
                f" RETURNING {_COLUMNS}",
                (key, last + 1, kind, name, self._run, time.time()),
            ).fetchall()[0]
        else:
            connection.execute("UPDATE items SET run = ? WHERE number = ?", (self._run, row[0]))
            if row[1] == State.OPEN:  # only then is it sent anew, perhaps under a name that has changed
                connection.execute("UPDATE items SET name = ? WHERE number = ?", (name, row[0]))
        record = _record(row)
        if credits is not None and record.state is State.OPEN:
            record = attrs.evolve(record, intent_step=self._begin(connection, record.number, credits))
        return record

    def _begin(self, connection: sqlite3.Connection, number: int, credits: float) -> int:
        self._step += 1
        values = {"state": State.INTENT, "intent_step": self._step, "credits": credits, "error": None}
        self._set(connection, number, values)
        return self._step

    def _change(self, number: int, *, stamp: str | None = None, **values: object) -> None:
        def change(connection: sqlite3.Connection) -> None:
            if stamp is not None:
                self._step += 1
                values[stamp] = self._step
            self._set(connection, number, values)

        self._writer.post(change)

    def _set(self, connection: sqlite3.Connection, number: int, values: Mapping[str, object]) -> None:
        names = ", ".join(f"{name} = ?" for name in (*values, "changed"))
        connection.execute(f"UPDATE items SET {names} WHERE number = ?", (*values.values(), time.time(), number))


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuses another program's file, and a journal of another version, before anything in it is changed."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not tables and not version:
        return  # new
    if application != _APPLICATION_ID:
        raise JournalError(f"journal {str(path)!r}: it is another program's database, no journal")
    if version != VERSION:
        raise JournalError(
            f"journal {str(path)!r}: its format is {version}, and this version of the package reads {VERSION}"
        )


def _digest_of(secret: str, salt: bytes) -> str:
    return hashlib.blake2b(secret.encode(), digest_size=20, key=salt).hexdigest()
