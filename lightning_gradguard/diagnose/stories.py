# SPDX-License-Identifier: Apache-2.0
"""Why a gradient became zero at a node: code, operation, cause and label."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lightning_gradguard import ops
from lightning_gradguard.diagnose.kills import killer
from lightning_gradguard.diagnose.scene import Scene
from lightning_gradguard.diagnose.words import shape_of
from lightning_gradguard.flow import Kill, family_of
from lightning_gradguard.trace import Call

__all__ = ["Story", "is_flat", "is_range_bound", "selects_nothing", "zero_story"]

Story = tuple[str, str | None, str, str]

# Nodes whose derivative is zero everywhere -> public name of the operation.
_STEP_NODES: Mapping[str, str] = {
    "Round": "torch.round", "Floor": "torch.floor", "Ceil": "torch.ceil", "Trunc": "torch.trunc",
    "Sign": "torch.sign", "Sgn": "torch.sgn", "Bernoulli": "torch.bernoulli",
    "Poisson": "torch.poisson", "Normal": "torch.normal", "Fix": "torch.fix",
}  # fmt: skip
# Nodes that lose their slope far out -> the saved tensor that shows how far.
_SATURATING: Mapping[str, str] = {
    "Sigmoid": "result", "Tanh": "result", "Softmax": "result", "LogSoftmax": "result",
    "Exp": "result", "LogSigmoid": "self", "BinaryCrossEntropy": "self", "Erf": "self",
    "Softplus": "self", "Silu": "self", "Gelu": "self", "Elu": "result",
}  # fmt: skip
_SELECTING = frozenset([
    "Relu", "Threshold", "Clamp", "ClampMin", "ClampMax", "Hardtanh", "HardtanhBackward",
    "Hardsigmoid", "Hardswish", "LeakyRelu", "Where", "MaskedFill", "Relu6", "Maximum", "Minimum",
    "Max", "Min", "Amax", "Amin", "Softshrink", "Hardshrink",
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Death:
    """A node at which a gradient became zero, and what it belongs to."""

    kill: Kill
    family: str
    op: str
    call: Call | None


def zero_story(scene: Scene, kill: Kill) -> Story:
    """Return code, operation, cause and label for a node at which a gradient became zero."""
    op = killer(scene, kill)[0]
    death = _Death(kill, family_of(kill.name), op, scene.trace.call_of(kill.seq))
    stories = (tell(death) for tell in _STORIES)
    return next((s for s in stories if s is not None), _unknown(death))


def selects_nothing(kill: Kill) -> bool:
    """Say whether an operation had no entry to pass a gradient to, as with all labels ignored."""
    weight = kill.facts.get("total_weight")
    return kill.how == "empty" or (isinstance(weight, dict) and bool(weight.get("zero")))


def is_flat(kill: Kill) -> bool:
    """Say whether the derivative of an operation is zero whatever comes in."""
    return _is_step(kill) or _is_narrow(kill)


def _is_step(kill: Kill) -> bool:
    rounds = family_of(kill.name) == "Div" and bool(kill.facts.get("rounding_mode"))
    return rounds or family_of(kill.name) in _STEP_NODES


def _is_narrow(kill: Kill) -> bool:
    return family_of(kill.name) in {"Softmax", "LogSoftmax"} and _one_wide(kill)


def _flat(death: _Death) -> Story | None:
    if not _is_step(death.kill):
        return None
    step = _STEP_NODES.get(death.family)
    name = death.op if death.call is not None else step
    row = ops.find(step or "floor")
    cause = f"`{name}` {row.why if row else ''}, so nothing before it can learn"
    return "GG202", name, cause, "the derivative is 0 everywhere"


def _narrow(death: _Death) -> Story | None:
    if not _is_narrow(death.kill):
        return None
    result = death.kill.facts["result"]
    cause = (
        f"the input is {shape_of(result)} and the dimension that `{death.op}` normalises over has "
        "one entry, so the output is a constant and its derivative is 0 for every weight"
    )
    label = f"softmax over a dimension of size 1 of {list(result['shape'])} is constant"
    return "GG201", death.op, cause, label


def _cancelled(death: _Death) -> Story | None:
    inputs = death.call.inputs if death.call is not None else ()
    twice = len(inputs) > 1 and inputs[0] is inputs[1]
    if not twice and (death.kill.how != "cancel" or death.op.endswith("register_hook")):
        return None
    cause = f"the contributions that meet at `{death.op}` cancel exactly"
    return "GG201", death.op, cause, "what goes in cancels out"


def _hooked(death: _Death) -> Story | None:
    if not death.op.endswith("register_hook"):
        return None
    cause = f"a live gradient arrives at the result of `{death.op}` and is zero after its hooks"
    return "GG203", "torch.Tensor.register_hook", cause, "a tensor hook makes this gradient zero"


def _empty(death: _Death) -> Story | None:
    if not selects_nothing(death.kill):
        return None
    labels = death.family.startswith("NllLoss")
    what = "every label is ignored" if labels else "nothing is selected"
    cause = f"`{death.op}` gets no entry to learn from: {what} in this batch"
    return "GG203", death.op, cause, what


def _multiplied(death: _Death) -> Story | None:
    if not death.kill.facts.get("zero_factor"):
        return None
    cause = f"`{death.op}` multiplies by a factor that is zero in every entry and does not change"
    return "GG203", death.op, cause, "the other factor is all zero"


def _saturated(death: _Death) -> Story | None:
    if death.family not in _SATURATING:
        return None
    text = f"`{death.op}` is saturated, its derivative is exactly 0 there"
    cause = _range_story(death.kill, _SATURATING[death.family], text)
    return "GG203", death.op, cause, "saturated: the derivative is exactly 0 here"


def _unselected(death: _Death) -> Story | None:
    if death.family not in _SELECTING:
        return None
    row = ops.find(death.op)
    why = row.why if row else "passes a gradient only for selected entries"
    key = "self" if "self" in death.kill.facts else "result"
    cause = _range_story(death.kill, key, f"`{death.op}` {why}; no entry passes")
    return "GG203", death.op, cause, "no entry passes a gradient"


def _unknown(death: _Death) -> Story:
    cause = (
        f"a gradient arrives at `{death.op}` (`{death.kill.name}`) and all of it is zero after it"
    )
    return "GG203", death.op, cause, "the gradient becomes zero here"


# The first that fits tells the story.
_STORIES: tuple[Callable[[_Death], Story | None], ...] = (
    _flat, _narrow, _cancelled, _hooked, _empty, _multiplied, _saturated, _unselected,
)  # fmt: skip


def _range_story(kill: Kill, key: str, text: str) -> str:
    fact = kill.facts.get(key)
    if not isinstance(fact, dict) or "min" not in fact:
        return text
    what = "output" if key == "result" else "input"
    text += f". Its {what} lies in [{fact['min']:.4g}, {fact['max']:.4g}]"
    return (
        text + f", {100 * fact['positive']:.0f} % of it positive" if "Relu" in kill.name else text
    )


def _one_wide(kill: Kill) -> bool:
    fact, dim = kill.facts.get("result"), kill.facts.get("dim")
    if not isinstance(fact, dict) or not isinstance(dim, int):
        return False
    shape = fact["shape"]
    dim = dim - 2**64 if dim >= 2**63 else dim
    return -len(shape) <= dim < len(shape) and shape[dim] == 1


def is_range_bound(kill: Kill) -> bool:
    """Say whether an operation stops gradients outside of a range, or where it is saturated."""
    return family_of(kill.name) in _SATURATING or family_of(kill.name) in _SELECTING
