# SPDX-License-Identifier: Apache-2.0
"""What is built, what is in it, and that it works outside of the checkout."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {"examples", "html", "mlflow", "plots", "tensorboard", "test", "wandb"}


def run(*command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command in a folder, without what the environment of this session adds."""
    clean = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "GRADGUARD"}}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=clean)  # noqa: S603


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build sdist and wheel, the wheel from the sdist, with what is installed."""
    pytest.importorskip("build", reason="the package is built with build")
    pytest.importorskip("hatchling", reason="the package is built with hatchling")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    answer = run(*command, cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """Return the wheel."""
    (path,) = built.glob("*.whl")
    return path


def names_in_package() -> set[str]:
    """Return what the package consists of."""
    found = (ROOT / "lightning_gradguard").rglob("*")
    return {
        path.relative_to(ROOT).as_posix()
        for path in found
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.slow
class TestWheel:
    """The wheel."""

    def test_holds_the_package_and_nothing_else(self, wheel: Path) -> None:
        """All of its files, the typing mark, the template and the schema among them."""
        with zipfile.ZipFile(wheel) as archive:
            names = {n for n in archive.namelist() if ".dist-info/" not in n}
        assert names == names_in_package()
        assert {"py.typed", "report.schema.json", "templates/report.html.jinja"} <= {
            name.removeprefix("lightning_gradguard/") for name in names
        }

    def test_says_who_it_is(self, wheel: Path) -> None:
        """Metadata, license, entry points."""
        with zipfile.ZipFile(wheel) as archive:
            (folder,) = {n.partition("/")[0] for n in archive.namelist() if ".dist-info/" in n}
            metadata = Parser().parsestr(archive.read(f"{folder}/METADATA").decode())
            points = archive.read(f"{folder}/entry_points.txt").decode()
            assert f"{folder}/licenses/LICENSE" in archive.namelist()
        assert metadata["Name"] == "lightning-gradguard"
        assert metadata["Version"] == PROJECT["version"]
        assert metadata["Requires-Python"] == ">=3.11"
        assert metadata["License-Expression"] == "Apache-2.0"
        assert set(metadata.get_all("Provides-Extra", [])) >= EXTRAS
        assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
        for group in ("console_scripts", "pytest11", "lightning.pytorch.callbacks_factory"):
            assert f"[{group}]\ngradguard = lightning_gradguard." in points
        assert "[pytorch_lightning.callbacks_factory]" in points

    def test_works_outside_of_the_checkout(self, wheel: Path, tmp_path: Path) -> None:
        """A new user: an empty folder, the wheel, the program and the commands of the README."""
        python = new_environment(tmp_path / "env", wheel)
        home = tmp_path / "home"
        home.mkdir()
        (home / "train.py").write_text(readme_program(), encoding="utf-8")
        answer = run(python, "train.py", cwd=home)
        assert answer.returncode != 0
        assert readme_diagnostic() in answer.stderr
        assert "site-packages" in run(python, "-c", WHERE, cwd=home).stdout
        command = str(Path(python).parent / "gradguard")
        assert run(command, "explain", "GG101", cwd=home).stdout.startswith("# GG101")
        smoke(python, home)


WHERE = "import lightning_gradguard; print(lightning_gradguard.__file__)"
TEST = "from train import main\n\ndef test_smoke():\n    main()\n"


def smoke(python: str, home: Path) -> None:
    """Add the command of the CI page to a toy project: fails when broken, passes when repaired."""
    broken = re.sub(r", callbacks=\[.*?\]", "", readme_program())  # the command brings its own
    broken = broken.replace("from lightning_gradguard import GradGuard\n", "")
    repaired = re.sub(r"loss = 1 - .*", "loss = F.cross_entropy(logits, y)", broken)
    assert "GradGuard" not in broken
    assert repaired != broken
    (home / "test_smoke.py").write_text(TEST, encoding="utf-8")
    for source, status, words in ((broken, 1, "error[GG101]"), (repaired, 0, "1 passed")):
        (home / "train.py").write_text(source, encoding="utf-8")
        command = (python, "-m", "pytest", "--gradguard=strict", "-p", "no:cacheprovider", "-q")
        answer = run(*command, cwd=home)
        assert answer.returncode == status, answer.stdout
        assert words in answer.stdout


def new_environment(folder: Path, wheel: Path) -> str:
    """Make an environment that sees the packages of this one, but this project only as a wheel."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = str(folder / "bin" / "python")
    (site,) = (folder / "lib").glob("python*/site-packages")
    here = run(sys.executable, "-c", "import torch; print(torch.__file__)", cwd=folder).stdout
    packages = Path(here.strip()).parent.parent
    for entry in packages.iterdir():
        if not re.match(r"_?(lightning_gradguard|editable_impl_lightning)", entry.name):
            (site / entry.name).symlink_to(entry)
    target = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
    answer = run(*target, str(wheel), cwd=folder)
    assert answer.returncode == 0, answer.stderr
    return python


def readme_blocks(language: str) -> list[str]:
    """Return the code blocks of the README in a language."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def readme_program() -> str:
    """Return the complete program of the README."""
    (program,) = (block for block in readme_blocks("python") if "__main__" in block)
    return program


def readme_diagnostic() -> str:
    """Return what the README says is printed."""
    (text,) = (block for block in readme_blocks("text") if block.startswith("error[GG101]"))
    return text.rstrip("\n")


@pytest.mark.slow
class TestSdist:
    """The source distribution."""

    def test_holds_what_is_needed_to_work_on_it(self, built: Path) -> None:
        """Sources, tests, examples, configurations and documentation; no caches and no logs."""
        (path,) = built.glob("*.tar.gz")
        with tarfile.open(path) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        assert names_in_package() <= names
        assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile"} <= names
        assert {"tests/conftest.py", "examples/digits.py", "configs/strict_ci.yaml"} <= names
        assert {"docs/rules/GG101.md", "constraints.txt"} <= names
        assert [n for n in names if "__pycache__" in n or ".venv" in n or "logs/" in n] == []


class TestProject:
    """`pyproject.toml`."""

    def test_top_level_is_tidy(self) -> None:
        """Nothing lies around beside what is agreed on."""
        allowed = {"pyproject.toml", "README.md", "lightning_gradguard", "tests", "examples"}
        allowed |= {"configs", "Makefile", "LICENSE", "CHANGELOG.md", "docs", "benchmarks"}
        allowed |= {"constraints.txt", "build", "dist", "site", "logs", "lightning_logs"}
        names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
        assert names <= allowed

    def test_extras_are_pinned(self) -> None:
        """Everything that an extra asks for has an exact version in the constraints."""
        text = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower()
        pinned = set(re.findall(r"^([a-z0-9_.-]+)==", text, re.MULTILINE))
        pinned = {name.replace("_", "-") for name in pinned}
        needed = {
            re.split(r"[\s\[<>=!;]", requirement)[0].lower()
            for name, extra in PROJECT["optional-dependencies"].items()
            for requirement in extra
            if name not in {"mlflow", "models"}  # too large to be installed for every test run
        }
        assert needed - pinned == set()
