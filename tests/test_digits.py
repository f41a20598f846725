# SPDX-License-Identifier: Apache-2.0
"""The digits example: its three runs, and that the guard changes nothing in a healthy one."""

import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from lightning_gradguard import GradGuard, GradGuardError

ROOT = Path(__file__).resolve().parent.parent
STEPS = 20

Fit = Callable[..., tuple[pl.Trainer, Exception | None]]
Load = Callable[[Path], ModuleType]


@pytest.fixture
def digits(load_file: Load) -> ModuleType:
    """Import the example."""
    return load_file(ROOT / "examples" / "digits.py")


def flatten(tree: Any, path: str = "") -> dict[str, Any]:
    """Spread nested dictionaries, lists and tuples into one dictionary of leaves."""
    if isinstance(tree, dict):
        pairs = list(tree.items())
    elif isinstance(tree, list | tuple):
        pairs = list(enumerate(tree))
    else:
        return {path: tree}
    return {
        name: leaf for key, child in pairs for name, leaf in flatten(child, f"{path}/{key}").items()
    }


def end_state(digits: ModuleType, run_fit: Fit, guard: pl.Callback | None) -> dict[str, Any]:
    """Train the repaired model and collect everything that training leaves behind."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 (the legacy global state is what must not move)
    torch.manual_seed(0)
    model = digits.Repaired()
    trainer, error = run_fit(model, digits.make_loaders(), guard, max_steps=STEPS)
    assert error is None
    assert trainer.global_step == STEPS
    return flatten(
        {
            "weights": model.state_dict(),
            "gradients": {name: param.grad for name, param in model.named_parameters()},
            "optimizer": trainer.optimizers[0].state_dict(),
            "metrics": dict(trainer.callback_metrics),
            "torch random": torch.get_rng_state(),
            "numpy random": np.random.get_state(),  # noqa: NPY002
            "python random": random.getstate(),
        }
    )


def same(left: Any, right: Any) -> bool:
    """Compare two leaves bit by bit."""
    if isinstance(left, torch.Tensor):
        return left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, np.ndarray):
        return np.array_equal(left, right)
    return bool(left == right)


class TestInvisible:
    """The guard on a healthy training."""

    def test_changes_no_bit_of_the_outcome(self, digits: ModuleType, run_fit: Fit) -> None:
        """Weights, gradients, optimizer, logged values, random states: equal after 20 steps."""
        plain = end_state(digits, run_fit, None)
        guard = GradGuard()
        watched = end_state(digits, run_fit, guard)
        assert guard.report.diagnostics == ()
        assert plain.keys() == watched.keys()
        assert [name for name in plain if not same(plain[name], watched[name])] == []

    def test_would_notice_another_outcome(self, digits: ModuleType, run_fit: Fit) -> None:
        """One random number drawn in between shows in the comparison."""

        class Draw(pl.Callback):
            def on_train_start(self, *args: Any) -> None:
                torch.rand(())

        plain = end_state(digits, run_fit, None)
        disturbed = end_state(digits, run_fit, Draw())
        differing = [name for name in plain if not same(plain[name], disturbed[name])]
        assert "/torch random" in differing
        assert "/weights/head.weight" in differing

    def test_covers_every_parameter(self, digits: ModuleType, run_fit: Fit) -> None:
        """Every value of the repaired model is reported to have received a gradient."""
        guard = GradGuard(strict=True)
        _, error = run_fit(digits.Repaired(), digits.make_loaders(), guard, max_steps=STEPS)
        assert error is None
        assert guard.report.coverage == pytest.approx(1.0)


class TestRuns:
    """The three runs as a reader meets them."""

    @pytest.mark.parametrize(
        ("name", "code"), [("AccuracyLoss", "GG101"), ("RelabelledLoss", "GG102")]
    )
    def test_stops_before_a_weight_moves(
        self, digits: ModuleType, run_fit: Fit, name: str, code: str
    ) -> None:
        """Strict mode raises in the first batch, with the one diagnosis in the error."""
        model = getattr(digits, name)()
        before = digits.snapshot(model)
        trainer, error = run_fit(model, digits.make_loaders(), GradGuard(strict=True))
        assert isinstance(error, GradGuardError)
        assert [finding.code for finding in error.report.diagnostics] == [code]
        assert f"error[{code}]" in str(error)
        assert trainer.global_step == 0
        assert digits.count_moved(model, before) == 0

    def test_relabelled_loss_is_reported_with_both_lines(
        self, digits: ModuleType, run_fit: Fit
    ) -> None:
        """The diagnosis shows where the gradient was lost and what hid it."""
        guard = GradGuard()
        run_fit(digits.RelabelledLoss(), digits.make_loaders(), guard)
        (finding,) = guard.report.diagnostics
        assert finding.span is not None
        assert "requires_grad_" in finding.span.text
        assert [
            "torch.eq(logits.argmax(dim=1), labels)" in span.text for span in finding.related
        ] == [True]

    def test_plain_lightning_trains_nothing_without_a_word(
        self, digits: ModuleType, run_fit: Fit, recwarn: pytest.WarningsRecorder
    ) -> None:
        """Without the guard the relabelled loss runs through, and no weight moves."""
        model = digits.RelabelledLoss()
        before = digits.snapshot(model)
        trainer, error = run_fit(model, digits.make_loaders(), max_steps=STEPS)
        assert error is None
        assert trainer.global_step == STEPS
        assert digits.count_moved(model, before) == 0
        assert [str(warning.message) for warning in recwarn if "grad" in str(warning.message)] == []

    def test_uses_all_digits_once(self, digits: ModuleType) -> None:
        """Of the 1,797 images, 359 check what the other 1,438 teach."""
        train, val = digits.load_datasets()
        assert (len(train), len(val)) == (1438, 359)
        images, labels = next(iter(digits.make_loaders()[0]))
        assert images.shape == (64, 1, 8, 8)
        assert (images.min().item(), images.max().item()) == (0.0, 1.0)
        assert labels.dtype == torch.int64

    @pytest.mark.slow
    def test_main_shows_all_three_and_exits_with_zero(
        self, digits: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The whole demo does what it promises and says where its logs are."""
        status = digits.main(["--logs", str(tmp_path / "logs")])
        printed = capsys.readouterr()
        assert status == 0
        assert "digits:" not in printed.err
        assert "error[GG101]" in printed.out
        assert "error[GG102]" in printed.out
        assert "0 of 6 parameters moved" in printed.out
        assert "gradguard/coverage" in printed.out
        assert str(tmp_path / "logs") in printed.out

    def test_main_fails_when_the_accuracy_is_not_reached(
        self, digits: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One epoch is not enough, and the demo admits it."""
        assert digits.main(["--logs", str(tmp_path), "--epochs", "1"]) == 1
        assert "expected accuracy above 95%" in capsys.readouterr().err
