"""From a request object to one HTTP call, and from one HTTP reply to a model or an error. Pure.

Nothing here opens a connection, reads a clock or knows a key.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final, Literal, TypeAlias, TypeVar, cast
from urllib.parse import quote, unquote

from attrs import Factory, define, field, frozen

from .errors import ValidationError
from .jsontext import WireFault, json_bytes, parse_json
from .models import ResponseInfo
from .options import UserStorage
from .redaction import shown
from .requests import BaseOptions, FileSource, MergePdfs, PdfToDocx
from .validation import json_value, text
from .wire import converter, encode_request, read_float, read_int, uploaded_source

_T = TypeVar("_T")

ApiVersion: TypeAlias = Literal["v1", "v2"]
"""The service's API versions."""

UploadOptions: TypeAlias = Literal["fields", "options", "json"]
"""How options travel beside an uploaded document: one form field each, or all in one part of that name (row 18)."""

MAX_JSON_BYTES: Final = 10_000_000
"""The service's limit of a JSON body, base64 included (contract section 1)."""
_DEFAULT_RENDER_MS: Final = 30_000
"""The service's default `timeout` (contract section 4.1)."""
_MEDIA_TYPES: Final = {
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pdf": "application/pdf",
    ".html": "text/html",
}


class CallKind(enum.Enum):
    """What a call does, which decides whether it may be repeated."""

    READ = "read"
    WRITE = "write"
    CONVERSION = "conversion"
    """A write that costs credits."""


@frozen(kw_only=True)
class FormPart:
    """One part of a multipart form."""

    name: str
    content: FileSource
    """A `str` is a field's text here; a file's path is a `Path`."""
    filename: str | None = None
    content_type: str | None = None


@define(kw_only=True)
class HttpCall:
    """One call, ready to be sent, without its key and its host."""

    method: str
    path: str
    """Version included, ids percent-encoded."""
    kind: CallKind = CallKind.READ
    query: Mapping[str, str] = MappingProxyType({})
    json: bytes | None = field(default=None, repr=False)
    form: tuple[FormPart, ...] = field(default=(), repr=False)
    name: str | None = None
    """The job's name, for messages about an uncertain outcome."""
    render_seconds: float = 0.0
    """How long the service may hold a synchronous conversion before it answers."""
    product: str | None = None
    """``pdf``, ``image``, ``docx`` or ``html`` when the reply may be the product itself."""

    @property
    def label(self) -> str:
        """Such as ``POST /v2/html/pdf``: fit for logs and errors, since no query is in it."""
        return f"{self.method} {self.path}"


@define(kw_only=True, eq=False)
class Reply:
    """What came back: status, headers and body."""

    status: int
    received: Mapping[str, str] = field(alias="headers", repr=False)
    """The headers as they came, by names in any case. Not fit to be shown: a service may repeat the key."""
    body: bytes = field(default=b"", repr=False)
    spool: BinaryIO | None = field(default=None, repr=False)
    """The body instead, when it is a large product: a file to read from its start, owned by whoever holds the reply."""
    is_json: bool = field(default=Factory(lambda reply: is_json(reply.received), takes_self=True))
    """Whether it says that it is JSON."""
    show: Callable[[Mapping[str, str]], Mapping[str, str]] | None = field(default=None, repr=False)
    """Makes of the headers what may be shown, by names in lower case; None where they are so already."""
    _shown: Mapping[str, str] | None = field(default=None, init=False, repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, fit to be shown, by names in lower case. Made when first asked for: most replies' never are."""
        if self._shown is None:
            self._shown = self.received if self.show is None else self.show(self.received)
        return self._shown

    def info(self) -> ResponseInfo:
        """The facts in its headers."""
        return response_info(self.status, self.headers)


# --- building calls -------------------------------------------------------------------------------------------------


_UNRESERVED: Final = re.compile(r"[\w.~-]+", re.ASCII)
"""Characters that stand for themselves in a path (RFC 3986 section 2.3); most ids have no others."""


def path_segment(value: object, name: str) -> str:
    """An id as one percent-encoded segment of a path."""
    # A dot segment would be resolved away on its way, and lead to another endpoint.
    if not isinstance(value, str) or not value.strip() or value in (".", ".."):
        raise ValidationError(f"{name} must be an id, not {shown(value)}", field=name)
    return value if _UNRESERVED.fullmatch(value) else quote(text(value, name), safe="")


def is_async(request: BaseOptions, version: ApiVersion) -> bool:
    """Whether the service will answer with a job to wait for (contract section 6.1)."""
    if _is_batch(request):
        return True
    return request.async_ if request.async_ is not None else version == "v2"


def _is_batch(request: BaseOptions) -> bool:
    """Several pages as one PDF, which the service always does asynchronously (section 3). Merging is not said to be so."""
    return getattr(request, "batch", None) is not None


def _stores(request: BaseOptions, version: ApiVersion) -> bool:
    """Whether the product will be kept, so that it can be fetched later."""
    if request.storage is not None:
        return request.storage is not False
    return version == "v2" or is_async(request, version)  # on v1, async brings storage along


def check_combination(request: BaseOptions, *, version: ApiVersion, asynchronous: bool, local: bool) -> None:
    """Refuses the combinations of options that the service would refuse, or lose the product of (section 6.2).

    Args:
        request: The request.
        version: The API version, which decides the defaults of `async_` and `storage`.
        asynchronous: See `is_async`.
        local: Whether the service is on this machine: only then may a webhook be plain http.

    Raises:
        ValidationError: Naming the option at fault.
    """
    cls = type(request).__name__
    is_batch = _is_batch(request)
    if is_batch and request.async_ is False:
        raise ValidationError(
            f"{cls}.async_ cannot be False: several addresses are always converted asynchronously", field="async_"
        )
    if asynchronous and request.storage is False:
        way_out = "several addresses need it" if is_batch else f"on {version} pass async_=False as well"
        raise ValidationError(
            f"{cls}.storage cannot be False for an asynchronous call, whose product would be lost: {way_out}",
            field="storage",
        )
    if not asynchronous and isinstance(request.storage, UserStorage):
        raise ValidationError(
            f"{cls}.storage can be your own bucket only in an asynchronous call: pass async_=True", field="storage"
        )
    if request.generate_preview and not _stores(request, version):
        raise ValidationError(f"{cls}.generate_preview needs storage: pass storage=True", field="generate_preview")
    if request.webhook is not None:
        if not _stores(request, version) or not asynchronous:
            raise ValidationError(
                f"{cls}.webhook needs an asynchronous call with storage: pass async_=True, storage=True",
                field="webhook",
            )
        if not request.webhook.lower().startswith("https:") and not local:
            raise ValidationError(f"{cls}.webhook must be an https address", field="webhook")


def conversion_call(
    request: BaseOptions,
    *,
    version: ApiVersion,
    source: str | bytes | None = None,
    upload_options: UploadOptions = "fields",
    local: bool = False,
) -> HttpCall:
    """The call that submits a conversion.

    Args:
        request: What to convert.
        version: The API version.
        source: The page or inline template itself, for requests that carry one.
        upload_options: How options travel beside an upload.
        local: Whether the service is on this machine.

    Raises:
        ValidationError: Options that exclude each other on this version, or a JSON body over 10 MB.
    """
    asynchronous = is_async(request, version)
    check_combination(request, version=version, asynchronous=asynchronous, local=local)
    body = encode_request(request, source)
    if asynchronous and version == "v1":
        body["async"] = True  # a batch is so unasked, and would lose its product without storage
        body.setdefault("storage", True)  # row 21
    kind: Any = type(request)
    path, product = _endpoint(kind)
    uploaded = uploaded_source(request)
    encoded = json_bytes(body) if uploaded is None else None
    if encoded is not None and len(encoded) > MAX_JSON_BYTES:
        at_fault = "html" if "html" in body else "template" if "template" in body else "data"
        raise ValidationError(
            f"{type(request).__name__}.{at_fault} makes a body of {len(encoded):,} bytes, and the service takes "
            f"at most {MAX_JSON_BYTES:,} (base64 adds a third)",
            field=at_fault,
        )
    return HttpCall(
        method="POST",
        path=f"/{version}{path}",
        kind=CallKind.CONVERSION,
        json=encoded,
        form=() if uploaded is None else tuple(_form(request, body, uploaded, upload_options)),
        name=request.name,
        render_seconds=0.0 if asynchronous else _render_seconds(request),
        product=product,
    )


@cache
def _endpoint(cls: Any) -> tuple[str, str]:
    """The path below the version, and the product."""
    if cls is MergePdfs:
        return "/pdf/merge", "pdf"
    converted_from, _, product = cls.kind.partition("_to_")
    return f"/{converted_from}/{product}", product


def _render_seconds(request: BaseOptions) -> float:
    # Whole milliseconds: the fields' converter has turned a timedelta into them.
    timeout = cast(int, _DEFAULT_RENDER_MS if request.timeout is None else request.timeout)
    return (timeout + cast(int, request.delay or 0)) / 1000


def _form(
    request: BaseOptions, body: dict[str, Any], uploaded: FileSource, upload_options: UploadOptions
) -> Iterator[FormPart]:
    if hasattr(request, "template"):
        data = body.pop("data")
        yield FormPart(name="options", content=_json_text(body))
        yield _file_part("template", uploaded, "template.html")
        yield FormPart(name="data", content=json_bytes(data), filename="data.json", content_type="application/json")
        return
    if body and upload_options != "fields":
        yield FormPart(name=upload_options, content=_json_text(body))
    elif body:
        for name, value in body.items():
            yield FormPart(name=name, content=value if isinstance(value, str) else _json_text(value))
    yield _file_part("file", uploaded, "document.pdf" if isinstance(request, PdfToDocx) else "document.docx")


def _json_text(value: Any) -> str:
    return json_bytes(value).decode()


def _file_part(name: str, content: FileSource, default: str) -> FormPart:
    known = content if isinstance(content, Path) else getattr(content, "name", None)
    filename = Path(known).name if isinstance(known, (str, Path)) and Path(known).suffix else default
    filename = "".join(character if character.isprintable() else "_" for character in filename)
    media_type = _MEDIA_TYPES.get(Path(filename).suffix.lower(), "application/octet-stream")
    if isinstance(content, str):
        content = Path(content)
    return FormPart(name=name, content=content, filename=filename, content_type=media_type)


def read_call(path: str, query: Mapping[str, object] | None = None) -> HttpCall:
    """A call that changes nothing. Values of None are left out of the query."""
    return HttpCall(method="GET", path=path, query=_query(query or {}))


def _query(values: Mapping[str, object]) -> dict[str, str]:
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise ValidationError(f"params must be a mapping of names to values, not {shown(values)}", field="params")
    query = {}
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, bool):
            value = "true" if value else "false"
        if not isinstance(value, (str, int, float)):
            raise ValidationError(f"{name} must be a str, number or bool, not {shown(value)}", field=name)
        query[text(name, "params")] = text(str(value), name)
    return query


_CONVERSION_PATHS: Final = frozenset(
    {"/url/pdf", "/url/image", "/html/pdf", "/html/image", "/template/pdf", "/template/image"}
    | {"/docx/pdf", "/docx/html", "/pdf/docx", "/pdf/merge"}
)


def free_call(
    method: str, path: str, *, version: ApiVersion, json: Any = None, params: Mapping[str, object] | None = None
) -> HttpCall:
    """A call to any endpoint, for those we do not know yet.

    Raises:
        ValidationError: The method or path is not usable, or it is a conversion by another method than POST: that costs
            credits, and a GET or PUT may be repeated on its way by any party that thinks it harmless.
    """
    if not isinstance(method, str) or not method.isascii() or not method.isalpha():
        raise ValidationError(f"method must be an HTTP method, not {shown(method)}", field="method")
    if (
        not isinstance(path, str)
        or not path.startswith("/")
        or path.startswith("//")
        or not path.isascii()
        or not path.isprintable()
        or any(character in path for character in "?#\\ ")
        or any(segment in (".", "..") for segment in path.lower().replace("%2e", ".").split("/"))
    ):
        raise ValidationError(f'path must be like "/jobs", with the query in params, not {shown(path)}', field="path")
    if not path.startswith(("/v1/", "/v2/")):
        path = f"/{version}{path}"
    method = method.upper()
    # As a lenient server may read it: letters of either case, percent-encoded ones, doubled slashes.
    converts = re.sub("/+", "/", unquote(path[3:])).rstrip("/").lower() in _CONVERSION_PATHS
    reads = method in ("GET", "HEAD", "OPTIONS")
    if converts and method != "POST":
        raise ValidationError(f"{method} {path} is a conversion that costs credits: call its own method", field="path")
    kind = CallKind.CONVERSION if converts else CallKind.READ if reads else CallKind.WRITE
    body = None if json is None else json_bytes(json_value(json, "request.json"))
    render_seconds = _DEFAULT_RENDER_MS / 1000 if converts else 0.0
    return HttpCall(
        method=method, path=path, kind=kind, json=body, query=_query(params or {}), render_seconds=render_seconds
    )


# --- reading replies ------------------------------------------------------------------------------------------------


def is_json(headers: Mapping[str, str]) -> bool:
    """Whether a reply says it is JSON."""
    return _means_json(headers.get("content-type", ""))


@lru_cache(maxsize=64)
def _means_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type in ("application/json", "text/json") or media_type.endswith("+json")


def is_product(call: HttpCall, reply: Reply) -> bool:
    """Whether a reply to a conversion is the product itself.

    Decided by Content-Type, never by version (contract section 3). A page or plain text is a product only where HTML was
    asked for: otherwise it is some gateway's word, not the service's.
    """
    if reply.is_json or not (reply.body or reply.spool):
        return False
    media_type = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    return call.product == "html" or not media_type.startswith("text/")


def read_data(reply: Reply) -> Any:
    """The JSON data of a reply; None for an empty body."""
    if not reply.body.strip():
        return None
    return parse_json(reply.body)


def read_any(reply: Reply) -> Any:
    """Whatever came: JSON data, bytes when it is not JSON, None when it is empty."""
    if reply.spool is not None:
        with reply.spool as spool:
            return spool.read()
    if not reply.body:
        return None
    return read_data(reply) if reply.is_json else reply.body


def read_model(reply: Reply, cls: type[_T]) -> _T:
    """One model out of a reply.

    Raises:
        WireFault: It is not readable as one.
    """
    return as_model(read_data(reply), cls)


def as_model(data: Any, cls: type[_T]) -> _T:
    """One model out of a reply's data; see `read_model`."""
    if data is None:
        raise WireFault("the body is empty")
    return converter.structure(data, cls)


def read_list(reply: Reply, cls: type[_T], *, proof: bool = False) -> list[_T]:
    """Models out of a reply: a bare array, an object that wraps one (row 15), or one bare object (row 16).

    Args:
        reply: The reply.
        cls: The models' class.
        proof: Whether conclusions will be drawn from what is not in the list. Then an empty body or a null, which otherwise
            stand for an empty list, are none.

    Raises:
        WireFault: It is none of these.
    """
    data = read_data(reply)
    if data is None and not proof:
        return []
    place = ""
    if isinstance(data, dict):
        wrapped = next((key for key in ("data", "items", "jobs", "assets", "results") if _holds_list(data, key)), None)
        if wrapped is not None:
            data, place = data[wrapped] if proof else data[wrapped] or [], f".{wrapped}"
        elif "id" in data:
            data = [data]
    if not isinstance(data, list):
        raise WireFault(f"expected an array, found {shown(data)}")
    found = []
    for index, item in enumerate(data):
        try:
            found.append(converter.structure(item, cls))
        except WireFault as fault:
            raise fault.within(f"{place}[{index}]") from None
    return found


def _holds_list(data: Mapping[str, Any], key: str) -> bool:
    # A null stands for an empty list only where nothing says that this is one item with an empty field of that name.
    return isinstance(data.get(key), list) or (key in data and data[key] is None and "id" not in data)


_INFO_HEADERS: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "cl-worker": ("worker", str),
    "cl-worker-job-id": ("worker_job_id", str),
    "cl-cluster-id": ("cluster_id", str),
    "cl-bandwidth": ("bandwidth", read_int),
    "cl-process-time": ("process_time", read_int),
    "cl-calls-remaining": ("calls_remaining", read_int),
    "cl-charged-time": ("charged_time", read_int),
    "cl-bandwidth-cost": ("bandwidth_cost", read_float),
    "cl-process-time-cost": ("process_time_cost", read_float),
    "cl-api-credit-cost": ("api_credit_cost", read_float),
    "x-ratelimit-limit": ("rate_limit", read_int),
    "x-ratelimit-remaining": ("rate_limit_remaining", read_int),
    "x-ratelimit-reset": ("rate_limit_reset", read_int),
}


def response_info(status: int, headers: Mapping[str, str]) -> ResponseInfo:
    """The facts in a reply's headers; what cannot be read is None and stays in `headers`."""
    found: dict[str, Any] = {}
    for header, value in headers.items():
        if header in _INFO_HEADERS:
            name, read = _INFO_HEADERS[header]
            try:
                found[name] = read(value)
            except ValueError:
                continue
    return ResponseInfo(status=status, headers=headers, **found)


_SECONDS: Final = re.compile(r"\d+(\.\d*)?", re.ASCII)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait, from either form of Retry-After (RFC 9110 section 10.2.3).

    Args:
        value: The header.
        now: The Unix time. Dates are rounded up to the second, so that a wait never ends early.
    """
    if value is None:
        return None
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)  # infinite beyond 308 digits, which is what such a service asks for
    try:
        moment = parsedate_to_datetime(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return float(max(0, math.ceil((moment - datetime.fromtimestamp(now, UTC)).total_seconds())))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
