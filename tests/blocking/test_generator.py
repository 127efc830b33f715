"""The generator: twins from source text alone, and what makes its check fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cloudlayer_async

pytestmark = pytest.mark.sources

PACKAGE = Path(cloudlayer_async.__file__).parent
GENERATED = ("_keywords.py", "blocking/_client.py", "blocking/_conversion.py", "blocking/_batch.py")


class Copy:
    """A copy of the package, to be spoilt."""

    def __init__(self, folder: Path) -> None:
        self.package = folder / "cloudlayer_async"
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("emulator", "webhooks", "__pycache__"))

    def generate(self, *arguments: str) -> tuple[int, str]:
        """Runs the generator: its exit code and what it said. Neither this package nor any library is there to import."""
        command = [sys.executable, "-I", "-S", str(self.package / "blocking" / "generate.py"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout.strip()

    def edit(self, path: str, old: str, new: str) -> None:
        """Changes a file in one place."""
        file = self.package / path
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r}: the test must follow the source"
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    def add_method(self, text: str) -> None:
        """Gives the async client one more method."""
        self.edit("client.py", "    async def submit(", f"{text}\n    async def submit(")

    def is_as_in_the_package(self) -> bool:
        """Whether all generated files are there, byte for byte."""
        return all((self.package / path).read_bytes() == (PACKAGE / path).read_bytes() for path in GENERATED)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_an_untouched_package_passes(copy: Copy) -> None:
    assert copy.generate("--check") == (0, "")


def test_absent_files_are_seen_and_written(copy: Copy) -> None:
    for path in GENERATED:
        (copy.package / path).unlink()
    code, said = copy.generate("--check")
    assert code == 1
    assert said.count("differs: ") == len(GENERATED)
    assert not (copy.package / GENERATED[0]).exists()
    assert copy.generate()[0] == 0
    assert copy.is_as_in_the_package()


@pytest.mark.parametrize("junk", [b"broken (", b"", b"\xff\xfe not text at all \x00"])
def test_broken_files_are_seen_and_written(copy: Copy, junk: bytes) -> None:
    for path in GENERATED:
        (copy.package / path).write_bytes(junk)
    assert copy.generate("--check")[0] == 1
    assert copy.generate()[0] == 0
    assert copy.is_as_in_the_package()


@pytest.mark.parametrize("path", GENERATED)
def test_whole_files_are_compared(copy: Copy, path: str) -> None:
    with (copy.package / path).open("a", encoding="utf-8") as file:
        file.write("# a longer tail\n")
    code, said = copy.generate("--check")
    assert code == 1
    assert said == f"differs: cloudlayer_async/{path}"


def test_a_changed_docstring_is_drift(copy: Copy) -> None:
    copy.edit("client.py", "Sends a conversion, once,", "Sends a conversion, just once,")
    assert copy.generate("--check") == (1, "differs: cloudlayer_async/blocking/_client.py")


@pytest.mark.parametrize("path", ["_old.py", "blocking/_old.py", "batch/_old.py"])
def test_an_orphan_fails(copy: Copy, path: str) -> None:
    shutil.copy(copy.package / "blocking" / "_batch.py", copy.package / path)
    code, said = copy.generate("--check")
    assert code == 1
    assert said == f"orphan, to be deleted: cloudlayer_async/{path}"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"aclose": "close",', '"aclose": "close", "aopen": "open",', "'aopen' in methods"),
        ('"AsyncBatch": "Batch",', '"AsyncBatch": "Batch", "AsyncJob": "Job",', "'AsyncJob' in types"),
        ('"Requests": "pull', '"Nothing": "ask_caller", "Requests": "pull', "'Nothing' in arguments"),
        (
            '"AsyncBatch.__aiter__":',
            '"AsyncBatch.__len__": "", "AsyncBatch.__aiter__":',
            "'AsyncBatch.__len__' in bodies",
        ),
        ('"awaitable steps":', '"no such words": "", "awaitable steps":', "'no such words' in docs"),
    ],
)
def test_an_unused_rule_fails(copy: Copy, old: str, new: str, complaint: str) -> None:
    copy.edit("blocking/_generator/rules.py", old, new)
    code, said = copy.generate("--check")
    assert code == 1
    assert complaint in said
    assert "of no use" in said


@pytest.mark.parametrize(
    ("method", "complaint"),
    [
        ('    async def extra(self, size) -> None:\n        """Doc."""\n', "extra has a parameter without annotation"),
        (
            '    async def extra(self, *, size=1) -> None:\n        """Doc."""\n',
            "extra has a parameter without annotation",
        ),
        (
            '    async def extra(self, **options) -> None:\n        """Doc."""\n',
            "extra has a parameter without annotation",
        ),
        ('    async def extra(self):\n        """Doc."""\n', "extra has no return annotation"),
        ("    async def extra(self) -> None:\n        pass\n", "extra has no docstring"),
        ('    @overload\n    async def extra(self) -> None:\n        """Doc."""\n', "extra is decorated with overload"),
        ('    async def extra(self, *names: str) -> None:\n        """Doc."""\n', "extra has parameters of a kind"),
        (
            '    async def extra(self) -> None:\n        """To be awaited with `await`."""\n',
            "says 'await' in its docstring",
        ),
        ("    def __len__(self) -> int:\n        return 0\n", "__len__ has no rule"),
    ],
)
def test_a_method_without_a_twin_fails(copy: Copy, method: str, complaint: str) -> None:
    copy.add_method(method)
    code, said = copy.generate("--check")
    assert code == 1
    assert complaint in said
    assert said.startswith("cloudlayer_async/client.py:")


def test_a_new_coroutine_gets_its_twin(copy: Copy) -> None:
    copy.add_method('    async def extra(self, size: int = 3) -> int:\n        """The size."""\n        return size\n')
    assert copy.generate("--check") == (1, "differs: cloudlayer_async/blocking/_client.py")
    assert copy.generate()[0] == 0
    twin = (copy.package / "blocking" / "_client.py").read_text(encoding="utf-8")
    assert (
        "    def extra(self, size: int = 3) -> int:\n"
        '        """The size."""\n'
        "        return self._portal.run(self._async.extra, size)\n"
    ) in twin
