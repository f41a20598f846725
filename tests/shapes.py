# SPDX-License-Identifier: Apache-2.0
"""Code shapes in which people compute a metric in a loss, and look-alikes that are no metric."""
# ruff: noqa: ARG005, D103

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Step = Callable[[Tensor, Tensor], Any]


@dataclass(frozen=True)
class Shape:
    """One way to write a metric.

    Attributes:
        step: `(scores, target) -> loss`.
        data: name of the inputs, see `make`.
        expected: torchmetrics class, or several where they are the same number.
        arguments: expected arguments.
        same: whether the arguments reproduce the number.
    """

    step: Step
    data: str
    expected: str
    arguments: dict[str, Any] | None = None
    same: bool = True


def make(data: str) -> tuple[tuple[int, ...], Tensor]:
    """Return the shape of the scores and a target."""
    source = torch.Generator().manual_seed(5)
    shapes: dict[str, tuple[tuple[int, ...], Tensor]] = {
        "classes": ((24, 4), torch.randint(0, 4, (24,), generator=source)),
        "two": ((24, 2), torch.randint(0, 2, (24,), generator=source)),
        "bits": ((24,), torch.randint(0, 2, (24,), generator=source).float()),
        "column": ((24, 1), torch.randint(0, 2, (24, 1), generator=source).float()),
        "labels": ((24, 5), torch.randint(0, 2, (24, 5), generator=source).float()),
        "mask": ((4, 1, 6, 6), torch.randint(0, 2, (4, 1, 6, 6), generator=source).float()),
        "pixels": ((4, 3, 6, 6), torch.randint(0, 3, (4, 6, 6), generator=source)),
        "tokens": ((6, 8, 5), torch.randint(0, 5, (6, 8), generator=source)),
        "padded": ((6, 8, 5), _padded(torch.randint(0, 5, (6, 8), generator=source))),
        "values": ((24,), torch.randn(24, generator=source)),
        "counts": ((24,), torch.randint(0, 9, (24,), generator=source).float()),
        "relevance": ((6, 8), torch.randint(0, 4, (6, 8), generator=source).float()),
        "boxes": ((8, 4), _boxes(source)),
        "relevant": ((6, 8), torch.randint(0, 2, (6, 8), generator=source).float()),
    }
    return shapes[data]


def _boxes(source: torch.Generator) -> Tensor:
    low = torch.randint(0, 50, (8, 2), generator=source)
    return torch.cat([low, low + torch.randint(20, 100, (8, 2), generator=source)], 1).float()


def _padded(target: Tensor) -> Tensor:
    target[:, 6:] = -100
    return target


# -- shapes


def counts_loop(z: Tensor, y: Tensor) -> Any:
    pred = z.argmax(1)
    right = 0
    for p, t in zip(pred, y, strict=True):
        right += int(p.item() == t.item())
    return 1 - right / len(y)


def topk_hits(z: Tensor, y: Tensor) -> Tensor:
    _, best = z.topk(2, 1, largest=True, sorted=True)
    correct = best.t().eq(y.view(1, -1).expand_as(best.t()))
    return 1 - correct[:2].reshape(-1).float().sum(0) / y.size(0)


def stat_counts(z: Tensor, y: Tensor) -> Tensor:
    p = (torch.sigmoid(z) > 0.5).float()
    tp, fp, fn = (p * y).sum(), (p * (1 - y)).sum(), ((1 - p) * y).sum()
    precision, recall = tp / (tp + fp + 1e-8), tp / (tp + fn + 1e-8)
    return 1 - 2 * precision * recall / (precision + recall + 1e-8)


def f1_macro_loop(z: Tensor, y: Tensor) -> Tensor:
    p, scores = z.argmax(-1), []
    for c in range(4):
        tp = ((p == c) & (y == c)).sum().float()
        fp = ((p == c) & (y != c)).sum().float()
        fn = ((p != c) & (y == c)).sum().float()
        scores.append(2 * tp / (2 * tp + fp + fn + 1e-9))
    return 1 - torch.stack(scores).mean()


def iou_mean(z: Tensor, y: Tensor) -> Any:
    p = z.argmax(1)
    ious = []
    for c in range(3):
        inter = ((p == c) & (y == c)).sum()
        union = ((p == c) | (y == c)).sum()
        ious.append(inter / union.clamp(min=1))
    return 1 - sum(ious) / 3


def iou_samples(z: Tensor, y: Tensor) -> Tensor:
    p = (z.sigmoid() > 0.5).flatten(1)
    t = y.flatten(1).bool()
    inter, union = (p & t).sum(1).float(), (p | t).sum(1).float()
    return 1 - ((inter + 1e-6) / (union + 1e-6)).mean()


def dice_smooth(z: Tensor, y: Tensor) -> Tensor:
    p = (z > 0).float().view(-1)
    t = y.view(-1)
    return 1 - (2.0 * (p * t).sum() + 1.0) / (p.sum() + t.sum() + 1.0)


def confusion_loop(z: Tensor, y: Tensor) -> Tensor:
    cm = torch.zeros(4, 4)
    for t, p in zip(y, z.argmax(1), strict=True):
        cm[t.long(), p.long()] += 1
    return 1 - cm.diag().sum() / cm.sum()


def balanced(z: Tensor, y: Tensor) -> Tensor:
    p = z.argmax(1)
    return 1 - torch.stack([(p[y == c] == c).float().mean() for c in range(4)]).mean()


def scatter_matrix(z: Tensor, y: Tensor) -> Tensor:
    p = z.argmax(1)
    cm = torch.zeros(16).scatter_add_(0, y * 4 + p, torch.ones(len(y))).view(4, 4)
    return -(cm.diagonal() / cm.sum(1).clamp(min=1)).mean()


def quadratic_kappa(z: Tensor, y: Tensor) -> Tensor:
    p, k = z.argmax(1), 4
    observed = F.one_hot(y, k).float().T @ F.one_hot(p, k).float()
    place = torch.arange(k, dtype=torch.float)
    weight = (place[:, None] - place[None]) ** 2
    expected = observed.sum(1, keepdim=True) * observed.sum(0, keepdim=True) / observed.sum()
    return (weight * observed).sum() / (weight * expected).sum()


def matthews(z: Tensor, y: Tensor) -> Tensor:
    p = (z > 0).float()
    tp, tn = (p * y).sum(), ((1 - p) * (1 - y)).sum()
    fp, fn = (p * (1 - y)).sum(), ((1 - p) * y).sum()
    return -(tp * tn - fp * fn) / torch.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn) + 1e-12)


def spearman(z: Tensor, y: Tensor) -> Tensor:
    n = len(z)
    d = z.argsort().argsort() - y.argsort().argsort()
    return 6 * (d.float() ** 2).sum() / (n * (n * n - 1))


def kendall(z: Tensor, y: Tensor) -> Tensor:
    n = len(z)
    agree = (z[:, None] > z[None, :]) == (y[:, None] > y[None, :])
    agree = torch.triu(agree, diagonal=1).sum()
    return 1 - (2 * agree / (n * (n - 1) / 2) - 1)


def auc_sorted(z: Tensor, y: Tensor) -> Tensor:
    rank = z.argsort().argsort().float() + 1
    positive = y.sum()
    negative = len(y) - positive
    return 1 - ((rank * y).sum() - positive * (positive + 1) / 2) / (positive * negative)


def average_precision(z: Tensor, y: Tensor) -> Tensor:
    hits = y[z.argsort(descending=True)]
    precision = hits.cumsum(0) / torch.arange(1, len(y) + 1)
    return 1 - (precision * hits).sum() / hits.sum()


def ndcg_at(z: Tensor, y: Tensor) -> Tensor:
    k = 5
    discount = 1 / torch.log2(torch.arange(2, k + 2).float())
    got = (y.gather(1, z.topk(k).indices) * discount).sum(1)
    best = (y.topk(k).values * discount).sum(1)
    return 1 - (got / best).mean()


def precision_at(z: Tensor, y: Tensor) -> Tensor:
    return 1 - y.gather(1, z.topk(3, dim=1)[1]).mean()


def reciprocal(z: Tensor, y: Tensor) -> Tensor:
    order = z.argsort(dim=1, descending=True)
    place = (order == y[:, None]).nonzero()[:, 1] + 1
    return 1 - (1.0 / place).mean()


def masked(z: Tensor, y: Tensor) -> Tensor:
    keep = y != -100
    return 1 - (z.argmax(-1)[keep] == y[keep]).float().mean()


def masked_sum(z: Tensor, y: Tensor) -> Tensor:
    keep = y.ne(-100)
    return 1 - ((z.argmax(-1) == y) & keep).sum() / keep.sum()


def numpy_accuracy(z: Tensor, y: Tensor) -> Tensor:
    p = np.argmax(z.detach().numpy(), axis=1)
    return torch.tensor(float((p != y.numpy()).mean()), requires_grad=True)


def numpy_f1(z: Tensor, y: Tensor) -> Tensor:
    p, t = z.detach().cpu().numpy() > 0, y.numpy() > 0.5
    tp = np.sum(p & t)
    return torch.tensor(1 - 2 * tp / (p.sum() + t.sum()))


def numpy_correlation(z: Tensor, y: Tensor) -> Tensor:
    return torch.tensor(1 - np.corrcoef(z.detach().numpy(), y.numpy())[0, 1])


def sklearn_f1(z: Tensor, y: Tensor) -> Tensor:
    from sklearn.metrics import f1_score

    return torch.tensor(1 - f1_score(y.numpy(), z.argmax(1).numpy(), average="macro"))


def sklearn_auc(z: Tensor, y: Tensor) -> Tensor:
    from sklearn import metrics

    return torch.tensor(1 - metrics.roc_auc_score(y.numpy(), z.detach().numpy()))


def scipy_spearman(z: Tensor, y: Tensor) -> Tensor:
    from scipy import stats  # type: ignore[import-untyped]

    return torch.as_tensor(1 - stats.spearmanr(z.detach().numpy(), y.numpy())[0])


def items(z: Tensor, y: Tensor) -> Tensor:
    p = z.argmax(1)
    correct = (p == y).sum().item()
    return torch.tensor(1 - correct / len(y), requires_grad=True)


def f1_items(z: Tensor, y: Tensor) -> Tensor:
    p = (z > 0).long()
    tp = ((p == 1) & (y == 1)).sum().item()
    fp = ((p == 1) & (y == 0)).sum().item()
    fn = ((p == 0) & (y == 1)).sum().item()
    return torch.tensor(1 - 2 * tp / (2 * tp + fp + fn), requires_grad=True)


def word_errors(z: Tensor, y: Tensor) -> Tensor:
    words = ["a", "b", "c", "d", "e"]
    wrong = total = 0
    for p, t in zip(z.argmax(-1).tolist(), y.tolist(), strict=True):
        left, right = (" ".join(words[i] for i in s).split() for s in (p, t))
        row = list(range(len(right) + 1))
        for i, a in enumerate(left, 1):
            before, row[0] = row[0], i
            for j, b in enumerate(right, 1):
                before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
        wrong, total = wrong + row[-1], total + len(right)
    return torch.tensor(wrong / total)


def one_hot_error(z: Tensor, y: Tensor) -> Tensor:
    hot = F.one_hot(z.argmax(1), 4).float()
    return 1 - (hot * F.one_hot(y, 4)).sum(1).mean()


def functional(name: str, **options: Any) -> Step:
    def step(z: Tensor, y: Tensor) -> Any:
        import torchmetrics.functional as TF

        return 1 - getattr(TF, name)(z, y.long(), **options)

    return step


MICRO = {"average": "micro"}
SHAPES: dict[str, Shape] = {
    "argmax eq mean": Shape(
        lambda z, y: 1 - (z.argmax(1) == y).float().mean(),
        "classes",
        "MulticlassAccuracy",
        {"num_classes": 4, **MICRO},
    ),
    "ne": Shape(
        lambda z, y: z.argmax(dim=-1).ne(y).float().mean(),
        "classes",
        "MulticlassAccuracy",
        {"num_classes": 4, **MICRO},
    ),
    "negative": Shape(
        lambda z, y: -torch.eq(torch.argmax(z, 1), y).double().mean(),
        "classes",
        "MulticlassAccuracy",
    ),
    "percent": Shape(
        lambda z, y: 100 - 100.0 * z.max(1)[1].eq(y).sum() / len(y), "classes", "MulticlassAccuracy"
    ),
    "max indices": Shape(
        lambda z, y: (torch.max(F.softmax(z, 1), 1).indices != y).sum() / y.numel(),
        "classes",
        "MulticlassAccuracy",
    ),
    "sort": Shape(
        lambda z, y: 1 - (z.sort(1, descending=True).indices[:, 0] == y).float().mean(),
        "classes",
        "MulticlassAccuracy",
    ),
    "topk one": Shape(
        lambda z, y: 1 - (z.topk(1)[1].squeeze(1) == y).float().mean(),
        "classes",
        "MulticlassAccuracy",
    ),
    "topk": Shape(
        topk_hits, "classes", "MulticlassAccuracy", {"num_classes": 4, "top_k": 2, **MICRO}
    ),
    "topk any": Shape(
        lambda z, y: 1 - (z.topk(3).indices == y[:, None]).any(-1).float().mean(),
        "classes",
        "MulticlassAccuracy",
        {"num_classes": 4, "top_k": 3, **MICRO},
    ),
    "no grad": Shape(
        torch.no_grad()(lambda z, y: 1 - (z.argmax(1) == y).float().mean()),
        "classes",
        "MulticlassAccuracy",
    ),
    "one hot target": Shape(
        lambda z, y: 1 - (z.argmax(1) == F.one_hot(y, 4).argmax(1)).float().mean(),
        "classes",
        "MulticlassAccuracy",
    ),
    "one hot product": Shape(one_hot_error, "classes", "MulticlassAccuracy MulticlassF1Score"),
    "item": Shape(items, "classes", "MulticlassAccuracy"),
    "numpy": Shape(numpy_accuracy, "classes", "MulticlassAccuracy"),
    "python loop": Shape(counts_loop, "classes", "MulticlassAccuracy"),
    "matrix loop": Shape(confusion_loop, "classes", "MulticlassAccuracy"),
    "per class": Shape(
        balanced, "classes", "MulticlassAccuracy", {"num_classes": 4, "average": "macro"}
    ),
    "scatter": Shape(
        scatter_matrix, "classes", "MulticlassAccuracy", {"num_classes": 4, "average": "macro"}
    ),
    "macro f1": Shape(
        f1_macro_loop, "classes", "MulticlassF1Score", {"num_classes": 4, "average": "macro"}
    ),
    "kappa": Shape(
        quadratic_kappa,
        "classes",
        "MulticlassCohenKappa",
        {"num_classes": 4, "weights": "quadratic"},
    ),
    "pixels": Shape(
        lambda z, y: 1 - (z.argmax(1) == y).float().mean(),
        "pixels",
        "MulticlassAccuracy",
        {"num_classes": 3, **MICRO},
    ),
    "pixel iou": Shape(
        iou_mean, "pixels", "MulticlassJaccardIndex", {"num_classes": 3, "average": "macro"}
    ),
    "masked": Shape(
        masked, "padded", "MulticlassAccuracy", {"num_classes": 5, "ignore_index": -100, **MICRO}
    ),
    "masked sum": Shape(
        masked_sum,
        "padded",
        "MulticlassAccuracy",
        {"num_classes": 5, "ignore_index": -100, **MICRO},
    ),
    "exact match": Shape(
        lambda z, y: 1 - (z.argmax(-1) == y).all(1).float().mean(), "tokens", "MulticlassExactMatch"
    ),
    "threshold": Shape(
        lambda z, y: 1 - ((torch.sigmoid(z) > 0.5).float() == y).float().mean(),
        "bits",
        "BinaryAccuracy",
        {},
    ),
    "other threshold": Shape(
        lambda z, y: ((z.sigmoid() >= 0.3) != y.bool()).float().mean(),
        "bits",
        "BinaryAccuracy",
        {"threshold": 0.3},
    ),
    "round": Shape(
        lambda z, y: 1 - (torch.round(torch.sigmoid(z)) == y).float().mean(),
        "bits",
        "BinaryAccuracy",
        {},
    ),
    "column": Shape(
        lambda z, y: 1 - ((z > 0) == (y > 0.5)).sum() / y.shape[0], "column", "BinaryAccuracy", {}
    ),
    "where": Shape(
        lambda z, y: (torch.where(z > 0, 1.0, 0.0) - y).abs().mean(), "bits", "BinaryAccuracy", {}
    ),
    "f1 counts": Shape(stat_counts, "bits", "BinaryF1Score", {}),
    "f1 items": Shape(f1_items, "bits", "BinaryF1Score", {}),
    "numpy f1": Shape(numpy_f1, "bits", "BinaryF1Score", {}),
    "precision": Shape(
        lambda z, y: 1 - ((z > 0) * y).sum() / (z > 0).sum().clamp(min=1),
        "bits",
        "BinaryPrecision",
        {},
    ),
    "recall": Shape(
        lambda z, y: 1 - torch.logical_and(z > 0, y == 1).sum() / (y == 1).sum(),
        "bits",
        "BinaryRecall",
        {},
    ),
    "specificity": Shape(
        lambda z, y: 1 - ((z <= 0) & (y == 0)).sum() / (y == 0).sum(),
        "bits",
        "BinarySpecificity",
        {},
    ),
    "matthews": Shape(matthews, "bits", "BinaryMatthewsCorrCoef", {}),
    "iou": Shape(
        lambda z, y: 1 - ((z > 0) & y.bool()).sum() / ((z > 0) | y.bool()).sum(),
        "mask",
        "BinaryJaccardIndex",
        {},
    ),
    "iou per sample": Shape(iou_samples, "mask", "BinaryJaccardIndex", same=False),
    "smooth dice": Shape(dice_smooth, "mask", "BinaryF1Score", same=False),
    "two class f1": Shape(
        lambda z, y: 1 - 2 * (z.argmax(1) * y).sum() / (z.argmax(1).sum() + y.sum()),
        "two",
        "BinaryF1Score",
    ),
    "label accuracy": Shape(
        lambda z, y: 1 - ((z > 0).float() == y).float().mean(),
        "labels",
        "MultilabelAccuracy",
        {"num_labels": 5},
    ),
    "hamming": Shape(
        lambda z, y: ((z > 0) != y.bool()).float().mean(),
        "labels",
        "MultilabelHammingDistance",
        {"num_labels": 5},
    ),
    "subset": Shape(
        lambda z, y: 1 - ((z > 0).float() == y).all(dim=1).float().mean(),
        "labels",
        "MultilabelExactMatch",
        {"num_labels": 5},
    ),
    "label f1": Shape(
        lambda z, y: (
            1 - (2 * ((z > 0) * y).sum(0) / ((z > 0).sum(0) + y.sum(0)).clamp(min=1)).mean()
        ),
        "labels",
        "MultilabelF1Score",
        {"num_labels": 5, "average": "macro"},
    ),
    "spearman": Shape(spearman, "values", "SpearmanCorrCoef", {}),
    "kendall": Shape(kendall, "values", "KendallRankCorrCoef", {}),
    "scipy": Shape(scipy_spearman, "values", "SpearmanCorrCoef", same=False),
    "correlation": Shape(numpy_correlation, "values", "PearsonCorrCoef", same=False),
    "auc by ranks": Shape(auc_sorted, "bits", "BinaryAUROC", {}),
    "average precision": Shape(average_precision, "bits", "BinaryAveragePrecision", {}),
    "sklearn f1": Shape(sklearn_f1, "classes", "MulticlassF1Score", same=False),
    "sklearn auc": Shape(sklearn_auc, "bits", "BinaryAUROC", same=False),
    "ndcg": Shape(ndcg_at, "relevance", "RetrievalNormalizedDCG", {"top_k": 5}),
    "precision at": Shape(precision_at, "relevant", "RetrievalPrecision", {"top_k": 3}),
    "reciprocal rank": Shape(reciprocal, "classes", "RetrievalMRR"),
    "rounded counts": Shape(
        lambda z, y: (z.round().long() - y).abs().float().mean(), "counts", "MeanAbsoluteError", {}
    ),
    "word errors": Shape(word_errors, "tokens", "WordErrorRate", same=False),
    "functional": Shape(
        functional("accuracy", task="multiclass", num_classes=4),
        "classes",
        "MulticlassAccuracy",
        same=False,
    ),
    "functional f1": Shape(
        functional("f1_score", task="binary"), "bits", "BinaryF1Score", same=False
    ),
    "functional auroc": Shape(
        functional("auroc", task="binary"), "bits", "BinaryAUROC", same=False
    ),
}


# -- look-alikes


def entropy_of_usage(z: Tensor, y: Tensor) -> Tensor:  # noqa: ARG001
    share = F.one_hot(z.argmax(1), 4).float().mean(0)
    return (share * (share + 1e-9).log()).sum()


def curriculum(z: Tensor, y: Tensor) -> Tensor:
    weight = (z.argmax(1) == y).float().mean().item()
    return F.cross_entropy(z, y).item() * weight * torch.ones(())


def expected_level(z: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(z.argmax(1).float() * 0.5, y.float().sqrt())


def quantised_error(z: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(torch.bucketize(z, torch.linspace(-2, 2, 9)).float() / 4 - 1, y.tanh())


LOOK_ALIKES: dict[str, tuple[Step, str]] = {
    "loss as number": (lambda z, y: torch.tensor(F.cross_entropy(z, y).item()), "classes"),
    "detached loss": (lambda z, y: F.cross_entropy(z.detach(), y), "classes"),
    "focal on decisions": (
        lambda z, y: -(z.argmax(1).eq(y).float().clamp(1e-3, 1 - 1e-3)).log().mean(),
        "classes",
    ),
    "usage of classes": (entropy_of_usage, "classes"),
    "sparsity": (lambda z, y: (z > 0).float().mean(), "classes"),
    "confidence share": (lambda z, y: (z.softmax(1).max(1).values > 0.5).float().mean(), "classes"),
    "mask from scores": (lambda z, y: (y.float() * (z.max(1).values > 0)).sum() / 10, "classes"),
    "weights": (lambda z, y: (y * torch.sign(z) * 0.3).sum() + 0.1 * (y * (z > 1)).sum(), "values"),
    "curriculum": (curriculum, "classes"),
    "hard negatives": (
        lambda z, y: (y.gather(1, z.topk(3).indices) * 0.2 + 0.7).square().mean(),
        "relevance",
    ),
    "level error": (expected_level, "classes"),
    "quantised": (quantised_error, "values"),
    "label smoothing": (
        lambda z, y: F.cross_entropy(z.detach(), y, label_smoothing=0.1),
        "classes",
    ),
    "pseudo labels": (lambda z, y: F.nll_loss(z.detach().log_softmax(1), z.argmax(1)), "classes"),
    "norm": (lambda z, y: z.detach().norm(), "classes"),
    "count of rows": (lambda z, y: (z > y).float().sum(), "values"),
    "embedding": (lambda z, y: torch.linspace(0, 1, 4)[z.argmax(1)].mean(), "classes"),
    "numpy norm": (lambda z, y: torch.tensor(float(np.linalg.norm(z.detach().numpy()))), "classes"),
    "fixed share": (
        lambda z, y: torch.tensor(math.sqrt(float((z.detach() ** 2).mean()))),
        "classes",
    ),
    "agreement of views": (lambda z, y: (z.argmax(1) == (-z).argmin(1)).float().mean(), "classes"),
    "soft numbers": (
        lambda z, y: torch.tensor([float(v) for v in z.detach().mean(0)]).sum(),
        "classes",
    ),
}
