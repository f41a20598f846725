# SPDX-License-Identifier: Apache-2.0
"""Reachability: where the way from a parameter to the loss is cut, and what the loss is made of."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from tracing import Recorded, marked, weights

from lightning_gradguard import ops
from lightning_gradguard.lineage import Cut
from lightning_gradguard.source import locate

X = torch.linspace(-1, 1, 12).reshape(4, 3)
Y = torch.tensor([0, 1, 1, 0])


def first_cut(step: Callable[..., Any], name: str = "w") -> Cut:
    """Return the likeliest culprit above a parameter."""
    made = Recorded(step, weights(w=(3, 2)))
    return made.lineage.cuts([made.view.value])[made.trace.params[name]][0]  # type: ignore[list-item]


class Hard(torch.autograd.Function):
    """A step in the forward pass and nothing in the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return a result that no gradient leaves."""
        out = (x > 0).float()
        ctx.mark_non_differentiable(out)
        return out

    @staticmethod
    def backward(_ctx: Any, *_grads: Tensor) -> None:
        """Hand nothing on."""


def to_cross_entropy(w: Tensor) -> Tensor:
    """Compute a loss that trains."""
    return F.cross_entropy(X @ w, Y)


class TestCuts:
    """Edges that carry data and no gradient."""

    @pytest.mark.parametrize(
        ("step", "kind", "op"),
        [
            (lambda w: (X @ w).argmax(1).float().mean(), ops.Kind.CUT, "torch.Tensor.argmax"),
            (lambda w: (X @ w).detach().mean(), ops.Kind.STOP, "torch.Tensor.detach"),
            (lambda w: (X @ w).data.mean(), ops.Kind.STOP, "torch.Tensor.data"),
            (lambda w: (X @ w).long().float().mean(), ops.Kind.CUT, "torch.Tensor.long"),
            (lambda w: torch.tensor((X @ w).mean()), ops.Kind.COPY, "torch.tensor"),
            (lambda w: torch.ones(()) * (X @ w).mean().item(), ops.Kind.EXIT, "torch.Tensor.item"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:To copy construct from a tensor")
    def test_kind_and_name(self, step: Callable[[Tensor], Tensor], kind: ops.Kind, op: str) -> None:
        """Each way of losing a gradient is known by name."""
        cut = first_cut(step)
        assert (cut.kind, cut.op) == (kind, op)

    def test_grad_mode_is_blamed_and_not_the_operation(self) -> None:
        """Inside a block the switch is the culprit."""

        def step(w: Tensor) -> Tensor:
            with torch.no_grad():
                out = X @ w
            return out.mean()

        cut = first_cut(step)
        assert (cut.kind, cut.op) == (ops.Kind.STOP, "torch.no_grad")
        assert locate(cut.stack[0]).text.strip() == "with torch.no_grad():"

    def test_custom_function_is_named_where_it_is_applied(self) -> None:
        """Not the comparison inside it is to blame."""

        def step(w: Tensor) -> Tensor:
            return Hard.apply(X @ w).mean()  # type: ignore[no-any-return,no-untyped-call]

        cut = first_cut(step)
        assert cut.op == "Hard"
        assert "Hard.apply" in locate(cut.stack[0]).text

    def test_first_cut_on_the_way_is_meant(self) -> None:
        """What happens behind a cut cannot lose the gradient again."""

        def step(w: Tensor) -> Tensor:
            best = (X @ w).argmax(1)
            return (best == Y).float().round().mean()

        assert Recorded(step, weights(w=(3, 2))).cuts_of("w") == ["(X @ w).argmax(1)"]

    def test_logging_is_no_cut(self) -> None:
        """Data that goes nowhere near the loss is nobody's business."""

        def step(w: Tensor) -> Tensor:
            out = X @ w
            float((out.argmax(1) == Y).float().mean())
            return out.exp().mean()

        assert Recorded(step, weights(w=(3, 2))).cuts_of("w") == []

    def test_reading_a_shape_is_no_cut(self) -> None:
        """Zeros of the same shape hold no data of the parameter."""

        def step(w: Tensor) -> Tensor:
            return F.mse_loss(X @ w, torch.zeros_like(X @ w))

        assert Recorded(step, weights(w=(3, 2))).cuts_of("w") == []

    def test_way_of_another_parameter_is_not_mixed_up(self) -> None:
        """Only the detached branch is cut."""

        def step(w: Tensor, v: Tensor) -> Tensor:
            return ((X @ w).detach() @ v).mean()

        made = Recorded(step, weights(w=(3, 2), v=(2, 1)))
        assert made.cuts_of("w") == ["(X @ w).detach()"]
        assert made.cuts_of("v") == []

    def test_write_into_a_buffer_without_recording(self) -> None:
        """A cut through a write is found like any other."""

        def step(w: Tensor) -> Tensor:
            out = torch.zeros(4, 2)
            with torch.no_grad():
                out.copy_(X @ w)
            return out.mean()

        assert first_cut(step).op == "torch.no_grad"

    def test_exit_knows_where_its_value_comes_back(self) -> None:
        """Way out and way in are tied together by the source text."""

        def step(w: Tensor) -> Tensor:
            scale = (X @ w).mean().item()
            twice = 2 * scale
            return torch.full((3,), twice).sum()

        cut = first_cut(step)
        assert cut.reentry is not None
        assert marked(locate(cut.reentry.stack[0])) == "torch.full((3,), twice)"

    def test_numpy_round_trip(self) -> None:
        """The array shares storage or is followed by name."""

        def step(w: Tensor) -> Tensor:
            array = (X @ w).detach().numpy()
            return torch.from_numpy(array * 2).mean()

        assert first_cut(step).op in {"torch.Tensor.detach", "torch.Tensor.numpy"}


class TestBlame:
    """Several cuts on the way of one parameter."""

    def test_mask_is_the_least_likely_culprit(self) -> None:
        """A boolean only selects; the integers are to blame."""

        def step(w: Tensor) -> Tensor:
            out = X @ w
            keep = out > 0
            return (out.argmax(1, keepdim=True).float() * keep).mean()

        assert Recorded(step, weights(w=(3, 2))).cuts_of("w")[0].startswith("out.argmax")

    def test_stop_in_front_of_a_cut_costs_nothing(self) -> None:
        """A `detach` before `argmax` is not what stands in the way."""

        def step(w: Tensor) -> Tensor:
            out = X @ w
            hard = out.detach().argmax(1).float()
            soft = out.long().float()
            return (hard + soft.sum(1)).mean()

        assert Recorded(step, weights(w=(3, 2))).cuts_of("w")[0] == "out.long()"

    def test_straight_through_estimator_is_no_main_road(self) -> None:
        """What is stopped comes back with the value that is still alive."""

        def step(w: Tensor) -> Tensor:
            out = X @ w
            through = out + (out.round() - out).detach()
            return through.argmax(1).float().mean()

        made = Recorded(step, weights(w=(3, 2)))
        cuts = made.lineage.cuts([made.view.value])  # type: ignore[list-item]
        main = made.lineage.main_cuts("w", cuts[made.trace.params["w"]])
        assert [cut.op for cut in main] == ["torch.Tensor.argmax"]

    def test_same_cause_at_several_calls_is_one_site(self) -> None:
        """All operations inside one block have their cause in common."""

        def step(w: Tensor) -> Tensor:
            with torch.no_grad():
                first = w.exp()
                second = w.sin()
            return (first + second).sum()

        made = Recorded(step, weights(w=(3, 2)))
        cuts = made.lineage.cuts([made.view.value])[made.trace.params["w"]]  # type: ignore[list-item]
        assert len(cuts) == 2
        assert len({cut.site for cut in cuts}) == 1


class TestReach:
    """Connected, furthest, ancestors."""

    def test_connected_values_are_those_of_the_graph(self) -> None:
        """A gradient of the loss flows into a value, or it does not."""

        def step(w: Tensor, v: Tensor) -> Tensor:
            return w.exp().sum() + v.sin().sum().detach()

        made = Recorded(step, weights(w=(2,), v=(2,)))
        connected = made.lineage.connected
        assert connected(made.trace.params["w"])
        assert not connected(made.trace.params["v"])
        assert connected(made.call("exp").outputs[0])
        assert not connected(made.call("sin").outputs[0])

    def test_furthest_call_of_a_forgotten_branch(self) -> None:
        """The last operation whose result went nowhere."""

        def step(w: Tensor, v: Tensor) -> Tensor:
            side = v.exp()
            side.sin()
            return w.sum()

        made = Recorded(step, weights(w=(2,), v=(2,)))
        assert made.lineage.furthest("v") is made.call("sin")
        assert made.lineage.furthest("absent") is None

    def test_data_flows_through_python(self) -> None:
        """An ancestor may lie on the other side of an exit."""

        def step(w: Tensor) -> Tensor:
            number = w.sum().item()
            return torch.ones(2).sum() * number

        made = Recorded(step, weights(w=(2,)))
        assert made.trace.params["w"] in made.lineage.ancestors([made.view.value])  # type: ignore[list-item]


class TestTerms:
    """Additive parts of a loss."""

    @pytest.mark.parametrize(
        "step",
        [
            lambda w: to_cross_entropy(w) + ((X @ w).argmax(1) == Y).float().mean(),
            lambda w: to_cross_entropy(w) - ((X @ w).argmax(1) == Y).float().mean(),
            lambda w: 2 * (to_cross_entropy(w) + 0.1 * (X @ w).round().long().float().mean()),
            lambda w: sum([to_cross_entropy(w), (X @ w).argmax(1).float().mean()]),
            lambda w: torch.stack([to_cross_entropy(w), (X @ w).argmax(1).float().mean()]).sum(),
            lambda w: to_cross_entropy(w) + (X @ w).mean().item(),
            lambda w: to_cross_entropy(w) + (X @ w).pow(2).mean().detach(),
            lambda w: to_cross_entropy(w) + torch.tensor((X @ w).mean().item() * 3),
        ],
    )
    def test_dead_term_is_found(self, step: Callable[[Tensor], Tensor]) -> None:
        """Sums, differences, scalings, lists and plain numbers."""
        made = Recorded(step, weights(w=(3, 2)))
        (term,) = made.lineage.dead_terms(made.view)
        assert term.cuts

    @pytest.mark.parametrize(
        "step",
        [
            to_cross_entropy,
            lambda w: to_cross_entropy(w) + 1e-8,
            lambda w: to_cross_entropy(w) + X.pow(2).mean(),
            lambda w: to_cross_entropy(w) + w.pow(2).sum(),
            lambda w: (c := to_cross_entropy(w)) - c.detach() + 1.0,
            lambda w: to_cross_entropy(w) * (X @ w).softmax(1).max().detach(),
            lambda w: to_cross_entropy(w) * (X @ w).mean().item(),
            lambda w: F.mse_loss(X @ w, (X @ w).detach().round()),
            lambda w: to_cross_entropy(w) + torch.zeros_like(w).sum(),
        ],
    )
    def test_harmless_parts_are_not(self, step: Callable[[Tensor], Tensor]) -> None:
        """Constants, idioms, weights and targets."""
        made = Recorded(step, weights(w=(3, 2)))
        assert made.lineage.dead_terms(made.view) == []

    def test_term_stands_for_its_operand(self) -> None:
        """The call is the addition, the position is the operand."""

        def step(w: Tensor) -> Tensor:
            return to_cross_entropy(w) + (X @ w).argmax(1).float().mean()

        made = Recorded(step, weights(w=(3, 2)))
        (term,) = made.lineage.dead_terms(made.view)
        assert term.position == 1
        assert term.value is not None
        assert term.value.call is not None
        assert term.value.call.name == "mean"
        assert marked(locate(term.cuts[0].stack[0])) == "(X @ w).argmax(1)"


class TestUnseenCalls:
    """Data goes on where the function mode sees nothing."""

    @pytest.mark.parametrize(
        ("step", "op"),
        [
            (lambda w: torch.vmap(torch.tanh)((X @ w).detach()).sum(), "torch.Tensor.detach"),
            (lambda w: torch.func.vjp(torch.sin, (X @ w).detach())[0].sum(), "torch.Tensor.detach"),
            (
                lambda w: torch.vmap(lambda v: v.argmax().float())(X @ w).sum(),
                "torch.Tensor.argmax",
            ),
            (
                lambda w: torch.vmap(lambda v: v.detach() * 2, in_dims=1, out_dims=1)(X @ w).sum(),
                "torch.Tensor.detach",
            ),
            (lambda w: torch.autograd.Variable((X @ w).data).sum(), "torch.Tensor.data"),
            (lambda w: torch.autograd.Variable(w.data).sum(), "torch.Tensor.data"),
        ],
    )
    def test_cut_is_found_through_them(self, step: Callable[[Tensor], Tensor], op: str) -> None:
        """A transformation of `torch.func` and a wrapper keep the way back to the parameter."""
        assert first_cut(step).op == op

    def test_wrapper_is_blamed_where_it_is_made(self) -> None:
        """Not where its result is first used."""
        params = weights(w=(3, 2))

        def step(w: Tensor) -> Tensor:
            h = X @ w
            made = torch.nn.Parameter(h)
            return (made * 2).sum()

        assert Recorded(step, params).cuts_of("w") == ["torch.nn.Parameter(h)"]

    def test_number_in_a_vmap_is_not_held(self) -> None:
        """It cannot be read once the transformation has ended."""
        made = Recorded(
            lambda w: torch.vmap(lambda v: v - v.mean())(X @ w).sum(), weights(w=(3, 2))
        )
        assert made.trace.fault is None
        assert all(t.item() is not None for t in made.trace.scalars.values())


def test_number_that_leaves_twice_is_followed() -> None:
    """What comes back and leaves again still depends on the parameter."""

    def step(w: Tensor) -> Tensor:
        first = torch.full((2,), (X @ w).mean().item())
        return torch.tensor([v.item() for v in first]).sum()

    assert first_cut(step).op == "torch.Tensor.item"
