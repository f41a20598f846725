# SPDX-License-Identifier: Apache-2.0
"""Tensors that the loss trains and no module knows are found and named."""

import functools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from tracing import marked

from lightning_gradguard.hidden import hidden_tensors
from lightning_gradguard.trace import Recorder, Trace


class Kit:
    """A plain object that holds a layer."""

    def __init__(self, layer: nn.Module) -> None:
        self.layer = layer


class Keeping(nn.Module):
    """Keep layers in every wrong place."""

    def __init__(self) -> None:
        super().__init__()
        self.good = nn.Linear(2, 2)
        self.experts = [nn.Linear(2, 1), nn.Linear(2, 1)]
        self.heads = {"a": nn.Linear(2, 1, bias=False)}
        self.kit = Kit(nn.Linear(2, 1, bias=False))
        self.scale = torch.ones(2, requires_grad=True)
        self.made = nn.Parameter(torch.ones(2)).double()
        self.deed = functools.partial(torch.mul, nn.Parameter(torch.ones(1)))
        self.deep = {"x": [{"y": (nn.Linear(2, 1, bias=False),)}]}
        self.filled: list[nn.Module] = []
        self.filled.append(nn.Linear(2, 1, bias=False))
        self.register_buffer("running", torch.zeros(2, requires_grad=True))
        self.teacher = [nn.Linear(2, 1).eval()]


@pytest.fixture
def model() -> Keeping:
    """Return a fresh module."""
    return Keeping()


def names_of(model: nn.Module, *strays: Tensor | None) -> dict[str, Any]:
    """Return the names found for some leaves, with their places."""
    wanted = [stray for stray in strays if stray is not None]
    found, places = hidden_tensors(model, wanted, Trace())
    assert [id(t) for t in found.values()] == [id(t) for t in wanted]
    return {name: places[name] for name in found}


class TestKept:
    """Leaves that hang on the module."""

    def test_list_of_layers(self, model: Keeping) -> None:
        """The position is part of the name, the place is the assignment."""
        found = names_of(model, *model.experts[1].parameters())
        assert list(found) == ["experts.1.weight", "experts.1.bias"]
        text = "self.experts = [nn.Linear(2, 1), nn.Linear(2, 1)]"
        assert {marked(span) for span in found.values()} == {text}

    def test_dict_of_layers(self, model: Keeping) -> None:
        """The key is part of the name."""
        assert list(names_of(model, model.heads["a"].weight)) == ["heads.a.weight"]

    def test_plain_object(self, model: Keeping) -> None:
        """Attributes of helper objects are looked through."""
        layer: Any = model.kit.layer
        assert list(names_of(model, layer.weight)) == ["kit.layer.weight"]

    def test_tensor_that_requires_grad(self, model: Keeping) -> None:
        """A plain tensor is no parameter."""
        assert list(names_of(model, model.scale)) == ["scale"]

    def test_parameter_that_was_cast(self, model: Keeping) -> None:
        """The attribute is no leaf; the leaf it was made from gets its name."""
        leaf = model.made.grad_fn.next_functions[0][0].variable  # type: ignore[union-attr]
        assert list(names_of(model, leaf)) == ["made"]

    def test_arguments_of_a_partial(self, model: Keeping) -> None:
        """A bound argument is found."""
        assert list(names_of(model, model.deed.args[0])) == ["deed.0"]

    def test_nested_containers(self, model: Keeping) -> None:
        """Four levels are looked through."""
        layer = model.deep["x"][0]["y"][0]
        assert list(names_of(model, layer.weight)) == ["deep.x.0.y.0.weight"]

    def test_filled_container(self, model: Keeping) -> None:
        """The place is where the list is filled, not where it is made empty."""
        layer: Any = model.filled[0]
        (span,) = names_of(model, layer.weight).values()
        assert marked(span) == "self.filled.append(nn.Linear(2, 1, bias=False))"

    def test_buffer_that_requires_grad(self, model: Keeping) -> None:
        """A buffer is known to the checkpoint and not to the optimizer."""
        buffer: Any = model.running
        assert list(names_of(model, buffer)) == ["running"]

    def test_submodule(self) -> None:
        """The name begins with that of the registered module."""
        outer = nn.Sequential(Keeping())
        inner: Any = outer[0]
        assert list(names_of(outer, inner.scale)) == ["0.scale"]

    def test_teacher_in_eval_mode_is_left_alone(self, model: Keeping) -> None:
        """A module that nobody wants to train may hide where it likes."""
        weight = next(model.teacher[0].parameters())
        found, _ = hidden_tensors(model, [torch.ones(1, requires_grad=True)], Trace())
        assert found == {}
        assert not any("teacher" in name for name in hidden_tensors(model, [weight], Trace())[0])


class TestMade:
    """Leaves that a step makes."""

    def test_layer_made_in_the_step(self) -> None:
        """It is named after the line that used it first."""
        with Recorder({}) as recorder:
            head = nn.Linear(2, 1, bias=False)
            out = head(torch.ones(1, 2))
        found, places = hidden_tensors(nn.Module(), [head.weight], recorder.trace)
        assert out.requires_grad
        assert list(found.values()) == [head.weight]
        assert list(places) == list(found)

    def test_plain_leaf_made_in_the_step_is_no_parameter(self) -> None:
        """Adversarial inputs and meta learning make leaves on purpose."""
        with Recorder({}) as recorder:
            noise = torch.zeros(2, requires_grad=True)
            (noise * 2).sum()
        assert hidden_tensors(nn.Module(), [noise], recorder.trace) == ({}, {})
