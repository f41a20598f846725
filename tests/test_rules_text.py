# SPDX-License-Identifier: Apache-2.0
"""The registry holds together: codes, names, texts, examples, and the two ways to look rules up."""

import ast
import re
import string

import pytest

from lightning_gradguard.rules import RULES, Rule, Severity, explain, matching

BLOCKS = "123459"
EXPECTED = [
    *("GG101", "GG102", "GG103", "GG104", "GG105", "GG106", "GG107", "GG108"),
    *("GG109", "GG110", "GG111"),
    *("GG201", "GG202", "GG203", "GG204", "GG301", "GG302", "GG401", "GG402", "GG403"),
    *("GG501", "GG901", "GG902"),
]

every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
every_example = pytest.mark.parametrize(
    "source",
    [getattr(rule, kind) for rule in RULES.values() for kind in ("bad", "good")],
    ids=[f"{code}-{kind}" for code in RULES for kind in ("bad", "good")],
)


class TestRegistry:
    """`RULES`."""

    def test_holds_the_published_codes_in_order(self) -> None:
        """A code is never lost, renumbered or listed out of order."""
        assert list(RULES) == EXPECTED

    def test_cannot_be_changed(self) -> None:
        """The registry is read-only, so no plugin can alter what a code means."""
        with pytest.raises(TypeError, match="does not support item"):
            RULES["GG101"] = RULES["GG102"]  # type: ignore[index]

    def test_names_are_unique(self) -> None:
        """A name leads to one rule only."""
        assert len({rule.name for rule in RULES.values()}) == len(RULES)

    @every_rule
    def test_code_and_name_have_the_agreed_form(self, rule: Rule) -> None:
        """Codes carry their block, names are kebab-case and name the pattern, not its ban."""
        assert re.fullmatch(rf"GG[{BLOCKS}]\d\d", rule.code)
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
        assert not rule.name.startswith(("no-", "avoid-", "disallow-"))

    @every_rule
    def test_headline_has_the_agreed_form(self, rule: Rule) -> None:
        """Headlines start in lower case, end without a full stop and have named slots only."""
        slots = [
            name for _, name, _, _ in string.Formatter().parse(rule.message) if name is not None
        ]
        assert all(slot.isidentifier() for slot in slots)
        filled = rule.message.format(**dict.fromkeys(slots, "x"))
        assert filled[0] == "`" or filled[0].islower()
        assert not filled.endswith(".")

    @every_rule
    def test_prose_is_made_of_sentences(self, rule: Rule) -> None:
        """What, why and limits are ASCII sentences that start in upper case or with code."""
        for text in (rule.what, rule.why, rule.limits):
            assert text.isascii()
            assert text[0] == "`" or text[0].isupper()
            assert text.endswith(".")
            assert "  " not in text

    @every_rule
    def test_what_is_one_sentence(self, rule: Rule) -> None:
        """The first thing a reader meets is short."""
        assert len(re.findall(r"\.(?:\s|$)", rule.what)) == 1


class TestExamples:
    """`Rule.bad` and `Rule.good`; that they do what they claim is tested with the guard."""

    @every_example
    def test_is_a_complete_small_program(self, source: str) -> None:
        """An example brings its imports, its `Model` and its `dataloader`, and nothing else."""
        tree = ast.parse(source)
        assert len(source.splitlines()) <= 30
        assert max(map(len, source.splitlines())) <= 100
        rest = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
        assert [node.name for node in rest if isinstance(node, ast.ClassDef)] == ["Model"]
        assert [node.name for node in rest if isinstance(node, ast.FunctionDef)] == ["dataloader"]
        assert len(rest) == 2

    @every_rule
    def test_bad_and_good_differ_in_few_lines(self, rule: Rule) -> None:
        """The repair can be read off by comparing the two."""
        changed = set(rule.bad.splitlines()) ^ set(rule.good.splitlines())
        assert 1 <= len(changed) <= 12

    @every_rule
    def test_both_use_the_same_data(self, rule: Rule) -> None:
        """The repair is in the model, not in the data."""
        assert rule.bad.partition("def dataloader")[2] == rule.good.partition("def dataloader")[2]


class TestSeverity:
    """`Severity`."""

    def test_equals_its_name(self) -> None:
        """Users compare with plain strings."""
        assert [str(level) for level in Severity] == ["info", "warning", "error"]
        assert RULES["GG103"].severity == "warning"

    def test_is_ordered_by_rank(self) -> None:
        """The rank grows with the weight of a finding."""
        assert [Severity(name).rank for name in ("info", "warning", "error")] == [0, 1, 2]


class TestExplain:
    """`explain`."""

    @pytest.mark.parametrize(
        "wanted", ["GG202", "gg202", " zero-derivative-ops", "Zero-Derivative-Ops"]
    )
    def test_takes_code_or_name_in_any_case(self, wanted: str) -> None:
        """All ways to name a rule lead to the same page."""
        assert explain(wanted) == RULES["GG202"].to_markdown()

    @pytest.mark.parametrize("wanted", ["GG999", "", "GG10", "zero"])
    def test_says_what_there_is(self, wanted: str) -> None:
        """The message for an unknown rule holds what came and every code."""
        with pytest.raises(ValueError, match="expected the code or the name of a rule") as caught:
            explain(wanted)
        assert f"got {wanted!r}" in str(caught.value)
        assert all(code in str(caught.value) for code in RULES)

    @every_rule
    def test_page_shows_everything(self, rule: Rule) -> None:
        """The page holds all texts and both programs, and ends in one newline."""
        page = rule.to_markdown()
        texts = (rule.message, rule.what, rule.why, rule.bad, rule.good, rule.limits, *rule.sources)
        assert all(text in page for text in texts)
        assert page.startswith(
            f"# {rule.code} {rule.name}\n\nLevel: {rule.severity}. Since version 0.1."
        )
        assert page.endswith("\n")
        assert not page.endswith("\n\n")

    def test_page_leaves_out_what_is_empty(self) -> None:
        """A retired rule without examples and limits gets no empty sections."""
        rule = Rule(
            code="GG999",
            name="gone",
            message="it is gone",
            severity=Severity.INFO,
            removed="0.4",
            what="It was.",
            why="It is not.",
            bad="",
            good="",
        )
        assert rule.to_markdown() == (
            "# GG999 gone\n\nLevel: info. Since version 0.1. Removed in version 0.4.\n\n"
            "> it is gone\n\nIt was.\n\n## Why it matters\n\nIt is not.\n"
        )


class TestMatching:
    """`matching`."""

    def test_expands_prefixes(self) -> None:
        """A prefix stands for all the codes that start with it."""
        assert matching(["GG"]) == frozenset(RULES)
        assert matching(("GG3", "GG401")) == {"GG301", "GG302", "GG401"}
        assert matching([]) == frozenset()

    @pytest.mark.parametrize("prefix", ["GG6", "", "G", "gg1", "GG1011", "unused"])
    def test_refuses_what_matches_nothing(self, prefix: str) -> None:
        """A typing error must not switch a check off; the message lists what is allowed."""
        with pytest.raises(ValueError, match="expected a rule code or a prefix of one") as caught:
            matching(["GG1", prefix])
        assert f"got {prefix!r}; allowed: GG, GG1, GG2, GG3, GG4, GG5, GG9, GG101" in str(
            caught.value
        )

    def test_refuses_a_single_string(self) -> None:
        """A string would be read letter by letter."""
        with pytest.raises(ValueError, match=re.escape("write ('GG1',)")):
            matching("GG1")
