# SPDX-License-Identifier: Apache-2.0
"""The user's own expressions for the two sides of a metric, and what it is in words."""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lightning_gradguard import syntax
from lightning_gradguard.metrics import Metric
from lightning_gradguard.source import Site, Stack
from lightning_gradguard.trace import Call, Trace, Value

__all__ = ["Texts", "class_dim", "family_of", "fitted", "rank_of"]

_MAX_TEXT = 48
WIDTH = 84  # what is left of 100 columns beside the margin of a help
_PASS_ON = frozenset(
    {"zip", "enumerate", "list", "tuple", "map", "sorted", "sum", "iter", "reversed"}
)


@dataclass(frozen=True, slots=True)
class Texts:
    """The user's expressions: scores, scores before their activation, decisions, target.

    And the scores of the other group, where there are two.
    """

    scores: str
    logits: str
    hard: str
    target: str
    against: str

    @classmethod
    def of(cls, trace: Trace, metric: Metric) -> "Texts":
        """Look the expressions up, in the function that makes the decision if possible."""
        home = (
            metric.decision.stack[0]
            if metric.decision is not None and metric.decision.stack
            else None
        )
        scores = _text(trace, metric.scores, home) or "preds"
        target = _text(trace, metric.target, home) or "target"
        hard = _short(syntax.expression(home)) if home is not None else ""
        against = _text(trace, metric.against, home) or "fake"
        logits = _before_activation(metric.scores, home)
        parts = (scores, logits, hard or scores, target, against)
        return cls(*(_atom(p) for p in parts))


def _text(trace: Trace, value: Value | None, home: Site | None) -> str:
    """Return the expression that stands for a value, in the given function if possible."""
    found = ""
    for call in trace.calls if value is not None else ():
        if value in call.inputs and call.stack and call.stack[0][0].co_name[0] != "<":
            text = _operand(call, call.inputs.index(value))
            if text and home is not None:
                told = _told(text, call.stack, home)
                if told:
                    return told
            found = found or text
    return found


def _told(text: str, stack: Stack, home: Site) -> str:
    """Return a text of an inner function as the given one wrote it, `""` if that is not known."""
    for (code, _), outer in zip(stack, (*stack[1:], None), strict=True):
        if code is home[0]:
            return text
        names = code.co_varnames[: code.co_argcount]
        if outer is None or text not in names:
            return ""
        text = _short(_argument(outer, names, text))
    return ""


def _argument(site: Site, names: Sequence[str], name: str) -> str:
    """Return the text of the argument that a call hands over under a name."""
    node = syntax.node_at(site)
    if not isinstance(node, ast.Call) or any(isinstance(a, ast.Starred) for a in node.args):
        return ""
    keyword = next((k.value for k in node.keywords if k.arg == name), None)
    bound = isinstance(node.func, ast.Attribute) and names[:1] == ("self",)
    place = names.index(name) - bound
    found = keyword or (node.args[place] if 0 <= place < len(node.args) else None)
    return syntax.text_of(found, site[0].co_filename) if found is not None else ""


def _operand(call: Call, place: int) -> str:
    if syntax.callee(call.stack[0]) in _PASS_ON:
        return ""  # `zip` and the like, where places say nothing
    texts = syntax.operands(call.stack[0])
    return _short(texts[place]) if place < len(texts) else ""


def _short(text: str) -> str:
    plain = len(text) <= _MAX_TEXT and not re.search(r"lambda|\n|:=", text)
    return _without_detach(text) if plain else ""


def _without_detach(text: str) -> str:
    return re.sub(r"\.(detach\(\)|data\b|cpu\(\)|numpy\(\)|item\(\)|tolist\(\))", "", text)


def _atom(text: str) -> str:
    """Return an expression in parentheses, unless it reads as one piece."""
    try:
        node = ast.parse(text, mode="eval").body if text else None
    except SyntaxError:
        return text
    loose = (ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.UnaryOp, ast.Tuple)
    return f"({text})" if isinstance(node, loose) else text


def _before_activation(scores: Value | None, home: Site | None) -> str:
    """Return the text of the logits where the same function turns them into the scores."""
    call = scores.call if scores is not None else None
    if (
        call is None
        or call.name not in {"sigmoid", "softmax", "log_softmax", "sigmoid_"}
        or not call.stack
    ):
        return ""
    if home is None or call.stack[0][0] is not home[0]:
        return ""
    node = syntax.node_at(call.stack[0])
    if not isinstance(node, ast.Call) or call.name not in ast.unparse(node.func):
        return ""
    return _operand(call, 0)


def class_dim(metric: Metric) -> int:
    """Return the dimension of the classes, -1 where the scores have only samples and classes."""
    if metric.scores is None or metric.target is None:
        return -1
    shape, target = metric.scores.shape, metric.target.shape
    if len(shape) <= 2 or len(shape) != len(target) + 1:  # noqa: PLR2004
        return -1
    return (
        next((d for d in range(len(shape)) if (*shape[:d], *shape[d + 1 :]) == tuple(target)), -1)
        if target != shape[:-1]
        else len(shape) - 1
    )


def family_of(name: str) -> str:
    """Return a class name without the kind of predictions that it takes.

    Example:
        >>> family_of("MulticlassF1Score")
        'F1Score'
    """
    return re.sub(r"^(Binary|Multiclass|Multilabel|Retrieval)", "", name)


def rank_of(value: Value | None) -> int:
    """Return the number of dimensions, 0 where the value is unknown."""
    return len(value.shape) if value is not None else 0


def fitted(lines: Sequence[str]) -> tuple[str, ...]:
    """Return lines of code without superfluous parentheses, broken where they are too wide."""
    return tuple(part for line in lines for part in _broken(_unwrapped(line)))


def _broken(line: str) -> list[str]:
    """Break a line at the commas of its outermost call, if that helps."""
    code, mark, comment = line.partition("  # ")
    if len(line) > WIDTH and mark:
        return [f"# {comment}", *_broken(code)]
    if len(line) <= WIDTH:
        return [line]
    start, end = code.find("("), code.rfind(")")
    commas = _commas(code, start, end) if end == len(code) - 1 else []
    if not commas:
        name, equals, rest = code.partition(" = ")
        return [f"{name} = (", f"    {rest}", ")"] if equals else [code]
    cuts = [start, *commas, end]
    parts = [code[a + 1 : b].strip() for a, b in pairwise(cuts)]
    inside = ", ".join(parts)
    body = [inside] if len(inside) + 4 <= WIDTH else [f"{part}," for part in parts]
    return [code[: start + 1], *(f"    {part}" for part in body), code[end:]]


def _commas(code: str, start: int, end: int) -> list[int]:
    """Return the places of the commas directly inside of one pair of parentheses."""
    depth, found, quoted = 0, [], False
    for place in range(start + 1, end):
        sign = code[place]
        quoted ^= sign == '"'
        depth += 0 if quoted else (sign in "([{") - (sign in ")]}")
        if depth < 0:
            return []
        if sign == "," and depth == 0 and not quoted:
            found.append(place)
    return found


def _unwrapped(line: str) -> str:
    """Return a line without the parentheses around whole arguments, which nobody writes."""
    try:
        calls = [n for n in ast.walk(ast.parse(line)) if isinstance(n, ast.Call)]
    except SyntaxError:
        return line
    for start, end in sorted(
        {(a.col_offset, a.end_col_offset or 0) for c in calls for a in c.args}
    ):
        if start > 1 and line[start - 1] == "(" and line[start - 2] in "( " and line[end] == ")":
            return _unwrapped(line[: start - 1] + line[start:end] + line[end + 1 :])
    return line
