# SPDX-License-Identifier: Apache-2.0
"""Metrics are recognised by what the code does, and look-alikes are left alone."""

import ast
import importlib
import math
import warnings
from typing import Any

import pytest
import torch
from shapes import LOOK_ALIKES, SHAPES, Shape, Step, make
from spellings import DOUBLES, SPELLINGS
from torch import Tensor, nn

from lightning_gradguard import advice, libraries
from lightning_gradguard.lineage import Lineage
from lightning_gradguard.metrics import Metric, recognise
from lightning_gradguard.scores import Sample, rows
from lightning_gradguard.trace import LossView, Recorder, Trace, walk

EVERY = SHAPES | SPELLINGS
NO_METRICS = LOOK_ALIKES | DOUBLES


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EVERY)
def test_a_metric_is_named_with_its_arguments(name: str) -> None:
    """Every shape gives the expected torchmetrics class, and its arguments where they are known."""
    shape = EVERY[name]
    found, *_ = recognised(shape.step, shape.data)
    assert found is not None
    assert found.name in shape.expected.split()
    if shape.arguments is not None:
        assert dict(found.arguments) == shape.arguments


@pytest.mark.parametrize("name", [n for n, s in EVERY.items() if s.same])
def test_the_printed_call_reproduces_the_number(name: str) -> None:
    """The torchmetrics object, built from the printed text, gives the user's number."""
    shape = EVERY[name]
    found, scores, target, number = recognised(shape.step, shape.data)
    assert found is not None
    assert found.same is True
    value = torchmetrics_value(found, scores, target)
    factor, constant = found.scale
    shown = number if found.value is None else float(found_number(found, number, shape))
    assert factor * value + constant == pytest.approx(shown, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", [n for n, s in SHAPES.items() if not s.same and "smooth" in n])
def test_another_convention_is_not_called_the_same_value(name: str) -> None:
    """A smoothed or differently averaged number is named, but not claimed to be equal."""
    found, *_ = recognised(SHAPES[name].step, SHAPES[name].data)
    assert found is not None
    assert not found.same


@pytest.mark.parametrize("name", NO_METRICS)
def test_a_look_alike_is_no_metric(name: str) -> None:
    """Masks, weights, schedules and copied losses are not called a metric."""
    found, *_ = recognised(*NO_METRICS[name])
    assert found is None, found


class TestFormulas:
    """The reference formulas against torchmetrics itself."""

    @pytest.mark.parametrize("seed", range(3))
    def test_label_rows_agree(self, seed: int) -> None:
        """Every row that can be built as a torchmetrics object has its value."""
        source = torch.Generator().manual_seed(seed)
        preds, target = (torch.randint(0, 3, (9, 5), generator=source) for _ in range(2))
        compare(rows(Sample("label", preds, target, 3)), preds, target)

    @pytest.mark.parametrize("seed", range(3))
    def test_absent_classes_are_left_out(self, seed: int) -> None:
        """Classes that neither side holds do not enter a macro average."""
        source = torch.Generator().manual_seed(seed)
        preds, target = (torch.randint(0, 3, (20,), generator=source) for _ in range(2))
        compare(rows(Sample("label", preds, target, 6, overlap=True)), preds, target)

    @pytest.mark.parametrize("seed", range(3))
    def test_binary_rows_agree(self, seed: int) -> None:
        """Bits, one sample a row."""
        source = torch.Generator().manual_seed(seed)
        preds, target = (torch.randint(0, 2, (30,), generator=source) for _ in range(2))
        compare(rows(Sample("binary", preds, target)), preds, target)

    @pytest.mark.parametrize("seed", range(3))
    def test_multilabel_rows_agree(self, seed: int) -> None:
        """Bits, one label a column."""
        source = torch.Generator().manual_seed(seed)
        preds, target = (torch.randint(0, 2, (30, 4), generator=source) for _ in range(2))
        compare(rows(Sample("multilabel", preds, target, 4)), preds, target)

    @pytest.mark.parametrize("seed", range(3))
    def test_rank_rows_agree(self, seed: int) -> None:
        """Scores against values, and against bits."""
        source = torch.Generator().manual_seed(seed)
        scores, values = (torch.randn(25, generator=source) for _ in range(2))
        compare(rows(Sample("rank", scores, values)), scores, values)
        bits = (values > 0).long()
        two = [r for r in rows(Sample("rank", scores.sigmoid(), bits)) if r[0].startswith("Binary")]
        assert len(two) == 2
        compare(two, scores.sigmoid(), bits)

    def test_retrieval_rows_agree(self) -> None:
        """Queries in rows."""
        source = torch.Generator().manual_seed(1)
        scores, target = (
            torch.randn(6, 8, generator=source),
            torch.randint(0, 2, (6, 8), generator=source),
        )
        target[:, 0] = 1
        found = [
            r for r in rows(Sample("rank", scores, target, top_k=3)) if r[0].startswith("Retrieval")
        ]
        assert {r[0] for r in found} >= {"RetrievalMAP", "RetrievalMRR", "RetrievalNormalizedDCG"}
        compare(found, scores, target)


def compare(table: list[tuple[str, dict[str, Any], float]], preds: Tensor, target: Tensor) -> None:
    """Compare rows with torchmetrics; rows with a note follow another convention."""
    checked = 0
    for name, arguments, value in table:
        if "note" in arguments or name == "BinaryStatScores":
            continue
        found = Metric(name, arguments)
        assert torchmetrics_value(found, preds, target) == pytest.approx(value, abs=1e-5), (
            name,
            arguments,
        )
        checked += 1
    assert checked


def torchmetrics_value(found: Metric, preds: Tensor, target: Tensor) -> float:
    """Build the object from its printed call and compute it."""
    module = importlib.import_module(libraries.module_of(found.name))
    call = ast.parse(found.call, mode="eval").body
    assert isinstance(call, ast.Call)
    options = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchmetrics talks about memory and missing classes
        return float(compute(found, getattr(module, found.name)(**options), preds, target).mean())


def compute(found: Metric, metric: Any, preds: Tensor, target: Tensor) -> Tensor:
    """Feed the object in the layout that its documentation asks for."""
    if found.name.startswith("Retrieval"):
        if target.shape != preds.shape:
            target = nn.functional.one_hot(target, preds.shape[-1])
        queries = torch.arange(len(preds))[:, None].expand_as(preds).reshape(-1)
        graded = found.name.endswith("DCG")
        flags = target.reshape(-1) if graded else target.reshape(-1) > 0
        value: Tensor = metric(preds.sigmoid().reshape(-1), flags.long(), indexes=queries)
        return value
    if found.name.startswith("Binary") and preds.dim() > target.dim():
        preds = preds.argmax(1)
    if found.name.startswith("Multiclass") and preds.dim() > 2 and preds.dim() > target.dim():
        preds = preds.movedim(-1, 1) if preds.shape[1] != found.arguments["num_classes"] else preds
    if found.kind in {"integer", "image"} and found.decision is not None:
        preds = TRACES[-1].kept[next(o for o in found.decision.outputs if o.mark)][0]
    if found.name == "DiceScore":
        preds = preds.argmax(1)
    if found.name.startswith("Multiclass") and found.kind == "binary":
        preds = (preds > 0).long()
    whole = found.name.startswith(("Binary", "Multi"))
    result: Tensor = metric(preds, target.long() if whole else target)
    return result


def found_number(found: Metric, number: float, shape: Shape) -> float:
    """Return the number of the user at the place where the metric was found."""
    value = found.value
    assert value is not None
    kept = TRACES[-1].kept.get(value)
    assert kept is not None, shape
    assert math.isfinite(number)
    return float(kept[0])


TRACES: list[Trace] = []


def recognised(step: Step, data: str) -> tuple[Metric | None, Tensor, Tensor, float]:
    """Run a step under a recorder and ask what its loss is."""
    shape, target = make(data)
    torch.manual_seed(3)
    layer = nn.Linear(7, math.prod(shape[1:]) if len(shape) > 1 else 1)
    inputs = torch.randn(shape[0], 7)
    params = dict(layer.named_parameters())
    recorder = Recorder(params, batch={"batch[0]": inputs, "batch[1]": target})
    with recorder:
        scores = layer(inputs).reshape(shape)
        loss = step(scores, target)
        loss = loss if isinstance(loss, Tensor) else torch.tensor(loss)
    view, _ = walk(loss, {id(p): n for n, p in params.items()})
    view.value = recorder.value(loss)
    recorder.trace.keep(view.value, loss)
    recorder.trace.losses.append(view)
    TRACES[:] = [recorder.trace]
    return _first(recorder.trace, view, params), scores.detach(), target, float(loss.detach())


def _first(trace: Trace, view: LossView, params: dict[str, Any]) -> Metric | None:
    assert view.value is not None
    cuts = Lineage(trace, params.keys()).cuts([view.value])
    sources = [trace.params[n] for n in params if n in trace.params]
    found = [c for s in sources for c in cuts.get(s, ())]
    steps = (advice.step_cut(c, "GG202") for c in trace.calls)
    cut = next(iter(found), None) or next((s for s in steps if s is not None), None)
    assert cut is not None, "the shape does not cut the graph"
    return recognise(trace, cut, view.value)
