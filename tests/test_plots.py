# SPDX-License-Identifier: Apache-2.0
"""The gradients as numbers and as a picture: what is where, and in which colour."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lightning_gradguard import plots
from lightning_gradguard.plots import COLOURS, Gradient

FLOW = (
    Gradient("a.weight", "alive", 1e-1, 1e-2),
    Gradient("a.bias", "missing"),
    Gradient("b.weight", "zero"),
    Gradient("b.bias", "nonfinite", 2.0, 1.0),
)


def with_grad(grad: torch.Tensor | None) -> nn.Parameter:
    """Make a parameter that has this gradient."""
    param = nn.Parameter(torch.zeros_like(grad) if grad is not None else torch.zeros(2))
    param.grad = grad
    return param


class TestMeasure:
    """`measure`."""

    @pytest.mark.parametrize(
        ("grad", "expected"),
        [
            (None, ("missing", 0.0, 0.0)),
            (torch.zeros(3), ("zero", 0.0, 0.0)),
            (torch.zeros(0), ("zero", 0.0, 0.0)),
            (torch.tensor([-4.0, 2.0]), ("alive", 4.0, 3.0)),
            (torch.tensor([math.nan, 2.0, -1.0]), ("nonfinite", 2.0, 1.5)),
            (torch.tensor([math.inf]), ("nonfinite", 0.0, 0.0)),
            (torch.tensor([3 + 4j]), ("alive", 5.0, 5.0)),
            (torch.full((300,), 1000.0, dtype=torch.float16), ("alive", 1000.0, 1000.0)),
        ],
    )
    def test_sorts_and_sizes(
        self, grad: torch.Tensor | None, expected: tuple[str, float, float]
    ) -> None:
        """Missing, zero, not finite and alive; largest and mean absolute value."""
        assert plots.measure({"p": with_grad(grad)}) == (Gradient("p", *expected),)

    def test_reads_sparse_gradients(self) -> None:
        """The values stored are the gradient."""
        embedding = nn.Embedding(9, 2, sparse=True)
        embedding(torch.tensor([1, 1])).sum().backward()
        (gradient,) = plots.measure({"e": embedding.weight})
        assert (gradient.state, gradient.largest) == ("alive", 2.0)

    def test_leaves_gradients_alone(self) -> None:
        """Looking changes nothing."""
        grad = torch.tensor([-4.0, 2.0])
        plots.measure({"p": with_grad(grad)})
        assert grad.tolist() == [-4.0, 2.0]


class TestDraw:
    """`draw`: colours at known places of the picture."""

    @pytest.fixture(autouse=True)
    def _needs_matplotlib(self) -> None:
        pytest.importorskip("matplotlib", reason="the figure needs matplotlib")

    @staticmethod
    def colour_at(figure: Any, value: float, row: float) -> str:
        """Read the colour of a point given in the units of the axes."""
        picture = plots.pixels(figure)
        x, y = figure.axes[0].transData.transform((value, row))
        red, green, blue = picture[picture.shape[0] - 1 - round(y), round(x)]
        return f"#{red:02x}{green:02x}{blue:02x}"

    def test_draws_bars_from_top_to_bottom(self) -> None:
        """The mean is dark, the largest light, and what is missing or broken fills its row."""
        figure = plots.draw(FLOW)
        assert self.colour_at(figure, 5e-3, 0) == COLOURS["mean"]
        assert self.colour_at(figure, 5e-2, 0) == COLOURS["largest"]
        assert self.colour_at(figure, 5e-1, 0) == "#ffffff"
        for row, state in enumerate(["missing", "zero", "nonfinite"], start=1):
            assert self.colour_at(figure, 2e-3, row) == COLOURS[state]
            assert self.colour_at(figure, 5e-1, row) == COLOURS[state]

    def test_names_parameters_and_step(self) -> None:
        """Names stand in the order of the modules."""
        axes = plots.draw(FLOW, step=7).axes[0]
        assert [label.get_text() for label in axes.get_yticklabels()] == [g.name for g in FLOW]
        assert axes.get_title() == "gradient flow at global step 7"

    def test_grows_with_the_parameters_but_not_for_ever(self) -> None:
        """A thousand parameters give a picture that still can be shown, with some names."""
        small, large = (
            plots.draw([Gradient(f"p{i}", "alive", 1.0, 0.5) for i in range(n)]) for n in (10, 1000)
        )
        assert plots.pixels(small).shape[1:] == (800, 3)
        assert plots.pixels(small).shape[0] < plots.pixels(large).shape[0] <= 3500
        assert len(large.axes[0].get_yticklabels()) <= 60

    def test_draws_nothing_at_all(self) -> None:
        """No parameters, and no values, are no error."""
        assert plots.pixels(plots.draw([])).shape[2] == 3
        assert plots.pixels(plots.draw([Gradient("p", "missing")])).shape[2] == 3

    @pytest.mark.parametrize(("suffix", "head"), [(".png", b"\x89PNG"), (".pdf", b"%PDF")])
    def test_saves(self, suffix: str, head: bytes) -> None:
        """The suffix decides on the form."""
        path = Path("out") / f"flow{suffix}"
        plots.save(FLOW, path)
        assert path.read_bytes().startswith(head)


def test_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without matplotlib the message names the extra."""
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(ImportError, match=r"lightning-gradguard\[plots\]"):
        plots.draw(FLOW)
