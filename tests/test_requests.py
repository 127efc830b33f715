"""Every option of the contract, section 4: its wire name, type, unit and range. The tables are written from the contract."""

from __future__ import annotations

import base64
import enum
import io
import json
import math
import pickle
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import ADDRESS, MINIMAL, PAGE, fixture, minimal, sent, submission

from cloudlayer_async import (
    UNSET,
    BasicAuth,
    Cookie,
    DocxToHtml,
    DocxToPdf,
    HeaderFooter,
    HtmlToImage,
    HtmlToPdf,
    Margin,
    MergePdfs,
    PdfToDocx,
    Preview,
    TemplateToImage,
    TemplateToPdf,
    UrlToImage,
    UrlToPdf,
    UserStorage,
    ValidationError,
    Viewport,
    WaitForSelector,
)
from cloudlayer_async.requests import REQUEST_TYPES, check_defaults, with_defaults

HOOK = "https://hooks.example/cl/5f1"

# --- the contract's tables: our name, a value of ours, the wire's name, the wire's value ----------------------------

BASE: list[tuple[str, Any, str, Any]] = [
    ("name", "march", "name", "march"),
    ("timeout", 45_000, "timeout", 45_000),
    ("timeout", timedelta(seconds=45), "timeout", 45_000),
    ("delay", 250, "delay", 250),
    ("delay", timedelta(seconds=1.5), "delay", 1500),
    ("filename", "march statement.pdf", "filename", "march statement.pdf"),
    ("inline", True, "inline", True),
    ("inline", False, "inline", False),
    ("async_", True, "async", True),
    ("storage", True, "storage", True),
    ("storage", UserStorage("6d1c"), "storage", {"id": "6d1c"}),
    ("webhook", HOOK, "webhook", HOOK),
    ("project_id", "prj_water", "projectId", "prj_water"),
    ("generate_preview", True, "generatePreview", True),
    ("generate_preview", False, "generatePreview", False),
    ("generate_preview", Preview(width=300), "generatePreview", {"width": 300, "type": "webp", "quality": 80}),
]
SELECTOR = {"selector": "#done", "options": {"visible": True, "timeout": 5000}}
BROWSER: list[tuple[str, Any, str, Any]] = [
    *[("wait_until", word, "waitUntil", word) for word in ("load", "domcontentloaded", "networkidle0", "networkidle2")],
    ("wait_for_selector", WaitForSelector("#done", visible=True, timeout=5000), "waitForSelector", SELECTOR),
    ("wait_for_frame", True, "waitForFrame", True),
    ("wait_for_frame_attachment", False, "waitForFrameAttachment", False),
    ("wait_for_frame_navigation", "load", "waitForFrameNavigation", "load"),
    ("wait_for_frame_images", True, "waitForFrameImages", True),
    ("wait_for_frame_selector", WaitForSelector("#done"), "waitForFrameSelector", {"selector": "#done"}),
    ("prefer_css_page_size", True, "preferCSSPageSize", True),
    ("scale", 0.1, "scale", 0.1),
    ("scale", 2, "scale", 2),
    ("width", 800, "width", 800),
    ("width", 800.5, "width", 800.5),
    ("width", "21cm", "width", "21cm"),
    ("height", "11.5in", "height", "11.5in"),
    ("landscape", True, "landscape", True),
    ("page_ranges", "1-5, 8, 11-13", "pageRanges", "1-5, 8, 11-13"),
    ("auto_scroll", True, "autoScroll", True),
    ("viewport", Viewport(1280, 720), "viewPort", {"width": 1280, "height": 720}),
    ("time_zone", "Europe/Rome", "timeZone", "Europe/Rome"),
    ("emulate_media_type", "screen", "emulateMediaType", "screen"),
    ("emulate_media_type", "print", "emulateMediaType", "print"),
    ("emulate_media_type", None, "emulateMediaType", None),
]
FORMATS = ("letter", "legal", "tabloid", "ledger", "a0", "a1", "a2", "a3", "a4", "a5", "a6")
PDF: list[tuple[str, Any, str, Any]] = [
    *[("format", word, "format", word) for word in FORMATS],
    ("margin", Margin(top="1in", left=0), "margin", {"top": "1in", "left": 0}),
    ("print_background", True, "printBackground", True),
    ("header_template", HeaderFooter(template="<b>h</b>"), "headerTemplate", {"template": "<b>h</b>"}),
    (
        "footer_template",
        HeaderFooter(method="extract", selector="#foot"),
        "footerTemplate",
        {"method": "extract", "selector": "#foot"},
    ),
]
IMAGE: list[tuple[str, Any, str, Any]] = [
    *[("image_type", word, "imageType", word) for word in ("png", "jpg", "jpeg", "webp", "svg")],
    ("quality", 0, "quality", 0),
    ("quality", 100, "quality", 100),
    ("transparent", True, "transparent", True),
    ("trim", False, "trim", False),
]
URL: list[tuple[str, Any, str, Any]] = [
    ("authentication", BasicAuth("ann", "pw"), "authentication", {"username": "ann", "password": "pw"}),
    ("cookies", [Cookie("sid", "1")], "cookies", [{"name": "sid", "value": "1"}]),
]
GROUPS: dict[str, list[list[tuple[str, Any, str, Any]]]] = {
    "url_to_pdf": [URL, BASE, BROWSER, PDF],
    "url_to_image": [URL, BASE, BROWSER, IMAGE],
    "html_to_pdf": [BASE, BROWSER, PDF],
    "html_to_image": [BASE, BROWSER, IMAGE],
    "template_to_pdf": [BASE, BROWSER, PDF],
    "template_to_image": [BASE, BROWSER, IMAGE],
    "docx_to_pdf": [BASE],
    "docx_to_html": [BASE],
    "pdf_to_docx": [BASE],
    "merge_pdfs": [URL, BASE],
}
INPUTS: dict[str, set[str]] = {
    "url_to_pdf": {"url", "batch"},
    "url_to_image": {"url", "batch"},
    "html_to_pdf": {"html"},
    "html_to_image": {"html"},
    "template_to_pdf": {"template_id", "template", "data"},
    "template_to_image": {"template_id", "template", "data"},
    "docx_to_pdf": {"file"},
    "docx_to_html": {"file"},
    "pdf_to_docx": {"file"},
    "merge_pdfs": {"urls"},
}
SOURCES: dict[str, dict[str, Any]] = {
    "url_to_pdf": {"url": ADDRESS},
    "url_to_image": {"url": ADDRESS},
    "html_to_pdf": {"html": base64.b64encode(PAGE.encode()).decode()},
    "html_to_image": {"html": base64.b64encode(PAGE.encode()).decode()},
    "template_to_pdf": {"templateId": "plain-invoice", "data": {}},
    "template_to_image": {"templateId": "plain-invoice", "data": {}},
    "merge_pdfs": {"batch": {"urls": [ADDRESS]}},
}
PATHS = {
    "url_to_pdf": "/url/pdf",
    "url_to_image": "/url/image",
    "html_to_pdf": "/html/pdf",
    "html_to_image": "/html/image",
    "template_to_pdf": "/template/pdf",
    "template_to_image": "/template/image",
    "docx_to_pdf": "/docx/pdf",
    "docx_to_html": "/docx/html",
    "pdf_to_docx": "/pdf/docx",
    "merge_pdfs": "/pdf/merge",
}
UPLOADS = ("docx_to_pdf", "docx_to_html", "pdf_to_docx")
EVERY = [(kind, *row) for kind, groups in GROUPS.items() for group in groups for row in group]


def form_fields(request: Any, **settings: Any) -> dict[str, Any]:
    """The text parts of an upload's form."""
    return {part.name: part.content for part in submission(request, **settings).form if part.filename is None}


def refused(field: str, make: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        make()
    assert caught.value.field == field
    return str(caught.value)


# --- what is sent ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name", "value", "wire", "encoded"), EVERY)
def test_each_option_is_sent_under_its_wire_name_and_nothing_else_is(
    kind: str, name: str, value: Any, wire: str, encoded: Any
) -> None:
    request = minimal(kind, **{name: value})
    if kind in UPLOADS:
        fields = form_fields(request)
        text = fields.pop(wire)
        assert fields == {}
        assert (text if isinstance(encoded, str) else json.loads(text)) == encoded
        for encoding in ("options", "json"):
            fields = form_fields(request, upload_options=encoding)
            assert {key: json.loads(text) for key, text in fields.items()} == {encoding: {wire: encoded}}
    else:
        body = sent(request)
        assert body == {**SOURCES[kind], wire: encoded}
        assert type(body[wire]) is type(encoded)  # True is not 1, 2 is not 2.0


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("kind", MINIMAL)
def test_what_was_not_given_is_not_sent(kind: str, version: Any) -> None:
    call = submission(minimal(kind), version)
    assert (call.method, call.path) == ("POST", f"/{version}{PATHS[kind]}")
    assert dict(call.query) == {}
    if kind in UPLOADS:
        assert [part.name for part in call.form] == ["file"]
        assert call.json is None
    else:
        assert call.json is not None
        assert call.form == ()
        assert json.loads(call.json) == SOURCES[kind]


@pytest.mark.parametrize("kind", GROUPS)
def test_each_kind_has_exactly_the_options_of_its_endpoint(kind: str) -> None:
    ours = {field.name for field in attrs.fields(REQUEST_TYPES[kind])}
    assert ours == INPUTS[kind] | {row[0] for group in GROUPS[kind] for row in group} | {"extra"}
    assert REQUEST_TYPES[kind].kind == kind


@pytest.mark.parametrize("kind", GROUPS)
def test_none_and_unset_mean_not_given(kind: str) -> None:
    names = {row[0] for group in GROUPS[kind] for row in group} - {"emulate_media_type"} | {"extra"}
    plain = minimal(kind)
    for nothing in (None, UNSET):
        request = minimal(kind, **dict.fromkeys(names, nothing))
        assert request == plain
        assert repr(request) == repr(plain)
        assert submission(request) == submission(plain)


def test_emulate_media_type_has_three_states() -> None:
    assert "emulateMediaType" not in sent(HtmlToPdf(PAGE))
    assert "emulateMediaType" not in sent(HtmlToPdf(PAGE, emulate_media_type=UNSET))
    assert sent(HtmlToPdf(PAGE, emulate_media_type=None))["emulateMediaType"] is None
    assert submission(HtmlToPdf(PAGE, emulate_media_type=None)).json.endswith(b'"emulateMediaType":null}')  # type: ignore[union-attr]


@pytest.mark.parametrize("required", [HtmlToPdf, HtmlToImage, DocxToPdf, DocxToHtml, PdfToDocx, MergePdfs])
@pytest.mark.parametrize("nothing", [None, UNSET])
def test_what_is_needed_cannot_be_left_out(required: Any, nothing: Any) -> None:
    (name,) = INPUTS[required.kind]
    refused(name, lambda: required(nothing))
    with pytest.raises(TypeError):
        required()


@pytest.mark.parametrize("cls", [UrlToPdf, UrlToImage])
def test_url_excludes_batch_and_one_is_needed(cls: Any) -> None:
    refused("url", cls)
    refused("url", lambda: cls(None, batch=None))
    refused("url", lambda: cls(ADDRESS, batch=[ADDRESS]))


@pytest.mark.parametrize("cls", [TemplateToPdf, TemplateToImage])
def test_template_id_excludes_template_and_one_is_needed(cls: Any) -> None:
    refused("template_id", cls)
    refused("template_id", lambda: cls(template_id="a", template="<p>"))
    with pytest.raises(TypeError):
        cls("a")


def test_only_inputs_are_positional() -> None:
    for make in (
        lambda: HtmlToPdf(PAGE, "x"),  # type: ignore[misc]
        lambda: UrlToPdf(ADDRESS, [ADDRESS]),  # type: ignore[misc]
        lambda: DocxToPdf(b"x", "x"),  # type: ignore[misc]
        lambda: MergePdfs([ADDRESS], "x"),  # type: ignore[misc]
    ):
        with pytest.raises(TypeError):
            make()


# --- what is refused ------------------------------------------------------------------------------------------------

NOT_TEXTS: list[Any] = [5, True, b"x", ["x"], "\ud800"]
NOT_BOOLS: list[Any] = [1, 0, "true", "false", "", 1.0, [], object()]
NOT_LENGTHS: list[Any] = [
    *(0, -1, 0.0, -0.5, True, False, math.nan, math.inf, -math.inf, 10**400),
    *("", "10", "10 px", "px", "1em", "-1px", "1e3px", "0px", "0.0in", "٣px", "1px\n", b"1px", [1]),
]
NOT_WORDS: list[Any] = ["", "LOAD", "load ", "networkidle", 0, True, ["load"], b"load"]
BAD: dict[str, list[Any]] = {
    "name": NOT_TEXTS,
    "filename": NOT_TEXTS,
    "project_id": NOT_TEXTS,
    "timeout": [
        *(0, -1, -30_000, 30, 99, 100, 999, 30.0, 1000.0, 0.5, True, "30000", "30s", 2**31, 10**400),
        *(timedelta(0), timedelta(milliseconds=50), timedelta(days=30), timedelta(seconds=-5), math.nan, math.inf),
    ],
    "delay": [-1, 1, 9, 9.5, 0.5, 100.0, True, "100", 2**31, timedelta(microseconds=-1001), [100]],
    "inline": NOT_BOOLS,
    "async_": NOT_BOOLS,
    "storage": ["true", "false", 1, 0, "6d1c", {"id": "6d1c"}, [], Preview(width=1)],
    "webhook": [
        *("http://hooks.example/x", "ftp://hooks.example", "hooks.example/x", "//hooks.example", "https://", "", 5),
        *("https:///x", "https://a b/", "https://h/\n", "https://[::1", "https://h:99999/", b"https://h/", True),
        "http://127.0.0.1.evil.example/",
    ],
    "generate_preview": [1, 0, "true", {"width": 300}, UserStorage("a")],
    "extra": [[], "x", 5, {5: 1}, {"a": math.nan}, {"a": {1}}, {"a": b"x"}, {"": 1}, {"a\r\nb": 1}, {"\ud800": 1}],
    "wait_until": NOT_WORDS,
    "wait_for_frame_navigation": NOT_WORDS,
    "wait_for_selector": ["#done", {"selector": "#done"}, True, Margin()],
    "wait_for_frame_selector": ["#done", {"selector": "#done"}, True],
    **dict.fromkeys(
        (
            *("wait_for_frame", "wait_for_frame_attachment", "wait_for_frame_images", "prefer_css_page_size"),
            *("landscape", "auto_scroll", "print_background", "transparent", "trim"),
        ),
        NOT_BOOLS,
    ),
    "scale": [0, 0.09, 2.01, -1, True, "1", math.nan, math.inf, 10**400, 1 + 0j],
    "width": NOT_LENGTHS,
    "height": NOT_LENGTHS,
    "page_ranges": ["", "a", "1-", "-1", "1,,2", "1;2", "1-2-3", 1, [1], "1\n2", "١"],
    "viewport": [{"width": 1, "height": 1}, (1, 2), True, Margin()],
    "time_zone": ["", "  ", 5, True, "\ud800"],
    "emulate_media_type": ["", "Screen", "all", True, 0, ["screen"]],
    "format": ["A4", "a7", "", "letter ", 4, True, ["a4"]],
    "margin": ["1in", 1, {"top": 1}, ("1in",)],
    "header_template": ["<b>", {"template": "<b>"}, True],
    "footer_template": ["<b>", {"template": "<b>"}, True],
    "image_type": ["PNG", "gif", "", ".png", True, 1],
    "quality": [-1, 101, 80.0, "80", True, False, math.nan],
    "authentication": [("a", "b"), "a:b", {"username": "a", "password": "b"}],
    "cookies": ["sid=1", Cookie("a", "b"), {"sid": "1"}, [{"name": "a", "value": "b"}], ["a=b"], [None]],
}


def _home_of(name: str) -> str:
    return next(kind for kind in GROUPS if name in {field.name for field in attrs.fields(REQUEST_TYPES[kind])})


def test_refused_values_are_listed_for_every_option() -> None:
    assert set(BAD) == {row[1] for row in EVERY} | {"extra"}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_what_an_option_cannot_be_is_refused_by_its_name(name: str, value: Any) -> None:
    kind = _home_of(name)
    message = refused(name, lambda: minimal(kind, **{name: value}))
    assert message.startswith(f"{REQUEST_TYPES[kind].__name__}.{name}")
    assert len(message) < 400


@pytest.mark.parametrize("value", [30, 5, 99, 0.5, 30.0])
def test_a_timeout_in_seconds_says_so(value: Any) -> None:
    message = refused("timeout", lambda: HtmlToPdf(PAGE, timeout=value))
    assert "looks like seconds" in message
    assert str(int(value * 1000)) in message


@pytest.mark.parametrize("value", [1, 9, 0.25])
def test_a_delay_in_seconds_says_so(value: Any) -> None:
    assert "looks like seconds" in refused("delay", lambda: HtmlToPdf(PAGE, delay=value))


@pytest.mark.parametrize(
    ("given", "milliseconds"),
    [
        (timedelta(0), 0),
        (timedelta(milliseconds=5), 5),  # a timedelta cannot be meant as seconds
        (timedelta(microseconds=1), 1),
        (timedelta(microseconds=1500), 2),
        (timedelta(seconds=2), 2000),
        (10, 10),
        (0, 0),
    ],
)
def test_durations_become_whole_milliseconds_rounded_up(given: Any, milliseconds: int) -> None:
    assert sent(HtmlToPdf(PAGE, delay=given))["delay"] == milliseconds
    assert HtmlToPdf(PAGE, delay=given).delay == milliseconds


@pytest.mark.parametrize("value", [0.1, 1, 2, 1.75])
def test_scale_takes_its_ends(value: float) -> None:
    assert sent(HtmlToPdf(PAGE, scale=value))["scale"] == value


@pytest.mark.parametrize("sizes", [{"width": 800}, {"height": "10in"}, {"width": "1cm", "height": "1cm"}])
def test_format_excludes_width_and_height(sizes: dict[str, Any]) -> None:
    refused("format", lambda: HtmlToPdf(PAGE, format="a4", **sizes))
    refused("format", lambda: attrs.evolve(HtmlToPdf(PAGE, format="a4"), **sizes))
    assert {"width", "height"} & set(sent(HtmlToPdf(PAGE, **sizes)))


@pytest.mark.parametrize(
    "address",
    [
        *("https://hooks.example/x?token=1", "HTTPS://hooks.example", "https://[2001:db8::1]:8443/x"),
        *("http://127.0.0.1:8000/x", "http://localhost/x", "http://[::1]/x", "https://hooks.example:443/"),
    ],
)
def test_a_webhook_is_https_or_loopback(address: str) -> None:
    assert sent(HtmlToPdf(PAGE, webhook=address), local=True)["webhook"] == address


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000/x", "http://localhost/x"])
def test_a_loopback_webhook_needs_a_loopback_service(address: str) -> None:
    assert "https" in refused("webhook", lambda: submission(HtmlToPdf(PAGE, webhook=address)))


BAD_ADDRESSES: list[Any] = [
    *("site.example", "//site.example", "ftp://site.example", "file:///etc/passwd", "https://", "https:///x", ""),
    *(
        "javascript:alert(1)",
        "https://a b.example",
        "https://site.example/a b",
        "https://site.example/\n",
        "https://h:0/",
    ),
    *(
        "https://h:99999/",
        "https://[::1",
        "https://s.example/\ud800",
        5,
        None,
        b"https://site.example",
        ["https://a.example"],
    ),
]


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_addresses_are_absolute(address: Any) -> None:
    if address is not None:
        refused("url", lambda: UrlToPdf(address))
    refused("urls", lambda: MergePdfs([ADDRESS, address]))
    refused("batch", lambda: UrlToPdf(batch=[address]))


def test_the_place_of_a_bad_address_is_named() -> None:
    assert "MergePdfs.urls[1]" in refused("urls", lambda: MergePdfs([ADDRESS, "nope"]))


@pytest.mark.parametrize("many", [[], [ADDRESS] * 21, ADDRESS, {ADDRESS}, (ADDRESS for _ in "ab"), {"a": 1}, 5])
def test_one_to_twenty_addresses(many: Any) -> None:
    refused("urls", lambda: MergePdfs(many))
    refused("batch", lambda: UrlToPdf(batch=many))


def test_names_that_are_no_options_are_refused() -> None:
    for wrong in ("printBackground", "async", "page_format", "api_ver"):
        with pytest.raises(TypeError):
            HtmlToPdf(PAGE, **{wrong: True})
    with pytest.raises(TypeError):
        HtmlToPdf(PAGE, image_type="png")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        DocxToPdf(b"x", format="a4")  # type: ignore[call-arg]


# --- batches and merges (sections 4.5 and 7) ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", [["https://one.example", "https://two.example"], ("https://one.example", "https://two.example")]
)
def test_a_batch_has_the_shape_of_the_fixture(given: Any) -> None:
    wanted = fixture("request_batch_object")
    assert sent(UrlToPdf(batch=given, webhook=wanted["webhook"])) == wanted
    assert sent(UrlToPdf(batch={"urls": given}, webhook=wanted["webhook"])) == wanted
    assert sent(UrlToImage(batch=given)) == {"batch": wanted["batch"]}
    assert sent(MergePdfs(given)) == {"batch": wanted["batch"]}


def test_twenty_addresses_keep_their_order() -> None:
    urls = [f"https://site.example/{19 - index}" for index in range(20)]
    assert sent(MergePdfs(urls))["batch"] == {"urls": urls}


# --- pages and templates (section 4.8) ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    [
        "<p>Zażółć 日本 🎉</p>",
        "no markup at all",
        "a < b",
        "<p>\r\n\x00</p>",
        "\ufeff<p>",
        " <p> ",
        "Dr. Watson.",
        "a/b",
    ],
)
def test_a_page_is_sent_as_base64_of_its_utf8(page: str) -> None:
    for cls in (HtmlToPdf, HtmlToImage):
        assert base64.b64decode(sent(cls(page))["html"], validate=True).decode() == page
    assert base64.b64decode(sent(HtmlToPdf(page.encode()))["html"]).decode() == page
    assert base64.b64decode(sent(TemplateToPdf(template=page))["template"]).decode() == page


def test_a_page_in_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_bytes(b"<p>\xff raw")
    assert base64.b64decode(sent(HtmlToPdf(file))["html"]) == b"<p>\xff raw"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("https://site.example/x", "url_to_pdf"),
        ("  http://site.example", "url_to_pdf"),
        ("HTTPS://SITE.EXAMPLE/page.html", "url_to_pdf"),
        ("www.site.example", "url_to_pdf"),
        ("ftp://site.example/x", "url_to_pdf"),
        ("page.html", "Path("),
        ("./build/page.HTM", "Path("),
        ("/srv/pages/invoice", "Path("),
        ("~/page", "Path("),
        ("../x", "Path("),
        ("C:\\pages\\x", "Path("),
        ("file:///srv/x.html", "Path("),
        ("my invoice.njk", "Path("),
        ("letter.docx\n", "Path("),
    ],
)
def test_a_text_that_looks_like_a_place_is_refused_with_the_right_call(value: str, told: str) -> None:
    assert told in refused("html", lambda: HtmlToPdf(value))
    assert told.replace("pdf", "image") in refused("html", lambda: HtmlToImage(value))
    assert told in refused("template", lambda: TemplateToPdf(template=value))


@pytest.mark.parametrize(
    "value", ["", "  \n", b"", b" ", 5, bytearray(b"<p>"), memoryview(b"<p>"), ["<p>"], io.StringIO("<p>"), "<\ud800"]
)
def test_a_page_is_text_bytes_or_a_path(value: Any) -> None:
    refused("html", lambda: HtmlToPdf(value))
    refused("template", lambda: TemplateToPdf(template=value))


def test_missing_and_empty_files_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.docx"
    empty.touch()
    for path in (tmp_path / "missing.docx", empty, tmp_path, Path("a\0b")):
        refused("html", lambda path=path: HtmlToPdf(path))
        refused("template", lambda path=path: TemplateToPdf(template=path))
        refused("file", lambda path=path: DocxToPdf(path))
        refused("file", lambda path=path: DocxToPdf(str(path)))
    assert "existing" in refused("file", lambda: DocxToPdf(tmp_path / "missing.docx"))
    assert "empty" in refused("file", lambda: DocxToPdf(empty))


HOSTILE_DATA: dict[str, Any] = {
    "zebra": None,
    "__auto_calculate": False,
    "camelCase": 1,
    "snake_case": 2,
    "": "empty key",
    "async_": "kept",
    "日本": "🎉\u2028\x00",
    "big": 12345678901234567890123456789,
    "negative": -(2**70),
    "float": 0.1,
    "one": 1.0,
    "truth": [True, False, None],
    "deep": {"b": {"a": [{"z": None}]}},
    "path": "/etc/passwd",
}


@pytest.mark.parametrize("cls", [TemplateToPdf, TemplateToImage])
def test_template_data_goes_out_value_for_value_in_order(cls: Any) -> None:
    body = submission(cls(template_id="x", data=HOSTILE_DATA)).json
    assert body is not None
    pairs = json.loads(body, object_pairs_hook=list)
    assert dict(pairs)["data"] == json.loads(json.dumps(HOSTILE_DATA), object_pairs_hook=list)


def test_a_template_request_has_the_shape_of_the_fixture() -> None:
    wanted = fixture("request_template_inline")
    preview = Preview(width=300, type="webp", quality=75)
    request = TemplateToPdf(template_id="plain-invoice", data=wanted["data"], generate_preview=preview)
    assert sent(request) == wanted


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=6))
def test_any_json_survives_as_template_data(data: dict[str, Any]) -> None:
    request = TemplateToPdf(template_id="x", data=data)
    found = json.loads(submission(request).json or b"")["data"]
    assert json.dumps(found) == json.dumps(data)


def _nested(depth: int) -> Any:
    data: Any = 1
    for _ in range(depth):
        data = {"a": data}
    return data


def _endless() -> dict[str, Any]:
    data: dict[str, Any] = {}
    data["self"] = data
    return data


@pytest.mark.parametrize(
    "data",
    [
        *([], "{}", 5, [("a", 1)]),
        *({"a": math.nan}, {"a": [math.inf]}, {"a": -math.inf}, {1: 2}, {None: 1}, {True: 1}, {("a",): 1}),
        *(
            {"a": {1, 2}},
            {"a": b"x"},
            {"a": object()},
            {"a": timedelta(1)},
            {"a": "\ud800"},
            {"\ud800": 1},
            {"a": {2: 1}},
        ),
        *({"a": 1j}, {"a": 10**5000}, _endless(), _nested(300)),
    ],
    ids=lambda data: repr(data)[:30] if not isinstance(data, dict) or "a" not in data else "",
)
def test_data_that_is_no_json_is_refused(data: Any) -> None:
    refused("data", lambda: TemplateToPdf(template_id="x", data=data))
    if isinstance(data, dict):
        refused("extra", lambda: HtmlToPdf(PAGE, extra=data))


def test_data_may_be_nested_two_hundred_levels() -> None:
    deepest = _nested(200)
    assert sent(TemplateToPdf(template_id="x", data=deepest))["data"] == deepest
    assert "200 levels" in refused("data", lambda: TemplateToPdf(template_id="x", data=_nested(201)))


def test_the_place_of_bad_data_is_named() -> None:
    message = refused(
        "data", lambda: TemplateToPdf(template_id="x", data={"items": [{"price": 1}, {"price": math.nan}]})
    )
    assert "TemplateToPdf.data.items[1].price" in message


def test_what_is_changed_afterwards_does_not_change_a_request() -> None:
    data, extra, urls, style = {"a": [1]}, {"new": {"b": 1}}, [ADDRESS], {"color": "red"}
    cookies = [Cookie("a", "b")]
    requests: list[Any] = [
        TemplateToPdf(template_id="x", data=data, extra=extra),
        UrlToPdf(batch=urls, cookies=cookies, header_template=HeaderFooter(style=style)),
    ]
    before = [sent(request) for request in requests]
    data["a"].append(2)
    extra["new"]["b"] = 2
    urls.append("https://evil.example")
    cookies.clear()
    style["color"] = "blue"
    assert [sent(request) for request in requests] == before
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        requests[0].data = {}


# --- extra ----------------------------------------------------------------------------------------------------------


def test_extra_carries_options_we_do_not_know() -> None:
    extra = {"newThing": {"a": [None, 1]}, "other": None}
    assert sent(HtmlToPdf(PAGE, extra=extra)) == {**SOURCES["html_to_pdf"], **extra}
    assert form_fields(DocxToPdf(b"x", extra=extra)) == {"newThing": '{"a":[null,1]}', "other": "null"}


@pytest.mark.parametrize("kind", GROUPS)
def test_extra_may_not_override_what_we_know(kind: str) -> None:
    inputs = {"templateId" if name == "template_id" else name for name in INPUTS[kind]}
    for name in {row[2] for group in GROUPS[kind] for row in group} | inputs | {"batch", "apiVer"}:
        assert name in refused("extra", lambda name=name: minimal(kind, extra={name: 1}))


# --- uploads (section 4.9) ------------------------------------------------------------------------------------------

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def _file_part(request: Any) -> tuple[str | None, str | None]:
    part = submission(request).form[-1]
    assert part.name == "file"
    return part.filename, part.content_type


def test_a_file_part_has_a_name_and_a_type(tmp_path: Path) -> None:
    for name, media_type in (
        ("letter.docx", DOCX),
        ("LETTER.DOCX", DOCX),
        ("scan.pdf", "application/pdf"),
        ("résumé 日本.docx", DOCX),
        ("odd.odt", "application/octet-stream"),
    ):
        file = tmp_path / name
        file.write_bytes(b"x")
        assert _file_part(DocxToPdf(file)) == (name, media_type)
        assert _file_part(DocxToPdf(str(file))) == (name, media_type)
        with file.open("rb") as opened:
            assert _file_part(PdfToDocx(opened)) == (name, media_type)


@pytest.mark.parametrize("cls", [DocxToPdf, DocxToHtml])
def test_bytes_get_a_name_by_what_is_asked_for(cls: Any) -> None:
    assert _file_part(cls(b"x")) == ("document.docx", DOCX)
    assert _file_part(PdfToDocx(b"x")) == ("document.pdf", "application/pdf")
    nameless = io.BytesIO(b"x")
    assert _file_part(cls(nameless)) == ("document.docx", DOCX)


@pytest.mark.parametrize("name", [5, None, "", "no-suffix", b"x.docx", "a\r\nX-Evil: 1.docx"])
def test_odd_names_of_file_objects_do_no_harm(name: Any) -> None:
    file = io.BytesIO(b"x")
    file.name = name  # type: ignore[attr-defined]
    filename, _ = _file_part(DocxToPdf(file))
    assert filename is not None
    assert filename.endswith(".docx")
    assert filename.isprintable()


def test_options_beside_an_upload_come_before_the_file() -> None:
    request = DocxToPdf(
        b"x", name="a", timeout=2000, inline=False, storage=UserStorage("s"), generate_preview=Preview(width=5)
    )
    wanted = {
        "name": "a",
        "timeout": 2000,
        "inline": False,
        "storage": {"id": "s"},
        "generatePreview": {"width": 5, "type": "webp", "quality": 80},
    }
    flat = submission(request).form
    assert [part.name for part in flat] == [*wanted, "file"]
    assert [part.content for part in flat[:3]] == ["a", "2000", "false"]
    assert [json.loads(part.content) for part in flat[3:-1]] == list(wanted.values())[3:]  # type: ignore[arg-type]
    for encoding in ("options", "json"):
        part, file = submission(request, upload_options=encoding).form
        assert (part.name, json.loads(part.content), file.name) == (encoding, wanted, "file")  # type: ignore[arg-type]
    assert [part.name for part in submission(DocxToPdf(b"x"), upload_options="json").form] == ["file"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "a\0b",
        5,
        b"",
        bytearray(b"x"),
        io.StringIO("x"),
        io.BytesIO(b""),
        "https://site.example/a.docx",
        object(),
        ["x"],
    ],
)
def test_an_upload_is_a_path_bytes_or_a_binary_file(value: Any) -> None:
    refused("file", lambda: DocxToPdf(value))


def test_files_that_cannot_be_read_as_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.docx"
    path.write_bytes(b"xyz")
    with (
        path.open(encoding="utf-8") as text,
        tempfile.NamedTemporaryFile("w+") as wrapped,
        path.open("ab") as appending,
    ):
        wrapped.write("x")
        wrapped.seek(0)
        for file in (text, wrapped, appending):
            refused("file", lambda file=file: DocxToPdf(file))
    with path.open("rb") as file:
        file.read()
        assert "rewind" in refused("file", lambda: DocxToPdf(file))
        file.seek(1)
        assert DocxToPdf(file).file is file
        assert file.tell() == 1
    refused("file", lambda: DocxToPdf(file))  # closed


def test_a_coroutine_reader_is_no_file() -> None:
    class Stream:
        async def read(self, size: int = -1) -> bytes:
            return b""

    refused("file", lambda: DocxToPdf(Stream()))  # type: ignore[arg-type]


def test_a_file_that_only_reads_is_taken() -> None:
    class Pipe:
        def read(self, size: int = -1) -> bytes:
            return b"x"

    pipe: Any = Pipe()
    assert DocxToPdf(pipe).file is pipe


def test_an_own_template_in_a_file_is_uploaded_with_options_and_data(tmp_path: Path) -> None:
    file = tmp_path / "invoice.njk"
    file.write_text("<p>{{ a }}</p>")
    call = submission(TemplateToPdf(template=file, data=HOSTILE_DATA, name="a", format="a4"))
    options, template, data = call.form
    assert call.json is None
    assert (options.name, json.loads(options.content)) == ("options", {"name": "a", "format": "a4"})  # type: ignore[arg-type]
    assert (template.name, template.content, template.filename) == ("template", file, "invoice.njk")
    assert (data.name, data.content_type) == ("data", "application/json")
    assert data.filename is not None
    assert json.loads(data.content, object_pairs_hook=list) == json.loads(  # type: ignore[arg-type]
        json.dumps(HOSTILE_DATA), object_pairs_hook=list
    )


def test_an_uploaded_template_has_all_three_parts_even_with_nothing_in_them(tmp_path: Path) -> None:
    file = tmp_path / "t.html"
    file.write_text("<p>")
    for encoding in ("fields", "options", "json"):
        options, template, data = submission(TemplateToImage(template=file), upload_options=encoding).form
        assert (options.name, options.content, template.name) == ("options", "{}", "template")
        assert (data.name, data.content) == ("data", b"{}")


# --- limits ---------------------------------------------------------------------------------------------------------


def test_a_body_over_ten_megabytes_is_refused_before_it_is_sent() -> None:
    overhead = len(submission(HtmlToPdf(b"<p>")).json or b"") - 4
    fits = (10_000_000 - overhead) // 4 * 3
    assert len(submission(HtmlToPdf(b"<" * fits)).json or b"") <= 10_000_000
    message = refused("html", lambda: submission(HtmlToPdf(b"<" * (fits + 3))))
    assert "10,000,000" in message
    refused("template", lambda: submission(TemplateToPdf(template="<" * 8_000_000)))
    refused("data", lambda: submission(TemplateToPdf(template_id="x", data={"a": "x" * 10_000_000})))


# --- values that are almost what they should be ---------------------------------------------------------------------


class Paper(str, enum.Enum):  # noqa: UP042 (the old mixin is the point: its str() is not its value)
    A4 = "a4"


class Size(enum.IntEnum):
    WIDE = 800


class Text(str):
    def __str__(self) -> str:
        return "something else"


class Number(float):
    """As numpy's float64 is one."""


def test_enums_and_subclasses_are_sent_as_their_values() -> None:
    request = HtmlToPdf(
        Text(PAGE),
        name=Text("n"),
        format=Paper.A4,  # type: ignore[arg-type]
        timeout=enum.IntEnum("T", {"LONG": 5000}).LONG,
        scale=Number(1.5),
        margin=Margin(top=Number(2), left=Size.WIDE),
        extra={"a": Paper.A4, Text("b"): Size.WIDE},
    )
    assert request.format == "a4"
    assert {type(request.format), type(request.name), type(request.html)} == {str}
    assert sent(request) == {
        **SOURCES["html_to_pdf"],
        "name": "n",
        "format": "a4",
        "timeout": 5000,
        "scale": 1.5,
        "margin": {"top": 2, "left": 800},
        "a": "a4",
        "b": 800,
    }
    assert sent(TemplateToPdf(template_id=Paper.A4, data={"p": Paper.A4, Paper.A4: 1})) == {
        "templateId": "a4",
        "data": {"p": "a4", "a4": 1},
    }
    assert form_fields(DocxToPdf(b"x", name=Paper.A4)) == {"name": "a4"}


def test_foreign_numbers_are_refused_not_guessed() -> None:
    class Integral:
        def __index__(self) -> int:
            return 80

        def __int__(self) -> int:
            return 80

    for value in (Integral(), 80j):
        refused("quality", lambda value=value: HtmlToImage(PAGE, quality=value))
        refused("scale", lambda value=value: HtmlToImage(PAGE, scale=value))
        refused("timeout", lambda value=value: HtmlToImage(PAGE, timeout=value))


def test_a_value_whose_repr_fails_is_refused_all_the_same() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert "Broken" in refused("name", lambda: HtmlToPdf(PAGE, name=Broken()))  # type: ignore[arg-type]


# --- requests as objects --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MINIMAL)
def test_requests_are_values(kind: str) -> None:
    one, two = minimal(kind, name="a", extra={"x": [1]}), minimal(kind, name="a", extra={"x": [1]})
    assert one == two
    assert hash(one) == hash(two)
    assert one != minimal(kind, name="b", extra={"x": [1]})
    assert one != minimal(kind, name="a", extra={"x": [2]})
    assert attrs.evolve(one, name="b") == minimal(kind, name="b", extra={"x": [1]})
    assert pickle.loads(pickle.dumps(one)) == one
    refused("timeout", lambda: attrs.evolve(one, timeout=5))


def test_a_repr_shows_what_was_given_and_no_secret() -> None:
    request = UrlToPdf(
        "https://ann:hunter2@site.example/p?sig=hunter3#hunter4",
        webhook="https://hooks.example/hunter5",
        authentication=BasicAuth("ann", "hunter6"),
        cookies=[Cookie("sid", "hunter7", url="https://site.example/?sig=hunter8")],
        name="shown",
    )
    assert "hunter" not in repr(request)
    assert "name='shown'" in repr(request)
    assert "timeout" not in repr(request)
    assert "hunter" not in repr(MergePdfs(["https://s.example/a.pdf?sig=hunter2"]))
    assert "hunter" not in repr(UrlToPdf(batch=["https://s.example/a.pdf?sig=hunter2"]))
    assert len(repr(HtmlToPdf("<p>" + "x" * 5_000_000))) < 200


@pytest.mark.parametrize(
    "make",
    [
        lambda: UrlToPdf("htps://ann:hunter2@site.example/?sig=hunter2"),
        lambda: UrlToPdf("https://ann:hunter2@site.example:99999/#hunter2"),
        lambda: MergePdfs("https://s.example/a.pdf?sig=hunter2"),  # type: ignore[arg-type]
        lambda: MergePdfs(["https://ann:p@hunter2@ s.example/"]),
        lambda: HtmlToPdf("https://ann:hunter2@site.example/?sig=hunter2"),
        lambda: DocxToPdf("https://ann:hunter2@site.example/?sig=hunter2"),
        lambda: HtmlToPdf(PAGE, webhook="http://hooks.example/hunter2"),
        lambda: HtmlToPdf(PAGE, webhook="hooks.example/hunter2"),
        lambda: HtmlToPdf(PAGE, webhook=b"https://hooks.example/hunter2"),  # type: ignore[arg-type]
        lambda: submission(HtmlToPdf(PAGE, webhook="http://127.0.0.1/hunter2")),
    ],
)
def test_a_refusal_shows_no_secret(make: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        make()
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value)


# --- defaults of a client -------------------------------------------------------------------------------------------


def test_defaults_fill_what_a_request_leaves_open() -> None:
    defaults = {"name": "d", "webhook": HOOK, "image_type": "png", "emulate_media_type": None, "inline": True}
    request = HtmlToPdf(PAGE, name="own", inline=False)
    filled = with_defaults(request, defaults)
    assert filled == HtmlToPdf(PAGE, name="own", inline=False, webhook=HOOK, emulate_media_type=None)
    assert with_defaults(request, {}) is request
    assert (
        with_defaults(HtmlToPdf(PAGE, emulate_media_type=None), {"emulate_media_type": "print"}).emulate_media_type
        is None
    )


def test_a_paper_size_of_the_request_keeps_the_default_one_away() -> None:
    assert with_defaults(HtmlToPdf(PAGE, width=5), {"format": "a4"}) == HtmlToPdf(PAGE, width=5)
    assert with_defaults(HtmlToPdf(PAGE, format="a5"), {"width": 5, "height": 6}) == HtmlToPdf(PAGE, format="a5")
    assert with_defaults(HtmlToPdf(PAGE, height=5), {"width": 9}) == HtmlToPdf(PAGE, height=5)
    assert with_defaults(DocxToPdf(b"x"), {"format": "a4"}) == DocxToPdf(b"x")


@pytest.mark.parametrize(
    ("defaults", "field"),
    [
        ({"printBackground": True}, "printBackground"),
        ({"timeout": 30}, "timeout"),
        ({"quality": 101}, "quality"),
        ({"cookies": ["a=b"]}, "cookies"),
        ({"url": ADDRESS}, "url"),
        ({"html": PAGE}, "html"),
        ({"urls": [ADDRESS]}, "urls"),
        ({"file": b"x"}, "file"),
        ({"data": {}}, "data"),
        ({"extra": {}}, "extra"),
        ({"format": "a4", "width": 5}, "format"),
        ({5: 1}, 5),
    ],
)
def test_defaults_are_checked_when_given(defaults: Any, field: Any) -> None:
    refused(field, lambda: check_defaults(defaults))
