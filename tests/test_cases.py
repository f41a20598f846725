# SPDX-License-Identifier: Apache-2.0
"""Small trainings of every kind: torch does what is stated, and the guard says just that."""

import itertools
import warnings
from collections.abc import Callable

import casekit
import plaintorch
import pytest
import torch

CASES = {
    f"{kind}/{path.stem}": path
    for root, kind in itertools.product((casekit.SAMPLES, casekit.OWN), ("broken", "healthy"))
    for path in sorted((root / kind).glob("*.py"))
}

# Case -> why the guard is wrong about it. A repair makes the test fail until the row is deleted.
KNOWN_MISSES: dict[str, str] = {
    "broken/383_prototypes_fixed_at_init": "the cut happens in `__init__`, which is not traced",
    "broken/820_laplacian_of_relu_network": "a term whose graph carries zeros only",
    "broken/849_feature_loss_teacher_twice": "a term of frozen parts only has no cut",
    "broken/1122_lru_cached_kernel": "a leaf that only a cache holds is known by no module",
    "broken/2006_mask_of_values_above_their_maximum": "a gate that is closed by construction",
    "broken/2007_relu_of_a_negative_square": "a gate that is closed by construction",
    "broken/2008_hinge_with_negative_margin": "a gate that is closed by construction",
    "broken/2013_smoothness_of_the_input": "a term of data alone has no cut",
    "broken/2080_late_encoder_from_averaged_weights": "the moving average is blamed",
    "broken/3007_sac_alpha_as_number": "the intended `no_grad` is blamed, `.item()` is related",
    "broken/3019_decision_transformer_context_of_one": "the joining is blamed, not the mask",
    "broken/3021_prompts_hidden_by_mask": "the joining is blamed, not the mask",
    "healthy/953_adaptive_computation_time": "a count of steps looks like a cut term",
    "broken/607_image_through_a_file": "values leave and come back through a file",
    "broken/621_thread_pool_without_grad": "other threads are not traced",
}


def _slope_of_atan2_at_origin() -> float:
    point = torch.zeros(2, requires_grad=True)
    torch.atan2(point[0], point[1]).backward()
    assert point.grad is not None
    return float(point.grad[0])


def _asarray_keeps_the_graph() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.asarray(torch.ones(1, requires_grad=True) * 2).requires_grad


def _slope_at_the_bound_of_a_clamp() -> float:
    one = torch.ones((), requires_grad=True)
    one.clamp(-1.0, 1.0).backward()
    assert one.grad is not None
    return float(one.grad)


# Case about what not every torch does -> what that is, and whether this version does it.
OF_SOME_TORCH: dict[str, tuple[str, Callable[[], bool]]] = {
    "broken/435_atan2_at_origin": (
        "the gradient of `atan2` at the origin is zero, not NaN",
        lambda: _slope_of_atan2_at_origin() == 0,
    ),
    "broken/444_acos_at_identity": (
        "`clamp` passes a gradient at its bound",
        lambda: _slope_at_the_bound_of_a_clamp() == 1,
    ),
    "healthy/717_tensor_constructor_of_tensor": (
        "`asarray` of a tensor keeps its graph",
        _asarray_keeps_the_graph,
    ),
}


def skip_for_this_torch(name: str) -> None:
    """Leave out a case about what this version of torch does not do."""
    fact, holds = OF_SOME_TORCH.get(name, ("", lambda: True))
    if not holds():
        pytest.skip(f"not with torch {torch.__version__}: {fact}")


def param(name: str) -> object:
    """Mark a case as a failure to be expected where it is a known miss."""
    reason = KNOWN_MISSES.get(name)
    marks = pytest.mark.xfail(reason=reason, strict=True) if reason else ()
    return pytest.param(name, marks=marks)


def test_samples_are_there() -> None:
    """The trainings that were made without knowledge of the guard take part where they exist."""
    if not casekit.SAMPLES.is_dir():
        pytest.skip(f"{casekit.SAMPLES} is not part of the repository")
    assert any(casekit.SAMPLES in path.parents for path in CASES.values())


def test_known_misses_are_cases() -> None:
    """No row of the table outlives its case, and each has a reason."""
    own = {name for name in KNOWN_MISSES if (casekit.OWN / f"{name}.py").exists()}
    samples = set(KNOWN_MISSES) - own
    assert all(KNOWN_MISSES.values())
    assert not samples or not casekit.SAMPLES.is_dir() or samples <= set(CASES)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [param(name) for name in CASES])
def test_guard_is_right(name: str) -> None:
    """A broken case is found with its line and exactly its parameters, a healthy one is silent."""
    skip_for_this_torch(name)
    path = CASES[name]
    module = casekit.load(path)
    guard, model, _ = casekit.train(module)
    assert casekit.verdict(path, module, guard, model) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_torch_does_what_is_stated(name: str) -> None:
    """The expectation holds in torch and Lightning alone."""
    skip_for_this_torch(name)
    plaintorch.check(CASES[name], casekit.load(CASES[name]))
