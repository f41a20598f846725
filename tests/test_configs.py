# SPDX-License-Identifier: Apache-2.0
"""The configurations, run by the LightningCLI of both namespaces, and as plain values."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from lightning_gradguard import GradGuard, GradGuardError, GradGuardWarning

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples/train_cli.py"
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
STRICT = str(ROOT / "configs/strict_ci.yaml")
QUIET = ("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false")

Fit = Callable[..., GradGuard]


@pytest.fixture(params=["pytorch_lightning", "lightning.pytorch"])
def fit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Fit:
    """Hand out `fit` of the example, with the CLI of each namespace."""
    namespace = request.param
    pytest.importorskip("jsonargparse", reason="the CLI of Lightning needs jsonargparse")
    pytest.importorskip(namespace)
    for name in ("PL_GLOBAL_SEED", "PL_SEED_WORKERS"):  # so that what the CLI sets is undone
        monkeypatch.setenv(name, "0")
    # Lightning uses what jsonargparse is about to change.
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    source = EXAMPLE.read_text(encoding="utf-8").replace("pytorch_lightning", namespace)
    module = ModuleType("train_cli")
    module.__file__ = str(EXAMPLE)
    monkeypatch.setitem(sys.modules, "train_cli", module)
    exec(compile(source, EXAMPLE, "exec"), vars(module))  # noqa: S102  # the project's own example

    def fit_with(*arguments: str) -> GradGuard:
        monkeypatch.setattr(sys, "argv", ["train_cli.py", "fit", *arguments, *QUIET])
        cli = module.LightningCLI(module.Classifier, module.Clouds, save_config_callback=None)
        (guard,) = (c for c in cli.trainer.callbacks if isinstance(c, GradGuard))
        return guard

    return fit_with


class TestCli:
    """`fit --config ...`."""

    @pytest.mark.parametrize("config", CONFIGS, ids=[path.stem for path in CONFIGS])
    def test_healthy_training_passes(self, fit: Fit, config: Path) -> None:
        """Each configuration runs, finds nothing, and sees everything."""
        guard = fit("--config", str(config), "--trainer.max_steps=10")
        assert guard.report.diagnostics == ()
        assert guard.report.coverage == 1.0

    def test_strict_configuration_stops_a_broken_one(self, fit: Fit) -> None:
        """The diagnostic is in the error, and the report is on disk."""
        with pytest.raises(GradGuardError, match=r"error\[GG101\]") as caught:
            fit("--config", STRICT, "--model.objective=accuracy")
        assert "logits.argmax(dim=1)" in str(caught.value)
        assert "GG101" in Path("gradguard.sarif").read_text(encoding="utf-8")

    def test_monitor_reports_and_goes_on(self, fit: Fit) -> None:
        """A term that trains nothing is a warning, and the training ends as planned."""
        config = str(ROOT / "configs/monitor.yaml")
        with pytest.warns(GradGuardWarning, match="GG103"):
            fit("--config", config, "--model.objective=both", "--trainer.max_steps=5")
        assert "GG103" in Path("logs/gradguard.md").read_text(encoding="utf-8")

    def test_one_option_adds_the_guard(self, fit: Fit) -> None:
        """Without any configuration; further options set its arguments."""
        with pytest.raises(GradGuardError, match=r"warning\[GG103\]"):
            fit(
                "--trainer.callbacks+=lightning_gradguard.GradGuard",
                "--trainer.callbacks.strict=true",
                "--trainer.logger=false",
                "--trainer.max_epochs=1",
                "--model.objective=both",
            )


@pytest.mark.slow
def test_example_runs_as_the_readme_says() -> None:
    """The file itself, as a command: passes alone, fails with an objective that cannot train."""
    pytest.importorskip("jsonargparse", reason="the CLI of Lightning needs jsonargparse")
    command = [sys.executable, str(EXAMPLE), "fit", "--config", STRICT]
    plain = {name: value for name, value in os.environ.items() if name != "GRADGUARD"}
    for arguments, words in (([], "4 of 4 trainable"), (["--model.objective=both"], "GG103")):
        answer = subprocess.run(  # noqa: S603  # our own interpreter and example
            [*command, *arguments], capture_output=True, text=True, check=False, env=plain
        )
        assert (answer.returncode == 0) == (not arguments)
        assert words in answer.stderr


@pytest.mark.parametrize("config", CONFIGS, ids=[path.stem for path in CONFIGS])
def test_configurations_hold_plain_values(config: Path) -> None:
    """What a configuration holds is what the constructor takes, as other tools instantiate it."""
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    (entry,) = content["trainer"]["callbacks"]
    module, _, name = entry["class_path"].rpartition(".")
    guard = getattr(import_module(module), name)(**entry["init_args"])
    assert isinstance(guard, GradGuard)


def test_lists_from_a_configuration_are_taken() -> None:
    """YAML knows lists and strings, no tuples and no paths."""
    guard = GradGuard(select=["GG1"], ignore=["GG103"], ignore_params=["*.bias"], report="r.json")
    assert guard.settings.codes >= {"GG101"}
    assert "GG103" not in guard.settings.codes
