# SPDX-License-Identifier: Apache-2.0
"""Every rule keeps its word: its examples are run, its text is stored, its code is known."""

import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from lightning_gradguard import GradGuard, diagnose
from lightning_gradguard.__main__ import main, rule_pages
from lightning_gradguard.report import Report, render
from lightning_gradguard.rules import RULES

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOTS = Path(__file__).parent / "snapshots"
RANKS = ("GG301", "GG302")
LIVE = [code for code, rule in RULES.items() if rule.removed is None and code not in RANKS]
# A tag on the finding about the loss, not a finding of its own.
TAGS = {"GG501": "GG101"}

Fit = Callable[..., tuple[pl.Trainer, Exception | None]]


def load_example(source: str) -> ModuleType:
    """Import a program from a file `train.py` in the working directory, as a user has it."""
    path = Path("train.py").resolve()
    path.write_text(source, encoding="utf-8")
    module = ModuleType("train")
    module.__file__ = str(path)
    sys.modules["train"] = module
    exec(compile(source, path, "exec"), vars(module))  # noqa: S102  # the project's own examples
    return module


def observe(source: str, code: str, run_fit: Fit) -> Report:
    """Train an example for three steps, or for one epoch where steps are not counted."""
    module = load_example(source)
    torch.manual_seed(0)
    guard = GradGuard()
    length: dict[str, Any] = {"max_steps": -1, "max_epochs": 1} if code == "GG901" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_fit(module.Model(), module.dataloader(), guard, **length)
    return guard.report


def found(source: str, code: str, run_fit: Fit) -> set[str]:
    """Return the codes that an example leads to."""
    return {diagnostic.code for diagnostic in observe(source, code, run_fit).diagnostics}


class TestExamples:
    """`Rule.bad` and `Rule.good` under the guard; rules about ranks are run by the rank tests."""

    @pytest.mark.parametrize("code", LIVE)
    def test_bad_leads_to_this_code_only(self, code: str, run_fit: Fit) -> None:
        """The example shows what the rule says, and nothing else."""
        assert found(RULES[code].bad, code, run_fit) == {TAGS.get(code, code)}

    @pytest.mark.parametrize("code", LIVE)
    def test_good_leads_to_nothing(self, code: str, run_fit: Fit) -> None:
        """The repair is one."""
        assert found(RULES[code].good, code, run_fit) == set()

    def test_metric_in_the_loss_is_named(self, run_fit: Fit) -> None:
        """The finding about a metric as loss carries the name of the torchmetrics class."""
        (diagnostic,) = observe(RULES["GG501"].bad, "GG501", run_fit).diagnostics
        assert diagnostic.metric is not None
        assert "MulticlassAccuracy" in diagnostic.metric


class TestSnapshots:
    """`tests/snapshots/<code>.txt`: refreshed with `pytest --update-snapshots`, read by people."""

    @pytest.mark.parametrize("code", [code for code in LIVE if code not in TAGS])
    def test_text_is_as_stored(
        self, code: str, run_fit: Fit, request: pytest.FixtureRequest
    ) -> None:
        """The whole printed diagnostic of the example, character by character."""
        report = observe(RULES[code].bad, code, run_fit)
        text = "\n\n".join(render(diagnostic) for diagnostic in report.diagnostics) + "\n"
        path = SNAPSHOTS / f"{code}.txt"
        assert f"[{code}]" in text
        if request.config.getoption("--update-snapshots"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    def test_belong_to_rules(self) -> None:
        """No stored text outlives its rule."""
        names = {path.stem for path in SNAPSHOTS.glob("GG*.txt")}
        assert names == {code for code in LIVE if code not in TAGS} | set(RANKS)


class TestCodes:
    """Where codes are written."""

    def test_each_is_checked_somewhere(self) -> None:
        """Every live code is bound to a check; a tag and the rules about ranks live elsewhere."""
        bound = {code for code, _ in diagnose.CHECKS}
        elsewhere = {*TAGS, *RANKS}
        assert set(LIVE) - elsewhere <= bound <= set(RULES)

    @pytest.mark.parametrize("code", RANKS)
    def test_ranks_are_checked_in_their_own_file(self, code: str) -> None:
        """The part that merges the ranks names the rules that it can find."""
        text = "".join(
            path.read_text(encoding="utf-8")
            for path in (ROOT / "lightning_gradguard").rglob("*.py")
            if path.name != "rules.py"
        )
        assert f'"{code}"' in text

    def test_exist_wherever_they_are_named(self) -> None:
        """Each `GGnnn` in the package, the documentation and the README is a rule."""
        files = [ROOT / "README.md", ROOT / "CHANGELOG.md"]
        files += [*(ROOT / "docs").rglob("*.md"), *(ROOT / "lightning_gradguard").rglob("*.py")]
        unknown = {
            (file.name, code)
            for file in files
            for code in re.findall(r"\bGG\d{3}\b", file.read_text(encoding="utf-8"))
            if code not in RULES and code != "GG999"  # what is no rule, in examples of messages
        }
        assert unknown == set()


class TestPages:
    """`docs/rules`."""

    def test_are_current(
        self, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
    ) -> None:
        """The pages in the repository are those that the registry gives."""
        if request.config.getoption("--update-snapshots"):
            main(["docs", "--folder", str(ROOT / "docs/rules")])
        assert main(["docs", "--check", "--folder", str(ROOT / "docs/rules")]) == 0
        assert capsys.readouterr().err == ""

    def test_list_every_rule(self) -> None:
        """The index leads to the page of each rule."""
        pages = rule_pages()
        assert all(f"({code}.md)" in pages["index.md"] for code in RULES)
        assert set(pages) == {"index.md", *(f"{code}.md" for code in RULES)}
