"""The site: in a browser, that it works without a network, on a phone, in the dark, and that its search finds."""

import csv
import functools
import http.server
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from paperlib.files import ROOT

EXTRA = all(importlib.util.find_spec(name) for name in ("sphinx", "myst_nb", "pydata_sphinx_theme"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
TWIN = "notebooks/executed/twin"
pytestmark = pytest.mark.skipif(not EXTRA, reason="no libraries of the site: pip install -e '.[site]'")
BROWSER = CHROMIUM and importlib.util.find_spec("playwright")
needs_browser = pytest.mark.skipif(not BROWSER, reason="needs playwright, and Chromium on the path")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The whole site, as `make site` builds it: a warning of Sphinx's is an error."""
    folder = tmp_path_factory.mktemp("site")
    where = ["-c", "docs", "-d", f"{folder}/doctrees", ".", f"{folder}/html"]
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", *where]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder / "html"


def test_every_link_inside_the_site_leads_somewhere(site):
    pages = {p: p.read_text() for p in site.rglob("*.html") if "_static" not in p.parts}
    names = {p: set(re.findall(r' (?:id|name)="([^"]+)"', html)) for p, html in pages.items()}
    lost = []
    for page, html in pages.items():
        for href in set(re.findall(r'<a [^>]*href="([^"]*)"', html)):
            address, _, anchor = unescape(href).partition("#")
            if re.match(r"[a-z]+:", address):
                continue
            target = (page.parent / unquote(address)).resolve() if address else page
            if not target.is_file() or (anchor and target in names and unquote(anchor) not in names[target]):
                lost.append(f"{page.relative_to(site)}: {href}")
    assert lost == []
    assert len(pages) > len(list(ROOT.glob("notebooks/executed/*/*.ipynb")))


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


@pytest.fixture
def visit(address):
    """Open a page; whatever it asks of elsewhere, or says on the console, fails the test in the end."""
    from playwright.sync_api import sync_playwright

    faults = []

    def refuse_others(route):
        if route.request.url.startswith((address, "data:")):
            return route.continue_()
        faults.append(f"foreign request: {route.request.url}")
        return route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])

        def visit(path, *, width=1280, scheme="light", **options):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
            page.route("**/*", refuse_others)
            page.on("pageerror", lambda error: faults.append(f"{path}: {error}"))
            page.on("console", lambda m: faults.append(f"{path}: {m.text}") if m.type == "error" else None)
            page.goto(address + path, wait_until="load")
            return page

        yield visit
        browser.close()
    assert not faults, "\n".join(faults)


@needs_browser
def test_every_page_opens_on_a_phone_with_nothing_from_elsewhere(site, address, visit):
    page = visit("index.html", width=390)
    page.wait_for_url("**/README.html")
    paths = {p.relative_to(site).as_posix() for p in site.rglob("*.html") if "_static" not in p.parts}
    for path in sorted(paths - {"index.html"}):  # which leads on
        page.goto(address + path, wait_until="load")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} pixels too wide"
        broken = page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).length")
        assert broken == 0, path


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_follows_the_device_and_leads_to_the_others(visit, scheme):
    page = visit("README.html", scheme=scheme)
    assert page.locator("html").get_attribute("data-theme") == scheme
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(ground) < 64) == (scheme == "dark")
    page.locator(".bd-sidebar-primary").get_by_role("link", name="Scoreboard").first.click()
    page.wait_for_url("**/00_scoreboard.html")


@needs_browser
@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("kl_as_printed", "paperlib.losses"),
        ("Toisoul", "toisoul2021"),
        ("Audio and video together raise", "han2017"),
    ],
)
def test_search_finds_a_function_an_author_and_a_claim(visit, words, page):
    found = visit(f"search.html?q={words}")
    found.wait_for_selector("#search-results li a")
    assert page in found.locator("#search-results").inner_text()


@needs_browser
@pytest.mark.parametrize(("width", "most"), [(1300, 4_200), (390, 9_000)])
def test_the_front_page_is_short(visit, width, most):
    assert visit("README.html", width=width).evaluate("document.documentElement.scrollHeight") <= most


@needs_browser
def test_statements_are_filtered_and_lead_to_the_table_that_tests_them(visit):
    page = visit("README.html")
    page.locator(".statements summary").click()
    rows = page.locator(".statements tbody tr:visible")
    everything = rows.count()
    page.get_by_role("combobox", name="paper").select_option("le2023")
    page.get_by_role("combobox", name="track").select_option("FER+")
    page.get_by_role("combobox", name="verdict").select_option("not attempted")
    assert 0 < rows.count() < everything
    assert page.locator("output").inner_text() == f"{rows.count()} of {everything}"
    rows.first.get_by_role("link", name="not attempted").last.click()
    page.wait_for_url("**/ferplus/02_le2023.html#**")


@needs_browser
def test_a_table_is_sorted_with_its_row_headings_and_saved(visit):
    page = visit(f"{TWIN}/04_han2017.html")
    table = page.locator(".pg table").filter(has_text="Table 1: audio").first
    assert table.locator("tbody th[rowspan]").count()
    saved = []
    for column in (2, 2):
        with page.expect_download() as download:
            table.locator("xpath=..").locator("xpath=following-sibling::button").first.click()
        saved.append(list(csv.reader(download.value.path().read_text("utf-8-sig").splitlines())))
        table.locator("button.sort").nth(column).click()
    before, after = ([row for row in rows if row[1] in ("single", "multi")] for rows in saved)
    assert before != after and sorted(before) == sorted(after)
    numbers = [float(row[2].split()[0].replace("−", "-")) for row in after]
    assert numbers == sorted(numbers)
    assert table.locator("[aria-sort=ascending], [aria-sort=descending]").count() == 1


@needs_browser
def test_code_is_folded_and_figures_open_large(visit):
    page = visit(f"{TWIN}/02_le2023.html")
    assert page.locator(".cell_input:visible").count() == 0
    page.locator("details.hide summary").first.click()
    assert "import" in page.locator(".cell_input:visible").inner_text()
    shown = page.locator(".cell_output")
    assert shown.locator("img").count() == shown.locator("a[href*=_images] > img").count()


@needs_browser
def test_it_reads_without_javascript(visit):
    page = visit("README.html", java_script_enabled=False)
    page.locator(".statements summary").click()
    assert page.locator(".statements tbody tr:visible").count() > 50
    assert page.locator("button.sort").count() == 0
    page.goto(page.url.replace("README", f"{TWIN}/02_le2023"))
    page.locator("details.hide summary").first.click()
    assert page.locator(".cell_input:visible").count() == 1


def axe() -> Path | None:
    """axe-core: the file that AXE names, or what the dev extra brings."""
    spec = importlib.util.find_spec("axe_playwright_python")
    brought = Path(spec.origin).with_name("axe.min.js") if spec and spec.origin else None
    return Path(os.environ["AXE"]) if "AXE" in os.environ else brought


PATHS = ["README", "docs/api", "docs/how-it-is-made", f"{TWIN}/00_scoreboard", f"{TWIN}/04_han2017"]


@needs_browser
@pytest.mark.skipif(not axe(), reason="needs axe-core: pip install axe-playwright-python, or AXE=<file>")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
@pytest.mark.parametrize("path", PATHS)
def test_the_checker_of_accessibility_finds_nothing_serious(visit, path, scheme, width):
    page = visit(f"{path}.html", scheme=scheme, width=width)
    page.evaluate(axe().read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")["violations"]
    assert not [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")]
