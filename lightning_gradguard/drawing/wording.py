# SPDX-License-Identifier: Apache-2.0
"""A finding in, its sentences out: what every form says about it in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lightning_gradguard.rules import Diagnostic

_MAX_GROUPS = 4
_MAX_NAMES = 8


def count(number: int, noun: str) -> str:
    """Write a number with its noun.

    Example:
        >>> count(1, "error"), count(1234, "value")
        ('1 error', '1,234 values')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def notes(diagnostic: Diagnostic) -> Iterator[tuple[str, str]]:
    """Give label and text of the closing notes, in their fixed order."""
    if diagnostic.ranks is not None:
        yield "ranks", ", ".join(map(str, diagnostic.ranks))
    for label in ("cause", "evidence", "effect"):
        if text := getattr(diagnostic, label):
            yield label, text
    if affected := _affected(diagnostic):
        yield "affected", affected
    if diagnostic.help:
        yield "help", diagnostic.help
    yield "rule", f"{diagnostic.name}, see `gradguard explain {diagnostic.code}`"


def _affected(diagnostic: Diagnostic) -> str:
    number, total = len(diagnostic.params), diagnostic.params_total
    if not number:
        return "0 parameters lose their gradient" if total else ""
    share = f"{number:,} of {total:,}" if total else f"{number:,}"
    noun = "parameter" if max(number, total) == 1 else "parameters"
    return f"{share} trainable {noun}{_values(diagnostic)}\n{fold_names(diagnostic.params)}"


def _values(diagnostic: Diagnostic) -> str:
    values, total = diagnostic.values, diagnostic.values_total
    if not values:
        return ""
    return (
        f" ({count(values, 'value')})" if values >= total else f" ({values:,} of {total:,} values)"
    )


def fold_names(names: Sequence[str]) -> str:
    """Write parameter names folded by module, at most 4 groups of at most 8 names.

    Example:
        >>> fold_names(["head.weight", "head.bias", "scale"])
        'head.{weight, bias}  scale'
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name in names:
        module, _, leaf = name.rpartition(".")
        groups.setdefault((module, "" if module else name), []).append(leaf)
    shown = list(groups.items())[:_MAX_GROUPS]
    written = sum(len(leaves[:_MAX_NAMES]) for _, leaves in shown)
    rest = [f"... and {len(names) - written:,} more"] if written < len(names) else []
    return "  ".join([_group(module, leaves) for (module, _), leaves in shown] + rest)


def _group(module: str, leaves: Sequence[str]) -> str:
    if len(leaves) == 1:
        return f"{module}.{leaves[0]}" if module else leaves[0]
    cut = ", ..." if len(leaves) > _MAX_NAMES else ""
    return f"{module}.{{{', '.join(leaves[:_MAX_NAMES])}{cut}}}"


def story(diagnostic: Diagnostic) -> str:
    """Tell a finding as plain paragraphs, for places that draw the source themselves."""
    told = {"Cause": "cause", "Evidence": "evidence", "Effect": "effect", "Help": "help"}
    parts = [
        f"{title}: {text}" for title, key in told.items() if (text := getattr(diagnostic, key))
    ]
    return "\n".join([diagnostic.message, *parts])


def slashes(path: str) -> str:
    """Write a path as every system but Windows does."""
    return path.replace("\\", "/")
