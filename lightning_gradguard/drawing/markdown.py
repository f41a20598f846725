# SPDX-License-Identifier: Apache-2.0
"""Findings in, a Markdown page out, as for the summary of a job."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lightning_gradguard.drawing.text import render

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lightning_gradguard.rules import Diagnostic


def page(summary: Iterable[str], diagnostics: Iterable[Diagnostic]) -> str:
    """Draw a page: what the run was like as a list, then the text of every finding.

    Args:
        summary: sentences about the run.
        diagnostics: the findings, in order.
    """
    parts = ["# gradguard report", "\n".join(f"- {line}" for line in summary)]
    for diagnostic in diagnostics:
        parts += [f"## {diagnostic.code} {diagnostic.name}", _fenced(render(diagnostic))]
    return "\n\n".join(parts) + "\n"


def _fenced(text: str) -> str:
    """Put text in a code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
