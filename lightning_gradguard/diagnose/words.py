# SPDX-License-Identifier: Apache-2.0
"""Words and counts that several rules share."""

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_gradguard.diagnose.scene import Scene

__all__ = [
    "count_of",
    "family_of",
    "function_of",
    "no_grad_evidence",
    "phrase",
    "shape_of",
    "stem_of",
]


def phrase(names: Sequence[str]) -> str:
    return f"`{names[0]}`" if len(names) == 1 else count_of(len(names), "parameter")


def count_of(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def stem_of(names: Sequence[str]) -> str:
    return (
        names[0] if len(names) == 1 else names[0].partition(".")[0] if "." in names[0] else names[0]
    )


def no_grad_evidence(scene: Scene) -> str:
    return f"`.grad` was `None` {scene.when}".strip() if scene.when else ""


def function_of(node: str) -> str:
    return node.removesuffix("Backward") if "Backward0" not in node else family_of(node)


def family_of(name: str) -> str:
    return name.partition("Backward")[0]


def shape_of(fact: Mapping[str, Any]) -> str:
    return f"{fact['dtype']}[{', '.join(map(str, fact['shape']))}]"
