# SPDX-License-Identifier: Apache-2.0
"""Why a gradient became zero at a node: code, operation, cause and label."""

from collections.abc import Mapping

from lightning_gradguard import ops
from lightning_gradguard.diagnose.kills import killer
from lightning_gradguard.diagnose.scene import Scene
from lightning_gradguard.diagnose.words import family_of, shape_of
from lightning_gradguard.flow import Kill

__all__ = ["zero_story"]

# Nodes whose derivative is zero everywhere -> public name of the operation.
_STEP_NODES: Mapping[str, str] = {
    "Round": "torch.round", "Floor": "torch.floor", "Ceil": "torch.ceil", "Trunc": "torch.trunc",
    "Sign": "torch.sign", "Sgn": "torch.sgn", "Bernoulli": "torch.bernoulli", "Poisson": "torch.poisson",
    "Normal": "torch.normal", "Fix": "torch.fix",
}  # fmt: skip
_SATURATING: Mapping[str, str] = {
    "Sigmoid": "result", "Tanh": "result", "Softmax": "result", "LogSoftmax": "result", "Exp": "result",
    "LogSigmoid": "self", "BinaryCrossEntropy": "self", "Erf": "self", "Softplus": "self", "Silu": "self",
    "Gelu": "self", "Elu": "result",
}  # fmt: skip
_SELECTING = frozenset(
    [
        "Relu",
        "Threshold",
        "Clamp",
        "ClampMin",
        "ClampMax",
        "Hardtanh",
        "HardtanhBackward",
        "Hardsigmoid",
        "Hardswish",
        "LeakyRelu",
        "Where",
        "MaskedFill",
        "Relu6",
        "Maximum",
        "Minimum",
        "Max",
        "Min",
        "Amax",
        "Amin",
    ]
)


def zero_story(scene: Scene, kill: Kill) -> tuple[str, str | None, str, str]:
    """Return code, operation, cause and label for a node at which a gradient became zero."""
    family = family_of(kill.name)
    call = scene.trace.call_of(kill.seq)
    op = killer(scene, kill)[0]
    step = _STEP_NODES.get(family)
    rounding = kill.facts.get("rounding_mode")
    if step is not None or (family == "Div" and rounding):
        name = op if call is not None else step
        row = ops.find(step or "floor")
        return (
            "GG202",
            name,
            f"`{name}` {row.why if row else ''}, so nothing before it can learn",
            "the derivative is 0 everywhere",
        )
    if family in {"Softmax", "LogSoftmax"} and _one_wide(kill):
        shape = kill.facts["result"]["shape"]
        cause = (
            f"the input is {shape_of(kill.facts['result'])} and the dimension that `{op}` "
            "normalises over has one entry, so the output is a constant and its derivative is 0 "
            "for every weight"
        )
        return (
            "GG201",
            op,
            cause,
            f"softmax over a dimension of size 1 of {list(shape)} is constant",
        )
    if (call is not None and len(call.inputs) > 1 and call.inputs[0] is call.inputs[1]) or (
        kill.how == "cancel" and not op.endswith("register_hook")
    ):
        return (
            "GG201",
            op,
            f"the contributions that meet at `{op}` cancel exactly",
            "what goes in cancels out",
        )
    if op.endswith("register_hook"):
        return (
            "GG203",
            "torch.Tensor.register_hook",
            f"a live gradient arrives at the result of `{op}` and is zero after its hooks",
            "a tensor hook makes this gradient zero",
        )
    weight = kill.facts.get("total_weight")
    if kill.how == "empty" or isinstance(weight, dict) and weight.get("zero"):
        what = "every label is ignored" if family.startswith("NllLoss") else "nothing is selected"
        return "GG203", op, f"`{op}` gets no entry to learn from: {what} in this batch", what
    if kill.facts.get("zero_factor"):
        return (
            "GG203",
            op,
            f"`{op}` multiplies by a factor that is zero in every entry and does not change",
            "the other factor is all zero",
        )
    if family in _SATURATING:
        return (
            "GG203",
            op,
            _range_story(
                kill, _SATURATING[family], f"`{op}` is saturated, its derivative is exactly 0 there"
            ),
            "saturated: the derivative is exactly 0 here",
        )
    if family in _SELECTING:
        row = ops.find(op)
        why = row.why if row else "passes a gradient only for selected entries"
        return (
            "GG203",
            op,
            _range_story(
                kill, "self" if "self" in kill.facts else "result", f"`{op}` {why}; no entry passes"
            ),
            "no entry passes a gradient",
        )
    return (
        "GG203",
        op,
        f"a gradient arrives at `{op}` (`{kill.name}`) and all of it is zero after it",
        "the gradient becomes zero here",
    )


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
