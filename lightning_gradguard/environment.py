# SPDX-License-Identifier: Apache-2.0
"""What the environment asks for: a guard in every Trainer, and notes to the service that runs it.

The two factories are entry points that Lightning calls in every `Trainer()` of an environment in
which this package is installed. That is why this file imports neither torch nor Lightning, and why
nothing that goes wrong here may come out of a factory.
"""

from __future__ import annotations

import logging
import os
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lightning_gradguard.report import Report

__all__ = ["VARIABLE", "callbacks", "override", "parse", "publish"]

VARIABLE = "GRADGUARD"

_log = logging.getLogger("lightning_gradguard")
_ON = ("1", "on", "true", "warn", "yes")
_OFF = ("", "0", "false", "no", "off")
_LISTS = ("select", "ignore", "ignore_params", "metric_keys")
_NUMBERS = (
    "patience",
    "trace_steps",
    "every_n_steps",
    "log_every_n_steps",
    "agree_every_n_steps",
    "figure_every_n_steps",
)
_TEXTS = ("metrics", "report", "figure")

# What a test session wants instead of what the variable says; returns the callbacks to add.
override: ContextVar[Callable[[], list[Any]] | None] = ContextVar("gradguard", default=None)


def callbacks() -> list[Any]:
    """Give the callbacks to add to a Trainer: one guard where one was asked for, else none.

    Never raises, since Lightning would then refuse every `Trainer()`. What is wrong with the
    variable is said by the run itself, when `fit` begins.
    """
    try:
        instead = override.get()
        return _from_variable() if instead is None else instead()
    except Exception:  # noqa: BLE001  # see the docstring
        _log.exception("gradguard: could not add a guard to this Trainer")
        return []


def _from_variable() -> list[Any]:
    text = os.environ.get(VARIABLE, "")
    if text.strip().lower() in _OFF:
        return []
    from lightning_gradguard.standin import Refusal, StandIn

    try:
        options = parse(text)
        return [] if options is None else [StandIn(**options)]
    except (ImportError, NotImplementedError, TypeError, ValueError) as fault:
        return [Refusal(f"{VARIABLE}={text}: {fault}")]


def parse(text: str) -> dict[str, Any] | None:
    """Read the value of the variable.

    Args:
        text: `strict`, `warn` or `off`, then options of `GradGuard` as `name=value`, separated by
            commas; a list goes on with the next items, as in `ignore=GG103,GG106`.

    Returns:
        Arguments for `GradGuard`, or None where nothing is asked for.

    Raises:
        ValueError: the text means nothing; the message says what is allowed.

    Example:
        >>> parse("strict,ignore=GG103,report=gradguard.sarif")
        {'strict': True, 'ignore': ('GG103',), 'report': 'gradguard.sarif'}
        >>> parse("off") is None
        True
    """
    mode, *items = [item.strip() for item in text.split(",")]
    if mode.lower() in _OFF and not items:
        return None
    if "=" in mode:
        mode, items = "warn", [mode, *items]
    if mode.lower() not in ("strict", *_ON):
        raise ValueError(f"expected a mode first, got {mode!r}; {_allowed()}")
    return {"strict": mode.lower() == "strict"} | _options(items)


def _options(items: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    last = ""
    for item in items:
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals and last in _LISTS:
            name, value = last, item
        elif not equals:
            raise ValueError(f"expected `name=value`, got {item!r}; {_allowed()}")
        options[name] = _value(name, value, options.get(name))
        last = name
    return options


def _value(name: str, value: str, before: Any) -> Any:  # noqa: ANN401  # what the option takes
    if name in _LISTS:
        return (*(before or ()), value)
    if name in _NUMBERS:
        if not value.isdecimal():
            raise ValueError(f"expected `{name}` to be a number, got {value!r}")
        return int(value)
    if name not in _TEXTS:
        raise ValueError(f"expected the name of an option, got {name!r}; {_allowed()}")
    return value


def _allowed() -> str:
    names = ", ".join(f"{name}=" for name in (*_LISTS, *_NUMBERS, *_TEXTS))
    return f"allowed: strict, warn, off, and behind it {names}"


def publish(report: Report, environ: Mapping[str, str] = os.environ) -> None:
    """Show a report where the service that runs the job looks for it.

    On GitHub that is an annotation for each finding beside the line in the change, and a page in
    the summary of the job. Inside a pytest session the plugin does it once for all tests.

    Args:
        report: what was found.
        environ: the environment variables of the job.
    """
    if environ.get("GITHUB_ACTIONS") != "true" or override.get() is not None:
        return
    if report.diagnostics:
        print(report.to_github(), file=sys.stdout, flush=True)  # noqa: T201  # workflow commands
    summarise(report.to_markdown(), environ)


def summarise(page: str, environ: Mapping[str, str] = os.environ) -> None:
    """Append a Markdown page to the summary of the job, where the service keeps one.

    Args:
        page: Markdown that ends in a newline.
        environ: the environment variables of the job.
    """
    if target := environ.get("GITHUB_STEP_SUMMARY"):
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(page)
