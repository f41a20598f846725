# SPDX-License-Identifier: Apache-2.0
"""The command line: look rules up, check a model, show a report.

Exit status 0 means clean, 1 means that there are findings, and 2 that the question could not be
answered, because the command was wrong or the training stopped for a reason of its own.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import json
import os
import shutil
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lightning_gradguard.report import Report, writer_for
from lightning_gradguard.rules import RULES, explain
from lightning_gradguard.source import is_user_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

__all__ = ["main"]

_CLEAN, _FINDINGS, _USAGE = 0, 1, 2
_EPILOG = """\
exit status:
  0  clean
  1  there are findings
  2  the command was wrong, or the training stopped for a reason of its own
"""
_CHECK_EXAMPLES = """\
examples:
  gradguard check train.py:LitDigits --data train.py:train_loader
  gradguard check shop.models:Ranker --data shop.data:batches --init width=64 --steps 5
  gradguard check train.py:LitDigits --data train.py:DigitsData --report gradguard.sarif
"""


class _UsageError(Exception):
    """Something the user has to write differently; the text says what."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the words behind `gradguard`; None takes those of this process.

    Returns:
        The exit status.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help(sys.stderr)
        return _USAGE
    try:
        status: int = options.run(options)
    except _UsageError as error:
        print(f"gradguard: {error}", file=sys.stderr)
        return _USAGE
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CLEAN
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gradguard",
        description="Find the parameters of a model that get no useful gradient, and the line that "
        "is to blame.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"gradguard {_version()}",
        help="print the version and exit",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_explain(commands)
    _add_rules(commands)
    _add_check(commands)
    _add_report(commands)
    _add_docs(commands)
    return parser


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("lightning-gradguard")
    except PackageNotFoundError:
        return "(not installed)"


def _add_explain(commands: Any) -> None:  # noqa: ANN401  # argparse keeps the type to itself
    explain_ = commands.add_parser(
        "explain",
        help="say what a rule means, with an example and its repair",
        description="Print the page of a rule: what it says, why it matters, an example that leads "
        "to it, the repair, and known limits.",
    )
    explain_.add_argument("rule", help="code or name, as in GG101 or non-differentiable-loss")
    explain_.add_argument("--json", action="store_true", help="print the fields as JSON")
    explain_.set_defaults(run=_explain)


def _add_rules(commands: Any) -> None:  # noqa: ANN401
    rules = commands.add_parser(
        "rules", help="list all rules", description="List all rules: code, level, name, headline."
    )
    rules.add_argument("--json", action="store_true", help="print all fields as JSON")
    rules.set_defaults(run=_rules)


def _add_check(commands: Any) -> None:  # noqa: ANN401
    check = commands.add_parser(
        "check",
        help="train a model for a few steps and report what does not train",
        description="Train a LightningModule on the CPU for a few steps under GradGuard, and print "
        "the findings.\nNothing is saved but the report that you ask for.",
        epilog=_CHECK_EXAMPLES + "\n" + _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument(
        "model",
        metavar="MODULE:CLASS",
        help="LightningModule class, or function that returns one; MODULE is a dotted name or a "
        "file that ends in .py",
    )
    check.add_argument(
        "--data",
        metavar="MODULE:NAME",
        required=True,
        help="function that returns a DataLoader, another iterable of batches, or one batch as a "
        "tuple or list; or a LightningDataModule class",
    )
    check.add_argument(
        "--init",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="argument for the model; VALUE is a Python literal, else text; may be repeated",
    )
    check.add_argument(
        "--steps", type=_positive, default=3, metavar="N", help="optimizer steps (default: 3)"
    )
    check.add_argument("--strict", action="store_true", help="stop at the first finding")
    for name, verb in (("--select", "look for"), ("--ignore", "leave out")):
        check.add_argument(
            name, metavar="CODE", action="append", help=f"rule or prefix to {verb}; may be repeated"
        )
    check.add_argument(
        "--report",
        metavar="FILE",
        help="also write the report there: .json, .sarif, .md or .html",
    )
    _add_format(check)
    check.set_defaults(run=_check)


def _add_report(commands: Any) -> None:  # noqa: ANN401
    report = commands.add_parser(
        "report",
        help="work with a saved report",
        description="Work with a report that `--report`, `GradGuard(report=...)` or "
        "GRADGUARD=report=... has saved.",
    )
    actions = report.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = actions.add_parser(
        "show",
        help="print a report that was saved as JSON",
        description="Print a report that was saved as JSON.",
    )
    show.add_argument("file", type=Path, help="report that ends in .json")
    _add_format(show)
    show.set_defaults(run=_show)


def _add_docs(commands: Any) -> None:  # noqa: ANN401
    docs = commands.add_parser(
        "docs",
        help="write the page of every rule (for work on gradguard itself)",
        description="Write one Markdown page for each rule, and a list of all.",
    )
    docs.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    docs.add_argument(
        "--folder", type=Path, default=Path("docs/rules"), help="where (default: docs/rules)"
    )
    docs.set_defaults(run=_docs)


def _add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=tuple(_FORMATS),
        default="full",
        help="form of what is printed (default: full)",
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, got {text!r}")
    return int(text)


def _full(report: Report) -> str:
    width = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return report.render(min(width, 120), color)


_FORMATS: dict[str, Callable[[Report], str]] = {
    "full": _full,
    "concise": Report.to_concise,
    "github": Report.to_github,
    "json": lambda report: json.dumps(report.to_dict(), indent=2),
    "markdown": lambda report: report.to_markdown().rstrip("\n"),
    "sarif": lambda report: json.dumps(report.to_sarif(), indent=2),
}


def _print_report(report: Report, form: str) -> int:
    if text := _FORMATS[form](report):
        print(text)
    return _FINDINGS if report.has_findings() else _CLEAN


def _explain(options: argparse.Namespace) -> int:
    try:
        page = explain(options.rule)
    except ValueError as error:
        raise _UsageError(str(error)) from None
    if options.json:
        code = page.split(maxsplit=2)[1]
        print(json.dumps(asdict(RULES[code]), indent=2))
    else:
        print(page.rstrip("\n"))
    return _CLEAN


def _rules(options: argparse.Namespace) -> int:
    if options.json:
        print(json.dumps([asdict(rule) for rule in RULES.values()], indent=2))
        return _CLEAN
    width = max(len(rule.name) for rule in RULES.values())
    for rule in RULES.values():
        print(f"{rule.code}  {rule.severity:<7}  {rule.name:<{width}}  {rule.message}")
    return _CLEAN


def _show(options: argparse.Namespace) -> int:
    try:
        record = json.loads(options.file.read_text(encoding="utf-8"))
        report = Report.from_dict(record)
    except OSError as error:
        raise _UsageError(f"could not read {options.file}: {error.strerror}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _UsageError(f"{options.file} is no report saved as JSON: {error}") from None
    status = _print_report(report, options.format)
    for offer in report.offers if options.format == "text" else ():
        print(f"gradguard: offer: {offer}")
    return status


def _docs(options: argparse.Namespace) -> int:
    pages = rule_pages()
    folder: Path = options.folder
    if not options.check:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            (folder / name).write_text(text, encoding="utf-8")
        return _CLEAN
    stale = [name for name, text in pages.items() if _read(folder / name) != text]
    stale += sorted(p.name for p in folder.glob("*.md") if p.name not in pages)
    for name in stale:
        print(f"{folder / name} is not current: run `gradguard docs`", file=sys.stderr)
    return _FINDINGS if stale else _CLEAN


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def rule_pages() -> dict[str, str]:
    """Return file name -> Markdown, one page for each rule and `index.md` with a table of all."""
    rows = [
        f"| [{rule.code}]({rule.code}.md) | {rule.name} | {rule.severity} | {rule.what} |"
        for rule in RULES.values()
    ]
    head = ["# Rules", "", "| code | name | level | says |", "| --- | --- | --- | --- |"]
    index = "\n".join([*head, *rows]) + "\n"
    return {"index.md": index} | {f"{rule.code}.md": rule.to_markdown() for rule in RULES.values()}


def _check(options: argparse.Namespace) -> int:
    if options.report is not None:
        _accept_report(options.report)
    sys.path.insert(0, str(Path.cwd()))
    make_model, make_data = _target(options.model), _target(options.data)
    arguments = dict(map(_argument, options.init))
    from lightning_gradguard.testing import observe

    guard = _guard(options)
    model = _made(options.model, make_model, **arguments)
    data = _made(options.data, make_data)
    _expect_training(options, model, data)
    fault = observe(guard, model, data, options.steps)
    if fault is None or guard.report.has_findings():
        return _print_report(guard.report, options.format)
    _print_fault(fault)
    raise _UsageError(f"the training stopped with {type(fault).__name__}: {fault}")


def _print_fault(fault: Exception) -> None:
    """Print where the user's code failed, without the way there through Lightning."""
    told = traceback.TracebackException.from_exception(fault)
    own = [frame for frame in told.stack if is_user_file(frame.filename)]
    told.stack = traceback.StackSummary.from_list(own or told.stack)
    print("".join(told.format(chain=False)), end="", file=sys.stderr)


def _expect_training(options: argparse.Namespace, model: Any, data: Any) -> None:  # noqa: ANN401
    """Refuse what was named by mistake, before Lightning stumbles over it."""
    if not hasattr(model, "training_step"):
        got = type(model).__name__
        raise _UsageError(f"expected `{options.model}` to give a LightningModule, got {got}")
    if isinstance(data, type(sys)) or hasattr(data, "training_step"):
        got = type(data).__name__
        raise _UsageError(f"expected `{options.data}` to give batches, got {got}")


def _accept_report(path: str) -> None:
    try:
        writer_for(path)
    except ValueError as error:
        raise _UsageError(str(error)) from None


def _guard(options: argparse.Namespace) -> Any:  # noqa: ANN401  # imported late, torch is heavy
    from lightning_gradguard.callback import GradGuard

    chosen = {"strict": options.strict, "report": options.report, "patience": options.steps}
    for name in ("select", "ignore"):
        if getattr(options, name):
            chosen[name] = tuple(getattr(options, name))
    try:
        return GradGuard(**chosen)
    except (ImportError, ValueError) as error:
        raise _UsageError(str(error)) from None


def _argument(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise _UsageError(f"expected --init NAME=VALUE, got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


def _target(text: str) -> Any:  # noqa: ANN401  # whatever the user has named
    """Import what `module:name` or `file.py:name` stands for."""
    place, colon, name = text.rpartition(":")
    if not colon or not place or not name:
        raise _UsageError(f"expected MODULE:NAME, got {text!r}")
    module = _imported(place)
    if not hasattr(module, name):
        raise _UsageError(f"`{place}` has no `{name}`; there are: {_known(module)}")
    return getattr(module, name)


def _known(module: ModuleType) -> str:
    """List what a module defines itself, or else what it has imported."""
    names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
    own = [n for n in names if getattr(vars(module)[n], "__module__", "") == module.__name__]
    return ", ".join(own or names) or "no names"


def _imported(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        if not Path(place).is_file():
            return _absent(place)
        name = Path(place).stem
        spec = importlib.util.spec_from_file_location(name, Path(place).resolve())
        if spec is None or spec.loader is None:
            return _absent(place)
        if name in sys.modules and getattr(sys.modules[name], "__file__", "") == spec.origin:
            return sys.modules[name]
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    except _UsageError:
        raise
    except BaseException as error:  # whatever the user's file does on import
        if isinstance(error, KeyboardInterrupt):
            raise
        raise _UsageError(f"could not import `{place}`: {type(error).__name__}: {error}") from error
    return module


def _absent(place: str) -> NoReturn:
    raise _UsageError(f"there is no Python file {place}")


def _made(text: str, target: Any, **arguments: Any) -> Any:  # noqa: ANN401
    if not callable(target):
        return target
    try:
        return target(**arguments)
    except Exception as error:  # noqa: BLE001  # the user's code may raise anything
        traceback.print_exc()
        raise _UsageError(f"`{text}` raised {type(error).__name__}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
