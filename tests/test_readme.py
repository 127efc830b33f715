"""Every example of the README runs, against an emulator with the engine that everybody has."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from readme import Example, emulator, examples, run


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with emulator() as found:
        yield found


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_example_runs(example: Example, environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "statements").mkdir()
    run(example, environment, tmp_path)


def test_first_example_leaves_the_pdf_it_promises(environment: dict[str, str], tmp_path: Path) -> None:
    pypdfium2 = pytest.importorskip("pypdfium2", reason="reads the PDF back; comes with the emulator extra")
    run(examples()[0], environment, tmp_path)
    with pypdfium2.PdfDocument(tmp_path / "hello.pdf") as document:
        assert document[0].get_size() == pytest.approx((595.4, 842.4), abs=1)  # A4; engines round differently
        assert "Hello, paper" in document[0].get_textpage().get_text_range()


def test_the_readme_names_the_two_commands() -> None:
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert "python3 noxfile.py demo" in text
    assert "python3 noxfile.py tests" in text
