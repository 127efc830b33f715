"""Safe names, and files that appear complete or not at all: on a real disk."""

from __future__ import annotations

import errno
import ntpath
import os
import resource
import stat
import threading
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloudlayer_async.errors import ValidationError
from cloudlayer_async.files import (
    MAX_NAME_BYTES,
    PartialFile,
    Target,
    check_target,
    free_path,
    remove_parts,
    safe_filename,
)

# Python 3.13 moved the question, and warns at the old place.
is_reserved: Callable[[str], bool] = getattr(ntpath, "isreserved", lambda name: PureWindowsPath(name).is_reserved())

# --- names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("Отчёт 2026 (final).pdf", "Отчёт 2026 (final).pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/abs/olute.pdf", "olute.pdf"),
        ("C:\\Users\\me\\a.pdf", "a.pdf"),
        ("C:a.pdf", "C_a.pdf"),
        ("a.txt:hidden", "a.txt_hidden"),
        ("mixed/of\\both.pdf", "both.pdf"),
        ("folder/", "document"),
        ("", "document"),
        (None, "document"),
        (".", "document"),
        ("..", "document"),
        ("...", "document"),
        (" . . ", "document"),
        ("\x00", "document"),
        (".bashrc", "bashrc"),
        ("trailing. . ", "trailing"),
        ("nul\x00l.pdf", "null.pdf"),
        ("line\r\nbreak\t.pdf", "linebreak.pdf"),
        ("\x7f\x85\x9ba.pdf", "a.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\u2066a\u2069\ufeff\u200e.pdf", "a.pdf"),
        ("lone\udc80.pdf", "lone.pdf"),
        ('<a>:"b"|c?*.pdf', "_a___b__c__.pdf"),
        ("a\u0301.pdf", "á.pdf"),
        ("a\x00\u0301.pdf", "á.pdf"),
        ("می\u200cخواهم.pdf", "می\u200cخواهم.pdf"),
        ("CON", "_CON"),
        ("nul.pdf", "_nul.pdf"),
        ("Com1.tar.gz", "_Com1.tar.gz"),
        ("lpt¹.pdf", "_lpt¹.pdf"),
        ("aux .pdf", "_aux .pdf"),
        ("CONIN$", "_CONIN$"),
        ("console.pdf", "console.pdf"),
        ("com10.pdf", "com10.pdf"),
    ],
)
def test_a_name_becomes_safe(sent: str | None, safe: str) -> None:
    assert safe_filename(sent) == safe


def test_the_default_and_the_extension() -> None:
    assert safe_filename("", default="job-1", extension=".pdf") == "job-1.pdf"
    assert safe_filename(None, default="../..", extension="pdf") == "document.pdf"
    assert safe_filename("page", extension="pdf") == "page.pdf"
    assert safe_filename("page.HTML", extension="pdf") == "page.HTML"
    assert safe_filename("version 1.2", extension="pdf") == "version 1.2.pdf"
    assert safe_filename("clip.mp4", extension="pdf") == "clip.mp4"
    assert safe_filename("page", extension="../x/pdf") == "page.pdf"
    assert safe_filename("page", extension="...") == "page"
    assert safe_filename("con", extension="pdf") == "_con.pdf"


def test_a_long_name_is_cut_before_its_extension_and_between_characters() -> None:
    assert safe_filename("a" * 500 + ".pdf") == "a" * 196 + ".pdf"
    assert safe_filename("🎉" * 100 + ".pdf") == "🎉" * 49 + ".pdf"
    assert safe_filename("a." + "b" * 500) == "a." + "b" * 198
    assert safe_filename("a" * 195 + "  " + "b" * 50 + ".pdf") == "a" * 195 + ".pdf"
    assert safe_filename("con" + " " * 300 + "x.pdf") == "_con.pdf"


words = st.sampled_from(
    [
        "con",
        "NUL",
        "com1",
        "LPT¹",
        ".pdf",
        ".tar.gz",
        "a" * 199,
        "💾" * 51,
        "/",
        "\\",
        " ",
        "..",
    ]
)
marks = st.sampled_from(
    [
        *'/\\.: \t\n\x00<>"|?*$~-',
        "\u202e",
        "\u2066",
        "\u0301",
        "\ud800",
        "\u200d",
        "\ufeff",
    ]
)
hostile = st.lists(words | marks | st.text(max_size=5), max_size=12).map("".join) | st.text()


@settings(deadline=None)
@given(hostile)
@example("a" * 199 + "\u0301")
@example("con" + " " * 197 + "x")
def test_any_name_becomes_safe_everywhere(sent: str) -> None:
    safe = safe_filename(sent)
    assert safe
    assert len(safe.encode()) <= MAX_NAME_BYTES
    assert safe == unicodedata.normalize("NFC", safe)
    assert not set(safe) & set('/\\<>:"|?*')
    assert all(unicodedata.category(char) not in ("Cc", "Cs", "Cn", "Zl", "Zp") for char in safe)
    assert not set(safe) & set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
    assert safe == safe.strip().strip(".")
    assert not is_reserved(safe)
    assert PureWindowsPath(safe).name == Path(safe).name == safe
    assert safe_filename(safe) == safe


@given(hostile)
def test_any_name_can_be_written(tmp_path_factory: pytest.TempPathFactory, sent: str) -> None:
    folder = tmp_path_factory.mktemp("names")
    with PartialFile(Target(folder, is_folder=True), sent) as part:
        part.write(b"whole")
        path = part.commit()
    assert path.parent == folder
    assert os.listdir(folder) == [path.name] == [safe_filename(sent)]


def test_a_free_path_gets_a_number_before_the_extension(tmp_path: Path) -> None:
    names = ["a.pdf", "a (2).pdf", "a (3).pdf", "a (4).pdf"]
    for name in names:
        path = free_path(tmp_path, "a.pdf")
        assert path == tmp_path / name
        path.touch()
    (tmp_path / "a (2).pdf").unlink()
    assert free_path(tmp_path, "a.pdf").name == "a (2).pdf"
    (tmp_path / "plain").symlink_to("nowhere")
    assert free_path(tmp_path, "plain").name == "plain (2)"


def test_a_free_path_is_found_in_a_few_steps_among_thousands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {str(tmp_path / "a.pdf")} | {str(tmp_path / f"a ({number}).pdf") for number in range(2, 50_001)}
    looks: list[Path] = []

    def lexists(path: Path) -> bool:
        looks.append(path)
        return str(path) in taken

    monkeypatch.setattr(os.path, "lexists", lexists)
    assert free_path(tmp_path, "a.pdf") == tmp_path / "a (50001).pdf"
    assert len(looks) < 60


# --- targets ----------------------------------------------------------------------------------------------------


def test_an_existing_folder_and_a_text_with_a_separator_are_folders(
    tmp_path: Path,
) -> None:
    assert check_target(tmp_path) == Target(tmp_path, is_folder=True)
    assert check_target(f"{tmp_path}/new/deep/") == Target(tmp_path / "new/deep", is_folder=True)
    assert (tmp_path / "new/deep").is_dir()
    (tmp_path / "link").symlink_to(tmp_path / "new")
    assert check_target(tmp_path / "link").is_folder


def test_anything_else_is_an_exact_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old.pdf").touch()
    assert check_target(tmp_path / "new.pdf") == Target(tmp_path / "new.pdf", is_folder=False)
    assert check_target(str(tmp_path / "old.pdf")) == Target(tmp_path / "old.pdf", is_folder=False)
    monkeypatch.chdir(tmp_path)
    assert check_target("here.pdf") == Target(Path("here.pdf"), is_folder=False)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "must be the path"),
        ("a\0b", "must be the path"),
        ("\ud800", "must be the path"),
        (b"bytes.pdf", "must be the path"),
        (7, "must be the path"),
        (None, "must be the path"),
        ("missing/a.pdf", "there is no folder"),
        ("file/a.pdf", "there is no folder"),
        ("file/", "cannot be used"),
        ("file/sub/", "cannot be used"),
        ("pipe", "neither a file nor a folder"),
        ("link-to-pipe", "neither a file nor a folder"),
        ("x" * 300, "cannot be used"),
    ],
)
def test_a_target_that_cannot_work_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Any, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    os.mkfifo("pipe")
    Path("link-to-pipe").symlink_to("pipe")
    with pytest.raises(ValidationError, match=reason) as caught:
        check_target(path)
    assert caught.value.field == "path"


def test_a_folder_that_is_not_writable_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # for root everything is writable
    for target in (tmp_path, tmp_path / "a.pdf"):
        with pytest.raises(ValidationError, match="not writable"):
            check_target(target)


# --- whole files ------------------------------------------------------------------------------------------------


def exact(path: Path) -> Target:
    return Target(path, is_folder=False)


def test_a_file_appears_whole_and_only_at_the_commit(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    with PartialFile(exact(path)) as part:
        part.write(b"one")
        part.write(bytearray(b"two"))
        part.write(memoryview(b"three"))
        assert part.size == 11
        assert not path.exists()
        [temporary] = tmp_path.iterdir()
        assert temporary.name.startswith(".a.pdf.")
        assert temporary.suffix == ".part"
        assert part.commit() == path
        assert path.read_bytes() == b"onetwothree"
    assert os.listdir(tmp_path) == ["a.pdf"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, GeneratorExit])
def test_leaving_without_a_commit_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"old")
    with pytest.raises(error), PartialFile(exact(path)) as part:
        part.write(b"half")
        raise error
    with PartialFile(exact(path)) as part:
        part.write(b"half")
    assert os.listdir(tmp_path) == ["a.pdf"]
    assert path.read_bytes() == b"old"


def test_an_exact_path_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"old and longer")
    path.chmod(0o640)
    reader = path.open("rb")
    with reader, PartialFile(exact(path)) as part:
        [temporary] = tmp_path.glob(".*")
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o640
        part.write(b"new")
        part.commit()
        assert reader.read() == b"old and longer"
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.fixture
def umask() -> Iterator[int]:
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path, umask: int) -> None:
    with PartialFile(exact(tmp_path / "a.pdf")) as part:
        path = part.commit()
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_a_symbolic_link_is_replaced_not_followed(tmp_path: Path) -> None:
    other, link = tmp_path / "other.pdf", tmp_path / "link.pdf"
    other.write_bytes(b"precious")
    link.symlink_to(other)
    with PartialFile(check_target(link)) as part:
        part.write(b"new")
        assert part.commit() == link
    assert not link.is_symlink()
    assert link.read_bytes() == b"new"
    assert other.read_bytes() == b"precious"


def test_a_broken_download_starts_again(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    with PartialFile(exact(path)) as part:
        part.write(b"a long first try")
        part.restart()
        assert part.size == 0
        part.write(b"second")
        part.commit()
    assert path.read_bytes() == b"second"


def test_in_a_folder_nothing_is_replaced(tmp_path: Path) -> None:
    paths = []
    for number in range(3):
        with PartialFile(Target(tmp_path, is_folder=True), "../a.pdf") as part:
            part.write(bytes([number]))
            paths.append(part.commit())
    assert [path.name for path in paths] == ["a.pdf", "a (2).pdf", "a (3).pdf"]
    assert [path.read_bytes() for path in paths] == [b"\0", b"\1", b"\2"]
    assert len(os.listdir(tmp_path)) == 3


def save_many(folder: Path, savers: int = 16) -> list[bytes]:
    """Saves under one name from many threads at once; what is then in the folder."""
    start = threading.Barrier(savers)
    faults: list[OSError] = []

    def save(number: int) -> None:
        try:
            with PartialFile(Target(folder, is_folder=True), "same.pdf") as part:
                part.write(bytes([number]) * 10_000)
                start.wait()
                part.commit()
        except OSError as fault:
            faults.append(fault)

    threads = [threading.Thread(target=save, args=[number]) for number in range(savers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(os.listdir(folder)) == savers
    return sorted(path.read_bytes() for path in folder.iterdir())


def test_threads_saving_the_same_name_all_get_a_whole_file(tmp_path: Path) -> None:
    assert save_many(tmp_path) == [bytes([number]) * 10_000 for number in range(16)]


def without_links(source: Path, target: Path) -> None:
    raise OSError(errno.EPERM, "no hard links here")


def test_the_same_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", without_links)
    assert save_many(tmp_path) == [bytes([number]) * 10_000 for number in range(16)]


def test_a_failed_rename_leaves_no_empty_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EIO, "broken disk")

    monkeypatch.setattr(os, "link", without_links)
    monkeypatch.setattr(os, "replace", refuse)
    for target in (Target(tmp_path, is_folder=True), exact(tmp_path / "b.pdf")):
        with (
            pytest.raises(OSError, match="broken disk"),
            PartialFile(target, "a.pdf") as part,
        ):
            part.write(b"whole")
            part.commit()
    assert os.listdir(tmp_path) == []


@pytest.fixture
def full_disk() -> Iterator[int]:
    """No file may grow beyond so many bytes: the system refuses the write half-way, as a full disk does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))
    yield 5_000
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_noticed_and_leaves_nothing(tmp_path: Path, full_disk: int) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"old")
    with pytest.raises(OSError), PartialFile(exact(path)) as part:
        part.write(bytes(full_disk - 1_000))
        part.write(bytes(full_disk))
    assert os.listdir(tmp_path) == ["a.pdf"]
    assert path.read_bytes() == b"old"


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    with PartialFile(exact(tmp_path / "a")) as part:
        part.write(bytes(range(100)))
        assert part.commit().read_bytes() == bytes(range(100))


def test_a_folder_that_went_away_is_an_os_error(tmp_path: Path) -> None:
    target = check_target(f"{tmp_path}/gone/")
    target.path.rmdir()
    with pytest.raises(FileNotFoundError), PartialFile(target, "a.pdf"):
        pass


def test_the_longest_names_of_the_system_still_work(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 120 + "x" * 11 + ".pdf")
    with PartialFile(check_target(path)) as part:
        part.write(b"whole")
        assert part.commit() == path
    assert path.read_bytes() == b"whole"


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for number in range(20):
        with PartialFile(exact(tmp_path / "a")) as part:
            part.write(b"x")
            if number % 2:
                part.commit()
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert before == after


def test_parts_of_a_mark_are_removed_and_nothing_else(tmp_path: Path) -> None:
    target = check_target(f"{tmp_path}/")
    for mark in ("abc-1-", "abc-2-", "abd-1-", ""):
        PartialFile(target, "a b.pdf", mark=mark).__enter__()
    (tmp_path / "whole.abc-1-.pdf").touch()
    remove_parts(tmp_path, "abc-", but="abc-2-")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert len(left) == 4 and not any(".abc-1-" in name and name.endswith(".part") for name in left)
    remove_parts(tmp_path / "nowhere", "abc-", but="")
