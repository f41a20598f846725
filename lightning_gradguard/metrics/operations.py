# SPDX-License-Identifier: Apache-2.0
"""Names of operations, sorted by what they do to scores on their way to a metric."""

__all__ = [
    "AGREES",
    "BELOW",
    "BITS",
    "COMPARES",
    "DIFFERS",
    "INTEGERS",
    "LABELS",
    "LOGS",
    "ORDERS",
    "POWERS",
    "PRODUCTS",
    "ROUNDS",
    "SIGNS",
    "SIZES",
    "STEPS",
]

LABELS = frozenset({"argmax", "argmin", "max", "min"})
ORDERS = frozenset({"argsort", "sort", "topk", "msort"})
COMPARES = frozenset(
    [
        "gt",
        "ge",
        "lt",
        "le",
        "greater",
        "greater_equal",
        "less",
        "less_equal",
        "__gt__",
        "__ge__",
        "__lt__",
        "__le__",
    ]
)
AGREES = frozenset(["eq", "ne", "__eq__", "__ne__", "not_equal", "equal", "isclose"])
DIFFERS = frozenset(
    [
        "ne",
        "__ne__",
        "not_equal",
        "sub",
        "__sub__",
        "__rsub__",
        "rsub",
        "logical_xor",
        "__xor__",
        "bitwise_xor",
    ]
)
BELOW = frozenset(["lt", "le", "less", "less_equal", "__lt__", "__le__"])
ROUNDS = frozenset({"round", "round_"})
SIGNS = frozenset({"sign", "sgn", "sign_", "heaviside"})
INTEGERS = frozenset(
    [
        "long",
        "int",
        "short",
        "to",
        "type",
        "type_as",
        "floor",
        "ceil",
        "trunc",
        "fix",
        "round",
        "floor_",
        "ceil_",
    ]
)
STEPS = frozenset(["floor", "ceil", "trunc", "fix", "round", "floor_", "ceil_", "round_"])
LOGS = frozenset(
    [
        "log",
        "log10",
        "log2",
        "log1p",
        "exp",
        "expm1",
        "logsumexp",
        "log_",
        "exp_",
        "sigmoid",
        "tanh",
        "softmax",
        "log_softmax",
    ]
)
PRODUCTS = frozenset(["mul", "__mul__", "__rmul__", "multiply", "mul_"])
SIZES = frozenset({"abs", "absolute", "abs_", "__abs__"})
POWERS = frozenset({"pow", "__pow__"})
BITS = frozenset({"binary", "multilabel", "channels"})
