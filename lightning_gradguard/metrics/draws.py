# SPDX-License-Identifier: Apache-2.0
"""Random scores and targets for a piece of a step, in the domains that the piece expects."""

import math

import torch
from torch import Tensor

from lightning_gradguard.metrics.decisions import (
    class_count,
    class_dim,
    ignored_label,
    is_one_hot,
    labels_of,
    target_domain,
    threshold_of,
    without,
)
from lightning_gradguard.metrics.operations import BITS, COMPARES, ROUNDS, SIGNS
from lightning_gradguard.metrics.pieces import Piece
from lightning_gradguard.trace import Value

__all__ = ["draw"]


def draw(piece: Piece, kind: str, seed: int) -> dict[Value, Tensor]:
    """Return random scores and a random target in their usual domains."""
    source = torch.Generator().manual_seed(seed)
    target = _draw_target(piece, kind, source)
    pull = 0.3 * seed if seed % 4 else -0.3 * seed  # some that disagree tell `abs(x)` from `x`
    scores = _draw_scores(piece, kind, target, source, pull)
    given = {piece.scores: scores, piece.target: target}
    for other in piece.others:
        given[other] = _neutral(piece, other)
    device = _device(piece)
    return {value: tensor.to(device) for value, tensor in given.items()}


def _device(piece: Piece) -> torch.device:
    held = [t for v in (piece.target, piece.scores) if (t := piece.trace.tensor_of(v)) is not None]
    return held[0].device if held else torch.device("cpu")


def _neutral(piece: Piece, other: Value) -> Tensor:
    real = piece.trace.tensor_of(other)
    if real is not None and not (other.dtype is torch.bool or other.dtype.is_floating_point):
        return real
    return torch.ones(other.shape, dtype=other.dtype)


def _draw_target(piece: Piece, kind: str, source: torch.Generator) -> Tensor:
    value = piece.target
    if kind in {"label", "topk"} and not _is_multi_hot(piece, kind):
        return _draw_labels(piece, source)
    graded = _is_multi_hot(piece, kind) and not _has_only_bits(piece)
    if graded:
        return torch.randint(0, 4, value.shape, generator=source).to(value.dtype)
    if kind in BITS or value.dtype is torch.bool or _is_multi_hot(piece, kind):
        bits = torch.rand(value.shape, generator=source) < 0.45  # noqa: PLR2004 - uneven classes tell metrics apart
        signed = piece.decision.name in {"sign", "sgn", "sign_"} or target_domain(piece) == "signs"
        return (2 * bits.float() - 1 if signed else bits).to(value.dtype)
    if kind == "rank":
        return _draw_ranked(piece, source)
    if kind == "boxes":
        return _corners(torch.rand(value.shape, generator=source)).to(value.dtype)
    most = 254 if kind == "image" else 9
    return (torch.rand(value.shape, generator=source) * most + 1).round().to(value.dtype)


def _corners(parts: Tensor) -> Tensor:
    """Return boxes as two corners each, some tens of pixels wide."""
    low = 50 * parts[:, :2]
    return torch.cat([low, low + 20 + 60 * parts[:, 2:]], 1).round()


def _has_only_bits(piece: Piece) -> bool:
    return target_domain(piece) in {"", "bits"}


def _is_multi_hot(piece: Piece, kind: str) -> bool:
    return kind == "topk" and piece.target.shape == piece.scores.shape


def _draw_labels(piece: Piece, source: torch.Generator) -> Tensor:
    value, count = piece.target, class_count(piece)
    if (
        value.shape == piece.scores.shape
        and len(value.shape) > 1
        and count > 1
        and is_one_hot(piece)
    ):
        labels = torch.randint(0, count, without(value.shape, class_dim(piece)), generator=source)
        hot = torch.nn.functional.one_hot(labels, count)
        return hot.movedim(-1, class_dim(piece)).to(value.dtype)
    labels = torch.randint(0, max(count, 2), value.shape, generator=source)
    ignored = ignored_label(piece)
    if ignored is not None:
        labels[torch.rand(value.shape, generator=source) < 0.2] = ignored  # noqa: PLR2004
    return labels.to(value.dtype)


def _draw_ranked(piece: Piece, source: torch.Generator) -> Tensor:
    value, known = piece.target, target_domain(piece)
    if value.shape != piece.scores.shape and not value.dtype.is_floating_point:
        count = piece.scores.shape[-1] if piece.scores.shape else 2
        return torch.randint(0, count, value.shape, generator=source).to(value.dtype)
    if known == "bits":
        return (torch.rand(value.shape, generator=source) < 0.5).to(value.dtype)  # noqa: PLR2004
    if known == "integers" or not value.dtype.is_floating_point:
        return torch.randint(0, 4, value.shape, generator=source).to(value.dtype)
    return torch.randn(value.shape, generator=source).to(value.dtype)


def _draw_scores(
    piece: Piece, kind: str, target: Tensor, source: torch.Generator, pull: float
) -> Tensor:
    shape, name = piece.scores.shape, piece.decision.name
    noise = torch.randn(shape, generator=source)
    toward = _toward(piece, kind, target)
    mixed = noise + pull * toward if toward is not None else noise
    if kind == "boxes":
        mixed = target.double() + 4 * noise
    elif kind == "image":
        mixed = 255 * torch.rand(shape, generator=source)
    elif kind == "integer":
        mixed = (
            target.reshape(shape).double() if target.numel() == mixed.numel() else 5
        ) + 2 * noise
    elif kind in BITS or name in COMPARES:
        mixed = _around(piece, mixed)
    return mixed.to(piece.scores.dtype)


def _toward(piece: Piece, kind: str, target: Tensor) -> Tensor | None:
    """Return a direction in which the predictions agree with the target."""
    if kind in {*BITS, "rank"} and target.numel() == math.prod(piece.scores.shape):
        aim = target.reshape(piece.scores.shape).float()
        return aim - aim.mean()
    if kind == "label":
        count = class_count(piece)
        labels = labels_of(piece, target)
        shape = without(piece.scores.shape, class_dim(piece))
        if labels.numel() == math.prod(shape):
            hot = torch.nn.functional.one_hot(
                labels.long().clamp(0, count - 1).reshape(shape), count
            )
            return hot.movedim(-1, class_dim(piece)).float()
    return None


def _around(piece: Piece, noise: Tensor) -> Tensor:
    """Spread scores over both sides of the threshold of the decision."""
    name = piece.decision.name
    if piece.scores not in piece.decision.inputs:
        return noise
    if name in ROUNDS:
        return torch.sigmoid(noise)
    if name == "bool":
        return noise.relu()
    if name in SIGNS:
        return noise
    threshold = threshold_of(piece)
    return threshold + (0.5 * threshold if threshold else 1.0) * torch.tanh(noise)
