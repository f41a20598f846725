# SPDX-License-Identifier: Apache-2.0
"""Code that lies in no file: notebooks, prompts, `exec`, and files that are gone."""

import linecache
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from lightning_gradguard import GradGuard, GradGuardError
from lightning_gradguard.rules import Diagnostic

Fit = Callable[..., tuple[pl.Trainer, Exception | None]]
NUMBERS = count()
TEXT = """\
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(3, 4)
        self.head = nn.Linear(4, 2)
        self.more = {more}

    def training_step(self, batch, batch_idx):
        x, y = batch
        scores = self.head(self.body(x).tanh())
        {body}
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)
"""
LINE = 1 + TEXT[: TEXT.index("{body}")].count("\n")
MADE = 1 + TEXT[: TEXT.index("{more}")].count("\n")
SPARE = "nn.Linear(4, 2)"
CE = "loss = F.cross_entropy(scores, y)"
# Code -> the line that is at fault, what else the module holds, and where the fault lies.
FAULTS: dict[str, tuple[str, str, int]] = {
    "GG101": ("loss = 1 - (scores.argmax(1) == y).float().mean()", "None", LINE),
    "GG102": ("loss = (scores.argmax(1) == y).float().mean().requires_grad_()", "None", LINE),
    "GG103": (f"{CE} + (scores.argmax(1) == y).float().mean()", "None", LINE),
    "GG104": (f"{CE} + self.more(self.body(x)).detach().sum()", SPARE, LINE),
    "GG105": (f"{CE} + torch.tensor(self.more(self.body(x)).sum().item())", SPARE, LINE),
    "GG106": (CE, SPARE, MADE),
    "GG202": (f"{CE} + self.more(self.body(x)).round().sum()", SPARE, LINE),
    "GG204": (f"{CE} + (self.more(self.body(x)) * 0).sqrt().sum()", SPARE, LINE),
}


def data() -> DataLoader[Any]:
    """Return three batches."""
    x = torch.linspace(-1, 1, 12).reshape(4, 3)
    pairs = [(x + number, torch.tensor([0, 1, 1, 0])) for number in range(3)]
    return DataLoader(pairs, batch_size=None)  # type: ignore[arg-type]


def model_of(filename: str, code: str, *, known: bool) -> pl.LightningModule:
    """Make a model from text; `known` says whether the line cache has it."""
    body, more, _ = FAULTS.get(code, (CE, "None", 0))
    text = TEXT.format(body=body, more=more)
    if known:
        lines = text.splitlines(keepends=True)
        linecache.cache[filename] = (len(text), None, lines, filename)
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, filename, "exec"), scope)  # noqa: S102 - text of this file
    model: pl.LightningModule = scope["Model"]()
    return model


def finding(run_fit: Fit, model: pl.LightningModule, code: str) -> Diagnostic:
    """Train, and return the one loud finding with this code."""
    guard = GradGuard()
    _, error = run_fit(model, data(), guard)
    assert error is None or isinstance(error, GradGuardError)
    found = [d for d in guard.report.diagnostics if d.severity != "info" and d.code == code]
    assert found, guard.report.to_concise()
    assert not [d for d in guard.report.diagnostics if d.code == "GG901"]
    assert guard.report.render()
    return found[0]


@pytest.fixture(params=["<ipython-input-{}-0123456789ab>", "<stdin-{}>", "ipykernel_1/{}.py"])
def cell(request: pytest.FixtureRequest) -> str:
    """Return a name as a notebook or a prompt gives it."""
    name: str = request.param.format(next(NUMBERS))
    return name


class TestCells:
    """Code in a notebook or at a prompt, which the line cache knows."""

    @pytest.mark.parametrize("code", FAULTS)
    def test_finding_has_line_and_text(self, run_fit: Fit, cell: str, code: str) -> None:
        """As good as in a file, as far as operations are concerned."""
        found = finding(run_fit, model_of(cell, code, known=True), code)
        places = [span for span in (found.span, *found.related) if span is not None]
        body, more, line = FAULTS[code]
        assert line in {span.line for span in places}
        text = f"self.more = {more}" if line == MADE else body
        assert any(span.text.strip() == text for span in places)

    def test_healthy_training_is_silent(self, run_fit: Fit, cell: str) -> None:
        """No source is no reason to speak."""
        guard = GradGuard(strict=True)
        _, error = run_fit(model_of(cell, "", known=True), data(), guard)
        assert error is None
        assert guard.report.diagnostics == ()


class TestLost:
    """Code whose text is nowhere."""

    @pytest.mark.parametrize("code", FAULTS)
    @pytest.mark.parametrize("name", ["<string>", "<stdin>", "gone/train.py"])
    def test_finding_has_what_is_known(self, run_fit: Fit, name: str, code: str) -> None:
        """The code, the parameters, the line where there is one, and no text."""
        linecache.cache.pop(name, None)
        found = finding(run_fit, model_of(name, code, known=False), code)
        assert found.params or code == "GG103"
        if found.span is not None:
            assert found.span.text == ""
            assert found.span.line == FAULTS[code][2]

    def test_operation_is_named_without_source(self, run_fit: Fit) -> None:
        """The trace knows the operation; only the words around it come from the text."""
        found = finding(run_fit, model_of("<string>", "GG101", known=False), "GG101")
        assert found.op == "torch.Tensor.argmax"
        assert found.cause.startswith("the input ")
        assert found.help

    def test_file_that_is_deleted_after_its_import(self, run_fit: Fit, tmp_path: Path) -> None:
        """What the line cache has not read before is lost."""
        path = tmp_path / "train.py"
        path.write_text(TEXT.format(body=FAULTS["GG103"][0], more="None"), encoding="utf-8")
        model = model_of(str(path), "GG103", known=False)
        path.unlink()
        found = finding(run_fit, model, "GG103")
        assert found.span is not None
        assert (found.span.path, found.span.line) == ("train.py", LINE)

    def test_file_that_is_changed_into_something_else(self, run_fit: Fit, tmp_path: Path) -> None:
        """A text that is no Python any more gives no expressions, and no exception."""
        path = tmp_path / "broken.py"
        model = model_of(str(path), "GG103", known=False)
        path.write_text("def broken(\n" * 40, encoding="utf-8")
        found = finding(run_fit, model, "GG103")
        assert found.span is not None
        assert found.span.line == LINE
