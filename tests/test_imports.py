# SPDX-License-Identifier: Apache-2.0
"""What an import loads: the light parts load nothing heavy, the core knows no Lightning."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "lightning_gradguard"
HEAVY = ("torch", "pytorch_lightning", "lightning", "torchmetrics", "matplotlib", "jinja2", "numpy")
LIGHT = (
    "",
    ".rules",
    ".report",
    ".drawing.sarif",
    ".source",
    ".environment",
    ".pytest_plugin",
    ".__main__",
    ".html",
)
CORE = ("ops", "source", "trace", "lineage", "audit", "flow", "diagnose", "session", "syntax")


def loaded_by(statement: str) -> set[str]:
    """Return which of the heavy packages a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport sys\nprint(*[n for n in {HEAVY!r} if n in sys.modules])"
    answer = subprocess.run(  # noqa: S603  # our own interpreter and code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(answer.stdout.split())


def imported_names(path: Path, *, everywhere: bool = False) -> set[str]:
    """Return the packages that a file imports at its top, or anywhere in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else iter(tree.body)
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


class TestLight:
    """What every pytest session, every Trainer and every `gradguard explain` imports."""

    @pytest.mark.parametrize("module", LIGHT)
    def test_loads_nothing_heavy(self, module: str) -> None:
        """No torch, no Lightning, no drawing library."""
        assert loaded_by(f"import lightning_gradguard{module}") == set()

    def test_public_names_load_when_used(self) -> None:
        """The rules come without torch; the callback brings it."""
        assert loaded_by("from lightning_gradguard import RULES, explain, Report, Span") == set()
        assert "torch" in loaded_by("from lightning_gradguard import GradGuard")

    def test_would_notice_a_heavy_import(self) -> None:
        """The measurement sees what it is meant to see."""
        assert "torch" in loaded_by("import lightning_gradguard.audit")


class TestCore:
    """The parts that judge know torch, and neither Lightning nor torchmetrics."""

    @pytest.mark.parametrize("name", CORE)
    def test_names_no_framework(self, name: str) -> None:
        """Also not inside of functions."""
        files = [*PACKAGE.glob(f"{name}.py"), *PACKAGE.glob(f"{name}/*.py")]
        assert files
        names = set().union(*(imported_names(file, everywhere=True) for file in files))
        assert names & {"pytorch_lightning", "lightning", "torchmetrics"} == set()

    def test_loads_no_framework(self) -> None:
        """Nor by way of something else."""
        modules = ", ".join(f"lightning_gradguard.{name}" for name in CORE)
        assert loaded_by(f"import {modules}") & {"pytorch_lightning", "lightning"} == set()

    def test_would_notice_an_import(self) -> None:
        """The reader of imports finds those that are there, at the top and below."""
        assert "torch" in imported_names(PACKAGE / "audit.py")
        assert "torch" in imported_names(PACKAGE / "testing.py")
        assert "matplotlib" in imported_names(PACKAGE / "plots.py", everywhere=True)


class TestMetrics:
    """The parts of `metrics` build on each other in one direction."""

    LAYERS = (
        "operations", "metric", "pieces", "decisions", "draws", "fitting", "shares", "outside",
        "recognition",
    )  # fmt: skip

    def test_imports_point_one_way(self) -> None:
        """A part imports only parts that come before it, and every part is in the list."""
        files = {p.stem: p for p in (PACKAGE / "metrics").glob("*.py") if p.stem != "__init__"}
        assert set(files) == set(self.LAYERS)
        for place, name in enumerate(self.LAYERS):
            assert _parts(files[name]) <= set(self.LAYERS[:place])

    def test_would_notice_an_import(self) -> None:
        """The reader finds what is there."""
        assert "fitting" in _parts(PACKAGE / "metrics" / "recognition.py")


def _parts(path: Path) -> set[str]:
    """Return the parts of `metrics` that a part imports."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    modules = [n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)]
    own = "lightning_gradguard.metrics."
    return {m.removeprefix(own) for m in modules if m.startswith(own)}


class TestFace:
    """`lightning_gradguard` itself."""

    def test_every_public_name_exists(self) -> None:
        """`__all__` is what can be imported, and an unknown name is refused by name."""
        import lightning_gradguard

        assert all(hasattr(lightning_gradguard, name) for name in lightning_gradguard.__all__)
        with pytest.raises(AttributeError, match="no attribute 'Guard'"):
            _ = lightning_gradguard.Guard

    def test_names_lead_home(self) -> None:
        """Errors are shown under the public name."""
        from lightning_gradguard import GradGuardError

        assert f"{GradGuardError.__module__}.{GradGuardError.__name__}" == (
            "lightning_gradguard.GradGuardError"
        )
