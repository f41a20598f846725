# SPDX-License-Identifier: Apache-2.0
"""Ranks that leave the common course, wherever they do: none is waited for longer than told.

What a failing rank leaves to the others depends on where it fails. As long as the others come to a
comparison next, they hear why; where they wait for it in an exchange of the job, they learn that it
is gone.
"""

import sys
from pathlib import Path
from typing import Any

import pytest

from lightning_gradguard.rules import RULES

HERE = Path(__file__).parent / "ranks"
sys.path.insert(0, str(HERE))
import running  # noqa: E402 - beside the workers, which run in other processes
import table  # noqa: E402
from running import Outcomes, check, run_plan  # noqa: E402

SNAPSHOTS = Path(__file__).parent / "snapshots"
EPOCHS: dict[str, Any] = {"max_epochs": 3, "max_steps": -1}
# name -> the job, the rank that fails, and what the others say about it.
HEARD = {
    "before": (table.job("ddp", "raise@1+2"), 1, "before its backward pass: ValueError: boom"),
    "micro-batch": (
        table.job("ddp", "raise@1+1", trainer={"accumulate_grad_batches": 3}),
        1,
        "before its backward pass: ValueError: boom",
    ),
    "after": (
        table.job("ddp", "raise_after@1+2"),
        1,
        "after its backward pass: ValueError: boom in after",
    ),
    "after-0": (
        table.job("ddp", "raise_after@0+2"),
        0,
        "after its backward pass: ValueError: boom in after",
    ),
    "after-shards": (
        table.job("fsdp2", "raise_after@1+2"),
        1,
        "after its backward pass: ValueError: boom in after",
    ),
    "none": (
        table.job("ddp", "none@1+1"),
        1,
        "before its backward pass: RuntimeError: Skipping the `training_step`",
    ),
}
# name -> the job, and what all ranks say.
PARTED = {
    "more-backward": (table.job("ddp", "manual_more@1+1"), "some ranks take other steps"),
    "iteration": (
        table.job("ddp", "iteration@1+2", trainer={"max_epochs": 1}),
        "some ranks take other steps",
    ),
    "uneven-accumulate": (
        table.job("ddp", "uneven@1", trainer=EPOCHS | {"accumulate_grad_batches": 2}),
        "this is the last batch of rank 1",
    ),
    "uneven-0": (table.job("ddp", "uneven@0"), "this is the last batch of rank 0"),
    "uneven-epochs": (
        table.job("ddp", "uneven@1", trainer=EPOCHS),
        "this is the last batch of rank 1",
    ),
    "uneven-metrics": (
        table.job("ddp", "uneven@1", trainer=EPOCHS, guard={"metrics": "route"}),
        "this is the last batch of rank 1",
    ),
}
HEALTHY = {
    "local-passes": table.job("ddp", "manual_local"),
    "validation": table.job("ddp", "validation_fine", trainer={"val_check_interval": 2}),
    "stop-all": table.job("ddp", "stop+1", trainer={"max_steps": 6}),
}
# A bug in the guard on one rank while there is something to find.
BUGS = {
    f"{method}-{rank}-{word}": (
        table.job("ddp", f"fault_{method}@{rank}+1 {word}@1+1"),
        table.Cell(code, (1,), 1, "raises"),
    )
    for method in ("scene", "wants", "settle")
    for word, code in (("unused", "GG301"), ("nograd", "GG302"))
    for rank in (0, 1)
    if (method, rank) != ("settle", 0)
}
# Methods that end with the part switched off on all ranks.
METHODS = ("enter_step", "local_states", "end_batch", "judged", "after_backward", "finish")
PROGRAMS = {
    f"{code}-{kind}": {"id": f"{code}-{kind}", "strategy": "ddp", "case": "", "program": source}
    for code in ("GG301", "GG302")
    for kind, source in (("bad", RULES[code].bad), ("good", RULES[code].good))
}


def plan() -> list[dict[str, Any]]:
    """Return all trainings, under the names that the tests use."""
    jobs: dict[str, dict[str, Any]] = dict(HEALTHY)
    jobs |= {name: job for name, (job, _, _) in HEARD.items()}
    jobs |= {name: job for name, (job, _) in (*PARTED.items(), *BUGS.items())}
    jobs |= {f"bug-{m}": table.job("ddp", f"fault_{m}@1+1") for m in METHODS}
    jobs["all"] = table.job("ddp", "raise")
    jobs["alone"] = table.job("ddp", "healthy", only_on=1, limit=12)
    named = [{**job, "id": name} for name, job in jobs.items()]
    return named + [{**job, "trainer": {"max_steps": 3}} for job in PROGRAMS.values()]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all test processes of this session share."""
    return running.shared_folder(tmp_path_factory)


@pytest.fixture(scope="session")
def outcomes(base: Path) -> Outcomes:
    """Return what came of all trainings."""
    return run_plan(base, "rank-failures", plan(), 180)


class TestLeaving:
    """A rank that fails, ends, or takes another turn."""

    @pytest.mark.parametrize("name", HEARD)
    def test_failure_is_heard(self, outcomes: Outcomes, name: str) -> None:
        """The failing rank keeps its error, and the others say which one failed, where and how."""
        _, failing, text = HEARD[name]
        records = outcomes[name]
        assert [r["ours"] for r in records] == [r["rank"] != failing for r in records]
        assert f"rank {failing} raised {text}" in " ".join(records[1 - failing]["text"].split())
        assert max(r["seconds"] for r in records) < 10

    @pytest.mark.parametrize("name", PARTED)
    def test_ranks_part_together(self, outcomes: Outcomes, name: str) -> None:
        """Ranks that run apart end with the same error."""
        first, second = outcomes[name]
        assert first["ours"]
        assert first["text"] == second["text"]
        assert PARTED[name][1] in first["report"]["diagnostics"][0]["cause"]
        assert max(first["seconds"], second["seconds"]) < 10

    @pytest.mark.parametrize("name", HEALTHY)
    def test_healthy_course_is_silent(self, outcomes: Outcomes, name: str) -> None:
        """Passes that nobody waits for, validation, and an end that all ranks agree on."""
        check(outcomes[name], table.SILENT)

    def test_own_error_on_all_ranks_is_no_finding(self, outcomes: Outcomes) -> None:
        """Where every rank raises by itself, none leaves another waiting."""
        for record in outcomes["all"]:
            assert record["error"] == "ValueError"
            assert record["report"]["diagnostics"] == []

    def test_guard_on_some_ranks_only(self, outcomes: Outcomes) -> None:
        """Such a guard says so and does nothing; it waits for the others only for a while."""
        without, alone = outcomes["alone"]
        assert [without["error"], alone["error"]] == [None, None]
        (said,) = alone["report"]["diagnostics"]
        assert said["code"] == "GG901"
        assert "among the callbacks of every rank" in said["cause"]
        assert len(alone["told"]) == 1
        assert alone["seconds"] < 10


class TestBugs:
    """A bug in the guard on one rank, told to all of them."""

    @pytest.mark.parametrize("name", BUGS)
    def test_finding_survives(self, outcomes: Outcomes, name: str) -> None:
        """Another rank can say what is up, and all end alike."""
        check(outcomes[name], BUGS[name][1])

    @pytest.mark.parametrize("method", METHODS)
    def test_part_is_off_everywhere(self, outcomes: Outcomes, method: str) -> None:
        """The training goes on, and the report says what is not checked any more."""
        for record in outcomes[f"bug-{method}"]:
            assert record["error"] is None
            assert [d["code"] for d in record["report"]["diagnostics"]] == ["GG901"]
            assert "the audit failed on rank 1" in record["report"]["limits"][0]


class TestRules:
    """The examples of the rules about ranks, which the other rule tests leave to this file."""

    @pytest.mark.parametrize("code", ["GG301", "GG302"])
    def test_bad_leads_to_this_code_only(self, outcomes: Outcomes, code: str) -> None:
        """Both ranks end with the finding."""
        records = outcomes[f"{code}-bad"]
        assert len(records) == 2
        for record in records:
            assert record["ours"]
            assert [d["code"] for d in record["report"]["diagnostics"]] == [code]

    @pytest.mark.parametrize("code", ["GG301", "GG302"])
    def test_good_leads_to_nothing(self, outcomes: Outcomes, code: str) -> None:
        """The repair is one."""
        check(outcomes[f"{code}-good"], table.SILENT)

    @pytest.mark.parametrize("code", ["GG301", "GG302"])
    def test_text_is_as_stored(
        self, outcomes: Outcomes, code: str, request: pytest.FixtureRequest
    ) -> None:
        """The whole printed diagnostic, character by character, and the same on both ranks."""
        texts = {"\n\n".join(r["rendered"]) + "\n" for r in outcomes[f"{code}-bad"]}
        (text,) = texts
        path = SNAPSHOTS / f"{code}.txt"
        assert f"[{code}]" in text
        if request.config.getoption("--update-snapshots"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")


# -- where others wait for a failing rank in an exchange of the job, which takes its time

# name -> the job, and the rank that fails or ends.
UNHEARD = {
    "in-backward": (table.job("ddp", "raise_before@1+2", limit=15), 1),
    "step": (table.job("ddp", "raise_step@1+2", limit=15), 1),
    "batch-end": (table.job("ddp", "raise_end@0+2", limit=15), 0),
    "logger": (
        table.job(
            "ddp",
            "raise_logger@0+2",
            limit=15,
            trainer={"logger": "recorder", "log_every_n_steps": 1},
        ),
        0,
    ),
    "data": (table.job("ddp", "raise_data@1+2", limit=15), 1),
    "validation": (
        table.job("ddp", "raise_validation@1+2", limit=15, trainer={"val_check_interval": 2}),
        1,
    ),
    "rare": (
        table.job("fsdp2", "raise_after@1+2", limit=15, guard={"agree_every_n_steps": 50}),
        1,
    ),
    "stop": (table.job("ddp", "stop@1+1", limit=40, trainer={"max_steps": 6}), 1),
}


@pytest.mark.ranks
@pytest.mark.parametrize("name", UNHEARD)
def test_unheard_failure_ends(base: Path, name: str) -> None:
    """No rank outlasts the limit of the job or the last call of the guard, and none trains on."""
    jobs = [{**job, "id": name} for name, (job, _) in UNHEARD.items()]
    records = run_plan(base, "ranks-unheard", jobs, 300)[name]
    failing = UNHEARD[name][1]
    assert [r["rank"] for r in records] == [0, 1]
    assert max(r["seconds"] for r in records) < 45
    assert records[1 - failing]["error"] is not None
    assert records[failing]["error"] == (None if name == "stop" else "ValueError")


@pytest.mark.ranks
@pytest.mark.parametrize("word", ["kill", "interrupt"])
@pytest.mark.parametrize("rank", [0, 1])
def test_end_of_a_process_is_noticed(base: Path, word: str, rank: int) -> None:
    """Whoever ends without a word, the rest does not wait for the time limit."""
    job = table.job("ddp", f"{word}@{rank}+2", id="gone", limit=60)
    (record,) = run_plan(base, f"ranks-{word}-{rank}", [job], 50)["gone"]
    assert record["rank"] == 1 - rank
    assert record["ours"]
    assert "another rank is gone: its process has ended" in " ".join(record["text"].split())
    assert record["seconds"] < 15


@pytest.mark.ranks
class TestOtherNamespace:
    """The same under `lightning.pytorch`."""

    CELLS = (
        ("ddp", "healthy"),
        ("ddp", "unused"),
        ("ddp", "unused@1"),
        ("ddp", "nograd@1"),
        ("ddp", "leaf@1"),
        ("ddp", "nan@1"),
        ("ddp", "raise@1"),
        ("ddp", "uneven@1"),
        ("ddp_unused", "unused@1"),
        ("fsdp1", "zero"),
        ("fsdp2", "healthy"),
        ("fsdp2", "nograd@1"),
    )

    @pytest.mark.parametrize(("strategy", "case"), CELLS)
    def test_cell(self, base: Path, strategy: str, case: str) -> None:
        """Every cell is that of the table."""
        jobs = [table.job(s, c) for s, c in self.CELLS]
        done = run_plan(base, "ranks-lightning", jobs, 120, framework="lightning")
        check(done[f"{strategy}-{case}"], table.expected(strategy, case))
