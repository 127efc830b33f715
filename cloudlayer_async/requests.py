"""What you ask for: ten conversions as frozen objects, checked when made.

This is the one list of option fields. Names are the snake_case of the service's own, `None` means "not given", durations
are the service's milliseconds. The keyword options of the client's methods are generated from here (`_keywords.py`).
"""

from __future__ import annotations

import inspect
import io
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final, Literal, TypeAlias, TypeVar, cast

import attrs
from attrs import frozen

from .errors import ValidationError
from .options import (
    JSON,
    BasicAuth,
    Cookie,
    HeaderFooter,
    ImageType,
    Length,
    Margin,
    Milliseconds,
    PageFormat,
    Preview,
    UserStorage,
    Viewport,
    WaitForSelector,
    WaitUntil,
    wire_name,
)
from .redaction import censored, shown
from .sparse import sparse
from .validation import (
    UNSET,
    Checked,
    Unset,
    boolean,
    checked,
    choice,
    instance_of,
    integer,
    json_object,
    milliseconds,
    nonempty,
    number,
    positive_length,
    refuse,
    required,
    shown_addresses,
    text,
    tuple_of,
    web_address,
    webhook_address,
)

_LOAD_EVENTS: Final = choice("load", "domcontentloaded", "networkidle0", "networkidle2")
_ADDRESS_START: Final = re.compile(r"\s*((?!file:)[a-z][a-z0-9+.-]*://|www\.)", re.IGNORECASE)
_PAGE_RANGES: Final = re.compile(r"\s*\d+(\s*-\s*\d+)?(\s*,\s*\d+(\s*-\s*\d+)?)*\s*", re.ASCII)
_FILE_NAME: Final = re.compile(
    r"[^\n<]+\.(html?|xhtml|njk|nunjucks|j2|txt|md|pdf|docx?)\s*|\s*(file:|~?/|\.\.?/|[a-z]:\\)\S*\s*", re.IGNORECASE
)

HtmlSource: TypeAlias = str | bytes | Path
"""A `str` or `bytes` is the page itself; a `Path` is read when the request is sent."""

FileSource: TypeAlias = str | Path | bytes | BinaryIO
"""A path, the bytes themselves, or a binary file object, read from where it stands and never closed."""


# --- checks that only requests need -------------------------------------------------------------------------------


def _batch_urls(value: Any, where: str) -> Sequence[str]:
    # Both attested forms are taken from the caller (contract section 7, row 13).
    if isinstance(value, Mapping) and set(value) == {"urls"}:
        value = value["urls"]
    urls: tuple[str, ...] = tuple_of(web_address, least=1, most=20)(value, where)
    return urls


def _storage(value: Any, where: str) -> bool | UserStorage:
    if isinstance(value, (bool, UserStorage)):
        return value
    refuse(where, value, "True, False or a UserStorage")


def _preview(value: Any, where: str) -> bool | Preview:
    if isinstance(value, (bool, Preview)):
        return value
    refuse(where, value, "True, False or a Preview")


def _page_ranges(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _PAGE_RANGES.fullmatch(value):
        refuse(where, value, 'page numbers such as "1-5, 8, 11-13"')
    return text(value, where)


def _page(value: Any, where: str) -> HtmlSource:
    if isinstance(value, Path):
        return _readable_file(value, where)
    if not isinstance(value, (str, bytes)):
        refuse(where, value, "the page as str or bytes, or a Path to read it from")
    if not value.strip():
        refuse(where, value, "a page that is not blank")
    if isinstance(value, bytes):
        return value
    if "<" not in value:
        product = "pdf" if where.partition(".")[0].endswith("Pdf") else "image"
        if _ADDRESS_START.match(value):
            refuse(where, censored(value), f"the page itself; for an address call url_to_{product}")
        if _FILE_NAME.fullmatch(value):
            refuse(where, value, "the page itself; to read a file pass a Path: Path(...)")
    return text(value, where)


def _upload(value: Any, where: str) -> FileSource:
    if isinstance(value, str):
        if _ADDRESS_START.match(value):
            refuse(where, censored(value), "a path, bytes or a binary file; this looks like an address")
        if not value or "\0" in value:
            refuse(where, value, "a path to a file")
        value = Path(value)
    if isinstance(value, Path):
        return _readable_file(value, where)
    if isinstance(value, bytes):
        if not value:
            refuse(where, value, "bytes that are not empty")
        return value
    read = getattr(value, "read", None)
    # Wrappers of text files (tempfile, codecs) are told by the encoding they have.
    is_text = isinstance(value, io.TextIOBase) or hasattr(value, "encoding")
    if is_text or not callable(read) or inspect.iscoroutinefunction(read):
        refuse(where, value, 'a path, bytes or a file opened in binary mode ("rb")')
    if getattr(value, "closed", False):
        refuse(where, value, "an open file")
    if callable(readable := getattr(value, "readable", None)) and not readable():
        refuse(where, value, 'a file opened for reading ("rb")')
    if _is_at_end(cast("BinaryIO", value)):
        refuse(where, value, "a file with something left to read (it stands at its end: rewind it with seek(0))")
    return value  # type: ignore[no-any-return]


def _is_at_end(file: BinaryIO) -> bool:
    """Whether nothing is left of a file; False where that cannot be told without reading."""
    try:
        start = file.tell()
        end = file.seek(0, io.SEEK_END)
        file.seek(start)
    except (AttributeError, OSError, ValueError):
        return False
    return isinstance(end, int) and end <= start


def _readable_file(path: Path, where: str) -> Path:
    try:
        size = path.stat().st_size if path.is_file() else None
    except OSError:
        size = None
    if size is None:
        refuse(where, str(path), "an existing file")
    if size == 0:
        refuse(where, str(path), "a file that is not empty")
    return path


@cache
def _alternatives(cls: Any) -> tuple[tuple[str, str], ...]:
    """The pairs of fields of which exactly one is given."""
    pairs = (("url", "batch"), ("template_id", "template"))
    return tuple(pair for pair in pairs if attrs.fields_dict(cls).keys() >= set(pair))


def _check_combination(request: BaseOptions) -> None:
    """What can be said of a request whatever the version; the rest is in `protocol.check_combination`."""
    kind: Any = type(request)
    cls = kind.__name__
    for either, other in _alternatives(kind):
        if (getattr(request, either) is None) == (getattr(request, other) is None):
            raise ValidationError(f"{cls} needs exactly one of {either} and {other}", field=either)
    if getattr(request, "format", None) and not (request.width is None and request.height is None):  # type: ignore[attr-defined]
        # Which of the two wins is disputed (contract section 7, row 24).
        raise ValidationError(
            f"{cls}.format excludes width and height: give the paper by name or by size", field="format"
        )
    if request.extra:
        for name in request.extra:
            if not name.strip() or not name.isprintable():
                refuse(f"{cls}.extra", name, "a mapping whose keys are printable names")
        known = {wire_name(field.name) for field in attrs.fields(type(request))} | {"batch", "apiVer"}
        clash = sorted(known & set(request.extra))
        if clash:
            raise ValidationError(
                f"{cls}.extra may not carry {', '.join(clash)}: known options go by their own keyword", field="extra"
            )


# --- option groups (contract section 4) ---------------------------------------------------------------------------


@frozen(kw_only=True, slots=False, repr=False)
class BaseOptions(Checked):
    """Options of every conversion (contract section 4.1)."""

    name: str | None = checked(text)
    """A label of the job, shown in the dashboard and found again by `find_jobs`."""
    timeout: Milliseconds | None = checked(milliseconds(least=1000, seconds_below=100))
    """Cap of the rendering time in milliseconds, at least 1000; the service's default is 30000."""
    delay: Milliseconds | None = checked(milliseconds(seconds_below=10))
    """Milliseconds to wait before the capture; the service's default is 0."""
    filename: str | None = checked(text)
    """The product's file name, unless `inline`."""
    inline: bool | None = checked(boolean)
    """Content-Disposition `inline` instead of `attachment`; the service's default is False."""
    async_: bool | None = checked(boolean)
    """True: the service answers at once with a job. False: it answers when done. None: the version's default
    (v1 False, v2 True). On v1, True brings `storage=True` along."""
    storage: bool | UserStorage | None = checked(_storage)
    """False: keep nothing (needs a synchronous call). True: the service's cloud. `UserStorage`: your bucket."""
    webhook: str | None = checked(webhook_address, secret=True)  # its path is often the only proof of the caller
    """Address told when the job ends: https, or http on loopback against a local emulator."""
    project_id: str | None = checked(text)
    """The project that the job and its assets join."""
    generate_preview: bool | Preview | None = checked(_preview)
    """Make a small picture too. Needs storage."""
    extra: Mapping[str, JSON] | None = checked(json_object)
    """Options this package does not know yet, by wire name. They may not override those it knows."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _check_combination(self)

    def __repr__(self) -> str:
        # Only what was given: forty `None`s would bury it.
        given = (
            f"{field.name}={field.repr(value) if callable(field.repr) else repr(value)}"
            for field in attrs.fields(type(self))
            if (value := getattr(self, field.name)) is not field.default
        )
        return f"{type(self).__name__}({', '.join(given)})"


@frozen(kw_only=True, slots=False, repr=False)
class UrlOptions(Checked):
    """Options of conversions that load pages by address (contract section 4.5)."""

    authentication: BasicAuth | None = checked(instance_of(BasicAuth))
    """HTTP basic authentication at the page."""
    cookies: Sequence[Cookie] | None = checked(tuple_of(instance_of(Cookie)))
    """Cookies set before the page is loaded."""


@frozen(kw_only=True, slots=False, repr=False)
class BrowserOptions(BaseOptions):
    """Options of conversions done by a browser (contract section 4.2)."""

    wait_until: WaitUntil | None = checked(_LOAD_EVENTS)
    """When the page counts as loaded; the service's default is `networkidle2`."""
    wait_for_selector: WaitForSelector | None = checked(instance_of(WaitForSelector))
    """Wait for an element."""
    wait_for_frame: bool | None = checked(boolean)
    """Wait for iframes."""
    wait_for_frame_attachment: bool | None = checked(boolean)
    """Wait until iframes are attached."""
    wait_for_frame_navigation: WaitUntil | None = checked(_LOAD_EVENTS)
    """When an iframe counts as loaded."""
    wait_for_frame_images: bool | None = checked(boolean)
    """Wait for the images inside iframes."""
    wait_for_frame_selector: WaitForSelector | None = checked(instance_of(WaitForSelector))
    """Wait for an element inside an iframe."""
    prefer_css_page_size: bool | None = checked(boolean)
    """Let the page's own `@page` size win; the service's default is False."""
    scale: float | None = checked(number(0.1, 2))
    """Zoom, 0.1 to 2."""
    width: Length | None = checked(positive_length)
    """Paper width. Not together with `format`."""
    height: Length | None = checked(positive_length)
    """Paper height. Not together with `format`."""
    landscape: bool | None = checked(boolean)
    """Turn the paper."""
    page_ranges: str | None = checked(_page_ranges)
    """Pages to keep of a PDF, such as ``"1-5, 8, 11-13"``."""
    auto_scroll: bool | None = checked(boolean)
    """Scroll to the end first, for content that loads late."""
    viewport: Viewport | None = checked(instance_of(Viewport))
    """The window the page is laid out in."""
    time_zone: str | None = checked(nonempty)
    """A zone id such as ``"Europe/Rome"``."""
    emulate_media_type: Literal["screen", "print"] | None | Unset = checked(choice("screen", "print"), default=UNSET)
    """The CSS media type. `None` is sent and means no emulation; leave it out for the service's default."""


@frozen(kw_only=True, slots=False, repr=False)
class PdfOptions(BrowserOptions):
    """Options of pages turned into PDF (contract section 4.3)."""

    format: PageFormat | None = checked(
        choice("letter", "legal", "tabloid", "ledger", "a0", "a1", "a2", "a3", "a4", "a5", "a6")
    )
    """Paper size by name. Not together with `width` or `height`."""
    margin: Margin | None = checked(instance_of(Margin))
    """Page margins."""
    print_background: bool | None = checked(boolean)
    """Print background colours and pictures; the service's default is False."""
    header_template: HeaderFooter | None = checked(instance_of(HeaderFooter))
    """Printed at the top of each page."""
    footer_template: HeaderFooter | None = checked(instance_of(HeaderFooter))
    """Printed at the bottom of each page."""


@frozen(kw_only=True, slots=False, repr=False)
class ImageOptions(BrowserOptions):
    """Options of pages turned into images (contract section 4.4)."""

    image_type: ImageType | None = checked(choice("png", "jpg", "jpeg", "webp", "svg"))
    """The service's default is png. `jpeg` and `svg` are unconfirmed."""
    quality: int | None = checked(integer(0, 100))
    """0 to 100, for lossy types; the service's default is 80."""
    transparent: bool | None = checked(boolean)
    """No background, where the type has an alpha channel."""
    trim: bool | None = checked(boolean)
    """Crop the blank surroundings."""


@frozen(slots=False, repr=False)
class _UrlInput(UrlOptions):
    """One page, or several that become one PDF."""

    url: str | None = checked(web_address, show=shown_addresses)
    """The page's absolute address."""
    batch: Sequence[str] | None = checked(_batch_urls, show=shown_addresses, kw_only=True)
    """1 to 20 addresses instead of `url`: one merged PDF, always asynchronous, billed n + 1 credits."""


@frozen(slots=False, repr=False)
class _HtmlInput(Checked):
    """A page's own source."""

    html: HtmlSource = required(_page)
    """`str` or bytes: the page itself. `Path`: a file to read. Encoding is done for you."""


@frozen(kw_only=True, slots=False, repr=False)
class _TemplateInput(Checked):
    """A template and its variables."""

    template_id: str | None = checked(nonempty)
    """A template of the gallery, or of your own with the prefix ``u-``. Either this or `template`."""
    template: HtmlSource | None = checked(_page)
    """The template's own source: a `str` or bytes goes inline, a `Path` is uploaded as a file."""
    data: Mapping[str, JSON] | None = checked(json_object)
    """The template's variables: sent value for value, `None` included (it means "calculate this")."""


@frozen(slots=False, repr=False)
class _FileInput(Checked):
    """A document to upload."""

    file: FileSource = required(_upload)
    """A path, bytes, or a binary file object, read from where it stands, never closed."""


@frozen(slots=False, repr=False)
class _MergeInput(UrlOptions):
    """The documents to merge."""

    urls: Sequence[str] = required(_batch_urls, show=shown_addresses)
    """1 to 20 absolute addresses of PDFs, in order."""


# --- the ten conversions ------------------------------------------------------------------------------------------


@sparse
@frozen(slots=False, repr=False)
class UrlToPdf(_UrlInput, PdfOptions):
    """A page, by address, as a PDF; or a `batch` of pages as one merged PDF."""

    kind: ClassVar[str] = "url_to_pdf"


@sparse
@frozen(slots=False, repr=False)
class UrlToImage(_UrlInput, ImageOptions):
    """A page, by address, as an image."""

    kind: ClassVar[str] = "url_to_image"


@sparse
@frozen(slots=False, repr=False)
class HtmlToPdf(_HtmlInput, PdfOptions):
    """A page's source as a PDF."""

    kind: ClassVar[str] = "html_to_pdf"


@sparse
@frozen(slots=False, repr=False)
class HtmlToImage(_HtmlInput, ImageOptions):
    """A page's source as an image."""

    kind: ClassVar[str] = "html_to_image"


@sparse
@frozen(kw_only=True, slots=False, repr=False)
class TemplateToPdf(_TemplateInput, PdfOptions):
    """A filled-in template as a PDF."""

    kind: ClassVar[str] = "template_to_pdf"


@sparse
@frozen(kw_only=True, slots=False, repr=False)
class TemplateToImage(_TemplateInput, ImageOptions):
    """A filled-in template as an image."""

    kind: ClassVar[str] = "template_to_image"


@sparse
@frozen(slots=False, repr=False)
class DocxToPdf(_FileInput, BaseOptions):
    """A Word document as a PDF."""

    kind: ClassVar[str] = "docx_to_pdf"


@sparse
@frozen(slots=False, repr=False)
class DocxToHtml(_FileInput, BaseOptions):
    """A Word document as HTML."""

    kind: ClassVar[str] = "docx_to_html"


@sparse
@frozen(slots=False, repr=False)
class PdfToDocx(_FileInput, BaseOptions):
    """A PDF as a Word document."""

    kind: ClassVar[str] = "pdf_to_docx"


@sparse
@frozen(slots=False, repr=False)
class MergePdfs(_MergeInput, BaseOptions):
    """Several PDFs, by address, as one. Billed up to n + 1 credits."""

    kind: ClassVar[str] = "merge_pdfs"


ConversionRequest: TypeAlias = (
    UrlToPdf
    | UrlToImage
    | HtmlToPdf
    | HtmlToImage
    | TemplateToPdf
    | TemplateToImage
    | DocxToPdf
    | DocxToHtml
    | PdfToDocx
    | MergePdfs
)
"""Any of the ten."""

REQUEST_TYPES: Final[Mapping[str, type[ConversionRequest]]] = {
    cls.kind: cls
    for cls in (
        UrlToPdf,
        UrlToImage,
        HtmlToPdf,
        HtmlToImage,
        TemplateToPdf,
        TemplateToImage,
        DocxToPdf,
        DocxToHtml,
        PdfToDocx,
        MergePdfs,
    )
}
"""The ten, by the name of the client's method."""

_Request = TypeVar("_Request", bound=BaseOptions)


def with_defaults(request: _Request, defaults: Mapping[str, Any]) -> _Request:
    """`request` with every option it leaves open taken from `defaults`.

    Options its kind does not have are passed over, so that one set of defaults serves all ten kinds. A paper size in the
    request keeps a default `format` away, and the other way round.
    """
    if not defaults:
        return request
    fields = attrs.fields_dict(type(request))
    sized = any(getattr(request, name, None) is not None for name in ("format", "width", "height"))
    changes = {
        name: value
        for name, value in defaults.items()
        if name in fields
        and getattr(request, name) == fields[name].default
        and not (sized and name in ("format", "width", "height"))
    }
    return attrs.evolve(request, **changes) if changes else request


def check_defaults(defaults: Mapping[str, Any]) -> None:
    """Checks each default as an option of some kind of request.

    Raises:
        ValidationError: A name that is no option, a value the option does not take, or two that exclude each other.
    """
    if defaults.get("format") is not None and any(defaults.get(size) is not None for size in ("width", "height")):
        raise ValidationError("defaults may carry format, or width and height, but not both", field="format")
    samples: tuple[tuple[type[BaseOptions], Any], ...] = (
        (HtmlToPdf, "<p>"),
        (HtmlToImage, "<p>"),
        (UrlToPdf, "https://example.com"),
    )
    for name, value in defaults.items():
        if name in ("url", "html", "batch", "extra"):
            raise ValidationError(f"defaults may not carry {name}, which belongs to one request", field=name)
        for cls, sample in samples:
            if name in attrs.fields_dict(cls):
                cls(sample, **{name: value})  # type: ignore[call-arg]
                break
        else:
            raise ValidationError(f"defaults carry {shown(name)}, which is not an option of any conversion", field=name)
