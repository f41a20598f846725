# SPDX-License-Identifier: Apache-2.0
"""A finding in, a workflow command out, which GitHub shows beside the line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_gradguard.drawing.wording import slashes, story

if TYPE_CHECKING:
    from lightning_gradguard.rules import Diagnostic

_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def annotation(diagnostic: Diagnostic) -> str:
    """Write a finding as a workflow command."""
    span = diagnostic.span
    properties: dict[str, object] = {}
    if span:
        properties = {"file": slashes(span.path), "line": span.line}
        properties |= {"col": span.column, "endColumn": span.end_column}
    properties["title"] = f"{diagnostic.code} {diagnostic.name}"
    head = ",".join(f"{key}={_escape(str(value), ',:')}" for key, value in properties.items())
    return f"::{_LEVELS[diagnostic.severity]} {head}::{_escape(story(diagnostic))}"


def _escape(text: str, more: str = "") -> str:
    """Escape what a workflow command gives a meaning to; `%` first, as it starts the escapes."""
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
