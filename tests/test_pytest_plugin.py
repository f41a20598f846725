# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin, seen from outside: sessions in folders of their own."""

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

pytest_plugins = ["pytester"]

MODEL = """
import pytorch_lightning as pl
import torch
from torch import nn


class Base(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 3)
        self.spare = nn.Linear(2, 2)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Good(Base):
    def training_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.cross_entropy(self.body(x), y) + self.spare(x[:, :2]).square().mean()


class Half(Base):
    def training_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.cross_entropy(self.body(x), y)


class Cut(Base):
    def training_step(self, batch, batch_idx):
        x, y = batch
        return 1 - (self.body(x).argmax(1) == y).float().mean()


def train(model, trainer_class=pl.Trainer, callbacks=(), **options):
    batch = torch.ones(4, 4), torch.tensor([0, 1, 2, 0])
    trainer = trainer_class(
        accelerator="cpu", max_steps=2, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=list(callbacks), **options,
    )
    trainer.fit(model, torch.utils.data.DataLoader([batch, batch], batch_size=None))
    return trainer
"""
QUIET = ("-p", "no:cacheprovider", "-p", "no:logging", "-W", "ignore")

installed = pytest.mark.skipif(
    "gradguard" not in {point.name for point in entry_points(group="pytest11")},
    reason="the package is not installed: nobody knows its entry points",
)
pytestmark = installed


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> "Session":
    """Hand out a session in a folder with the models."""
    for name in ("GRADGUARD", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(toy_models=MODEL)
    return Session(pytester)


class Session:
    """Runs tests in a session of their own."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester

    def __call__(self, tests: str, *options: str, process: bool = False) -> pytest.RunResult:
        """Write the tests and run them, in this process unless another one is asked for."""
        self.pytester.makepyfile(test_it=f"import pytest\nfrom toy_models import *\n{tests}")
        kind = self.pytester.runpytest_subprocess if process else self.pytester.runpytest_inprocess
        return kind(*QUIET, *options)


class TestOption:
    """`--gradguard`."""

    def test_fails_a_test_by_the_diagnostic(self, run: Session) -> None:
        """What fails is shown as the guard words it, without a way through Lightning."""
        result = run("def test_train(): train(Cut())", "--gradguard", process=True)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                "error?GG101?: the loss is not connected to any trainable parameter",
                " *--> toy_models.py:*:* in Cut.training_step",
                "*`argmax` returns integer indices*",
            ]
        )
        text = result.stdout.str()
        assert "Traceback" not in text
        assert "site-packages" not in text

    def test_fails_for_a_warning_when_strict(self, run: Session) -> None:
        """Strict is the default of the option."""
        result = run("def test_train(): train(Half())", "--gradguard")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["warning?GG106?: *"])

    def test_only_lists_when_asked_to_warn(self, run: Session) -> None:
        """With `warn` the test passes, and the table names the finding."""
        result = run("def test_train(): train(Half())", "--gradguard=warn")
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["Half * 4 * 2 * 50%  GG106"])

    def test_does_nothing_unless_asked(self, run: Session) -> None:
        """Without option, marker and variable no guard is added and no table printed."""
        result = run("def test_train(): assert 'Observed' not in str(train(Half()).callbacks)")
        result.assert_outcomes(passed=1)
        assert "Reached" not in result.stdout.str()

    def test_refuses_a_path_as_mode(self, run: Session) -> None:
        """The path behind the bare option would be swallowed; the message says what to write."""
        result = run("def test_train(): pass", "--gradguard", "test_it.py")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*expected strict or warn, got 'test_it.py'*strict*"])

    def test_guards_the_other_namespace(self, run: Session) -> None:
        """A Trainer of `lightning.pytorch` asks its own entry point."""
        pytest.importorskip("lightning.pytorch")
        result = run(
            """
import lightning.pytorch as L
def test_train():
    kinds = [type(c).__name__ for c in L.Trainer(logger=False, accelerator="cpu").callbacks]
    assert kinds.count("Observed") == 1
""",
            "--gradguard",
        )
        result.assert_outcomes(passed=1)

    def test_stands_back_for_a_guard_of_the_user(self, run: Session) -> None:
        """A guard in the callbacks decides alone, and its findings are in the table."""
        result = run(
            """
from lightning_gradguard import GradGuard
def test_train():
    guard = GradGuard()
    train(Half(), callbacks=[guard])
    assert [d.code for d in guard.report.diagnostics] == ["GG106"]
""",
            "--gradguard",
        )
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["Half * 50%  GG106"])


class TestMark:
    """`@pytest.mark.gradguard`."""

    def test_passes_options_on(self, run: Session) -> None:
        """A test may leave a rule out."""
        result = run(
            "@pytest.mark.gradguard(ignore=['GG106'])\ndef test_train(): train(Half())",
            "--gradguard",
            "--strict-markers",
        )
        result.assert_outcomes(passed=1)

    def test_asks_for_a_guard_by_itself(self, run: Session) -> None:
        """Only the marked test is watched where the session has no option."""
        result = run(
            """
def test_unwatched(): train(Half())
@pytest.mark.gradguard
def test_watched(): train(Half())
"""
        )
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["FAILED test_it.py::test_watched*"])

    def test_leaves_a_test_out(self, run: Session) -> None:
        """A test that trains a broken model on purpose can say so, also to the variable."""
        run.pytester._monkeypatch.setenv("GRADGUARD", "strict")
        result = run(
            "@pytest.mark.gradguard(enabled=False)\ndef test_train(): train(Half())", "--gradguard"
        )
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["no training was watched"])


class TestFixture:
    """`gradguard`."""

    def test_passes_a_healthy_training(self, run: Session) -> None:
        """The fixture is a guard to put among the callbacks."""
        result = run(
            "def test_train(gradguard):\n"
            "    train(Good(), callbacks=[gradguard])\n"
            "    assert gradguard.report.coverage == 1.0"
        )
        result.assert_outcomes(passed=1)

    def test_is_asserted_clean_at_the_end(self, run: Session) -> None:
        """A finding is an error in the teardown of the test, shown as the report."""
        result = run("def test_train(gradguard): train(Half(), callbacks=[gradguard])")
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(["warning?GG106?: *", "gradguard: 1 warning *"])

    def test_takes_the_options_of_the_mark(self, run: Session) -> None:
        """Marker and fixture work together."""
        result = run(
            "@pytest.mark.gradguard(ignore=['GG1'])\n"
            "def test_train(gradguard): train(Half(), callbacks=[gradguard])"
        )
        result.assert_outcomes(passed=1)


class TestTable:
    """The summary and `--gradguard-fail-under`."""

    TESTS = """
def test_good(): train(Good())
def test_half(): train(Half())
"""

    def test_has_a_line_for_each_model(self, run: Session) -> None:
        """Known, missed and reached parameters, findings, and the sum."""
        result = run(self.TESTS, "--gradguard=warn")
        result.stdout.re_match_lines(
            [
                r"Model +Params +Missed +Reached +Findings",
                r"-+",
                r"Good +4 +0 +100%$",
                r"Half +4 +2 +50%  GG106",
                r"-+",
                r"TOTAL +8 +2 +75%  1",
            ],
            consecutive=True,
        )

    @pytest.mark.parametrize(("least", "status"), [("75", 0), ("75.1", 1)])
    def test_decides_on_the_session(self, run: Session, least: str, status: int) -> None:
        """The threshold itself is enough, a bit more is not."""
        result = run(self.TESTS, f"--gradguard-fail-under={least}")
        assert result.ret == status
        words = "not reached, got 75.00%" if status else "reached, got 75.00%"
        result.stdout.fnmatch_lines([f"*required gradient coverage of {least}% {words}"])

    def test_wants_a_training_to_judge(self, run: Session) -> None:
        """A session that trained nothing has shown nothing."""
        result = run("def test_nothing(): pass", "--gradguard-fail-under=50")
        assert result.ret == 1
        result.stdout.fnmatch_lines(["FAIL *no training watched"])

    @pytest.mark.parametrize("wrong", ["101", "-1", "many"])
    def test_refuses_what_is_no_percentage(self, run: Session, wrong: str) -> None:
        """The message names what came."""
        result = run("def test_nothing(): pass", f"--gradguard-fail-under={wrong}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert wrong in result.stderr.str()

    def test_adds_up_over_workers(self, run: Session) -> None:
        """With pytest-xdist every worker sends what it saw, and it is counted once."""
        pytest.importorskip("xdist")
        result = run(
            self.TESTS, "--gradguard=warn", "-n", "2", "--gradguard-fail-under=80", process=True
        )
        assert result.ret == 1
        result.stdout.re_match_lines([r"Good +4 +0 +100%", r"Half +4 +2 +50%", r"TOTAL +8 +2 +75%"])

    def test_annotates_on_github(self, run: Session) -> None:
        """Once for all tests: a workflow command for each finding, the table in the summary."""
        target = run.pytester.path / "summary.md"
        run.pytester._monkeypatch.setenv("GITHUB_ACTIONS", "true")
        run.pytester._monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
        result = run(self.TESTS, "--gradguard=warn")
        commands = re.findall(
            r"^::warning file=toy_models.py,line=.*$", result.stdout.str(), re.MULTILINE
        )
        assert len(commands) == 1
        assert "title=GG106 unused-parameters::" in commands[0]
        assert "TOTAL" in target.read_text(encoding="utf-8")


class TestCost:
    """What the plugin costs sessions that have nothing to do with Lightning."""

    def test_imports_no_torch(self) -> None:
        """The plugin is loaded in every session of the environment, so it must weigh nothing."""
        code = (
            "import sys, time, pytest; start = time.perf_counter(); "
            "import lightning_gradguard.pytest_plugin; "
            "print(time.perf_counter() - start, 'torch' in sys.modules, "
            "'pytorch_lightning' in sys.modules)"
        )
        answer = subprocess.run(  # noqa: S603  # our own interpreter and code
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
        )
        seconds, torch, lightning = answer.stdout.split()
        assert (torch, lightning) == ("False", "False")
        assert float(seconds) < 0.5  # 0.02 s by itself; a loaded machine takes longer
