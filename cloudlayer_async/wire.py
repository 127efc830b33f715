"""The one converter between our names and the service's: tolerant when reading, exact when sending. Pure.

Reading: models come out of whatever the service's generations say (contract section 7); what cannot be read stays in
`extra`. Sending: requests become the wire's options with exact names; what was not given is not sent.
"""

from __future__ import annotations

import base64
import copy
import math
import re
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import attrs
import cattrs
from cattrs.gen import make_dict_unstructure_fn, override

from .errors import ValidationError
from .jsontext import WireFault
from .models import MODELS, Account, ApiStatus, Asset, Job, JobStatus
from .options import BasicAuth, Cookie, HeaderFooter, Margin, Preview, UserStorage, Viewport, WaitForSelector, wire_name
from .redaction import shown
from .requests import REQUEST_TYPES, BaseOptions, FileSource, HtmlSource
from .sparse import filled
from .validation import UNSET, given

_T = TypeVar("_T")

_PARTS: Final = (Margin, Viewport, Cookie, BasicAuth, HeaderFooter, WaitForSelector, Preview, UserStorage)
_INPUTS: Final = ("html", "template", "file", "batch", "urls", "extra")
"""Fields that do not go out as plain options: `encode_request` and the upload place them."""
_PASSED_AS_IS: Final = ("style", "image_style")
_PLAIN: Final = frozenset({str, int, float, bool, dict})


# --- reading values (contract section 7) ----------------------------------------------------------------------------

_STATUS_WORDS: Final = {
    **dict.fromkeys(("pending", "queued", "processing", "running"), JobStatus.PENDING),
    **dict.fromkeys(("success", "completed", "complete", "succeeded", "done"), JobStatus.SUCCESS),
    **dict.fromkeys(("error", "failed", "failure", "cancelled", "canceled"), JobStatus.ERROR),
}
_NO_STATUS: Final = JobStatus("unknown")
_NUMBER: Final = re.compile(r"-?\d{1,20}(\.\d{1,12})?", re.ASCII)


def _unreadable(value: object) -> ValueError:
    return ValueError(f"unreadable: {shown(value)}")


def read_text(value: Any) -> str:
    """A text; whole numbers are taken as their digits."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _unreadable(value)


def read_int(value: Any) -> int:
    """A whole number, also as digits or as a float without a fraction; never a boolean."""
    number = read_float(value)
    if number != int(number):
        raise _unreadable(value)
    return int(value) if isinstance(value, (int, str)) and "." not in str(value) else int(number)


def read_float(value: Any) -> float:
    """A finite number, also as digits; never a boolean."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _unreadable(value)
    try:
        if math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise _unreadable(value)


def read_bool(value: Any) -> bool:
    """A boolean, or one of the words the service uses for it (row 10)."""
    if isinstance(value, bool):
        return value
    words = {"active": True, "inactive": False, "true": True, "false": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise _unreadable(value)


def read_timestamp(value: Any) -> datetime:
    """Epoch seconds or milliseconds, ISO 8601, or a seconds/nanoseconds object (row 2); always UTC."""
    try:
        if type(value) is int and 10**11 <= value < 10**14:
            return _EPOCH + timedelta(milliseconds=value)
        if isinstance(value, dict):
            seconds = read_float(value.get("_seconds", value.get("seconds")))
            nanoseconds = read_float(value.get("_nanoseconds", value.get("nanoseconds")) or 0)
            return _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
        if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
            moment = datetime.fromisoformat(value.strip())
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        number = read_float(value)
        return _EPOCH + (timedelta(milliseconds=number) if abs(number) >= 1e11 else timedelta(seconds=number))
    except (OverflowError, TypeError) as error:
        raise _unreadable(value) from error


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _read_words(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    if isinstance(value, list):
        return tuple(read_text(word) for word in value)
    raise _unreadable(value)


def _read_mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _unreadable(value)
    return value


def _read_id(value: Any) -> str:
    text = read_text(value)
    if not text:
        raise _unreadable(value)
    return text


def _read_limit(value: Any) -> int | None:
    if value == "":
        return None
    limit = read_int(value)
    return None if limit == -1 else limit


_READERS: Final[Mapping[Any, Callable[[Any], Any]]] = {
    str: read_text,
    int: read_int,
    float: read_float,
    bool: read_bool,
    datetime: read_timestamp,
    tuple: _read_words,
    Mapping: _read_mapping,
}
_FIELD_READERS: Final[Mapping[tuple[type, str], Callable[[Any], Any]]] = {
    (Job, "type"): lambda value: read_text(value).replace("/", "-"),
    (Asset, "ext"): lambda value: read_text(value).lstrip("."),
    (Asset, "preview_ext"): lambda value: read_text(value).lstrip("."),
    **{(Account, field.name): _read_limit for field in attrs.fields(Account) if field.name.endswith("_limit")},
}
_WIRE_KEYS: Final[Mapping[tuple[type, str], tuple[str, ...]]] = {
    (Job, "id"): ("id", "jobId"),
    (Job, "uid"): ("uid", "userId"),
    (Job, "worker"): ("workerName", "worker"),
    (Job, "self_url"): ("self",),
    (Account, "bytes_total"): ("bytesTotal", "bytesUsed"),
    (Account, "compute_time_total"): ("computeTimeTotal", "computeTime"),
    (Account, "credit"): ("credit", "creditBalance"),
}
_JOB_COUNTS: Final = {"success_jobs": "completed", "error_jobs": "failed"}


@attrs.frozen
class _ModelField:
    name: str
    keys: tuple[str, ...]
    read: Callable[[Any], Any]


@cache
def _model_fields(cls: Any) -> tuple[_ModelField, ...]:
    hints = typing.get_type_hints(cls)
    fields = []
    for field in attrs.fields(cls):
        if field.name in ("extra", "raw_status", "status"):
            continue
        kind = next(arg for arg in (*typing.get_args(hints[field.name]), hints[field.name]) if arg is not type(None))
        read = _read_id if field.name == "id" else _READERS[typing.get_origin(kind) or kind]
        keys = _WIRE_KEYS.get((cls, field.name), (wire_name(field.name),))
        fields.append(_ModelField(field.name, keys, _FIELD_READERS.get((cls, field.name), read)))
    return tuple(fields)


class _Place(typing.NamedTuple):
    """What a wire key of a model is read as."""

    field: _ModelField
    read: Callable[[Any], Any]
    rank: int | None
    """How good a name it is for its field, 0 the best; None where it is the only one."""


@cache
def _places(cls: Any) -> Mapping[str, _Place]:
    """By wire key."""
    return {
        key: _Place(field, field.read, rank if len(field.keys) > 1 else None)
        for field in _model_fields(cls)
        for rank, key in enumerate(field.keys)
    }


def _read_model(data: Any, cls: Any) -> Any:
    """One tolerant reading for all models: unreadable values and unknown keys end in `extra`."""
    if not isinstance(data, (dict, Mapping)):  # the first is told faster
        raise WireFault(f"expected an object, found {shown(data)}")
    rest: dict[str, Any] = {}
    known: dict[str, Any] = {"extra": rest}
    ranks: dict[str, int] = {}
    places = _places(cls)
    for key, value in data.items():
        place = places.get(key)
        if place is None:
            rest[key] = value
            continue
        if value is None:
            continue
        field, read, rank = place
        if rank is not None and ranks and ranks.get(field.name, rank) < rank:
            rest[key] = value  # an alias, and the better name of the field was there
            continue
        if read is not read_text or type(value) is not str:  # most values are texts, and are taken as they are
            try:
                value = read(value)
            except ValueError:
                rest[key] = value
                continue
        if rank is not None:
            if field.name in known:
                worse = field.keys[ranks[field.name]]
                rest[worse] = data[worse]
            ranks[field.name] = rank
        known[field.name] = value
    if cls is Job:
        known["status"], known["raw_status"] = _read_status(rest)
    elif cls is ApiStatus:
        known["status"] = rest.pop("status").strip() if isinstance(rest.get("status"), str) else ""
    elif cls is Account and isinstance(counts := rest.get("jobCounts"), Mapping):
        known |= _read_job_counts(counts, {*known, *rest})
    if "id" not in known and "id" in places:
        raise WireFault("no usable id" if "id" in data else "no id", "$.id")
    return filled(cls, known) if cls in (Job, Asset) else cls(**known)


def _read_job_counts(counts: Mapping[str, Any], present: set[str]) -> dict[str, int]:
    """The counters that a generation of the service keeps together (row 7), where it sends none of their own."""
    found = {}
    for name, key in _JOB_COUNTS.items():
        if name not in present and wire_name(name) not in present:
            try:
                found[name] = read_int(counts.get(key))
            except ValueError:
                continue
    return found


def _read_status(rest: dict[str, Any]) -> tuple[JobStatus, str | None]:
    raw = rest.get("status")
    if not isinstance(raw, str):
        if raw is None:
            rest.pop("status", None)
        return _NO_STATUS, None
    del rest["status"]
    return _STATUS_WORDS.get(raw) or _STATUS_WORDS.get(raw.strip().lower()) or JobStatus(raw), raw


def _write_model(model: Any) -> dict[str, Any]:
    cls: Any = type(model)
    written: dict[str, Any] = {}
    for field in _model_fields(cls):
        value = getattr(model, field.name)
        if value is not None:
            # Under an alias, where what came under the name itself could not be read and is kept in `extra`.
            key = next((key for key in field.keys if key not in model.extra), field.keys[0])
            written[key] = _write_value(value)
    if cls in (Job, ApiStatus) and "status" not in model.extra and (word := _status_word(model)) is not None:
        written["status"] = word
    return {**written, **{key: copy.deepcopy(value) for key, value in model.extra.items() if key not in written}}


def _status_word(model: Job | ApiStatus) -> str | None:
    if isinstance(model, ApiStatus):
        return model.status
    return None if model.raw_status is None and model.status == _NO_STATUS else model.raw_status or str(model.status)


def _write_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return list(value) if isinstance(value, tuple) else copy.deepcopy(value)


# --- the converter --------------------------------------------------------------------------------------------------


def _read_exactly(data: Any, cls: Any) -> Any:
    """Requests and their parts from a manifest: every key must be one of ours."""
    if not isinstance(data, Mapping):
        raise ValidationError(f"a {cls.__name__} is made from a mapping, not from {shown(data)}", field=cls.__name__)
    fields = attrs.fields_dict(cls)
    unknown = [key for key in data if key not in fields]
    if unknown:
        raise ValidationError(
            f"{cls.__name__} has no field {shown(unknown[0])}; it has {', '.join(fields)}", field=str(unknown[0])
        )
    missing = [name for name, field in fields.items() if field.default is attrs.NOTHING and name not in data]
    if missing:
        raise ValidationError(f"{cls.__name__}.{missing[0]} is missing", field=missing[0])
    parts: Mapping[str, type] = _part_classes(cls)
    return cls(**{name: _read_part(value, parts.get(name)) for name, value in data.items()})


def _read_part(value: Any, part: type | None) -> Any:
    if part is not None and isinstance(value, Mapping):
        return converter.structure(value, part)
    if part is not None and isinstance(value, list):
        return [_read_part(item, part) for item in value]
    return value


@cache
def _part_classes(cls: Any) -> Mapping[str, type]:
    """The fields of `cls` that hold option parts, and the class of these."""
    found = {}
    for name, hint in typing.get_type_hints(cls).items():
        pending = [hint]
        while pending:
            hint = pending.pop()
            if hint in _PARTS:
                found[name] = hint
            pending.extend(typing.get_args(hint))
    return found


def _is_ours(cls: Any) -> bool:
    return isinstance(cls, type) and (cls in _PARTS or issubclass(cls, BaseOptions))


def _part_writer(cls: type) -> Callable[[Any], dict[str, Any]]:
    """Wire names, defaults left out."""
    overrides = {}
    for field in attrs.fields(cast("type[attrs.AttrsInstance]", cls)):
        always = cls is Preview and field.name in ("type", "quality")  # sources disagree on their defaults: row 23
        overrides[field.name] = override(
            rename=wire_name(field.name),
            omit_if_default=not always,
            unstruct_hook=_as_is if field.name in _PASSED_AS_IS else None,
        )
    return make_dict_unstructure_fn(cls, converter, **overrides)  # type: ignore[arg-type]


class _Layout(typing.NamedTuple):
    """Where a kind of request has what."""

    options: Mapping[str, str]
    """Wire names of options by our names."""
    source: str
    """The wire name of the page or template."""
    addresses: str | None
    """The field of several addresses."""
    has_data: bool


@cache
def _layout(cls: Any) -> _Layout:
    names = [field.name for field in attrs.fields(cls)]
    return _Layout(
        options={name: wire_name(name) for name in names if name not in _INPUTS},
        source="html" if "html" in names else "template",
        addresses=next((name for name in ("urls", "batch") if name in names), None),
        has_data="template_id" in names,
    )


def _write_options(request: BaseOptions) -> dict[str, Any]:
    """The options that were given, by wire name; sources and `extra` are placed by `encode_request`."""
    cls: Any = type(request)
    names = _layout(cls).options
    written = {
        # Template data and plain values are the wire's already; parts are converted.
        names[name]: value if type(value) in _PLAIN else converter.unstructure(value)
        for name, value in given(request)
        if name in names
    }
    if getattr(request, "emulate_media_type", UNSET) is None:
        written["emulateMediaType"] = None  # the one option in which null has a meaning (contract section 4)
    return written


def _as_is(value: Any) -> Any:
    return value


def _write_selector(wait: WaitForSelector) -> dict[str, Any]:
    options = {"visible": wait.visible, "hidden": wait.hidden, "timeout": wait.timeout}
    given = {name: value for name, value in options.items() if value is not None}
    return {"selector": wait.selector, "options": given} if given else {"selector": wait.selector}


def _make_converter() -> cattrs.Converter:
    made = cattrs.Converter(detailed_validation=False)
    made.register_structure_hook_func(lambda cls: cls in MODELS, _read_model)
    made.register_structure_hook_func(_is_ours, _read_exactly)
    made.register_unstructure_hook_factory(lambda cls: cls in _PARTS, _part_writer)
    # A flat class of ours, a nested object of theirs.
    made.register_unstructure_hook(WaitForSelector, _write_selector)
    for model in MODELS:
        made.register_unstructure_hook(model, _write_model)
    return made


converter: Final = _make_converter()


# --- requests -------------------------------------------------------------------------------------------------------


def encode_request(request: BaseOptions, source: str | bytes | None = None) -> dict[str, Any]:
    """The JSON object of a conversion, without the options that depend on the version.

    Args:
        request: The request.
        source: The page or inline template itself, for requests that have one.
    """
    cls: Any = type(request)
    layout = _layout(cls)
    body: dict[str, Any] = {}
    if source is not None:
        raw = source.encode() if isinstance(source, str) else source
        body[layout.source] = base64.b64encode(raw).decode("ascii")
    if layout.addresses is not None and (urls := getattr(request, layout.addresses)):
        body["batch"] = {"urls": list(urls)}  # rows 13 and 14
    body.update(_write_options(request))
    if layout.has_data:
        body.setdefault("data", {})
    if request.extra:
        body.update(request.extra)
    return body


def inline_source(request: BaseOptions) -> HtmlSource | None:
    """What goes out base64-encoded inside the JSON body: a page, or an own template that is not a file."""
    template = getattr(request, "template", None)
    if template is not None:
        return None if isinstance(template, Path) else cast(HtmlSource, template)
    return getattr(request, "html", None)


def uploaded_source(request: BaseOptions) -> FileSource | None:
    """What goes out as a file of a multipart form: a document, or a template given as a `Path`."""
    template = getattr(request, "template", None)
    return template if isinstance(template, Path) else getattr(request, "file", None)


# --- to and from dictionaries ---------------------------------------------------------------------------------------


def to_dict(obj: Any) -> dict[str, Any]:
    """A plain dictionary fit for JSON, which `from_dict` reads back.

    Models come out under the service's names. Requests come out as ``{"kind": "html_to_pdf", ...}`` with our snake_case
    names: a line of a batch manifest. Mind that a request's cookies and passwords are in it.

    Raises:
        ValidationError: The request holds an open file object, which no text can stand for, or `obj` is of another class.
    """
    if isinstance(obj, BaseOptions):
        kind = next((kind for kind, cls in REQUEST_TYPES.items() if type(obj) is cls), None)
        if kind is not None:
            return {"kind": kind, **_written_down(obj)}
    if type(obj) in MODELS:
        return cast("dict[str, Any]", converter.unstructure(obj))
    raise ValidationError(f"to_dict takes a request or a model, not a {type(obj).__name__}", field="obj")


def _written_down(part: Any) -> dict[str, Any]:
    return {
        field.name: _plain(value, field.name)
        for field in attrs.fields(type(part))
        if (value := getattr(part, field.name)) is not field.default
    }


def _plain(value: Any, name: str) -> Any:
    if attrs.has(type(value)):
        return _written_down(value)
    if isinstance(value, (tuple, list)):
        return [_plain(item, name) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item, name) for key, item in value.items()}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    if hasattr(value, "read"):
        raise ValidationError(f"{name} is an open file, which cannot be written down: give its path", field=name)
    return value


def from_dict(cls: type[_T], data: Mapping[str, Any]) -> _T:
    """The object that `to_dict` wrote, or that the service sent.

    Models are read tolerantly; requests exactly (an unknown key is an error). A request's ``kind``, when given, must be
    its class's.

    Raises:
        ValidationError: `data` cannot be read as a `cls`.
    """
    if isinstance(cls, type) and issubclass(cls, BaseOptions):
        if isinstance(data, Mapping):
            kind = getattr(cls, "kind", None)
            if data.get("kind", kind) != kind:
                raise ValidationError(f"a {cls.__name__} is of kind {kind}, not {shown(data['kind'])}", field="kind")
            data = {name: _source(value, name) for name, value in data.items() if name != "kind"}
    elif cls not in MODELS:
        raise ValidationError(f"from_dict makes requests and models, not a {shown(cls)}", field="cls")
    try:
        return converter.structure(data, cls)
    except WireFault as fault:
        raise ValidationError(f"not a {cls.__name__}: {fault} at {fault.path}", field=fault.path) from None


def _source(value: Any, name: str) -> Any:
    if name in ("html", "template", "file") and isinstance(value, Mapping) and len(value) == 1:
        if isinstance(path := value.get("path"), str):
            return Path(path)
        if isinstance(encoded := value.get("base64"), str):
            try:
                return base64.b64decode(encoded, validate=True)
            except ValueError:
                raise ValidationError(f"{name} is base64 text that cannot be decoded", field=name) from None
    return value
