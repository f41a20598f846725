# SPDX-License-Identifier: Apache-2.0
"""Find the parameters that get no useful gradient, and the operation and line that are to blame."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_gradguard.callback import GradGuard, GradGuardWarning
    from lightning_gradguard.report import GradGuardError, Report
    from lightning_gradguard.rules import RULES, Diagnostic, explain
    from lightning_gradguard.source import Span

__all__ = [
    "RULES", "Diagnostic", "GradGuard", "GradGuardError", "GradGuardWarning", "Report", "Span",
    "explain",
]  # fmt: skip

_HOMES = {
    "GradGuard": "callback", "GradGuardWarning": "callback", "GradGuardError": "report",
    "Report": "report", "RULES": "rules", "Diagnostic": "rules", "explain": "rules",
    "Span": "source",
}  # fmt: skip


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    """Import a public name when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        return version("lightning-gradguard")
    if name not in _HOMES:
        message = f"module 'lightning_gradguard' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"lightning_gradguard.{_HOMES[name]}"), name)
