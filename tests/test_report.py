# SPDX-License-Identifier: Apache-2.0
"""Findings as text, JSON, SARIF, annotations, Markdown and as an exception."""

import copy
import json
import pickle
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightning_gradguard.report import GradGuardError, Report, count, fold_names, render, writer_for
from lightning_gradguard.rules import RULES, Diagnostic, Severity
from lightning_gradguard.source import Span

SARIF_SCHEMA = Path(__file__).resolve().parents[2] / "shared/data/sarif-schema-2.1.0.json"
STEP = "LitWine.training_step"
RANK_LINE = "        order = scores.argsort(dim=1).float()"
LOSS_LINE = "        loss = F.huber_loss(order, target)"
# How long an example takes says something about the machine only.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def finding(code: str, **changes: Any) -> Diagnostic:
    """Make a finding of a rule; what a test does not care about gets a plain value."""
    rule = RULES[code]
    plain = {"name": rule.name, "severity": rule.severity, "message": rule.message, "span": None}
    return Diagnostic(code=code, **{**plain, **changes})


def spot(text: str, part: str, *, line: int, label: str = "", path: str = "wine.py") -> Span:
    """Mark a part of a source line."""
    column = text.index(part) + 1
    return Span(path, line, column, column + len(part), STEP, text, label)


DISCONNECTED = finding(
    "GG101",
    span=spot(RANK_LINE, "scores.argsort(dim=1)", line=8, label="integer ranks carry no gradient"),
    op="torch.Tensor.argsort",
    cause=(
        "`scores` float32[16, 5] requires grad; `argsort` gives int64[16, 5]. The two operations "
        "after it (`float`, `huber_loss`) stay cut off."
    ),
    evidence="the loss is 1.25 at global step 0",
    effect="torch raises in `backward()`",
    help=(
        "train on the scores themselves, for example\n"
        "    loss = F.huber_loss(scores, target, reduction='mean', delta=1.0)"
        "  # stays differentiable\n"
        "and log the order as a metric"
    ),
    params=("net.0.weight", "net.0.bias", "head.weight", "head.bias", "temperature"),
    params_total=5,
    values=1234,
    values_total=1234,
)


def lines(diagnostic: Diagnostic, width: int = 100) -> list[str]:
    """Draw a finding and split it."""
    return render(diagnostic, width).splitlines()


def source_part(diagnostic: Diagnostic, width: int = 100) -> str:
    """Draw a finding and cut the notes off."""
    return "\n".join(
        takewhile(lambda row: not row.lstrip().startswith("="), lines(diagnostic, width))
    )


class TestRender:
    """`render`."""

    def test_draws_all_parts_in_order(self) -> None:
        """Header, place, source, label, then the notes in their fixed order."""
        assert render(DISCONNECTED) == (
            "error[GG101]: the loss is not connected to any trainable parameter\n"
            " --> wine.py:8:17 in LitWine.training_step\n"
            "  |\n"
            "8 |         order = scores.argsort(dim=1).float()\n"
            "  |                 ^^^^^^^^^^^^^^^^^^^^^ integer ranks carry no gradient\n"
            "  |\n"
            "  = cause: `scores` float32[16, 5] requires grad; `argsort` gives int64[16, 5]. "
            "The two operations\n"
            "           after it (`float`, `huber_loss`) stay cut off.\n"
            "  = evidence: the loss is 1.25 at global step 0\n"
            "  = effect: torch raises in `backward()`\n"
            "  = affected: 5 of 5 trainable parameters (1,234 values)\n"
            "              net.0.{weight, bias}  head.{weight, bias}  temperature\n"
            "  = help: train on the scores themselves, for example\n"
            "              loss = F.huber_loss(scores, target, reduction='mean', delta=1.0)"
            "  # stays differentiable\n"
            "          and log the order as a metric\n"
            "  = rule: non-differentiable-loss, see `gradguard explain GG101`"
        )

    def test_draws_related_spans_of_the_file_in_one_window(self) -> None:
        """Lines stand in the order of the file, whichever of them is the primary one."""
        shown = finding(
            "GG103",
            span=spot(LOSS_LINE, "F.huber_loss(order, target)", line=10, label="adds a constant"),
            related=(spot(RANK_LINE, "scores.argsort(dim=1)", line=9, label="lost here"),),
        )
        assert source_part(shown) == (
            "warning[GG103]: one term of the loss cannot change any parameter\n"
            "  --> wine.py:10:16 in LitWine.training_step\n"
            "   |\n"
            " 9 |         order = scores.argsort(dim=1).float()\n"
            "   |                 --------------------- lost here\n"
            "10 |         loss = F.huber_loss(order, target)\n"
            "   |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^ adds a constant\n"
            "   |"
        )

    def test_marks_a_gap_between_lines(self) -> None:
        """Lines that are not neighbours are set apart; marks on one line get a row each."""
        shown = finding(
            "GG103",
            span=spot(LOSS_LINE, "F.huber_loss(order, target)", line=30, label="adds a constant"),
            related=(
                spot(LOSS_LINE, "order", line=30, label="cut off"),
                spot(RANK_LINE, "scores", line=9),
            ),
        )
        assert source_part(shown).splitlines()[2:] == [
            "   |",
            " 9 |         order = scores.argsort(dim=1).float()",
            "   |                 ------",
            "...",
            "30 |         loss = F.huber_loss(order, target)",
            "   |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^ adds a constant",
            "   |                             ----- cut off",
            "   |",
        ]

    def test_draws_another_file_in_a_second_window(self) -> None:
        """A span in another file follows below, with the same gutter."""
        shown = finding(
            "GG104",
            message="`argsort` cuts 2 parameters off from the loss",
            span=spot(RANK_LINE, "scores.argsort(dim=1)", line=8, label="cut here", path="lib.py"),
            related=(spot(LOSS_LINE, "order", line=120, label="used here"),),
        )
        assert source_part(shown) == (
            "error[GG104]: `argsort` cuts 2 parameters off from the loss\n"
            "   --> lib.py:8:17 in LitWine.training_step\n"
            "    |\n"
            "  8 |         order = scores.argsort(dim=1).float()\n"
            "    |                 ^^^^^^^^^^^^^^^^^^^^^ cut here\n"
            "    |\n"
            "   ::: wine.py:120:29 in LitWine.training_step\n"
            "    |\n"
            "120 |         loss = F.huber_loss(order, target)\n"
            "    |                             ----- used here\n"
            "    |"
        )

    def test_puts_a_label_that_does_not_fit_below(self) -> None:
        """A label goes under the carets at its column, and is broken at the edge of the page."""
        label = "`argsort` returns positions, and positions jump when a score moves a little"
        span = spot(RANK_LINE, "scores.argsort(dim=1)", line=8, label=label)
        shown = finding("GG101", span=span)
        assert source_part(shown).splitlines()[3:] == [
            "8 |         order = scores.argsort(dim=1).float()",
            "  |                 ^^^^^^^^^^^^^^^^^^^^^",
            f"  |                 {label}",
            "  |",
        ]
        assert source_part(shown, 60).splitlines()[5:] == [
            "  |                 `argsort` returns positions, and",
            "  |                 positions jump when a score moves a",
            "  |                 little",
            "  |",
        ]

    def test_moves_a_label_at_the_edge_to_the_left(self) -> None:
        """A label under a mark far to the right starts earlier instead of falling to pieces."""
        text = "x" * 80 + " = y.round()"
        shown = finding("GG202", span=spot(text, "y.round()", line=1, label="z" * 29))
        row = source_part(shown).splitlines()[5]
        assert row == "  | " + " " * 67 + "z" * 29
        assert len(row) == 100

    def test_fills_the_page_to_the_last_column(self) -> None:
        """A label that ends exactly at the edge stays beside its marks."""
        span = spot("y = x.sign()", "x.sign()", line=1)
        room = 100 - len("  |     ^^^^^^^^ ")
        fits, too_long = (replace(span, label="m" * size) for size in (room, room + 1))
        assert len(source_part(finding("GG202", span=fits)).splitlines()) == 6
        assert len(source_part(finding("GG202", span=too_long)).splitlines()) == 7

    def test_cuts_a_long_source_line_around_the_marks(self) -> None:
        """A line wider than the page keeps the marked part in sight, and the marks under it."""
        text = "    total = " + " + ".join(f"weight_{n} * part_{n}" for n in range(20))
        for part in ("weight_0", "part_9", "part_19"):
            _, _, _, code, marks, *_ = lines(finding("GG103", span=spot(text, part, line=4)), 60)
            assert len(code) <= 60
            assert "..." in code
            start = marks.index("^")
            assert code[start : start + len(part)] == part
            assert marks.count("^") == len(part)

    def test_keeps_marks_under_tabs_and_wide_characters(self) -> None:
        """Tabs count as far as they reach, East Asian characters as two columns."""
        tabs = finding("GG202", span=spot("\tz = x.sign()", "x.sign()", line=1))
        assert lines(tabs)[3:5] == ["1 |     z = x.sign()", "  |         ^^^^^^^^"]
        wide = finding("GG202", span=spot("勾配 = x.sign()", "x.sign()", line=1))
        assert lines(wide)[3:5] == ["1 | 勾配 = x.sign()", "  |        ^^^^^^^^"]

    def test_marks_at_least_one_character(self) -> None:
        """An empty or overlong span still points at its place."""
        short = Span("a.py", 1, 3, 3, "", "a = b")
        long = Span("a.py", 1, 3, 99, "", "a = b")
        assert lines(finding("GG202", span=short))[1:5] == [
            " --> a.py:1:3",
            "  |",
            "1 | a = b",
            "  |   ^",
        ]
        assert lines(finding("GG202", span=long))[4] == "  |   ^^^"

    def test_does_without_source_text(self) -> None:
        """Code typed at a prompt has a place and a label, but no line to show."""
        span = Span("<stdin>", 3, 5, 9, "f", "", "the gradient stops here")
        assert source_part(finding("GG101", span=span)) == (
            "error[GG101]: the loss is not connected to any trainable parameter\n"
            " --> <stdin>:3:5 in f\n"
            "  |\n"
            "3 | (source not available)\n"
            "  | the gradient stops here\n"
            "  |"
        )

    def test_does_without_a_span(self) -> None:
        """A finding without a place has its headline and its notes."""
        shown = finding("GG901", message="`Codec` could not be checked", cause="it is compiled")
        assert render(shown) == (
            "info[GG901]: `Codec` could not be checked\n"
            "  = cause: it is compiled\n"
            "  = rule: unchecked, see `gradguard explain GG901`"
        )

    def test_names_the_ranks(self) -> None:
        """Ranks come first among the notes, and only when a finding is about some of them."""
        shown = finding("GG301", ranks=(1, 3))
        assert lines(shown)[1] == "  = ranks: 1, 3"
        assert "ranks:" not in render(finding("GG301", message="m"))

    def test_keeps_columns_in_notes(self) -> None:
        """Parts set apart by two spaces keep their distance, as in a table."""
        shown = finding(
            "GG301", evidence="parameter    rank 0    rank 1\nextra.bias   used      no path"
        )
        assert lines(shown)[1:3] == [
            "  = evidence: parameter    rank 0    rank 1",
            "              extra.bias   used      no path",
        ]

    def test_colours_only_when_asked(self) -> None:
        """Colour adds escape codes and changes nothing else."""
        coloured = render(DISCONNECTED, color=True)
        assert coloured.startswith("\x1b[1;31merror[GG101]\x1b[0m")
        for code in ("1;31", "1;33", "1;36", "1;34", "1", "0"):
            coloured = coloured.replace(f"\x1b[{code}m", "")
        assert [row.rstrip() for row in coloured.splitlines()] == lines(DISCONNECTED)
        assert "\x1b" not in render(DISCONNECTED)


class TestWrapping:
    """How notes are broken into lines."""

    @pytest.mark.parametrize(
        "whole",
        ["`torch.nn.functional.one hot`", "3.7 %", "1,234.5 ms", "float32[32, 20, 1]", "12 us,"],
    )
    def test_holds_together_what_belongs_together(self, whole: str) -> None:
        """Neither code, nor a shape, nor a number and its unit is torn apart at any width."""
        for padding in range(70):
            text = f"{'x' * padding} {whole} yy"
            assert any(whole in row for row in lines(finding("GG901", cause=text), 60))

    def test_breaks_between_a_number_and_a_noun(self) -> None:
        """Only units stick to their number."""
        text = "x" * 46 + " 2 ranks"
        assert lines(finding("GG901", cause=text), 60)[1:3] == [
            "  = cause: " + "x" * 46 + " 2",
            "           ranks",
        ]

    @unhurried
    @given(
        text=st.lists(st.text("abc`[] ,.%1", min_size=1, max_size=30), max_size=20).map(" ".join),
        width=st.integers(60, 120),
    )
    def test_loses_nothing(self, text: str, width: int) -> None:
        """Whatever the text, all its characters are printed in their order."""
        rows = lines(finding("GG901", message="m", cause=text), width)
        notes = "".join(rows[1:-1]).replace("= cause:", "", 1)
        assert "".join(notes.split()) == "".join(text.split())

    @unhurried
    @given(words=st.lists(st.text("abc", min_size=1, max_size=20), min_size=1, max_size=40))
    def test_stays_within_the_page(self, words: list[str]) -> None:
        """Plain words never run over the edge."""
        assert max(map(len, lines(finding("GG901", message="m", cause=" ".join(words)), 60))) <= 60


class TestAffected:
    """The note on what a finding costs."""

    def affected(self, **changes: Any) -> list[str]:
        """Draw a finding and keep the note on parameters."""
        rows = lines(finding("GG106", message="m", **changes))
        return [row.strip() for row in rows[1:-1]]

    def test_counts_parameters_and_values(self) -> None:
        """Where only a part is affected, both counts say of how many."""
        found = self.affected(params=("a.w",), params_total=8, values=17, values_total=1800)
        assert found == ["= affected: 1 of 8 trainable parameters (17 of 1,800 values)", "a.w"]

    def test_uses_the_singular(self) -> None:
        """One is not plural."""
        found = self.affected(params=("a",), params_total=1, values=1, values_total=1)
        assert found[0] == "= affected: 1 of 1 trainable parameter (1 value)"

    def test_says_when_none_is_lost(self) -> None:
        """A dead term beside a live one costs no parameter its gradient."""
        assert self.affected(params_total=4) == ["= affected: 0 parameters lose their gradient"]

    def test_is_left_out_where_nothing_is_known(self) -> None:
        """A finding that is not about parameters has no such note."""
        assert self.affected() == []

    def test_folds_names_by_module(self) -> None:
        """At most four modules are shown, and the rest is counted in parameters."""
        names = [f"blocks.{n}.{leaf}" for n in range(8) for leaf in ("weight", "bias")]
        assert fold_names(names) == (
            "blocks.0.{weight, bias}  blocks.1.{weight, bias}  blocks.2.{weight, bias}  "
            "blocks.3.{weight, bias}  ... and 8 more"
        )
        assert fold_names(["scale.scale", "shift"]) == "scale.scale  shift"

    def test_cuts_a_module_with_many_parameters(self) -> None:
        """A parameter list does not flood the page."""
        folded = fold_names([f"codes.{n}" for n in range(20)])
        assert folded == "codes.{0, 1, 2, 3, 4, 5, 6, 7, ...}  ... and 12 more"

    def test_breaks_between_modules_only(self) -> None:
        """Names in braces stay on one line, however narrow the page."""
        names = [f"encoder.layer_{n}.{leaf}" for n in range(4) for leaf in ("weight", "bias")]
        rows = lines(finding("GG106", message="m", params=tuple(names), params_total=8), 60)
        assert rows[2:6] == [f"              encoder.layer_{n}.{{weight, bias}}" for n in range(4)]


class TestDiagnostic:
    """`Diagnostic`."""

    def test_survives_json(self) -> None:
        """A finding read back equals the one written."""
        related = (spot(LOSS_LINE, "order", line=9),)
        for found in (replace(DISCONNECTED, related=related, ranks=(0, 2)), finding("GG901")):
            assert Diagnostic.from_dict(json.loads(json.dumps(found.to_dict()))) == found

    def test_reads_records_of_later_versions(self) -> None:
        """Keys that are not known yet are left out, in the finding and in its spans."""
        record = DISCONNECTED.to_dict()
        record["colour"] = "red"
        record["span"]["height"] = 3
        assert Diagnostic.from_dict(record) == DISCONNECTED

    def test_has_a_form_on_one_line(self) -> None:
        """The concise form is what editors turn into links."""
        assert DISCONNECTED.concise() == (
            "wine.py:8:17: error[GG101] the loss is not connected to any trainable parameter"
        )
        assert finding("GG901", message="m").concise() == "info[GG901] m"


@pytest.fixture
def report() -> Report:
    """Make a report with an error, a note without a place, and a limit."""
    made = Report()
    made.add(DISCONNECTED)
    made.add(finding("GG901", message="`Codec` could not be checked"))
    made.update(coverage=0.25, trained=3, total=5, step=7, traced_calls=1210, seen_calls=1214)
    made.update(trace_ms=12.34)
    made.add_limit("compiled region `Codec`, its calls are not seen")
    return made


class TestReport:
    """`Report`."""

    def test_takes_a_finding_once(self, report: Report) -> None:
        """The same rule at the same place for the same parameters is the same finding."""
        assert not report.add(replace(DISCONNECTED, step=9, message="in other words"))
        assert report.add(replace(DISCONNECTED, params=("other",)))
        assert report.add(replace(DISCONNECTED, code="GG102"))
        assert report.add(finding("GG901", message="`Vocoder` could not be checked"))
        assert [found.code for found in report.diagnostics] == [
            *("GG101", "GG901", "GG101", "GG102", "GG901")
        ]

    def test_takes_a_limit_once(self, report: Report) -> None:
        """A limit met in every step is stated once."""
        report.add_limit(report.limits[0])
        assert len(report.limits) == 1

    def test_cannot_be_changed_by_users(self, report: Report) -> None:
        """What was found and what was covered are facts."""
        for name in ("diagnostics", "coverage", "limits", "trained", "step"):
            with pytest.raises(AttributeError):
                setattr(report, name, None)

    def test_refuses_unknown_facts(self, report: Report) -> None:
        """A misspelt fact must not vanish."""
        with pytest.raises(TypeError, match="covrage"):
            report.update(covrage=1.0)

    def test_ends_with_what_was_covered(self, report: Report) -> None:
        """The closing lines count findings, parameters and calls, and admit what is unknown."""
        assert report.render().startswith(f"{render(DISCONNECTED)}\n\ninfo[GG901]")
        assert report.render().rpartition("\n\n")[2].splitlines() == [
            "gradguard: 1 error, 1 note at global step 7 (traced 1,210 of 1,214 calls, 12.3 ms)",
            "gradguard: 3 of 5 trainable parameters received a gradient",
            "gradguard: not checked: compiled region `Codec`, its calls are not seen",
        ]

    def test_wraps_its_closing_lines(self, report: Report) -> None:
        """Long limits stay within the page, indented behind the first word."""
        report.add_limit("abcdefgh " * 12)
        closing = report.render(60).splitlines()[-3:]
        assert [row[:13] for row in closing] == ["gradguard: no", "           ab", "           ab"]
        assert max(map(len, closing)) <= 60

    def test_has_findings_of_given_levels(self, report: Report) -> None:
        """By default an error or a warning counts, a note does not."""
        assert report.has_findings()
        assert not report.has_findings({"warning"})
        assert report.has_findings([Severity.INFO])
        assert not Report().has_findings()
        quiet = Report()
        quiet.add(finding("GG901"))
        assert not quiet.has_findings()

    def test_survives_json_copies_and_processes(self, report: Report) -> None:
        """All ways out and back in give the same report."""
        again = Report.from_dict(json.loads(json.dumps(report.to_dict())))
        for twin in (again, copy.deepcopy(report), pickle.loads(pickle.dumps(report))):  # noqa: S301  # own data
            assert twin.to_dict() == report.to_dict()
            assert twin.render() == report.render()
            assert isinstance(twin.limits, tuple)
            assert not twin.add(DISCONNECTED)

    def test_states_its_schema(self, report: Report) -> None:
        """The record says which form it has, and another form is refused."""
        record = report.to_dict()
        assert record["schema_version"] == 1
        assert set(record) == {
            *("schema_version", "coverage", "limits", "offers", "trained", "total", "step"),
            *("traced_calls", "seen_calls", "trace_ms", "diagnostics"),
        }
        with pytest.raises(ValueError, match="expected a report with schema_version 1, got 2"):
            Report.from_dict({**record, "schema_version": 2})

    def test_is_concise(self, report: Report) -> None:
        """One line for each finding."""
        assert report.to_concise().splitlines() == [found.concise() for found in report.diagnostics]

    def test_is_markdown(self, report: Report) -> None:
        """The page has the summary as a list and each finding as text in a block."""
        page = report.to_markdown()
        assert page.startswith(
            "# gradguard report\n\n"
            "- 1 error, 1 note at global step 7 (traced 1,210 of 1,214 calls, 12.3 ms)\n"
            "- 3 of 5 trainable parameters received a gradient\n"
            "- not checked: compiled region"
        )
        assert f"## GG101 non-differentiable-loss\n\n```text\n{render(DISCONNECTED)}\n```\n" in page

    def test_fences_hold_what_they_enclose(self) -> None:
        """Source with a row of backticks does not end the block."""
        made = Report()
        made.add(finding("GG202", span=spot("y = f('```')", "f('```')", line=1)))
        assert "\n````text\n" in made.to_markdown()
        assert made.to_markdown().endswith("\n````\n")

    @pytest.mark.parametrize("suffix", [".json", ".sarif", ".md", ".MD"])
    def test_writes_by_suffix(self, report: Report, tmp_path: Path, suffix: str) -> None:
        """The suffix decides about the form, and missing folders are made."""
        path = tmp_path / "out" / f"report{suffix}"
        report.write(path)
        text = path.read_text(encoding="utf-8")
        assert text.endswith("\n")
        form = {".json": report.to_dict(), ".sarif": report.to_sarif(), ".md": report.to_markdown()}
        markdown = suffix.lower() == ".md"
        assert (text if markdown else json.loads(text)) == form[suffix.lower()]

    def test_refuses_other_suffixes(self, tmp_path: Path) -> None:
        """The message lists the suffixes there are, and nothing is written."""
        with pytest.raises(
            ValueError, match=r"ends in \.json, \.sarif, \.md, \.html, got '.*report\.txt'"
        ):
            Report().write(tmp_path / "report.txt")
        with pytest.raises(ValueError, match="expected a report path"):
            writer_for("report")
        assert list(tmp_path.iterdir()) == []


class TestSarif:
    """`Report.to_sarif`."""

    def test_obeys_the_schema(self, report: Report) -> None:
        """The published schema accepts full, placeless and empty reports."""
        if not SARIF_SCHEMA.exists():
            pytest.skip("the SARIF schema is not on this machine")
        validator = pytest.importorskip("jsonschema").Draft7Validator(
            json.loads(SARIF_SCHEMA.read_text(encoding="utf-8"))
        )
        odd = Span("/srv/a b/<x>.py", 0, 0, 0, "", "")
        report.add(replace(DISCONNECTED, span=odd, related=(spot(LOSS_LINE, "order", line=9),)))
        for made in (report, Report()):
            assert [error.message for error in validator.iter_errors(made.to_sarif())] == []

    def test_points_at_the_place(self, report: Report) -> None:
        """A result names rule, level and region; a note is no error."""
        run = report.to_sarif()["runs"][0]
        first, second = run["results"]
        assert (first["ruleId"], first["level"]) == ("GG101", "error")
        assert (second["ruleId"], second["level"]) == ("GG901", "note")
        place = first["locations"][0]["physicalLocation"]
        assert place["artifactLocation"] == {"uri": "wine.py"}
        assert place["region"] == {
            "startLine": 8,
            "startColumn": 17,
            "endColumn": 38,
            "snippet": {"text": RANK_LINE},
        }
        assert "locations" not in second

    def test_refers_to_rules_by_index(self, report: Report) -> None:
        """Every result leads to the entry of its own rule."""
        run = report.to_sarif()["runs"][0]
        rules = run["tool"]["driver"]["rules"]
        assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == ["GG101", "GG901"]

    def test_admits_limits(self, report: Report) -> None:
        """What could not be checked is part of the log."""
        notes = report.to_sarif()["runs"][0]["invocations"][0]["toolExecutionNotifications"]
        assert [note["message"]["text"] for note in notes] == [f"not checked: {report.limits[0]}"]

    @pytest.mark.parametrize(
        ("path", "uri"),
        [
            ("a b\\c.py", "a%20b/c.py"),
            ("/srv/a.py", "file:///srv/a.py"),
            ("<stdin>", "%3Cstdin%3E"),
        ],
    )
    def test_paths_become_uris(self, path: str, uri: str) -> None:
        """Blanks, backslashes and roots are written as the format asks."""
        made = Report()
        made.add(finding("GG101", span=Span(path, 1, 1, 2, "f", "x")))
        location = made.to_sarif()["runs"][0]["results"][0]["locations"][0]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == uri


class TestGithub:
    """`Report.to_github`."""

    def test_escapes_what_has_a_meaning(self) -> None:
        """Percent, line ends, and in properties also colons and commas, cannot end a command."""
        made = Report()
        span = Span("a,b:c%.py", 3, 5, 9, "f", "x = y(z)")
        made.add(finding("GG203", message="100 %\r", span=span, help="use\n    clamp(x, 0)"))
        assert made.to_github() == (
            "::warning file=a%2Cb%3Ac%25.py,line=3,col=5,endColumn=9,"
            "title=GG203 silent-parameters::100 %25%0D%0AHelp: use%0A    clamp(x, 0)"
        )

    def test_has_one_command_for_each_finding(self, report: Report) -> None:
        """A finding without a place belongs to no file; a note is a notice."""
        first, second = report.to_github().splitlines()
        assert first.startswith("::error file=wine.py,line=8,col=17,endColumn=38,title=GG101 non-d")
        assert second == "::notice title=GG901 unchecked::`Codec` could not be checked"


class TestGradGuardError:
    """`GradGuardError`."""

    def test_carries_the_report(self, report: Report) -> None:
        """The text is the rendered report, and the only argument."""
        error = GradGuardError.of(report)
        assert isinstance(error, RuntimeError)
        assert str(error) == report.render()
        assert error.args == (report.render(),)
        assert error.report is report

    def test_can_be_made_from_text(self) -> None:
        """Launchers that rebuild exceptions from their text get one."""
        assert GradGuardError("text").report.diagnostics == ()

    def test_survives_pickling(self, report: Report) -> None:
        """A spawned rank hands over text and report."""
        error = pickle.loads(pickle.dumps(GradGuardError.of(report)))  # noqa: S301  # own data
        assert type(error) is GradGuardError
        assert str(error) == report.render()
        assert error.report.to_dict() == report.to_dict()

    def test_shows_its_public_module(self) -> None:
        """Tracebacks name the place users import it from."""
        assert GradGuardError.__module__ == "lightning_gradguard"


class TestCount:
    """`count`."""

    def test_knows_singular_and_plural(self) -> None:
        """Zero and many are plural, and thousands are set apart."""
        got = [count(number, "step") for number in (0, 1, 2, 12345)]
        assert got == ["0 steps", "1 step", "2 steps", "12,345 steps"]
