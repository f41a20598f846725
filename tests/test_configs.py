# SPDX-License-Identifier: Apache-2.0
"""The configurations, run by the LightningCLI of both namespaces, and instantiation from plain values."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from lightning_gradguard import GradGuard

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
NAMESPACES = ("pytorch_lightning", "lightning.pytorch")


def run_example(namespace: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the example with the CLI of a namespace, in the working directory."""
    pytest.importorskip("jsonargparse", reason="the CLI of Lightning needs jsonargparse")
    pytest.importorskip(namespace)
    source = (ROOT / "examples/train_cli.py").read_text(encoding="utf-8")
    Path("train_cli.py").write_text(source.replace("pytorch_lightning", namespace), encoding="utf-8")
    quiet = ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("GRADGUARD", None)
    return subprocess.run(  # noqa: S603  # our own interpreter and example
        [sys.executable, "-W", "ignore", "train_cli.py", "fit", *arguments, *quiet],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


@pytest.mark.slow
@pytest.mark.parametrize("namespace", NAMESPACES)
class TestCli:
    """`examples/train_cli.py fit --config ...`."""

    @pytest.mark.parametrize("config", CONFIGS, ids=[path.stem for path in CONFIGS])
    def test_healthy_training_passes(self, namespace: str, config: Path) -> None:
        """Each configuration runs, and finds nothing."""
        answer = run_example(namespace, "--config", str(config), "--trainer.max_steps=10")
        assert answer.returncode == 0, answer.stderr
        assert "gradguard: no findings" in answer.stderr

    def test_strict_configuration_stops_a_broken_one(self, namespace: str) -> None:
        """The status is not 0, the diagnostic is in the output, the report is on disk."""
        config = str(ROOT / "configs/strict_ci.yaml")
        answer = run_example(namespace, "--config", config, "--model.objective=accuracy")
        assert answer.returncode != 0
        assert "error[GG101]" in answer.stderr
        assert "logits.argmax(dim=1)" in answer.stderr
        assert "GG101" in Path("gradguard.sarif").read_text(encoding="utf-8")

    def test_monitor_reports_and_goes_on(self, namespace: str) -> None:
        """A term that trains nothing is a warning, and the training ends as planned."""
        config = str(ROOT / "configs/monitor.yaml")
        answer = run_example(
            namespace, "--config", config, "--model.objective=both", "--trainer.max_steps=5"
        )
        assert answer.returncode == 0, answer.stderr
        assert "GG103" in Path("logs/gradguard.md").read_text(encoding="utf-8")

    def test_one_option_adds_the_guard(self, namespace: str) -> None:
        """Without any configuration."""
        answer = run_example(
            namespace,
            "--trainer.callbacks+=lightning_gradguard.GradGuard",
            "--trainer.callbacks.strict=true",
            "--trainer.max_steps=2",
            "--model.objective=both",
        )
        assert answer.returncode != 0
        assert "warning[GG103]" in answer.stderr


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
