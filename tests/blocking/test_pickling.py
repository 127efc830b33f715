"""What goes to other processes: settings, requests and errors do; clients and handles say why they do not."""

from __future__ import annotations

import copy
import pickle

import pytest

from cloudlayer_async import (
    Cloudlayer,
    CloudlayerError,
    ConfigError,
    HtmlToPdf,
    Margin,
    NotFoundError,
    PollSchedule,
    RetryPolicy,
    Timeouts,
)

from .conftest import KEY


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_client_refuses(cl: Cloudlayer, way: object) -> None:
    assert callable(way)
    with pytest.raises(TypeError, match="Cloudlayer holds connections and a key, and is not pickled") as refusal:
        way(cl)
    assert KEY not in str(refusal.value)


def test_handles_refuse_and_say_what_to_pass_on(cl: Cloudlayer) -> None:
    with pytest.raises(TypeError, match="pass its job_id on"):
        pickle.dumps(cl.attach("7Kq2"))


@pytest.mark.parametrize(
    "setting",
    [
        Timeouts(read=5),
        RetryPolicy(attempts=2),
        PollSchedule(min_interval=1),
        HtmlToPdf("<p>x</p>", margin=Margin(top="1in")),
    ],
    ids=lambda setting: type(setting).__name__,
)
def test_a_configuration_pickles(setting: object) -> None:
    assert pickle.loads(pickle.dumps(setting)) == setting


def test_errors_of_calls_pickle(cl: Cloudlayer) -> None:
    with pytest.raises(NotFoundError) as caught:
        cl.get_job("unknown")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again), again.history) == (NotFoundError, str(caught.value), caught.value.history)


def test_errors_of_this_room_pickle(cl: Cloudlayer) -> None:
    cl.close()
    with pytest.raises(ConfigError) as caught:
        cl.get_status()
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, CloudlayerError)
    assert str(again) == str(caught.value)
