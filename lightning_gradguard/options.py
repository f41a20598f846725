# SPDX-License-Identifier: Apache-2.0
"""Check the constructor arguments: what was expected, and what came."""

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning_gradguard.rules import matching

__all__ = ["REPORT_SUFFIXES", "check_options"]

REPORT_SUFFIXES = (".json", ".sarif", ".md", ".html")
FIGURE_SUFFIXES = (".png", ".svg", ".pdf")
# Suffix -> the package that writes it, and the extra that installs it.
_WRITTEN_BY = {".html": ("jinja2", "html")} | dict.fromkeys(
    FIGURE_SUFFIXES, ("matplotlib", "plots")
)
_MODES = ("advise", "route", "off")


def check_options(options: Mapping[str, Any]) -> None:
    """Raise for an argument of the wrong type or out of range.

    Args:
        options: the arguments of `GradGuard` by name.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument has an impossible value.
    """
    _expect_type(options, "strict", bool, "a boolean")
    for name in ("select", "ignore", "ignore_params"):
        _expect_strings(options, name)
    for name in ("patience", "every_n_steps"):
        _expect_count(options, name, 1)
    _expect_count(options, "trace_steps", 0)
    _expect_count(options, "figure_every_n_steps", 0)
    for name in ("log_every_n_steps", "agree_every_n_steps"):
        if options[name] is not None:
            _expect_count(options, name, 1)
    matching(options["select"])
    matching(options["ignore"])
    _expect_metrics(options["metrics"])
    _expect_keys(options["metric_keys"])
    _expect_path(options, "report", REPORT_SUFFIXES)
    _expect_path(options, "figure", FIGURE_SUFFIXES)


def _obstacle(path: Path) -> str:
    """Say what is already known to be in the way of a file that is to be written at the end."""
    if path.is_dir():
        return f"`{path}` is a folder"
    nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
    if nearest != path and not nearest.is_dir():
        return f"`{nearest}` is a file"
    return "" if os.access(nearest, os.W_OK) else f"there is no permission to write to `{nearest}`"


def _expect_type(options: Mapping[str, Any], name: str, kind: type, words: str) -> None:
    value = options[name]
    if not isinstance(value, kind):
        message = f"expected `{name}` to be {words}, got {value!r} of type {type(value).__name__}"
        raise TypeError(message)


def _expect_strings(options: Mapping[str, Any], name: str) -> None:
    value = options[name]
    if (
        isinstance(value, str)
        or not isinstance(value, Sequence)
        or not all(isinstance(v, str) for v in value)
    ):
        got = f"{value!r} of type {type(value).__name__}"
        message = f"expected `{name}` to be a sequence of strings, got {got}"
        raise TypeError(message)


def _expect_count(options: Mapping[str, Any], name: str, least: int) -> None:
    value = options[name]
    if isinstance(value, bool) or not isinstance(value, int):
        message = (
            f"expected `{name}` to be an integer, got {value!r} of type {type(value).__name__}"
        )
        raise TypeError(message)
    if value < least:
        message = f"expected `{name}` to be at least {least}, got {value}"
        raise ValueError(message)


def _expect_metrics(value: object) -> None:
    if isinstance(value, str) and value in _MODES:
        return
    if type(value).__name__ == "MetricCollection":
        return
    if isinstance(value, Mapping):
        _expect_metric_entries(value)
        return
    allowed = ", ".join(repr(m) for m in _MODES)
    message = (
        f"expected `metrics` to be one of {allowed} or a mapping of names to metrics, got {value!r}"
    )
    raise (ValueError if isinstance(value, str) else TypeError)(message)


def _expect_metric_entries(metrics: Mapping[Any, Any]) -> None:
    for name, metric in metrics.items():
        if not isinstance(name, str):
            raise TypeError(f"expected `metrics` to have strings as names, got {name!r}")
        if not callable(getattr(metric, "update", None)):
            message = f"expected `metrics[{name!r}]` to be a torchmetrics Metric, got {metric!r}"
            raise TypeError(message)


def _expect_keys(value: object) -> None:
    if (
        not isinstance(value, Sequence)
        or isinstance(value, str)
        or len(value) != 2  # noqa: PLR2004
        or not all(isinstance(key, str) for key in value)
    ):
        message = f"expected `metric_keys` to be two names, got {value!r}"
        raise TypeError(message)


def _expect_path(options: Mapping[str, Any], name: str, suffixes: Sequence[str]) -> None:
    value = options[name]
    if value is None:
        return
    if not isinstance(value, (str, Path)):
        message = f"expected `{name}` to be a path, got {value!r} of type {type(value).__name__}"
        raise TypeError(message)
    suffix = Path(value).suffix.lower()
    if suffix not in suffixes:
        allowed = ", ".join(suffixes)
        message = f"expected `{name}` to end with one of {allowed}, got {str(value)!r}"
        raise ValueError(message)
    if obstacle := _obstacle(Path(value)):
        message = f"`{name}={str(value)!r}` cannot be written: {obstacle}"
        raise ValueError(message)
    package, extra = _WRITTEN_BY.get(suffix, ("", ""))
    if package and find_spec(package) is None:
        message = (
            f"`{name}={str(value)!r}` needs {package}: pip install 'lightning-gradguard[{extra}]'"
        )
        raise ImportError(message)
