# SPDX-License-Identifier: Apache-2.0
"""Healthy trainings are silent, and one fault of each kind in them is found on its line."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from lightning_gradguard.report import Report
from lightning_gradguard.session import Session, Settings

ROOT = Path(__file__).resolve().parent.parent / "benchmarks"
HEALTHY = sorted((ROOT / "healthy").glob("*.py"))


def _load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


mutations = _load(ROOT / "mutations.py", "mutations")


@pytest.mark.parametrize("path", HEALTHY, ids=lambda p: p.stem)
def test_healthy_training_is_silent(path: Path) -> None:
    """Before a fault is put in there is nothing to say."""
    torch.manual_seed(0)
    report = Report()
    module = _load(path, f"healthy_{path.stem}")
    truth = mutations._train(module.Model(), module.batch, Session(Settings(), report))
    assert truth.lost == set()
    assert report.diagnostics == ()


@pytest.mark.parametrize("kind", [*mutations.FAULTS, "dead term", "unregistered"])
def test_fault_is_found_on_its_line(kind: str) -> None:
    """The first fault of a kind that costs something is found, with exactly its parameters."""
    tried = (
        mutations.outcome(m)
        for m in mutations.mutants(ROOT / "healthy" / "classifier.py")
        if m.kind == kind
    )
    counts = next(c for c in tried if c["harmful"])
    assert counts["found"] == counts["on the line"] == counts["parameters exact"] == 1
