"""Batches as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudlayer_async import (
    AsyncCloudlayer,
    DocxToPdf,
    HtmlToPdf,
    Margin,
    MergePdfs,
    TemplateToPdf,
    UrlToImage,
    ValidationError,
    read_manifest,
    write_manifest,
)

from .service import FakeService


def test_requests_come_back_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"docx")
    requests: list[Any] = [
        HtmlToPdf("<p>\u20ac", margin=Margin(top="1in")),
        ("my key", UrlToImage("https://example.com", image_type="png")),
        TemplateToPdf(template_id="x", data={"b": None, "a": [1, 2.5]}),
        DocxToPdf(tmp_path / "a.docx"),
        DocxToPdf(b"bytes"),
        MergePdfs(["https://example.com/1", "https://example.com/2"]),
    ]
    path = tmp_path / "batch.jsonl"
    assert write_manifest(requests, path) == 6
    manifest = read_manifest(path)
    assert len(manifest) == 6 and list(manifest) == requests and list(manifest) == requests
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["kind"] == "html_to_pdf" and lines[1]["key"] == "my key"


BAD = """\
{"kind": "html_to_pdf", "html": "<p>1"}
{"kind": "html_to_pdf", "html": "<p>2", "colour": "red"}

{"kind": "html_to_gif", "html": "<p>3"}
[1]
{"kind": "html_to_pdf"
{"kind": "html_to_pdf", "html": "<p>5", "key": 7}
{"kind": "url_to_pdf", "url": "https://example.com", "margin": {"top": "far"}}
{"kind": "html_to_pdf", "html": "<p>6"}
"""


def test_bad_lines_are_all_named_before_anything_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "batch.jsonl"
    path.write_text(BAD)
    with pytest.raises(ValidationError) as caught:
        read_manifest(path)
    assert [f"line {number}:" in str(caught.value) for number in range(1, 10)] == [
        False, True, False, True, True, True, True, True, False,
    ]  # fmt: skip
    assert "colour" in str(caught.value)


def test_bad_lines_are_skipped_on_request(tmp_path: Path) -> None:
    path = tmp_path / "batch.jsonl"
    path.write_text(BAD)
    manifest = read_manifest(path, bad_lines="skip")
    assert list(manifest) == [HtmlToPdf("<p>1"), HtmlToPdf("<p>6")]
    assert list(manifest.bad_lines) == [2, 4, 5, 6, 7, 8]


def test_what_cannot_be_written_or_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"docx")
    with (tmp_path / "file").open("rb") as file, pytest.raises(ValidationError, match="open file"):
        write_manifest([DocxToPdf(file)], tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
    with pytest.raises(ValidationError, match="cannot be read"):
        read_manifest(tmp_path / "none.jsonl")
    with pytest.raises(ValidationError, match="bad_lines"):
        read_manifest(tmp_path / "file", bad_lines="ignore")  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_a_manifest_is_a_batch(cl: AsyncCloudlayer, service: FakeService, tmp_path: Path) -> None:
    write_manifest([HtmlToPdf(f"<p>{number}") for number in range(5)], tmp_path / "batch.jsonl")
    report = await cl.run_batch(read_manifest(tmp_path / "batch.jsonl"), save_to=tmp_path / "out")
    assert report.succeeded == 5 and len(list((tmp_path / "out").iterdir())) == 5


def test_a_key_is_given_once(tmp_path: Path) -> None:
    path = tmp_path / "batch.jsonl"
    lines = [{"kind": "html_to_pdf", "html": "<p>", "key": key} for key in ("a", "b", "a")]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    with pytest.raises(ValidationError, match="line 3: key 'a' was given in line 1"):
        read_manifest(path)
    manifest = read_manifest(path, bad_lines="skip")
    assert [key for key, _ in manifest] == ["a", "b"] and len(manifest) == 2 and list(manifest.bad_lines) == [3]
    assert "2 requests, 1 bad lines" in repr(manifest)


@pytest.mark.parametrize("requests", [HtmlToPdf("<p>"), "lines", {"a": HtmlToPdf("<p>")}, None])
def test_what_is_no_list_of_requests_is_not_written(tmp_path: Path, requests: Any) -> None:
    with pytest.raises(ValidationError, match="requests must be an iterable"):
        write_manifest(requests, tmp_path / "batch.jsonl")
    assert not list(tmp_path.iterdir())
