# SPDX-License-Identifier: Apache-2.0
"""One backward pass node by node: where a gradient died, vanished, cancelled or broke."""

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from tracing import watch, weights

from lightning_gradguard.flow import Flow, Kill, State, state_of
from lightning_gradguard.trace import walk


def kills(loss: Tensor, params: dict[str, Tensor], name: str = "w") -> list[Kill]:
    """Return the places where the gradient of one parameter was lost."""
    flow = watch(loss, params)
    return flow.kills(flow.view.params[name])


def only(loss: Tensor, params: dict[str, Tensor], name: str = "w") -> Kill:
    """Return the one place where the gradient was lost."""
    (kill,) = kills(loss, params, name)
    return kill


def lost(flow: Flow, name: str) -> list[Kill]:
    """Return the losses above a parameter; the leaf of a living one is listed as well."""
    return [kill for kill in flow.kills(flow.view.params[name]) if kill.name != "AccumulateGrad"]


class TestStateOf:
    """`state_of`."""

    @pytest.mark.parametrize(
        ("grad", "state"),
        [
            (None, State.NONE),
            (torch.zeros(3), State.ZERO),
            (torch.tensor([-0.0]), State.ZERO),
            (torch.tensor([0.0, 1e-45]), State.ALIVE),
            (torch.full((2,), 3e38), State.ALIVE),
            (torch.tensor([0.0, float("nan")]), State.NONFINITE),
            (torch.tensor([float("-inf")]), State.NONFINITE),
            (torch.zeros(0, 4), State.EMPTY),
            (torch.zeros(2, dtype=torch.complex64), State.ZERO),
            (torch.tensor([1j]), State.ALIVE),
            (torch.tensor(2.0, dtype=torch.bfloat16), State.ALIVE),
            (torch.zeros(2, 2).to_sparse(), State.EMPTY),
            (torch.eye(2).to_sparse(), State.ALIVE),
        ],
    )
    def test_is_exact(self, grad: Tensor | None, state: State) -> None:
        """No tolerance, no overflow of a norm, every layout."""
        assert state_of(grad) is state

    def test_sparse_entries_that_cancel(self) -> None:
        """Entries at the same place are added before they are judged."""
        twice = torch.tensor([[0, 0]])
        values = torch.tensor([1.0, -1.0])
        grad = torch.sparse_coo_tensor(twice, values, (2,), check_invariants=True)
        assert state_of(grad) is State.ZERO

    def test_order_is_that_of_a_union(self) -> None:
        """The largest of several states is the state of all together."""
        assert max(State.NONE, State.ZERO, State.ALIVE) is State.ALIVE
        assert max(State.ALIVE, State.NONFINITE) is State.NONFINITE


class TestKills:
    """Where a zero comes from."""

    def test_a_living_gradient_has_none(self) -> None:
        """Nothing is lost on the way."""
        params = weights(w=(3,))
        assert lost(watch(params["w"].exp().sum(), params), "w") == []

    @pytest.mark.parametrize("name", ["round", "floor", "ceil", "trunc", "sign"])
    def test_step_function(self, name: str) -> None:
        """The node of the step function is named."""
        params = weights(w=(3,))
        kill = only((getattr(params["w"] * 2, name)() * 3).sum(), params)
        assert kill.name == f"{name.capitalize()}Backward0"
        assert kill.how == "zero"
        assert not kill.heals

    def test_second_path_keeps_the_parameter_alive(self) -> None:
        """The dead path is known, and the leaf still gets its gradient."""
        params = weights(w=(3,))
        w = params["w"]
        flow = watch((w.round() + w).sum(), params)
        assert w.grad is not None
        assert w.grad.all()
        assert [kill.name for kill in lost(flow, "w")] == ["RoundBackward0"]

    def test_dead_relu_tells_its_range(self) -> None:
        """The numbers that explain it are read from what the node saved."""
        params = weights(w=(3,))
        kill = only((params["w"] - 2).relu().sum(), params)
        assert kill.name == "ReluBackward0"
        assert kill.facts["result"]["positive"] == 0.0

    def test_softmax_over_one_element(self) -> None:
        """Shape and dimension are among the facts."""
        params = weights(w=(3, 1))
        kill = only((params["w"].softmax(1) * torch.arange(3.0)[:, None]).sum(), params)
        assert kill.name == "SoftmaxBackward0"
        assert kill.facts["result"]["shape"] == (3, 1)

    def test_several_places(self) -> None:
        """Two branches that both die are both there, nearest to the loss first."""
        params = weights(w=(3,))
        w = params["w"]
        found = kills((w.round() + (w.exp().floor() * 2)).sum(), params)
        assert [kill.name for kill in found] == ["RoundBackward0", "FloorBackward0"]

    def test_empty_selection_is_told_apart(self) -> None:
        """A batch without any entry says nothing about the parameter."""
        params = weights(w=(3,))
        chosen = params["w"][torch.zeros(3, dtype=torch.bool)]
        assert only((chosen * 2).sum(), params).how == "empty"


class TestProducts:
    """Zero factors."""

    def test_zero_parameter_that_learns_will_heal(self) -> None:
        """As in LoRA: B is zero, and gets a gradient itself."""
        params = weights(a=(3, 2), b=(2, 3))
        params["b"].data.zero_()
        flow = watch((torch.ones(1, 3) @ params["a"] @ params["b"]).sum(), params)
        (kill,) = flow.kills(flow.view.params["a"])
        assert kill.heals
        assert kill.facts["zero_factor"]
        assert lost(flow, "b") == []

    def test_two_zero_parameters_never_heal(self) -> None:
        """Both factors are zero, so neither gets a gradient."""
        params = weights(a=(3, 2), b=(2, 3))
        params["a"].data.zero_()
        params["b"].data.zero_()
        flow = watch((torch.ones(1, 3) @ params["a"] @ params["b"]).sum(), params)
        for name in ("a", "b"):
            assert not any(kill.heals for kill in flow.kills(flow.view.params[name]))
            assert flow.kills(flow.view.params[name])

    @pytest.mark.parametrize("zero", [torch.zeros(3), torch.tensor(0.0)])
    def test_constant_zero_factor(self, zero: Tensor) -> None:
        """A schedule or a mask that is zero has nothing to learn."""
        params = weights(w=(3,))
        kill = only((params["w"].exp() * zero).sum(), params)
        assert kill.name == "MulBackward0"
        assert not kill.heals

    def test_gate_behind_a_dead_operation_does_not_heal(self) -> None:
        """The zero factor is made by a parameter, but through a step function."""
        params = weights(w=(3,), gate=(3,))
        flow = watch((params["w"] * (params["gate"] * 0.1).round()).sum(), params)
        (kill,) = flow.kills(flow.view.params["w"])
        assert kill.name == "RoundBackward0"
        assert not kill.heals


class TestMeetings:
    """Gradients that are alive one by one and zero together."""

    def test_sum_that_cancels(self) -> None:
        """The operation in which the two ways meet is named."""
        params = weights(w=(3,))
        w = params["w"]
        out = w * 2 - w * 2
        node: Any = out.grad_fn
        number = node._sequence_nr()
        kill = only(out.sum(), params)
        assert kill.how == "cancel"
        assert kill.facts["meets_at"] == number

    def test_hook_on_an_intermediate_tensor(self) -> None:
        """What a tensor hook did is not blamed on the operation."""
        params = weights(w=(3,))
        middle = params["w"].exp()
        middle.register_hook(lambda grad: grad * 0)
        assert only(middle.sin().sum(), params).how == "hook"

    def test_hook_on_a_parameter(self) -> None:
        """The same on the leaf itself."""
        params = weights(w=(3,))
        params["w"].register_hook(torch.zeros_like)
        flow = watch(params["w"].exp().sum(), params)
        assert params["w"].grad is not None
        assert not params["w"].grad.any()
        assert all(kill.how == "hook" for kill in flow.kills(flow.view.params["w"]))


class TestFunctions:
    """Custom Functions."""

    @pytest.mark.parametrize(("gives", "how"), [(None, "none"), (torch.zeros(3), "zero")])
    def test_function_that_hands_nothing_on(self, gives: Tensor | None, how: str) -> None:
        """None and zeros from a `backward` are told apart."""

        class Stop(torch.autograd.Function):
            @staticmethod
            def forward(_ctx: Any, x: Tensor) -> Tensor:
                return x.clone()

            @staticmethod
            def backward(_ctx: Any, *_grads: Tensor) -> Tensor | None:
                return gives

        params = weights(w=(3,))
        kill = only(Stop.apply(params["w"] * 2).sum(), params)  # type: ignore[no-untyped-call]
        assert (kill.name, kill.how) == ("StopBackward", how)


class TestBroke:
    """NaN and inf."""

    @pytest.mark.parametrize(
        ("make", "name"),
        [
            (lambda w: (w * 0).sqrt(), "SqrtBackward0"),
            (lambda w: (w * 0 + 1).acos(), "AcosBackward0"),
            (lambda w: (w * 0).pow(0.5), "PowBackward0"),
            (lambda w: torch.where(w > 9, (w * 0).sqrt(), w), "SqrtBackward0"),
        ],
    )
    def test_first_node_is_named(self, make: Any, name: str) -> None:
        """A finite gradient goes in, and none comes out."""
        params = weights(w=(3,))
        (kill,) = watch(make(params["w"]).sum(), params).broke()
        assert (kill.name, kill.how) == (name, "nonfinite")

    def test_finite_pass_has_none(self) -> None:
        """Zeros and missing gradients are something else."""
        params = weights(w=(3,), u=(3,))
        assert watch((params["w"].round() + params["u"]).sum(), params).broke() == []


class TestLife:
    """Hooks and memory."""

    def test_hooks_are_gone_after_close(self) -> None:
        """A second backward pass changes nothing."""
        params = weights(w=(3,))
        loss = params["w"].exp().sum()
        view, nodes = walk(loss, {id(params["w"]): "w"})
        flow = Flow(view, nodes)
        flow.close()
        loss.backward()
        assert flow.edges == {}

    @pytest.mark.parametrize("weights_of_passes", [(0.0, 1.0), (1.0, 0.0)])
    def test_states_of_several_passes_are_united(
        self, weights_of_passes: tuple[float, float]
    ) -> None:
        """An edge is as alive as it was at its best, in whatever order."""
        params = weights(w=(3,))
        loss = params["w"].exp().sum()
        view, nodes = walk(loss, {id(params["w"]): "w"})
        flow = Flow(view, nodes)
        for weight in weights_of_passes:
            loss.backward(torch.tensor(weight), retain_graph=True)
        flow.close()
        assert set(flow.edges.values()) == {State.ALIVE}

    def test_graph_is_let_go(self) -> None:
        """After `close` no node is held."""
        marks: list[weakref.ref[Any]] = []

        class Mark:
            pass

        class Marked(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Tensor) -> Tensor:
                ctx.mark = Mark()
                marks.append(weakref.ref(ctx.mark))
                return x * 1

            @staticmethod
            def backward(_ctx: Any, *grads: Tensor) -> Tensor:
                return grads[0]

        params = weights(w=(3,))
        flow = watch(Marked.apply(params["w"]).sum(), params)  # type: ignore[no-untyped-call]
        gc.collect()
        assert marks[0]() is None
        assert lost(flow, "w") == []

    def test_gradients_are_those_of_torch(self) -> None:
        """The hooks change nothing."""
        params, twins = weights(w=(3, 2), v=(2, 4)), weights(w=(3, 2), v=(2, 4))
        watch((params["w"] @ params["v"]).softmax(1).pow(2).sum(), params)
        (twins["w"] @ twins["v"]).softmax(1).pow(2).sum().backward()
        for name, param in params.items():
            assert param.grad is not None
            assert torch.equal(param.grad, twins[name].grad)  # type: ignore[arg-type]

    def test_way_up_and_way_down(self) -> None:
        """Between a leaf and the loss, and from the loss to some leaf."""
        params = weights(w=(3,))
        flow = watch(params["w"].exp().sum(), params)
        leaf = flow.view.params["w"]
        assert flow.upstream(leaf) == {0, 1, leaf}
        assert flow.live_leaves(0)
        dead = watch(nn.Parameter(torch.ones(3)).round().sum(), {})
        assert not dead.live_leaves(0)


class TestBarrier:
    """Nodes that stand on every way to a leaf."""

    @staticmethod
    def names(loss: Tensor, params: dict[str, Tensor]) -> list[str]:
        """Return the nodes behind which nothing arrives, for a rounded or closed operation."""
        flow = watch(loss, params)
        found = flow.barrier(
            flow.view.params["w"],
            lambda k: k.name.startswith("Round") or bool(k.facts.get("closed")),
        )
        return [kill.name for kill in found]

    def test_one_way_is_barred(self) -> None:
        """The node is found although only a zero has arrived there."""
        params = weights(w=(3,))
        assert self.names((params["w"].round() * 0.0).sum(), params) == ["RoundBackward0"]

    def test_a_free_way_leaves_none(self) -> None:
        """One way around is enough."""
        params = weights(w=(3,))
        assert self.names((params["w"].round() + params["w"]).sum(), params) == []

    def test_closed_gate_is_known_without_a_gradient(self) -> None:
        """What got a zero is asked what it would have made of anything else."""
        params = weights(w=(3,))
        closed = torch.relu(-1 - params["w"].abs())
        assert self.names((closed * 0.0).sum(), params) == ["ReluBackward0"]

    def test_open_gate_is_none(self) -> None:
        """An operation that would let a gradient through is no barrier."""
        params = weights(w=(3,))
        assert self.names((torch.relu(params["w"].abs() + 1) * 0.0).sum(), params) == []


class Deaf(torch.autograd.Function):
    """Hands nothing on."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        """Return the input times two."""
        return x * 2

    @staticmethod
    def backward(_ctx: Any, *_grads: Tensor) -> None:
        """Return no gradient."""


@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_refusal_is_found_whatever_arrives(factor: float) -> None:
    """A node that hands none on is to blame, even if it got a zero."""
    params = weights(w=(3,))
    apply: Any = Deaf.apply
    flow = watch((apply(params["w"]) * factor).sum(), params)
    assert [k.name for k in flow.refusals(flow.view.params["w"])] == ["DeafBackward"]
