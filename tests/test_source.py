# SPDX-License-Identifier: Apache-2.0
"""Positions in user code: which frames count, and the exact columns of an expression."""

import functools
import linecache
import os
import sysconfig
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lightning_gradguard import source
from lightning_gradguard.source import Span, Stack, capture, innermost, locate, project

SITE_PACKAGES = sysconfig.get_paths()["purelib"]


class Here(nn.Module):
    """Remember the stack of its forward pass."""

    def forward(self, x: Tensor) -> Tensor:
        """Look around."""
        self.stack = capture()
        return x


def run(text: str, filename: str, **names: Any) -> dict[str, Any]:
    """Run source text that the line cache knows under a file name."""
    lines = text.splitlines(keepends=True)
    linecache.cache[filename] = (len(text), None, lines, filename)
    scope: dict[str, Any] = dict(names)
    exec(compile(text, filename, "exec"), scope)  # noqa: S102 - text of this file
    return scope


def marked(span: Span) -> str:
    """Return the part of the line that a span marks."""
    return span.text[span.column - 1 : span.end_column - 1]


def here() -> Stack:
    """Return the stack of the caller."""
    return capture(2)


class TestCapture:
    """`capture`."""

    def test_names_the_innermost_frame_first(self) -> None:
        """The nearest user frame comes first, its callers follow."""

        def inner() -> Stack:
            return capture()

        names = [code.co_name for code, _ in inner()]
        assert names[:2] == ["inner", "test_names_the_innermost_frame_first"]

    def test_leaves_the_frames_of_torch_out(self) -> None:
        """Between `forward` and the call of the module there is nobody to blame."""
        layer = nn.Sequential(Here())
        layer(torch.ones(1))
        stack: Any = layer[0].stack
        names = [code.co_name for code, _ in stack]
        assert names[:2] == ["forward", "test_leaves_the_frames_of_torch_out"]

    def test_leaves_the_standard_library_out(self) -> None:
        """A generic function is called through a frame of functools, which is not shown."""
        found = functools.singledispatch(lambda _: capture())(1)
        assert all("functools" not in code.co_filename for code, _ in found)
        assert found[1][0].co_name == "test_leaves_the_standard_library_out"

    def test_keeps_no_frame(self) -> None:
        """A position is a code object and a number."""
        for code, offset in capture():
            assert isinstance(code, CodeType)
            assert type(offset) is int

    def test_skips_as_many_frames_as_told(self) -> None:
        """A helper can leave itself out."""
        assert here()[0][0].co_name == "test_skips_as_many_frames_as_told"

    def test_sees_code_without_a_file(self) -> None:
        """What `exec` runs belongs to the user."""
        scope = run("stack = capture()", "<string>", capture=capture)
        assert scope["stack"][0][0].co_filename == "<string>"

    def test_ends_at_the_training_loop(self) -> None:
        """Who called `fit` is not to blame for what a step does."""
        loop = f"{SITE_PACKAGES}/pytorch_lightning/loops/training_epoch_loop.py"
        stepping = run("def step():\n    return here()\n", "made_up.py", here=here)["step"]
        advance = run("def advance():\n    return step()\n", loop, step=stepping)["advance"]
        assert [code.co_name for code, _ in advance()] == ["step"]

    def test_finds_a_caller_by_its_file(self) -> None:
        """A look at a frame of a certain file goes up until there is one."""
        frame = source.caller_in("test_source.py")
        assert isinstance(frame, FrameType)
        assert frame.f_code.co_name == "test_finds_a_caller_by_its_file"
        assert source.caller_in("/no/such/file.py") is None


class TestClassification:
    """Whose code a file is."""

    @pytest.mark.parametrize(
        "name", ["torch/nn/functional.py", "numpy/lib/x.py", "_pytest/python.py"]
    )
    def test_skips_libraries(self, name: str) -> None:
        """The framework and the numeric libraries only receive values."""
        assert source.kind_of(os.path.join(SITE_PACKAGES, name)) == source.SKIP  # noqa: PTH118

    def test_knows_a_metric(self) -> None:
        """The code of torchmetrics is the framework's, too, and has a name to be found."""
        path = os.path.join(SITE_PACKAGES, "torchmetrics/metric.py")  # noqa: PTH118
        assert source.kind_of(path) == source.METRIC
        assert not source.is_user_file(path)

    @pytest.mark.parametrize("name", ["torch_geometric/nn.py", "lightning_bolts/x.py"])
    def test_takes_packages_with_a_longer_name_for_user_code(self, name: str) -> None:
        """A prefix ends at the separator of the path."""
        path = os.path.join(SITE_PACKAGES, name)  # noqa: PTH118
        assert source.kind_of(path) == source.USER
        assert not source.is_project_file(path)

    def test_stops_at_the_training_loop(self) -> None:
        """No frame above the loop of the Trainer can be the user's."""
        path = f"{SITE_PACKAGES}/pytorch_lightning/loops/training_epoch_loop.py"
        assert source.kind_of(path) == source.STOP

    @pytest.mark.parametrize("name", ["<frozen importlib._bootstrap>", "<eval_with_key>.12"])
    def test_skips_generated_code(self, name: str) -> None:
        """What a library has generated has no author to talk to."""
        assert source.kind_of(name) == source.SKIP

    @pytest.mark.parametrize("name", ["<stdin>", "<string>", "<ipython-input-3-abc>", "train.py"])
    def test_takes_interactive_code_for_user_code(self, name: str) -> None:
        """Prompts and notebooks are written by people."""
        assert source.kind_of(name) == source.USER

    def test_skips_the_guard_itself(self) -> None:
        """No frame of this package is ever blamed."""
        assert source.kind_of(source.__file__) == source.SKIP

    def test_prefers_the_project_over_installed_packages(self) -> None:
        """Besides the innermost position there is the innermost one of the user's own project."""
        mine = compile("", __file__, "exec")
        theirs = compile("", f"{SITE_PACKAGES}/kit/model.py", "exec")
        stack = ((theirs, 0), (mine, 0))
        assert innermost(stack) == (theirs, 0)
        assert project(stack) == (mine, 0)
        assert project(stack[:1]) is None
        assert innermost(()) is None


class TestLocate:
    """`locate`."""

    def test_gives_file_line_function_and_text(self) -> None:
        """All that a place in a diagnostic shows."""
        text = "def step():\n    return 0, here()\n"
        stack = run(text, "made_up.py", here=here)["step"]()[1]
        span = locate(stack[0], "a label")
        assert (span.path, span.line, span.function) == ("made_up.py", 2, "step")
        assert (span.text, span.label) == ("    return 0, here()", "a label")
        assert (span.column, span.end_column, marked(span)) == (15, 21, "here()")

    def test_gives_the_qualified_name(self) -> None:
        """A method is named with its class."""
        text = "class Net:\n    def step(self):\n        return here()\nstack = Net().step()\n"
        assert locate(run(text, "made_up.py", here=here)["stack"][0]).function == "Net.step"

    def test_marks_the_first_line_of_a_long_expression(self) -> None:
        """An expression over several lines is marked up to the end of its first one."""
        text = "stack = here(\n    *(),\n)\n"
        span = locate(run(text, "made_up.py", here=here)["stack"][0])
        assert (span.line, marked(span)) == (1, "here(")

    @given(st.text(st.characters(categories=("L", "Nd", "So"), max_codepoint=0x1FAFF), max_size=8))
    def test_counts_characters_and_not_bytes(self, words: str) -> None:
        """Letters beyond ASCII before an expression do not shift its marks."""
        text = f"stack = ({words!r}, here())[1]\n"
        span = locate(run(text, "made_up.py", here=here)["stack"][0])
        assert marked(span) == "here()"

    def test_keeps_the_line_where_the_source_is_missing(self) -> None:
        """Without source text there is still a file and a line, and one column."""
        code = compile("\n\nstack = here()\n", "gone.py", "exec")
        scope: dict[str, Any] = {"here": here}
        exec(code, scope)  # noqa: S102 - text of this file
        span = locate(scope["stack"][0])
        assert (span.path, span.line, span.text) == ("gone.py", 3, "")
        assert span.end_column == span.column + 1

    def test_takes_the_definition_for_an_unknown_offset(self) -> None:
        """A code object without positions leads to its first line."""
        code = compile("\nx = 1\n", "gone.py", "exec")
        assert source.raw_position((code, 10_000))[:2] == (1, 1)

    def test_shows_paths_below_the_working_directory_relative(self, tmp_path: Path) -> None:
        """A file elsewhere keeps its whole path."""
        assert source.display_path(str(tmp_path / "a" / "b.py")) == os.path.join("a", "b.py")  # noqa: PTH118
        outside = str(tmp_path.parent / "c.py")
        assert source.display_path(outside) == outside

    def test_changes_the_label_only(self) -> None:
        """A span can be told again in other words."""
        span = Span("gone.py", 4, 1, 2, "f", "", "old")
        assert span.labelled("new") == Span("gone.py", 4, 1, 2, "f", "", "new")
