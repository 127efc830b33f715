"""Reading a webhook's body, whoever wrote it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..errors import ValidationError
from ..jsontext import WireFault, parse_json
from ..models import Job
from ..protocol import path_segment
from ..redaction import shown
from ..wire import converter

MAX_BODY: Final = 1024 * 1024
"""Bytes of a body. The service echoes a job's options in it, template data included."""
_DEEPEST: Final = 64
_LONGEST_ID: Final = 256


def parse_webhook(body: bytes | str | Mapping[str, Any], *, max_body: int = MAX_BODY) -> Job:
    """The job that a webhook's body tells of, in every shape that the service is known to send.

    Its content is a claim of whoever sent it: read the job with `AsyncCloudlayer.get_job` before you act on it, or leave
    both to `WebhookReceiver`.

    Args:
        body: The raw body, or the mapping that a framework has already made of it.
        max_body: The most bytes it may have.

    Raises:
        ValidationError: It cannot be read as a job with a usable id: not JSON, no object, too large, nested too deep. No
            other error is raised, whatever comes.
    """
    if isinstance(body, Mapping):
        try:
            data = _plain(body, _Allowance(max_body), 0)
        except ValidationError:
            raise
        except Exception as error:  # a foreign mapping may fail in any way
            raise _refusal(f"it cannot be gone through: {type(error).__name__}") from None
    else:
        data = _parsed(body, max_body)
    try:
        job: Job = converter.structure(data, Job)
        path_segment(job.id, "id")
    except WireFault as fault:
        raise _refusal(f"{fault} at {fault.path}") from None
    except ValidationError:
        raise _refusal("its id cannot be one") from None
    if len(job.id) > _LONGEST_ID:
        raise _refusal(f"its id is longer than {_LONGEST_ID} characters")
    return job


def _refusal(reason: str) -> ValidationError:
    return ValidationError(f"not a webhook of a job: {reason}", field="body")


def _parsed(body: object, max_body: int) -> Any:
    if isinstance(body, (bytearray, memoryview)):
        body = bytes(body)
    if not isinstance(body, (bytes, str)):
        raise _refusal(f"it must be bytes, a str or a mapping, not {shown(body)}")
    if len(body) > max_body:
        raise _refusal(f"it is larger than {max_body:,} bytes")
    try:
        data = parse_json(body)
    except WireFault as fault:
        raise _refusal(str(fault)) from None
    _check_depth(data)
    return data


def _check_depth(data: Any) -> None:
    """Refuses what reprs, comparisons and pickles would fail on later, since they recurse."""
    level = [data]
    for _ in range(_DEEPEST):
        level = [
            inner
            for item in level
            if isinstance(item, (dict, list))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise _refusal(f"it is nested more than {_DEEPEST} levels deep")


class _Allowance:
    """How much of a mapping may still be copied: one for each value, one for each character."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def spend(self, amount: int) -> None:
        self._left -= amount
        if self._left < 0:
            raise _refusal(f"it is larger than {self._most:,} bytes")


def _plain(value: Any, allowance: _Allowance, depth: int) -> Any:
    """A copy in plain dicts and lists, so that nothing foreign is asked twice."""
    if depth > _DEEPEST:
        raise _refusal(f"it is nested more than {_DEEPEST} levels deep")
    allowance.spend(1)
    if isinstance(value, (str, bytes)):
        allowance.spend(len(value))
    elif isinstance(value, Mapping):
        copy = {}
        for key in value:
            if not isinstance(key, str):
                raise _refusal(f"it has a key that is no str: {shown(key)}")
            allowance.spend(len(key))
            copy[key] = _plain(value[key], allowance, depth + 1)
        return copy
    elif isinstance(value, (list, tuple)):
        return [_plain(item, allowance, depth + 1) for item in value]
    return value
