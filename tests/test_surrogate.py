# SPDX-License-Identifier: Apache-2.0
"""What a help prints runs: the loss has a gradient, the metric gives the number it claims."""

import sys
from types import CodeType, FrameType
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
import torchmetrics
import torchmetrics.retrieval
import torchmetrics.segmentation
import torchmetrics.text
from shapes import SHAPES, Shape, make
from spellings import SPELLINGS
from test_metrics import TRACES, found_number, recognised
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_gradguard import GradGuard
from lightning_gradguard.expressions import WIDTH, fitted
from lightning_gradguard.metrics import Metric
from lightning_gradguard.surrogate import surrogate
from lightning_gradguard.usage import metric_lines

EVERY = SHAPES | SPELLINGS
FORCED = ("torchmetrics.functional.detection",)  # needs torchvision, which is not at hand


class Module:
    """Stands for the user's module: keeps what is logged."""

    def __init__(self) -> None:
        self.logged: Any = None

    def log(self, name: str, value: Any, **options: Any) -> None:
        """Keep the last value."""
        assert name
        assert options["on_epoch"]
        self.logged = value


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EVERY)
def test_the_printed_lines_run(name: str) -> None:
    """In the place of the user's code, with its names; the loss reaches the scores."""
    shape = EVERY[name]
    found, names, number = _look(shape)
    trace, module = TRACES[-1], Module()
    held = _namespace(shape, found, names, module)
    scores = held["z"]
    exec("\n".join(surrogate(trace, found).lines), held)  # noqa: S102 - the text under test
    (slope,) = torch.autograd.grad(held["loss"], scores, allow_unused=True)
    assert slope is not None
    assert bool((slope != 0).any())
    lines = metric_lines(trace, found)
    if any(part in line for line in lines for part in FORCED):
        return
    exec("\n".join(lines), held)  # noqa: S102
    value = module.logged
    value = value.compute() if isinstance(value, torchmetrics.Metric) else value
    assert value.numel() == 1
    if found.same:
        shown = number if found.value is None else found_number(found, number, shape)
        factor, constant = found.scale
        assert factor * float(value) + constant == pytest.approx(shown, rel=1e-4, abs=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EVERY)
def test_no_line_is_too_wide(name: str) -> None:
    """Lines end within 100 columns of the report unless an expression of the user is wider."""
    found, *_ = _look(EVERY[name])
    for line in (*surrogate(TRACES[-1], found).lines, *metric_lines(TRACES[-1], found)):
        assert len(line) <= WIDTH


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("loss = f((a + b), (c > d))", ("loss = f(a + b, c > d)",)),
        ("x = (a + b).sum()", ("x = (a + b).sum()",)),
        ("f(x)  # " + "w" * WIDTH, ("# " + "w" * WIDTH, "f(x)")),
        (
            f"f({'a' * 50}, {'b' * 50}, g(1, 2))",
            ("f(", f"    {'a' * 50},", f"    {'b' * 50},", "    g(1, 2),", ")"),
        ),
        (f'f("{"a," * 50}")', (f'f("{"a," * 50}")',)),
    ],
)
def test_lines_are_fitted(line: str, parts: tuple[str, ...]) -> None:
    """Whole arguments lose their parentheses; wide calls are broken at their own commas only."""
    assert fitted([line]) == parts


class Stepped(pl.LightningModule):
    """A module whose loss is one of the shapes."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.net = nn.Linear(7, 1)
        self.shape = shape

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Compute it."""
        loss: Tensor = self.shape.step(self.net(batch[0]).flatten(), batch[1])
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Take any."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "metric"), [("tau", "KendallRankCorrCoef"), ("rounded square", None)]
)
def test_a_step_function_in_a_metric_names_it(name: str, metric: str | None) -> None:
    """GG202 carries the metric that the steps decide for; rounding in an error is no metric."""
    _, target = make(EVERY[name].data)
    guard = GradGuard()
    trainer = pl.Trainer(
        max_steps=2, accelerator="cpu", logger=False, enable_checkpointing=False, callbacks=[guard],
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    data = DataLoader(TensorDataset(torch.randn(len(target), 7), target), batch_size=len(target))
    trainer.fit(Stepped(EVERY[name]), data)
    (found,) = guard.report.diagnostics
    assert (found.code, found.metric) == ("GG202", metric)
    assert ("F.softplus" in found.help) == (metric is not None)


def _look(shape: Shape) -> tuple[Metric, dict[CodeType, dict[str, Any]], float]:
    """Recognise a shape; return also the local names of every function of the tests that ran."""
    names: dict[CodeType, dict[str, Any]] = {}

    def watch(frame: FrameType, event: str, arg: Any) -> None:  # noqa: ARG001
        if event == "return" and "/tests/" in frame.f_code.co_filename:
            names[frame.f_code] = dict(frame.f_locals)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        found, _, _, number = recognised(shape.step, shape.data)
    finally:
        sys.setprofile(before)
    assert found is not None
    return found, names, number


def _namespace(
    shape: Shape, found: Metric, names: dict[CodeType, dict[str, Any]], module: Module
) -> dict[str, Any]:
    """Return the names that the printed lines may use, with scores that can be differentiated."""
    code = found.decision.stack[0][0] if found.decision is not None else None
    mine = getattr(shape.step, "__code__", None)
    step = names.get(mine, {}) if mine is not None else {}
    scores, target = step.get("z"), step.get("y")
    if not isinstance(scores, Tensor) or not isinstance(target, Tensor):
        sides = (n for n in names.values() if {"z", "y"} <= set(n))
        scores, target = next((n["z"], n["y"]) for n in sides)
    given = {"self": module, "batch_idx": 0, "preds": scores, "target": target}
    held = vars(sys.modules["shapes"]) | vars(sys.modules["spellings"]) | given
    held |= {"F": F, "torch": torch, "torchmetrics": torchmetrics, "z": scores, "y": target}
    return held | (names.get(code, {}) if code is not None else {})
