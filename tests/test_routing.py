# SPDX-License-Identifier: Apache-2.0
"""Recognised and named metrics are computed over the epoch, and nothing else changes."""
# ruff: noqa: D102 - the hooks of a module need no explanation

import copy
import json
import math
import os
import pickle
import runpy
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
import torchmetrics
from pytorch_lightning.callbacks import ModelCheckpoint
from shapes import SHAPES, make
from spellings import SPELLINGS
from test_metrics import torchmetrics_value
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import BinaryF1Score, MulticlassAccuracy

from lightning_gradguard import GradGuard
from lightning_gradguard.metrics import Metric
from lightning_gradguard.routing import Routing
from lightning_gradguard.trace import Recorder

SIZES = (8, 3)  # uneven: 11 samples in batches of 8
CLASSES = 3
WORKER = Path(__file__).parent / "ranks" / "routed.py"


class Classifier(pl.LightningModule):
    """A module whose loss has an accuracy in it; remembers what a metric should have seen."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 8), nn.ReLU())
        self.head = nn.Linear(8, CLASSES)
        self.seen: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self.head(self.body(x))
        self.seen.append((logits.detach().clone(), y.clone()))
        error = 1 - (logits.argmax(dim=1) == y).float().mean()
        loss: Tensor = F.cross_entropy(logits, y) + 0.5 * error
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Beside(Classifier):
    """The metric is only logged, as a mean of batch means."""

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self.head(self.body(x))
        self.seen.append((logits.detach().clone(), y.clone()))
        self.log("acc", (logits.argmax(dim=1) == y).float().mean(), on_step=False, on_epoch=True)
        return F.cross_entropy(logits, y)


class Returns(Classifier):
    """Predictions and target are handed back."""

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:  # type: ignore[override]
        x, y = batch
        logits = self.head(self.body(x))
        self.seen.append((logits.detach().clone(), y.clone()))
        return {"loss": F.cross_entropy(logits, y), "preds": logits, "target": y}


def loader(count: int = sum(SIZES), size: int = SIZES[0]) -> DataLoader[Any]:
    """Return seeded data in uneven batches."""
    source = torch.Generator().manual_seed(1)
    x = torch.randn(count, 5, generator=source)
    y = torch.randint(0, CLASSES, (count,), generator=source)
    return DataLoader(TensorDataset(x, y), batch_size=size)


def fit(model: pl.LightningModule, *callbacks: pl.Callback, **options: Any) -> pl.Trainer:
    """Train quietly."""
    settings: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_progress_bar": False,
        "max_epochs": 2,
        "enable_model_summary": False,
        "enable_checkpointing": any(isinstance(c, ModelCheckpoint) for c in callbacks),
    } | {k: v for k, v in options.items() if k not in {"data", "ckpt_path"}}
    trainer = pl.Trainer(callbacks=list(callbacks), **settings)
    trainer.fit(model, options.get("data") or loader(), ckpt_path=options.get("ckpt_path"))
    return trainer


def by_hand(
    model: Classifier, epoch: int, metric: torchmetrics.Metric | None = None, batches: int = 2
) -> float:
    """Compute the metric of one epoch from what the module has seen."""
    metric = metric or MulticlassAccuracy(CLASSES, average="micro")
    for logits, target in model.seen[epoch * batches : (epoch + 1) * batches]:
        metric.update(logits, target)
    return float(metric.compute())


class TestRecognised:
    """`metrics="route"`."""

    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.parametrize("model", [Classifier, Beside])
    def test_the_epoch_value_is_that_of_torchmetrics(self, model: type[Classifier]) -> None:
        """Uneven batches count by their samples, the traced first batch included."""
        module = model()
        guard = GradGuard(metrics="route")
        trainer = fit(module, guard, max_epochs=3)
        assert float(trainer.callback_metrics["gradguard/accuracy"]) == pytest.approx(
            by_hand(module, 2)
        )
        assert not [limit for limit in guard.report.limits if "rout" in limit]

    @pytest.mark.filterwarnings("ignore")
    def test_the_first_epoch_counts_the_traced_batch(self) -> None:
        """Nothing of the first epoch is missing."""
        module = Classifier()
        trainer = fit(module, GradGuard(metrics="route"), max_epochs=1)
        assert float(trainer.callback_metrics["gradguard/accuracy"]) == pytest.approx(
            by_hand(module, 0)
        )

    @pytest.mark.filterwarnings("ignore")
    def test_weights_and_losses_are_bitwise_the_same(self) -> None:
        """Routing changes nothing that is trained."""
        results = []
        for mode in ("off", "route"):
            torch.manual_seed(4)
            module = Classifier()
            fit(module, GradGuard(metrics=mode))
            results.append(
                [*module.state_dict().values(), *(s for s, _ in module.seen), torch.get_rng_state()]
            )
        assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))

    @pytest.mark.filterwarnings("ignore")
    def test_no_hook_and_no_submodule_is_left(self) -> None:
        """After the fit the module is as before."""
        module = Classifier()
        names = [n for n, _ in module.named_modules()]
        fit(module, GradGuard(metrics="route"))
        assert [n for n, _ in module.named_modules()] == names
        assert not any(m._forward_hooks for m in module.modules())

    @pytest.mark.filterwarnings("ignore")
    def test_a_checkpoint_can_monitor_it(self, tmp_path: Path) -> None:
        """The value is there when `ModelCheckpoint` looks for it."""
        best = ModelCheckpoint(tmp_path, monitor="gradguard/accuracy", mode="max", filename="best")
        fit(Classifier(), GradGuard(metrics="route"), best)
        assert (tmp_path / "best.ckpt").exists()
        assert best.best_model_score is not None

    @pytest.mark.filterwarnings("ignore")
    def test_a_resumed_epoch_goes_on_counting(self, tmp_path: Path) -> None:
        """A checkpoint in the midst of an epoch carries the accumulated state."""
        module = Classifier()
        halfway = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
        fit(module, GradGuard(metrics="route"), halfway, data=loader(20, 8), max_epochs=1)
        again = Classifier()
        trainer = fit(
            again,
            GradGuard(metrics="route"),
            data=loader(20, 8),
            max_epochs=1,
            ckpt_path=tmp_path / "step=1.ckpt",
        )
        whole = Classifier()
        whole.seen = [module.seen[0], *again.seen]
        if len(again.seen) == len(loader(20, 8)):
            pytest.skip("this version of Lightning begins a resumed epoch with its first batch")
        assert len(again.seen) == 2
        assert float(trainer.callback_metrics["gradguard/accuracy"]) == pytest.approx(
            by_hand(whole, 0, batches=3)
        )

    @pytest.mark.filterwarnings("ignore")
    def test_what_cannot_be_routed_is_said(self) -> None:
        """Scores that no submodule makes are only advised about."""

        class Bare(Classifier):
            def __init__(self) -> None:
                super().__init__()
                self.weight = nn.Parameter(torch.randn(5, CLASSES))
                del self.body, self.head

            def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
                x, y = batch
                logits = x @ self.weight
                return F.cross_entropy(logits, y) + (logits.argmax(1) != y).float().mean()

        guard = GradGuard(metrics="route")
        trainer = fit(Bare(), guard)
        assert "gradguard/accuracy" not in trainer.callback_metrics
        assert any("not routed" in limit for limit in guard.report.limits)

    @pytest.mark.filterwarnings("ignore")
    def test_other_modes_do_not_route(self) -> None:
        """`advise` names the metric, `off` does not even that."""
        named = []
        for mode in ("advise", "off"):
            guard = GradGuard(metrics=mode)
            trainer = fit(Classifier(), guard)
            assert "gradguard/accuracy" not in trainer.callback_metrics
            named.append({d.metric for d in guard.report.diagnostics})
        assert named == [{"MulticlassAccuracy"}, {None}]

    def test_a_routed_step_costs_little(self) -> None:
        """A step with a route costs an unrouted one, the metric's own update, and 2 %."""
        x, y = torch.randn(256, 5), torch.randint(0, CLASSES, (256,))
        model = Classifier()
        routing = routed(model, x, y)
        metric = MulticlassAccuracy(CLASSES, average="micro", validate_args=False)

        def with_route() -> None:
            routing.begin_batch([x, y])
            full_step(model, x, y)
            routing.end_batch({})

        plain, update = median(lambda: full_step(model, x, y)), median(lambda: metric.update(y, y))
        assert (
            median(with_route) < 1.02 * plain + update + 3e-4
        )  # the last for the noise of the clock
        assert routing.limits == []


def routed(model: Classifier, x: Tensor, y: Tensor) -> Routing:
    """Return a routing that has seen one traced step."""
    routing = Routing()
    routing.start(model, torch.device("cpu"))
    params = dict(model.named_parameters())
    recorder = Recorder(
        params, modules=dict(model.named_modules()), batch={"batch[0]": x, "batch[1]": y}
    )
    with recorder:
        loss = model.training_step([x, y], 0)
    assert loss.requires_grad
    routing.watch(recorder.trace, None)
    assert list(routing._routes) == ["accuracy"]
    return routing


def full_step(model: Classifier, x: Tensor, y: Tensor) -> None:
    """Run a step with its backward pass."""
    model.training_step([x, y], 0).backward()
    model.seen.clear()


def median(deed: Any) -> float:
    """Return the median time of a deed, in s."""
    times = []
    for _ in range(60):
        start = time.perf_counter()
        deed()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


ROUTED = (
    "argmax eq mean",
    "topk",
    "macro f1",
    "kappa",
    "pixels",
    "masked",
    "exact match",
    "threshold",
    "column",
    "f1 counts",
    "specificity",
    "iou",
    "hamming",
    "label f1",
    "auc by ranks",
    "ndcg",
    "precision at",
    "reciprocal rank",
    "rounded counts",
    "spearman",
    "dice of masks",
    "item",
    "in the first three",
    "valid pixels",
    "mean average precision",
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ROUTED)
def test_two_batches_give_the_value_of_both(name: str) -> None:
    """The traced batch and a hooked one together are what torchmetrics makes of all samples."""
    shape = (SHAPES | SPELLINGS)[name]
    size, target = make(shape.data)
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(7, math.prod(size[1:])), nn.Unflatten(1, size[1:] or (1,)))
    batches = [torch.randn(size[0], 7) for _ in range(2)]
    routing = Routing()
    routing.start(model, torch.device("cpu"))
    recorder = Recorder(
        dict(model.named_parameters()),
        modules=dict(model.named_modules()),
        batch={"batch[0]": batches[0], "batch[1]": target},
    )
    with recorder:
        scores = model(batches[0])
        shape.step(scores if len(size) > 1 else scores.flatten(), target)
    routing.watch(recorder.trace, None)
    wanted = shape.expected.split()
    (route,) = (r for r in routing._routes.values() if r.plan.metric.name in wanted)
    routing.begin_batch([batches[1], target])
    model(batches[1])
    routing.end_batch({})
    assert routing.limits == []
    every = torch.cat([model(b).detach().reshape(size) for b in batches])
    found = route.plan.metric
    expected = of_all(found, every, torch.cat([target, target]))
    values = routing.end_epoch()
    assert values[f"gradguard/{route.name}"] == pytest.approx(expected, abs=1e-5)
    routing.close()


def of_all(found: Metric, scores: Tensor, target: Tensor) -> float:
    """Compute a metric from all scores at once."""
    if found.kind == "integer":
        scores = scores.round()
        return float(torchmetrics.MeanAbsoluteError()(scores, target))
    value: float = torchmetrics_value(found, scores, target)
    return value


@pytest.mark.filterwarnings("ignore")
def test_the_example_shows_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its routed accuracy is the counted one, in TensorBoard and for the checkpoint."""
    folder = WORKER.parents[2] / "examples"
    monkeypatch.syspath_prepend(folder)
    main = runpy.run_path(str(folder / "routing.py"))["main"]
    assert main(["--epochs", "1", "--logs", str(tmp_path)]) == 0


class TestOffers:
    """`metrics="advise"` notes what could be routed and says nothing."""

    def test_a_metric_beside_the_loss_is_offered(self, recwarn: pytest.WarningsRecorder) -> None:
        """The report holds class, place and name, no finding, and the console stays silent."""
        guard = GradGuard()
        fit(Beside(), guard)
        assert guard.report.diagnostics == ()
        assert not [w for w in recwarn if "MulticlassAccuracy" in str(w.message)]
        (offer,) = guard.report.offers
        assert offer.startswith('`MulticlassAccuracy(num_classes=3, average="micro")`')
        assert "test_routing.py:" in offer
        assert "`gradguard/accuracy`" in offer
        assert "offer" not in guard.report.render()
        assert guard.report.offers[0] in guard.report.to_markdown()
        assert type(guard.report).from_dict(guard.report.to_dict()).offers == guard.report.offers

    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.parametrize(("model", "mode"), [(Classifier, "advise"), (Beside, "off")])
    def test_others_are_not(self, model: type[Classifier], mode: Any) -> None:
        """What is part of the loss is a finding instead; `off` offers nothing."""
        guard = GradGuard(metrics=mode)
        fit(model(), guard)
        assert guard.report.offers == ()

    def test_looking_for_offers_changes_nothing(self) -> None:
        """Buffers that the step writes, and the random state, are what they are without."""
        results = []
        for mode in ("off", "advise"):
            torch.manual_seed(4)
            module = Normed()
            fit(module, GradGuard(metrics=mode), max_epochs=1)
            results.append([*module.state_dict().values(), torch.get_rng_state()])
        assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


class Normed(Beside):
    """Scores pass a batch norm without weights, whose statistics a second run would move."""

    def __init__(self) -> None:
        super().__init__()
        layers = nn.Linear(8, CLASSES), nn.BatchNorm1d(CLASSES, affine=False)
        self.head: nn.Module = nn.Sequential(*layers)  # type: ignore[assignment]


class TestNamed:
    """`metrics={...}` and `metrics=MetricCollection(...)`."""

    def test_values_come_from_what_the_step_returns(self) -> None:
        """A mapping is fed from `preds` and `target`."""
        module = Returns()
        trainer = fit(
            module, GradGuard(metrics={"acc": MulticlassAccuracy(CLASSES, average="micro")})
        )
        assert float(trainer.callback_metrics["gradguard/acc"]) == pytest.approx(by_hand(module, 1))

    def test_a_collection_logs_each_of_its_metrics(self) -> None:
        """Names are those of the collection."""
        collection = torchmetrics.MetricCollection(
            [MulticlassAccuracy(CLASSES), torchmetrics.classification.MulticlassF1Score(CLASSES)]
        )
        trainer = fit(Returns(), GradGuard(metrics=collection))
        assert {"gradguard/MulticlassAccuracy", "gradguard/MulticlassF1Score"} <= set(
            trainer.callback_metrics
        )

    def test_a_vector_is_logged_per_class(self) -> None:
        """A metric without average gives one value a class."""
        trainer = fit(
            Returns(), GradGuard(metrics={"acc": MulticlassAccuracy(CLASSES, average=None)})
        )
        assert {f"gradguard/acc_{i}" for i in range(CLASSES)} <= set(trainer.callback_metrics)

    def test_other_keys_can_be_chosen(self) -> None:
        """`metric_keys` names the entries."""

        class Other(Returns):
            def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:  # type: ignore[override]
                found = super().training_step(batch, batch_idx)
                return {"loss": found["loss"], "scores": found["preds"], "y": found["target"]}

        guard = GradGuard(metrics={"acc": MulticlassAccuracy(CLASSES)}, metric_keys=("scores", "y"))
        assert "gradguard/acc" in fit(Other(), guard).callback_metrics

    @pytest.mark.parametrize(("model", "got"), [(Beside, r"a dict with \['loss'\]")])
    def test_missing_entries_raise(self, model: type[Classifier], got: str) -> None:
        """The error says what was expected and what came."""
        with pytest.raises(ValueError, match=rf"'preds': ..., 'target': ....*got {got}"):
            fit(model(), GradGuard(metrics={"acc": MulticlassAccuracy(CLASSES)}))

    def test_the_guard_can_be_copied_and_pickled(self) -> None:
        """Spawned ranks and Trainers copy it."""
        guard = GradGuard(metrics={"f1": BinaryF1Score()})
        for twin in (copy.deepcopy(guard), pickle.loads(pickle.dumps(guard))):  # noqa: S301
            assert twin._routing is not None
            assert list(twin._routing.explicit) == ["f1"]


@pytest.mark.ranks
class TestRanks:
    """Two processes with batches of different sizes."""

    @pytest.mark.parametrize("mode", ["route", "named"])
    def test_the_value_is_that_of_all_samples(self, mode: str) -> None:
        """Hits of both ranks over samples of both ranks, the same number on each."""
        results = two_ranks(mode)
        whole = sum(r["hits"] for r in results) / sum(r["count"] for r in results)
        assert [r["value"] for r in results] == pytest.approx([whole, whole])

    def test_a_metric_that_one_rank_lacks_is_left_out_on_both(self) -> None:
        """No rank waits for another."""
        assert [r["value"] for r in two_ranks("lost")] == [None, None]


def two_ranks(mode: str) -> list[dict[str, Any]]:
    """Run the worker as two ranks and return what each printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "NODE_RANK": "0",
    }
    jobs = [
        subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, str(WORKER), mode],
            env=os.environ
            | place
            | {"RANK": str(rank), "LOCAL_RANK": str(rank), "PYTHONPATH": str(WORKER.parents[2])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    told = [job.communicate(timeout=100) for job in jobs]
    lines = [next((x for x in out.splitlines() if x.startswith("RESULT")), "") for out, _ in told]
    assert all(lines), told
    return [json.loads(line.removeprefix("RESULT")) for line in lines]
