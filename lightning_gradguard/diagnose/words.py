# SPDX-License-Identifier: Apache-2.0
"""Words and counts that several rules share."""

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_gradguard.diagnose.scene import Scene
from lightning_gradguard.flow import family_of

__all__ = [
    "count_of",
    "function_of",
    "no_grad_evidence",
    "phrase",
    "shape_of",
    "stem_of",
]


def phrase(names: Sequence[str]) -> str:
    """Name a single parameter, count several."""
    return f"`{names[0]}`" if len(names) == 1 else count_of(len(names), "parameter")


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun in the right form.

    Example:
        >>> count_of(1, "tensor"), count_of(1200, "parameter")
        ('1 tensor', '1,200 parameters')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def stem_of(names: Sequence[str]) -> str:
    """Return what several dotted names begin with; a single name whole."""
    return names[0] if len(names) == 1 else names[0].partition(".")[0]


def no_grad_evidence(scene: Scene) -> str:
    """Say for how long there has been no gradient."""
    return f"`.grad` was `None` {scene.when}".strip() if scene.when else ""


def function_of(node: str) -> str:
    """Return the operation or the custom Function that a node of the graph belongs to.

    Example:
        >>> function_of("MulBackward0"), function_of("StepBackward")
        ('Mul', 'Step')
    """
    return node.removesuffix("Backward") if "Backward0" not in node else family_of(node)


def shape_of(fact: Mapping[str, Any]) -> str:
    """Return dtype and shape of a tensor that a node saved."""
    return f"{fact['dtype']}[{', '.join(map(str, fact['shape']))}]"
