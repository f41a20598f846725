# SPDX-License-Identifier: Apache-2.0
"""Odd data, odd models, odd sources and full disks: said clearly, or nothing happens at all."""

import copy
import linecache
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from lightning_gradguard import GradGuard, GradGuardError

Fit = Callable[..., tuple[pl.Trainer, Exception | None]]
NOTHING_JUDGED = "gradguard: no optimizer step was seen, so no gradient was judged\n"


class Net(pl.LightningModule):
    """One layer that trains."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 3)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor | None:
        """Compute the loss."""
        loss: Tensor = F.cross_entropy(self.head(batch[0]), batch[1])
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer | None:
        """Train everything."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Accuracy(Net):
    """A loss that cannot be trained."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Compute what carries no gradient."""
        hits: Tensor = self.head(batch[0]).argmax(1) == batch[1]
        return 1 - hits.float().mean()


class Skipping(Net):
    """A step that always says to skip the batch."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Compute something and throw it away."""
        self.head(batch[0])


class Bare(pl.LightningModule):
    """No parameter at all, and no optimizer."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Give a loss that nobody can improve."""
        return torch.zeros((), requires_grad=True)

    def configure_optimizers(self) -> None:
        """Train nothing."""


class Frozen(Net):
    """All parameters frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.head.requires_grad_(requires_grad=False)


class Stream(IterableDataset[tuple[Tensor, Tensor]]):
    """Samples without a number of them."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Give some."""
        return iter([(torch.ones(4), torch.tensor(1))] * self.size)


def data() -> DataLoader[tuple[Tensor, ...]]:
    """Return four batches."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(32, 4, generator=random)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (32,), generator=random)), 8)


class TestData:
    """What comes in."""

    @pytest.mark.parametrize("size", [12, 0])
    def test_data_without_a_length(self, run_fit: Fit, size: int) -> None:
        """A stream trains like anything else; an empty one is no fault of the model."""
        guard = GradGuard(strict=True)
        _, error = run_fit(Net(), DataLoader(Stream(size), 4), guard, max_epochs=1)
        assert error is None
        assert guard.report.total == (2 if size else 0)
        assert guard.report.diagnostics == ()

    @pytest.mark.parametrize("model", [Net, Accuracy])
    def test_no_batches(self, run_fit: Fit, model: type[Net]) -> None:
        """A Trainer that is told to train on nothing is not held against the model."""
        guard = GradGuard(strict=True)
        assert run_fit(model(), data(), guard, limit_train_batches=0)[1] is None
        assert guard.report.diagnostics == ()


class TestModels:
    """What is trained."""

    @pytest.mark.filterwarnings("ignore:.*returned `None`")
    @pytest.mark.parametrize("model", [Skipping, Bare])
    def test_a_run_without_a_step_is_not_called_clean(
        self, run_fit: Fit, model: type[Net], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The closing line says that nothing was judged."""
        guard = GradGuard(strict=True)
        assert run_fit(model(), data(), guard)[1] is None
        assert guard.report.diagnostics == ()
        assert capsys.readouterr().err.endswith(NOTHING_JUDGED)

    def test_everything_frozen(self, run_fit: Fit) -> None:
        """Torch would raise; the diagnostic says why."""
        _, error = run_fit(Frozen(), data(), GradGuard())
        assert isinstance(error, GradGuardError)
        assert "have `requires_grad=False`" in str(error)


class TestTrainers:
    """How it is put in."""

    def test_two_guards_are_refused(self) -> None:
        """Lightning says so when the Trainer is made, and not in the middle of a run."""
        with pytest.raises(RuntimeError, match="more than one stateful callback of type"):
            pl.Trainer(callbacks=[GradGuard(), GradGuard()], logger=False)

    def test_a_fit_after_a_failed_one(self, run_fit: Fit) -> None:
        """Each fit has a report of its own."""
        guard = GradGuard()
        run_fit(Accuracy(), data(), guard)
        first = guard.report
        run_fit(Net(), data(), guard)
        assert [d.code for d in first.diagnostics] == ["GG101"]
        assert guard.report.diagnostics == ()
        assert guard.report.coverage == 1.0

    def test_a_copy_starts_afresh(self, run_fit: Fit) -> None:
        """A copy of a guard that has been used works in another Trainer."""
        guard = GradGuard(ignore=["GG103"])
        run_fit(Net(), data(), guard)
        again = copy.deepcopy(guard)
        _, error = run_fit(Accuracy(), data(), again)
        assert isinstance(error, GradGuardError)
        assert again.settings == guard.settings


class TestDisks:
    """Files that cannot be written when the time has come."""

    @pytest.fixture
    def broken_disk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Refuse to write any text file."""

        def refuse(*_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_text", refuse)

    @pytest.mark.usefixtures("broken_disk")
    @pytest.mark.parametrize("strict", [False, True])
    def test_do_not_hide_the_finding(self, run_fit: Fit, *, strict: bool) -> None:
        """The error that comes out is still the diagnostic."""
        _, error = run_fit(Accuracy(), data(), GradGuard(strict=strict, report="report.json"))
        assert isinstance(error, GradGuardError)
        assert "error[GG101]" in str(error)

    @pytest.mark.usefixtures("broken_disk")
    @pytest.mark.parametrize("strict", [False, True])
    def test_do_not_stop_a_healthy_run(
        self, run_fit: Fit, caplog: pytest.LogCaptureFixture, *, strict: bool
    ) -> None:
        """One line names the file and the reason; the other file is written all the same."""
        pytest.importorskip("matplotlib", reason="the figure is drawn with matplotlib")
        guard = GradGuard(strict=strict, report="report.json", figure="flow.png")
        with caplog.at_level(logging.ERROR, "lightning_gradguard"):
            _, error = run_fit(Net(), data(), guard, log_every_n_steps=1)
        assert error is None
        (record,) = caplog.records
        assert record.getMessage() == (
            "gradguard: could not write report.json: [Errno 28] No space left on device"
        )
        assert Path("flow.png").stat().st_size > 1000


HEAD = """\
import pytorch_lightning as pl
import torch
from torch import nn

class Odd(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def training_step(self, batch, batch_idx):
        x, y = batch
"""
PLAIN = "        z = self.head(x); return 1 - (z.argmax(1) == y).float().mean()\n"
LONG = PLAIN.replace("z = self.head(x);", f"z = self.head(x); a = [{'1, ' * 300}];")
WIDE = (
    "        größe = self.head(x); 名 = '日本語'; return 1 - (größe.argmax(1) == y).half().sum()\n"
)
TABS = (HEAD + PLAIN.replace("; ", ";\t\t")).replace("    ", "\t")
# What is odd -> the bytes of a module, and the expression that has to be marked.
SOURCES: dict[str, tuple[bytes, str]] = {
    "plain": ((HEAD + PLAIN).encode(), "z.argmax(1)"),
    "tabs": (TABS.encode(), "z.argmax(1)"),
    "long line": ((HEAD + LONG).encode(), "z.argmax(1)"),
    "wide characters": ((HEAD + WIDE).encode(), "größe.argmax(1)"),
    "line ends of Windows": ((HEAD + PLAIN).replace("\n", "\r\n").encode(), "z.argmax(1)"),
    "byte order mark": (b"\xef\xbb\xbf" + (HEAD + PLAIN).encode(), "z.argmax(1)"),
    "other encoding": (
        ("# coding: latin-1\n" + HEAD + WIDE.replace("名", "é").replace("日本語", "ü")).encode(
            "latin-1"
        ),
        "größe.argmax(1)",
    ),
}


def train_source(source: bytes, name: str, run_fit: Fit) -> GradGuard:
    """Train the model of a module that is compiled under a file name."""
    namespace: dict[str, Any] = {"__name__": "odd"}
    exec(compile(source, name, "exec"), namespace)  # noqa: S102  # our own source
    guard = GradGuard()
    _, error = run_fit(namespace["Odd"](), data(), guard)
    assert isinstance(error, GradGuardError)
    return guard


def cells(text: str) -> str:
    """Write every character that takes two columns twice."""
    return "".join(2 * c if c > "\u2e80" else c for c in text)


class TestSources:
    """Where the code comes from."""

    @pytest.mark.parametrize("name", SOURCES)
    def test_marks_stand_under_the_operation(self, run_fit: Fit, name: str) -> None:
        """In columns of a terminal, and in characters in the span, whatever is on the line."""
        source, marked = SOURCES[name]
        path = Path("odd.py").resolve()
        path.write_bytes(source)
        linecache.checkcache(str(path))
        report = train_source(source, str(path), run_fit).report
        span = report.diagnostics[0].span
        assert span is not None
        assert span.text[span.column - 1 : span.end_column - 1] == marked
        rows = report.render().splitlines()
        number = next(i for i, row in enumerate(rows) if row.partition(" | ")[0].strip().isdigit())
        shown, marks = cells(rows[number]), rows[number + 1]
        assert shown[marks.index("^") : marks.rindex("^") + 1] == cells(marked)
        assert len(shown) <= 100

    @pytest.mark.parametrize("name", ["<string>", "<stdin>", "gone.py"])
    def test_without_a_source(self, run_fit: Fit, name: str) -> None:
        """Every form of the report stands without it."""
        report = train_source((HEAD + PLAIN).encode(), name, run_fit).report
        text = report.render()
        assert f"--> {name}:15:" in text
        assert "(source not available)" in text
        assert "= cause: the input float32[8, 3] requires grad" in text
        assert report.to_sarif()["runs"][0]["results"][0]["ruleId"] == "GG101"
        assert "GG101" in report.to_github()
        assert "GG101" in report.to_markdown()
        pytest.importorskip("jinja2", reason="the page is filled by Jinja2")
        from lightning_gradguard.html import to_html

        assert "the loss is not connected" in to_html(report)
