# SPDX-License-Identifier: Apache-2.0
"""Questions about source text: every answer is right, or unknown."""

import linecache
from typing import Any

import pytest

from lightning_gradguard import dataflow, definitions, syntax
from lightning_gradguard.source import Site, Span, Stack, capture

NAMES = iter(f"made_up_{number}.py" for number in range(1000))
Scope = dict[str, Any]


class Spy:
    """A value that remembers where it was used last."""

    site: Site

    def look(self, *_args: object, **_kwargs: object) -> "Spy":
        """Remember the position of the caller."""
        self.site = capture(2)[0]
        return self

    __add__ = __radd__ = __matmul__ = __getitem__ = __neg__ = __iadd__ = look
    __lt__ = __call__ = look


def run(text: str, **names: Any) -> Scope:
    """Run source text as if it stood in a file."""
    filename = next(NAMES)
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    scope: Scope = dict(names, __name__="made_up")
    exec(compile(text, filename, "exec"), scope)  # noqa: S102 - text of this file
    return scope


def site_of(text: str, **names: Any) -> Site:
    """Return where the spy `x` was used last in a piece of text."""
    spy = Spy()
    run(text, x=spy, **names)
    return spy.site


def marked(span: Span | None) -> str:
    """Return the part of the line that a span marks."""
    assert span is not None
    return span.text[span.column - 1 : span.end_column - 1]


class Marks:
    """Named positions within a program."""

    def __init__(self) -> None:
        self.stacks: dict[str, Stack] = {}

    def __call__(self, name: str, value: Any = 2.5) -> Any:
        """Remember a position and hand a value on."""
        self.stacks[name] = capture(2)
        return value


def run_marked(body: str) -> dict[str, Stack]:
    """Run a function body and return where its marks stood."""
    marks = Marks()
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    run(f"def step(mark):\n{lines}")["step"](marks)
    return marks.stacks


def depends(body: str) -> bool | None:
    """Run a function body and ask whether `mark("to")` depends on `mark("from")`."""
    stacks = run_marked(body)
    return dataflow.depends(stacks["from"], stacks["to"])


class TestExpressions:
    """What stands at a position."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("y = 1, x.look(3)", "x.look(3)"),
            ("y = (x + 1, 2)", "x + 1"),
            ("y = [x[0] for _ in 'a']", "x[0]"),
            ("y = x.look(\n    1,\n    b=2,\n)", "x.look( 1, b=2, )"),
            ("y = (lambda: x < 3)()", "x < 3"),
        ],
    )
    def test_text_is_the_smallest_expression(self, text: str, expected: str) -> None:
        """Just the call or operation, on one line."""
        assert syntax.expression(site_of(text)) == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("x.look(3, b='c')", ["x", "3", "'c'"]),
            ("torch.look(x.look(), 2)", ["x.look()", "2"]),
            ("y = x @ x[1:]", ["x", "x[1:]"]),
            ("y = x[0, 1]", ["x"]),
            ("y = -x", ["x"]),
            ("y = x < 3", ["x", "3"]),
            ("x += 4", ["x", "4"]),
        ],
    )
    def test_operands_are_what_is_worked_on(self, text: str, expected: list[str]) -> None:
        """The receiver and the arguments; a namespace such as `torch` is no operand."""
        spy = Spy()
        run(text, x=spy, torch=spy)
        assert syntax.operands(spy.site) == expected

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("y = x.look()", "y"),
            ("x += 1", "x"),
            ("def f():\n    return x.look()\nf()", "return"),
            ("y: object = x.look()", "y"),
            ("x.look()", ""),
        ],
    )
    def test_target_is_what_gets_the_value(self, text: str, expected: str) -> None:
        """A name, `return`, or nothing."""
        assert syntax.target_name(site_of(text)) == expected

    def test_callee_is_the_bare_name(self) -> None:
        """`callee` names functions and leaves operators alone."""
        assert syntax.callee(site_of("x.look()")) == "look"
        assert syntax.callee(site_of("y = x + 1")) == ""

    @pytest.mark.parametrize(
        ("call", "expected"),
        [("x.look(1, -2.0)", True), ("x.look([1, 2])", True), ("x.look(n)", False)],
    )
    def test_literal_arguments_are_seen(self, call: str, expected: bool) -> None:  # noqa: FBT001
        """A call that is made from literals brings no value back."""
        assert syntax.reflows(site_of(call, n=3)) is expected

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("w = Wrap(1)\nmark('to', w)", "Wrap(1)"),
            ("mark('to', Wrap(2))", "Wrap(2)"),
            ("w = Wrap(1)\nw = Wrap(2)\nmark('to', w)", "Wrap(2)"),
            ("w = Wrap(1)\nmark('to', 3)\nv = w", None),
            ("w = (1,)\nmark('to', w)", None),
        ],
    )
    def test_maker_is_the_call_that_an_operand_comes_from(
        self, body: str, expected: str | None
    ) -> None:
        """It stands in the expression, or assigns what the expression reads."""
        site = run_marked(f"Wrap = lambda v: v\n{body}")["to"][0]
        made = syntax.maker_of(site, "Wrap")
        assert (None if made is None else syntax.expression(made)) == expected

    def test_two_functions_of_one_name_are_told_apart(self) -> None:
        """The first line decides which definition a code object came from."""
        text = "def f():\n    return 1\ng = f\ndef f():\n    return 22\n"
        scope = run(text)
        node = syntax.function_node(scope["g"].__code__)
        assert getattr(node, "lineno", None) == 1


class TestUnknown:
    """No source text, no answer, no exception."""

    @pytest.fixture
    def site(self) -> Site:
        """Return a position in code whose file does not exist."""
        spy = Spy()
        code = compile("def f():\n    return x.look(x)\n", "gone.py", "exec")
        scope: Scope = {"x": spy}
        exec(code, scope)  # noqa: S102 - text of this file
        scope["f"]()
        return spy.site

    def test_texts_are_empty(self, site: Site) -> None:
        """Every question about an expression has the empty answer."""
        assert syntax.expression(site) == syntax.callee(site) == syntax.target_name(site) == ""
        assert syntax.operands(site) == []
        assert syntax.statement(site) is None
        assert not syntax.reflows(site)

    def test_spans_are_none(self, site: Site) -> None:
        """No place is made up."""
        assert syntax.with_span(site, {"no_grad"}) is None
        assert syntax.decorator_span(site[0], {"no_grad"}) is None
        assert syntax.calls_named(site[0], {"look"}) == []
        assert definitions.attribute_span(type("Made", (), {}), "net") is None
        assert syntax.method_span(type("Made", (), {"f": len}), "f") is None

    def test_dependence_is_unknown(self, site: Site) -> None:
        """`None` is neither yes nor no."""
        assert dataflow.depends((site,), (site,)) is None
        assert dataflow.operand_depends((site,), (site,), left=True) is None

    def test_broken_source_has_no_tree(self) -> None:
        """A file that was changed into something else than Python is as good as missing."""
        linecache.cache["broken.py"] = (6, None, ["def f(\n"], "broken.py")
        assert syntax.tree("broken.py") is None


class TestDepends:
    """Which plain value goes where."""

    @pytest.mark.parametrize(
        "body",
        [
            "mark('to', mark('from'))",
            "a = mark('from')\nb = a * 2\nmark('to', b)",
            "values = []\nvalues.append(mark('from'))\nmark('to', values)",
            "d = {}\nd['k'] = mark('from')\nmark('to', sum(d.values()))",
            "a, b = mark('from'), 1\nmark('to', a)",
            "for v in [mark('from')]:\n    mark('to', v)",
            "if mark('from') > 1:\n    mark('to', 3)",
            "if mark('from') > 1:\n    b = 2\nelse:\n    b = 3\nmark('to', b)",
            "total = 0\ntotal += mark('from')\nmark('to', total)",
            "if (n := mark('from')) > 1:\n    pass\nmark('to', n)",
            "if mark('from') < 1:\n    return\nmark('to', 3)",
            "mark('to', [v for v in [mark('from')]])",
        ],
    )
    def test_value_is_followed(self, body: str) -> None:
        """Names, containers, loops and branches carry a value on."""
        assert depends(body) is True

    @pytest.mark.parametrize(
        "body",
        [
            "a = mark('from')\nmark('to', 3)",
            "a = mark('from')\nb = 2\nmark('to', b)",
            "values = [mark('from')]\nothers = []\nothers.append(1)\nmark('to', others)",
            "if mark('from') > 1:\n    print(end='')\nmark('to', 3)",
            "a = [v for v in [mark('from')]]\nb = (lambda v: mark('to', v))(1)",
            "a = [v for v in [mark('from')]]\nv = 2\nmark('to', v)",
        ],
    )
    def test_value_goes_nowhere(self, body: str) -> None:
        """Something else is used."""
        assert depends(body) is False

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("a = mark('from')\nb = mark('on', a)\nmark('to', b)", False),
            ("a = mark('from')\nb = mark('on', a)\nmark('to', a)", True),
            ("mark('to', mark('on', mark('from')))", False),
            ("a = 1\na += mark('on', mark('from'))\nmark('to', a)", False),
        ],
    )
    def test_known_results_carry_nothing_on(self, body: str, expected: bool) -> None:  # noqa: FBT001
        """What is known to return no plain value ends the way, though not for its own arguments."""
        marks = run_marked(body)
        known = frozenset({marks["on"][0]})
        assert dataflow.depends(marks["from"], marks["to"], known) is expected
        assert dataflow.depends(marks["from"], marks["on"], known) is True

    def test_functions_without_a_common_caller_are_unknown(self) -> None:
        """Two stacks that share no function say nothing."""
        marks = Marks()
        scope = run("def f(mark): mark('from')\ndef g(mark): mark('to')\n")
        scope["f"](marks)
        scope["g"](marks)
        first, second = marks.stacks["from"][:1], marks.stacks["to"][:1]
        assert dataflow.depends(first, second) is None

    def test_one_side_of_an_addition(self) -> None:
        """The number may be on the left or on the right of the tensor."""
        spy, marks = Spy(), Marks()
        text = "def step(mark, x):\n    n = mark('from')\n    return x + n\n"
        run(text)["step"](marks, spy)
        here = (spy.site,)
        origin = marks.stacks["from"]
        assert dataflow.operand_depends(origin, here, left=False) is True
        assert dataflow.operand_depends(origin, here, left=True) is False


CLASS = """\
class Base:
    def __init__(self):
        self.stem = list(range(3))
        self.layers = []
        self.register_buffer("mask", 1)
        for n in range(2):
            self.layers.append(Linear(n))

    def register_buffer(self, *args):
        pass


class Net(Base):
    def __init__(self):
        super().__init__()
        self.net = Sequential(Linear(1), ReLU(), Linear(2))
        self.pair, self.other = 1, 2
        self.tied = [Linear(3)]

    def on_train_start(self):
        self.net = Linear(9)

    def wrap(self):
        normalise(self.net)

    def configure_optimizers(self):
        first = Adam(self.net)
        if first:
            return first
        return [Adam(self.stem), SGD(self.layers)]

    def training_step(self, batch):
        loss.backward()
        opt.zero_grad()
        opt.step()
"""


class TestClasses:
    """Where a class does something."""

    @pytest.fixture
    def net(self) -> type:
        """Return a class that was read from text."""
        made: type = run(CLASS)["Net"]
        return made

    def test_attribute_is_found_where_it_is_made(self, net: type) -> None:
        """In the class, in a base, by tuple assignment or by registration."""
        assert marked(definitions.attribute_span(net, "net")).startswith("self.net = Sequential(")
        assert marked(definitions.attribute_span(net, "stem")) == "self.stem = list(range(3))"
        assert marked(definitions.attribute_span(net, "other")) == "self.pair, self.other = 1, 2"
        assert marked(definitions.attribute_span(net, "mask")) == 'self.register_buffer("mask", 1)'
        assert definitions.attribute_span(net, "absent") is None

    def test_attribute_span_names_the_method(self, net: type) -> None:
        """The function is qualified with the class that owns it."""
        span = definitions.attribute_span(net, "stem")
        assert span is not None
        assert span.function == "Base.__init__"

    def test_every_assignment_is_listed(self, net: type) -> None:
        """A replaced layer has two places, in the order of lines."""
        found = definitions.attribute_spans(net, "net")
        assert [span.function for span in found] == ["Net.__init__", "Net.on_train_start"]

    def test_container_is_blamed_where_it_is_filled(self, net: type) -> None:
        """An empty list is not the place that matters; a filled one is."""
        base = net.__mro__[1]
        assert marked(definitions.filling_span(base, "layers")) == "self.layers.append(Linear(n))"
        assert marked(definitions.filling_span(net, "tied")) == "self.tied = [Linear(3)]"

    def test_methods_and_calls(self, net: type) -> None:
        """The head of a method, and calls by name."""
        code = net.configure_optimizers.__code__  # type: ignore[attr-defined]
        head = marked(syntax.method_span(net, "configure_optimizers"))
        assert head == "def configure_optimizers(self):"
        assert [marked(span) for span in syntax.calls_named(code, {"SGD"})] == ["SGD(self.layers)"]

    def test_last_return_is_the_last_line(self, net: type) -> None:
        """A `return` inside a branch is not the end of the function."""
        last = marked(syntax.return_span(net, "configure_optimizers"))
        assert last == "return [Adam(self.stem), SGD(self.layers)]"

    def test_mention_outside_of_the_constructor(self, net: type) -> None:
        """The first call that gets the attribute, in other methods than those left out."""
        found = definitions.mention_span(net, "net", outside=["__init__"])
        assert marked(found) == "normalise(self.net)"
        assert definitions.mention_span(net, "absent", outside=[]) is None

    def test_gradients_are_cleared_after_backward(self, net: type) -> None:
        """`zero_grad` between `backward` and `step` is the place to look at."""
        assert marked(definitions.clearing_span(net)) == "opt.zero_grad()"

    def test_clearing_before_backward_is_normal(self) -> None:
        """The usual order has no such place."""
        text = (
            "class A:\n    def training_step(self):\n        o.zero_grad()\n        l.backward()\n"
        )
        assert definitions.clearing_span(run(text)["A"]) is None

    def test_class_of_the_same_name_is_told_apart(self) -> None:
        """Two functions may each define a class `Net`."""
        text = "".join(
            f"def {name}():\n"
            "    class Net:\n"
            "        def __init__(self):\n"
            f"            self.net = {number}\n"
            "    return Net\n"
            for name, number in (("f", 1), ("g", 2))
        )
        scope = run(text)
        assert marked(definitions.attribute_span(scope["f"](), "net")) == "self.net = 1"
        assert marked(definitions.attribute_span(scope["g"](), "net")) == "self.net = 2"


class TestSwitches:
    """Decorators and blocks."""

    def test_decorator_is_marked_with_its_sign(self) -> None:
        """The mark begins at the `@`."""
        text = "@wrap\n@torch.no_grad()\ndef f():\n    pass\n"

        class Fake:
            def __call__(self, function: Any = None) -> Any:
                return function or self

            no_grad = property(lambda self: self)

        code = run(text, wrap=lambda f: f, torch=Fake())["f"].__code__
        span = syntax.decorator_span(code, {"no_grad"})
        assert marked(span) == "@torch.no_grad()"
        assert syntax.decorator_span(code, {"inference_mode"}) is None

    def test_innermost_block_is_meant(self) -> None:
        """Of nested blocks the nearest counts, also among several items."""
        text = (
            "from contextlib import nullcontext as no_grad, nullcontext as other\n"
            "with no_grad(1):\n"
            "    with other(), no_grad(2):\n"
            "        x.look()\n"
        )
        assert marked(syntax.with_span(site_of(text), {"no_grad"})) == "no_grad(2)"

    def test_a_block_that_has_ended_is_not_meant(self) -> None:
        """Only what is around the position counts."""
        text = (
            "from contextlib import nullcontext as no_grad\nwith no_grad():\n    pass\nx.look()\n"
        )
        assert syntax.with_span(site_of(text), {"no_grad"}) is None


class TestSuppressions:
    """`# gradguard: ignore[...]`."""

    @pytest.mark.parametrize(
        ("comment", "codes"),
        [
            ("# gradguard: ignore[GG103]", {"GG103"}),
            ("#gradguard:ignore[GG103, GG104]", {"GG103", "GG104"}),
            ("# noqa  # gradguard: ignore[GG201]", {"GG201"}),
            ("# gradguard: ignore", set()),
            ("", set()),
        ],
    )
    def test_codes_are_read_from_the_line(self, comment: str, codes: set[str]) -> None:
        """One code or several, beside other comments."""
        name = next(NAMES)
        linecache.cache[name] = (1, None, ["a\n", f"b  {comment}\n"], name)
        assert syntax.suppressions(name, 2) == codes
        assert syntax.suppressions(name, 1) == set()
