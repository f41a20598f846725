# SPDX-License-Identifier: Apache-2.0
"""A recognised metric in, a differentiable loss to train on out.

The lines use the user's own expressions for scores and target; where the source text does not tell,
they say `preds` and `target`.
"""

from dataclasses import dataclass, replace

from lightning_gradguard import libraries
from lightning_gradguard.expressions import Texts, class_dim, family_of, fitted, rank_of
from lightning_gradguard.metrics import Metric
from lightning_gradguard.trace import Trace

__all__ = ["Surrogate", "surrogate"]

_RELAXED = "it optimises the expected {what} of soft predictions, not the {what} of hard ones"
_ORDERED = "it pushes pairs into the right order, which the metric counts"
_OVERLAP = ("F1Score", "FBetaScore", "DiceScore", "Precision", "Recall", "Specificity")


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
    found = _surrogate(metric, Texts.of(trace, metric))
    return replace(found, lines=fitted(found.lines))


def _surrogate(metric: Metric, texts: "Texts") -> Surrogate:
    family = family_of(metric.name)
    if metric.kind in {"share", "sides", "boxes"}:
        return _of_family(metric, texts)
    symbols = {"CharErrorRate", "WordErrorRate", "EditDistance", "BLEUScore", "Perplexity"}
    if metric.kind == "text" or family in symbols:
        caveat = "its exponential is the metric"
        caveat = caveat if family == "Perplexity" else "it trains every symbol by itself"
        return Surrogate((f"loss = {_cross_entropy(metric, texts)}",), caveat)
    if metric.kind in {"integer", "image", "number"} or _is_regression(metric.name):
        return _regression(metric, texts)
    if metric.kind == "rank" or metric.name.startswith("Retrieval") or _is_ordering(metric.name):
        return _ranking(metric, texts)
    if _is_one_sided(metric):
        return _two_sided(metric, texts, family)
    return _classified(metric, texts, family)


def _classified(metric: Metric, texts: Texts, family: str) -> Surrogate:
    """Return cross entropy, or a soft overlap for overlaps of images."""
    if family in {"JaccardIndex", "DiceScore"} and rank_of(metric.target) > 2:  # noqa: PLR2004 - images
        return _soft_overlap(metric, texts, family)
    caveat = (
        ""
        if family in {"Accuracy", "ExactMatch", "HammingDistance"}
        else f"it trains accuracy, of which {family} is another summary"
    )
    return Surrogate((f"loss = {_cross_entropy(metric, texts)}",), caveat)


def _cross_entropy(metric: Metric, texts: Texts) -> str:
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
    dim = class_dim(metric)
    return scores if dim in {-1, 1} else f"{scores}.movedim({dim}, 1)"


def _two_sided(metric: Metric, texts: Texts, family: str) -> Surrogate:
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


def _has_logits(metric: Metric, texts: Texts) -> bool:
    """Say whether the text at hand names numbers before the sigmoid."""
    if texts.logits:
        return True
    made = metric.scores.call if metric.scores is not None else None
    if made is not None and made.name in {"sigmoid", "sigmoid_", "softmax"}:
        return False
    return (
        metric.decision is None
        or metric.scores not in metric.decision.inputs
        or 0.0 in metric.decision.constants
        or metric.decision.name in {"sign", "sgn", "heaviside"}
    )


def _soft_counts(metric: Metric, texts: Texts, target: str, family: str) -> Surrogate:
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


def _soft_overlap(metric: Metric, texts: Texts, family: str) -> Surrogate:
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


def _ranking(metric: Metric, texts: Texts) -> Surrogate:
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


def _of_family(metric: Metric, texts: Texts) -> Surrogate:
    """Return a loss for shares and for overlaps of boxes."""
    scores, target = texts.scores, texts.target
    if metric.kind == "sides":
        lines = (f"loss = F.softplus(-{scores}).mean() + F.softplus({texts.against}).mean()",)
        return Surrogate(lines, "binary cross entropy of both groups, from logits")
    if metric.name in {"Recall", "Precision"}:
        side = 1 if metric.name == "Recall" else 0
        lines = (f"loss = torch.cdist({target}.float(), {scores}).amin({side}).mean()",)
        return Surrogate(lines, "it draws each one and its nearest counterpart together")
    if metric.kind == "boxes":
        name = metric.name.removesuffix("IntersectionOverUnion").lower()
        known = f"{name}_box_iou_loss" if name in {"distance", "complete"} else ""
        other = known or "generalized_box_iou_loss"
        lines = (f"loss = F.smooth_l1_loss({scores}, {target}.float())",)
        return Surrogate(lines, f"`torchvision.ops.{other}` is closer, on boxes of floats")
    lines = (f"loss = F.smooth_l1_loss({scores}, {target}.to({scores}.dtype))",)
    return Surrogate(lines, "it goes on making errors smaller that are small enough already")


def _regression(metric: Metric, texts: Texts) -> Surrogate:
    if metric.name == "SignalNoiseRatio":
        error = f"F.mse_loss({texts.scores}, {texts.target})"
        return Surrogate((f"loss = 10 * torch.log10({error} + 1e-8)",))
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


def _is_ordering(name: str) -> bool:
    return name in {"BinaryAUROC", "BinaryAveragePrecision"}


def _is_one_sided(metric: Metric) -> bool:
    if metric.kind in {"binary", "multilabel"}:
        return True
    return not metric.kind and metric.name.startswith(("Binary", "Multilabel"))


def _is_regression(name: str) -> bool:
    return libraries.module_of(name) == "torchmetrics.regression" and not name.startswith(
        ("Spearman", "Kendall")
    )
