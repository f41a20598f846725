# SPDX-License-Identifier: Apache-2.0
"""What every test may use, and what no test may leave behind."""

import importlib.util
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

# Scripts that processes of a test run; they cannot be imported outside of a job.
collect_ignore = ["ranks", "cases"]
ROOT = Path(__file__).resolve().parent.parent
Fit = Callable[..., tuple[pl.Trainer, Exception | None]]
QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "enable_checkpointing": False,
    "enable_model_summary": False,
    "enable_progress_bar": False,
    "logger": False,
    "max_steps": 3,
    "num_sanity_val_steps": 0,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what only this project needs."""
    parser.addoption(
        "--update-snapshots",
        action="store_true",
        help="write the stored texts instead of comparing",
    )


@pytest.fixture(scope="session", autouse=True)
def _quiet_lightning() -> Iterator[None]:
    """Hide what Lightning says about hardware; findings of the guard have their own logger."""
    loggers = [
        logging.getLogger(name)
        for name in (
            "pytorch_lightning",
            "lightning_fabric",
            "lightning.pytorch",
            "lightning.fabric",
        )
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(autouse=True)
def _nothing_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run each test seeded, on one thread, in an empty folder, and fail it for state it leaks."""
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    assert _torch_state() == CLEAN, "an earlier test left torch in another state"
    yield
    state = _torch_state()
    _clean_up()
    assert state == CLEAN, "the test left torch in another state"


CLEAN = {
    "function modes": 0,
    "dispatch modes": 0,
    "grad mode": True,
    "inference mode": False,
    "anomaly mode": False,
    "deterministic": False,
    "default dtype": torch.float32,
    "compile stance": "default",
}


def _torch_state() -> dict[str, object]:
    """Collect the global switches of torch that a guard might move."""
    return {
        "function modes": torch._C._len_torch_function_stack(),
        "dispatch modes": torch._C._len_torch_dispatch_stack(),
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "anomaly mode": torch.is_anomaly_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "default dtype": torch.get_default_dtype(),
        "compile stance": _stance(),
    }


def _stance() -> str:
    """Read the stance of torch.compile without loading the compiler for it."""
    frames = sys.modules.get("torch._dynamo.eval_frame")
    return "default" if frames is None else str(frames._stance.stance)


def _clean_up() -> None:
    """Put back what a failed test left, so that the next test is judged by itself."""
    while torch._C._len_torch_function_stack():
        torch._C._pop_torch_function_stack()
    torch.set_grad_enabled(True)
    torch.autograd.set_detect_anomaly(mode=False)
    torch.use_deterministic_algorithms(mode=False)
    torch.set_default_dtype(torch.float32)
    if _stance() != "default":
        torch.compiler.set_stance("default")


@pytest.fixture
def run_fit() -> Fit:
    """Hand out `fit`."""
    return fit


def fit(
    model: pl.LightningModule,
    loader: object,
    guard: pl.Callback | None = None,
    **trainer_kwargs: Any,
) -> tuple[pl.Trainer, Exception | None]:
    """Train the model as quietly as the Trainer can.

    Args:
        model: what to train.
        loader: the batches, or the loaders for training and validation as a tuple.
        guard: appended to the callbacks, if given.
        trainer_kwargs: arguments of the Trainer that differ from `QUIET`.

    Returns:
        The Trainer, and what `fit` raised, or None.
    """
    callbacks = [*trainer_kwargs.pop("callbacks", []), *([guard] if guard else [])]
    trainer = pl.Trainer(**{**QUIET, **trainer_kwargs}, callbacks=callbacks)
    loaders = loader if isinstance(loader, tuple) else (loader,)
    try:
        trainer.fit(model, *loaders)
    except Exception as error:  # noqa: BLE001 (whatever it is, the test wants to see it)
        return trainer, error
    return trainer, None


@pytest.fixture
def load_file() -> Callable[[Path], ModuleType]:
    """Hand out `load`."""
    return load


def load(path: Path) -> ModuleType:
    """Import a file that is in no package, under a name of its own."""
    name = "_".join(("loaded", *path.relative_to(ROOT).with_suffix("").parts))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
