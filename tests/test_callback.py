# SPDX-License-Identifier: Apache-2.0
"""The callback in a Trainer: what it raises, warns and logs, and that its own bugs cost nothing."""

import copy
import logging
import pickle
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call

import lightning.pytorch as unified
import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.loggers.logger import Logger
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_gradguard import GradGuard, GradGuardError, GradGuardWarning

Fit = Callable[..., tuple[pl.Trainer, Exception | None]]
NO_HISTORY = "element 0 of tensors does not require grad and does not have a grad_fn"


class Net(pl.LightningModule):
    """Two layers that train."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(3, 4)
        self.head = nn.Linear(4, 2)

    def logits(self, x: Tensor) -> Tensor:
        """Compute the scores."""
        scores: Tensor = self.head(self.trunk(x).tanh())
        return scores

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Compute the loss."""
        x, y = batch
        return self.loss(self.logits(x), y)

    def loss(self, scores: Tensor, y: Tensor) -> Tensor:
        """Compute the loss from scores and classes."""
        return F.cross_entropy(scores, y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Train everything."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Accuracy(Net):
    """A metric in place of a loss."""

    def loss(self, scores: Tensor, y: Tensor) -> Tensor:
        """Compute what cannot be trained."""
        return 1 - (scores.argmax(1) == y).float().mean()


class Relabelled(Net):
    """The same, with the way around torch's error."""

    def loss(self, scores: Tensor, y: Tensor) -> Tensor:
        """Compute what cannot be trained, and hide it."""
        loss = 1 - (scores.argmax(1) == y).float().mean()
        return loss.requires_grad_()


class Term(Net):
    """A loss with a part that trains nothing."""

    def loss(self, scores: Tensor, y: Tensor) -> Tensor:
        """Add an accuracy."""
        return F.cross_entropy(scores, y) + (scores.argmax(1) != y).float().mean()


class Validated(Accuracy):
    """Can be used without training."""

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Look at the scores."""
        return self.logits(batch[0])

    test_step = predict_step = validation_step


class Spare(Net):
    """A layer too many."""

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(4, 2)


def data(batches: int = 6) -> DataLoader[Any]:
    """Return a few batches."""
    x = torch.linspace(-1, 1, 12).reshape(4, 3)
    y = torch.tensor([0, 1, 1, 0])
    pairs = [(x + 0.1 * number, y) for number in range(batches)]
    return DataLoader(pairs, batch_size=None)  # type: ignore[arg-type]


def weights(model: nn.Module) -> list[Tensor]:
    """Copy the weights."""
    return [param.detach().clone() for param in model.parameters()]


def same(left: list[Tensor], right: list[Tensor]) -> bool:
    """Say whether all are equal, bit by bit."""
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def codes(guard: GradGuard) -> list[str]:
    """Return the codes of the findings."""
    return [found.code for found in guard.report.diagnostics]


def warned(run: Callable[[], object]) -> list[str]:
    """Return the findings that a deed warns about."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    return [str(w.message) for w in caught if issubclass(w.category, GradGuardWarning)]


class TestStrict:
    """`strict=True`."""

    @pytest.mark.parametrize(("model", "code"), [(Relabelled, "GG102"), (Term, "GG103")])
    def test_raises_before_a_weight_moves(self, run_fit: Fit, model: type[Net], code: str) -> None:
        """What is certain at the loss stops the training there."""
        net = model()
        before = weights(net)
        trainer, error = run_fit(net, data(), GradGuard(strict=True))
        assert isinstance(error, GradGuardError)
        assert f"[{code}]" in str(error)
        assert trainer.global_step == 0
        assert same(before, weights(net))

    def test_keeps_the_words_of_torch(self, run_fit: Fit) -> None:
        """Whoever searches for torch's message finds the finding."""
        _, error = run_fit(Accuracy(), data(), GradGuard(strict=True))
        assert isinstance(error, GradGuardError)
        assert "[GG101]" in str(error)
        assert NO_HISTORY in str(error)

    def test_raises_after_patience(self, run_fit: Fit) -> None:
        """What later batches could refute is certain after so many steps."""
        trainer, error = run_fit(Spare(), data(), GradGuard(strict=True, patience=2), max_steps=5)
        assert isinstance(error, GradGuardError)
        assert trainer.global_step == 2

    def test_raises_at_the_end(self, run_fit: Fit) -> None:
        """A short run fails as well."""
        _, error = run_fit(Spare(), data(), GradGuard(strict=True))
        assert isinstance(error, GradGuardError)
        assert "in 3 of 3 steps" in str(error)

    def test_carries_the_report(self, run_fit: Fit) -> None:
        """The error has the findings, also after a journey between processes."""
        guard = GradGuard(strict=True)
        _, error = run_fit(Term(), data(), guard)
        assert isinstance(error, GradGuardError)
        assert error.report is guard.report
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - what was pickled here
        assert str(again) == str(error)
        assert [d.code for d in again.report.diagnostics] == ["GG103"]

    def test_healthy_training_ends(self, run_fit: Fit) -> None:
        """There is nothing to raise."""
        trainer, error = run_fit(Net(), data(), GradGuard(strict=True))
        assert error is None
        assert trainer.global_step == 3


class TestDefault:
    """Warnings."""

    def test_warns_once_and_trains_on(self, run_fit: Fit) -> None:
        """Twelve steps with a dead term are one warning."""
        net = Term()
        before = weights(net)
        texts = warned(lambda: run_fit(net, data(12), GradGuard(), max_steps=12))
        assert len(texts) == 1
        assert texts[0].startswith("warning[GG103]: ")
        assert not same(before, weights(net))

    def test_warns_once_for_each_cause(self, run_fit: Fit) -> None:
        """Two causes are two warnings."""

        class Both(Spare):
            loss = Term.loss

        texts = warned(lambda: run_fit(Both(), data(12), GradGuard(patience=2), max_steps=12))
        assert [text[:14] for text in texts] == ["warning[GG103]", "warning[GG106]"]

    def test_raises_where_torch_would(self, run_fit: Fit) -> None:
        """A loss without history ends the run with the diagnosis, without a warning beside it."""
        guard = GradGuard()
        errors: list[Exception | None] = []
        texts = warned(lambda: errors.append(run_fit(Accuracy(), data(), guard)[1]))
        assert texts == []
        assert isinstance(errors[0], GradGuardError)
        assert NO_HISTORY in str(errors[0])
        assert "scores.argmax(1)" in str(errors[0])

    def test_hidden_failure_trains_on(self, run_fit: Fit) -> None:
        """As torch does: nothing raises, nothing moves, and the guard says why."""
        net, guard = Relabelled(), GradGuard()
        before = weights(net)
        trainer, error = run_fit(net, data(), guard)
        assert error is None
        assert trainer.global_step == 3
        assert codes(guard) == ["GG102"]
        assert same(before, weights(net))

    @pytest.mark.parametrize(
        ("loss", "text"),
        [
            (
                lambda s, _: (s // 0.5).mean(),
                "derivative for aten::floor_divide is not implemented",
            ),
            (lambda s, _: s.mean(1), "grad can be implicitly created only for scalar outputs"),
            (lambda s, _: s.sigmoid().mul_(2).mean() + s.sum().item() / 0, "division by zero"),
        ],
    )
    def test_other_errors_pass_as_they_are(
        self, run_fit: Fit, monkeypatch: pytest.MonkeyPatch, loss: Any, text: str
    ) -> None:
        """The same type and text as without a guard."""
        monkeypatch.setattr(Net, "loss", lambda _, scores, y: loss(scores, y))
        _, expected = run_fit(Net(), data())
        _, error = run_fit(Net(), data(), GradGuard())
        assert type(error) is type(expected)
        assert str(error) == str(expected)
        assert text in str(error)

    def test_interrupted_training_is_summed_up(self, run_fit: Fit) -> None:
        """An exception from a callback of the user leaves a report behind."""

        class Stop(pl.Callback):
            def on_train_batch_end(self, *_args: Any) -> None:
                raise KeyError("enough")

        guard = GradGuard(report="out.json")
        _, error = run_fit(Spare(), data(), guard, callbacks=[Stop()])
        assert isinstance(error, KeyError)
        assert Path("out.json").exists()
        assert torch._C._len_torch_function_stack() == 0

    def test_run_that_the_user_ends_is_judged(self, run_fit: Fit) -> None:
        """After Ctrl-C, what has lasted until then is said."""

        class Stop(pl.Callback):
            def on_train_batch_end(self, trainer: Any, *_args: Any) -> None:
                if trainer.global_step == 3:
                    raise KeyboardInterrupt

        guard = GradGuard()
        with pytest.raises(SystemExit):
            run_fit(Spare(), data(), guard, callbacks=[Stop()], max_steps=6)
        assert codes(guard) == ["GG106"]
        assert torch._C._len_torch_function_stack() == 0

    def test_one_line_when_all_is_well(
        self, run_fit: Fit, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The end of a clean run is one line on the error stream, and nothing else is printed."""
        texts = warned(lambda: run_fit(Net(), data(), GradGuard()))
        printed = capsys.readouterr()
        assert texts == []
        assert printed.err == "gradguard: 4 of 4 trainable parameters received a gradient\n"
        assert "gradguard" not in printed.out


class TestLoggers:
    """`log_metrics` and text."""

    @staticmethod
    def logger(**more: Any) -> Mock:
        """Return a logger that remembers what it was told."""
        return Mock(spec=[*dir(Logger), *more], name="logger", **more)

    def test_scalars_at_the_cadence(self, run_fit: Fit) -> None:
        """Two calls in four steps, with exactly these numbers."""
        logger = self.logger(experiment=object())
        guard = GradGuard(log_every_n_steps=2)
        run_fit(Net(), data(), guard, max_steps=4, logger=logger)
        mine = [c for c in logger.log_metrics.mock_calls if "gradguard/coverage" in c.args[0]]
        norms = [c.args[0].pop("gradguard/grad_norm") for c in mine]
        rest = {
            "gradguard/coverage": 1.0,
            "gradguard/missing": 0.0,
            "gradguard/zero": 0.0,
            "gradguard/nonfinite": 0.0,
        }
        assert mine == [call(rest, step=0), call(rest, step=2)]
        assert all(norm > 0 for norm in norms)

    def test_norm_is_that_of_the_gradients(self, run_fit: Fit) -> None:
        """The L2 norm over all values, before the step."""
        expected: list[float] = []

        class Reckoning(pl.Callback):
            def on_before_optimizer_step(self, trainer: Any, pl_module: Any, *_: Any) -> None:
                grads = [param.grad.flatten() for param in pl_module.parameters()]
                expected.append(float(torch.cat(grads).norm()))

        logger = self.logger(experiment=object())
        guard = GradGuard(log_every_n_steps=1)
        run_fit(Net(), data(), guard, logger=logger, callbacks=[Reckoning()])
        values = [c.args[0] for c in logger.log_metrics.mock_calls if c.args]
        norms = [v["gradguard/grad_norm"] for v in values if "gradguard/grad_norm" in v]
        assert norms == pytest.approx(expected)

    def test_missing_parameters_are_counted(self, run_fit: Fit) -> None:
        """Numbers of parameters, and the share of values."""
        logger = self.logger(experiment=object())
        run_fit(Spare(), data(), GradGuard(log_every_n_steps=1), logger=logger)
        values = [c.args[0] for c in logger.log_metrics.mock_calls if c.args]
        found = next(v for v in values if "gradguard/missing" in v)
        assert found["gradguard/missing"] == 2.0
        assert found["gradguard/coverage"] == pytest.approx(26 / 36)

    def test_cadence_of_the_trainer(self, run_fit: Fit) -> None:
        """Without an own cadence that of the Trainer holds."""
        logger = self.logger(experiment=object())
        run_fit(Net(), data(), GradGuard(), max_steps=6, logger=logger, log_every_n_steps=3)
        steps = [c.kwargs["step"] for c in logger.log_metrics.mock_calls if "step" in c.kwargs]
        assert [step for step in steps if step is not None] == [0, 3]

    def test_several_loggers_get_the_same(self, run_fit: Fit) -> None:
        """None is forgotten."""
        loggers = [self.logger(experiment=object()) for _ in range(2)]
        run_fit(Net(), data(), GradGuard(log_every_n_steps=1), logger=loggers)
        first, second = (logger.log_metrics.mock_calls for logger in loggers)
        assert first == second
        assert first

    def test_logger_that_raises_is_named_once(
        self, run_fit: Fit, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The others go on, and so does the training."""
        bad, good = (self.logger(experiment=object()) for _ in range(2))
        bad.log_metrics.side_effect = OSError("disk full")
        guard = GradGuard(log_every_n_steps=1)
        with caplog.at_level(logging.WARNING, "lightning_gradguard"):
            trainer, error = run_fit(Net(), data(), guard, logger=[bad, good])
        assert error is None
        assert trainer.global_step == 3
        assert len(good.log_metrics.mock_calls) == 3
        assert [r.message for r in caplog.records if "disk full" in r.getMessage()] != []
        assert len([r for r in caplog.records if "disk full" in r.getMessage()]) == 1
        assert codes(guard) == []

    def test_findings_as_text(self, run_fit: Fit) -> None:
        """A logger whose experiment shows text gets the diagnostic."""
        logger = self.logger(experiment=Mock(spec=["add_text"]))
        run_fit(Term(), data(), GradGuard(), logger=logger)
        (shown,) = logger.experiment.add_text.mock_calls
        assert shown.args[0] == "gradguard/GG103"
        assert "warning[GG103]" in shown.args[1]
        assert shown.args[2] == 0

    def test_no_logger(self, run_fit: Fit) -> None:
        """Nothing to write to is no trouble."""
        _, error = run_fit(Net(), data(), GradGuard(log_every_n_steps=1), logger=False)
        assert error is None


class TestReuse:
    """One guard in several runs, and runs without training."""

    def test_in_two_trainers(self, run_fit: Fit) -> None:
        """The second run starts with an empty report."""
        guard = GradGuard()
        run_fit(Term(), data(), guard)
        first = guard.report
        run_fit(Net(), data(), guard)
        assert [d.code for d in first.diagnostics] == ["GG103"]
        assert codes(guard) == []

    def test_twice_in_one_trainer(self, run_fit: Fit) -> None:
        """A second `fit` of the same Trainer is a new run."""
        guard = GradGuard()
        trainer, _ = run_fit(Spare(), data(), guard, max_steps=2)
        trainer.fit_loop.epoch_loop.max_steps = 4
        trainer.fit(Net(), data())
        assert codes(guard) == []
        assert guard.report.total == 4

    @pytest.mark.parametrize("stage", ["validate", "test", "predict"])
    def test_without_training(self, stage: str) -> None:
        """The guard has nothing to do and does nothing."""
        guard = GradGuard(strict=True)
        trainer = pl.Trainer(
            accelerator="cpu",
            callbacks=[guard],
            logger=False,
            enable_progress_bar=False,
            enable_checkpointing=False,
            enable_model_summary=False,
        )
        getattr(trainer, stage)(Validated(), data())
        assert codes(guard) == []
        assert guard.report.total == 0

    def test_with_validation_in_between(self, run_fit: Fit) -> None:
        """What runs outside of a training step is not traced and not judged."""

        class Both(Validated):
            loss = Net.loss

        guard = GradGuard()
        _, error = run_fit(
            Both(), (data(), data()), guard, num_sanity_val_steps=1, val_check_interval=2
        )
        assert error is None
        assert codes(guard) == []

    @pytest.mark.parametrize("batches", [0, 1])
    def test_hardly_any_batches(self, run_fit: Fit, batches: int) -> None:
        """An empty epoch and a single batch are no special cases."""
        guard = GradGuard()
        _, error = run_fit(Net(), data(), guard, limit_train_batches=batches, max_epochs=1)
        assert error is None
        assert codes(guard) == []

    def test_fast_dev_run(self, run_fit: Fit) -> None:
        """One batch is enough to find a cut loss."""
        guard = GradGuard()
        _, error = run_fit(Accuracy(), data(), guard, fast_dev_run=True, max_steps=-1)
        assert isinstance(error, GradGuardError)

    @pytest.mark.parametrize("namespace", [pl, unified])
    def test_in_both_namespaces(self, namespace: Any) -> None:
        """The same class is a callback of `pytorch_lightning` and of `lightning.pytorch`."""

        class Model(namespace.LightningModule):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.head = nn.Linear(3, 2)
                self.spare = nn.Linear(3, 2)

            def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
                return F.cross_entropy(self.head(batch[0]), batch[1])

            def configure_optimizers(self) -> torch.optim.Optimizer:
                return torch.optim.SGD(self.parameters(), lr=0.1)

        guard = GradGuard()
        assert isinstance(guard, namespace.Callback)
        trainer = namespace.Trainer(
            accelerator="cpu",
            max_steps=2,
            callbacks=[guard],
            logger=False,
            enable_progress_bar=False,
            enable_checkpointing=False,
            enable_model_summary=False,
        )
        trainer.fit(Model(), data())
        assert codes(guard) == ["GG106"]


class TestState:
    """Copies, pickles and checkpoints."""

    @pytest.mark.parametrize("after", [False, True])
    def test_picklable_and_copyable(self, run_fit: Fit, *, after: bool) -> None:
        """Before a fit and after it; the findings come along."""
        guard = GradGuard(patience=2, ignore_params=["x.*"], report="out.md")
        if after:
            run_fit(Term(), data(), guard)
            del guard.log, guard.log_dict  # the Trainer hangs methods of the module on callbacks
        twins = [copy.deepcopy(guard), pickle.loads(pickle.dumps(guard))]  # noqa: S301 - own bytes
        for twin in twins:
            assert twin.settings == guard.settings
            assert twin.report.to_dict() == guard.report.to_dict()

    def test_copy_in_the_middle_of_a_fit(self, run_fit: Fit) -> None:
        """A library may copy its callbacks while they work."""
        copies: list[GradGuard] = []
        guard = GradGuard()

        class Copying(pl.Callback):
            def on_train_batch_start(self, *_args: Any) -> None:
                copies.append(copy.copy(guard))
                copies[-1]._session = None

        _, error = run_fit(Net(), data(), guard, callbacks=[Copying()])
        assert error is None
        assert len(copies) == 3

    def test_state_makes_the_round_trip(self) -> None:
        """What a checkpoint holds is taken up by the next run."""
        first, second = GradGuard(), GradGuard()
        trainer = Mock(world_size=1)
        for guard in (first, second):
            guard.setup(trainer, Net(), "fit")
        assert first._session is not None
        assert second._session is not None
        param = nn.Parameter(torch.ones(3))
        param.grad = torch.ones(3)
        first._session.audit.observe({"p": param}, 0)
        second.load_state_dict(pickle.loads(pickle.dumps(first.state_dict())))  # noqa: S301 - own
        track = second._session.audit.tracks["p"]
        assert (track.numel, track.steps, track.alive) == (3, 1, 1)

    @pytest.mark.parametrize("state", [{}, {"version": 99, "audit": None}])
    def test_unknown_state_is_left_alone(self, state: dict[str, Any]) -> None:
        """A checkpoint of another version does no harm."""
        guard = GradGuard()
        guard.load_state_dict(state)
        guard.setup(Mock(world_size=1), Net(), "fit")
        guard.load_state_dict(state)
        assert guard._session is not None
        assert guard._session.audit.tracks == {}

    @pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint")
    def test_resumed_run_knows_what_has_trained(self, run_fit: Fit, tmp_path: Path) -> None:
        """A layer that has trained before the checkpoint is not unused in a short rest."""

        class First(Spare):
            def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
                loss = super().training_step(batch, batch_idx)
                if self.global_step < 3:
                    loss = loss + self.spare(self.trunk(batch[0])).pow(2).mean()
                return loss

        class Saving(pl.Callback):
            def on_train_batch_end(self, trainer: Any, *_args: Any) -> None:
                trainer.save_checkpoint(tmp_path / "middle.ckpt")

        run_fit(First(), data(), GradGuard(), max_steps=3, callbacks=[Saving()])
        guard = GradGuard()
        later = pl.Trainer(
            accelerator="cpu",
            max_steps=5,
            callbacks=[guard],
            logger=False,
            enable_progress_bar=False,
            enable_checkpointing=False,
            enable_model_summary=False,
        )
        later.fit(First(), data(), ckpt_path=tmp_path / "middle.ckpt")
        assert later.global_step == 5
        assert guard.report.total == 6
        assert codes(guard) == []


class TestReportFile:
    """`report=`."""

    @pytest.mark.parametrize("name", ["out.json", "deep/out.sarif", "out.md"])
    def test_is_written_at_the_end(self, run_fit: Fit, name: str) -> None:
        """Folders are made, the form follows the suffix."""
        run_fit(Term(), data(), GradGuard(report=name))
        assert "GG103" in Path(name).read_text(encoding="utf-8")

    def test_is_written_when_strict_raises(self, run_fit: Fit) -> None:
        """The run that fails is the one whose report is wanted."""
        run_fit(Accuracy(), data(), GradGuard(strict=True, report="out.json"))
        assert "GG101" in Path("out.json").read_text(encoding="utf-8")


FAULTS = [
    "lightning_gradguard.trace.Recorder._before",
    "lightning_gradguard.trace.Recorder._after",
    "lightning_gradguard.trace.Recorder._after_usual",
    "lightning_gradguard.trace.Recorder.__enter__",
    "lightning_gradguard.trace.Recorder.forget",
    "lightning_gradguard.trace.recorder.capture",
    "lightning_gradguard.syntax.node_at",
    "lightning_gradguard.advice.for_term",
    "lightning_gradguard.tracer.walk",
    "lightning_gradguard.tracer.Flow",
    "lightning_gradguard.flow.Flow._explain",
    "lightning_gradguard.flow.state_of",
    "lightning_gradguard.flow._saved_facts",
    "lightning_gradguard.audit.Audit.observe",
    "lightning_gradguard.audit.Audit.coverage",
    "lightning_gradguard.lineage.Lineage.cuts",
    "lightning_gradguard.lineage.Lineage.dead_terms",
    "lightning_gradguard.diagnose.disconnected_loss",
    "lightning_gradguard.diagnose.constant_terms",
    "lightning_gradguard.diagnose.missing_parameters",
    "lightning_gradguard.session.Session.begin_batch",
    "lightning_gradguard.session.Session.before_backward",
    "lightning_gradguard.session.Session.after_backward",
    "lightning_gradguard.session.Session.before_step",
    "lightning_gradguard.session.Session.end_batch",
    "lightning_gradguard.session.Session.finish",
    "lightning_gradguard.session.Session.attach",
    "lightning_gradguard.session.Session.scalars",
    "lightning_gradguard.scalars.log_scalars",
    "lightning_gradguard.scalars.log_findings",
    "lightning_gradguard.gallery.Gallery.step",
    "lightning_gradguard.gallery.Gallery.close",
    "lightning_gradguard.callback.Replay",
    "lightning_gradguard.report.Report.write",
    "lightning_gradguard.report.Report.add",
    "lightning_gradguard.report.Report.render",
    "lightning_gradguard.callback.render",
]  # fmt: skip
# Places without which nothing can be told.
MUTE = {"lightning_gradguard.report.Report.add", "lightning_gradguard.report.Report.render"}


def broken(*_args: Any, **_kwargs: Any) -> None:
    """Stand in for a part with a bug."""
    message = "injected"
    raise ZeroDivisionError(message)


class Noisy(Spare):
    """A training that shows every random number that was drawn, with a dead term and a zero."""

    def loss(self, scores: Tensor, y: Tensor) -> Tensor:
        """Compute a loss with dropout."""
        loss = F.cross_entropy(F.dropout(scores, 0.3), y) + scores.round().mean()
        return loss + (scores.argmax(1) != y).float().mean()


def trained(
    run_fit: Fit, guard: GradGuard | None, kind: type[Net] = Noisy
) -> tuple[list[Tensor], Exception | None, int]:
    """Train with a logger and a report, and return weights, error and steps."""
    torch.manual_seed(5)
    model = kind()
    logger = TestLoggers.logger(experiment=Mock(spec=["add_text"]))
    trainer, error = run_fit(model, data(), guard, max_steps=5, logger=logger, log_every_n_steps=1)
    return weights(model), error, trainer.global_step


def stance() -> str:
    """Return the stance of torch.compile, and put it back."""
    frames = sys.modules.get("torch._dynamo.eval_frame")
    found = "default" if frames is None else str(frames._stance.stance)
    if found != "default":
        torch.compiler.set_stance("default")
    return found


class TestFaults:
    """Bugs in the guard, put into every layer."""

    @pytest.mark.parametrize("place", FAULTS)
    def test_training_ends_as_without_the_guard(
        self, run_fit: Fit, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        """The same weights, no error, nothing left behind, and the part is named."""
        expected, _, steps = trained(run_fit, None)
        guard = GradGuard(patience=2, report="out.json")
        monkeypatch.setattr(place, broken)
        found, error, reached = trained(run_fit, guard)
        monkeypatch.undo()
        assert stance() == "default"
        assert torch._C._len_torch_function_stack() == 0
        assert error is None
        assert reached == steps == 5
        assert same(expected, found)
        if place not in MUTE:
            assert "GG901" in codes(guard)
            assert any("injected" in limit for limit in guard.report.limits)

    @pytest.mark.parametrize(
        "place",
        [
            "lightning_gradguard.trace.Recorder._before",
            "lightning_gradguard.tracer.walk",
            "lightning_gradguard.tracer.Flow",
            "lightning_gradguard.audit.Audit.observe",
            "lightning_gradguard.session.Session.finish",
            "lightning_gradguard.report.Report.write",
        ],
    )
    def test_strict_raises_the_bug(
        self, run_fit: Fit, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        """Whoever asks for certainty gets no half-checked run."""
        monkeypatch.setattr(place, broken)
        _, error, _ = trained(run_fit, GradGuard(strict=True, report="out.json"), Net)
        assert isinstance(error, ZeroDivisionError)

    def test_fault_is_named_once_with_its_traceback(
        self, run_fit: Fit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The log has the traceback, the report has the line, and each only once."""
        monkeypatch.setattr("lightning_gradguard.audit.Audit.observe", broken)
        guard = GradGuard()
        with caplog.at_level(logging.ERROR, "lightning_gradguard"):
            run_fit(Net(), data(), guard)
        (record,) = [r for r in caplog.records if r.name == "lightning_gradguard"]
        assert record.exc_info is not None
        assert codes(guard) == ["GG901"]
        assert "injected" in guard.report.diagnostics[0].cause

    def test_fault_in_one_part_leaves_the_others_on(
        self, run_fit: Fit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a trace, unused parameters are still counted."""
        monkeypatch.setattr("lightning_gradguard.trace.Recorder._before", broken)
        guard = GradGuard(patience=2)
        run_fit(Spare(), data(), guard)
        assert codes(guard) == ["GG901", "GG106"]
