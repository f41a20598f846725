# SPDX-License-Identifier: Apache-2.0
"""The files in `examples/claims`: what torch really does, and that the guard says just that."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lightning_gradguard import GradGuard

ROOT = Path(__file__).resolve().parent.parent
FILES = {path.stem: path for path in sorted((ROOT / "examples" / "claims").glob("*.py"))}
NO_GRAD_ERROR = "element 0 of tensors does not require grad and does not have a grad_fn"

# What torch itself does after one call of `backward()` on the loss of the file.
RAISES = ("eq_loss", "integer_cast", "constant_branch", "numpy_round_trip")
ALL_NONE = ("variable_of_data",)
ALL_ZERO = ("rounding",)
ALL_ALIVE = (
    "bce_with_logits",
    "boolean_mask",
    "cross_entropy",
    "one_hot_mse",
    "sigmoid_difference",
    "topk_ranking",
)

Fit = Callable[..., tuple[pl.Trainer, Exception | None]]
Load = Callable[[Path], ModuleType]


@pytest.fixture
def claim(request: pytest.FixtureRequest, load_file: Load) -> ModuleType:
    """Import the file that the test is parametrised with."""
    return load_file(FILES[request.param])


def backward(claim: ModuleType) -> nn.Module:
    """Run one step of the model of a file in plain torch and return it with its gradients."""
    torch.manual_seed(0)
    model: pl.LightningModule = claim.Model()
    loss: Any = model.training_step(next(iter(claim.dataloader())), 0)
    loss.backward()
    return model


def gradients(model: nn.Module) -> list[Tensor | None]:
    """List the gradient of every parameter."""
    return [param.grad for param in model.parameters()]


def test_every_file_is_checked_against_torch() -> None:
    """Each file stands in exactly one of the four groups."""
    assert sorted(RAISES + ALL_NONE + ALL_ZERO + ALL_ALIVE) == sorted(FILES)


class TestTorch:
    """The beliefs, checked without any guard."""

    @pytest.mark.parametrize("claim", RAISES, indirect=True)
    def test_raises_its_no_grad_error(self, claim: ModuleType) -> None:
        """A loss without history does not leave `.grad` empty in silence, it raises."""
        with pytest.raises(RuntimeError, match=NO_GRAD_ERROR):
            backward(claim)

    @pytest.mark.parametrize("claim", ALL_NONE, indirect=True)
    def test_leaves_every_gradient_empty(self, claim: ModuleType) -> None:
        """A loss that was made a leaf runs backward and reaches no parameter."""
        assert all(grad is None for grad in gradients(backward(claim)))

    @pytest.mark.parametrize("claim", ALL_ZERO, indirect=True)
    def test_gives_gradients_of_exact_zeros(self, claim: ModuleType) -> None:
        """A step function is differentiated as a constant, and nothing raises."""
        grads = gradients(backward(claim))
        assert all(grad is not None and not grad.any() for grad in grads)

    @pytest.mark.parametrize("claim", ALL_ALIVE, indirect=True)
    def test_gives_every_parameter_a_gradient(self, claim: ModuleType) -> None:
        """What is commonly called broken trains every parameter."""
        grads = gradients(backward(claim))
        assert all(grad is not None and grad.any() for grad in grads)

    def test_raises_for_the_division_operator(self) -> None:
        """`//` has no derivative and says so, unlike `div` with a rounding mode."""
        value = torch.ones(3, requires_grad=True)
        with pytest.raises(RuntimeError, match="floor_divide is not implemented"):
            (value // 2).sum().backward()

    def test_refuses_numpy_without_detach(self) -> None:
        """The round trip through numpy is possible only after a `detach()`."""
        with pytest.raises(RuntimeError, match="Can't call numpy"):
            torch.ones(3, requires_grad=True).numpy()

    @pytest.mark.parametrize("claim", ["constant_branch"], indirect=True)
    def test_trains_through_the_live_branch(
        self, claim: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An `if` on a tensor costs no gradient, only the constant behind it does."""
        monkeypatch.setattr(claim, "TOLERANCE", 0.0)
        assert all(grad is not None and grad.any() for grad in gradients(backward(claim)))

    @pytest.mark.parametrize("claim", ["topk_ranking"], indirect=True)
    def test_reaches_only_the_selected_entries(self, claim: ModuleType) -> None:
        """Two of six scores take part, so four columns of the scores get a zero gradient."""
        model = claim.Model()
        inputs, relevance = next(iter(claim.dataloader()))
        scores = model.net(inputs)
        scores.retain_grad()
        hardest = torch.topk(scores, k=2, dim=1).indices
        torch.square(scores.gather(1, hardest) - relevance.gather(1, hardest)).mean().backward()
        assert (scores.grad != 0).sum(dim=1).tolist() == [2] * len(inputs)


def test_the_sigmoid_of_the_difference_rewards_size_instead_of_accuracy(load_file: Load) -> None:
    """Trained long enough, every prediction lies above its target, and the error has grown."""
    claim = load_file(FILES["sigmoid_difference"])
    model = claim.Model()
    optimizer = model.configure_optimizers()
    inputs, targets = next(iter(claim.dataloader()))
    before = (model.net(inputs) - targets).square().mean().item()
    for _ in range(300):
        optimizer.zero_grad()
        model.training_step((inputs, targets), 0).backward()
        optimizer.step()
    difference = model.net(inputs) - targets
    assert difference.min() > 0
    assert difference.square().mean() > 2 * before


class TestGuard:
    """What the guard says about each file."""

    @pytest.mark.parametrize("claim", FILES, indirect=True)
    def test_finds_what_the_file_promises(self, claim: ModuleType, run_fit: Fit) -> None:
        """The codes are exactly those in `EXPECTED`; silence where there are none."""
        guard = GradGuard()
        _, error = run_fit(claim.Model(), claim.dataloader(), guard)
        assert tuple(finding.code for finding in guard.report.diagnostics) == claim.EXPECTED
        assert claim.EXPECTED or error is None

    @pytest.mark.parametrize("claim", [*RAISES, *ALL_NONE, *ALL_ZERO], indirect=True)
    def test_names_every_parameter(self, claim: ModuleType, run_fit: Fit) -> None:
        """No parameter of these models is trained, and the finding lists them all."""
        guard, model = GradGuard(), claim.Model()
        run_fit(model, claim.dataloader(), guard)
        (finding,) = guard.report.diagnostics
        assert sorted(finding.params) == sorted(name for name, _ in model.named_parameters())

    @pytest.mark.parametrize(
        ("claim", "line"),
        [
            ("eq_loss", "return 1 - torch.eq(logits.argmax(dim=1), targets).float().mean()"),
            ("integer_cast", "return F.mse_loss(predictions.long().float(), targets)"),
            ("numpy_round_trip", "error = (self.net(inputs) - targets).detach().numpy()"),
            ("constant_branch", "if error < TOLERANCE:"),
            ("rounding", "return F.mse_loss(2 * torch.round(halves), targets)"),
            ("variable_of_data", "return Variable(loss.data, requires_grad=True)"),
        ],
        indirect=["claim"],
    )
    def test_points_at_the_line(self, claim: ModuleType, line: str, run_fit: Fit) -> None:
        """The finding or one of its related places is the line to change."""
        guard = GradGuard()
        run_fit(claim.Model(), claim.dataloader(), guard)
        (finding,) = guard.report.diagnostics
        source = Path(str(claim.__file__)).read_text(encoding="utf-8").splitlines()
        spans = [span for span in (finding.span, *finding.related) if span is not None]
        assert line in [source[span.line - 1].strip() for span in spans]

    @pytest.mark.parametrize("claim", FILES, indirect=True)
    def test_main_runs_and_prints_the_report(
        self,
        claim: ModuleType,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Each file can be run by itself, ends without an error and shows what was found."""
        claim.main()
        printed = capsys.readouterr().out
        assert claim.CLAIM in printed
        assert all(f"[{code}]" in printed for code in claim.EXPECTED)


def test_causes_page_has_a_section_for_every_file() -> None:
    """`docs/causes.md` links each file once."""
    page = (ROOT / "docs" / "causes.md").read_text(encoding="utf-8")
    assert [name for name in FILES if page.count(f"examples/claims/{name}.py") != 1] == []
