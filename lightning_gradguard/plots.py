# SPDX-License-Identifier: Apache-2.0
"""Gradients in, one picture of them out: the flow from the first module to the last on a log scale.

The numbers are read with torch and kept as plain values, so that the HTML page can draw them
without matplotlib, and so that no picture keeps a tensor alive.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "Gradient", "draw", "is_available", "measure", "pixels", "save"]

# Chosen to differ in lightness as well as in hue; the words beside the bars say the same.
COLOURS: Mapping[str, str] = {
    "largest": "#9ecae1",
    "mean": "#2171b5",
    "missing": "#737373",
    "zero": "#e69f00",
    "nonfinite": "#c0143c",
}
_FLOOR = 1e-12
_MAX_LABELS = 60
_DPI = 100


@dataclass(frozen=True, slots=True)
class Gradient:
    """The gradient of one parameter at one step.

    Attributes:
        name: as in `named_parameters()`.
        state: `alive`, `missing`, `zero` or `nonfinite`.
        largest: largest absolute value, in units of loss / parameter; over the finite ones only.
        mean: mean absolute value, in the same units.
    """

    name: str
    state: str
    largest: float = 0.0
    mean: float = 0.0


def measure(named: Mapping[str, Tensor]) -> tuple[Gradient, ...]:
    """Read the gradients of some parameters, in their order.

    Args:
        named: name -> parameter; parameters without values are left out.

    Cost: two reads of every gradient, and two waits for the device.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> (weight * torch.tensor([1.0, 3.0])).sum().backward()
        >>> measure({"weight": weight})
        (Gradient(name='weight', state='alive', largest=3.0, mean=2.0),)
    """
    return tuple(_measured(name, param.grad) for name, param in named.items())


def _measured(name: str, grad: Tensor | None) -> Gradient:
    if grad is None:
        return Gradient(name, "missing")
    values = _values(grad)
    largest, mean = _sizes(values)
    if not math.isfinite(largest):
        return Gradient(name, "nonfinite", *_sizes(values[torch.isfinite(values)]))
    return Gradient(name, "alive" if largest > 0 else "zero", largest, mean)


def _sizes(values: Tensor) -> tuple[float, float]:
    """Return the largest and the mean absolute value, without a copy of the values."""
    if not values.numel():
        return 0.0, 0.0
    dtype = torch.float32 if values.dtype in (torch.float16, torch.bfloat16) else None
    largest = torch.linalg.vector_norm(values, math.inf, dtype=dtype)
    total = torch.linalg.vector_norm(values, 1, dtype=dtype)
    return float(largest), float(total) / values.numel()


def _values(grad: Tensor) -> Tensor:
    """Return the values that are here: those of the local shard, and those that are stored."""
    local: Tensor = grad.to_local() if hasattr(grad, "to_local") else grad
    return (local.coalesce().values() if local.is_sparse else local).detach()


def is_available() -> bool:
    """Say whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw(gradients: Sequence[Gradient], step: int | None = None) -> "Figure":
    """Draw the largest and the mean absolute gradient of every parameter on a log scale.

    Args:
        gradients: in the order of the modules, which is drawn from top to bottom.
        step: global step, for the title.

    Returns:
        A matplotlib figure that belongs to no window.

    Raises:
        ImportError: matplotlib is not installed; the message says how to install it.
    """
    figure, axes = _canvas(len(gradients))
    low, high = _limits(gradients)
    for row, gradient in enumerate(gradients):
        _bar(axes, row, gradient, low, high)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(max(len(gradients), 1) - 0.5, -0.5)
    every = math.ceil(max(len(gradients), 1) / _MAX_LABELS)
    axes.set_yticks(range(0, len(gradients), every))
    axes.set_yticklabels([gradient.name for gradient in gradients[::every]])
    axes.set_xlabel("absolute gradient, in units of loss / parameter")
    axes.set_title("gradient flow" if step is None else f"gradient flow at global step {step}")
    _legend(axes)
    return figure


def _canvas(rows: int) -> "tuple[Figure, Any]":
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        message = "the figure needs matplotlib: pip install 'lightning-gradguard[plots]'"
        raise ImportError(message) from error
    figure = Figure(
        figsize=(8, 1.6 + 0.22 * min(max(rows, 4), 150)), dpi=_DPI, layout="constrained"
    )
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _limits(gradients: Sequence[Gradient]) -> tuple[float, float]:
    """Return the ends of the axis: whole decades around all values that can be drawn."""
    values = [v for g in gradients for v in (g.largest, g.mean) if v > _FLOOR]
    if not values:
        return 1e-4, 1.0
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return 10.0 ** (low - 1), 10.0 ** max(high, low + 1)


def _bar(axes: Any, row: int, gradient: Gradient, low: float, high: float) -> None:  # noqa: ANN401
    if gradient.state == "alive":
        axes.barh(row, gradient.largest, left=0, height=0.8, color=COLOURS["largest"])
        axes.barh(row, gradient.mean, left=0, height=0.8, color=COLOURS["mean"])
        return
    # A wide mark over the whole axis: what is wrong must be seen before what is large.
    axes.barh(row, high - low, left=low, height=0.8, color=COLOURS[gradient.state])
    middle = math.sqrt(low * high)
    words = {"missing": "no gradient", "zero": "all zero", "nonfinite": "NaN or inf"}
    text = words[gradient.state]
    ink = "black" if gradient.state == "zero" else "white"
    axes.text(middle, row, text, ha="center", va="center", fontsize=7, color=ink, weight="bold")


def _legend(axes: Any) -> None:  # noqa: ANN401
    from matplotlib.patches import Patch

    words = {
        "largest": "largest",
        "mean": "mean",
        "missing": "no gradient",
        "zero": "all zero",
        "nonfinite": "NaN or inf",
    }
    handles = [Patch(color=COLOURS[key], label=text) for key, text in words.items()]
    axes.figure.legend(handles=handles, loc="outside lower center", ncols=5)


def pixels(figure: "Figure") -> Any:  # noqa: ANN401  # numpy is an import of torch, not of this file
    """Return the figure as an array, uint8[height, width, 3]."""
    import numpy as np

    canvas: Any = figure.canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save(gradients: Sequence[Gradient], path: str | Path, step: int | None = None) -> None:
    """Write the figure to a file; the suffix decides on the form, such as `.png` or `.svg`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(gradients, step).savefig(path)
