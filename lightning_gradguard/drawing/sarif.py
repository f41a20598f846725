# SPDX-License-Identifier: Apache-2.0
"""Findings in, a SARIF 2.1.0 log out, the exchange format of code scanning services."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lightning_gradguard.drawing.wording import slashes, story
from lightning_gradguard.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightning_gradguard.rules import Diagnostic
    from lightning_gradguard.source import Span

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def log(diagnostics: Sequence[Diagnostic], limits: Sequence[str]) -> dict[str, Any]:
    """Write findings as the log of one run, JSON-ready.

    Args:
        diagnostics: the findings, in order.
        limits: what could not be checked and why.
    """
    codes = sorted({diagnostic.code for diagnostic in diagnostics})
    driver = {"name": "gradguard", "rules": [_rule(code) for code in codes]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(limits)],
        "results": [_result(found, codes) for found in diagnostics],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    rule = RULES[code]
    return {
        "id": code,
        "name": rule.name,
        "shortDescription": {"text": rule.what},
        "fullDescription": {"text": f"{rule.what} {rule.why}"},
        "help": {"text": rule.to_markdown(), "markdown": rule.to_markdown()},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _invocation(limits: Sequence[str]) -> dict[str, Any]:
    notes = [{"level": "note", "message": {"text": f"not checked: {limit}"}} for limit in limits]
    return {"executionSuccessful": True, "toolExecutionNotifications": notes}


def _result(diagnostic: Diagnostic, codes: Sequence[str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": codes.index(diagnostic.code),
        "level": _LEVELS[diagnostic.severity],
        "message": {"text": story(diagnostic)},
        "properties": {
            "parameters": list(diagnostic.params),
            "operation": diagnostic.op,
            "metric": diagnostic.metric,
            "step": diagnostic.step,
        },
    }
    if diagnostic.span:
        result["locations"] = [_location(diagnostic.span)]
    if diagnostic.related:
        related = enumerate(diagnostic.related, start=1)
        result["relatedLocations"] = [{"id": n, **_location(span)} for n, span in related]
    return result


def _location(span: Span) -> dict[str, Any]:
    region: dict[str, Any] = {
        "startLine": max(span.line, 1),
        "startColumn": max(span.column, 1),
        "endColumn": max(span.end_column, span.column, 1),
    }
    if span.text:
        region["snippet"] = {"text": span.text}
    artifact = {"uri": _uri(span.path)}
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": artifact, "region": region}
    }
    if span.function:
        location["logicalLocations"] = [{"fullyQualifiedName": span.function}]
    if span.label:
        location["message"] = {"text": span.label}
    return location


def _uri(path: str) -> str:
    return Path(path).as_uri() if Path(path).is_absolute() else quote(slashes(path))
