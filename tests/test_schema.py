# SPDX-License-Identifier: Apache-2.0
"""The JSON Schema of the report, shipped with the package, against what reports really hold."""

import json
from dataclasses import fields
from importlib.resources import files
from typing import Any

import pytest

from lightning_gradguard.report import SCHEMA_VERSION, Facts, Report
from lightning_gradguard.rules import RULES, Diagnostic, Severity
from lightning_gradguard.source import Span

jsonschema = pytest.importorskip("jsonschema", reason="schemas are checked with jsonschema")

SCHEMA = json.loads((files("lightning_gradguard") / "report.schema.json").read_text("utf-8"))
SPAN = Span("train.py", 3, 1, 5, "step", "loss", "here")


def record(**changes: Any) -> dict[str, Any]:
    """Make the record of a report with one finding."""
    rule = RULES["GG101"]
    plain = {"name": rule.name, "severity": rule.severity, "message": rule.message, "span": SPAN}
    report = Report()
    report.add(Diagnostic(code="GG101", **{**plain, **changes}))
    return report.to_dict()


def faults(value: dict[str, Any]) -> list[str]:
    """Return what the schema says against a record that went through a file."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [error.message for error in validator.iter_errors(json.loads(json.dumps(value)))]


def test_is_a_schema() -> None:
    """The schema itself is valid, and is that of the version that is written."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema_version"]["const"] == SCHEMA_VERSION


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"span": None, "ranks": (0, 3), "related": (SPAN, SPAN), "metric": "MeanMetric", "op": "x"},
        {"severity": Severity.INFO, "params": ("a", "b"), "values": 3, "values_total": 7},
    ],
)
def test_accepts_what_is_written(changes: dict[str, Any]) -> None:
    """With and without the parts that may be missing."""
    assert faults(record(**changes)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema_version",), 2),
        (("coverage",), 1.5),
        (("diagnostics", 0, "code"), "E101"),
        (("diagnostics", 0, "severity"), "fatal"),
        (("diagnostics", 0, "params"), "all"),
        (("diagnostics", 0, "span", "column"), 0),
    ],
)
def test_refuses_other_things(path: tuple[Any, ...], value: Any) -> None:
    """A schema that accepted anything would be worth nothing."""
    wrong = record()
    place: Any = wrong
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert len(faults(wrong)) == 1


@pytest.mark.parametrize(
    ("cls", "described"),
    [
        (Facts, SCHEMA),
        (Diagnostic, SCHEMA["$defs"]["diagnostic"]),
        (Span, SCHEMA["$defs"]["span"]),
    ],
)
def test_describes_every_key(cls: type, described: dict[str, Any]) -> None:
    """Each field has a description and is required; nothing else is described."""
    names = {field.name for field in fields(cls)}
    extra = {"schema_version", "diagnostics"} if cls is Facts else set()
    assert set(described["properties"]) == names | extra
    assert set(described["required"]) == names | extra
    assert all(entry["description"] for entry in described["properties"].values())
