# SPDX-License-Identifier: Apache-2.0
"""`assert_trains`, for LightningModules and for plain ones."""

from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lightning_gradguard import GradGuardError
from lightning_gradguard.testing import NotTrainingError, assert_trains

BATCH = torch.linspace(-1, 1, 24).reshape(8, 3), torch.arange(8) % 2


class Net(nn.Module):
    """Two layers, the second of which may stay unused."""

    def __init__(self, *, skip: bool = False) -> None:
        super().__init__()
        self.body = nn.Linear(3, 2)
        self.head = nn.Linear(2, 2)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        """Give logits."""
        hidden: Tensor = self.body(x)
        return hidden if self.skip else self.head(hidden)


def lit(base: Any = pl.LightningModule, *, skip: bool = False) -> Any:
    """Make a LightningModule of a namespace around the same net."""

    class Lit(base):  # type: ignore[misc]  # of one namespace or the other
        def __init__(self) -> None:
            super().__init__()
            self.net = Net(skip=skip)
            self.steps_done = 0

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            self.steps_done += 1
            return F.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    return Lit()


class TestPlain:
    """A plain module with a loss function."""

    def test_passes_when_everything_trains(self) -> None:
        """The report comes back for further assertions."""
        report = assert_trains(Net(), BATCH, F.cross_entropy)
        assert report.coverage == 1.0
        assert report.total == 4

    def test_names_parameters_as_the_module_does(self) -> None:
        """The wrapper around the module does not show."""
        with pytest.raises(NotTrainingError) as caught:
            assert_trains(Net(skip=True), BATCH, F.cross_entropy)
        (diagnostic,) = caught.value.report.diagnostics
        assert diagnostic.code == "GG106"
        assert set(diagnostic.params) == {"head.weight", "head.bias"}

    def test_points_at_the_loss_of_the_test(self) -> None:
        """A loss that cuts the graph is found on its own line."""

        def mistakes(logits: Tensor, target: Tensor) -> Tensor:
            return 1 - (logits.argmax(1) == target).float().mean()

        with pytest.raises(NotTrainingError) as caught:
            assert_trains(Net(), BATCH, mistakes)
        (diagnostic,) = caught.value.report.diagnostics
        assert diagnostic.code == "GG101"
        assert diagnostic.span is not None
        assert "logits.argmax(1)" in diagnostic.span.text

    def test_takes_a_batch_that_is_one_tensor(self) -> None:
        """The loss then gets the output alone."""
        assert_trains(Net(), BATCH[0], lambda output: output.square().mean())

    def test_needs_a_loss(self) -> None:
        """The message says what is missing."""
        with pytest.raises(TypeError, match="a module together with `loss`, got Net alone"):
            assert_trains(Net(), BATCH)

    def test_refuses_a_module_that_is_frozen(self) -> None:
        """Nothing to train is not training."""
        with pytest.raises(AssertionError, match="Net has no parameter that requires grad"):
            assert_trains(Net().requires_grad_(requires_grad=False), BATCH, F.cross_entropy)


class TestLightning:
    """A LightningModule with its own step and optimizers."""

    @pytest.mark.parametrize("steps", [1, 3])
    def test_trains_for_so_many_steps(self, steps: int) -> None:
        """A batch is used again at every step."""
        model = lit()
        assert_trains(model, BATCH, steps=steps)
        assert model.steps_done == steps

    def test_takes_a_loader(self) -> None:
        """An iterable of batches is used as it is, and again when it is at its end."""
        model = lit()
        assert_trains(model, DataLoader(TensorDataset(*BATCH), batch_size=4), steps=3)
        assert model.steps_done == 3

    def test_fails_with_the_diagnostic(self) -> None:
        """The error is an AssertionError and a GradGuardError; its text is the report."""
        with pytest.raises(AssertionError, match=r"warning\[GG106\]") as caught:
            assert_trains(lit(skip=True), BATCH)
        assert isinstance(caught.value, GradGuardError)
        assert "net.head.{weight, bias}" in str(caught.value)

    def test_passes_options_on(self) -> None:
        """What the guard may leave out, the assertion may."""
        assert assert_trains(lit(skip=True), BATCH, ignore=("GG106",)).trained == 2

    def test_lets_other_errors_through(self) -> None:
        """A bug in the step is not a finding."""
        with pytest.raises(IndexError):
            assert_trains(lit(), (BATCH[0],))

    def test_works_in_the_other_namespace(self) -> None:
        """The Trainer is taken from where the module comes from."""
        other = pytest.importorskip("lightning.pytorch")

        assert assert_trains(lit(other.LightningModule), BATCH).coverage == 1.0
