"""The README's examples: found, written out for type checkers, run against the emulator.

python tests/readme.py demo            # run the first example here, and say what it made
python tests/readme.py write FOLDER    # write every example as a module
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Example(NamedTuple):
    """One example: a name fit for a file, and its code."""

    name: str
    code: str


def examples() -> list[Example]:
    """All of them, in order, named after the section they stand in."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found: list[Example] = []
    for match in _BLOCK.finditer(text):
        heading = _HEADING.findall(text[: match.start()])[-1]
        slug = re.sub(r"\W+", "_", heading.lower()).strip("_")
        found.append(Example(f"readme_{len(found) + 1:02}_{slug}", match[1]))
    return found


@contextmanager
def emulator(*arguments: str) -> Iterator[dict[str, str]]:
    """An emulator in a process of its own; gives the environment in which a client finds it."""
    command = [sys.executable, "-m", "cloudlayer_async.emulator", "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        address = re.search(r"https?://\S+", line)
        key = re.search(r"\bcl-\S+", line)
        if address is None or key is None:
            raise RuntimeError(f"the emulator did not start: {line!r}")
        yield {**os.environ, "CLOUDLAYER_BASE_URL": address[0], "CLOUDLAYER_API_KEY": key[0]}
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def run(example: Example, environment: dict[str, str], folder: Path) -> str:
    """What an example printed, run in a folder with warnings as errors."""
    command = [sys.executable, "-W", "error", "-c", example.code]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise AssertionError(f"{example.name} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def demo() -> None:
    """Runs the first example in the current folder and reads back what it made."""
    with emulator() as environment:
        print(run(examples()[0], environment, Path.cwd()), end="")
    import pypdfium2

    with pypdfium2.PdfDocument("hello.pdf") as document:
        page = document[0]
        text = page.get_textpage().get_text_range().strip()
        width, height = page.get_size()
        print(f"hello.pdf: {len(document)} page of {width:.0f} x {height:.0f} points, which says {text!r}")


def write(folder: Path) -> None:
    """Writes every example as a module, for type checkers."""
    folder.mkdir(parents=True, exist_ok=True)
    for example in examples():
        (folder / f"{example.name}.py").write_text(example.code, encoding="utf-8")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["demo"]:
            demo()
        case ["write", folder]:
            write(Path(folder))
        case _:
            sys.exit(__doc__)
