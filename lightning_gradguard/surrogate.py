# SPDX-License-Identifier: Apache-2.0
"""A recognised metric in, the lines to write instead out: a loss to train on, the metric beside it.

The lines use the user's own expressions for scores and target; where the source text does not tell,
they say `preds` and `target`.
"""

import ast
import re
from dataclasses import dataclass

from lightning_gradguard import libraries, syntax
from lightning_gradguard.metrics import Metric
from lightning_gradguard.source import Site
from lightning_gradguard.trace import Call, Trace, Value

__all__ = ["Surrogate", "attribute_name", "metric_lines", "surrogate"]

_RELAXED = "it optimises the expected {what} of soft predictions, not the {what} of hard ones"
_ORDERED = "it pushes pairs into the right order, which the metric counts"
_OVERLAP = ("F1Score", "FBetaScore", "DiceScore", "Precision", "Recall", "Specificity")
_MAX_TEXT = 48


@dataclass(frozen=True, slots=True)
class Surrogate:
    """A differentiable loss for a metric.

    Attributes:
        lines: code, one statement a line; the last one sets `loss`.
        caveat: what it really optimises where it is only a relaxation, else `""`.
    """

    lines: tuple[str, ...]
    caveat: str = ""


def surrogate(trace: Trace, metric: Metric) -> Surrogate:
    """Return a differentiable loss for a metric, in the user's own expressions."""
    texts = _Texts.of(trace, metric)
    family = _family(metric.name)
    if metric.kind in {"integer", "image", "number"} or _is_regression(metric.name):
        return _regression(metric, texts)
    if metric.kind == "rank" or metric.name.startswith("Retrieval"):
        return _ranking(metric, texts)
    if metric.kind == "text" or family in {
        "CharErrorRate",
        "WordErrorRate",
        "EditDistance",
        "BLEUScore",
    }:
        return Surrogate(
            (f"loss = {_cross_entropy(metric, texts)}",), "it trains every symbol by itself"
        )
    if _is_one_sided(metric):
        return _two_sided(metric, texts, family)
    return _classified(metric, texts, family)


def metric_lines(trace: Trace, metric: Metric) -> tuple[str, ...]:
    """Return the lines for `__init__` and `training_step` that compute it with torchmetrics."""
    texts = _Texts.of(trace, metric)
    name = attribute_name(metric)
    return (
        f"self.{name} = {libraries.module_of(metric.name)}.{metric.call}  # in __init__",
        f"self.{name}({_fed(metric, texts)})  # in training_step",
        f'self.log("{name}", self.{name}, on_step=False, on_epoch=True)',
    )


def attribute_name(metric: Metric) -> str:
    """Return a name for the metric in lower case, as in `accuracy`."""
    return _snake(_family(metric.name))


@dataclass(frozen=True, slots=True)
class _Texts:
    """The user's expressions: scores, scores before their activation, decisions, target."""

    scores: str
    logits: str
    hard: str
    target: str

    @classmethod
    def of(cls, trace: Trace, metric: Metric) -> "_Texts":
        home = (
            metric.decision.stack[0]
            if metric.decision is not None and metric.decision.stack
            else None
        )
        scores = _text(trace, metric.scores, home) or "preds"
        target = _text(trace, metric.target, home) or "target"
        hard = _short(syntax.expression(home)) if home is not None else ""
        return cls(scores, _before_activation(metric.scores, home), hard or scores, target)


def _text(trace: Trace, value: Value | None, home: Site | None) -> str:
    """Return the expression that stands for a value, in the given function if possible."""
    found = ""
    for call in trace.calls if value is not None else ():
        if value in call.inputs and call.stack and call.stack[0][0].co_name[0] != "<":
            text = _operand(call, call.inputs.index(value))
            if text and home is not None and call.stack[0][0] is home[0]:
                return text
            found = found or text
    return found


def _operand(call: Call, place: int) -> str:
    texts = syntax.operands(call.stack[0])
    return _short(texts[place]) if place < len(texts) else ""


def _short(text: str) -> str:
    plain = len(text) <= _MAX_TEXT and not re.search(r"lambda|\n|:=", text)
    return _without_detach(text) if plain else ""


def _without_detach(text: str) -> str:
    return re.sub(r"\.(detach\(\)|data\b|cpu\(\)|numpy\(\)|item\(\)|tolist\(\))", "", text)


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


# -- losses


def _classified(metric: Metric, texts: _Texts, family: str) -> Surrogate:
    """Return cross entropy, or a soft overlap for overlaps of images."""
    if family in {"JaccardIndex", "DiceScore"} and _rank_of(metric.target) > 2:  # noqa: PLR2004 - images
        return _soft_overlap(metric, texts, family)
    caveat = (
        ""
        if family in {"Accuracy", "ExactMatch", "HammingDistance"}
        else f"it trains accuracy, of which {family} is another summary"
    )
    return Surrogate((f"loss = {_cross_entropy(metric, texts)}",), caveat)


def _cross_entropy(metric: Metric, texts: _Texts) -> str:
    scores, made = texts.scores, metric.scores.call if metric.scores is not None else None
    name = made.name if made is not None else ""
    ignore = metric.arguments.get("ignore_index")
    extra = f", ignore_index={ignore}" if ignore not in (None, -100) else ""
    target = _whole(metric, texts.target)
    if name == "softmax" and not texts.logits:
        return f"F.nll_loss({_class_first(metric, scores)}.log(), {target}{extra})"
    if name == "log_softmax" and not texts.logits:
        return f"F.nll_loss({_class_first(metric, scores)}, {target}{extra})"
    return f"F.cross_entropy({_class_first(metric, texts.logits or scores)}, {target}{extra})"


def _whole(metric: Metric, target: str) -> str:
    value = metric.target
    floating = value is not None and value.dtype.is_floating_point
    same = value is not None and metric.scores is not None and value.shape == metric.scores.shape
    return f"{target}.long()" if floating and not same else target


def _class_first(metric: Metric, scores: str) -> str:
    """Return scores with the classes in dimension 1, as cross entropy wants them."""
    dim = _class_dim(metric)
    return scores if dim in {-1, 1} else f"{scores}.movedim({dim}, 1)"


def _class_dim(metric: Metric) -> int:
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


def _two_sided(metric: Metric, texts: _Texts, family: str) -> Surrogate:
    """Return binary cross entropy, or a soft overlap."""
    target = texts.target
    if metric.target is not None and not metric.target.dtype.is_floating_point:
        target = f"{target}.float()"
    if family in _OVERLAP or family == "JaccardIndex":
        return _soft_counts(metric, texts, target, family)
    if _has_logits(metric, texts):
        logits = texts.logits or texts.scores
        return Surrogate((f"loss = F.binary_cross_entropy_with_logits({logits}, {target})",))
    return Surrogate((f"loss = F.binary_cross_entropy({texts.scores}, {target})",))


def _has_logits(metric: Metric, texts: _Texts) -> bool:
    """Say whether the text at hand names numbers before the sigmoid."""
    if texts.logits:
        return True
    made = metric.scores.call if metric.scores is not None else None
    if made is not None and made.name in {"sigmoid", "sigmoid_", "softmax"}:
        return False
    return (
        metric.decision is None
        or 0.0 in metric.decision.constants
        or metric.decision.name in {"sign", "sgn"}
    )


def _soft_counts(metric: Metric, texts: _Texts, target: str, family: str) -> Surrogate:
    before = (
        (f"soft = torch.sigmoid({texts.logits or texts.scores})",)
        if _has_logits(metric, texts)
        else ()
    )
    soft = "soft" if before else texts.scores
    hits = f"({soft} * {target}).sum()"
    below = {"Precision": f"{soft}.sum()", "Recall": f"{target}.sum()"}
    if family == "Specificity":
        share = f"((1 - {soft}) * (1 - {target})).sum() / (1 - {target}).sum()"
    elif family == "JaccardIndex":
        share = f"{hits} / ({soft} + {target} - {soft} * {target}).sum()"
    elif family in below:
        share = f"{hits} / {below[family]}"
    else:
        share = f"2 * {hits} / ({soft}.sum() + {target}.sum())"
    known = (
        "soft Dice"
        if family in {"F1Score", "FBetaScore", "DiceScore"}
        else f"soft {family.lower()}"
    )
    known = "soft Jaccard (Lovasz is another relaxation)" if family == "JaccardIndex" else known
    return Surrogate((*before, f"loss = 1 - {share}"), f"{known}: {_RELAXED.format(what=family)}")


def _soft_overlap(metric: Metric, texts: _Texts, family: str) -> Surrogate:
    count = metric.arguments.get("num_classes", 2)
    soft, hot = (
        f"{texts.logits or texts.scores}.softmax(1)",
        f"F.one_hot({texts.target}, {count}).movedim(-1, 1)",
    )
    rest = "(soft + hot).sum()" if family == "DiceScore" else "(soft + hot - soft * hot).sum()"
    factor = "2 * " if family == "DiceScore" else ""
    known = "soft Dice" if family == "DiceScore" else "soft Jaccard (Lovasz is another relaxation)"
    lines = (f"soft, hot = {soft}, {hot}", f"loss = 1 - {factor}(soft * hot).sum() / {rest}")
    return Surrogate(lines, f"{known}: {_RELAXED.format(what=family)}")


def _ranking(metric: Metric, texts: _Texts) -> Surrogate:
    """Return a pairwise logistic loss, or a list-wise one for rows of documents."""
    scores, target = texts.scores, texts.target
    if metric.name.startswith("Retrieval") or (
        metric.target is not None
        and metric.scores is not None
        and metric.target.shape != metric.scores.shape
    ):
        if (
            metric.target is not None
            and not metric.target.dtype.is_floating_point
            and metric.scores is not None
            and metric.target.shape != metric.scores.shape
        ):
            return Surrogate(
                (f"loss = F.cross_entropy({scores}, {target})",),
                "it raises the score of the right entry above all others",
            )
        return Surrogate(
            (f"loss = F.cross_entropy({scores}, F.softmax({target}, dim=-1))",),
            "a list-wise loss: it fits the whole order, not only its head",
        )
    if metric.name.startswith("Binary"):
        lines = (
            f"gap = {scores}[{target} == 1][:, None] - {scores}[{target} == 0]",
            "loss = F.softplus(-gap).mean()",
        )
        return Surrogate(lines, _ORDERED)
    lines = (
        f"order = torch.sign({target}[:, None] - {target})",
        f"loss = F.softplus(-order * ({scores}[:, None] - {scores})).mean()",
    )
    return Surrogate(lines, f"{_ORDERED}; a soft rank in place of `argsort` is the other way")


def _regression(metric: Metric, texts: _Texts) -> Surrogate:
    if metric.name in {"PearsonCorrCoef", "ConcordanceCorrCoef"}:
        lines = (
            f"pair = torch.stack([{texts.scores}, {texts.target}])",
            "loss = 1 - torch.corrcoef(pair)[0, 1]",
        )
        return Surrogate(lines)
    if metric.name.startswith("MeanSquared") or metric.name in {
        "R2Score",
        "ExplainedVariance",
        "PeakSignalNoiseRatio",
    }:
        return Surrogate((f"loss = F.mse_loss({texts.scores}, {texts.target})",))
    return Surrogate((f"loss = F.smooth_l1_loss({texts.scores}, {texts.target})",))


# -- words


def _fed(metric: Metric, texts: _Texts) -> str:
    """Return the arguments of the update."""
    if metric.name.startswith("Retrieval"):
        return f"{texts.scores}, {texts.target}, indexes=rows"
    if (
        metric.kind in {"integer", "image"}
        or metric.name in {"DiceScore", "MeanIoU"}
        or _class_dim(metric) not in {-1, 1}
    ):
        return f"{texts.hard}, {texts.target}"
    if metric.name.startswith("Binary") and metric.kind == "label":
        return f"{texts.hard}, {texts.target}"
    return f"{texts.scores}, {texts.target}"


def _is_one_sided(metric: Metric) -> bool:
    if metric.kind in {"binary", "multilabel"}:
        return True
    return not metric.kind and metric.name.startswith(("Binary", "Multilabel"))


def _is_regression(name: str) -> bool:
    return libraries.module_of(name) == "torchmetrics.regression" and not name.startswith(
        ("Spearman", "Kendall")
    )


def _rank_of(value: Value | None) -> int:
    return len(value.shape) if value is not None else 0


def _family(name: str) -> str:
    return re.sub(r"^(Binary|Multiclass|Multilabel|Retrieval)", "", name)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
