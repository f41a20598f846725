# SPDX-License-Identifier: Apache-2.0
"""A recognised metric in, the lines that compute it with torchmetrics out."""

import re

from lightning_gradguard import libraries
from lightning_gradguard.expressions import Texts, class_dim, family_of, fitted, rank_of
from lightning_gradguard.metrics import Metric
from lightning_gradguard.trace import Trace

__all__ = ["attribute_name", "metric_lines"]

_COUNTED = (
    "AUROC",
    "AveragePrecision",
    "CohenKappa",
    "ConfusionMatrix",
    "JaccardIndex",
    "MatthewsCorrCoef",
)


def metric_lines(trace: Trace, metric: Metric) -> tuple[str, ...]:
    """Return the lines for `__init__` and `training_step` that compute it with torchmetrics."""
    texts = Texts.of(trace, metric)
    name = attribute_name(metric)
    made = f"{libraries.module_of(metric.name)}.{metric.call}"
    made = "torchmetrics.MeanMetric()" if metric.kind in {"share", "boxes"} else made
    *before, last = _updates(metric, texts)
    logged = f"self.{name}"
    if metric.arguments.get("multidim_average") == "samplewise":
        last = f"each = self.{name}{last}  # in training_step, one value a sample"
        logged = f"each.mean(), batch_size=len({texts.target})"
    else:
        last = f"self.{name}{last}  # in training_step"
    lines = (
        f"self.{name} = {made}  # in __init__",
        *before,
        last,
        f'self.log("{name}", {logged}, on_step=False, on_epoch=True)',
    )
    return fitted(lines)


def attribute_name(metric: Metric) -> str:
    """Return a name for the metric in lower case, as in `accuracy`."""
    return _snake(family_of(metric.name))


def _updates(metric: Metric, texts: Texts) -> tuple[str, ...]:
    """Return the lines that feed the metric; the last one is its call, without the object."""
    scores, target = texts.scores, texts.target
    if metric.kind == "sides":
        both = f"scores = torch.cat([{scores}.flatten(), {texts.against}.flatten()])"
        real = f"is_real = torch.arange(len(scores), device=scores.device) < {scores}.numel()"
        return both, real, "(scores, is_real.long())"
    if metric.kind == "share":
        return (f"({texts.hard}.float())",)
    if metric.kind == "boxes":
        overlap = f"overlap = torchmetrics.functional.detection.{_snake(metric.name)}"
        return overlap, f"(overlap({texts.hard}.float(), {target}.float()))"
    if metric.kind == "text":
        return _spelled(metric, texts)
    if metric.name.startswith("Retrieval"):
        return _queries(metric, scores, target)
    return (f"({_symbols(metric, texts) if metric.name == 'Perplexity' else _fed(metric, texts)})",)


def _symbols(metric: Metric, texts: Texts) -> str:
    """Return the arguments of the perplexity, which wants samples, places, symbols."""
    flat = rank_of(metric.scores) == 2  # noqa: PLR2004 - samples and classes
    end = ".unsqueeze(0)" if flat else ""
    turn = ".movedim(1, -1)" if not flat and class_dim(metric) in {-1, 1} else ""
    return f"{texts.scores}{turn}{end}, {texts.target}{end}"


def _spelled(metric: Metric, texts: Texts) -> tuple[str, ...]:
    """Return the lines that make texts of symbols."""
    joined = '" ".join(map(str, row))' if _has_words(metric.name) else '"".join(map(chr, row))'
    return (
        f"sides = ({texts.hard}, {texts.target})",
        f"said, meant = ([{joined} for row in t.tolist()] for t in sides)",
        "(said, meant)",
    )


def _has_words(name: str) -> bool:
    return name in {"WordErrorRate", "BLEUScore"}


def _queries(metric: Metric, scores: str, target: str) -> tuple[str, ...]:
    """Return the lines for retrieval, one query a row; these metrics skip scores below 0."""
    hot = metric.scores is not None and metric.target is not None
    if hot and metric.scores.shape != metric.target.shape:  # type: ignore[union-attr]
        target = f"F.one_hot({target}, {scores}.shape[1])"
    elif not metric.name.endswith("DCG"):
        target = f"{target} > 0"
    rows = f"rows = (torch.arange(len({scores})) + 10**6 * batch_idx).to({scores}.device)"
    lines = rows, f"rows = rows[:, None].expand_as({scores})"
    return *lines, f"({scores}.sigmoid(), {target}, indexes=rows)"


def _fed(metric: Metric, texts: Texts) -> str:
    """Return the arguments of the update."""
    scores, target = texts.scores, texts.target
    value = metric.target
    floats = value is not None and value.dtype.is_floating_point
    two = metric.kind in {"binary", "multilabel"} or metric.name.startswith("Binary")
    if metric.kind == "binary" and metric.name.startswith("Multi"):
        return f"{texts.hard}.long(), {target}.long()"
    if floats and two and family_of(metric.name) in _COUNTED:
        target = f"{target}.long()"
    if (
        metric.kind in {"integer", "image"}
        or metric.name in {"DiceScore", "MeanIoU"}
        or class_dim(metric) not in {-1, 1}
    ):
        return f"{texts.hard}, {target}"
    if metric.name.startswith("Binary") and metric.kind == "label":
        return f"{texts.hard}, {target}"
    return f"{scores}, {target}"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
