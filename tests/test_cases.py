# SPDX-License-Identifier: Apache-2.0
"""Small trainings of every kind: torch does what is stated, and the guard says just that."""

import itertools

import casekit
import plaintorch
import pytest

CASES = {
    f"{kind}/{path.stem}": path
    for root, kind in itertools.product((casekit.SAMPLES, casekit.OWN), ("broken", "healthy"))
    for path in sorted((root / kind).glob("*.py"))
}

# Case -> why the guard is wrong about it. A repair makes the test fail until the row is deleted.
KNOWN_MISSES: dict[str, str] = {}


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


@pytest.mark.parametrize("name", [param(name) for name in CASES])
def test_guard_is_right(name: str) -> None:
    """A broken case is found with its line and exactly its parameters, a healthy one is silent."""
    path = CASES[name]
    module = casekit.load(path)
    guard, model, _ = casekit.train(module)
    assert casekit.verdict(path, module, guard, model) == []


@pytest.mark.parametrize("name", CASES)
def test_torch_does_what_is_stated(name: str) -> None:
    """The expectation holds in torch and Lightning alone."""
    plaintorch.check(CASES[name], casekit.load(CASES[name]))
