# SPDX-License-Identifier: Apache-2.0
"""Calls that torch keeps from function modes are told to the recorder, and to nobody after it."""

import threading
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_gradguard.trace import Recorder


def _halved(x: Tensor) -> Tensor:
    return x.detach() / 2


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # torch advises `torch.compile`
    halved: Any = torch.jit.script(_halved)


def entries() -> tuple[Any, Any]:
    """Return what the recorder replaces while it runs."""
    return torch.jit.ScriptFunction.__call__, vars(torch._C)["_nested"].nested_tensor


@pytest.fixture
def weight() -> torch.nn.Parameter:
    """Return a parameter of three values."""
    return torch.nn.Parameter(torch.ones(3))


def test_scripted_call_is_recorded(weight: torch.nn.Parameter) -> None:
    """It has the parameter for an input, a result without a gradient, and its own name."""
    with Recorder({"w": weight}) as recorder:
        out = halved(weight)
    assert torch.equal(out, torch.full((3,), 0.5))
    call = next(c for c in recorder.trace.calls if c.name == "_halved")
    assert [v.name for v in call.inputs] == ["w"]
    assert [v.rg for v in call.outputs] == [False]
    assert call.public == "_halved"


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_ragged_tensor_is_recorded(weight: torch.nn.Parameter) -> None:
    """The constructor drops the history of its parts; the shape is known as far as there is one."""
    with Recorder({"w": weight}) as recorder:
        ragged = torch.nested.nested_tensor([weight[:2], weight])
        twice = ragged * 2
    assert twice.is_nested
    call = next(c for c in recorder.trace.calls if c.name == "nested_tensor")
    assert [v.shape for v in call.outputs] == [(2, -1)]
    assert recorder.trace.fault is None


def test_entries_are_put_back(weight: torch.nn.Parameter) -> None:
    """After a recording, and after one that an exception has ended."""
    before = entries()
    with Recorder({"w": weight}):
        assert entries() != before
    assert entries() == before
    with pytest.raises(ZeroDivisionError), Recorder({"w": weight}):
        1 / 0  # noqa: B018
    assert entries() == before


def test_other_threads_are_left_alone(weight: torch.nn.Parameter) -> None:
    """A scripted call of another thread runs as ever, and is not part of the record."""
    results: list[Tensor] = []
    with Recorder({"w": weight}) as recorder:
        thread = threading.Thread(target=lambda: results.append(halved(weight)))
        thread.start()
        thread.join()
    assert torch.equal(results[0], torch.full((3,), 0.5))
    assert "_halved" not in {c.name for c in recorder.trace.calls}
