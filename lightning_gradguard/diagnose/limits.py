# SPDX-License-Identifier: Apache-2.0
"""The GG9 block: what could not be checked."""

from lightning_gradguard.diagnose.scene import Scene, finding
from lightning_gradguard.rules import Diagnostic
from lightning_gradguard.source import Span

__all__ = ["unchecked", "unused_suppression"]


def unchecked(scene: Scene, what: str, why: str) -> list[Diagnostic]:
    """GG901: something could not be checked."""
    return [finding("GG901", scene, slots={"what": what}, span=None, cause=why)]


def unused_suppression(scene: Scene, span: Span, comment: str) -> list[Diagnostic]:
    """GG902: an in-line comment that suppressed nothing."""
    return [finding("GG902", scene, slots={"comment": comment}, span=span)]
