"""What a client is configured with, checked when given."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast, get_args
from urllib.parse import urlsplit

import attrs

from ._keywords import DefaultOptions
from .errors import ConfigError, ValidationError
from .models import Attempt
from .polling import PollSchedule
from .protocol import ApiVersion, UploadOptions
from .redaction import Secret, shown, without_signature
from .requests import check_defaults
from .retry import RetryPolicy, Timeouts
from .transport import KeySource, check_key
from .validation import is_loopback

DEFAULT_BASE_URL: Final = "https://api.cloudlayer.io"


def _choice(allowed: tuple[str, ...]) -> Any:
    def check(instance: object, field: attrs.Attribute[Any], value: object) -> None:
        if value not in allowed:
            raise ConfigError(f"{field.name} must be one of {', '.join(allowed)}, not {shown(value)}")

    return check


def _instance(cls: type) -> Any:
    def check(instance: object, field: attrs.Attribute[Any], value: object) -> None:
        if not isinstance(value, cls):
            raise ConfigError(f"{field.name} must be a {cls.__name__}, not {shown(value)}")

    return check


def _checked_defaults(value: Mapping[str, Any] | None) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"defaults must be a mapping of option names to values, not {shown(value)}")
    try:
        check_defaults(value)
    except ValidationError as error:
        raise ConfigError(f"defaults: {error}") from None
    return dict(value)


def _callable(instance: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None and not callable(value):
        raise ConfigError(f"{field.name} must be callable, not {shown(value)}")


def key_source(value: Any) -> KeySource:
    """The key, or the function that gives it; from CLOUDLAYER_API_KEY when not given.

    Raises:
        ConfigError: There is none, or it cannot be one.
    """
    if isinstance(value, Secret) or callable(value):
        return cast(KeySource, value)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"api_key must be a str or a function that gives one, not a {type(value).__name__}")
    return Secret(check_key(os.environ.get("CLOUDLAYER_API_KEY") if value is None else value))


def checked_base_url(value: object) -> str:
    """The service's address without a version or a trailing slash; from CLOUDLAYER_BASE_URL when not given.

    Raises:
        ConfigError: It is not https (or loopback), or carries what an address must not.
    """
    if value is None:
        value = os.environ.get("CLOUDLAYER_BASE_URL") or DEFAULT_BASE_URL
    if not isinstance(value, str):
        raise ConfigError(f"base_url must be a str, not {shown(value)}")
    url = value.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = None, "", None
    said = shown(without_signature(url))
    if parts is None or parts.scheme not in ("https", "http") or not host or port == 0 or not _is_plain(url):
        raise ConfigError(f'base_url must be an address such as "{DEFAULT_BASE_URL}", not {said}')
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(f"base_url must be https, since the key travels with every call: not {said}")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ConfigError(f"base_url must carry no credentials, query or fragment: {said}")
    if parts.path.rpartition("/")[2] in get_args(ApiVersion):
        raise ConfigError(f'base_url must leave the version out: pass api_version="v1" or "v2"; given {said}')
    return url


def _is_plain(url: str) -> bool:
    return url.isprintable() and not any(character in url for character in " \\")


@attrs.frozen(kw_only=True)
class ClientConfig:
    """One client's settings; siblings differ in these."""

    key: KeySource = attrs.field(converter=key_source, repr=False)
    api_version: ApiVersion = attrs.field(validator=_choice(get_args(ApiVersion)))
    base_url: str = attrs.field(converter=checked_base_url)
    timeouts: Timeouts = attrs.field(validator=_instance(Timeouts))
    retry: RetryPolicy = attrs.field(validator=_instance(RetryPolicy))
    polling: PollSchedule = attrs.field(validator=_instance(PollSchedule))
    defaults: Mapping[str, Any] = attrs.field(converter=_checked_defaults, repr=False)
    on_attempt: Callable[[Attempt], object] | None = attrs.field(validator=_callable, repr=False)
    upload_options: UploadOptions = attrs.field(validator=_choice(get_args(UploadOptions)))

    is_local: bool = attrs.field(
        init=False,
        default=attrs.Factory(lambda self: is_loopback(urlsplit(self.base_url).hostname or ""), takes_self=True),
    )
    """Whether the service is on this machine, as an emulator is."""


class ClientChanges(DefaultOptions, total=False):
    """What `with_options` takes: settings of the client, and options to send with every conversion."""

    api_key: str | Callable[[], str | Awaitable[str]]
    api_version: ApiVersion
    base_url: str
    timeouts: Timeouts
    retry: RetryPolicy
    polling: PollSchedule
    defaults: DefaultOptions
    on_attempt: Callable[[Attempt], object] | None
    upload_options: UploadOptions
