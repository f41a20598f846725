# SPDX-License-Identifier: Apache-2.0
"""Decisions over time: patience, late failures, skipped batches, parameters that come and go."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset
from tracing import marked

from lightning_gradguard import GradGuard
from lightning_gradguard.replay import Replay
from lightning_gradguard.report import Report
from lightning_gradguard.rules import Diagnostic
from lightning_gradguard.session import Session, Settings
from lightning_gradguard.tracer import batch_tensors

Fit = Callable[..., tuple[pl.Trainer, Exception | None]]
Train = Callable[..., Report]
X = torch.linspace(-1, 1, 12).reshape(4, 3)
Y = torch.linspace(0, 1, 4).reshape(4, 1)


class Net(pl.LightningModule):
    """A trunk and a head that train, and whatever a test puts on top."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(3, 3)
        self.head = nn.Linear(3, 1)
        self.build()

    def build(self) -> None:
        """Add layers."""

    def training_step(self, batch: Tensor, batch_idx: int) -> Any:
        """Compute the loss."""
        return self.loss(batch, batch_idx)

    def fit(self, x: Tensor) -> Tensor:
        """Compute a loss that trains trunk and head."""
        return F.mse_loss(self.head(self.trunk(x).tanh()), Y)

    def loss(self, x: Tensor, step: int) -> Any:
        """Compute what the step returns."""
        return self.fit(x)

    def configure_optimizers(self) -> Any:
        """Train everything."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Spare(Net):
    """Has one layer more, whose part in the loss a test decides."""

    def build(self) -> None:
        """Add a layer."""
        self.spare = nn.Linear(3, 1)


def loader(batches: list[Tensor]) -> DataLoader[Any]:
    """Hand the batches out as they are."""
    return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]


@pytest.fixture
def train(run_fit: Fit) -> Train:
    """Hand out a function that trains a model and returns the report."""

    def training(model: pl.LightningModule, steps: int = 6, **options: Any) -> Report:
        names = {"accumulate_grad_batches", "max_epochs", "max_steps", "precision", "callbacks"}
        trainer = {name: options.pop(name) for name in names & set(options)}
        guard = GradGuard(**{"patience": 3, **options})
        batches = [X + 0.01 * number for number in range(steps)]
        _, error = run_fit(
            model, loader(batches), guard, **{"max_steps": -1, "max_epochs": 1, **trainer}
        )
        if error is not None:
            raise error
        unchecked = [found for found in guard.report.diagnostics if found.code == "GG901"]
        assert not [found for found in unchecked if "behind the back" not in found.message]
        return guard.report

    return training


def codes(report: Report) -> list[str]:
    """Return the codes of what is more than a note, in the order found."""
    return [found.code for found in report.diagnostics if found.severity != "info"]


def only(report: Report, code: str) -> Diagnostic:
    """Return the one finding, which must have this code."""
    assert codes(report) == [code]
    return next(found for found in report.diagnostics if found.code == code)


class TestPatience:
    """How long a suspicion must last."""

    def test_silence_when_all_is_well(self, train: Train) -> None:
        """Every parameter is counted, none is reported."""
        report = train(from_text("pass"))
        assert report.diagnostics == ()
        assert (report.trained, report.total, report.coverage) == (2, 2, 1.0)

    def test_reported_after_so_many_steps(self, train: Train) -> None:
        """The third step without a gradient makes it a finding."""
        found = only(train(Spare(), patience=3), "GG106")
        assert found.params == ("spare.weight", "spare.bias")
        assert found.step == 2
        assert found.evidence.endswith("in 3 of 3 steps")

    @pytest.mark.parametrize("steps", [1, 3])
    def test_reported_at_the_end_of_a_short_run(self, train: Train, steps: int) -> None:
        """Where training ends before patience does, what has lasted counts."""
        found = only(train(Spare(), steps=steps, patience=10), "GG106")
        assert found.evidence.endswith(f"in {steps} of {steps} steps")

    def test_a_gradient_now_and_then_is_enough(self, train: Train) -> None:
        """Alternating branches are healthy."""

        class Alternating(Spare):
            def loss(self, x: Tensor, step: int) -> Any:
                return self.fit(x) + (self.spare(x).pow(2).mean() if step % 2 else 0.0)

        assert codes(train(Alternating())) == []

    def test_one_gradient_at_the_end_is_enough(self, train: Train) -> None:
        """A branch that is reached in the last step is not unused."""

        class Late(Spare):
            def loss(self, x: Tensor, step: int) -> Any:
                return self.fit(x) + (self.spare(x).pow(2).mean() if step == 5 else 0.0)

        assert codes(train(Late(), patience=10)) == []

    def test_steps_in_between_are_not_looked_at(self, train: Train) -> None:
        """With `every_n_steps` patience counts the looks."""
        found = only(train(Spare(), steps=8, patience=3, every_n_steps=2), "GG106")
        assert found.step == 4
        assert found.evidence.endswith("in 3 of 3 steps")

    def test_once_per_cause(self, train: Train) -> None:
        """Twenty more steps say nothing new."""
        assert codes(train(Spare(), steps=20, patience=2)) == ["GG106"]

    def test_nothing_is_traced_without_trace_steps(self, train: Train) -> None:
        """A finding without a trace has the place where the parameter was made."""
        report = train(Spare(), trace_steps=0)
        assert "spare" in marked(only(report, "GG106").span)


class TestLateOnset:
    """Failures that begin after the traced batch."""

    ONSET, PATIENCE = 4, 3

    def test_missing_from_some_step_on(self, train: Train) -> None:
        """Reported at step k + patience at the latest, with the line."""
        onset = self.ONSET

        class Cut(Spare):
            def loss(self, x: Tensor, step: int) -> Any:
                side = self.spare(x)
                if step >= onset:
                    side = side.detach()
                return self.fit(x) + side.pow(2).mean()

        report = train(Cut(), steps=12, patience=self.PATIENCE)
        found = next(d for d in report.diagnostics if d.code == "GG104")
        assert found.params == ("spare.weight", "spare.bias")
        assert found.step <= onset + self.PATIENCE
        assert marked(found.span) == "side.detach()"

    def test_zero_from_some_step_on(self, train: Train) -> None:
        """A schedule that reaches zero is found with its line."""
        onset = self.ONSET

        class Faded(Spare):
            def loss(self, x: Tensor, step: int) -> Any:
                factor = 1.0 if step < onset else 0.0
                return self.fit(x) + factor * self.spare(x).pow(2).mean()

        found = only(train(Faded(), steps=12, patience=self.PATIENCE), "GG203")
        assert found.params == ("spare.weight", "spare.bias")
        assert found.step <= onset + self.PATIENCE
        assert "factor * self.spare(x)" in marked(found.span)

    def test_loss_without_history_from_some_step_on(self, train: Train) -> None:
        """Torch raises at once, and the text has the line and torch's own words."""
        onset = self.ONSET

        class Dead(Net):
            def loss(self, x: Tensor, step: int) -> Any:
                loss = self.fit(x)
                return loss if step < onset else loss.round().long().float()

        with pytest.raises(RuntimeError, match="does not require grad") as caught:
            train(Dead())
        assert "loss.round().long()" in str(caught.value)

    def test_nan_from_some_step_on(self, train: Train) -> None:
        """Reported in the very step, with the operation."""
        onset = self.ONSET

        class Broken(Net):
            def loss(self, x: Tensor, step: int) -> Any:
                shift = 0.0 if step == onset else 1.0
                return self.fit(x) + (self.head.weight.sum() * 0 + shift).sqrt()

        found = next(d for d in train(Broken()).diagnostics if d.code == "GG204")
        assert found.step == onset
        assert marked(found.span).endswith(".sqrt()")

    def test_short_gap_at_the_end_is_no_finding(self, train: Train) -> None:
        """A branch that did not run in the last step had trained before."""

        class Resting(Spare):
            def loss(self, x: Tensor, step: int) -> Any:
                return self.fit(x) + (self.spare(x).pow(2).mean() if step < 5 else 0.0)

        assert codes(train(Resting())) == []


class TestBatches:
    """Batches that are skipped, added up, or judged by several optimizers."""

    @pytest.mark.filterwarnings("ignore:.*returned `None`")
    def test_skipped_batches_say_nothing(self, train: Train) -> None:
        """A step that returns nothing is not held against any parameter."""

        class Skipping(Net):
            def loss(self, x: Tensor, step: int) -> Tensor | None:
                return self.fit(x) if step % 4 == 3 else None

        report = train(Skipping(), steps=8, patience=2)
        assert codes(report) == []
        assert report.trained == 4

    @pytest.mark.filterwarnings("ignore:.*returned `None`")
    def test_only_skipped_batches(self, train: Train) -> None:
        """Nothing was trained, and nothing is to blame."""

        class Skipping(Net):
            def loss(self, x: Tensor, step: int) -> None:
                return None

        assert codes(train(Skipping())) == []

    def test_accumulated_batches_are_one_step(self, train: Train) -> None:
        """A head that takes part in every second batch trains in every step."""

        class Second(Spare):
            def loss(self, x: Tensor, step: int) -> Any:
                return self.fit(x) + (self.spare(x).pow(2).mean() if step % 2 else 0.0)

        report = train(Second(), steps=8, patience=2, accumulate_grad_batches=2)
        assert codes(report) == []

    def test_accumulation_counts_steps_of_the_optimizer(self, train: Train) -> None:
        """Eight batches are four steps."""
        found = only(train(Spare(), steps=8, patience=10, accumulate_grad_batches=2), "GG106")
        assert found.evidence.endswith("in 4 of 4 steps")

    @pytest.mark.parametrize("dead", [False, True])
    def test_lbfgs_calls_its_closure_often(self, train: Train, *, dead: bool) -> None:
        """Several backward passes in a batch are looked at as one step."""

        class Quasi(Spare):
            def loss(self, x: Tensor, step: int) -> Any:
                side = self.spare(x).pow(2).mean()
                return self.fit(x) + (side.detach() if dead else side)

            def configure_optimizers(self) -> Any:
                return torch.optim.LBFGS(self.parameters(), lr=0.1, max_iter=3)

        assert ("GG104" in codes(train(Quasi(), steps=3))) == dead

    def test_finding_with_lbfgs_names_only_the_dead(self, train: Train) -> None:
        """An unused layer is unused, however often the closure runs."""

        class Quasi(Spare):
            def configure_optimizers(self) -> Any:
                return torch.optim.LBFGS(self.parameters(), lr=0.1, max_iter=3)

        found = only(train(Quasi(), steps=4), "GG106")
        assert found.params == ("spare.weight", "spare.bias")


class Manual(Spare):
    """Two optimizers in turn; `mode` says how they are called."""

    mode = "toggle"
    dead = False

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def configure_optimizers(self) -> Any:
        """Split the parameters."""
        main = [*self.trunk.parameters(), *self.head.parameters()]
        return torch.optim.SGD(main, lr=0.1), torch.optim.Adam(self.spare.parameters())

    def training_step(self, batch: Tensor, batch_idx: int) -> None:
        """Step with both."""
        pair: Any = self.optimizers(use_pl_optimizer=self.mode != "raw")
        first, second = pair
        side = (self.spare(batch).detach() if self.dead else self.spare(batch)) + self.trunk.bias[0]
        for optimizer, loss in ((first, self.fit(batch)), (second, side.pow(2).mean())):
            if self.mode == "toggle":
                self.toggle_optimizer(optimizer)
                loss = self.fit(batch) if optimizer is first else self.spare(batch).pow(2).mean()  # noqa: PLW2901
            optimizer.zero_grad()
            if self.mode == "backward":
                loss.backward()
            else:
                self.manual_backward(loss)
            optimizer.step()
            if self.mode == "toggle":
                self.untoggle_optimizer(optimizer)


class TestManual:
    """Manual optimization."""

    @pytest.mark.parametrize("mode", ["toggle", "plain", "backward", "raw"])
    def test_two_optimizers_in_turn_are_healthy(self, train: Train, mode: str) -> None:
        """Toggled, plain, with a raw `backward`, and with raw optimizers."""
        model = Manual()
        model.mode = mode
        report = train(model)
        assert codes(report) == []
        notes = [found.code for found in report.diagnostics if "behind the back" in found.message]
        assert notes == (["GG901"] if mode == "raw" else [])
        assert (report.trained, report.total) == (6, 6)

    def test_frozen_under_a_wrapper_is_found(self, train: Train) -> None:
        """Frozen at every step of its optimizer, and named without the name of the wrapper."""

        class Wrapped(Manual):
            def training_step(self, batch: Tensor, batch_idx: int) -> None:
                self.spare.requires_grad_(requires_grad=False)
                super().training_step(batch, batch_idx)

        model = Wrapped()
        model.mode = "plain"
        wrapper = nn.Module()
        wrapper._orig_mod = model.spare
        model.spare = wrapper  # type: ignore[assignment]
        wrapper.forward = wrapper._orig_mod.forward
        found = only(train(model), "GG403")
        assert found.params == ("spare.weight", "spare.bias")

    def test_no_step_is_made_ready_to_be_run_again(
        self, train: Train, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It would step the optimizers once more, so its random state is not noted either."""
        monkeypatch.setattr(Replay, "mark", lambda _: pytest.fail("noted"))
        assert codes(train(Manual())) == []

    @pytest.mark.parametrize("mode", ["plain", "backward"])
    def test_dead_optimizer_is_found(self, train: Train, mode: str) -> None:
        """The parameters of the second optimizer are cut off, the first one trains."""
        model = Manual()
        model.mode, model.dead = mode, True
        found = only(train(model), "GG104")
        assert found.params == ("spare.weight", "spare.bias")
        assert marked(found.span) == "self.spare(batch).detach()"

    def test_raw_optimizer_that_never_gets_a_gradient(self, train: Train) -> None:
        """The same with optimizers that step behind the back of the Trainer."""
        model = Manual()
        model.mode, model.dead = "raw", True
        found = only(train(model), "GG104")
        assert found.params == ("spare.weight", "spare.bias")

    def test_raw_optimizer_without_a_turn(self, train: Train) -> None:
        """What does not step is owed no gradient, however short the run."""

        class Patient(Manual):
            def training_step(self, batch: Tensor, batch_idx: int) -> None:
                main = cast("Any", self.optimizers(use_pl_optimizer=False))[0]
                main.zero_grad()
                self.manual_backward(self.fit(batch))
                main.step()

        assert codes(train(Patient(), steps=3)) == []

    def test_optimizer_that_steps_seldom(self, train: Train) -> None:
        """Patience counts the steps of each optimizer by itself."""

        class Seldom(Manual):
            def training_step(self, batch: Tensor, batch_idx: int) -> None:
                pair: Any = self.optimizers()
                first, second = pair
                loss = self.fit(batch)
                if batch_idx % 4 == 3:
                    loss = loss + self.spare(batch).pow(2).mean()
                first.zero_grad()
                self.manual_backward(loss)
                first.step()
                if batch_idx % 4 == 3:
                    second.step()
                    second.zero_grad()

        assert codes(train(Seldom(), steps=8, patience=3)) == []


class TestParameters:
    """Parameters that come, go, freeze, or are unusual."""

    def test_frozen_on_purpose(self, train: Train) -> None:
        """What does not require grad is not judged."""
        model = Spare()
        model.spare.requires_grad_(requires_grad=False)
        report = train(model)
        assert codes(report) == []
        assert report.total == 4

    def test_frozen_in_the_middle(self, train: Train) -> None:
        """From then on nobody expects a gradient."""

        class Freezing(Spare):
            def loss(self, x: Tensor, step: int) -> Any:
                return self.fit(x) + self.spare(x).pow(2).mean()

            def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
                self.spare.requires_grad_(requires_grad=batch_idx < 2)

        assert codes(train(Freezing(), steps=8)) == []

    def test_unfrozen_in_the_middle(self, train: Train) -> None:
        """A parameter of the optimizer that is used from then on is healthy."""

        class Thawing(Spare):
            def build(self) -> None:
                super().build()
                self.spare.requires_grad_(requires_grad=False)

            def loss(self, x: Tensor, step: int) -> Any:
                return self.fit(x) + self.spare(x).pow(2).mean()

            def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
                self.spare.requires_grad_(requires_grad=batch_idx >= 3)

        report = train(Thawing(), steps=8)
        assert codes(report) == []
        assert report.total == 6

    def test_unfrozen_and_unused(self, train: Train) -> None:
        """Judged from the step on at which it requires grad."""

        class Thawing(Spare):
            def build(self) -> None:
                super().build()
                self.spare.requires_grad_(requires_grad=False)

            def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
                self.spare.requires_grad_(requires_grad=batch_idx >= 3)

        found = only(train(Thawing(), steps=8), "GG106")
        assert found.step == 5
        assert found.evidence.endswith("in 3 of 3 steps")

    def test_unfrozen_without_a_group(self, train: Train) -> None:
        """It gets gradients and no optimizer knows it."""

        class Thawing(Spare):
            def loss(self, x: Tensor, step: int) -> Any:
                return self.fit(x) + self.spare(x).pow(2).mean()

            def configure_optimizers(self) -> Any:
                chosen = [*self.trunk.parameters(), *self.head.parameters()]
                return torch.optim.SGD(chosen, lr=0.1)

        found = only(train(Thawing()), "GG401")
        assert set(found.params) == {"spare.weight", "spare.bias"}

    def test_replaced_after_the_optimizer_was_made(self, train: Train) -> None:
        """The optimizer holds the old head, the loss uses the new one."""

        class Replacing(Net):
            def on_train_start(self) -> None:
                self.head = nn.Linear(3, 1)

        found = only(train(Replacing()), "GG402")
        assert set(found.params) == {"head.weight", "head.bias"}
        assert marked(found.span) == "self.head = nn.Linear(3, 1)"

    def test_group_added_later(self, train: Train) -> None:
        """A new group is judged from then on."""

        class Growing(Net):
            def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
                if batch_idx == 2:
                    self.extra = nn.Linear(3, 1)
                    self.trainer.optimizers[0].add_param_group({"params": self.extra.parameters()})

        found = only(train(Growing(), steps=8), "GG106")
        assert set(found.params) == {"extra.weight", "extra.bias"}
        assert found.step == 4

    def test_tied_weights_count_once(self, train: Train) -> None:
        """One tensor under two names is one parameter."""

        class Tied(Net):
            def build(self) -> None:
                self.twin = nn.Linear(3, 1)
                self.twin.weight = self.head.weight

            def loss(self, x: Tensor, step: int) -> Any:
                return self.fit(x) + self.twin(x).pow(2).mean()

        report = train(Tied())
        assert codes(report) == []
        assert report.total == 5

    @pytest.mark.parametrize("used", [True, False])
    @pytest.mark.parametrize("kind", ["sparse", "complex", "scalar", "double", "lazy"])
    def test_unusual_parameters(self, train: Train, kind: str, *, used: bool) -> None:
        """Judged like any other: silent while they train, found where they do not."""

        class Unusual(Net):
            def build(self) -> None:
                self.odd = make(kind)

            def loss(self, x: Tensor, step: int) -> Any:
                return self.fit(x) + (apply(self.odd, x) if used else 0.0)

            def configure_optimizers(self) -> Any:
                self.odd(X) if kind == "lazy" else None
                return torch.optim.SGD(self.parameters(), lr=0.01)

        assert codes(train(Unusual(), steps=4)) == ([] if used else ["GG106"])

    def test_parameter_without_values(self, train: Train) -> None:
        """Nothing can flow into nothing."""

        class Empty(Net):
            def build(self) -> None:
                self.nothing = nn.Parameter(torch.zeros(0, 3))

        assert codes(train(Empty())) == []

    def test_lazy_parameter_that_is_made_in_the_first_step(self, train: Train) -> None:
        """A layer without values yet is in the optimizer and gets its values in training."""

        class Lazy(Net):
            def build(self) -> None:
                self.odd = nn.LazyLinear(1)

            def loss(self, x: Tensor, step: int) -> Any:
                return self.fit(x) + self.odd(x).pow(2).mean()

        assert codes(train(Lazy())) == []


def make(kind: str) -> nn.Module:
    """Make a module with one unusual parameter."""
    if kind == "sparse":
        return nn.Embedding(5, 2, sparse=True)
    if kind == "lazy":
        return nn.LazyLinear(1, bias=False)
    holder = nn.Module()
    values = {
        "complex": torch.ones(3, dtype=torch.complex64),
        "scalar": torch.tensor(1.0),
        "double": torch.ones(2, dtype=torch.float64),
    }
    holder.p = nn.Parameter(values[kind])
    return holder


def apply(module: nn.Module, x: Tensor) -> Tensor:
    """Use the unusual parameter in a term of the loss."""
    if isinstance(module, nn.Embedding):
        return module(torch.tensor([0, 3])).pow(2).mean()  # type: ignore[no-any-return]
    if not hasattr(module, "p"):
        return module(x).pow(2).mean()  # type: ignore[no-any-return]
    p: Any = module.p
    return ((p - 0.5).abs() ** 2).sum().float()  # type: ignore[no-any-return]


class TestCompiled:
    """Parts under `torch.compile`."""

    @pytest.fixture(autouse=True)
    def _fresh_compiler(self) -> Iterator[None]:
        yield
        torch._dynamo.reset()

    @pytest.mark.filterwarnings("ignore:Using `torch.compile.module.` when there are global hooks")
    @pytest.mark.parametrize("dead", [False, True])
    def test_compiled_layer(self, train: Train, *, dead: bool) -> None:
        """Names, lines and verdicts are those of the layer in eager mode."""

        class Inner(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = nn.Linear(3, 1)

            def forward(self, x: Tensor) -> Tensor:
                out: Tensor = self.layer(x)
                return out.detach() if dead else out

        class Compiling(Net):
            def build(self) -> None:
                self.inner = torch.compile(Inner(), backend="eager")

            def loss(self, x: Tensor, step: int) -> Any:
                return self.fit(x) + self.inner(x).pow(2).mean()

        report = train(Compiling())
        assert report.total == 6
        if not dead:
            assert codes(report) == []
            return
        found = only(report, "GG104")
        assert found.params == ("inner.layer.weight", "inner.layer.bias")
        assert marked(found.span) == "out.detach()"

    def test_compiled_function(self, train: Train) -> None:
        """A function that is compiled by itself is looked into as well."""

        @torch.compile(backend="eager")
        def side(x: Tensor, weight: Tensor) -> Tensor:
            return (x @ weight.T).round().mean()

        class Compiling(Spare):
            def loss(self, x: Tensor, step: int) -> Any:
                return self.fit(x) + side(x, self.spare.weight) + self.spare.bias.sum()

        found = only(train(Compiling()), "GG202")
        assert found.params == ("spare.weight",)
        assert marked(found.span) == "(x @ weight.T).round()"


class TestUpdates:
    """Gradients are there, and nothing moves."""

    def test_learning_rate_zero(self, train: Train) -> None:
        """Every group is held at 0."""

        class Held(Net):
            def configure_optimizers(self) -> Any:
                return torch.optim.SGD(self.parameters(), lr=0.0)

        assert len(only(train(Held()), "GG403").params) == 4

    @pytest.mark.parametrize("hook", ["on_after_backward", "on_before_optimizer_step"])
    def test_cleared_before_the_step(self, train: Train, hook: str) -> None:
        """The module throws its gradients away, before or after callbacks have looked."""

        class Clearing(Net):
            def on_after_backward(self) -> None:
                if hook == "on_after_backward":
                    self.zero_grad()

            def on_before_optimizer_step(self, optimizer: Any) -> None:
                if hook == "on_before_optimizer_step":
                    optimizer.zero_grad()

        assert len(only(train(Clearing()), "GG403").params) == 4


class TestSwitches:
    """`select`, `ignore`, `ignore_params` and comments."""

    def test_selection_and_exclusion(self, train: Train) -> None:
        """What is not asked for is not said."""
        assert codes(train(Spare(), select=["GG2"])) == []
        assert codes(train(Spare(), ignore=["GG106"])) == []
        assert codes(train(Spare(), select=["GG106"])) == ["GG106"]

    def test_ignored_parameters(self, train: Train) -> None:
        """A pattern over names takes parameters out of everything."""
        report = train(Spare(), ignore_params=["spare.*"])
        assert codes(report) == []
        assert (report.total, report.limits) == (4, ())

    def test_pattern_that_matches_nothing(self, train: Train) -> None:
        """A typing error in a pattern is said at the end."""
        report = train(Spare(), ignore_params=["spare.*", "spaer.*"])
        assert [limit for limit in report.limits if "'spaer.*'" in limit]
        assert not [limit for limit in report.limits if "'spare.*'" in limit]

    def test_comment_on_the_line(self, train: Train) -> None:
        """A finding whose line names its code is left out."""
        model = from_text("self.spare = nn.Linear(3, 1)  # gradguard: ignore[GG106]")
        assert train(model).diagnostics == ()

    def test_comment_with_another_code(self, train: Train) -> None:
        """A comment for one rule does not silence the others, and is said to be idle."""
        model = from_text("self.spare = nn.Linear(3, 1)  # gradguard: ignore[GG103]")
        report = train(model)
        assert {found.code for found in report.diagnostics} == {"GG106", "GG902"}
        assert codes(report) == ["GG106"]

    def test_comment_with_several_codes(self, train: Train) -> None:
        """The code that silences nothing is named alone."""
        model = from_text("self.spare = nn.Linear(3, 1)  # gradguard: ignore[GG106, GG204]")
        (found,) = train(model).diagnostics
        assert found.code == "GG902"
        assert "GG204" in found.message
        assert "GG106" not in found.message

    def test_comment_on_a_dead_term(self, train: Train) -> None:
        """It works where the finding points."""
        model = from_text(
            "pass", "loss = loss + out.round().detach().sum()  # gradguard: ignore[GG103]"
        )
        assert train(model).diagnostics == ()
        model = from_text("pass", "loss = loss + out.round().detach().sum()")
        assert codes(train(model)) == ["GG103"]

    def test_comment_of_another_model_is_left_alone(self, train: Train) -> None:
        """A class that took no part in the run may have its own comments."""
        extra = "class Other:\n    def f(self):\n        self.x = 1  # gradguard: ignore[GG106]\n"
        assert train(from_text("pass", extra=extra)).diagnostics == ()


NUMBERS = itertools.count()  # source text is cached by relative names, so no name is used twice
TEXT = """\
import pytorch_lightning as pl
import torch
from torch import nn


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 1)
        {made}

    def training_step(self, x, step):
        out = self.head(x)
        loss = out.pow(2).mean()
        {term}
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


{extra}
"""


def from_text(made: str, term: str = "pass", extra: str = "") -> pl.LightningModule:
    """Make a model of a file of its own, which lies in the working directory."""
    path = Path(f"model_{next(NUMBERS)}.py").resolve()
    path.write_text(TEXT.format(made=made, term=term, extra=extra), encoding="utf-8")
    scope: dict[str, Any] = {"__name__": path.stem}
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), scope)  # noqa: S102 - see above
    model: pl.LightningModule = scope["Model"]()
    return model


class TestCounts:
    """What the report says about the run."""

    def test_coverage_counts_values(self, train: Train) -> None:
        """Four of twenty values have had no gradient."""
        report = train(Spare())
        assert (report.trained, report.total) == (4, 6)
        assert report.coverage == pytest.approx(16 / 20)

    def test_traced_calls_are_counted(self, train: Train) -> None:
        """The report says how much was looked at, and what it cost."""
        report = train(Net())
        assert 0 < report.traced_calls <= report.seen_calls
        assert report.trace_ms > 0

    def test_second_fit_starts_anew(self, run_fit: Fit) -> None:
        """Counts and findings of an earlier run are gone."""
        guard = GradGuard(patience=2)
        run_fit(Spare(), loader([X] * 3), guard)
        assert codes(guard.report) == ["GG106"]
        run_fit(Net(), loader([X] * 3), guard)
        assert codes(guard.report) == []
        assert guard.report.total == 4


class Pair(nn.Module):
    """Two layers and no Lightning."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(3, 1)
        self.spare = nn.Linear(3, 1)

    def both(self) -> Tensor:
        """Return a loss that trains both."""
        loss: Tensor = (self.body(X) + self.spare(X)).pow(2).mean()
        return loss


class TestPlainTorch:
    """A session in a loop of one's own: it knows no Trainer."""

    @staticmethod
    def run(compute: Callable[[Pair, int], Tensor], *, scaled: bool = False) -> Report:
        """Train for six steps, without those that overflow, and return what was found."""
        model, report = Pair(), Report()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        session = Session(Settings(patience=3), report)
        session.attach(model, [optimizer], automatic=True, scaled=scaled)
        for step in range(6):
            session.begin_batch(step, X)
            loss = compute(model, step)
            optimizer.zero_grad()
            session.before_backward(loss)
            loss.backward()
            session.after_backward()
            session.before_step(optimizer)
            grads = [param.grad for param in model.parameters() if param.grad is not None]
            if all(bool(grad.isfinite().all()) for grad in grads):
                optimizer.step()
            session.end_batch()
        session.finish()
        return report

    def test_unused_layer(self) -> None:
        """Found as under a Trainer."""
        report = self.run(lambda model, _: model.body(X).pow(2).mean())
        assert only(report, "GG106").params == ("spare.weight", "spare.bias")

    def test_healthy_training(self) -> None:
        """And silent as under a Trainer."""
        report = self.run(lambda model, _: (model.body(X) + model.spare(X)).pow(2).mean())
        assert codes(report) == []
        assert report.total == 4

    @pytest.mark.parametrize(("overflows", "found"), [(2, False), (3, True)])
    def test_scaler_may_overflow_for_a_while(self, overflows: int, *, found: bool) -> None:
        """With a gradient scaler, infinities count after so many steps in a row."""

        def compute(model: Pair, step: int) -> Tensor:
            factor = float("inf") if step < overflows else 1.0
            out: Tensor = model.body(X) + model.spare(X)
            out.register_hook(lambda grad: grad * factor)
            return out.pow(2).mean()

        assert ("GG204" in codes(self.run(compute, scaled=True))) == found
        assert "GG204" in codes(self.run(compute))


class TestBatchTensors:
    """`batch_tensors`."""

    def test_names_nested_tensors(self) -> None:
        """As a user would write it."""
        one = torch.ones(1)
        batch = {"x": one, "more": (one, [one, "text"]), 3: None}
        names = list(batch_tensors(batch))
        assert names == ["batch['x']", "batch['more'][0]", "batch['more'][1][0]"]

    @pytest.mark.parametrize("batch", [None, 3, "text", object(), iter([])])
    def test_other_things_have_none(self, batch: object) -> None:
        """A batch need not hold any tensor."""
        assert batch_tensors(batch) == {}

    def test_depth_is_bounded(self) -> None:
        """A batch that contains itself is no trap."""
        batch: list[Any] = [torch.ones(1)]
        batch.append(batch)
        assert len(batch_tensors(batch)) == 4


def test_steps_of_patience_and_onset_fit_together(train: Train) -> None:
    """For several onsets and patiences a late failure is reported in time."""
    for onset, patience in itertools.product((1, 5), (1, 4)):

        class Faded(Spare):
            start = onset

            def loss(self, x: Tensor, step: int) -> Any:
                side = self.spare(x) * float(step < self.start)
                return self.fit(x) + side.pow(2).mean()

        found = only(train(Faded(), steps=12, patience=patience), "GG203")
        assert found.step <= onset + patience


def endless() -> Iterator[Tensor]:
    """Give batches for ever."""
    while True:
        yield X


def test_iterable_without_an_end(run_fit: Fit) -> None:
    """The number of batches need not be known."""

    class Stream(IterableDataset[Tensor]):
        def __iter__(self) -> Iterator[Tensor]:
            return endless()

    guard = GradGuard(patience=2)
    _, error = run_fit(Spare(), DataLoader(Stream(), batch_size=None), guard, max_steps=4)
    assert error is None
    assert codes(guard.report) == ["GG106"]


class TestQuiet:
    """Once all has gone well for a while, a step is a look at the loss and at the gradients."""

    PATIENCE = 4

    def run(
        self,
        compute: Callable[[Pair, int], Tensor] = lambda model, _: model.both(),
        before: Callable[[Pair, torch.optim.Optimizer, int], None] = lambda *_: None,
        model: Any = None,
        steps: int = 16,
        log_every: int = 0,
        **settings: Any,
    ) -> tuple[Session, list[bool]]:
        """Train, and return the session and for each step whether it ended quietly."""
        model = model or Pair()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        session = Session(Settings(patience=self.PATIENCE, **settings), Report())
        quiet: list[bool] = []
        for step in range(steps):
            before(model, optimizer, step)
            session.attach(model, [optimizer], automatic=True, scaled=False)
            session.begin_batch(step, X, Replay(model, (X, step)))
            loss = compute(model, step)
            optimizer.zero_grad()
            session.before_backward(loss)
            if not loss.requires_grad:
                break
            loss.backward()
            if not session.quiet:
                session.after_backward()
            session.before_step(optimizer)
            if log_every and step % log_every == 0:
                session.scalars(optimizer)
            optimizer.step()
            quiet.append(session.quiet)
            session.end_batch()
        session.finish()
        return session, quiet

    def test_begins_after_patience(self) -> None:
        """Not before, and every step is counted."""
        session, quiet = self.run()
        assert quiet == [False] * self.PATIENCE + [True] * (16 - self.PATIENCE)
        assert {t.alive for t in session.audit.tracks.values()} == {16}
        assert session.report.diagnostics == ()

    @pytest.mark.parametrize("begin", [7, 8])
    def test_lost_layer_ends_it(self, begin: int) -> None:
        """The run without gradients begins at its first step, and is a finding in time."""
        session, quiet = self.run(
            lambda model, step: model.both() if step < begin else model.body(X).pow(2).mean()
        )
        assert quiet[begin - 1 : begin + 1] == [True, False]
        found = only(session.report, "GG106")
        assert found.step == begin + self.PATIENCE - 1
        assert found.params == ("spare.weight", "spare.bias")
        assert session.audit.tracks["spare.weight"].first_dead == begin

    def test_layer_that_comes_back_lets_it_go_on(self) -> None:
        """One step without a gradient is no finding."""
        session, quiet = self.run(
            lambda model, step: model.body(X).pow(2).mean() if step == 8 else model.both()
        )
        assert quiet[7:11] == [True, False, False, True]
        assert codes(session.report) == []
        assert session.audit.tracks["spare.weight"].alive == 15

    def test_frozen_layer_is_not_missed(self) -> None:
        """What no longer requires grad is not judged, although nobody had asked at each step."""

        def freeze(model: Pair, _optimizer: torch.optim.Optimizer, step: int) -> None:
            model.spare.requires_grad_(step < 8)

        session, quiet = self.run(before=freeze)
        assert codes(session.report) == []
        assert quiet[10]
        assert session.audit.tracks["spare.weight"].steps == 8
        assert session.audit.tracks["body.weight"].steps == 16

    def test_thawed_layer_is_judged(self) -> None:
        """From the step on in which it requires grad."""

        def thaw(model: Pair, _optimizer: torch.optim.Optimizer, step: int) -> None:
            model.spare.requires_grad_(step >= 8)

        session, _ = self.run(lambda model, _: model.body(X).pow(2).mean(), before=thaw)
        found = only(session.report, "GG106")
        assert found.step == 8 + self.PATIENCE - 1
        assert session.audit.tracks["spare.weight"].first_dead == 8

    def test_replaced_parameter_is_judged(self) -> None:
        """The new one counts from its first step on."""

        def replace(model: Pair, optimizer: torch.optim.Optimizer, step: int) -> None:
            if step == 8:
                model.spare.weight = nn.Parameter(torch.ones(1, 3))
                optimizer.param_groups[0]["params"][2] = model.spare.weight

        session, quiet = self.run(before=replace)
        assert not quiet[8]
        assert codes(session.report) == []
        assert session.audit.tracks["spare.weight"].steps == 16

    def test_bad_loss_ends_it(self) -> None:
        """A loss that is not finite is noticed in its own step."""
        session, _ = self.run(
            lambda model, step: model.both() * (float("nan") if step == 9 else 1.0), steps=10
        )
        assert only(session.report, "GG204").step == 9

    def test_dead_loss_ends_it(self) -> None:
        """A loss without a graph is explained before its backward pass."""
        session, _ = self.run(
            lambda model, step: model.both().detach() if step == 9 else model.both()
        )
        assert only(session.report, "GG101").step == 9

    @pytest.mark.parametrize("log_every", [0, 3])
    def test_single_bad_value_is_met_when_the_norm_is_logged(self, log_every: int) -> None:
        """Samples may miss one value of many; the norm, which is logged now and then, does not."""
        model = nn.Linear(1000, 100)
        hidden = torch.ones(100, 1000)
        hidden[3, 37] = float("nan")

        def spoil(_model: Any, _optimizer: torch.optim.Optimizer, step: int) -> None:
            if step == 9:
                model.weight.register_hook(lambda grad: grad * hidden)

        session, _ = self.run(
            lambda *_: model(torch.ones(1, 1000)).mean(),
            spoil,
            model,
            steps=10,
            log_every=log_every,
        )
        assert codes(session.report) == (["GG204"] if log_every else [])

    def test_steps_that_are_not_looked_at(self) -> None:
        """With a cadence of two, every other step is looked at, quietly or not."""
        session, quiet = self.run(every_n_steps=2)
        assert quiet[-1]
        assert {t.alive for t in session.audit.tracks.values()} == {8}

    @pytest.mark.parametrize("draws", [False, True])
    def test_random_state_is_noted_where_steps_draw(
        self, monkeypatch: pytest.MonkeyPatch, *, draws: bool
    ) -> None:
        """To run a step again takes its random numbers; most of the others need no copy of them."""
        marks: list[Replay] = []
        mark = Replay.mark

        def noted(replay: Replay) -> Replay:
            marks.append(replay)
            return mark(replay)

        monkeypatch.setattr(Replay, "mark", noted)
        self.run(lambda model, _: model.both() + (0.0 * torch.rand(()) if draws else 0.0))
        assert len(marks) == (16 if draws else self.PATIENCE)

    def test_batch_and_loss_are_let_go(self) -> None:
        """When a batch ends, nothing of it is held."""
        session, _ = self.run()
        assert session.tracer.replay is None
        assert session._loss is None
