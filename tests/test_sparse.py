"""Objects that hold only what they were given behave like any other attrs object."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import attrs
import pytest

from cloudlayer_async import HtmlToPdf, Job, JobStatus, TemplateToPdf


def dense(request: HtmlToPdf) -> HtmlToPdf:
    """The same request with every default given as well."""
    options: dict[str, Any] = {field.name: getattr(request, field.name) for field in attrs.fields(HtmlToPdf)}
    return HtmlToPdf(options.pop("html"), **options)


def test_only_what_was_given_is_held() -> None:
    request = HtmlToPdf("<p>", format="a4")
    assert vars(request) == {"html": "<p>", "format": "a4"}
    assert request.margin is None and request.webhook is None


def test_equality_hash_and_repr_do_not_tell_how_it_was_made() -> None:
    request = HtmlToPdf("<p>", format="a4")
    assert request == dense(request) and hash(request) == hash(dense(request))
    assert repr(request) == repr(dense(request))
    assert request == HtmlToPdf(html="<p>", format="a4") == HtmlToPdf("<p>", format="a4", name=None)
    assert request != HtmlToPdf("<p>", format="a5")


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies(copied: Any) -> None:
    request = HtmlToPdf("<p>", name="a")
    assert copied(request) == request
    assert attrs.evolve(copied(request), name="b") == HtmlToPdf("<p>", name="b")
    job = Job(id="7Kq2", status=JobStatus.PENDING)
    assert copied(job) == job and attrs.evolve(job, size=5).size == 5


def test_each_job_has_an_extra_of_its_own() -> None:
    first, second = Job(id="a", status=JobStatus.PENDING), Job(id="a", status=JobStatus.PENDING)
    assert first.extra == {} and first.extra is not second.extra


def test_nothing_can_be_set() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        HtmlToPdf("<p>").name = "a"  # type: ignore[misc]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Job(id="a", status=JobStatus.PENDING).size = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("args", "options", "complaint"),
    [
        ((), {}, "missing 1 required positional argument: 'html'"),
        (("<p>",), {"html": "<p>"}, "got multiple values for argument 'html'"),
        (("<p>", "a4"), {}, "positional argument"),
        (("<p>",), {"formt": "a4"}, "unexpected keyword argument 'formt'"),
    ],
)
def test_calls_that_do_not_fit_are_told_as_ever(args: Any, options: Any, complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        HtmlToPdf(*args, **options)


def test_signatures_are_those_of_the_fields() -> None:
    assert [*inspect.signature(HtmlToPdf).parameters][:1] == ["html"]
    parameters = inspect.signature(TemplateToPdf).parameters
    assert {field.name for field in attrs.fields(TemplateToPdf)} == {*parameters}
