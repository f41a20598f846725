# SPDX-License-Identifier: Apache-2.0
"""The record of a step: what was made from what, where, and that nothing is kept."""

import gc
import linecache
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

from lightning_gradguard.source import Stack, capture, locate
from lightning_gradguard.trace import (
    FUNCTION,
    Call,
    Collector,
    Recorder,
    Trace,
    Value,
    public_name,
    walk,
)
from lightning_gradguard.trace.book import Book


class Step:
    """A step over one parameter `w` and one input `x`, recorded."""

    def __init__(self, step: Callable[[Tensor, Tensor], Any], **options: Any) -> None:
        self.w = nn.Parameter(torch.linspace(0.1, 0.6, 6).reshape(2, 3))
        self.x = torch.ones(2, 3)
        self.recorder = Recorder({"w": self.w}, batch={"batch": self.x}, **options)
        with self.recorder:
            self.out = step(self.w, self.x)
        self.value = self.recorder.value(self.out) if isinstance(self.out, Tensor) else None

    @property
    def trace(self) -> Trace:
        """The record."""
        return self.recorder.trace

    @property
    def names(self) -> list[str]:
        """Names of the calls in order."""
        return [call.name for call in self.trace.calls]

    def call(self, name: str) -> Call:
        """Return the only call of a name."""
        (found,) = [call for call in self.trace.calls if call.name == name]
        return found

    def sources(self) -> set[str]:
        """Return the names of what the result was made from."""
        assert self.value is not None
        return {value.name for value in ancestors(self.value) if value.name}


def ancestors(value: Value) -> set[Value]:
    """Return a value and all that it was made from, within torch."""
    seen, stack = {value}, [value]
    while stack:
        for parent in stack.pop().parents:
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return seen


class Double(torch.autograd.Function):
    """Twice the input, by hand."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        """Multiply, with recording off."""
        return x * 2

    @staticmethod
    def backward(_ctx: Any, *grads: Tensor) -> Tensor:
        """Hand the gradient on."""
        return grads[0] * 2


class TestCalls:
    """What is written down about one call."""

    def test_inputs_and_outputs(self) -> None:
        """Values know shape, type, whether they require grad, and the call that made them."""
        step = Step(lambda w, x: w @ x.T)
        call = step.call("__matmul__") if "__matmul__" in step.names else step.call("matmul")
        assert [value.name for value in call.inputs][:1] == ["w"]
        assert call.live == (True, False)
        (output,) = call.outputs
        assert (output.shape, output.dtype, output.rg) == ((2, 2), torch.float32, True)
        assert output.call is call
        assert output.describe() == "float32[2, 2]"

    def test_kinds_of_values(self) -> None:
        """Parameters, the batch, and what nobody knows, are told apart."""
        step = Step(lambda w, x: w * x + torch.ones(3))
        kinds = {value.kind for call in step.trace.calls for value in call.inputs}
        assert kinds == {"param", "batch", "op"}
        foreign = torch.ones(3)
        assert {v.kind for v in Step(lambda w, _: w + foreign).call("add").inputs} == {
            "param",
            "unknown",
        }

    def test_constants_are_kept_and_tensors_are_not(self) -> None:
        """Small arguments stay readable."""
        call = Step(lambda w, _: w.sum(0, keepdim=True)).call("sum")
        assert call.constants == (..., 0)
        assert call.keywords == {"keepdim": True}

    def test_reading_a_shape_is_no_call(self) -> None:
        """What moves no data is not written down."""
        assert Step(lambda w, _: (w.shape, w.dim(), w.numel(), w.is_contiguous())).names == []

    def test_several_outputs_are_told_apart(self) -> None:
        """The values of `topk` are alive, its indices are not."""
        values, indices = Step(lambda w, _: w.topk(2)).call("topk").outputs
        assert (values.rg, values.index, indices.rg, indices.index) == (True, 0, False, 1)
        assert indices.dtype == torch.int64

    def test_lists_and_dicts_of_tensors(self) -> None:
        """Tensors are found in nested arguments, and in nested results."""
        step = Step(lambda w, x: torch.stack([w, x]).unbind(0)[0])
        assert len(step.call("stack").inputs) == 2
        assert step.sources() == {"w", "batch"}

    def test_sequence_numbers_lead_back_to_calls(self) -> None:
        """A node of the graph is found again by its number."""
        step = Step(lambda w, _: w.exp().sum())
        node = step.out.grad_fn
        for name, current in (("sum", node), ("exp", node.next_functions[0][0])):
            assert step.trace.call_of(current._sequence_nr()) is step.call(name)
        assert step.trace.call_of(10**12) is None

    def test_uses_of_a_value(self) -> None:
        """The calls that read a value."""
        step = Step(lambda w, _: (w.exp() + w.sin()).sum())
        used = step.trace.uses()[step.trace.params["w"]]
        assert [call.name for call in used] == ["exp", "sin"]

    @pytest.mark.parametrize(
        ("function", "name", "public"),
        [
            (torch.Tensor.argmax, "argmax", "torch.Tensor.argmax"),
            (torch.argmax, "argmax", "torch.argmax"),
            (F.relu, "relu", "torch.nn.functional.relu"),
            (None, "Parameter", "torch.nn.Parameter"),
            (None, "SumBackward0", "SumBackward0"),
        ],
    )
    def test_public_names(self, function: Any, name: str, public: str) -> None:
        """A name is the one in the documentation of torch."""
        assert public_name(function, name) == public


class TestLineage:
    """What was made from what."""

    @pytest.mark.parametrize(
        "step",
        [
            lambda w, _: w.view(6)[2:].sum(),
            lambda w, _: w.T.reshape(-1).exp(),
            lambda w, x: x.clone().add_(w),
            lambda w, x: x.clone().copy_(w),
            lambda w, _: torch.exp(w, out=torch.empty(2, 3)),
            lambda w, _: w.max(1).indices,
            lambda w, _: w.detach() * 2,
            lambda w, _: w.data * 2,
            lambda w, x: torch.where(x > 0, w, x),
            lambda w, _: torch.cat([w, w])[0],
            lambda w, _: torch.einsum("ij->i", w),
            lambda w, _: F.softmax(w, 1),
        ],
    )
    def test_data_of_the_parameter_arrives(self, step: Callable[[Tensor, Tensor], Tensor]) -> None:
        """Views, writes, `out=`, selections and cuts pass data on."""
        with torch.no_grad():
            made = Step(step)
        assert "w" in made.sources()

    @pytest.mark.parametrize(
        "step",
        [
            lambda _w, x: x * 2,
            lambda w, _: torch.zeros_like(w) + 1,
            lambda w, _: w.new_ones(2),
            lambda w, x: x.expand_as(w).clone(),
            lambda w, x: x.clone().type_as(w),
            lambda w, _: torch.ones(w.shape),
        ],
    )
    def test_data_of_the_parameter_does_not_arrive(
        self, step: Callable[[Tensor, Tensor], Tensor]
    ) -> None:
        """Reading a shape or a type is no flow of data."""
        assert "w" not in Step(step).sources()

    def test_item_assignment_makes_a_new_version(self) -> None:
        """A tensor that is written has another value than before."""

        def step(w: Tensor, _x: Tensor) -> Tensor:
            y = torch.zeros(2, 3)
            y[0] = w[0]
            return y

        made = Step(step)
        assert "w" in made.sources()
        write = made.call("__setitem__")
        old = next(v for v in write.inputs if v.tensor_id == id(made.out))
        assert made.value is not None
        assert old is not made.value
        assert (old.rg, made.value.rg) == (False, True)

    def test_write_through_a_view_reaches_the_base(self) -> None:
        """Both share one storage."""

        def step(w: Tensor, _x: Tensor) -> Tensor:
            base = torch.zeros(2, 3)
            base[0].add_(w[1])
            return base

        assert "w" in Step(step).sources()

    def test_write_to_the_base_reaches_a_view(self) -> None:
        """Also the other way round."""

        def step(w: Tensor, _x: Tensor) -> Tensor:
            base = torch.zeros(2, 3)
            view = base[0]
            base.copy_(w)
            return view

        assert "w" in Step(step).sources()

    def test_overwriting_forgets_what_was_there(self) -> None:
        """After `zero_` nothing of the old data is left."""

        def step(w: Tensor, x: Tensor) -> Tensor:
            y = w.detach().clone()
            y.zero_()
            return y + x

        assert Step(step).sources() == {"batch"}

    def test_out_argument_is_written(self) -> None:
        """The result of `out=` is the tensor that was handed in."""

        def step(w: Tensor, x: Tensor) -> Tensor:
            target = torch.empty(2, 3)
            torch.mul(w.detach(), x, out=target)
            return target

        assert Step(step).sources() == {"w", "batch"}

    def test_parameter_stays_the_leaf_that_it_is(self) -> None:
        """Writing into a parameter lets data in and keeps its value."""

        def step(w: Tensor, x: Tensor) -> Tensor:
            with torch.no_grad():
                w.copy_(x)
            return w * 1

        made = Step(step)
        value = made.trace.params["w"]
        assert made.call("mul").inputs == (value,)
        assert value.kind == "param"
        assert "batch" in {v.name for v in value.parents}

    def test_augmented_assignment(self) -> None:
        """`+=` writes its left side."""

        def step(w: Tensor, _x: Tensor) -> Tensor:
            total = torch.zeros(())
            total += w.sum()
            return total

        made = Step(step)
        assert made.sources() == {"w"}
        assert made.value is not None
        assert made.value.rg


class TestGradMode:
    """Who switched recording off."""

    def test_block(self) -> None:
        """A `with` block is named with its line."""

        def step(w: Tensor, _x: Tensor) -> Tensor:
            with torch.no_grad():
                return w.exp()

        off = Step(step).call("exp").off
        assert off is not None
        assert off.how == "torch.no_grad"
        assert locate(off.stack[0]).text.strip() == "with torch.no_grad():"

    def test_decorator(self) -> None:
        """A decorated function is known by its code."""

        @torch.no_grad()
        def inner(w: Tensor) -> Tensor:
            return w.exp()

        off = Step(lambda w, _: inner(w)).call("exp").off
        assert off is not None
        assert off.how == "torch.no_grad"
        assert off.decorated.co_name == "inner"

    def test_function_call(self) -> None:
        """A switch without a block holds for everything after it."""

        def step(w: Tensor, _x: Tensor) -> Tensor:
            torch.set_grad_enabled(False)
            y = w.exp()
            torch.set_grad_enabled(True)
            return y + w.sin()

        made = Step(step)
        off = made.call("exp").off
        assert off is not None
        assert off.how == "torch.set_grad_enabled"
        assert "set_grad_enabled(False)" in locate(off.stack[0]).text
        assert made.call("sin").off is None

    def test_inner_enable_wins(self) -> None:
        """Inside `enable_grad` recording is on, and off again behind it."""

        def step(w: Tensor, _x: Tensor) -> Tensor:
            with torch.no_grad():
                with torch.enable_grad():
                    y = w.exp()
                return y + w.sin()

        made = Step(step)
        assert made.call("exp").off is None
        off = made.call("sin").off
        assert off is not None

    def test_inference_mode(self) -> None:
        """Inference mode is named as such, and its tensors do no harm."""

        def step(w: Tensor, _x: Tensor) -> Tensor:
            with torch.inference_mode():
                y = w.exp()
                y[0] = 1.0
                return y * 2

        made = Step(step)
        off = made.call("exp").off
        assert made.trace.fault is None
        assert off is not None
        assert off.how == "torch.inference_mode"
        assert made.sources() == {"w"}

    def test_reentrant_checkpoint(self) -> None:
        """The blame goes to the checkpoint and not to `no_grad` inside torch."""
        made = Step(lambda w, _: checkpoint(torch.exp, w * 2, use_reentrant=True))
        off = made.call("exp").off
        assert off is not None
        assert off.how == "torch.utils.checkpoint.checkpoint"

    def test_custom_function(self) -> None:
        """Inside `forward` of a Function recording is off, and nobody has switched it off."""
        made = Step(lambda w, _: Double.apply(w))  # type: ignore[no-untyped-call]
        off = made.call("mul").off
        assert off is not None
        assert off.how == FUNCTION


class TestUnseen:
    """Tensors that come from where no mode can look."""

    def test_custom_function_is_adopted(self) -> None:
        """The result of a Function gets its history when it is used."""
        made = Step(lambda w, _: Double.apply(w).sum())  # type: ignore[no-untyped-call]
        (value,) = made.call("sum").inputs
        assert value.rg
        assert value.seq >= 0
        assert made.sources() == {"w"}

    def test_identity_function_is_bridged_by_its_graph(self) -> None:
        """A Function that calls nothing is still tied to its input."""

        class Pass(torch.autograd.Function):
            @staticmethod
            def forward(_ctx: Any, x: Tensor) -> Tensor:
                return x.view_as(x)

            @staticmethod
            def backward(_ctx: Any, *grads: Tensor) -> Tensor:
                return grads[0]

        made = Step(lambda w, _: Pass.apply(w.exp()).sum())  # type: ignore[no-untyped-call]
        assert made.sources() == {"w"}

    def test_bridge_ends_at_the_nearest_known_value(self) -> None:
        """What an unseen extension was given is its parent, not the parameter behind it."""

        def step(w: Tensor, _x: Tensor) -> Tensor:
            seen = w.exp()
            with torch._C.DisableTorchFunction():
                unseen = seen.sin()
            return unseen.sum()

        made = Step(step)
        assert "sin" not in made.names
        assert made.value is not None
        assert made.call("exp").outputs[0] in ancestors(made.value)

    def test_graph_from_before_the_recording_is_bridged(self) -> None:
        """A value that was computed earlier is tied to its parameter through the graph."""
        w = nn.Parameter(torch.ones(2))
        early = w.exp().sin()
        with Recorder({"w": w}) as recorder:
            late = early * 2
        names = {value.name for value in ancestors(recorder.value(late))}
        assert "w" in names

    @pytest.mark.parametrize(
        ("wrap", "kind"),
        [
            (lambda t: torch.autograd.Variable(t.data, requires_grad=True), "alias"),
            (lambda t: nn.Parameter(t.detach()), "Parameter"),
            (lambda t: nn.Parameter(t.exp().detach()), "Parameter"),
        ],
    )
    def test_wrapped_tensor_is_tied_by_its_storage(
        self, wrap: Callable[[Tensor], Tensor], kind: str
    ) -> None:
        """`Variable` and `nn.Parameter` make a new leaf on the old values."""

        def step(w: Tensor, x: Tensor) -> Tensor:
            return wrap(w * x) * 3

        made = Step(step)
        (value, *_) = made.trace.calls[-1].inputs
        assert "w" in made.sources()
        assert value.call is not None
        assert value.call.name == kind
        assert value.rg

    def test_data_attribute_is_a_call(self) -> None:
        """Reading `.data` hands the values on without history."""
        made = Step(lambda w, _: w.data * 2)
        (output,) = made.call("data").outputs
        assert not output.rg
        assert made.call("data").public == "torch.Tensor.data"

    def test_writing_data_is_a_write(self) -> None:
        """`t.data = other` replaces the values."""

        def step(w: Tensor, _x: Tensor) -> Tensor:
            y = torch.zeros(2, 3)
            y.data = w.detach().exp()
            return y + 0

        assert Step(step).sources() == {"w"}

    def test_detach_in_place_cuts_the_tensor_itself(self) -> None:
        """After `detach_` the same tensor has no history."""

        def step(w: Tensor, _x: Tensor) -> Tensor:
            y = w * 2
            y.detach_()
            return y

        made = Step(step)
        assert made.value is not None
        assert not made.value.rg
        assert made.value.call is made.call("detach_")


class TestExits:
    """Values that leave torch and come back."""

    @pytest.mark.parametrize(
        ("leave", "name"),
        [
            (lambda t: t.sum().item(), "item"),
            (lambda t: t.tolist(), "tolist"),
            (lambda t: float(t.sum().detach()), "__float__"),
            (lambda t: int(t.sum()), "__int__"),
            (lambda t: t.detach().numpy(), "numpy"),
            (lambda t: f"{t.sum().detach():.2f}", "__format__"),
        ],
    )
    def test_exit_is_written_down(self, leave: Callable[[Tensor], Any], name: str) -> None:
        """Each way out is a call without outputs."""
        made = Step(lambda w, _: leave(w))
        found = [call for call in made.trace.calls if call.name == name]
        assert found
        assert found[-1].is_exit
        assert found[-1].outputs == ()

    def test_branch_is_an_exit(self) -> None:
        """An `if` on a tensor takes one bit out."""

        def step(w: Tensor, x: Tensor) -> Tensor:
            return w if w.sum() > 0 else x

        assert Step(step).call("__bool__").exit_value is True

    def test_number_is_kept_with_its_exit(self) -> None:
        """The plain value is remembered so that it is recognised when it comes back."""
        made = Step(lambda w, _: torch.ones(2) * w.sum().item())
        assert made.call("item").exit_value == pytest.approx(2.1)
        assert made.call("mul").constants[1] == made.call("item").exit_value


class TestPlaces:
    """Line, column and module of a call."""

    def test_line_and_columns_are_exact(self) -> None:
        """The marks cover just the call."""

        def step(w: Tensor, x: Tensor) -> Tensor:
            return w.exp() + w.argmax(1, keepdim=True).float() + x

        span = locate(Step(step).call("argmax").stack[0])
        assert span.text[span.column - 1 : span.end_column - 1] == "w.argmax(1, keepdim=True)"
        assert span.function.endswith("step")

    def test_operator_is_marked_with_both_sides(self) -> None:
        """A comparison has no name in the source, so all of it is marked."""

        def step(w: Tensor, x: Tensor) -> Tensor:
            return (w > x).float()

        call = next(c for c in Step(step).trace.calls if c.name in {"gt", "__gt__"})
        span = locate(call.stack[0])
        assert span.text[span.column - 1 : span.end_column - 1] == "w > x"

    def test_modules_are_named_as_in_the_model(self) -> None:
        """Names come from `named_modules`, and end with the module."""
        net = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.ReLU(), nn.Linear(3, 1)))
        params = dict(net.named_parameters())
        with Recorder(params, modules=dict(net.named_modules())) as recorder:
            net(torch.ones(2, 3)).sum()
        places = [call.module for call in recorder.trace.calls if call.name != "ones"]
        assert places == ["0", "1.0", "1.1", ""]

    def test_module_that_raises_is_left(self) -> None:
        """After an exception in `forward` the place is the caller's again."""

        class Raising(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                raise ValueError(x.shape)

        inner = Raising()

        def step(w: Tensor, _x: Tensor) -> Tensor:
            with pytest.raises(ValueError, match="2, 3"):
                inner(w)
            return w.exp()

        assert Step(step, modules={"inner": inner}).call("exp").module == ""

    @pytest.mark.parametrize("filename", ["<stdin>", "<ipython-input-1-0123abcd>", "gone.py"])
    def test_code_without_a_file_has_lines(self, filename: str) -> None:
        """A prompt, a notebook and a lost file give at least the line."""
        scope: dict[str, Any] = {}
        text = "def step(w, x):\n    return w.argmax(1)\n"
        if filename != "gone.py":
            linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        exec(compile(text, filename, "exec"), scope)  # noqa: S102 - text of this test
        span = locate(Step(scope["step"]).call("argmax").stack[0])
        assert (span.line, span.function) == (2, "step")
        assert span.text == ("" if filename == "gone.py" else "    return w.argmax(1)")


class TestMemory:
    """The recorder keeps nothing alive."""

    def test_intermediate_tensors_die_at_once(self) -> None:
        """A value that the user drops is gone while the recording goes on."""
        gone: list[bool] = []

        def step(w: Tensor, x: Tensor) -> Tensor:
            y = (w.detach() + x).exp()
            ref = weakref.ref(y)
            del y
            gone.append(ref() is None)
            return x

        Step(step)
        assert gone == [True]

    def test_graph_dies_with_its_tensors(self) -> None:
        """No node of the graph is held."""
        refs: list[weakref.ref[Any]] = []

        class Mark:
            pass

        class Marked(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Tensor) -> Tensor:
                ctx.mark = Mark()
                refs.append(weakref.ref(ctx.mark))
                return x.clone()

            @staticmethod
            def backward(_ctx: Any, *grads: Tensor) -> Tensor:
                return grads[0]

        def step(w: Tensor, _x: Tensor) -> None:
            Marked.apply(w * 2).sum()  # type: ignore[no-untyped-call]

        made = Step(step)
        gc.collect()
        assert made.trace.calls
        assert [ref() for ref in refs] == [None]

    def test_forgetting_drops_what_checks_of_metrics_need(self) -> None:
        """Small tensors around hard decisions are held until the step ends, and no longer."""
        made = Step(lambda w, x: (w.argmax(1) == x.argmax(1)).float().mean())
        assert made.trace.kept
        made.recorder.forget()
        assert not made.trace.kept
        assert not made.recorder._book.live

    def test_large_tensors_are_never_held(self) -> None:
        """What is held is bounded."""
        made = Step(lambda w, _: torch.ones(3_000_000, dtype=torch.int64) * w.argmax())
        sizes = [t.numel() * t.element_size() for t, _ in made.trace.kept.values()]
        assert max(sizes, default=0) < 1 << 22
        assert made.trace.kept_bytes == sum(sizes)

    def test_reused_address_is_another_value(self) -> None:
        """A new tensor at the place of a dead one is not taken for it."""

        def step(w: Tensor, x: Tensor) -> Tensor:
            for _ in range(20):
                tainted = w.detach() * 2
                del tainted
                fresh = torch.ones(2, 3)
            return fresh + x

        assert Step(step).sources() == {"batch"}


class Inner(nn.Module):
    """Note where it was called from."""

    def __init__(self, stacks: list[Stack]) -> None:
        super().__init__()
        self.stacks = stacks

    def forward(self, x: Tensor) -> Tensor:
        """Note the frames, and compute."""
        self.stacks.append(capture())
        return x.exp()


class Outer(nn.Module):
    """Call another module from two lines, and once from a hook on it."""

    def __init__(self) -> None:
        super().__init__()
        self.stacks: list[Stack] = []
        self.inner = Inner(self.stacks)
        self.inner.register_forward_hook(self.after)

    def after(self, _module: nn.Module, _args: object, output: Tensor) -> Tensor:
        """Compute where the inner module has ended, in the frame that runs it."""
        self.stacks.append(capture())
        return output.exp()

    def forward(self, x: Tensor) -> Tensor:
        """Call it from two lines."""
        first = self.inner(x)
        self.stacks.append(capture())
        between = first.exp()
        last: Tensor = self.inner(between)
        both: Tensor = last + first
        return both


class TestModules:
    """Frames above a running module are read once."""

    def test_stacks_are_those_of_single_looks(self) -> None:
        """In modules, in their hooks and between them, every call has the frames that it had."""
        outer = Outer()
        trace = Step(lambda w, _: outer(w).sum() + outer(w).sum(), modules={"outer": outer}).trace
        found = [c.stack for c in trace.calls if c.name == "exp"]
        assert len(found) == len(outer.stacks) == 10
        for mine, theirs in zip(found, outer.stacks, strict=True):
            assert [code for code, _ in mine] == [code for code, _ in theirs]
            assert mine[1:] == theirs[1:]

    def test_recording_may_go_on_in_the_midst_of_a_module(self) -> None:
        """Modules that ended while nobody looked are forgotten."""
        outer = Outer()
        w = nn.Parameter(torch.ones(2, 2))
        recorder = Recorder({"w": w}, modules={"outer": outer})

        class Leaving(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                recorder.__exit__(None, None, None)
                return x

        with recorder:
            Leaving()(w)
        with recorder:
            outer(w)
        found = [c.stack[1:] for c in recorder.trace.calls if c.name == "exp"]
        assert found == [stack[1:] for stack in outer.stacks]


class TestSharing:
    """Who is in a storage."""

    def test_the_gone_are_not_piled_up(self) -> None:
        """Memory that is used again and again is shared by those alive only."""

        def step(w: Tensor, _x: Tensor) -> Tensor:
            total = w.sum()
            for _ in range(200):
                part = w.exp()
                part.view(-1).add_(1.0)
                total = total + part.sum()
            return total

        made = Step(step)
        held = [v for v in made.recorder._book._stores.values() if isinstance(v, dict)]
        assert all(len(members) <= 4 for members in held)


class TestCollector:
    """Python's garbage collector while a step is traced."""

    def test_is_held_back_and_let_go(self) -> None:
        """The counts come back, also when nobody says so."""
        before = gc.get_threshold()
        collector = Collector()
        collector.calm()
        collector.calm()
        assert gc.get_threshold() > before
        collector.restore()
        assert gc.get_threshold() == before
        collector.calm()
        del collector
        assert gc.get_threshold() == before

    def test_several_hold_it_together(self) -> None:
        """Two guards that end in the order in which they began leave nothing behind."""
        before = gc.get_threshold()
        first, second = Collector(), Collector()
        first.calm()
        held = gc.get_threshold()
        second.calm()
        assert gc.get_threshold() == held
        first.restore()
        second.restore()
        assert gc.get_threshold() == before

    def test_counts_are_large_already(self) -> None:
        """Whoever has all but switched it off meets no overflow."""
        before = gc.get_threshold()
        gc.set_threshold(2**31 - 1, 10, 2**31 - 1)
        collector = Collector()
        collector.calm()
        collector.restore()
        assert gc.get_threshold() == (2**31 - 1, 10, 2**31 - 1)
        gc.set_threshold(*before)

    def test_counts_of_somebody_else_stay(self) -> None:
        """Whoever sets them meanwhile is left alone."""
        before = gc.get_threshold()
        collector = Collector()
        collector.calm()
        gc.set_threshold(123, 4, 5)
        collector.restore()
        assert gc.get_threshold() == (123, 4, 5)
        gc.set_threshold(*before)


class TestSafety:
    """Errors, limits and other modes."""

    @pytest.mark.parametrize(
        ("owner", "part"),
        [
            *((Recorder, name) for name in ("_before", "_after", "_after_usual", "_switch_grad")),
            (Book, "bind"),
            (Book, "value"),
        ],
    )
    def test_bug_in_the_recorder_ends_the_recording_only(
        self, monkeypatch: pytest.MonkeyPatch, owner: type, part: str
    ) -> None:
        """The user's step goes on as if nobody watched."""

        def broken(*_: object) -> None:
            raise KeyError(part)

        def compute(w: Tensor, _x: Tensor) -> Tensor:
            with torch.no_grad():
                best = w.clone().add_(1).topk(1).values
            return (w.exp() * best).sum()

        monkeypatch.setattr(owner, part, broken)
        w = nn.Parameter(torch.linspace(0.1, 0.6, 6).reshape(2, 3))
        with Recorder({"w": w}) as recorder:
            out = compute(w, w)
        assert isinstance(recorder.trace.fault, KeyError)
        assert torch.equal(out, compute(w, w))

    def test_error_of_the_user_passes(self) -> None:
        """An exception of torch arrives as it is, and the mode is gone afterwards."""
        with pytest.raises(RuntimeError, match="size of tensor"):
            Step(lambda w, _: w + torch.ones(7))
        assert torch._C._len_torch_function_stack() == 0

    def test_recording_stops_at_the_limit(self) -> None:
        """A step with too many calls is recorded in part, and says so."""
        made = Step(lambda w, _: [w.exp() for _ in range(10)], limit=5)
        assert made.trace.truncated
        assert len(made.trace.calls) == 5

    def test_no_module_hook_is_left(self) -> None:
        """Global hooks are there only while recording."""
        hooks = torch.nn.modules.module
        before = (len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks))
        Step(lambda w, _: nn.Linear(3, 1)(w))
        assert before == (len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks))

    def test_mode_of_the_user_sees_only_the_users_calls(self) -> None:
        """What the recorder does itself is out of sight of other modes."""

        class Counting(TorchFunctionMode):
            names: list[str] = []  # noqa: RUF012 - one test

            def __torch_function__(
                self, func: Any, types: Any, args: Any = (), kwargs: Any = None
            ) -> Any:
                self.names.append(func.__name__)
                return func(*args, **(kwargs or {}))

        def step(w: Tensor, _x: Tensor) -> Tensor:
            with Counting():
                return w.exp().sin()

        Step(step)
        assert Counting.names == ["exp", "sin"]

    def test_mode_that_is_opened_inside_and_left_outside(self) -> None:
        """Leaving the recorder first takes the recorder away, not the user's mode."""

        class Other(TorchFunctionMode):
            pass

        other: Any = Other()
        recorder: Any = Recorder({})
        recorder.__enter__()
        other.__enter__()
        recorder.__exit__(None, None, None)
        assert torch._C._len_torch_function_stack() == 1
        other.__exit__(None, None, None)
        assert torch._C._len_torch_function_stack() == 0

    def test_results_are_those_of_torch(self) -> None:
        """Every result is the very object that torch returned."""
        made = Step(lambda w, x: (w, x, w.view(6)))
        assert made.out[0] is made.w
        assert made.out[1] is made.x
        assert made.out[2]._base is made.w

    def test_raw_backward_is_announced(self) -> None:
        """A call of `backward` on a tensor hands the loss over before it runs."""
        seen: list[bool] = []
        made = Step(
            lambda w, _: w.sum().backward(), on_loss=lambda loss: seen.append(loss.requires_grad)
        )
        assert seen == [True]
        assert made.w.grad is not None


class TestCompiled:
    """Parts under `torch.compile`."""

    @pytest.fixture(autouse=True)
    def _fresh_compiler(self) -> Iterator[None]:
        yield
        torch._dynamo.reset()

    def test_compiled_module_is_seen_in_eager_mode(self) -> None:
        """Held to eager execution, the parts of a compiled module are recorded as usual."""
        layer: Any = torch.compile(nn.Linear(3, 1), backend="eager")
        params = {f"layer.{n}": p for n, p in layer.named_parameters()}
        x = torch.ones(2, 3)
        layer(x)
        with (
            warnings.catch_warnings(),
            torch.compiler.set_stance("force_eager"),
            Recorder(params) as recorder,
        ):
            warnings.simplefilter("ignore")
            out = layer(x).sum()
        names = {value.name for value in ancestors(recorder.value(out)) if value.name}
        assert names == set(params)

    def test_compiled_module_is_called_without_a_warning(self) -> None:
        """Torch has nothing to say about the recorder."""
        layer: Any = torch.compile(nn.Linear(3, 1), backend="eager")
        layer(torch.ones(2, 3))
        with (
            torch.compiler.set_stance("force_eager"),
            Recorder({}, modules={"": layer}),
            warnings.catch_warnings(record=True) as caught,
        ):
            warnings.simplefilter("always")
            layer(torch.ones(2, 3))
        assert not caught


class TestNonFinite:
    """`check_values`."""

    @pytest.mark.parametrize(
        ("step", "name", "what"),
        [
            (lambda w, _: (w - 1).log(), "log", "nan"),
            (lambda w, _: (w * 0).log().exp(), "log", "inf"),
            (lambda w, _: (w - w) / (w - w), "div", "nan"),
            (lambda w, _: (w * 300).exp() * 2, "exp", "inf"),
        ],
    )
    def test_first_call_is_named(
        self, step: Callable[[Tensor, Tensor], Tensor], name: str, what: str
    ) -> None:
        """The call whose inputs were finite and whose result is not."""
        found, kind = Step(step, check_values=True).recorder.nonfinite[0]
        assert found.name.strip("_").removeprefix("true") == name
        assert kind == what

    def test_asked_for_infinity_is_no_finding(self) -> None:
        """A mask of attention scores writes infinities on purpose."""
        made = Step(lambda w, x: w.masked_fill(x > 0, float("-inf")), check_values=True)
        assert made.recorder.nonfinite == []


class TestWalk:
    """`walk`."""

    def test_reached_parameters_and_other_leaves(self) -> None:
        """Leaves are parameters by identity, or strays."""
        w, u, stray = (nn.Parameter(torch.ones(2)) for _ in range(3))
        view, nodes = walk((w * stray).sum(), {id(w): "w", id(u): "u"})
        assert set(view.params) == {"w"}
        assert set(view.leaves) == {id(stray)}
        assert len(nodes) == len(view.names) == len(view.children)
        assert view.requires_grad

    def test_loss_that_is_a_leaf(self) -> None:
        """A relabelled loss reaches itself."""
        loss = torch.ones((), requires_grad=True)
        view, nodes = walk(loss, {})
        assert set(view.leaves) == {id(loss)}
        assert nodes == []

    def test_loss_without_history(self) -> None:
        """Nothing is reached."""
        view, nodes = walk(torch.ones(()), {})
        assert (view.requires_grad, view.params, view.leaves, nodes) == (False, {}, {}, [])

    def test_custom_functions_are_opaque(self) -> None:
        """Behind a Function of the user the walk may be blind, and says so."""
        w = nn.Parameter(torch.ones(2))
        view, _ = walk(Double.apply(w).sum(), {id(w): "w"})  # type: ignore[no-untyped-call]
        assert view.opaque == ("DoubleBackward",)

    def test_deep_graph_needs_no_recursion(self) -> None:
        """A loop over many steps is walked without a deep stack."""
        w = nn.Parameter(torch.ones(()))
        out: Tensor = w
        for _ in range(3000):
            out = out + 1
        view, nodes = walk(out, {id(w): "w"})
        assert set(view.params) == {"w"}
        assert len(nodes) == 3001

    def test_operation_without_derivative_is_noted(self) -> None:
        """A node that will raise in backward is found before."""
        w = nn.Parameter(torch.ones(2))
        view, _ = walk((w // 2).sum(), {id(w): "w"})
        assert len(view.underived) == 1
