# SPDX-License-Identifier: Apache-2.0
"""The variable GRADGUARD, the factories that Lightning calls, and notes to the service of a job."""

import inspect
import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_gradguard import GradGuard, GradGuardError, environment
from lightning_gradguard.report import Report
from lightning_gradguard.rules import RULES, Diagnostic
from lightning_gradguard.source import Span
from lightning_gradguard.standin import Refusal, StandIn

GROUPS = {
    "pytorch_lightning": "pytorch_lightning.callbacks_factory",
    "lightning.pytorch": "lightning.pytorch.callbacks_factory",
}
QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "enable_checkpointing": False,
    "enable_model_summary": False,
    "enable_progress_bar": False,
    "logger": False,
    "max_steps": 2,
}


def is_installed() -> bool:
    """Say whether Lightning can find our factory, which takes an installed package."""
    points = entry_points(group=GROUPS["pytorch_lightning"])
    return any(point.name == "gradguard" for point in points)


installed = pytest.mark.skipif(not is_installed(), reason="the package is not installed")


def make_model(base: Any = pl.LightningModule) -> Any:
    """Make a model with a layer that no step uses."""

    class Half(base):  # type: ignore[misc]  # of one namespace or the other
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(3, 1)
            self.spare = nn.Linear(3, 1)

        def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
            return self.body(batch).square().mean()  # type: ignore[no-any-return]

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    return Half()


def batches() -> DataLoader[Tensor]:
    """Give two batches."""
    return DataLoader([torch.ones(4, 3)] * 2, batch_size=None)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRADGUARD", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


class TestParse:
    """`parse`."""

    @pytest.mark.parametrize(
        ("text", "options"),
        [
            ("strict", {"strict": True}),
            ("1", {"strict": False}),
            ("Warn", {"strict": False}),
            ("patience=3", {"strict": False, "patience": 3}),
            ("strict,ignore=GG103", {"strict": True, "ignore": ("GG103",)}),
            ("strict, ignore=GG103, GG2", {"strict": True, "ignore": ("GG103", "GG2")}),
            ("on,ignore=GG1,ignore=GG2", {"strict": False, "ignore": ("GG1", "GG2")}),
            ("strict,report=a/b.sarif", {"strict": True, "report": "a/b.sarif"}),
        ],
    )
    def test_reads_modes_and_options(self, text: str, options: dict[str, Any]) -> None:
        """A mode, then options of the constructor; lists go on over commas."""
        assert environment.parse(text) == options
        assert GradGuard(**options)

    def test_knows_every_option_of_the_guard(self) -> None:
        """The names are written down a second time, to keep torch out, and must stay equal."""
        names = set(inspect.signature(GradGuard.__init__).parameters) - {"self", "strict"}
        known = {*environment._LISTS, *environment._NUMBERS, *environment._TEXTS}
        assert names == known

    @pytest.mark.parametrize("text", ["", "0", "off", "No", " false "])
    def test_knows_when_nothing_is_asked_for(self, text: str) -> None:
        """An empty variable is as good as none."""
        assert environment.parse(text) is None

    @pytest.mark.parametrize(
        "text", ["strct", "strict,colour=red", "strict,GG103", "strict,patience=x"]
    )
    def test_says_what_was_expected(self, text: str) -> None:
        """The message holds what came; where a name is wrong, also what there is."""
        with pytest.raises(ValueError, match="expected") as caught:
            environment.parse(text)
        word = text.rpartition(",")[2].rpartition("=")[2 if "patience" in text else 0] or text
        assert word.rpartition(",")[2] in str(caught.value)
        assert "allowed: strict, warn, off" in str(caught.value) or "number" in str(caught.value)


class TestCallbacks:
    """`callbacks`, as Lightning calls it."""

    def test_gives_nothing_unless_asked(self) -> None:
        """No variable, no guard."""
        assert environment.callbacks() == []

    def test_gives_a_new_guard_every_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two Trainers share nothing, and their guards have different keys."""
        monkeypatch.setenv("GRADGUARD", "strict,ignore=GG103")
        (first,), (second,) = environment.callbacks(), environment.callbacks()
        assert isinstance(first, StandIn)
        assert first.settings.strict
        assert first.settings.ignore == ("GG103",)
        assert first is not second
        assert first.state_key != second.state_key

    @pytest.mark.parametrize("text", ["strct", "strict,ignore=GG777", "strict,report=x.doc"])
    def test_never_raises(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        """A wrong value is left for `fit` to refuse."""
        monkeypatch.setenv("GRADGUARD", text)
        (refusal,) = environment.callbacks()
        assert isinstance(refusal, Refusal)
        assert text in refusal.message

    def test_survives_a_bug_of_its_own(self, caplog: pytest.LogCaptureFixture) -> None:
        """Whatever goes wrong inside ends as an empty list and a record in the log."""
        token = environment.override.set(lambda: [1 // 0])
        try:
            assert environment.callbacks() == []
        finally:
            environment.override.reset(token)
        assert "could not add a guard" in caplog.text


@installed
@pytest.mark.parametrize("namespace", GROUPS)
class TestTrainer:
    """The entry points, through a Trainer of each namespace."""

    @pytest.fixture
    def kit(self, namespace: str) -> Any:
        """Import the namespace."""
        return pytest.importorskip(namespace)

    def test_is_left_alone_without_the_variable(self, kit: Any) -> None:
        """No guard is added."""
        callbacks = kit.Trainer(**QUIET).callbacks
        assert not any(isinstance(callback, GradGuard) for callback in callbacks)

    def test_fails_a_script_that_knows_nothing_of_the_guard(
        self, kit: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Strict mode raises out of `fit`."""
        monkeypatch.setenv("GRADGUARD", "strict")
        with pytest.raises(GradGuardError, match="GG106"):
            kit.Trainer(**QUIET).fit(make_model(kit.LightningModule), batches())

    def test_passes_a_rule_that_is_left_out(
        self, kit: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Options in the variable reach the guard."""
        monkeypatch.setenv("GRADGUARD", "strict,ignore=GG106,report=out/report.json")
        kit.Trainer(**QUIET).fit(make_model(kit.LightningModule), batches())
        assert Path("out/report.json").is_file()

    def test_steps_back_for_a_guard_of_the_user(
        self, kit: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The guard that somebody wrote down decides, the other one does not even look."""
        monkeypatch.setenv("GRADGUARD", "strict")
        guard = GradGuard(ignore=["GG106"])
        trainer = kit.Trainer(callbacks=[guard], **QUIET)
        trainer.fit(make_model(kit.LightningModule), batches())
        (stand_in,) = (c for c in trainer.callbacks if isinstance(c, StandIn))
        assert guard.report.total == 4
        assert stand_in.report.total == 0

    def test_allows_one_list_for_two_trainers(
        self, kit: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Lightning puts the guard into the user's own list; a second Trainer has to work."""
        monkeypatch.setenv("GRADGUARD", "warn,ignore=GG106")
        callbacks = [kit.callbacks.Timer()]
        kit.Trainer(callbacks=callbacks, **QUIET)
        trainer = kit.Trainer(callbacks=callbacks, **QUIET)
        trainer.fit(make_model(kit.LightningModule), batches())
        totals = [c.report.total for c in trainer.callbacks if isinstance(c, StandIn)]
        assert totals == [0, 4]

    def test_refuses_a_wrong_value_when_fit_begins(
        self, kit: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The Trainer can be made; a training that was to be guarded does not run unguarded."""
        monkeypatch.setenv("GRADGUARD", "strct")
        trainer = kit.Trainer(**QUIET)
        with pytest.raises(ValueError, match="GRADGUARD=strct: expected a mode first, got 'strct'"):
            trainer.fit(make_model(kit.LightningModule), batches())

    def test_leaves_no_trace_in_checkpoints(
        self, kit: Any, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
    ) -> None:
        """A run without the variable loads the checkpoint without a word about callbacks."""
        monkeypatch.setenv("GRADGUARD", "warn,ignore=GG106")
        trainer = kit.Trainer(**QUIET)
        trainer.fit(make_model(kit.LightningModule), batches())
        trainer.save_checkpoint("last.ckpt")
        saved = torch.load("last.ckpt", weights_only=True)["callbacks"]
        assert [key for key in saved if "StandIn" in key] == []
        monkeypatch.delenv("GRADGUARD")
        longer = kit.Trainer(**QUIET | {"max_steps": 3})
        longer.fit(make_model(kit.LightningModule), batches(), ckpt_path="last.ckpt")
        assert [w for w in recwarn if "StandIn" in str(w.message)] == []


SPAWNED = """
import pytorch_lightning as pl, sys, torch
from lightning_gradguard import GradGuard
from torch import nn


class Half(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(3, 1)
        self.spare = nn.Linear(3, 1)

    def training_step(self, batch, batch_idx):
        return self.body(batch).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


if __name__ == "__main__":
    own = [GradGuard(ignore=["GG106"])] if "own" in sys.argv else []
    trainer = pl.Trainer(
        accelerator="cpu", devices=2, strategy="ddp_spawn_find_unused_parameters_true", max_steps=2,
        logger=False, enable_checkpointing=False, enable_progress_bar=False, callbacks=own,
        enable_model_summary=False,
    )
    data = torch.utils.data.DataLoader(torch.ones(8, 3), batch_size=2)
    trainer.fit(Half(), data)
"""


@installed
@pytest.mark.ranks
@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "passes"), [([], False), (["own"], True)])
def test_works_on_several_processes(arguments: list[str], passes: bool) -> None:  # noqa: FBT001
    """The variable reaches spawned ranks; a stand-in that steps back takes part in nothing."""
    Path("ranks.py").write_text(SPAWNED, encoding="utf-8")
    variables = os.environ | {"GRADGUARD": "strict", "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(  # noqa: S603  # our own interpreter and script
        [sys.executable, "-W", "ignore", "ranks.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=variables,
        timeout=300,
    )
    assert (answer.returncode == 0) is passes, answer.stderr
    assert ("GG106" in answer.stderr) is not passes


def finding() -> Diagnostic:
    """Make a finding with a place."""
    rule = RULES["GG106"]
    span = Span("train.py", 7, 9, 20, "Net.__init__", "        self.spare = 1", "here")
    return Diagnostic(
        code="GG106", name=rule.name, severity=rule.severity, message="no gradient", span=span
    )


class TestPublish:
    """`publish`."""

    def test_annotates_and_summarises(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """On GitHub: one command for each finding, one page behind what is in the summary."""
        summary = tmp_path / "summary.md"
        summary.write_text("before\n", encoding="utf-8")
        report = Report()
        report.add(finding())
        variables = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
        environment.publish(report, variables)
        line = capsys.readouterr().out
        assert line.startswith("::warning file=train.py,line=7,col=9,endColumn=20,title=GG106 ")
        assert line.count("\n") == 1
        assert summary.read_text(encoding="utf-8") == "before\n" + report.to_markdown()

    def test_keeps_quiet_elsewhere(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Without the variable of the service nothing is printed or written."""
        report = Report()
        report.add(finding())
        environment.publish(report, {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")})
        assert capsys.readouterr().out == ""
        assert not (tmp_path / "summary.md").exists()

    def test_happens_once_a_run(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A strict run ends twice, by its last judgement and by the exception; it is told once."""
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        with pytest.raises(GradGuardError):
            pl.Trainer(callbacks=[GradGuard(strict=True)], **QUIET).fit(make_model(), batches())
        assert capsys.readouterr().out.count("::warning ") == 1


class TestCost:
    """What every Trainer of the environment pays."""

    def test_asks_nothing_of_torch(self) -> None:
        """The module behind the entry points loads neither torch nor Lightning."""
        code = (
            "import sys, lightning_gradguard.environment as e; assert e.callbacks() == []; "
            "print(sorted({'torch', 'pytorch_lightning', 'lightning'} & set(sys.modules)))"
        )
        clean = {name: value for name, value in os.environ.items() if name != "GRADGUARD"}
        answer = subprocess.run(  # noqa: S603  # our own interpreter and code
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=clean
        )
        assert answer.stdout.strip() == "[]"

    def test_names_exist(self) -> None:
        """Each entry point leads to something that can be called."""
        for group in GROUPS.values():
            for point in entry_points(group=group):
                if point.name == "gradguard":
                    module, _, name = point.value.partition(":")
                    assert callable(getattr(import_module(module), name))
