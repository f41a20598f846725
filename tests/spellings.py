# SPDX-License-Identifier: Apache-2.0
"""Further spellings of metrics, as they stand in training code, and further look-alikes."""
# ruff: noqa: ARG001, ARG005, D103

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from shapes import MICRO, Shape, Step
from torch import Tensor


def leaf(value: Any) -> Tensor:
    return torch.tensor(float(value), requires_grad=True)


# -- classes


def hits_in_python(z: Tensor, y: Tensor) -> Tensor:
    pairs = zip(z.argmax(1).tolist(), y.tolist(), strict=True)
    return leaf(1 - sum(1 for p, t in pairs if p == t) / len(y))


def running_total(z: Tensor, y: Tensor) -> Tensor:
    correct, total = 0.0, 0
    _, predicted = torch.max(z.data, 1)
    total += y.size(0)
    correct += (predicted == y).sum().item()
    return leaf(100 - 100.0 * correct / total)


def best_is_one_hot(z: Tensor, y: Tensor) -> Tensor:
    best = (z == z.max(dim=1, keepdim=True).values).float()
    return 1 - (best * F.one_hot(y, 4)).sum(1).mean()


def right_by_class(z: Tensor, y: Tensor) -> Any:
    p = z.argmax(1)
    recalls = []
    for c in range(4):
        mine = y == c
        if mine.any():
            recalls.append(((p == c) & mine).sum() / mine.sum())
    return 1 - sum(recalls) / len(recalls)


def top_three_in_python(z: Tensor, y: Tensor) -> Tensor:
    best = z.topk(3, dim=1).indices.tolist()
    return leaf(1 - sum(t in b for t, b in zip(y.tolist(), best, strict=True)) / len(y))


def rank_of_target(z: Tensor, y: Tensor) -> Tensor:
    rank = (z > z.gather(1, y[:, None])).sum(1)
    return 1 - (rank < 2).float().mean()


def fast_hist(z: Tensor, y: Tensor) -> Tensor:
    p, n = z.argmax(1).flatten(), 3
    hist = torch.bincount(n * y.flatten() + p, minlength=n**2).reshape(n, n).float()
    return 1 - (hist.diag() / (hist.sum(1) + hist.sum(0) - hist.diag())).mean()


def numpy_hist(z: Tensor, y: Tensor) -> Tensor:
    p, t, n = z.argmax(1).cpu().numpy().ravel(), y.cpu().numpy().ravel(), 3
    hist = np.bincount(n * t + p, minlength=n**2).reshape(n, n)
    return leaf(1 - np.mean(np.diag(hist) / (hist.sum(1) + hist.sum(0) - np.diag(hist))))


def plain_kappa(z: Tensor, y: Tensor) -> Tensor:
    p = z.argmax(1)
    agreed = (p == y).float().mean()
    chance = sum((p == c).float().mean() * (y == c).float().mean() for c in range(4))
    return -(agreed - chance) / (1 - chance)


def macro_precision(z: Tensor, y: Tensor) -> Tensor:
    hot, true = F.one_hot(z.argmax(1), 4).float(), F.one_hot(y, 4).float()
    return 1 - ((hot * true).sum(0) / hot.sum(0).clamp(min=1)).mean()


def dice_by_class(z: Tensor, y: Tensor) -> Any:
    p, dice = z.argmax(1), torch.zeros(())
    for c in range(3):
        a, b = (p == c).float(), (y == c).float()
        dice = dice + 2 * (a * b).sum() / (a.sum() + b.sum())
    return 1 - dice / 3


def valid_pixels(z: Tensor, y: Tensor) -> Tensor:
    valid = y >= 0
    return 1 - (valid * (z.argmax(-1) == y)).sum() / valid.sum()


def in_batch_negatives(z: Tensor, y: Tensor) -> Tensor:
    similarity = F.normalize(z, dim=1) @ F.normalize(z.roll(1, 0) + z, dim=1).T
    place = torch.arange(len(z))
    return 1 - (similarity.argmax(dim=1) == place).float().mean()


def equal_tokens(z: Tensor, y: Tensor) -> Tensor:
    right = [torch.equal(p, t) for p, t in zip(z.argmax(-1), y, strict=True)]
    return leaf(1 - sum(right) / len(right))


# -- bits


def tf_counts(z: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    p, t = torch.sigmoid(z) > 0.5, y.bool()
    return (p & t).sum(), (p & ~t).sum(), (~p & t).sum(), (~p & ~t).sum()


def f_two(z: Tensor, y: Tensor) -> Tensor:
    tp, fp, fn, _ = tf_counts(z, y)
    return 1 - 5 * tp / (5 * tp + 4 * fn + fp)


def balanced_bits(z: Tensor, y: Tensor) -> Tensor:
    tp, fp, fn, tn = tf_counts(z, y)
    return 1 - 0.5 * (tp / (tp + fn) + tn / (tn + fp))


def youden(z: Tensor, y: Tensor) -> Tensor:
    tp, fp, fn, tn = tf_counts(z, y)
    return 1 - (tp / (tp + fn) + tn / (tn + fp) - 1)


def kappa_bits(z: Tensor, y: Tensor) -> Tensor:
    tp, fp, fn, tn = (n.float() for n in tf_counts(z, y))
    return 1 - 2 * (tp * tn - fn * fp) / ((tp + fp) * (fp + tn) + (tp + fn) * (fn + tn))


def matthews_items(z: Tensor, y: Tensor) -> Tensor:
    tp, fp, fn, tn = (n.item() for n in tf_counts(z, y))
    below = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return leaf(1 - (tp * tn - fp * fn) / below)


def logical_recall(z: Tensor, y: Tensor) -> Tensor:
    p, t = torch.gt(z, 0), torch.eq(y, 1)
    hit = torch.logical_and(p, t).sum()
    missed = torch.logical_and(torch.logical_not(p), t).sum()
    return torch.div(missed, hit + missed)


def numpy_jaccard(z: Tensor, y: Tensor) -> Tensor:
    p, t = z.detach().numpy() > 0, y.numpy() > 0.5
    return leaf(1 - np.logical_and(p, t).sum() / np.logical_or(p, t).sum())


def dice_of_masks(z: Tensor, y: Tensor) -> Tensor:
    p = (z.sigmoid() > 0.5).float().flatten(1)
    t = y.flatten(1)
    return 1 - (2 * (p * t).sum(1) / (p.sum(1) + t.sum(1))).mean()


def real_and_fake(z: Tensor, y: Tensor) -> Tensor:
    real, fake = z[:12], z[12:]
    return 1 - 0.5 * ((real > 0).float().mean() + (fake < 0).float().mean())


def real_and_fake_targets(z: Tensor, y: Tensor) -> Tensor:
    target = torch.cat([torch.ones(12), torch.zeros(12)])
    return 1 - (z.sigmoid().round() == target).float().mean()


# -- orders


def pairwise_auc(z: Tensor, y: Tensor) -> Tensor:
    gap = z[y == 1][:, None] - z[y == 0][None, :]
    return 1 - ((gap > 0).float() + 0.5 * (gap == 0).float()).mean()


def rank_correlation(z: Tensor, y: Tensor) -> Tensor:
    a, b = z.argsort().argsort().float(), y.argsort().argsort().float()
    return 1 - torch.corrcoef(torch.stack([a, b]))[0, 1]


def rank_covariance(z: Tensor, y: Tensor) -> Tensor:
    a, b = (torch.argsort(torch.argsort(v)).float() for v in (z, y))
    a, b = a - a.mean(), b - b.mean()
    product: Tensor = (a * b).sum() / (a.norm() * b.norm())
    return 1 - product


def tau(z: Tensor, y: Tensor) -> Tensor:
    n = len(z)
    same: Tensor = torch.sign(z[:, None] - z) * torch.sign(y[:, None] - y)
    return -same.sum() / (n * (n - 1))


def concordance(z: Tensor, y: Tensor) -> Tensor:
    order, n = torch.zeros(()), len(z)
    for i in range(n):
        for j in range(i + 1, n):
            order = order + ((z[i] > z[j]) == (y[i] > y[j])).float()
    return 1 - order / (n * (n - 1) / 2)


def hits_at(z: Tensor, y: Tensor) -> Tensor:
    return 1 - y.gather(1, z.topk(3).indices).amax(1).mean()


def recall_at(z: Tensor, y: Tensor) -> Tensor:
    found = y.gather(1, z.topk(3, dim=1).indices).sum(1)
    return 1 - (found / y.sum(1)).mean()


def mean_average_precision(z: Tensor, y: Tensor) -> Tensor:
    scores = []
    for row, relevant in zip(z, y, strict=True):
        hits = relevant[row.argsort(descending=True)]
        precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
        scores.append((precision * hits).sum() / hits.sum())
    return 1 - torch.stack(scores).mean()


def gain_of_sorted(z: Tensor, y: Tensor) -> Tensor:
    place = torch.log2(torch.arange(y.shape[1]) + 2.0)
    got = (y.gather(1, z.argsort(1, descending=True)) / place).sum(1)
    best = (y.sort(1, descending=True)[0] / place).sum(1)
    return 1 - (got / best).mean()


def reciprocal_of_first(z: Tensor, y: Tensor) -> Tensor:
    hits = y.gather(1, z.argsort(dim=1, descending=True))
    first = hits.argmax(1) + 1
    return 1 - (hits.amax(1) / first).mean()


def reciprocal_of_count(z: Tensor, y: Tensor) -> Tensor:
    rank = (z >= z.gather(1, y[:, None])).sum(dim=1)
    return 1 - (1 / rank.float()).mean()


# -- numbers


def numpy_r2(z: Tensor, y: Tensor) -> Tensor:
    p, t = z.detach().numpy(), y.numpy()
    return leaf(((t - p) ** 2).sum() / ((t - t.mean()) ** 2).sum())


def perplexity(z: Tensor, y: Tensor) -> Tensor:
    return leaf(math.exp(F.cross_entropy(z, y).item()))


def root_error(z: Tensor, y: Tensor) -> Tensor:
    return leaf(F.mse_loss(z, y).item() ** 0.5)


def numpy_percentage(z: Tensor, y: Tensor) -> Tensor:
    p, t = z.detach().numpy(), (y + 1).numpy()
    return leaf(np.mean(np.abs((t - p) / t)))


def decibels(z: Tensor, y: Tensor) -> Tensor:
    return leaf(-10 * math.log10(F.mse_loss(z, y).item()))


def characters(z: Tensor, y: Tensor) -> Tensor:
    wrong = total = 0
    for p, t in zip(z.argmax(-1).tolist(), y.tolist(), strict=True):
        table = [[0] * (len(t) + 1) for _ in range(len(p) + 1)]
        for i in range(len(p) + 1):
            for j in range(len(t) + 1):
                if i == 0 or j == 0:
                    table[i][j] = i + j
                else:
                    change = table[i - 1][j - 1] + (p[i - 1] != t[j - 1])
                    table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, change)
        wrong, total = wrong + table[-1][-1], total + len(t)
    return leaf(wrong / total)


def distance(z: Tensor, y: Tensor) -> Tensor:
    return ((z.round() - y).abs() < 1).float().mean()


# -- libraries


def of_sklearn(name: str, **options: Any) -> Step:
    def step(z: Tensor, y: Tensor) -> Tensor:
        import sklearn.metrics as scores

        p = z.argmax(1) if z.dim() > 1 else (z > 0).long()
        return leaf(1 - getattr(scores, name)(y.numpy(), p.numpy(), **options))

    return step


def of_object(name: str, **options: Any) -> Step:
    def step(z: Tensor, y: Tensor) -> Any:
        import torchmetrics.classification as classes
        import torchmetrics.regression as values

        cls = getattr(classes, name, None) or getattr(values, name)
        return 1 - cls(**options)(z, y if name.endswith("CorrCoef") else y.long())

    return step


def balanced_accuracy_of_sklearn(z: Tensor, y: Tensor) -> Tensor:
    from sklearn.metrics import balanced_accuracy_score

    return leaf(1 - balanced_accuracy_score(y.numpy(), z.argmax(1).numpy()))


def kappa_of_sklearn(z: Tensor, y: Tensor) -> Tensor:
    from sklearn.metrics import cohen_kappa_score as agreement

    return leaf(1 - agreement(y.numpy(), z.argmax(1).cpu().detach().numpy(), weights="quadratic"))


def matthews_of_sklearn(z: Tensor, y: Tensor) -> Tensor:
    from sklearn.metrics import matthews_corrcoef

    return torch.tensor(-matthews_corrcoef(y.tolist(), (z > 0).int().tolist()))


def jaccard_of_sklearn(z: Tensor, y: Tensor) -> Tensor:
    from sklearn.metrics import jaccard_score

    return leaf(1 - jaccard_score(y.numpy(), (z > 0).numpy(), average="samples"))


def r2_of_sklearn(z: Tensor, y: Tensor) -> Tensor:
    from sklearn.metrics import r2_score

    return torch.tensor(1 - r2_score(y.numpy(), z.detach().numpy()))


# -- boxes


def corners(z: Tensor) -> Tensor:
    return torch.cat([z[:, :2].sigmoid(), z[:, :2].sigmoid() + z[:, 2:].sigmoid()], 1)


def overlap(a: Tensor, b: Tensor) -> Tensor:
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    areas = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1)
    return shared / (areas - shared)


def whole_boxes(z: Tensor, y: Tensor) -> Tensor:
    return 1 - overlap((corners(z) * 100).round().long(), y).mean()


def found_boxes(z: Tensor, y: Tensor) -> Tensor:
    return 1 - (overlap(corners(z), y / 100) > 0.5).float().mean()


C, F1 = "MulticlassAccuracy", "BinaryF1Score"
MICRO4 = {"num_classes": 4, **MICRO}
SPELLINGS: dict[str, Shape] = {
    "hits in python": Shape(hits_in_python, "classes", C),
    "running total": Shape(running_total, "classes", C),
    "difference": Shape(
        lambda z, y: 1 - (z.argmax(1) - y).eq(0).float().mean(), "classes", C, MICRO4
    ),
    "where hit": Shape(
        lambda z, y: 1 - torch.where(z.argmax(1) == y, 1.0, 0.0).mean(), "classes", C, MICRO4
    ),
    "count of misses": Shape(
        lambda z, y: torch.count_nonzero(z.argmax(1) - y) / len(y), "classes", C, MICRO4
    ),
    "not equal": Shape(lambda z, y: (~(z.argmax(1) == y)).float().mean(), "classes", C, MICRO4),
    "logical not": Shape(
        lambda z, y: torch.logical_not(torch.eq(torch.argmax(z, -1), y)).double().mean(),
        "classes",
        C,
    ),
    "is close": Shape(
        lambda z, y: 1 - torch.isclose(z.argmax(1).float(), y.float()).float().mean(), "classes", C
    ),
    "best is one hot": Shape(best_is_one_hot, "classes", C + " MulticlassF1Score"),
    "bincount of hits": Shape(
        lambda z, y: 1 - torch.bincount((z.argmax(1) == y).long(), minlength=2)[1] / len(y),
        "classes",
        C,
        MICRO4,
    ),
    "selected": Shape(
        lambda z, y: 1 - z.argmax(1)[z.argmax(1) == y].ge(0).sum() / len(y), "classes", C
    ),
    "rate of samples": Shape(
        lambda z, y: 1 - (z.argmax(-1) == y).float().mean(1).mean(), "tokens", C
    ),
    "right by class": Shape(right_by_class, "classes", C, {"num_classes": 4, "average": "macro"}),
    "argmin": Shape(
        lambda z, y: torch.cdist(z, torch.eye(4)).argmin(1).ne(y).float().mean(),
        "classes",
        C,
        MICRO4,
    ),
    "in the first three": Shape(
        lambda z, y: 1 - (z.argsort(1, descending=True)[:, :3] == y[:, None]).any(1).float().mean(),
        "classes",
        C,
        {"num_classes": 4, "top_k": 3, **MICRO},
    ),
    "sum of the first two": Shape(
        lambda z, y: 1 - (z.topk(2)[1] == y.unsqueeze(1)).sum() / len(y),
        "classes",
        C,
        {"num_classes": 4, "top_k": 2, **MICRO},
    ),
    "top three in python": Shape(top_three_in_python, "classes", C),
    "rank of target": Shape(rank_of_target, "classes", C, {"num_classes": 4, "top_k": 2, **MICRO}),
    "fast hist": Shape(
        fast_hist, "pixels", "MulticlassJaccardIndex", {"num_classes": 3, "average": "macro"}
    ),
    "numpy hist": Shape(numpy_hist, "pixels", "MulticlassJaccardIndex"),
    "plain kappa": Shape(plain_kappa, "classes", "MulticlassCohenKappa", {"num_classes": 4}),
    "macro precision": Shape(
        macro_precision, "classes", "MulticlassPrecision", {"num_classes": 4, "average": "macro"}
    ),
    "dice by class": Shape(dice_by_class, "pixels", "DiceScore"),
    "valid pixels": Shape(valid_pixels, "padded", C),
    "in-batch negatives": Shape(in_batch_negatives, "classes", C, same=False),
    "equal tokens": Shape(equal_tokens, "tokens", "MulticlassExactMatch", same=False),
    "no difference": Shape(
        lambda z, y: (z.argmax(-1) != y).any(1).float().mean(), "tokens", "MulticlassExactMatch"
    ),
    "product of hits": Shape(
        lambda z, y: 1 - (z.argmax(-1) == y).float().prod(1).mean(),
        "tokens",
        "MulticlassExactMatch",
    ),
    "sign against sign": Shape(
        lambda z, y: 1 - (torch.sign(z) == 2 * y - 1).float().mean(), "bits", "BinaryAccuracy", {}
    ),
    "margin": Shape(
        lambda z, y: 1 - (z * (2 * y - 1) > 0).float().mean(), "bits", "BinaryAccuracy", {}
    ),
    "floor of a half more": Shape(
        lambda z, y: ((z.sigmoid() + 0.5).floor() - y).abs().mean(), "bits", "BinaryAccuracy", {}
    ),
    "exclusive or": Shape(
        lambda z, y: ((z > 0).long() ^ y.long()).float().mean(),
        "bits",
        "BinaryAccuracy BinaryHammingDistance",
    ),
    "heaviside": Shape(
        lambda z, y: 1 - (torch.heaviside(z.detach(), torch.zeros(1)) == y).float().mean(),
        "bits",
        "BinaryAccuracy",
        {},
    ),
    "hard products": Shape(
        lambda z, y: 1 - ((z > 0) * y + (z <= 0) * (1 - y)).mean(), "bits", "BinaryAccuracy", {}
    ),
    "f two": Shape(f_two, "bits", "BinaryFBetaScore", {"beta": 2.0}),
    "balanced bits": Shape(balanced_bits, "bits", C, {"num_classes": 2, "average": "macro"}),
    "youden": Shape(youden, "bits", C, {"num_classes": 2, "average": "macro"}),
    "kappa of bits": Shape(kappa_bits, "bits", "BinaryCohenKappa", {}),
    "matthews of numbers": Shape(matthews_items, "bits", "BinaryMatthewsCorrCoef"),
    "logical recall": Shape(logical_recall, "bits", "BinaryRecall", {}),
    "numpy jaccard": Shape(numpy_jaccard, "mask", "BinaryJaccardIndex"),
    "dice of masks": Shape(dice_of_masks, "mask", "BinaryF1Score DiceScore"),
    "wrong labels a row": Shape(
        lambda z, y: ((z.sigmoid() > 0.5) != (y > 0)).sum(1).float().mean() / 5,
        "labels",
        "MultilabelHammingDistance",
    ),
    "real and fake": Shape(real_and_fake, "bits", "BinaryAccuracy", same=False),
    "real and fake targets": Shape(real_and_fake_targets, "bits", "BinaryAccuracy", same=False),
    "pairwise auc": Shape(pairwise_auc, "bits", "BinaryAUROC", {}),
    "rank correlation": Shape(rank_correlation, "values", "SpearmanCorrCoef", {}),
    "rank covariance": Shape(rank_covariance, "values", "SpearmanCorrCoef", {}),
    "tau": Shape(tau, "values", "KendallRankCorrCoef", {}),
    "concordance": Shape(concordance, "values", "KendallRankCorrCoef", {}),
    "hits at": Shape(hits_at, "relevant", "RetrievalHitRate", {"top_k": 3}),
    "recall at": Shape(recall_at, "relevant", "RetrievalRecall", {"top_k": 3}),
    "mean average precision": Shape(mean_average_precision, "relevant", "RetrievalMAP", {}),
    "gain of sorted": Shape(gain_of_sorted, "relevance", "RetrievalNormalizedDCG", {}),
    "reciprocal of first": Shape(reciprocal_of_first, "relevant", "RetrievalMRR", {}),
    "reciprocal of count": Shape(reciprocal_of_count, "classes", "RetrievalMRR"),
    "numpy r2": Shape(numpy_r2, "values", "R2Score", same=False),
    "perplexity": Shape(perplexity, "classes", "Perplexity", same=False),
    "root error": Shape(root_error, "values", "MeanSquaredError", {"squared": False}, same=False),
    "numpy percentage": Shape(
        numpy_percentage, "counts", "MeanAbsolutePercentageError", same=False
    ),
    "decibels": Shape(decibels, "values", "SignalNoiseRatio", same=False),
    "decibels of images": Shape(decibels, "mask", "PeakSignalNoiseRatio", same=False),
    "characters": Shape(characters, "tokens", "CharErrorRate", same=False),
    "rounded square": Shape(
        lambda z, y: ((z.round() - y) ** 2).mean(), "counts", "MeanSquaredError", {}
    ),
    "within one": Shape(distance, "counts", "Accuracy BinaryAccuracy", same=False),
    "balanced of sklearn": Shape(balanced_accuracy_of_sklearn, "classes", C, same=False),
    "kappa of sklearn": Shape(kappa_of_sklearn, "classes", "MulticlassCohenKappa", same=False),
    "matthews of sklearn": Shape(matthews_of_sklearn, "bits", "BinaryMatthewsCorrCoef", same=False),
    "jaccard of sklearn": Shape(jaccard_of_sklearn, "labels", "MultilabelJaccardIndex", same=False),
    "r2 of sklearn": Shape(r2_of_sklearn, "values", "R2Score", same=False),
    "sklearn by attribute": Shape(of_sklearn("accuracy_score"), "classes", C, same=False),
    "accuracy object": Shape(
        of_object("MulticlassAccuracy", num_classes=4), "classes", C, same=False
    ),
    "recall object": Shape(of_object("BinaryRecall"), "bits", "BinaryRecall", same=False),
    "auroc object": Shape(of_object("BinaryAUROC"), "bits", "BinaryAUROC", same=False),
    "spearman object": Shape(
        of_object("SpearmanCorrCoef"), "values", "SpearmanCorrCoef", same=False
    ),
    "whole boxes": Shape(whole_boxes, "boxes", "IntersectionOverUnion", same=False),
    "found boxes": Shape(found_boxes, "boxes", "Accuracy BinaryAccuracy Recall", same=False),
}


# -- look-alikes


def codebook_usage(z: Tensor, y: Tensor) -> Tensor:
    share = F.one_hot(z.argmin(1), 4).float().mean(0)
    return torch.exp(-(share * torch.log(share + 1e-10)).sum())


def clip_share(z: Tensor, y: Tensor) -> Tensor:
    ratio = (z - y).exp()
    return ((ratio - 1).abs() > 0.2).float().mean()


def expert_load(z: Tensor, y: Tensor) -> Tensor:
    share = F.one_hot(z.topk(2).indices, 4).float().sum(1).mean(0)
    return (share * 4 * share).sum()


def hard_examples(z: Tensor, y: Tensor) -> Tensor:
    losses = F.cross_entropy(z.detach(), y, reduction="none")
    return losses[z.max(1).values < z.max(1).values.median()].mean()


def sampled_reward(z: Tensor, y: Tensor) -> Tensor:
    action: Tensor = torch.distributions.Categorical(logits=z).sample()
    return -(y.float().add(1).log()[: len(action)] * (action > 1)).mean()


def balance_of_target(z: Tensor, y: Tensor) -> Tensor:
    return (y == 1).float().mean() * z.argmax(1).float().mean()


def longest_run(z: Tensor, y: Tensor) -> Tensor:
    return torch.tensor(
        float(max(len(s) for s in z.argmax(-1).tolist()) + z.argmax(-1).sum().item())
    )


def dead_units(z: Tensor, y: Tensor) -> Tensor:
    return (z.relu() == 0).all(0).float().mean() + (z.relu() == 0).float().mean()


def parity_gap(z: Tensor, y: Tensor) -> Tensor:
    decided = (z >= 0).float()
    return (decided[y == 0].mean() - decided[y == 1].mean()).abs()


DOUBLES: dict[str, tuple[Step, str]] = {
    "codebook usage": (codebook_usage, "classes"),
    "clipped ratios": (clip_share, "values"),
    "load of experts": (expert_load, "classes"),
    "hard examples": (hard_examples, "classes"),
    "sampled reward": (sampled_reward, "classes"),
    "balance of target": (balance_of_target, "classes"),
    "longest run": (longest_run, "tokens"),
    "dead units": (dead_units, "classes"),
    "share of one class": (lambda z, y: (z.argmax(1) == 2).float().mean(), "classes"),
    "padding predicted": (lambda z, y: (z.argmax(-1) == 0).float().sum() / y.numel(), "tokens"),
    "agreement of halves": (
        lambda z, y: (z[:12].argmax(1) == z[12:].argmax(1)).float().mean(),
        "classes",
    ),
    "confident and weighted": (
        lambda z, y: ((z.softmax(1).max(1).values > 0.9).float() * y.float()).mean(),
        "classes",
    ),
    "active units": (lambda z, y: (z.abs() > 1e-2).float().sum(1).mean(), "labels"),
    "detached mean": (lambda z, y: (z.detach() * y).mean(), "values"),
    "detached huber": (lambda z, y: F.huber_loss(z.detach(), y), "values"),
    "expected reward": (
        lambda z, y: -(z.argmax(1).float() * y.float()).mean() / 7 + z.argmin(1).float().std(),
        "classes",
    ),
    "embedding of best": (
        lambda z, y: F.mse_loss(
            torch.eye(4)[z.argmax(1)].cumsum(1),
            torch.rand(24, 4, generator=torch.Generator().manual_seed(0)),
        ),
        "classes",
    ),
    "sparsity of both halves": (
        lambda z, y: (z[:12] > 0).float().mean() + (z[12:] > 0).float().mean(),
        "bits",
    ),
    "gate by threshold": (lambda z, y: ((z > 0.3) * (y - 0.2) ** 2).sum(), "values"),
    "margin as number": (
        lambda z, y: leaf((z.max(1).values - z.min(1).values).mean().item()),
        "classes",
    ),
    "temperature": (lambda z, y: leaf(math.exp(min(z.abs().mean().item(), 4.6))), "classes"),
    "parity gap": (parity_gap, "bits"),
    "log of norm": (lambda z, y: leaf(10 * math.log10(z.norm().item())), "values"),
}
