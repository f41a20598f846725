# SPDX-License-Identifier: Apache-2.0
"""Several processes, one verdict: what every rank says, in which step, and that none of them hangs.

The processes write what came of each training; their exit codes are not looked at, because gloo may
abort a process after a good run.
"""

import importlib.util
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.utils.checkpoint import checkpoint

from lightning_gradguard import Span
from lightning_gradguard.jobs.cadence import cadence
from lightning_gradguard.jobs.reach import Link, digest, reached
from lightning_gradguard.jobs.uneven import Uneven
from lightning_gradguard.ranks import (
    Answer,
    Event,
    LostRankError,
    Note,
    Ranks,
    UnsentError,
    merge_findings,
    words,
)
from lightning_gradguard.rules import RULES, Diagnostic, Severity

HERE = Path(__file__).parent / "ranks"
sys.path.insert(0, str(HERE))
import launch  # noqa: E402 - beside the workers, which run in other processes
import running  # noqa: E402
import table  # noqa: E402
from running import Outcomes, check, run_plan  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all test processes of this session share."""
    return running.shared_folder(tmp_path_factory)


# -- the selection that always runs: two processes, one after another through all of it


def _selection() -> Iterator[tuple[dict[str, Any], table.Cell]]:
    for case in table.CASES:
        yield table.job("ddp", case), table.expected("ddp", case)
    some = [
        ("ddp_unused", "unused"),
        ("ddp_unused", "unused@1"),
        ("ddp_unused", "leaf@1"),
        ("ddp_static", "unused@1"),
        ("fsdp1", "healthy"),
        ("fsdp1", "unused"),
        ("fsdp1", "leaf@1"),
        ("fsdp2", "healthy"),
        ("fsdp2", "zero"),
        ("fsdp2", "nograd@1"),
        ("fsdp2", "nan@1"),
        ("tp", "healthy"),
        ("tp", "unused@1"),
    ]
    for strategy, case in some:
        yield table.job(strategy, case), table.expected(strategy, case)
    strict = {"guard": {"strict": True}}
    yield table.job("ddp", "unused@0", id="other-rank"), table.Cell("GG301", (0,), 0, "raises")
    yield table.job("ddp", "unused@1+2", id="later"), table.Cell("GG301", (1,), 2, "raises")
    yield table.job("ddp", "nograd@1+2", id="later-loss"), table.Cell("GG302", (1,), 2, "raises")
    yield (
        table.job("ddp", "nan@1", id="strict-nan", **strict),
        table.Cell("GG204", (1,), 0, "raises"),
    )
    yield (
        table.job("ddp", "leaf", id="strict-leaf", **strict),
        table.Cell("GG102", None, 0, "raises"),
    )
    yield (
        table.job("ddp_unused", "unused@1", id="strict-mean", **strict),
        table.Cell("GG301", (1,), 3, "raises"),
    )
    for name, guard, trainer, step in (
        ("short-fast_dev_run", {}, {"fast_dev_run": True}, 0),
        ("short-three", {}, {"max_steps": 3}, 2),
        ("patient", {"patience": 3}, {"max_steps": 6}, 2),
    ):
        job = table.job("ddp_unused", "unused@1", id=name, guard=guard, trainer=trainer)
        yield job, table.Cell("GG301", (1,), step)
    yield table.job("ddp_unused", "flicker", id="flicker"), table.SILENT
    yield table.job("ddp", "checkpoint", id="checkpoint"), table.SILENT
    yield table.job("ddp", "manual", id="manual"), table.SILENT
    yield (
        table.job("ddp", "unused@1", id="ignored", guard={"ignore_params": ["side.*"]}, limit=3),
        table.Cell("other"),
    )
    for name, trainer in OPTIONS.items():
        yield table.job("ddp", "healthy", id=f"{name}-healthy", trainer=trainer), table.SILENT
        yield (
            table.job("ddp", "unused@1", id=f"{name}-unused", trainer=trainer),
            table.Cell("GG301", (1,), 0, "raises"),
        )


OPTIONS: dict[str, dict[str, Any]] = {
    "accumulate": {"accumulate_grad_batches": 2},
    "bf16": {"precision": "bf16-mixed"},
    "clip": {"gradient_clip_val": 0.1},
}
SELECTION = {job["id"]: (job, cell) for job, cell in _selection() if cell.code != "other"}
EXTRA = [
    table.job("ddp", "fault_before_backward@1+2", id="fault"),
    table.job("ddp", "fault_before_backward@1+2", id="fault-strict", guard={"strict": True}),
    table.job("ddp", "fault_take_states@0+1", id="fault-states"),
    table.job("ddp", "unused+1", id="unannounced", guard={"agree_every_n_steps": 100}),
    table.job("ddp", "healthy", id="rare", guard={"agree_every_n_steps": 2}),
    table.job("ddp", "healthy", id="without", guard=None),
    table.job(
        "ddp", "healthy", id="scalars-ddp", trainer={"logger": "recorder", "log_every_n_steps": 1}
    ),
    table.job(
        "fsdp1",
        "healthy",
        id="scalars-fsdp1",
        trainer={"logger": "recorder", "log_every_n_steps": 1},
    ),
    table.job(
        "fsdp2",
        "healthy",
        id="scalars-fsdp2",
        trainer={"logger": "recorder", "log_every_n_steps": 1},
    ),
    table.job("fsdp1_flat", "healthy", id="flat"),
    table.job("ddp", "raise@1+2", id="late-raise"),
]


def needs_fsdp2() -> None:
    """Leave a test out where torch cannot train under FSDP2 without an accelerator."""
    if not hasattr(torch.cpu.Stream(), "record_event"):
        pytest.skip(f"FSDP2 of torch {torch.__version__} does not train on the CPU")


@pytest.fixture(scope="session")
def outcomes(base: Path) -> Outcomes:
    """Return what came of the selection."""
    plan = [job for job, _ in SELECTION.values()] + EXTRA
    return run_plan(base, "ranks-selection", plan, 180)


class TestSelection:
    """What `make test` runs."""

    @pytest.mark.parametrize("name", SELECTION)
    def test_cell(self, outcomes: Outcomes, name: str) -> None:
        """Every rank says the same, about the right ranks, at the right step."""
        if name.startswith("fsdp2"):
            needs_fsdp2()
        check(outcomes.get(name, []), SELECTION[name][1])

    def test_names_where(self, outcomes: Outcomes) -> None:
        """The error on every rank shows the line that only rank 0 runs."""
        (said,) = outcomes["ddp-unused@1"][1]["report"]["diagnostics"]
        assert said["params"] == ["side.weight", "side.bias"]
        assert "self.side(source)" in said["span"]["text"]
        assert "on rank 0" in said["span"]["label"]

    @pytest.mark.parametrize(
        ("name", "when"),
        [
            ("ddp_unused-unused@1", "in 4 of 4 compared backward passes"),
            ("ddp_static-unused@1", "in 4 of 4 compared backward passes"),
            ("short-fast_dev_run", "in 1 of 1 compared backward passes"),
            ("short-three", "in 3 of 3 compared backward passes"),
            ("patient", "in 3 of 3 compared backward passes"),
            ("strict-mean", "in 4 of 4 compared backward passes"),
        ],
    )
    def test_says_halved(self, outcomes: Outcomes, name: str, when: str) -> None:
        """Where nothing hangs the gradient is only half; said after patience or a shorter run."""
        for record in outcomes[name]:
            (said,) = record["report"]["diagnostics"]
            assert (said["code"], said["severity"]) == ("GG301", "error")
            assert "silently gets 1/2 of the average" in said["effect"]
            assert "half of it" in said["effect"]
            assert said["evidence"] == when
            assert "self.side(source)" in said["span"]["text"]

    def test_loss_of_one_rank_is_explained_by_that_rank(self, outcomes: Outcomes) -> None:
        """The rank that still has a graph names the operation that cut that of the other."""
        (said,) = outcomes["ddp-nograd@1"][0]["report"]["diagnostics"]
        assert said["op"] == "torch.Tensor.detach"
        assert "loss.detach()" in said["span"]["text"]

    def test_user_error_is_passed_on(self, outcomes: Outcomes) -> None:
        """The failing rank keeps its error; the other says which rank failed and how, at once."""
        mine, theirs = outcomes["late-raise"]
        assert theirs["error"] == "ValueError"
        assert mine["ours"]
        assert "rank 1 raised before its backward pass: ValueError: boom" in mine["text"]
        assert mine["seconds"] < 10

    @pytest.mark.parametrize(("name", "part"), [("fault", "trace"), ("fault-states", "audit")])
    def test_bug_in_the_guard(self, outcomes: Outcomes, name: str, part: str) -> None:
        """A bug on one rank switches the part off on all, and the training goes on."""
        for record in outcomes[name]:
            assert record["error"] is None
            assert [d["code"] for d in record["report"]["diagnostics"]] == ["GG901"]
            assert f"the {part} failed on rank" in record["report"]["limits"][0]

    def test_bug_in_the_strict_guard(self, outcomes: Outcomes) -> None:
        """Strict mode raises it on every rank in the same step."""
        texts = {r["text"] for r in outcomes["fault-strict"]}
        assert len(texts) == 1
        assert "a bug in the guard" in texts.pop()
        assert [r["global_step"] for r in outcomes["fault-strict"]] == [2, 2]

    def test_gives_names_to_the_error_of_ddp(self, outcomes: Outcomes) -> None:
        """Where no comparison was due, DDP strikes, and the report names the parameters."""
        for record in outcomes["unannounced"]:
            assert record["error"] == "RuntimeError"
            assert not record["ours"]
            (said,) = record["report"]["diagnostics"]
            assert said["code"] == "GG106"
            assert said["params"] == ["side.weight", "side.bias"]

    def test_weights_are_what_they_are_without(self, outcomes: Outcomes) -> None:
        """A guard changes no bit of the weights of a healthy job."""
        weights = {
            r["weights"] for name in ("without", "ddp-healthy", "rare") for r in outcomes[name]
        }
        assert len(weights) == 1

    def test_scalars_are_of_the_job(self, outcomes: Outcomes) -> None:
        """Both ranks log the same norm and coverage, and sharding changes neither."""
        needs_fsdp2()
        names = ("scalars-ddp", "scalars-fsdp1", "scalars-fsdp2")
        logged = [r["logged"] for name in names for r in outcomes[name]]
        assert len(logged) == 6
        for values in logged:
            assert values["gradguard/coverage"] == 1.0
            assert values["gradguard/grad_norm"] == pytest.approx(
                logged[0]["gradguard/grad_norm"], rel=1e-4
            )

    def test_flat_parameters_are_refused(self, outcomes: Outcomes) -> None:
        """`use_orig_params=False` leaves nothing to look at, and the report says so."""
        for record in outcomes["flat"]:
            assert record["error"] is None
            assert "use_orig_params=True" in record["report"]["limits"][0]

    def test_leaves_no_process_group(self, outcomes: Outcomes) -> None:
        """After fit, well ended or not, only the job's own group is left."""
        for name in ("ddp-healthy", "ddp-unused@1", "ddp-nograd@1", "ddp-leaf", "strict-nan"):
            assert [r["groups"] for r in outcomes[name]] == [1, 1]


# -- the whole table


@pytest.fixture(scope="session")
def whole(base: Path) -> Outcomes:
    """Return what came of all cells that need nothing extra."""
    return run_plan(
        base, "ranks-table", [table.job(s, c) for s, c, _ in table.cells(deepspeed=False)], 420
    )


def need(strategy: str) -> None:
    """Skip what cannot run here."""
    if strategy.startswith("deepspeed") and importlib.util.find_spec("deepspeed") is None:
        pytest.skip("DeepSpeed is not installed; the extra `deepspeed` brings it")


@pytest.fixture(scope="session")
def deepspeed(base: Path) -> Outcomes:
    """Return what came of the cells of DeepSpeed."""
    need("deepspeed")
    return run_plan(
        base, "ranks-deepspeed", [table.job(s, c) for s, c, _ in table.cells(deepspeed=True)], 420
    )


def _params(*, deepspeed: bool) -> list[Any]:
    return [
        pytest.param(s, c, cell, id=f"{s}-{c}") for s, c, cell in table.cells(deepspeed=deepspeed)
    ]


@pytest.mark.ranks
class TestTable:
    """Every cell of the page about ranks."""

    @pytest.mark.parametrize(("strategy", "case", "cell"), _params(deepspeed=False))
    def test_cell(self, whole: Outcomes, strategy: str, case: str, cell: table.Cell) -> None:
        """The cell says what happens."""
        check(whole.get(f"{strategy}-{case}", []), cell)

    @pytest.mark.parametrize(("strategy", "case", "cell"), _params(deepspeed=True))
    def test_deepspeed(
        self, deepspeed: Outcomes, strategy: str, case: str, cell: table.Cell
    ) -> None:
        """The cell says what happens."""
        check(deepspeed.get(f"{strategy}-{case}", []), cell)

    @pytest.mark.parametrize("strategy", table.noted("unused@1"))
    def test_aborts_before_anything_can_be_seen(self, base: Path, strategy: str) -> None:
        """Sharded layers that one rank skips end the job, as the table says."""
        need(strategy)
        done = run_plan(
            base, f"ranks-abort-{strategy}", [table.job(strategy, "unused@1", limit=5)], 40
        )
        records = done.get(f"{strategy}-unused@1", [])
        assert len(records) < 2 or all(r["error"] for r in records)

    @pytest.mark.parametrize("strategy", table.noted("raise@1"))
    def test_failing_rank_does_not_wait_for_long(self, base: Path, strategy: str) -> None:
        """Where the others wait in forward nobody hears why a rank fails, and it ends."""
        need(strategy)
        done = run_plan(
            base, f"ranks-waits-{strategy}", [table.job(strategy, "raise@1", limit=60)], 50
        )
        (failed,) = [r for r in done[f"{strategy}-raise@1"] if r["rank"] == 1]
        assert failed["error"] == "ValueError"
        assert failed["seconds"] < 40


def test_page_shows_the_table() -> None:
    """The page about ranks holds the table that is tested."""
    assert table.markdown() in (ROOT / "docs" / "ranks.md").read_text()


def test_page_shows_the_measured_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page about scale holds the tables that follow from what was measured."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location(
        "benchmark_ranks", ROOT / "benchmarks" / "ranks.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    results = json.loads((ROOT / "benchmarks" / "results" / "ranks.json").read_text())["results"]
    assert module.page(results) in (ROOT / "docs" / "scale.md").read_text()


# -- failures at random


def _soak(count: int) -> Iterator[tuple[dict[str, Any], table.Cell]]:
    rng = random.Random(20)  # noqa: S311 - a reproducible choice of failures
    for number in range(count):
        word = rng.choice(["unused", "nograd", "leaf"])
        strategies = (
            ["ddp", "ddp_view"]
            if word == "unused"
            else ["ddp", "ddp_view", "ddp_unused", "fsdp1", "fsdp2"]
        )
        rank, step = rng.randrange(2), rng.randrange(8)
        job = table.job(rng.choice(strategies), f"{word}@{rank}+{step}", id=f"soak-{number}")
        job |= {"trainer": {"max_steps": 10}, "guard": {"strict": rng.random() < 0.5}, "limit": 30}
        yield job, table.Cell("GG301" if word == "unused" else "GG302", (rank,), step, "raises")


SOAK = {job["id"]: (job, cell) for job, cell in _soak(50)}


@pytest.fixture(scope="session")
def soaked(base: Path) -> Outcomes:
    """Return what came of the random failures."""
    return run_plan(base, "ranks-soak", [job for job, _ in SOAK.values()], 300)


@pytest.mark.ranks
@pytest.mark.parametrize("name", SOAK)
def test_soak(soaked: Outcomes, name: str) -> None:
    """A failure on one rank is one named error on both within 10 s, and none is misattributed."""
    records = soaked.get(name, [])
    check(records, SOAK[name][1])
    assert max(r["seconds"] for r in records) < 10


@pytest.mark.ranks
class TestFourProcesses:
    """More ranks than two."""

    JOBS = (
        (table.job("ddp", "healthy", id="four-healthy"), table.SILENT),
        (table.job("ddp", "unused@2", id="four-unused"), table.Cell("GG301", (2,), 0, "raises")),
        (
            table.job("ddp", "only@0", id="four-only"),
            table.Cell("GG301", (1, 2, 3), 0, "raises"),
        ),
        (table.job("ddp_unused", "only@0", id="four-quarter"), table.Cell("GG301", (1, 2, 3), 3)),
        (table.job("ddp", "nograd@3", id="four-nograd"), table.Cell("GG302", (3,), 0, "raises")),
        (table.job("ddp_unused", "unused@2", id="four-mean"), table.Cell("GG301", (2,), 3)),
        (table.job("ddp", "zero@1", id="four-zero"), table.SILENT),
        (table.job("ddp", "nan@3", id="four-nan"), table.Cell("GG204", (3,), 0)),
        (table.job("ddp", "raise@2", id="four-raise"), table.Cell("GG901", None, 0, "raises")),
        (table.job("ddp", "uneven@3", id="four-uneven"), table.Cell("GG901", None, 1, "raises")),
        (table.job("fsdp2", "healthy", id="four-shards"), table.SILENT),
        (table.job("fsdp2", "zero", id="four-fsdp2"), table.Cell("GG203", None, 3)),
    )

    @pytest.mark.parametrize(
        ("job", "cell"), JOBS, ids=lambda x: x["id"] if isinstance(x, dict) else ""
    )
    def test_cell(self, base: Path, job: dict[str, Any], cell: table.Cell) -> None:
        """The same holds for four ranks."""
        done = run_plan(base, "ranks-four", [j for j, _ in self.JOBS], 180, world=4)
        check(done.get(job["id"], []), cell, world=4)
        if job["id"] == "four-quarter":
            (said,) = done[job["id"]][0]["report"]["diagnostics"]
            assert "silently gets 1/4 of the average" in said["effect"]


@pytest.mark.ranks
@pytest.mark.parametrize("launcher", ["popen", "spawn", "fork", "torchrun"])
def test_launchers(tmp_path: Path, launcher: str) -> None:
    """Whoever starts the processes, the error names the parameters and none is left hanging."""
    script, out = HERE / "script.py", tmp_path / "out"
    start = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node=2",
        f"--master_port={launch.free_port()}",
    ]
    command = [
        *(start if launcher == "torchrun" else [sys.executable]),
        str(script),
        launcher,
        str(out),
    ]
    extra = os.pathsep.join([str(HERE), str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = os.environ | {
        "PYTHONPATH": extra,
        "OMP_NUM_THREADS": "1",
        "MASTER_PORT": str(launch.free_port()),
    }
    done = subprocess.run(  # noqa: S603 - this interpreter and a file of the tests
        command, env=env, cwd=tmp_path, capture_output=True, timeout=90, check=False
    )
    lines = [json.loads(f.read_text()) for f in sorted(tmp_path.glob("out.*"))]
    assert done.returncode != 0
    assert len(lines) == (1 if launcher in {"spawn", "fork"} else 2)
    for line in lines:
        assert "GG301" in line["text"]
        assert "side.{weight, bias}" in line["text"]


# -- parts, on one process


def _store() -> Any:
    return dist.HashStore()  # type: ignore[attr-defined]


@pytest.fixture
def line() -> Iterator[Ranks]:
    """Return the line of a job that has one rank."""
    dist.init_process_group("gloo", store=_store(), rank=0, world_size=1)
    try:
        yield Ranks(5.0)
    finally:
        dist.destroy_process_group()


class TestLine:
    """What goes over the line between the ranks, and what cannot."""

    def test_hands_on_what_it_gets(self, line: Ranks) -> None:
        """Notes, things, states and sums."""
        note = Note(Event.STEP, 5, 2**55)
        assert line.compare(note) == Answer(note, note)
        assert line.gather({"a": [1]}) == [{"a": [1]}]
        assert line.largest([-1, 0, 127]) == [-1, 0, 127]
        assert line.total([1.5]) == [1.5]

    def test_what_cannot_be_sent_is_an_error_on_every_rank(self, line: Ranks) -> None:
        """The rank takes part all the same; otherwise the others would wait for it."""
        with pytest.raises(UnsentError, match="rank 0 cannot send what it has to say"):
            line.gather(lambda: 1)
        assert line.gather(1) == [1]

    def test_is_closed_once_and_for_all(self, line: Ranks) -> None:
        """Nothing of the guard goes over the job's own group after that."""
        line.close()
        line.close()
        with pytest.raises(LostRankError, match="taken down"):
            line.gather(1)
        with pytest.raises(LostRankError, match="taken down"):
            line.compare(Note(Event.FAILED), wait=1.0)

    def test_waits_for_ranks_without_a_guard_for_a_while(self) -> None:
        """The other rank of this job never comes."""
        dist.init_process_group("fake", store=_store(), rank=0, world_size=2)
        try:
            with pytest.raises(LostRankError, match="came within 0 s; `GradGuard` must be among"):
                Ranks(0.4)
        finally:
            dist.destroy_process_group()


class TestReached:
    """The walk from a loss to the parameters."""

    def places(self, *params: torch.Tensor) -> dict[int, int]:
        """Return id -> place."""
        return {id(p): i for i, p in enumerate(params)}

    def test_marks_what_the_loss_depends_on(self) -> None:
        """One byte a parameter."""
        a, b = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
        look = reached((a * 2).sum(), self.places(a, b))
        assert bytes(look.found) == b"\x01\x00"
        assert look.link is Link.PARAMETERS

    def test_tells_kinds_of_disconnection_apart(self) -> None:
        """A loss without a graph raises in backward, a leaf does not."""
        a = nn.Parameter(torch.ones(2))
        places = self.places(a)
        cut = a.detach().sum()
        assert reached(cut, places).link is Link.NOTHING
        assert reached(cut.requires_grad_() / 1, places).link is Link.LEAF

    def test_parameter_as_loss(self) -> None:
        """A loss may be a parameter itself."""
        a = nn.Parameter(torch.ones(()))
        assert bytes(reached(a, self.places(a)).found) == b"\x01"

    def test_sharded_leaf_counts_by_shape(self) -> None:
        """Under a sharded strategy the graph ends in flat leaves that nobody knows by name."""
        flat = torch.ones(4, requires_grad=True)
        assert reached(flat.sum(), {}, sharded=True).link is Link.PARAMETERS
        scalar = torch.ones((), requires_grad=True)
        assert reached(scalar / 1, {}, sharded=True).link is Link.LEAF

    def test_reentrant_checkpoint_is_blind(self) -> None:
        """What such a region uses cannot be seen, so nothing is said about what is not reached."""
        layer = nn.Linear(2, 2)
        x = torch.ones(1, 2, requires_grad=True)
        look = reached(
            checkpoint(layer, x, use_reentrant=True).sum(), self.places(*layer.parameters())
        )
        assert look.blind
        assert look.link is Link.PARAMETERS


def diagnostic(code: str, line: int, params: tuple[str, ...] = ()) -> Diagnostic:
    """Make a finding at a line."""
    span = Span("train.py", line, 1, 2, "f", "x")
    return Diagnostic(
        code=code,
        name=RULES[code].name,
        severity=Severity.ERROR,
        message="m",
        span=span,
        params=params,
    )


class TestUneven:
    """Runs of comparisons in which the same ranks alone use a parameter."""

    def test_a_layer_dropped_at_random_is_no_finding(self) -> None:
        """Only comparisons in a row count: between two of a healthy run, all ranks agree."""
        uneven = Uneven(patience=3)
        for _ in range(20):
            uneven.note({(0,): [1]})
            uneven.note({})
        assert uneven.due() == {}
        assert uneven.due(final=True) == {}

    def test_other_ranks_begin_anew(self) -> None:
        """A run belongs to one set of ranks."""
        uneven = Uneven(patience=2)
        for having in ((0,), (1,), (0,), (1,)):
            uneven.note({having: [1]})
        assert uneven.due() == {}
        uneven.note({(1,): [1]})
        assert uneven.due() == {((1,), 2): [1]}
        assert uneven.due(final=True) == {}, "it is said once"

    def test_a_short_run_is_enough_at_the_end(self) -> None:
        """Where fewer comparisons were made than patience asks for, all of them must agree."""
        uneven = Uneven(patience=10)
        uneven.note({(0,): [1, 2]})
        uneven.note({(0,): [2]})
        assert uneven.due() == {}
        assert uneven.due(final=True) == {((0,), 2): [2]}


class TestMergeFindings:
    """Findings of all ranks as one list."""

    def test_same_everywhere(self) -> None:
        """What all ranks found is about the job."""
        (one,) = merge_findings([[diagnostic("GG106", 3, ("a",))]] * 3)
        assert one.ranks is None

    def test_somewhere(self) -> None:
        """What some ranks found carries their numbers."""
        finding = diagnostic("GG103", 3)
        (one,) = merge_findings([[], [finding], [], [finding]])
        assert one.ranks == (1, 3)

    def test_one_cause_a_parameter(self) -> None:
        """A rank with another explanation for the same parameters does not say it again."""
        first, second = diagnostic("GG104", 3, ("a", "b")), diagnostic("GG106", 9, ("b",))
        (one,) = merge_findings([[first], [second]])
        assert (one.code, one.ranks) == ("GG104", None)

    def test_culprit_of_a_nan(self) -> None:
        """The rank on which it came up explains it; the others only received it."""
        here, there = diagnostic("GG204", 3, ("a",)), diagnostic("GG204", 9, ("a",))
        (one,) = merge_findings([[here], [there]], suspects=[1])
        assert one.span is not None
        assert (one.span.line, one.ranks) == (9, (1,))

    def test_is_the_same_on_every_rank(self) -> None:
        """The order of the ranks decides, nothing else."""
        lists = [[diagnostic("GG103", n), diagnostic("GG106", n, (f"p{n}",))] for n in range(4)]
        assert merge_findings(lists) == merge_findings(list(lists))
        assert [d.ranks for d in merge_findings(lists)] == [
            (n,) for n in range(4) for _ in range(2)
        ]


def test_digest_depends_on_order_and_borders() -> None:
    """Names are compared with their order."""
    seen = {digest(names) for names in (["a", "b"], ["b", "a"], ["ab"], ["a"], [])}
    assert len(seen) == 5
    assert all(0 <= d < 2**56 for d in seen)


def test_words() -> None:
    """Ranks in a sentence."""
    assert words([3]) == "rank 3"
    assert words([0, 1, 5]) == "ranks 0, 1 and 5"
    assert words(range(16_384)).endswith("and 16,376 more")


@pytest.mark.parametrize(
    ("price", "period", "every"),
    [(100, 10_000, 1), (100, 9_999, 2), (1000, 1000, 100), (1e9, 1000, 1000), (5, 0, 1000)],
)
def test_cadence_costs_at_most_one_percent(price: float, period: float, every: int) -> None:
    """The dearer a comparison, the rarer; never rarer than every 1,000 steps."""
    assert cadence(price, period) == every
