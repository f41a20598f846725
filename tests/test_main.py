# SPDX-License-Identifier: Apache-2.0
"""The command line: what is printed where, and the exit status."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_gradguard.__main__ import main, rule_pages
from lightning_gradguard.report import Report
from lightning_gradguard.rules import RULES, explain

TRAIN = """
import pytorch_lightning as pl
import torch
from torch import nn


class Good(pl.LightningModule):
    def __init__(self, width=3):
        super().__init__()
        self.body = nn.Linear(4, width)

    def loss(self, x, y):
        return nn.functional.cross_entropy(self.body(x), y)

    def training_step(self, batch, batch_idx):
        return self.loss(*batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Cut(Good):
    def loss(self, x, y):
        return 1 - (self.body(x).argmax(1) == y).float().mean()


class Half(Good):
    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(2, 2)


class Crash(Good):
    def loss(self, x, y):
        raise KeyError("depth")


class Needy(Good):
    def __init__(self, size):
        super().__init__()


def batch():
    return torch.ones(4, 4), torch.tensor([0, 1, 2, 0])


def loader():
    return torch.utils.data.DataLoader([batch()] * 2, batch_size=None)


class Data(pl.LightningDataModule):
    def train_dataloader(self):
        return loader()
"""


@pytest.fixture(autouse=True)
def _train_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("train.py").write_text(TRAIN, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "train", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])


class TestExplain:
    """`gradguard explain`."""

    def test_prints_the_page(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The text is that of the documentation."""
        assert main(["explain", "gg101"]) == 0
        assert capsys.readouterr().out == explain("GG101")

    def test_prints_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The fields are those of the registry."""
        assert main(["explain", "relabelled-loss", "--json"]) == 0
        record = json.loads(capsys.readouterr().out)
        assert record["code"] == "GG102"
        assert record["bad"] == RULES["GG102"].bad

    def test_lists_rules_for_an_unknown_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A wrong code is a usage error that says what there is."""
        assert main(["explain", "GG777"]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "got 'GG777'; there are: GG101 non-differentiable-loss, " in printed.err

    def test_guesses_what_was_meant(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A name that is nearly right is answered with the right one."""
        assert main(["explain", "unused-params"]) == 2
        assert "did you mean GG106 unused-parameters?" in capsys.readouterr().err


class TestRules:
    """`gradguard rules`."""

    def test_prints_a_line_for_each(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Code, level and name stand in columns."""
        assert main(["rules"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[:3] for line in lines] == [
            [rule.code, str(rule.severity), rule.name] for rule in RULES.values()
        ]

    def test_prints_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        """All rules with all fields."""
        assert main(["rules", "--json"]) == 0
        assert [rule["code"] for rule in json.loads(capsys.readouterr().out)] == list(RULES)


class TestCheck:
    """`gradguard check`."""

    @pytest.mark.parametrize("data", ["train.py:loader", "train.py:batch", "train.py:Data"])
    def test_says_clean(self, data: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Status 0 for a model that trains, from a loader, a batch or a data module."""
        assert main(["check", "train.py:Good", "--data", data]) == 0
        assert "2 of 2 trainable parameters received a gradient" in capsys.readouterr().out

    @pytest.mark.parametrize("model", ["train.py:Cut", "train:Cut"])
    def test_shows_findings(self, model: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Status 1 and the diagnostic on standard output, for a file and for a module."""
        assert main(["check", model, "--data", "train:loader"]) == 1
        out = capsys.readouterr().out
        assert out.startswith(
            "error[GG101]: the loss is not connected to any trainable parameter\n"
        )
        assert "--> train.py:" in out

    def test_counts_warnings_as_findings(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A warning is one in both modes; one line each in the concise form."""
        for mode in ([], ["--strict"]):
            arguments = ["check", "train.py:Half", "--data", "train.py:loader", *mode]
            assert main([*arguments, "--format", "concise"]) == 1
            assert "warning[GG106]" in capsys.readouterr().out

    def test_leaves_rules_out(self) -> None:
        """The options of the guard are those of the command."""
        arguments = ["check", "train.py:Half", "--data", "train.py:loader"]
        assert main([*arguments, "--ignore", "GG106"]) == 0
        assert main([*arguments, "--select", "GG2"]) == 0

    def test_passes_arguments_to_the_model(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Values are Python literals."""
        arguments = ["check", "train.py:Good", "--data", "train.py:loader", "--init", "width=5"]
        assert main([*arguments, "--format", "json", "--steps", "1"]) == 0
        record = json.loads(capsys.readouterr().out)
        assert record["total"] == 2
        assert record["step"] == 0

    @pytest.mark.parametrize(
        "name", ["out/report.sarif", "report.json", "report.md", "report.html"]
    )
    def test_writes_the_report(self, name: str) -> None:
        """The suffix decides on the form; missing folders are made."""
        if name.endswith(".html"):
            pytest.importorskip("jinja2")
        arguments = ["check", "train.py:Cut", "--data", "train.py:loader", "--report", name]
        assert main(arguments) == 1
        assert "GG101" in Path(name).read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["train.py", "--data", "train.py:loader"], "expected MODULE:NAME, got 'train.py'"),
            (["gone.py:Good", "--data", "train.py:loader"], "there is no Python file gone.py"),
            (["gone:Good", "--data", "train.py:loader"], "could not import `gone`"),
            (
                ["train.py:Gone", "--data", "train.py:loader"],
                "there are: Good, Cut, Half, Crash, Needy, batch, loader, Data\n",
            ),
            (
                ["train.py:Needy", "--data", "train.py:loader"],
                "required positional argument: 'size'",
            ),
            (
                ["train.py:batch", "--data", "train.py:loader"],
                "expected `train.py:batch` to give a LightningModule, got tuple",
            ),
            (
                ["train.py:Good", "--data", "train.py:Cut"],
                "expected `train.py:Cut` to give batches, got Cut",
            ),
            (["train.py:Good", "--data", "train.py:torch"], "to give batches, got module"),
            (["train.py:Good", "--data", "train.py:loader", "--init", "3"], "NAME=VALUE, got '3'"),
            (["train.py:Good", "--data", "train.py:loader", "--select", "GG7"], "got 'GG7'"),
            (["train.py:Good", "--data", "train.py:loader", "--report", "x.doc"], "got 'x.doc'"),
            (["train.py:Crash", "--data", "train.py:loader"], "stopped with KeyError: 'depth'"),
        ],
    )
    def test_tells_wrong_commands_from_findings(
        self, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Status 2, nothing on standard output, and what to change on standard error."""
        assert main(["check", *arguments]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert words in printed.err

    def test_shows_where_the_training_stopped(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The traceback goes through the user's file only, not through Lightning."""
        assert main(["check", "train.py:Crash", "--data", "train.py:loader"]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert [row.rpartition("in ")[2] for row in lines if row.startswith("  File")] == [
            "training_step",
            "loss",
        ]
        assert '    raise KeyError("depth")' in lines

    @pytest.mark.parametrize("steps", ["0", "-1", "few"])
    def test_wants_at_least_one_step(self, steps: str, capsys: pytest.CaptureFixture[str]) -> None:
        """The parser refuses with status 2."""
        with pytest.raises(SystemExit) as caught:
            main(["check", "train.py:Good", "--data", "train.py:loader", "--steps", steps])
        assert caught.value.code == 2
        assert f"got '{steps}'" in capsys.readouterr().err


class TestReport:
    """`gradguard report show`."""

    @pytest.fixture
    def saved(self, capsys: pytest.CaptureFixture[str]) -> str:
        """Save a report with a finding."""
        main(["check", "train.py:Cut", "--data", "train.py:loader", "--report", "report.json"])
        return capsys.readouterr().out

    @pytest.mark.usefixtures("saved")
    @pytest.mark.parametrize(
        ("form", "beginning"),
        [
            ("full", "error[GG101]"),
            ("concise", "train.py:"),
            ("github", "::error file=train.py"),
            ("json", "{"),
            ("sarif", "{"),
            ("markdown", "# gradguard report"),
        ],
    )
    def test_draws_it_in_every_form(
        self, form: str, beginning: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A saved report can become any other form, and has the same exit status."""
        assert main(["report", "show", "report.json", "--format", form]) == 1
        assert capsys.readouterr().out.startswith(beginning)

    def test_prints_what_the_check_printed(
        self, saved: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Nothing is lost on the way through the file."""
        main(["report", "show", "report.json"])
        assert capsys.readouterr().out == saved

    def test_is_clean_without_findings(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Status 0 for a report without findings, whose concise form is empty."""
        Path("clean.json").write_text(json.dumps(Report().to_dict()), encoding="utf-8")
        assert main(["report", "show", "clean.json", "--format", "concise"]) == 0
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize("text", [None, "no json", "[1]", "{}", '{"schema_version": 99}'])
    def test_refuses_what_is_no_report(
        self, text: str | None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A missing or foreign file is a usage error."""
        if text is not None:
            Path("other.json").write_text(text, encoding="utf-8")
        assert main(["report", "show", "other.json"]) == 2
        assert "other.json" in capsys.readouterr().err


class TestDocs:
    """`gradguard docs`."""

    def test_writes_what_the_check_accepts(self, capsys: pytest.CaptureFixture[str]) -> None:
        """After writing, nothing differs; a changed or foreign page does."""
        assert main(["docs", "--folder", "rules"]) == 0
        assert {path.name for path in Path("rules").iterdir()} == set(rule_pages())
        assert main(["docs", "--check", "--folder", "rules"]) == 0
        Path("rules/GG101.md").write_text("other", encoding="utf-8")
        Path("rules/GG999.md").write_text("stray", encoding="utf-8")
        assert main(["docs", "--check", "--folder", "rules"]) == 1
        err = capsys.readouterr().err
        assert "GG101.md is not current" in err
        assert "GG999.md is not current" in err


class TestHelp:
    """What a user reads first."""

    @pytest.mark.parametrize("command", [[], ["check"], ["report", "show"], ["explain"], ["docs"]])
    def test_describes_every_argument(
        self, command: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Status 0, and no option without a sentence about it."""
        with pytest.raises(SystemExit) as caught:
            main([*command, "--help"])
        assert caught.value.code == 0
        out = capsys.readouterr().out
        assert out.startswith("usage: gradguard")
        options = [row for row in out.splitlines() if row.startswith("  -")]
        assert options
        following = [*out.splitlines(), ""]
        for row in options:
            index = following.index(row)
            assert "  " in row.strip() or following[index + 1].startswith(" " * 20)

    def test_says_what_there_is(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Without a command, status 2 and all commands on standard error."""
        assert main([]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "train a model for a few steps" in printed.err

    @pytest.mark.parametrize("arguments", [["fly"], ["explain"], ["report"], ["check", "a:b"]])
    def test_refuses_incomplete_commands(self, arguments: list[str]) -> None:
        """Status 2."""
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2

    def test_runs_as_a_module(self) -> None:
        """`python -m lightning_gradguard` is the same command, without torch where it can do so."""
        code = [sys.executable, "-X", "importtime", "-m", "lightning_gradguard", "explain", "GG103"]
        answer = subprocess.run(code, capture_output=True, text=True, check=True)  # noqa: S603
        assert answer.stdout == explain("GG103")
        assert "| torch\n" not in answer.stderr
