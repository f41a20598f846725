# SPDX-License-Identifier: Apache-2.0
"""The HTML page and the notebook: complete, safe, and the same in a browser."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("jinja2", reason="the page needs Jinja2")

from lightning_gradguard import html
from lightning_gradguard.plots import Gradient
from lightning_gradguard.report import Report
from lightning_gradguard.rules import RULES, Diagnostic
from lightning_gradguard.source import Span

VOID = {"meta", "path", "rect", "br", "img", "link", "input", "hr"}
LINE = '        return 1 - (logits.argmax(1) == "<y>").mean()  # & more'
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), ""
)


def finding(code: str = "GG101", **changes: object) -> Diagnostic:
    """Make a finding of a rule, with a place and all texts."""
    rule = RULES[code]
    column = LINE.index("logits") + 1
    span = Span(
        "src/train.py", 17, column, column + 16, "Net.step", LINE, "the gradient stops here"
    )
    plain = {
        "name": rule.name,
        "severity": rule.severity,
        "message": "no parameter <will> be trained",
        "span": span,
        "op": "torch.Tensor.argmax",
        "cause": "`logits` & co",
        "help": "train on the logits\n    loss = F.cross_entropy(logits, y)\nand log the rest",
        "params": ("net.0.weight", "net.0.bias"),
        "params_total": 4,
    }
    return Diagnostic(code=code, **{**plain, **changes})  # type: ignore[arg-type]


def report(*found: Diagnostic) -> Report:
    """Make a report of a run."""
    made = Report()
    for diagnostic in found:
        made.add(diagnostic)
    made.update(trained=2, total=4, coverage=0.25, step=3, traced_calls=7, seen_calls=8)
    return made


class Tags(HTMLParser):
    """Checks that every tag that opens also closes, in the right order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a tag."""
        if tag not in VOID:
            self.open.append(tag)
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [v or "" for k, v in attrs if k in {"href", "src"}]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Leave tags alone that close themselves."""

    def handle_endtag(self, tag: str) -> None:
        """Compare with the tag that is open."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect the text."""
        self.texts.append(data)


def parsed(page: str) -> Tags:
    """Read a page."""
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert tags.open == []
    return tags


class TestPage:
    """`to_html`."""

    def test_is_well_formed_and_needs_nothing_else(self) -> None:
        """All tags close, ids are unique, and no link leaves the page."""
        tags = parsed(html.to_html(report(finding(), finding("GG103"), finding("GG401"))))
        assert len(tags.ids) == len(set(tags.ids))
        assert all(link.startswith("#") and link[1:] in tags.ids for link in tags.links)
        assert "<script" not in html.to_html(report(finding()))

    def test_shows_every_part_of_a_finding(self) -> None:
        """Headline, place, source, label, cause, help, parameters, rule."""
        text = " ".join("".join(parsed(html.to_html(report(finding()))).texts).split())
        for part in (
            "error GG101 no parameter <will> be trained",
            "src/train.py:17:21 in Net.step",
            'return 1 - (logits.argmax(1) == "<y>").mean() # & more',
            "the gradient stops here",
            "causelogits & co",
            "2 of 4 trainable parameters: net.0.{weight, bias}",
            "gradguard explain GG101",
            "1 error, 0 warnings at global step 3",
            "25.0 % of the values",
            "Traced 7 of 8 calls.",
        ):
            assert part in text

    def test_escapes_what_comes_from_the_user(self) -> None:
        """Source and messages cannot become tags."""
        page = html.to_html(report(finding(message="<script>alert(1)</script>")))
        assert "<script>" not in page
        assert "&lt;script&gt;" in page

    def test_marks_and_colours_the_source(self) -> None:
        """The span is marked, keywords, strings, numbers and comments have their classes."""
        page = html.to_html(report(finding()))
        marked = re.findall(r'<mark class="primary">(.*?)</mark>', page)
        assert "".join(re.sub("<.*?>", "", part) for part in marked) == "logits.argmax(1)"
        assert '<span class="key">return</span>' in page
        assert '<span class="str">&#34;&lt;y&gt;&#34;</span>' in page
        assert '<span class="com"># &amp; more</span>' in page

    def test_copes_with_a_line_out_of_a_statement(self) -> None:
        """A line that is no statement by itself, or cannot be had, is shown as far as it goes."""
        broken = Span("a.py", 3, 1, 5, "f", '    """half (a string', "")
        page = html.to_html(report(finding(span=broken, related=(Span("b.py", 1, 1, 2, "", ""),))))
        assert "half (a string" in page
        assert "b.py:1:1" in page

    def test_is_clean_without_findings(self) -> None:
        """A healthy run gets a page too."""
        tags = parsed(html.to_html(report()))
        assert "No findings at global step 3" in " ".join("".join(tags.texts).split())

    def test_lists_what_was_not_checked(self) -> None:
        """The limits are part of the truth."""
        made = report()
        made.add_limit("layers behind `use_orig_params=False`")
        assert "<li>layers behind <code>use_orig_params=False</code></li>" in html.to_html(made)

    def test_draws_the_gradients(self) -> None:
        """Lengths are on one log scale; what is missing is said in words."""
        made = report()
        made.gradients = (Gradient("w", "alive", 1e-1, 1e-3), Gradient("v", "missing"))
        made.gradients_step = 2
        page = html.to_html(made)
        assert "log scale at global step 2" in page
        assert '<i class="largest" style="width: 100.0%"></i>' in page
        assert '<i class="mean" style="width: 33.3%"></i>' in page
        assert 'class="bar missing" role="img" aria-label="no gradient"' in page

    def test_is_reached_through_the_suffix(self) -> None:
        """`Report.write` knows the form."""
        report(finding()).write("out/report.html")
        assert Path("out/report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


class TestPath:
    """The drawing of the way from the parameters to the loss."""

    @pytest.mark.parametrize(
        ("code", "kinds"),
        [
            ("GG101", ["start", "cut", "loss"]),
            ("GG104", ["start", "cut", "loss"]),
            ("GG102", ["start", "cut", "step", "loss"]),
            ("GG103", ["start", "cut", "step", "loss"]),
            ("GG401", []),
            ("GG107", []),
        ],
    )
    def test_marks_the_cut(self, code: str, kinds: list[str]) -> None:
        """The cut stands where the gradient was lost, not where it has to be repaired."""
        lost = Span("a.py", 3, 5, 9, "f", "x = lost(y)", "lost here")
        steps = html._path(finding(code, related=(lost,)))
        assert [step.kind for step in steps] == kinds

    def test_shows_that_a_layer_is_not_used(self) -> None:
        """No data arrive at the loss either."""
        steps = html._path(finding("GG106", op=None))
        assert [(step.kind, step.used) for step in steps] == [
            ("start", True),
            ("cut", False),
            ("loss", False),
        ]

    def test_has_words_for_those_who_do_not_see_it(self) -> None:
        """The drawing is named by what it shows."""
        page = html.to_html(report(finding()))
        assert (
            'aria-label="The way from the parameters to the loss is cut at Tensor.argmax"' in page
        )
        assert page.count('class="cross"') == 1


class TestFragment:
    """`to_fragment` and the notebook protocol."""

    def test_is_part_of_a_page(self) -> None:
        """No document around it, and styles that reach no other element."""
        fragment = html.to_fragment(report(finding()))
        assert "<html" not in fragment
        parsed(fragment)
        style = re.sub(
            r"@media[^{]*\{(.*?\})\s*\}", r"\1", fragment.split("</style>")[0], flags=re.DOTALL
        )
        selectors = re.findall(r"(?:^|\})\s*([^{}]+)\{", style.split("<style>")[1])
        assert selectors
        assert all(
            part.strip().startswith(".gradguard") for s in selectors for part in s.split(",")
        )

    def test_two_reports_share_no_ids(self) -> None:
        """Two cells of one notebook."""
        first, second = report(finding()), report(finding("GG103"))
        both = parsed(html.to_fragment(first) + html.to_fragment(second)).ids
        assert len(both) == len(set(both))

    def test_notebooks_ask_for_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`_repr_html_` gives it, or nothing where Jinja2 is missing."""
        made = report(finding())
        assert made._repr_html_() == html.to_fragment(made)
        monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
        assert made._repr_html_() is None
        with pytest.raises(ImportError, match=r"lightning-gradguard\[html\]"):
            html.to_html(made)

    @pytest.mark.slow
    def test_shows_in_a_notebook(self) -> None:
        """A kernel runs a cell, and its output carries the fragment."""
        nbformat = pytest.importorskip("nbformat", reason="notebooks need nbformat")
        nbclient = pytest.importorskip("nbclient", reason="notebooks need nbclient")
        pytest.importorskip("ipykernel", reason="notebooks need a kernel")
        source = (
            "from lightning_gradguard.report import Report\n"
            "report = Report()\nreport.add_limit('a shard')\nreport"
        )
        cell = nbformat.v4.new_code_cell(source)
        notebook = nbformat.v4.new_notebook(cells=[cell])
        nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
        (output,) = notebook.cells[0].outputs
        assert "<li>a shard</li>" in output["data"]["text/html"]
        assert output["data"]["text/plain"].startswith("Report(no findings")


@pytest.mark.slow
@pytest.mark.skipif(not BROWSER, reason="no Chromium is installed")
class TestBrowser:
    """The page in headless Chromium."""

    @staticmethod
    def browse(*options: str) -> str:
        """Open the page and return what the browser printed."""
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", *options]
        page = Path("report.html").resolve().as_uri()
        answer = subprocess.run([*command, page], capture_output=True, text=True, check=True)  # noqa: S603
        return answer.stdout

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_is_painted_in_both_schemes(self, scheme: str) -> None:
        """The corner has the colour of the page, and there is more than one colour."""
        image = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
        report(finding()).write("report.html")
        dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
        self.browse("--screenshot=page.png", "--window-size=900,1200", *dark)
        with image.open("page.png") as picture:
            assert picture.size == (900, 1200)
            pixels = picture.convert("RGB")
            assert pixels.getpixel((2, 2)) == ((15, 19, 24) if dark else (255, 255, 255))
            assert len(pixels.getcolors(maxcolors=1 << 20)) > 50

    def test_has_the_document_that_was_written(self) -> None:
        """The browser finds nothing to repair: one article a finding, in place."""
        report(finding(), finding("GG103")).write("report.html")
        tree = self.browse("--dump-dom")
        assert tree.count("<article ") == 2
        assert tree.count("<svg ") == 2
