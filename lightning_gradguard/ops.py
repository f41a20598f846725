# SPDX-License-Identifier: Apache-2.0
"""Operation name in, what it does to a gradient out: one literal table.

A row is there for its words, not for detection: whether an operation cut a gradient is observed on
the tensors. The table says why it did and what to write instead. `probe` is the proof of the row,
an expression over `x` (float[3, 4], requires grad, in (0, 1)), `y` (int64[3]) and `torch`, `F`; the
tests evaluate every one of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

__all__ = ["OPS", "Kind", "Op", "find"]


class Kind(StrEnum):
    """How an operation stops a gradient."""

    CUT = "cut"  # the result cannot require grad
    ZERO = "zero"  # the result requires grad, its derivative is zero everywhere
    EXIT = "exit"  # the result is no tensor
    COPY = "copy"  # the result is a tensor rebuilt from values, without history
    STOP = "stop"  # the user asked for the gradient to stop
    SHAPE = "shape"  # only shape, dtype or device of the input is read
    SELECT = "select"  # derivative is zero where a range or condition is not met


@dataclass(frozen=True, slots=True)
class Op:
    """One operation: its bare name, what it does to a gradient, why, and what to use instead."""

    name: str
    kind: Kind
    probe: str
    why: str
    instead: str = ""

    @property
    def draws(self) -> bool:
        """Say whether the operation draws a sample."""
        return self.why == _SAMPLE


_INDICES = "returns integer indices, the gradient stops here"
_COMPARE = "compares and returns booleans, the gradient stops here"
_STEPS = "is constant between its steps, its derivative is 0 everywhere"
_SAMPLE = "draws a sample, which has no derivative in the probabilities"
_LEAVES = "returns a plain Python value, the history stays behind"
_TO_NUMPY = "hands the values to numpy, the history stays behind"
_SAME_NAME = "the torch function of the same name"
_INTEGER = "casts to an integer type, which cannot carry a gradient"
_COUNTS = "returns counts, which do not depend smoothly on the input"
_BY_VALUE = "copies the values into a new tensor without history"
_FROM_LIST = "copies the values of a list into a new tensor without history"
_STOPPED = "stops the gradient here"
_STE = "a straight-through estimator `x + (torch.{name}(x) - x).detach()`"
_SIGN = "a straight-through estimator or `torch.tanh(x / t)`"
_SOFT = "`softmax` weights instead of a hard choice"
_SMOOTH = "a smooth surrogate such as `torch.sigmoid((x - t) / temperature)`"
_KEEP = "the tensor itself, without leaving torch"

_OPS = (
    # indices
    Op("argmax", Kind.CUT, "x.argmax(1)", _INDICES, _SOFT),
    Op("argmin", Kind.CUT, "x.argmin(1)", _INDICES, _SOFT),
    Op("argsort", Kind.CUT, "x.argsort(1)", _INDICES, "a soft rank"),
    Op("argwhere", Kind.CUT, "torch.argwhere(x)", _INDICES, ""),
    Op("nonzero", Kind.CUT, "x.nonzero()", _INDICES, ""),
    Op("searchsorted", Kind.CUT, "torch.searchsorted(x, x)", _INDICES, ""),
    Op("bucketize", Kind.CUT, "torch.bucketize(x, x[0].detach())", _INDICES, ""),
    Op("topk", Kind.CUT, "x.topk(2).indices", _INDICES, "the values that `topk` returns"),
    Op("sort", Kind.CUT, "x.sort().indices", _INDICES, "the values that `sort` returns"),
    Op("max", Kind.CUT, "x.max(1).indices", _INDICES, "the values that `max` returns"),
    Op("min", Kind.CUT, "x.min(1).indices", _INDICES, "the values that `min` returns"),
    Op("median", Kind.CUT, "x.median(1).indices", _INDICES, "the values that `median` returns"),
    Op("mode", Kind.CUT, "x.mode(1).indices", _INDICES, ""),
    Op("kthvalue", Kind.CUT, "x.kthvalue(1).indices", _INDICES, "the values of `kthvalue`"),
    # comparisons
    Op("eq", Kind.CUT, "x == x", _COMPARE, _SMOOTH),
    Op("__eq__", Kind.CUT, "x.__eq__(x)", _COMPARE, _SMOOTH),
    Op("ne", Kind.CUT, "x.ne(x)", _COMPARE, _SMOOTH),
    Op("__ne__", Kind.CUT, "x != x", _COMPARE, _SMOOTH),
    Op("gt", Kind.CUT, "x > 0.5", _COMPARE, _SMOOTH),
    Op("ge", Kind.CUT, "x >= 0.5", _COMPARE, _SMOOTH),
    Op("lt", Kind.CUT, "x < 0.5", _COMPARE, _SMOOTH),
    Op("le", Kind.CUT, "x <= 0.5", _COMPARE, _SMOOTH),
    Op("greater", Kind.CUT, "torch.greater(x, 0.5)", _COMPARE, _SMOOTH),
    Op("greater_equal", Kind.CUT, "torch.greater_equal(x, 0.5)", _COMPARE, _SMOOTH),
    Op("less", Kind.CUT, "torch.less(x, 0.5)", _COMPARE, _SMOOTH),
    Op("less_equal", Kind.CUT, "torch.less_equal(x, 0.5)", _COMPARE, _SMOOTH),
    Op("not_equal", Kind.CUT, "torch.not_equal(x, 0.5)", _COMPARE, _SMOOTH),
    Op("isclose", Kind.CUT, "torch.isclose(x, x)", _COMPARE, _SMOOTH),
    Op("logical_and", Kind.CUT, "torch.logical_and(x, x)", _COMPARE, _SMOOTH),
    Op("logical_or", Kind.CUT, "torch.logical_or(x, x)", _COMPARE, _SMOOTH),
    Op("logical_xor", Kind.CUT, "torch.logical_xor(x, x)", _COMPARE, _SMOOTH),
    Op("logical_not", Kind.CUT, "torch.logical_not(x)", _COMPARE, _SMOOTH),
    Op("any", Kind.CUT, "x.any()", _COMPARE, _SMOOTH),
    Op("all", Kind.CUT, "x.all()", _COMPARE, _SMOOTH),
    Op("isnan", Kind.CUT, "x.isnan()", _COMPARE, ""),
    Op("isfinite", Kind.CUT, "x.isfinite()", _COMPARE, ""),
    Op("isinf", Kind.CUT, "x.isinf()", _COMPARE, ""),
    Op("signbit", Kind.CUT, "torch.signbit(x)", _COMPARE, ""),
    # integer casts
    Op("long", Kind.CUT, "x.long()", _INTEGER, "the float tensor; cast only what is an index"),
    Op("int", Kind.CUT, "x.int()", _INTEGER, "the float tensor; cast only what is an index"),
    Op("short", Kind.CUT, "x.short()", _INTEGER, "the float tensor; cast only what is an index"),
    Op("char", Kind.CUT, "x.char()", _INTEGER, "the float tensor; cast only what is an index"),
    Op("byte", Kind.CUT, "x.byte()", _INTEGER, "the float tensor; cast only what is an index"),
    Op("bool", Kind.CUT, "x.bool()", _INTEGER, _SMOOTH),
    Op("to", Kind.CUT, "x.to(torch.int64)", _INTEGER, "a floating point type"),
    Op("type", Kind.CUT, "x.type(torch.int64)", _INTEGER, "a floating point type"),
    Op("type_as", Kind.CUT, "x.type_as(y)", _INTEGER, "a floating point type"),
    Op("one_hot", Kind.CUT, "F.one_hot(x.long() * 0)", _INTEGER, _SOFT),
    # counts
    Op("count_nonzero", Kind.CUT, "x.count_nonzero()", _COUNTS, _SMOOTH),
    Op("bincount", Kind.CUT, "torch.bincount((x * 2).long().view(-1))", _COUNTS, ""),
    Op("histc", Kind.CUT, "torch.histc(x, 3)", _COUNTS, "a soft histogram"),
    Op("unique", Kind.CUT, "torch.unique(x.long())", _COUNTS, ""),
    # sampling
    Op("multinomial", Kind.CUT, "torch.multinomial(x, 1)", _SAMPLE,
       "`F.gumbel_softmax` or a score-function loss with `log_prob`"),
    Op("linspace", Kind.CUT, "torch.linspace(x[0, 0], x[0, 1], 3)",
       "reads its end points as numbers and drops their history",
       "`start + (end - start) * torch.linspace(0, 1, steps)`"),
    Op("bernoulli", Kind.ZERO, "x.bernoulli()", _SAMPLE,
       "`torch.distributions.RelaxedBernoulli` or a straight-through estimator"),
    Op("poisson", Kind.ZERO, "torch.poisson(x)", _SAMPLE, "a score-function loss"),
    Op("normal", Kind.ZERO, "torch.normal(x, x)", _SAMPLE, "`mean + std * torch.randn_like(std)`"),
    # steps
    Op("round", Kind.ZERO, "x.round()", _STEPS, _STE),
    Op("floor", Kind.ZERO, "x.floor()", _STEPS, _STE),
    Op("ceil", Kind.ZERO, "x.ceil()", _STEPS, _STE),
    Op("trunc", Kind.ZERO, "x.trunc()", _STEPS, _STE),
    Op("fix", Kind.ZERO, "x.fix()", _STEPS, _STE),
    Op("sign", Kind.ZERO, "x.sign()", _STEPS, _SIGN),
    Op("sgn", Kind.ZERO, "x.sgn()", _STEPS, _SIGN),
    # exits
    Op("item", Kind.EXIT, "x.sum().item()", _LEAVES, _KEEP),
    Op("tolist", Kind.EXIT, "x.tolist()", _LEAVES, _KEEP),
    Op("__float__", Kind.EXIT, "float(x.sum().detach())", _LEAVES, _KEEP),
    Op("__int__", Kind.EXIT, "int(x.sum())", _LEAVES, _KEEP),
    Op("__bool__", Kind.EXIT, "bool(x.sum() > 0)",
       "turns a value into a branch, which has no derivative", "`torch.where` on tensors"),
    Op("__index__", Kind.EXIT, "y[0].__index__()", _LEAVES, _KEEP),
    Op("__complex__", Kind.EXIT, "complex(x.sum().detach())", _LEAVES, _KEEP),
    Op("numpy", Kind.EXIT, "x.detach().numpy()", _TO_NUMPY, _SAME_NAME),
    Op("__array__", Kind.EXIT, "x.detach().__array__()", _TO_NUMPY, _SAME_NAME),
    # copies
    Op("tensor", Kind.COPY, "torch.tensor([x[0, 0].detach(), x[0, 1].detach()])", _BY_VALUE,
       "`torch.stack`, or the tensor itself"),
    Op("new_tensor", Kind.COPY, "x.new_tensor([x[0, 0].detach()])", _BY_VALUE, "`torch.stack`"),
    Op("as_tensor", Kind.COPY, "torch.as_tensor([x[0, 0].detach()])", _FROM_LIST, "`torch.stack`"),
    Op("asarray", Kind.COPY, "torch.asarray([x[0, 0].detach()])", _FROM_LIST, "`torch.stack`"),
    Op("full", Kind.COPY, "torch.full((2,), x.sum().item())", _BY_VALUE, "`x.expand(...)`"),
    # asked for
    Op("detach", Kind.STOP, "x.detach()", _STOPPED, "the tensor without `detach()`"),
    Op("detach_", Kind.STOP, "x.clone().detach_()", _STOPPED, "the tensor without `detach_()`"),
    Op("data", Kind.STOP, "x.data", _STOPPED, "the tensor without `.data`"),
    Op("no_grad", Kind.STOP, "torch.no_grad()(lambda: x + 1)()",
       "switches off recording for everything inside", "the call outside of the block"),
    Op("inference_mode", Kind.STOP, "torch.inference_mode()(lambda: x + 1)()",
       "switches off recording for everything inside", "the call outside of the block"),
    Op("set_grad_enabled", Kind.STOP, "torch.no_grad()(lambda: x + 1)()",
       "switches off recording for everything after it", "`set_grad_enabled(True)`"),
    # shape only
    Op("zeros_like", Kind.SHAPE, "torch.zeros_like(x)", "reads only the shape"),
    Op("ones_like", Kind.SHAPE, "torch.ones_like(x)", "reads only the shape"),
    Op("empty_like", Kind.SHAPE, "torch.empty_like(x)", "reads only the shape"),
    Op("rand_like", Kind.SHAPE, "torch.rand_like(x)", "reads only the shape"),
    Op("randn_like", Kind.SHAPE, "torch.randn_like(x)", "reads only the shape"),
    Op("randint_like", Kind.SHAPE, "torch.randint_like(x, 3)", "reads only the shape"),
    Op("full_like", Kind.SHAPE, "torch.full_like(x, 3.0)", "reads only the shape"),
    Op("new_zeros", Kind.SHAPE, "x.new_zeros(3)", "reads only the dtype"),
    Op("new_ones", Kind.SHAPE, "x.new_ones(3)", "reads only the dtype"),
    Op("new_empty", Kind.SHAPE, "x.new_empty(3)", "reads only the dtype"),
    Op("new_full", Kind.SHAPE, "x.new_full((3,), 1.0)", "reads only the dtype"),
    # zero outside of a range
    Op("relu", Kind.SELECT, "x.relu()", "passes a gradient only where its input is positive"),
    Op("relu6", Kind.SELECT, "F.relu6(x)", "passes a gradient only between 0 and 6"),
    Op("clamp", Kind.SELECT, "x.clamp(0, 1)", "passes a gradient only inside its range"),
    Op("clip", Kind.SELECT, "x.clip(0, 1)", "passes a gradient only inside its range"),
    Op("hardtanh", Kind.SELECT, "F.hardtanh(x)", "passes a gradient only inside its range"),
    Op("hardsigmoid", Kind.SELECT, "F.hardsigmoid(x)", "passes a gradient only inside its range"),
    Op("threshold", Kind.SELECT, "F.threshold(x, 0.0, 0.0)", "passes a gradient only above it"),
    Op("where", Kind.SELECT, "torch.where(x > 0, x, 0.0)", "passes a gradient only where selected"),
)  # fmt: skip

OPS: Mapping[str, Op] = MappingProxyType({op.name: op for op in _OPS})


def find(name: str) -> Op | None:
    """Return the row of an operation by its public or bare name.

    Example:
        >>> find("torch.Tensor.argmax").kind
        <Kind.CUT: 'cut'>
    """
    bare = name.removesuffix(".__get__").rpartition(".")[2]
    return OPS.get(bare) or OPS.get(bare.strip("_"))  # `F.threshold` calls `torch._threshold`
