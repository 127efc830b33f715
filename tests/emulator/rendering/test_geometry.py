"""Paper and page ranges, without drawing."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlayer_async.emulator.rendering import RenderError
from cloudlayer_async.emulator.rendering.geometry import page_indices, paper, points, viewport


@pytest.mark.parametrize(
    ("length", "expected"),
    [(96, 72), ("96", 72), ("96px", 72), ("1in", 72), ("2.54cm", 72), ("25.4 mm", 72), ("1IN", 72), (0, 0)],
)
def test_lengths_are_points(length: object, expected: float) -> None:
    assert points(length, "width") == pytest.approx(expected)


@pytest.mark.parametrize("length", ["wide", "1em", "-1px", -1, True, None, "1 2"])
def test_what_is_no_length_is_refused_by_name(length: object) -> None:
    with pytest.raises(RenderError, match=r"margin\.top"):
        points(length, "margin.top")


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, (612, 792)),
        ({"format": "a4"}, (595, 842)),
        ({"format": "ledger"}, (1224, 792)),
        ({"format": "tabloid"}, (792, 1224)),
        ({"format": "a4", "landscape": True}, (842, 595)),
        ({"width": "10cm", "height": 96}, (283, 72)),
        ({"format": "a6", "width": "10cm"}, (297, 420)),
    ],
)
def test_the_paper_follows_the_options(options: dict[str, Any], size: tuple[int, int]) -> None:
    sheet = paper(options, is_template=False)
    assert (round(sheet.width), round(sheet.height)) == size


def test_margins_have_the_documented_defaults_and_templates_none() -> None:
    sheet = paper({}, is_template=False)
    assert [sheet.top, sheet.left, sheet.bottom, sheet.right] == pytest.approx([28.8, 28.8, 28.08, 28.08])
    template = paper({"margin": {"left": "1in"}}, is_template=True)
    assert [template.top, template.left, template.bottom, template.right] == pytest.approx([0, 72, 0, 0])


def test_margins_that_leave_no_room_are_refused() -> None:
    with pytest.raises(RenderError, match="no room"):
        paper({"margin": {"top": "6in", "bottom": "5in"}}, is_template=False)


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        (None, [0, 1, 2, 3]),
        ("", [0, 1, 2, 3]),
        ("2", [1]),
        ("3-9", [2, 3]),
        (" 1 , 3 - 4,3", [0, 2, 3]),
        ("4,1", [0, 3]),
    ],
)
def test_page_ranges_are_read(ranges: str | None, expected: list[int]) -> None:
    assert page_indices(ranges, 4) == expected


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ("5", "exceeds page count"),
        ("1,9-10", "exceeds page count"),
        ("3-1", "start > end"),
        ("0", "invalid"),
        ("x", "invalid"),
    ],
)
def test_impossible_page_ranges_are_errors(ranges: str, message: str) -> None:
    with pytest.raises(RenderError, match=message):
        page_indices(ranges, 4)


def test_the_viewport_comes_from_its_option_then_from_width_and_height() -> None:
    assert (viewport({}).width, viewport({}).height) == (800, 600)
    assert viewport({"width": "2in"}).width == 192
    turned = viewport({"viewPort": {"width": 300, "height": 500, "isLandscape": True, "deviceScaleFactor": 2}})
    assert (turned.width, turned.height, turned.ratio) == (500, 300, 2)
