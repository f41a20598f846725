# SPDX-License-Identifier: Apache-2.0
"""Every bad argument is refused with what was expected and what came."""

from pathlib import Path
from typing import Any

import pytest

from lightning_gradguard import GradGuard
from lightning_gradguard.rules import RULES

BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"strict": 1}, TypeError, "expected `strict` to be a boolean, got 1 of type int"),
    ({"strict": None}, TypeError, "expected `strict` to be a boolean, got None of type NoneType"),
    ({"select": "GG1"}, TypeError, "expected `select` to be a sequence of strings, got 'GG1'"),
    ({"select": [101]}, TypeError, "expected `select` to be a sequence of strings, got [101]"),
    ({"select": ["GG9x"]}, ValueError, "expected a rule code or a prefix of one, got 'GG9x'"),
    ({"select": ["gg1"]}, ValueError, "got 'gg1'"),
    ({"select": [""]}, ValueError, "got ''"),
    ({"ignore": {"GG1"}}, TypeError, "expected `ignore` to be a sequence of strings, got {'GG1'}"),
    ({"ignore": ["E501"]}, ValueError, "got 'E501'"),
    ({"ignore_params": "head.*"}, TypeError, "`ignore_params` to be a sequence of strings"),
    ({"ignore_params": [b"x"]}, TypeError, "got [b'x'] of type list"),
    ({"patience": 0}, ValueError, "expected `patience` to be at least 1, got 0"),
    ({"patience": 2.5}, TypeError, "expected `patience` to be an integer, got 2.5 of type float"),
    ({"patience": True}, TypeError, "expected `patience` to be an integer, got True of type bool"),
    ({"trace_steps": -1}, ValueError, "expected `trace_steps` to be at least 0, got -1"),
    ({"trace_steps": "1"}, TypeError, "expected `trace_steps` to be an integer, got '1'"),
    ({"every_n_steps": 0}, ValueError, "expected `every_n_steps` to be at least 1, got 0"),
    ({"log_every_n_steps": 0}, ValueError, "expected `log_every_n_steps` to be at least 1, got 0"),
    ({"log_every_n_steps": 1.0}, TypeError, "to be an integer, got 1.0 of type float"),
    ({"metrics": "all"}, ValueError, "'advise', 'route', 'off' or a mapping of names to metrics"),
    ({"metrics": 3}, TypeError, "a mapping of names to metrics, got 3"),
    ({"metrics": {"acc": 3}}, TypeError, "expected `metrics['acc']` to be a torchmetrics Metric"),
    ({"metrics": {3: None}}, TypeError, "expected `metrics` to have strings as names, got 3"),
    ({"metric_keys": "ab"}, TypeError, "expected `metric_keys` to be two names, got 'ab'"),
    ({"metric_keys": (0, 1)}, TypeError, "expected `metric_keys` to be two names, got (0, 1)"),
    ({"select": ["gg204"]}, ValueError, "got 'gg204'; did you mean GG204?"),
    ({"ignore": ["unused-parameters"]}, ValueError, "did you mean GG106?"),
    ({"report": 3}, TypeError, "expected `report` to be a path, got 3 of type int"),
    ({"report": "out.txt"}, ValueError, "expected `report` to end with one of .json, .sarif, .md"),
    ({"report": Path("out")}, ValueError, "got 'out'"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "error", "text"), BAD, ids=lambda v: str(v)[:40])
def test_bad_argument_is_refused(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    """The message names the argument, what is allowed and what came."""
    with pytest.raises(error) as caught:
        GradGuard(**options)
    assert type(caught.value) is error
    assert text in str(caught.value)


def test_unknown_code_lists_what_is_allowed() -> None:
    """A typing error in a code is answered with the codes there are."""
    with pytest.raises(ValueError, match="allowed: GG, GG1") as caught:
        GradGuard(select=["GG999"])
    assert all(code in str(caught.value) for code in RULES)


def test_positional_arguments_are_refused() -> None:
    """Every argument is named, so that the order can never matter."""
    with pytest.raises(TypeError, match="positional"):
        GradGuard(True)  # type: ignore[call-arg]  # noqa: FBT003


def test_unknown_arguments_are_refused() -> None:
    """A misspelt option is no silent default."""
    with pytest.raises(TypeError, match="patients"):
        GradGuard(patients=3)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"select": (), "ignore": ["GG2", "GG401"]},
        {"ignore_params": ("*.bias",), "patience": 1, "trace_steps": 0, "every_n_steps": 7},
        {"log_every_n_steps": None, "metrics": "off", "report": "a/b.sarif"},
        {"report": Path("report.md"), "strict": True},
    ],
)
def test_good_arguments_are_taken(options: dict[str, Any]) -> None:
    """Lists and tuples, text and paths."""
    guard = GradGuard(**options)
    assert guard.settings.strict is options.get("strict", False)
    assert guard.settings.patience == options.get("patience", 10)


class TestPlaces:
    """Files that are to be written when the run ends are asked for before it begins."""

    @pytest.mark.parametrize("option", ["report", "figure"])
    def test_a_file_is_no_folder(self, option: str, tmp_path: Path) -> None:
        """The part of the path that is in the way is named."""
        (tmp_path / "taken").touch()
        path = tmp_path / "taken" / ("r.json" if option == "report" else "f.png")
        with pytest.raises(ValueError, match="cannot be written") as caught:
            GradGuard(**{option: path})  # type: ignore[arg-type]
        assert str(caught.value).endswith(f"`{tmp_path / 'taken'}` is a file")

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        """Even if its name looks like one."""
        (tmp_path / "r.json").mkdir()
        with pytest.raises(ValueError, match=r"r\.json` is a folder"):
            GradGuard(report=tmp_path / "r.json")

    @pytest.mark.parametrize("exists", [False, True])
    def test_permission_is_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, exists: bool
    ) -> None:
        """Of the file if it is there, else of the nearest folder above that is."""
        path = tmp_path / "new" / "r.json" if not exists else tmp_path / "r.json"
        asked = path if exists else tmp_path
        if exists:
            path.touch()
        monkeypatch.setattr("os.access", lambda place, _: place != asked)
        with pytest.raises(ValueError, match="no permission to write") as caught:
            GradGuard(report=path)
        assert f"`{asked}`" in str(caught.value)

    def test_folders_and_files_may_be_new(self, tmp_path: Path) -> None:
        """Nothing is made until there is something to write."""
        GradGuard(report=tmp_path / "a" / "b" / "R.JSON")
        assert list(tmp_path.iterdir()) == []


def test_ignored_codes_are_taken_out_of_the_selected_ones() -> None:
    """`ignore` is stronger than `select`."""
    codes = GradGuard(select=["GG1", "GG204"], ignore=["GG106", "GG107"]).settings.codes
    assert {"GG101", "GG204"} <= codes
    assert not codes & {"GG106", "GG107", "GG203"}


def test_arguments_are_copied() -> None:
    """A list that is changed later changes nothing."""
    patterns = ["head.*"]
    guard = GradGuard(ignore_params=patterns)
    patterns.append("*")
    assert guard.settings.ignore_params == ("head.*",)
