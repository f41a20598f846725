# SPDX-License-Identifier: Apache-2.0
"""Every row of the table of operations says what torch does."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_gradguard.ops import OPS, Kind, Op, find
from lightning_gradguard.trace import Recorder

# The rows of switches, whose probes run another operation under them.
SWITCHES = {"no_grad", "inference_mode", "set_grad_enabled"}
# Row -> why the trace does not meet it under its name.
UNMET = {
    "threshold": "the function arrives as `_threshold`",
}


def param(name: str) -> object:
    """Mark the rows of `UNMET`."""
    reason = UNMET.get(name)
    marks = pytest.mark.xfail(reason=reason, strict=True) if reason else ()
    return pytest.param(name, marks=marks)


def rows(*kinds: Kind) -> list[str]:
    """List the rows of some kinds."""
    return [op.name for op in OPS.values() if op.kind in kinds]


def evaluate(op: Op, x: Tensor) -> Any:
    """Run the proof of a row."""
    scope = {"x": x, "y": torch.tensor([0, 2, 1]), "torch": torch, "F": F}
    return eval(op.probe, scope)  # noqa: S307 - the project's own table


def inputs(low: float = 0.05, high: float = 0.95) -> Tensor:
    """Make twelve different values in a range."""
    return torch.linspace(low, high, 12).reshape(3, 4).requires_grad_()


class TestProbes:
    """Each probe against autograd."""

    @pytest.mark.parametrize("name", rows(Kind.CUT, Kind.COPY, Kind.STOP, Kind.SHAPE))
    def test_result_has_no_history(self, name: str) -> None:
        """A cut, a copy, a stop and a look at the shape give a tensor without a gradient."""
        out = evaluate(OPS[name], inputs())
        assert isinstance(out, Tensor)
        assert not out.requires_grad
        assert out.grad_fn is None

    @pytest.mark.parametrize("name", rows(Kind.ZERO))
    def test_gradient_is_all_zero(self, name: str) -> None:
        """A step function and a sample keep a history whose derivative is zero everywhere."""
        x = inputs()
        out = evaluate(OPS[name], x)
        assert out.requires_grad
        out.sum().backward()
        assert x.grad is not None
        assert not x.grad.any()

    @pytest.mark.parametrize("name", rows(Kind.EXIT))
    def test_result_is_no_tensor(self, name: str) -> None:
        """An exit hands plain values out."""
        assert not isinstance(evaluate(OPS[name], inputs()), Tensor)

    @pytest.mark.parametrize("name", rows(Kind.SELECT))
    def test_gradient_passes_only_within_a_range(self, name: str) -> None:
        """A selection passes everything in (0, 1) and nothing far below."""
        near, far = inputs(), inputs(-50.0, -40.0)
        evaluate(OPS[name], near).sum().backward()
        evaluate(OPS[name], far).sum().backward()
        assert near.grad is not None
        assert near.grad.all()
        assert far.grad is not None
        assert not far.grad.any()

    def test_every_kind_is_checked(self) -> None:
        """No row escapes the four tests."""
        checked = rows(*Kind)
        assert sorted(checked) == sorted(OPS)

    @pytest.mark.parametrize("name", [param(name) for name in OPS if name not in SWITCHES])
    def test_trace_uses_the_name_of_the_row(self, name: str) -> None:
        """A row is looked up by the name under which its operation arrives, as `eq` or `__eq__`."""
        with Recorder({}) as recorder:
            evaluate(OPS[name], inputs())
        met = {call.name for call in recorder.trace.calls}
        assert met & {name, f"__{name}__", name.strip("_")}


class TestWords:
    """What the rows say."""

    @pytest.mark.parametrize("name", OPS)
    def test_row_explains_itself(self, name: str) -> None:
        """The reason reads on after the name, and the advice has no open slot but the name."""
        op = OPS[name]
        assert op.why[0].islower()
        assert not op.why.endswith(".")
        assert "{" not in op.instead.format(name=op.name)

    @pytest.mark.parametrize("name", [n for n in OPS if n not in SWITCHES])
    def test_name_is_one_of_torch(self, name: str) -> None:
        """The bare name exists as a method or a function."""
        homes: tuple[Any, ...] = (torch.Tensor, torch, F)
        assert any(hasattr(home, name) for home in homes)


class TestFind:
    """`find`."""

    @pytest.mark.parametrize(
        "public",
        ["argmax", "torch.argmax", "torch.Tensor.argmax", "torch.Tensor.argmax.__get__"],
    )
    def test_takes_public_and_bare_names(self, public: str) -> None:
        """The namespace in front of a name does not matter."""
        assert find(public) is OPS["argmax"]

    def test_does_not_know_harmless_operations(self) -> None:
        """An operation that passes gradients has no row."""
        assert [find(name) for name in ("torch.matmul", "tanh", "logsumexp")] == [None] * 3
