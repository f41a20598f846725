# SPDX-License-Identifier: Apache-2.0
"""README and documentation: programs run, texts are what is printed, links lead somewhere."""

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import yaml

from lightning_gradguard import GradGuard, GradGuardError
from lightning_gradguard.__main__ import _parser
from lightning_gradguard.report import render
from lightning_gradguard.rules import RULES

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

# Commands of the documentation that are not run by a test, by how they begin.
NOT_RUN = {
    "pip install": "fetches packages; tests/test_packaging.py installs a wheel",
    "make": "runs the tests, this one among them, or what has a test of its own",
}
# Commands that say the same whatever the model is like.
NOT_ABOUT_A_MODEL = ("gradguard explain", "gradguard rules", "gradguard report")
SMOKE = """\
from train import main


def test_training():
    main()
"""

every_page = pytest.mark.parametrize("page", PAGES, ids=[path.stem for path in PAGES])


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page in a language."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [text for name, text in found if name == language]


@contextlib.contextmanager
def quietly() -> Any:
    """Let programs print and warn as they like."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def execute(source: str, namespace: dict[str, Any], name: str = "__main__") -> None:
    """Run a program from a file `train.py` in the working directory."""
    path = Path("train.py").resolve()
    path.write_text(source, encoding="utf-8")
    namespace["__name__"] = name
    exec(compile(source, path, "exec"), namespace)  # noqa: S102  # the project's own documentation


def single_trainer(**options: Any) -> pl.Trainer:
    """Make the Trainer of an example for many devices on the one that is here."""
    return pl.Trainer(**{**options, "devices": 1, "accelerator": "cpu"})


def replace_text_block(page: Path, text: str, start: str) -> None:
    """Put what is printed into the block of a page that begins like it, or is empty."""
    old = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"^```text\n(?:{re.escape(start)}.*?)?^```$", re.DOTALL | re.MULTILINE)
    new, count = pattern.subn(lambda _: f"```text\n{text}\n```", old, count=1)
    assert count == 1
    page.write_text(new, encoding="utf-8")


class TestPrograms:
    """Python blocks."""

    @every_page
    def test_run_in_order(self, page: Path) -> None:
        """The blocks of a page are one session; the README's last one stops by a finding."""
        namespace: dict[str, Any] = {"pl": pl, "torch": torch, "nn": torch.nn}
        namespace |= {"GradGuard": GradGuard, "Trainer": single_trainer}
        torch.manual_seed(0)
        for source in blocks(page, "python"):
            broken = page == README and "__main__" in source
            expected = pytest.raises(GradGuardError) if broken else contextlib.nullcontext()
            with quietly(), expected:
                execute(source, namespace)

    @pytest.mark.parametrize(
        ("page", "code"), [("README.md", "GG101"), ("docs/quickstart.md", "GG106")]
    )
    def test_print_what_the_page_says(
        self, page: str, code: str, request: pytest.FixtureRequest
    ) -> None:
        """The text in the page is the diagnostic of the program in the page, verbatim."""
        path = ROOT / page
        program = next(b for b in blocks(path, "python") if "import pytorch_lightning" in b)
        namespace = vars(ModuleType("train")) | {"guard": GradGuard()}
        torch.manual_seed(0)
        with quietly(), contextlib.suppress(GradGuardError):
            execute(program.replace("[GradGuard()]", "[guard]"), namespace)
        (finding,) = namespace["guard"].report.diagnostics
        assert finding.code == code
        text = render(finding)
        if request.config.getoption("--update-snapshots"):
            replace_text_block(path, text, f"{finding.severity}[{code}]")
        assert text + "\n" in blocks(path, "text")

    def test_excerpt_is_from_the_program(self) -> None:
        """What the reader sees first is what the whole program holds."""
        excerpt, *_ = blocks(README, "python")
        program = next(b for b in blocks(README, "python") if "__main__" in b)
        assert "".join(f"    {line}" for line in excerpt.splitlines(keepends=True)) in program

    def test_torch_says_what_the_readme_says(self) -> None:
        """Without the guard, the same program ends with torch's own words."""
        program = next(b for b in blocks(README, "python") if "__main__" in b)
        with quietly(), pytest.raises(RuntimeError) as caught:
            execute(program.replace("GradGuard()", ""), {})
        assert f"> RuntimeError: {caught.value}" in README.read_text(encoding="utf-8")


class TestOtherBlocks:
    """Commands and configurations."""

    @every_page
    def test_commands_exist(self, page: Path) -> None:
        """Each `gradguard` command is one that the parser takes, each make target is there."""
        targets = re.findall(
            r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
        )
        workflow = [
            row.partition("run: ")[2] for b in blocks(page, "yaml") for row in b.splitlines()
        ]
        for line in [row for b in blocks(page, "bash") for row in b.splitlines()] + workflow:
            words = shlex.split(line)
            if words[:1] == ["gradguard"]:
                assert _parser().parse_args(words[1:])
            elif words[:1] == ["make"]:
                assert words[1] in targets

    @every_page
    def test_configurations_are_taken(self, page: Path) -> None:
        """YAML is well formed, and arguments of the guard are arguments of the guard."""
        for text in blocks(page, "yaml"):
            content = yaml.safe_load(text)
            if "_target_" in content:
                assert content.pop("_target_") == "lightning_gradguard.GradGuard"
                assert GradGuard(**content)
            for entry in content.get("trainer", {}).get("callbacks", []):
                assert GradGuard(**entry["init_args"])

    @every_page
    def test_json_is_json(self, page: Path) -> None:
        """As it says."""
        for text in blocks(page, "json"):
            json.loads(text)


def commands(page: Path) -> list[str]:
    """Return the commands of a page, those in a workflow among them."""
    written = [row for block in blocks(page, "bash") for row in block.splitlines()]
    rows = [row.strip() for block in blocks(page, "yaml") for row in block.splitlines()]
    return written + [row.removeprefix("- run: ") for row in rows if row.startswith("- run: ")]


def runnable() -> list[str]:
    """Return every command of the documentation that is run, each once."""
    found = dict.fromkeys(command for page in PAGES for command in commands(page))
    return [command for command in found if not command.startswith(tuple(NOT_RUN))]


@pytest.mark.slow
class TestCommands:
    """The commands, in the project that the README builds up: its program and a smoke test."""

    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        """Make the project, with the fault of the README."""
        program = next(b for b in blocks(README, "python") if "__main__" in b)
        (tmp_path / "train.py").write_text(program, encoding="utf-8")
        (tmp_path / "tests" / "smoke").mkdir(parents=True)
        (tmp_path / "tests" / "smoke" / "test_train.py").write_text(SMOKE, encoding="utf-8")
        (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n", encoding="utf-8")
        return tmp_path

    def run(self, command: str, project: Path) -> "subprocess.CompletedProcess[str]":
        """Run a command as a shell would, with the tools of this environment."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        left_out = ("PYTEST", "GRADGUARD", "GITHUB", "COV")
        variables = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
        return subprocess.run(  # noqa: S603  # the project's own documentation
            ["bash", "-c", command],  # noqa: S607
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
            env=variables | {"PATH": path},
        )

    @pytest.mark.parametrize("command", runnable())
    def test_tell_a_broken_project_from_a_repaired_one(self, command: str, project: Path) -> None:
        """A command about a model fails on the broken one, by the diagnostic, and then passes."""
        if not command.startswith(NOT_ABOUT_A_MODEL):
            answer = self.run(command, project)
            assert answer.returncode == 1, answer.stdout + answer.stderr
            assert "error[GG101]" in answer.stdout + answer.stderr
            train = project / "train.py"
            source = train.read_text(encoding="utf-8")
            repaired = re.sub("loss = 1 - .*", "loss = F.cross_entropy(logits, y)", source)
            train.write_text(repaired, encoding="utf-8")
        answer = self.run(command, project)
        assert answer.returncode == 0, answer.stdout + answer.stderr

    def test_are_the_ones_that_matter(self) -> None:
        """The test above has not lost what it is for."""
        words = {word for command in runnable() for word in command.split()[:2]}
        assert {"GRADGUARD=strict", "pytest", "check", "explain"} <= words

    def test_names_only_what_is_left_out(self) -> None:
        """Each entry of the table of exceptions is about a command that is there."""
        every = [command for page in PAGES for command in commands(page)]
        assert all(any(c.startswith(start) for c in every) for start in NOT_RUN)


class TestLinks:
    """Links between pages and to files of the project."""

    @every_page
    def test_lead_somewhere(self, page: Path) -> None:
        """Each relative link is a file or a folder of the project."""
        text = re.sub(
            r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
        )
        text = re.sub(r"`[^`\n]*`", "", text)
        targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
        # The site puts the changelog beside the other pages.
        missing = [t for t in targets if not (page.parent / t).exists() and t != "changelog.md"]
        assert missing == []


class TestRulesTable:
    """The table in the README."""

    def test_lists_every_rule(self, request: pytest.FixtureRequest) -> None:
        """Code, name, level and sentence are those of the registry."""
        rows = [
            f"| [{rule.code}](docs/rules/{rule.code}.md) | {rule.name} | {rule.severity} |"
            for rule in RULES.values()
        ]
        table = "\n".join(["| code | name | level |", "| --- | --- | --- |", *rows]) + "\n"
        text = README.read_text(encoding="utf-8")
        if request.config.getoption("--update-snapshots"):
            text = re.sub(
                r"(?:^\| .*\n)+|^RULES\n", lambda _: table, text, count=1, flags=re.MULTILINE
            )
            README.write_text(text, encoding="utf-8")
        assert table in text


class TestApi:
    """`docs/api.md`."""

    def test_is_current(self, request: pytest.FixtureRequest) -> None:
        """The page is what the docstrings give."""
        code = [sys.executable, str(ROOT / "docs/mkdocs/api.py")]
        code += [] if request.config.getoption("--update-snapshots") else ["--check"]
        answer = subprocess.run(code, capture_output=True, text=True, check=False)  # noqa: S603
        assert answer.returncode == 0, answer.stderr


@pytest.mark.slow
def test_site_builds_without_warnings(tmp_path: Path) -> None:
    """Strict mode of mkdocs: no broken link, no page outside of the navigation."""
    pytest.importorskip("mkdocs", reason="the site is built with mkdocs")
    pytest.importorskip("material", reason="the site is built with mkdocs-material")
    config = str(ROOT / "docs/mkdocs/mkdocs.yml")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "-f",
        config,
        "-d",
        str(tmp_path),
    ]
    variables = os.environ | {"NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)  # noqa: S603
    assert answer.returncode == 0, answer.stderr
    assert "GG101" in (tmp_path / "rules/GG101/index.html").read_text(encoding="utf-8")
    assert (tmp_path / "changelog/index.html").is_file()
    first = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "carry a gradient" in first
    assert "pip install lightning-gradguard" in re.sub("<[^>]*>", "", first)
