# SPDX-License-Identifier: Apache-2.0
"""Load a case, train it under GradGuard, and compare what was said with what is right."""

import contextlib
import fnmatch
import importlib.util
import io
import os
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytorch_lightning as pl
import torch

from lightning_gradguard import GradGuard

SEED = int(os.environ.get("GRADGUARD_CASE_SEED", "0"))
OWN = Path(__file__).parent / "cases"
SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "cases"
# Which codes may stand for a symptom.
CODES = {
    "no_grad_loss": {"GG101", "GG105"}, "leaf_loss": {"GG102"},
    "backward_error": {"GG104", "GG107", "GG108", "GG109", "GG110", "GG111"},
    "missing": {"GG104", "GG105", "GG106", "GG403"}, "zero": {"GG201", "GG202", "GG203"},
    "nonfinite": {"GG204"}, "dead_term": {"GG103"}, "not_optimized": {"GG401", "GG402", "GG403"},
    "not_registered": {"GG107"},
}  # fmt: skip


def load(path: Path) -> ModuleType:
    """Import a case from its file."""
    spec = importlib.util.spec_from_file_location(f"case_{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def train(
    module: ModuleType, **options: Any
) -> tuple[GradGuard, pl.LightningModule, Exception | None]:
    """Train a case as `EXPECT` says, with a guard added."""
    torch.manual_seed(SEED)
    model = module.Model()
    guard = GradGuard(**options)
    settings: dict[str, Any] = {
        "max_steps": module.EXPECT.get("steps", 3), "accelerator": "cpu", "devices": 1,
        "logger": False, "enable_checkpointing": False, "enable_progress_bar": False,
        "enable_model_summary": False, "num_sanity_val_steps": 0,
    } | getattr(module, "TRAINER", {})  # fmt: skip
    extra = list(module.callbacks()) if hasattr(module, "callbacks") else []
    error: Exception | None = None
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(callbacks=[guard, *extra], **settings)
        try:
            loader = module.val_dataloader() if hasattr(module, "val_dataloader") else None
            trainer.fit(model, module.dataloader(), loader)
        except Exception as exc:  # noqa: BLE001
            error = exc
        finally:
            torch.set_grad_enabled(True)
    return guard, model, error


def verdict(
    path: Path, module: ModuleType, guard: GradGuard, model: pl.LightningModule
) -> list[str]:
    """Return what is wrong with the findings, nothing if they are right."""
    expect = module.EXPECT
    loud = [d for d in guard.report.diagnostics if d.severity != "info"]
    unchecked = [d for d in guard.report.diagnostics if d.code == "GG901"]
    faults = [f"internal: {d.cause}" for d in unchecked if "behind the back" not in d.message]
    if expect["verdict"] != "broken":
        return faults + [f"false alarm {d.code} {d.span and d.span.line} {d.params}" for d in loud]
    hits = [d for d in guard.report.diagnostics if d.code in CODES[expect["symptom"]]]
    if not hits:
        return [*faults, f"missed; said {[d.code for d in guard.report.diagnostics]}"]
    extra = [d.code for d in loud if d not in hits]
    return (
        faults
        + [f"also said {extra}"] * bool(extra)
        + _wrong_params(expect, hits, model)
        + _wrong_line(path, expect, hits)
    )


def _wrong_params(expect: dict[str, Any], hits: list[Any], model: pl.LightningModule) -> list[str]:
    if expect["symptom"] == "dead_term":
        return []
    said = {n for d in hits for n in d.params}
    if expect["symptom"] == "not_registered":
        patterns = expect["params"]
        good = all(any(fnmatch.fnmatch(s, p) for p in patterns) for s in said) and said
        return [] if good or patterns == "all" else [f"params {sorted(said)} for {patterns}"]
    names = [n for n, _ in model.named_parameters()]
    quiet = {n for n in names if any(fnmatch.fnmatch(n, p) for p in expect.get("quiet", []))}
    patterns = ["*"] if expect["params"] == "all" else expect["params"]
    want = {n for n in names if any(fnmatch.fnmatch(n, p) for p in patterns)} - quiet
    if not want:  # what is meant is no parameter of the module
        want = {n for n in said if any(fnmatch.fnmatch(n, p) for p in patterns)} or set(patterns)
    return (
        []
        if said - quiet == want
        else [f"params -{sorted(want - said)} +{sorted(said - want - quiet)}"]
    )


def _wrong_line(path: Path, expect: dict[str, Any], hits: list[Any]) -> list[str]:
    marks = ("# <-- CAUSE", "# <-- ALSO")
    right = {
        i
        for i, text in enumerate(path.read_text().splitlines(), 1)
        if text.rstrip().endswith(marks)
    }
    if not right:
        return []
    primary = {d.span.line for d in hits if d.span is not None}
    related = {s.line for d in hits for s in d.related}
    if primary & right:
        return []
    if related & right:
        return (
            []
            if expect["symptom"] in {"dead_term", "leaf_loss"}
            else [f"line only related: {sorted(primary)} for {sorted(right)}"]
        )
    return [f"line {sorted(primary)} (related {sorted(related)}) for {sorted(right)}"]
