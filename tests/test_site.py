"""The site: what it is made of, and, in a browser, that it works without a network, a mouse, or a wide screen."""

import base64
import functools
import http.server
import importlib.util
import json
import re
import shutil
import threading
import warnings
from collections import Counter
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from paperlib import plots, scoreboard
from paperlib.files import ROOT
from paperlib.ledger import kept_pages
from paperlib.site import __main__ as command
from paperlib.site import pictures, sources

EXTRA = all(importlib.util.find_spec(name) for name in ("sphinx", "myst_nb", "pydata_sphinx_theme"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
needs_sphinx = pytest.mark.skipif(
    not EXTRA, reason="the site's dependencies are missing: pip install -e '.[site]'"
)
needs_browser = pytest.mark.skipif(
    not (EXTRA and CHROMIUM and importlib.util.find_spec("playwright")),
    reason="needs the extra `site`, playwright, and Chromium on the path",
)
PAGE = "notebooks/executed/twin/01_foteinopoulou2021"
PAGES = kept_pages()


def build(repository, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Sphinx's own, of its dependencies
        command.build(repository, folder)
    return folder


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A repository of one page with its figures, and texts of a line or two; its API is one module."""
    monkeypatch.setattr(sources, "API", {"Formulas": ("losses",)})
    folder = tmp_path / "repository"
    texts = {
        "README.md": f"# A companion\n\n## Two commands\n\nThe [page]({PAGE}.ipynb), and [cite](CITATION.cff) it.\n",
        "CONTRIBUTING.md": "# Contributing\n\nSee the [README](README.md).\n",
        "CITATION.cff": "cff-version: 1.2.0\n",
        "data/README.md": "# Data\n\nNone.\n",
        "notebooks/README.md": "# Notebooks\n\nOne.\n",
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / PAGE).parent.mkdir(parents=True)
    shutil.copyfile(ROOT / f"{PAGE}.ipynb", folder / f"{PAGE}.ipynb")
    shutil.copytree(ROOT / "figures/twin/foteinopoulou2021", folder / "figures/twin/foteinopoulou2021")
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The whole site, as `make site` builds it."""
    return build(ROOT, tmp_path_factory.mktemp("site"))


def test_the_front_page_has_every_claim_of_every_ledger_with_its_verdict():
    recorded = Counter()
    for page in PAGES:
        track, key = page.parent.name, page.stem.partition("_")[2]
        ledger = ROOT / "figures" / track / key / "ledger.json"
        for e in json.loads(ledger.read_text())["entries"] if ledger.is_file() else []:
            if e["claim"]:
                recorded[key, track, e["claim"], e["verdict"].partition(":")[0]] += 1
    claims = sources.claims_of(ROOT)
    assert Counter(zip(*(claims[c] for c in ("paper", "track", "claim", "verdict")), strict=True)) == recorded


def test_each_claim_s_link_leads_to_the_line_of_a_table_that_has_its_number():
    rows = {}
    for page in PAGES:
        html = "".join(
            o.get("data", {}).get("text/html", "")
            for c in nbformat.read(page, as_version=4).cells
            for o in c.get("outputs", [])
        )
        address = page.relative_to(ROOT).with_suffix(".html").as_posix()
        soup = BeautifulSoup(html, "html.parser")
        rows |= {f"{address}#{c['id']}": c.parent.get_text(" ") for c in soup.select("td[id]")}
        rows |= {f"{address}#{t['id']}": t.get_text(" ") for t in soup.select("table[id]")}
    claims = sources.claims_of(ROOT)
    assert set(claims["link"]) <= set(rows)
    for claim in claims.itertuples():
        assert claim.verdict in rows[claim.link]
        if np.isfinite(claim.measured):  # with as many decimals as the page gives it
            shown = re.findall(r"-?\d+(?:\.\d+)?", rows[claim.link])
            assert any(n == f"{claim.measured:.{len(n.partition('.')[2])}f}" for n in shown), claim
    assert claims["link"].str.contains("_row").mean() > 0.9


@pytest.mark.parametrize("page", PAGES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_each_saved_figure_is_found_once_among_the_pictures_of_its_page(page, tmp_path):
    figures = ROOT / "figures" / page.parent.name / page.stem.partition("_")[2]
    found = []
    for cell in nbformat.read(page, as_version=4).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                picture = tmp_path / f"{len(found)}.png"
                picture.write_bytes(base64.b64decode(output.data["image/png"]))
                found.append(pictures.find_saved(picture, figures))
    assert sorted(found) == sorted(figures.glob("*.png"))


def test_a_picture_is_described_by_the_words_in_its_figure(tmp_path):
    figure = plots.rater_variance_histogram(
        np.full((9, 2), [0.1, 0.2]), items="clips", title="How raters differ"
    )
    png, _ = plots.save(figure, tmp_path / "figures", "spread")
    shown = tmp_path / "shown.png"
    with Image.open(png) as large:
        large.resize((large.width // 2, large.height // 2)).save(shown)
    words = pictures.describe(shown, tmp_path / "figures", "Raters")
    assert words.startswith('Figure spread, under the heading "Raters". Written in it: ')
    for part in (
        "variance of raters",
        "number of clips",
        "Arousal, n = 9",
        "mean 0.200",
        "How raters differ",
    ):
        assert words.count(part) == 1
    assert "0.25;" not in words  # a number at an axis


def test_a_picture_that_is_no_saved_figure_is_described_by_its_heading(tmp_path):
    grey = np.random.default_rng(0).integers(0, 255, (40, 60), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "shown.png")
    assert pictures.describe(tmp_path / "shown.png", ROOT / "figures/twin/le2023", "Noise") == (
        'Picture under the heading "Noise".'
    )
    assert pictures.find_saved(tmp_path / "shown.png", tmp_path / "nowhere") is None


def test_long_figures_are_cut_between_words_and_say_so(tmp_path):
    svg = tmp_path / "many.svg"
    svg.write_text("".join(f"<!-- label number {k} -->" for k in range(100)))
    words = pictures.written_in(svg)
    assert len(words) < pictures.LONGEST + 20
    assert words.startswith("label number 0; label number 1;")
    assert words.endswith(f"; and {100 - words.count('label')} more")
    assert pictures.written_in(tmp_path / "none.svg") == ""


def test_the_front_counts_statements_as_the_scoreboard_does_and_has_audit_and_the_page_of_all_methods():
    text = sources._front(sources.claims_of(ROOT), ROOT)
    front = BeautifulSoup(text, "html.parser")

    def lines(name):
        rows = [[c.get_text() for c in row.find_all(["th", "td"])] for row in front.select(f"#{name} tr")]
        return {row[0]: row[1:] for row in rows}

    stated = lines("statements")
    for track in ("twin", "ferplus"):
        counts = scoreboard.summary(scoreboard.gather(track, "full", figures=ROOT / "figures"))
        for paper in counts.index.drop("same_faces"):
            expected = counts.loc[paper, [*scoreboard.ON_STATEMENTS, "statements"]]
            assert stated[f"{paper} on {track}"] == [str(n) for n in expected]
    audit = scoreboard.audit_counts(scoreboard.run_audit())
    assert {k: v for k, v in lines("audit").items() if k in audit.index} == {
        paper: [str(n) for n in of] for paper, of in audit.iterrows()
    }
    assert text.index("Statements by paper") < text.index("Claims by paper")
    assert "06_same_faces.ipynb" in text and scoreboard.same_faces_answers(ROOT / "figures") in text


@needs_sphinx
def test_docstrings_are_taken_as_written():
    from paperlib.site import conf

    def shown(text):
        lines = text.split("\n")
        conf.take_as_written(None, "function", "f", None, None, lines)
        return "\n".join(lines).rstrip()

    assert shown("|s| of x_ and `a_ * b`, 2 * 3") == r"\|s\| of x\_ and `a_ * b`, 2 \* 3"
    assert shown("As in:\n\n    f(x)\n\nand on") == "As in::\n\n    f(x)\n\nand on"
    assert shown("Raises:\n    ValueError: no\n        more") == "Raises:\n    ValueError: no\n        more"
    assert shown("a: one\nb: two,\n    and more\nc: three") == "| a: one\n| b: two, and more\n| c: three"


@needs_sphinx
def test_a_small_site_is_built(small, tmp_path):
    folder = build(small, tmp_path / "site")
    html = {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*.html")}
    front = BeautifulSoup(html["index.html"], "html.parser")
    claims = json.loads((small / "figures/twin/foteinopoulou2021/ledger.json").read_text())["entries"]
    claims = [e for e in claims if e["claim"]]
    assert [a.get_text() for a in front.select("#scoreboard td a")] == [e["claim"] for e in claims]
    page = BeautifulSoup(html[f"{PAGE}.html"], "html.parser")
    for link in front.select("#scoreboard td a"):
        address, _, anchor = link["href"].partition("#")
        assert address == f"{PAGE}.html" and page.find(id=anchor) is not None
    shown = page.select("article img")
    assert len(shown) == len(list((small / "figures").rglob("*.png")))
    assert all(img["alt"].startswith("Figure ") for img in shown)
    assert page.find(id=f"cell-id={nbformat.read(small / f'{PAGE}.ipynb', 4).cells[1].id}")
    files = {
        (folder / PAGE).parent / a["href"]
        for a in page.select("#files-of-this-page a[href]:not(.headerlink)")
    }
    saved = [f for f in (small / "figures").rglob("*") if f.is_file() and f.suffix != ".png"]
    assert {f.resolve() for f in files} == {folder / f.relative_to(small) for f in saved}
    assert all((folder / f.relative_to(small)).read_bytes() == f.read_bytes() for f in saved)
    readme = BeautifulSoup(html["README.html"], "html.parser").select_one("article")
    assert {a["href"].rpartition("/")[2] for a in readme.select("p a")} == {
        "01_foteinopoulou2021.html",
        "CITATION.cff",
    }
    assert "kl_as_printed" in html["api/paperlib.losses.html"]
    for text in html.values():
        soup = BeautifulSoup(text, "html.parser")
        loaded = [t.get("src") or t.get("href") for t in soup.select("script[src], link[href], img[src]")]
        assert not [address for address in loaded if address.startswith(("http", "//"))]


@needs_sphinx
def test_a_link_to_nothing_stops_the_build(small, tmp_path):
    (small / "CONTRIBUTING.md").write_text("# Contributing\n\n[Gone](gone.md)\n")
    with pytest.raises(RuntimeError, match="without a warning"):
        build(small, tmp_path / "site")


def test_a_repository_without_pages_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="make reproduce"):
        sources.gather_sources(tmp_path, tmp_path / "sources")


@needs_sphinx
def test_a_table_s_link_to_a_notebook_leads_to_its_page(small, tmp_path):
    notebook = nbformat.read(small / f"{PAGE}.ipynb", as_version=4)
    cell = next(
        c for c in notebook.cells if any("text/html" in o.get("data", {}) for o in c.get("outputs", []))
    )
    link = f'<a href="{Path(PAGE).name}.ipynb#cell-id={cell.id}">here</a> <a href="https://x.org/a.ipynb">there</a>'
    cell.outputs[0].data["text/html"] = link
    nbformat.write(notebook, small / f"{PAGE}.ipynb")
    page = (build(small, tmp_path / "site") / f"{PAGE}.html").read_text()
    assert f'href="{Path(PAGE).name}.html#cell-id={cell.id}"' in page and f'id="cell-id={cell.id}"' in page
    assert "https://x.org/a.ipynb" in page


@needs_sphinx
def test_every_link_inside_the_site_leads_somewhere(site):
    pages = {p: p.read_text() for p in site.rglob("*.html") if "_static" not in p.parts}
    names = {p: set(re.findall(r' (?:id|name)="([^"]+)"', html)) for p, html in pages.items()}
    lost = []
    for page, html in pages.items():
        for href in set(re.findall(r'<a [^>]*href="([^"]*)"', html)):
            address, _, anchor = unescape(href).partition("#")
            if re.match(r"[a-z]+:", address) or (page.name == "index.html" and anchor.startswith("paper=")):
                continue
            target = (page.parent / unquote(address)).resolve() if address else page
            if not target.is_file() or (anchor and target in names and unquote(anchor) not in names[target]):
                lost.append(f"{page.relative_to(site)}: {href}")
    assert lost == []


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(site):
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address):
    """Open a page in a window of its own; whatever goes wrong in any of them fails the test in the end."""
    faults, contexts = [], []

    def refuse_others(route):
        if not route.request.url.startswith((address, "data:")):
            faults.append(f"foreign request: {route.request.url}")
            return route.abort()
        return route.continue_()

    def note_status(response):
        if response.status >= 400:
            faults.append(f"{response.status}: {response.url}")

    def note_failure(request):
        if request.failure != "net::ERR_ABORTED":  # the page was left before it came
            faults.append(f"failed: {request.url}: {request.failure}")

    def visit(path, *, width=1280, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.route("**/*", refuse_others)
        page.on("response", note_status)
        page.on("requestfailed", note_failure)
        page.on("pageerror", lambda e: faults.append(f"{path}: {e}"))
        page.on("console", lambda m: faults.append(f"{path}: {m.text}") if m.type == "error" else None)
        page.goto(address + path, wait_until="load")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not faults, "\n".join(faults)


def shown_lines(page):
    return page.locator("#scoreboard tbody tr:not([hidden])")


# Luminance and contrast as in WCAG 2.2; the ground is the nearest that is painted.
CONTRAST = """selector => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => c.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll(selector)].filter(e => e.innerText.trim()).map(e => {
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.innerText.trim().slice(0, 60)];
  }).filter(([contrast]) => contrast < 4.5);
}"""


@needs_browser
def test_every_page_opens_on_a_phone_with_words_for_its_pictures_and_nothing_from_elsewhere(
    site, address, visit
):
    page = visit("index.html", width=390)
    paths = sorted(p.relative_to(site).as_posix() for p in site.rglob("*.html"))
    for path in (p for p in paths if not p.startswith("_static/")):  # there lies a template of the theme's
        page.goto(address + path, wait_until="load")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} pixels too wide"
        without = page.evaluate("[...document.images].filter(i => !i.alt.trim()).map(i => i.src)")
        assert without == [], path
        broken = page.evaluate(
            "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
        )
        assert broken == [], path


@needs_browser
def test_the_filters_filter_and_the_address_remembers_them(visit):
    page = visit("index.html")
    total = shown_lines(page).count()
    assert page.locator("#scoreboard-count").inner_text() == f"{total} of {total} claims shown"
    page.get_by_role("checkbox", name="le2023").click()
    page.get_by_role("checkbox", name="held", exact=True).focus()
    page.keyboard.press("Space")
    lines = shown_lines(page)
    n = lines.count()
    assert 0 < n < total
    for line in lines.all():
        assert (line.get_attribute("data-paper"), line.get_attribute("data-verdict")) == ("le2023", "held")
        assert "held" in line.inner_text()
    assert page.locator("#scoreboard-count").inner_text() == f"{n} of {total} claims shown"
    kept = page.url
    assert kept.endswith("#paper=le2023&verdict=held")

    page.get_by_role("checkbox", name="neo2023").click()  # within a group either will do
    papers = {line.get_attribute("data-paper") for line in shown_lines(page).all()}
    assert papers == {"le2023", "neo2023"}
    page.get_by_role("button", name="Show all").click()
    assert shown_lines(page).count() == total and "#" not in page.url

    again = visit(kept.rpartition("/")[2])
    assert shown_lines(again).count() == n
    assert again.get_by_role("checkbox", name="le2023").is_checked()


@needs_browser
def test_a_count_filters_and_a_claim_leads_to_its_line(visit):
    page = visit("index.html")
    count = page.locator(".counts td a").first
    n = int(count.inner_text())
    count.click()
    page.wait_for_function(f"document.querySelectorAll('#scoreboard tbody tr:not([hidden])').length === {n}")
    claim = shown_lines(page).locator("a").first
    verdict = shown_lines(page).first.get_attribute("data-verdict")
    claim.click()
    page.wait_for_load_state("load")
    line = page.locator("tr:has(> :target)")
    assert verdict in line.inner_text()
    assert line.bounding_box()["y"] < 900
    page.go_back()
    page.wait_for_function(f"document.querySelectorAll('#scoreboard tbody tr:not([hidden])').length === {n}")


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["index.html", f"{PAGE}.html", "README.html", "api/paperlib.losses.html"])
def test_words_stand_out_in_light_and_dark(visit, path, scheme):
    page = visit(path, scheme=scheme)
    assert page.locator("html").get_attribute("data-theme") == scheme
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(ground) < 64) == (scheme == "dark")
    faint = page.evaluate(
        CONTRAST, "article :is(p, li, td, th, caption, small, label, legend, .verdict, button)"
    )
    assert faint == []


@needs_browser
def test_the_theme_can_be_switched(visit):
    page = visit("index.html")
    page.locator("button.theme-switch-button").first.click()
    page.locator("[data-mode=dark]:visible").first.click()
    assert page.locator("html").get_attribute("data-theme") == "dark"


@needs_browser
def test_search_finds_a_page_and_a_function(visit):
    page = visit("search.html?q=kl_as_printed")
    page.wait_for_selector("#search-results li a")
    assert "paperlib.losses" in page.locator("#search-results").inner_text()
    page = visit("search.html?q=raters")
    page.wait_for_selector("#search-results li a")
    assert "executed" in " ".join(a.get_attribute("href") for a in page.locator("#search-results li a").all())
