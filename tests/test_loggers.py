# SPDX-License-Identifier: Apache-2.0
"""Every logger of a Trainer, read back from where it writes."""

import csv
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_gradguard import GradGuard, GradGuardError, GradGuardWarning
from lightning_gradguard.plots import COLOURS

SCALARS = {f"gradguard/{n}" for n in ("coverage", "missing", "zero", "nonfinite", "grad_norm")}
Fit = Callable[..., tuple[pl.Trainer, Exception | None]]


class Half(pl.LightningModule):
    """A body that trains and a spare layer that does not."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(3, 1)
        self.spare = nn.Linear(3, 1)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        """Leave the spare layer out."""
        return self.body(batch).square().mean()  # type: ignore[no-any-return]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Train everything."""
        return torch.optim.SGD(self.parameters(), lr=0.01)


def train(run_fit: Fit, loggers: list[Logger], steps: int = 6, **options: Any) -> GradGuard:
    """Train with some loggers, and log at every second step."""
    guard = GradGuard(**{"patience": 2, "log_every_n_steps": 2, **options})
    batches: Any = DataLoader([torch.ones(4, 3)] * steps, batch_size=None)  # type: ignore[arg-type]
    with pytest.warns(GradGuardWarning, match="GG106"):
        _, error = run_fit(Half(), batches, guard, logger=loggers, max_steps=steps)
    assert error is None
    return guard


class TestCsv:
    """CSVLogger."""

    def test_holds_the_scalars_at_the_cadence(self, run_fit: Fit) -> None:
        """Steps 0, 2 and 4, with the share of the values that have got a gradient."""
        train(run_fit, [CSVLogger("logs", name="", version="")])
        with Path("logs/metrics.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["step"] for row in rows] == ["0", "2", "4"]
        assert set(rows[0]) == SCALARS | {"step"}
        assert {float(row["gradguard/coverage"]) for row in rows} == {0.5}
        assert {float(row["gradguard/missing"]) for row in rows} == {2.0}


class TestTensorBoard:
    """TensorBoardLogger, through its event files."""

    @pytest.fixture(autouse=True)
    def _needs_tensorboard(self) -> None:
        pytest.importorskip("tensorboard", reason="the extra is not installed")

    @staticmethod
    def events(folder: str) -> Any:
        """Read the event files."""
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator(folder, size_guidance={"images": 0, "tensors": 0})
        found.Reload()
        return found

    def test_holds_scalars_and_findings(self, run_fit: Fit) -> None:
        """The scalars at the cadence; the finding as text, at the step at which it was made."""
        train(run_fit, [TensorBoardLogger("logs", name="", version="")])
        events = self.events("logs")
        assert set(events.Tags()["scalars"]) >= SCALARS
        assert [event.step for event in events.Scalars("gradguard/coverage")] == [0, 2, 4]
        (event,) = events.Tensors("gradguard/GG106/text_summary")
        text = event.tensor_proto.string_val[0].decode()
        assert text.startswith("```text\nwarning[GG106]: ")
        assert "spare.{weight, bias}" in text

    def test_shows_the_picture_at_most_every_n_steps(self, run_fit: Fit) -> None:
        """At steps 0 and 4 of 6, since 2 comes too soon; the grey bars are those without one."""
        pytest.importorskip("matplotlib", reason="the figure needs matplotlib")
        image = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
        train(run_fit, [TensorBoardLogger("logs", name="", version="")], figure_every_n_steps=3)
        pictures = self.events("logs").Images("gradguard/gradient_flow")
        assert [picture.step for picture in pictures] == [0, 4]
        with image.open(io.BytesIO(pictures[0].encoded_image_string)) as picture:
            assert picture.size == (800, 248)
            colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
        assert tuple(bytes.fromhex(COLOURS["missing"][1:])) in colours
        assert tuple(bytes.fromhex(COLOURS["mean"][1:])) in colours

    def test_shows_no_picture_when_told_so(self, run_fit: Fit) -> None:
        """0 switches pictures off."""
        train(run_fit, [TensorBoardLogger("logs", name="", version="")], figure_every_n_steps=0)
        assert self.events("logs").Tags()["images"] == []

    def test_holds_the_finding_of_a_strict_run(self, run_fit: Fit) -> None:
        """The text is there before the error ends the run."""
        loggers = [TensorBoardLogger("logs", name="", version="")]
        guard = GradGuard(strict=True, patience=1)
        batches: Any = DataLoader([torch.ones(4, 3)], batch_size=None)  # type: ignore[arg-type]
        _, error = run_fit(Half(), batches, guard, logger=loggers)
        assert isinstance(error, GradGuardError)
        assert len(self.events("logs").Tensors("gradguard/GG106/text_summary")) == 1


class TestWandb:
    """WandbLogger, offline."""

    def test_holds_everything(self, run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
        """Scalars, the table of findings, the picture, and the status in the summary."""
        pytest.importorskip("wandb", reason="the extra is not installed")
        pytest.importorskip("matplotlib", reason="the figure needs matplotlib")
        from pytorch_lightning.loggers import WandbLogger

        monkeypatch.setenv("WANDB_SILENT", "true")
        logger = WandbLogger(project="test", save_dir=".", offline=True)
        train(run_fit, [logger])
        summary = dict(logger.experiment.summary)
        folder = Path(logger.experiment.dir)
        logger.experiment.finish()
        assert summary["gradguard/status"] == "warning"
        assert summary["gradguard/coverage"] == 0.5
        (table,) = (folder / "media/table/gradguard").glob("GG106*.json")
        content = json.loads(table.read_text(encoding="utf-8"))
        assert content["columns"] == ["code", "level", "message", "text"]
        assert content["data"][0][:2] == ["GG106", "warning"]
        assert len(list((folder / "media/images/gradguard").glob("gradient_flow*.png"))) == 1


class TestMlflow:
    """MLFlowLogger with a store in a local folder."""

    def test_holds_everything(self, run_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
        """Scalars, the text of the finding, the picture, and the status as a tag."""
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # the newer stores need a database
        pytest.importorskip("mlflow", reason="the extra is not installed")
        from pytorch_lightning.loggers import MLFlowLogger

        logger = MLFlowLogger("test", tracking_uri=Path("mlruns").resolve().as_uri())
        train(run_fit, [logger])
        client, run_id = logger.experiment, logger.run_id
        assert [m.step for m in client.get_metric_history(run_id, "gradguard/coverage")] == [
            0,
            2,
            4,
        ]
        assert client.get_run(run_id).data.tags["gradguard/status"] == "warning"
        names = {Path(item.path).name for item in client.list_artifacts(run_id, "gradguard")}
        assert any(name.startswith("GG106-step") for name in names)
        assert any(name.startswith("gradient_flow-step0") for name in names)


class Recording(CSVLogger):
    """A logger that raises whenever it is used."""

    calls = 0

    def log_metrics(self, *args: Any, **kwargs: Any) -> None:
        """Fail."""
        type(self).calls += 1
        raise OSError("disk full")


class TestSeveral:
    """More than one logger at once."""

    def test_each_gets_the_same(self, run_fit: Fit) -> None:
        """Two files with the same lines."""
        train(
            run_fit, [CSVLogger("one", name="", version=""), CSVLogger("two", name="", version="")]
        )
        first, second = (Path(n, "metrics.csv").read_text(encoding="utf-8") for n in ("one", "two"))
        assert first == second

    def test_one_that_raises_is_left_out(
        self, run_fit: Fit, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is asked once and named once, and the other one gets everything."""
        Recording.calls = 0
        with caplog.at_level(logging.WARNING, "lightning_gradguard"):
            train(run_fit, [Recording("bad"), CSVLogger("good", name="", version="")])
        assert Recording.calls == 1
        assert caplog.text.count("gets no more records") == 1
        assert Path("good/metrics.csv").read_text(encoding="utf-8").count("\n") == 4


class TestFiles:
    """Files beside the report."""

    def test_figure_is_saved_on_request(self, run_fit: Fit) -> None:
        """Also without any logger."""
        pytest.importorskip("matplotlib", reason="the figure needs matplotlib")
        train(run_fit, [], figure="out/flow.png")
        assert Path("out/flow.png").read_bytes().startswith(b"\x89PNG")

    def test_html_report_draws_the_gradients(self, run_fit: Fit) -> None:
        """The page shows each parameter."""
        pytest.importorskip("jinja2", reason="the page needs Jinja2")
        guard = train(run_fit, [], report="out/report.html")
        page = Path("out/report.html").read_text(encoding="utf-8")
        assert [g.state for g in guard.report.gradients] == ["alive", "alive", "missing", "missing"]
        assert page.count('class="bar missing"') == 2
        assert guard.report.gradients_step == 4

    def test_nothing_is_measured_unless_wanted(self, run_fit: Fit) -> None:
        """No page, no figure, no logger with pictures: no gradient is read for one."""
        guard = train(run_fit, [CSVLogger("logs", name="", version="")])
        assert guard.report.gradients == ()

    @pytest.mark.parametrize("name", ["flow.txt", "flow"])
    def test_refuses_another_suffix(self, name: str) -> None:
        """The message lists what is allowed."""
        with pytest.raises(ValueError, match=r"one of \.png, \.svg, \.pdf, got"):
            GradGuard(figure=name)
