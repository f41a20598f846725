# SPDX-License-Identifier: Apache-2.0
"""Figures in README and documentation are those of the last benchmark run."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
_TABLES = frozenset({"overhead", "trace", "growth", "routing", "startup"})
MINE = [path for path in RESULTS if path.stem in _TABLES]


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import the script that writes the tables."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("tables")


def test_pages_agree_with_results(tables: Any) -> None:
    """Every table between markers is what its JSON says."""
    for path in tables.pages():
        text = path.read_text()
        assert tables.filled(text) == text, f"{path.name}: run `python benchmarks/tables.py`"


def test_tables_are_replaced(tables: Any) -> None:
    """What stands between the markers goes, what stands around them stays."""
    name = MINE[0].stem
    page = f"before\n<!-- benchmark: {name} -->\nold\n<!-- end benchmark -->\nafter\n"
    new = tables.filled(page)
    assert new.startswith(f"before\n<!-- benchmark: {name} -->\n")
    assert new.endswith("\n<!-- end benchmark -->\nafter\n")
    assert "old" not in new
    assert tables.filled(new) == new


@pytest.mark.parametrize("path", MINE, ids=lambda path: path.stem)
def test_results_say_where_they_come_from(path: Path, tables: Any) -> None:
    """Hardware, versions and date are in the file and in the caption."""
    origin = json.loads(path.read_text())["origin"]
    assert {"date", "processor", "cores", "threads", "python", "torch", "lightning"} <= set(origin)
    assert origin["torch"] in tables.render(path.stem)


def test_scripts_do_not_stay_imported(tables: Any) -> None:
    """Importing the scripts measures nothing and prints nothing."""
    assert tables.ROOT == ROOT
    assert "torch" in sys.modules
