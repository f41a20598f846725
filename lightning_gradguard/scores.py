# SPDX-License-Identifier: Apache-2.0
"""Reference formulas: hard predictions, scores and targets in, the values of common metrics out.

Plain torch in double precision, following the conventions of torchmetrics (0 for 0 / 0, absent
classes left out of a macro average); the tests compare every row with torchmetrics.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["Row", "Sample", "rows"]

Row = tuple[str, dict[str, Any], float]
_BETAS = (2.0, 0.5, 3.0, 1.5)
_MAX_PAIRS = 2048
_MAX_CLASSES = 512


@dataclass(frozen=True, slots=True)
class Sample:
    """The two sides of a metric.

    Attributes:
        kind: `label`, `topk`, `binary`, `multilabel`, `rank`, `integer`, `number`, `image`,
            `boxes` or `text`.
        preds: labels, bits or integers; for `rank` the scores themselves.
        target: same shape as `preds`, but for `topk` and ranked labels.
        classes: number of classes or labels.
        top_k: how many of the best count as a hit.
        ignore: target value that is left out.
        overlap: whether true positives are counted by products rather than by comparison.
    """

    kind: str
    preds: Tensor
    target: Tensor
    classes: int = 2
    top_k: int = 1
    ignore: int | None = None
    overlap: bool = False


def rows(sample: Sample) -> list[Row]:
    """Return `(torchmetrics class, arguments, value)` for every metric that fits, likeliest first.

    Example:
        >>> rows(Sample("binary", torch.tensor([1, 0]), torch.tensor([1, 1])))[0]
        ('BinaryAccuracy', {}, 0.5)
    """
    found = list(_TABLE[sample.kind](sample))
    if not sample.overlap or sample.kind == "label":
        return found
    return sorted(found, key=lambda row: row[0].endswith("Accuracy"))


# -- classes


def _label(sample: Sample) -> Iterator[Row]:
    preds, target = sample.preds.long().reshape(-1), sample.target.long().reshape(-1)
    many, image = sample.target.dim() > 1, sample.target.dim() > 2  # noqa: PLR2004 - samples, rows, columns
    if sample.ignore is not None:
        keep = target != sample.ignore
        preds, target = preds[keep], target[keep]
    count = sample.classes
    if count > _MAX_CLASSES or not target.numel():
        yield from _plain_accuracy(preds, target, count)
        return
    inside = (target >= 0) & (target < count) & (preds >= 0) & (preds < count)
    matrix = torch.bincount(target[inside] * count + preds[inside], minlength=count * count)
    table = matrix.view(count, count).double()
    base: dict[str, Any] = {"num_classes": count}
    if sample.ignore is not None:
        base["ignore_index"] = sample.ignore
    if count == 2 and sample.overlap:  # noqa: PLR2004 - two classes
        yield from _bits_of(table, 1)
    if sample.overlap:
        yield _micro_overlap(table, base, dice=image)
    yield from _from_matrix(table, base, dice=image)
    if many and sample.ignore is None:
        rows_right = (sample.preds.long() == sample.target.long()).flatten(1).all(1).double()
        yield "MulticlassExactMatch", base, float(rows_right.mean())
        if image:
            yield from _samplewise(sample)


def _micro_overlap(table: Tensor, base: dict[str, Any], *, dice: bool) -> Row:
    value = float(_ratio(table.diagonal().sum(), table.sum()))
    if dice:
        return "DiceScore", _dice(table.shape[0], "micro", "global"), value
    return "MulticlassF1Score", base | {"average": "micro"}, value


def _dice(count: int, average: str, level: str) -> dict[str, Any]:
    return {
        "num_classes": count,
        "average": average,
        "aggregation_level": level,
        "input_format": "index",
    }


def _plain_accuracy(preds: Tensor, target: Tensor, count: int) -> Iterator[Row]:
    value = float((preds == target).double().mean()) if target.numel() else 0.0
    yield "MulticlassAccuracy", {"num_classes": count, "average": "micro"}, value


def _from_matrix(table: Tensor, base: dict[str, Any], *, dice: bool) -> Iterator[Row]:
    """Yield everything that a confusion matrix (rows: target) determines."""
    count = table.shape[0]
    hit, real, said = table.diagonal(), table.sum(1), table.sum(0)
    total = table.sum()
    present = (real + said - hit) > 0
    parts = {
        "Accuracy": _ratio(hit, real), "Recall": _ratio(hit, real), "Precision": _ratio(hit, said),
        "F1Score": _ratio(2 * hit, real + said), "JaccardIndex": _ratio(hit, real + said - hit),
        "Specificity": _ratio(total - real - said + hit, total - real),
    }  # fmt: skip
    yield "MulticlassAccuracy", base | {"average": "micro"}, float(_ratio(hit.sum(), total))
    for name, part in parts.items():
        for average, weight in (("macro", present.double()), ("weighted", real)):
            value = float((part * weight).sum() / weight.sum())
            if name == "F1Score" and dice and average == "macro":
                yield "DiceScore", _dice(count, "macro", "global"), value
            yield f"Multiclass{name}", base | {"average": average}, value
        if name not in {"Accuracy", "Recall"}:
            yield (
                f"Multiclass{name}",
                base | {"average": "macro", "note": "absent classes count as 0"},
                float(part.mean()),
            )
    micro = float(_ratio(hit.sum(), (real + said - hit).sum()))
    yield "MulticlassJaccardIndex", base | {"average": "micro"}, micro
    for beta in _BETAS:
        part = _ratio((1 + beta**2) * hit, beta**2 * real + said)
        yield (
            "MulticlassFBetaScore",
            {"beta": beta} | base | {"average": "macro"},
            float(part[present].mean()),
        )
    yield from _agreement(table, base)
    if count > 2:  # noqa: PLR2004
        for name, part in parts.items():
            tail = float(part[1:][present[1:]].mean()) if bool(present[1:].any()) else 0.0
            if name == "F1Score" and dice:
                yield (
                    "DiceScore",
                    _dice(count, "macro", "global") | {"include_background": False},
                    tail,
                )
            else:
                yield (
                    f"Multiclass{name}",
                    base | {"average": "macro", "note": "without class 0"},
                    tail,
                )


def _agreement(table: Tensor, base: dict[str, Any], prefix: str = "Multiclass") -> Iterator[Row]:
    """Yield chance-corrected agreement."""
    count, total = table.shape[0], table.sum()
    real, said = table.sum(1), table.sum(0)
    place = torch.arange(count, dtype=torch.double, device=table.device)
    expected = torch.outer(real, said) / total
    for weights, cost in (
        (None, 1 - torch.eye(count, dtype=torch.double, device=table.device)),
        ("quadratic", (place[:, None] - place) ** 2),
        ("linear", (place[:, None] - place).abs()),
    ):
        below = (cost * expected).sum()
        value = float(1 - (cost * table).sum() / below) if float(below) else 0.0
        yield f"{prefix}CohenKappa", base | ({"weights": weights} if weights else {}), value
    covariance = table.diagonal().sum() * total - (real * said).sum()
    below = ((total**2 - (real**2).sum()) * (total**2 - (said**2).sum())).sqrt()
    yield f"{prefix}MatthewsCorrCoef", base, float(_ratio(covariance, below))


def _samplewise(sample: Sample) -> Iterator[Row]:
    """Yield overlap scores that are computed for every sample and then averaged."""
    count, length = sample.classes, sample.target.shape[0]
    if length * count > _MAX_PAIRS * 16 or count > 64:  # noqa: PLR2004 - a bound on work
        return
    one = torch.arange(count, device=sample.preds.device)
    preds = (sample.preds.long().reshape(length, -1, 1) == one).double()
    target = (sample.target.long().reshape(length, -1, 1) == one).double()
    hit, both = (preds * target).sum(1), (preds + target).sum(1)
    each = torch.where(both > 0, 2 * hit / both, torch.nan)
    base = _dice(count, "macro", "samplewise")
    yield "DiceScore", base, float(each.nanmean(1).nanmean())
    yield (
        "DiceScore",
        base | {"note": "absent classes count as 0"},
        float(each.nan_to_num(0.0).mean()),
    )
    yield (
        "DiceScore",
        _dice(count, "micro", "samplewise"),
        float((2 * hit.sum(1) / both.sum(1)).mean()),
    )
    yield (
        "MeanIoU",
        {"num_classes": count, "input_format": "index", "note": "mean over samples"},
        float(_ratio(hit, both - hit).mean()),
    )


def _topk(sample: Sample) -> Iterator[Row]:
    """Yield what the best few of each row say: `preds` holds positions, ordered by score."""
    best, target = sample.preds, sample.target
    if target.dim() == best.dim() and target.shape[-1] == sample.classes and target.dim() > 1:
        yield from _retrieved(best, target, sample.top_k)
        return
    hits = (best == target.reshape(*best.shape[:-1], 1)).any(-1).double()
    yield (
        "MulticlassAccuracy",
        {"num_classes": sample.classes, "top_k": sample.top_k, "average": "micro"},
        float(hits.mean()),
    )


def _retrieved(best: Tensor, target: Tensor, top_k: int) -> Iterator[Row]:
    found = target.double().gather(-1, best).gt(0).double()
    total = target.gt(0).double().sum(-1)
    arguments = {"top_k": top_k}
    yield "RetrievalPrecision", arguments, float(found.mean())
    yield "RetrievalRecall", arguments, float(_ratio(found.sum(-1), total).mean())
    yield "RetrievalHitRate", arguments, float(found.amax(-1).mean())
    rank = torch.arange(1, best.shape[-1] + 1, dtype=torch.double, device=best.device)
    yield "RetrievalMRR", arguments, float((found / rank).amax(-1).mean())


# -- bits


def _binary(sample: Sample) -> Iterator[Row]:
    preds, target = _bits(sample.preds.reshape(-1)), _bits(sample.target.reshape(-1))
    table = torch.bincount(target * 2 + preds, minlength=4).view(2, 2).double()
    yield from _bits_of(table, 1)
    if sample.target.dim() > 1 and sample.preds.numel() == sample.target.numel():
        yield from _binary_samplewise(sample)


def _bits_of(table: Tensor, positive: int) -> Iterator[Row]:
    """Yield everything that tp, fp, fn and tn determine."""
    hit, total = table[positive, positive], table.sum()
    real, said = table[positive].sum(), table[:, positive].sum()
    rest = total - real - said + hit
    yield "BinaryAccuracy", {}, float(_ratio(hit + rest, total))
    yield "BinaryF1Score", {}, float(_ratio(2 * hit, real + said))
    yield "BinaryJaccardIndex", {}, float(_ratio(hit, real + said - hit))
    yield "BinaryPrecision", {}, float(_ratio(hit, said))
    yield "BinaryRecall", {}, float(_ratio(hit, real))
    yield "BinarySpecificity", {}, float(_ratio(rest, total - real))
    for beta in _BETAS:
        yield (
            "BinaryFBetaScore",
            {"beta": beta},
            float(_ratio((1 + beta**2) * hit, beta**2 * real + said)),
        )
    yield from ((n, a, v) for n, a, v in _agreement(table, {}, "Binary"))
    balanced = (_ratio(hit, real) + _ratio(rest, total - real)) / 2
    yield "MulticlassAccuracy", {"num_classes": 2, "average": "macro"}, float(balanced)
    precision = (_ratio(hit, said) + _ratio(rest, total - said)) / 2
    yield "MulticlassPrecision", {"num_classes": 2, "average": "macro"}, float(precision)
    other = _ratio(2 * rest, 2 * total - real - said)
    yield (
        "MulticlassF1Score",
        {"num_classes": 2, "average": "macro"},
        float((_ratio(2 * hit, real + said) + other) / 2),
    )
    overlap = _ratio(rest, total - hit)
    yield (
        "MulticlassJaccardIndex",
        {"num_classes": 2, "average": "macro"},
        float((_ratio(hit, real + said - hit) + overlap) / 2),
    )


def _binary_samplewise(sample: Sample) -> Iterator[Row]:
    length = sample.target.shape[0]
    preds, target = (
        _bits(sample.preds.reshape(length, -1)),
        _bits(sample.target.reshape(length, -1)),
    )
    hit, real, said = (preds * target).sum(1), target.sum(1), preds.sum(1)
    how = {"multidim_average": "samplewise"}
    yield "BinaryF1Score", how, float(_ratio(2 * hit, real + said).mean())
    yield "BinaryPrecision", how, float(_ratio(hit, said).mean())
    yield "BinaryRecall", how, float(_ratio(hit, real).mean())
    yield (
        "BinaryJaccardIndex",
        {"note": "mean over samples"},
        float(_ratio(hit, real + said - hit).mean()),
    )
    yield (
        "MultilabelExactMatch",
        {"num_labels": preds.shape[1]},
        float((preds == target).all(1).double().mean()),
    )


def _multilabel(sample: Sample) -> Iterator[Row]:
    labels = sample.target.shape[-1]
    preds, target = (
        _bits(sample.preds.reshape(-1, labels)),
        _bits(sample.target.reshape(-1, labels)),
    )
    base: dict[str, Any] = {"num_labels": labels}
    right = (preds == target).double()
    yield "MultilabelAccuracy", base, float(right.mean())
    yield "MultilabelExactMatch", base, float(right.amin(1).mean())
    yield from _label_overlap(preds, target, base)
    hit, real, said = (preds * target).sum(1), target.sum(1), preds.sum(1)
    note = base | {"note": "mean over samples"}
    yield "MultilabelF1Score", note, float(_ratio(2 * hit, real + said).mean())
    yield "MultilabelJaccardIndex", note, float(_ratio(hit, real + said - hit).mean())
    yield "MultilabelPrecision", note, float(_ratio(hit, said).mean())
    yield "MultilabelRecall", note, float(_ratio(hit, real).mean())


def _label_overlap(preds: Tensor, target: Tensor, base: dict[str, Any]) -> Iterator[Row]:
    hit, real, said = (preds * target).sum(0), target.sum(0), preds.sum(0)
    length = preds.shape[0]
    pairs = {
        "F1Score": (2 * hit, real + said), "JaccardIndex": (hit, real + said - hit),
        "Precision": (hit, said),
        "Recall": (hit, real), "Specificity": (length - real - said + hit, length - real),
    }  # fmt: skip
    for name, (above, below) in pairs.items():
        yield (
            f"Multilabel{name}",
            base | {"average": "micro"},
            float(_ratio(above.sum(), below.sum())),
        )
        yield f"Multilabel{name}", base | {"average": "macro"}, float(_ratio(above, below).mean())
        weighted = (
            float((_ratio(above, below) * real).sum() / real.sum()) if int(real.sum()) else 0.0
        )
        yield f"Multilabel{name}", base | {"average": "weighted"}, weighted
    for beta in _BETAS:
        above, below = (1 + beta**2) * hit, beta**2 * real + said
        yield (
            "MultilabelFBetaScore",
            {"beta": beta} | base | {"average": "micro"},
            float(_ratio(above.sum(), below.sum())),
        )
        yield (
            "MultilabelFBetaScore",
            {"beta": beta} | base | {"average": "macro"},
            float(_ratio(above, below).mean()),
        )


# -- ranks


def _rank(sample: Sample) -> Iterator[Row]:
    score, target = sample.preds.double(), sample.target
    if target.shape != score.shape:
        yield from _gold_rank(score, target)
        return
    flat, aim = score.reshape(-1), target.reshape(-1)
    two = bool(((aim == 0) | (aim == 1)).all())
    if flat.numel() <= _MAX_PAIRS:
        if two:
            yield from _two_sided(flat, aim)
        yield from _correlations(flat, aim.double())
    if score.dim() > 1 and score.shape[-1] > 1:
        yield from _ordered(
            score.reshape(-1, score.shape[-1]),
            target.reshape(-1, score.shape[-1]).double(),
            sample.top_k,
        )
        if score.shape[-1] <= _MAX_PAIRS:
            yield from _by_row(
                score.reshape(-1, score.shape[-1]), target.reshape(-1, score.shape[-1]).double()
            )


def _gold_rank(score: Tensor, target: Tensor) -> Iterator[Row]:
    """Yield what the rank of the right column says."""
    table, gold = score.reshape(-1, score.shape[-1]), target.long().reshape(-1, 1)
    if gold.shape[0] != table.shape[0] or not bool(((gold >= 0) & (gold < table.shape[1])).all()):
        return
    rank = 1 + (table > table.gather(1, gold)).sum(1)
    yield "RetrievalMRR", {}, float(rank.double().reciprocal().mean())
    yield "RetrievalNormalizedDCG", {}, float((rank + 1).double().log2().reciprocal().mean())
    for k in (*range(1, 11), 20, 50, 100):
        if k < table.shape[1]:
            how = {"num_classes": table.shape[1], "top_k": k, "average": "micro"}
            yield "MulticlassAccuracy", how, float((rank <= k).double().mean())


def _two_sided(score: Tensor, target: Tensor) -> Iterator[Row]:
    positive, negative = score[target == 1], score[target == 0]
    if positive.numel() and negative.numel():
        gap = positive[:, None] - negative
        yield "BinaryAUROC", {}, float((gap.gt(0).double() + 0.5 * gap.eq(0).double()).mean())
    order = score.argsort(descending=True)
    hits = target[order].double()
    place = torch.arange(1, len(hits) + 1, dtype=torch.double, device=hits.device)
    if float(hits.sum()):
        yield (
            "BinaryAveragePrecision",
            {},
            float((hits * hits.cumsum(0) / place).sum() / hits.sum()),
        )


def _correlations(score: Tensor, target: Tensor) -> Iterator[Row]:
    yield "SpearmanCorrCoef", {}, _pearson(_ranks(score), _ranks(target))
    left, right = (torch.sign(v[:, None] - v) for v in (score, target))
    below = (left.abs().sum() * right.abs().sum()).sqrt()
    yield "KendallRankCorrCoef", {}, float(_ratio((left * right).sum(), below))
    yield "PearsonCorrCoef", {}, _pearson(score, target)
    spread = ((target - target.mean()) ** 2).sum()
    error = target - score
    yield "R2Score", {}, float(1 - (error**2).sum() / spread) if float(spread) else 0.0
    yield (
        "ExplainedVariance",
        {},
        float(1 - error.var(correction=0) * len(error) / spread) if float(spread) else 0.0,
    )
    gap = (score.mean() - target.mean()) ** 2
    mixed = ((score - score.mean()) * (target - target.mean())).sum() / max(len(score) - 1, 1)
    below = score.var() + target.var() + gap
    yield "ConcordanceCorrCoef", {}, float(_ratio(2 * mixed, below))


def _by_row(score: Tensor, target: Tensor) -> Iterator[Row]:
    if score.numel() * score.shape[1] > _MAX_PAIRS**2:
        return
    values = [_pearson(_ranks(s), _ranks(t)) for s, t in zip(score[:64], target[:64], strict=True)]
    yield "SpearmanCorrCoef", {"num_outputs": len(score)}, sum(values) / len(values)


def _ordered(score: Tensor, target: Tensor, top_k: int) -> Iterator[Row]:
    """Yield retrieval scores, one query a row."""
    order = score.argsort(dim=1, descending=True)
    found, ideal = target.gather(1, order), target.sort(dim=1, descending=True).values
    place = torch.arange(1, score.shape[1] + 1, dtype=torch.double, device=score.device)
    for k in dict.fromkeys((score.shape[1], top_k)):
        if k < 1:
            continue
        how = {"top_k": k} if k < score.shape[1] else {}
        near = (place <= k).double()
        weight = near / (place + 1).log2()
        plain: dict[str, Any] = {}
        steep: dict[str, Any] = {"note": "exponential gain"}
        forms = ((found, ideal, plain), (2**found - 1, 2**ideal - 1, steep))
        for got, most, note in forms:
            gain, best = (got * weight).sum(1), (most * weight).sum(1)
            yield "RetrievalNormalizedDCG", how | note, float(_ratio(gain, best).mean())
        hits = (found > 0).double()
        within = hits * near
        precision = hits.cumsum(1) / place
        yield "RetrievalMAP", how, float(_ratio((precision * within).sum(1), within.sum(1)).mean())
        yield "RetrievalMRR", how, float((within / place).amax(1).mean())
        yield "RetrievalPrecision", how, float((within.sum(1) / k).mean())
        yield "RetrievalRecall", how, float(_ratio(within.sum(1), hits.sum(1)).mean())
        yield "RetrievalHitRate", how, float(within.amax(1).mean())


# -- numbers


def _integer(sample: Sample) -> Iterator[Row]:
    preds, target = sample.preds.double().reshape(-1), sample.target.double().reshape(-1)
    error = preds - target
    yield "MeanAbsoluteError", {}, float(error.abs().mean())
    yield "MeanSquaredError", {}, float((error**2).mean())
    yield "MeanSquaredError", {"squared": False}, float((error**2).mean().sqrt())
    yield (
        "MeanAbsolutePercentageError",
        {},
        float((error.abs() / target.abs().clamp(min=1.17e-06)).mean()),
    )
    yield (
        "MeanSquaredLogError",
        {},
        float(((preds.clamp(min=0).log1p() - target.clamp(min=0).log1p()) ** 2).mean()),
    )
    weights = target.abs().sum()
    yield "WeightedMeanAbsolutePercentageError", {}, float(_ratio(error.abs().sum(), weights))
    yield (
        "SymmetricMeanAbsolutePercentageError",
        {},
        float((2 * error.abs() / (preds.abs() + target.abs()).clamp(min=1.17e-06)).mean()),
    )


def _number(sample: Sample) -> Iterator[Row]:
    """Yield errors that are no loss function of torch."""
    return (
        row
        for row in _integer(sample)
        if row[0] not in {"MeanAbsoluteError", "MeanSquaredError"} or row[1]
    )


def _image(sample: Sample) -> Iterator[Row]:
    preds, target = sample.preds.double().reshape(-1), sample.target.double().reshape(-1)
    error = ((preds - target) ** 2).mean()
    yield "PeakSignalNoiseRatio", {"data_range": 255.0}, float(10 * torch.log10(255.0**2 / error))


def _boxes(sample: Sample) -> Iterator[Row]:
    """Yield overlaps of boxes, each with the target of the same row."""
    preds, target = sample.preds.double(), sample.target.double()
    low = torch.maximum(preds[:, :2], target[:, :2])
    high = torch.minimum(preds[:, 2:], target[:, 2:])
    sizes = [t[:, 2:] - t[:, :2] for t in (preds, target)]
    shared = (high - low).clamp(min=0).prod(1)
    union = sizes[0].prod(1) + sizes[1].prod(1) - shared
    hull = torch.maximum(preds[:, 2:], target[:, 2:]) - torch.minimum(preds[:, :2], target[:, :2])
    gap = ((preds[:, :2] + preds[:, 2:] - target[:, :2] - target[:, 2:]) / 2).pow(2).sum(1)
    each, far = _ratio(shared, union), _ratio(gap, hull.pow(2).sum(1))
    turns = [torch.atan(_ratio(s[:, 0], s[:, 1])) for s in sizes]
    bent = 4 / math.pi**2 * (turns[1] - turns[0]) ** 2
    yield "IntersectionOverUnion", {}, float(each.mean())
    general = each - _ratio(hull.prod(1) - union, hull.prod(1))
    yield "GeneralizedIntersectionOverUnion", {}, float(general.mean())
    yield "DistanceIntersectionOverUnion", {}, float((each - far).mean())
    complete = each - far - bent * _ratio(bent, 1 - each + bent)
    yield "CompleteIntersectionOverUnion", {}, float(complete.mean())


def _text(sample: Sample) -> Iterator[Row]:
    """Yield edit distances between rows of symbols."""
    pairs = list(zip(sample.preds.tolist(), sample.target.tolist(), strict=True))
    edits = [_edit_distance(p, t) for p, t in pairs]
    total = max(sum(len(t) for _, t in pairs), 1)
    yield "CharErrorRate", {}, sum(edits) / total
    yield "EditDistance", {}, sum(edits) / max(len(edits), 1)
    yield (
        "CharErrorRate",
        {"note": "mean over samples"},
        sum(e / max(len(t), 1) for e, (_, t) in zip(edits, pairs, strict=True))
        / max(len(pairs), 1),
    )
    yield "EditDistance", {"reduction": "sum"}, float(sum(edits))


def _edit_distance(left: Sequence[int], right: Sequence[int]) -> int:
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        corner, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (a != b))
    return row[-1]


_TABLE = {
    "label": _label, "topk": _topk, "binary": _binary, "multilabel": _multilabel, "rank": _rank,
    "integer": _integer, "number": _number, "image": _image, "text": _text,
    "boxes": _boxes,
}  # fmt: skip


# -- arithmetic


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """Divide, with 0 for 0 / 0."""
    above, below = above.double(), below.double()
    return torch.where(below == 0, 0.0, above / torch.where(below == 0, 1.0, below))


def _bits(values: Tensor) -> Tensor:
    return (values > 0).long()


def _pearson(left: Tensor, right: Tensor) -> float:
    left, right = left - left.mean(), right - right.mean()
    return float(_ratio((left * right).sum(), left.norm() * right.norm()))


def _ranks(values: Tensor) -> Tensor:
    """Return ranks from 1, ties share their mean rank."""
    less = (values[:, None] > values).sum(1)
    same = (values[:, None] == values).sum(1)
    return less.double() + (same.double() + 1) / 2
