"""The site: in a browser, that it works without a network, on a phone, in the dark, and that its search finds."""

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
from urllib.parse import unquote

import pytest

from paperlib.files import ROOT

EXTRA = all(importlib.util.find_spec(name) for name in ("sphinx", "myst_nb", "pydata_sphinx_theme"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
pytestmark = pytest.mark.skipif(
    not EXTRA, reason="the site's libraries are missing: pip install -e '.[site]'"
)
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and importlib.util.find_spec("playwright")),
    reason="needs playwright, and Chromium on the path",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The whole site, as `make site` builds it: a warning of Sphinx's is an error."""
    folder = tmp_path_factory.mktemp("site")
    where = ["-c", "docs", "-d", f"{folder}/doctrees", ".", f"{folder}/html"]
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", *where]
    built = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
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

        def visit(path, *, width=1280, scheme="light"):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
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
def test_search_finds_a_function_and_a_page(visit):
    page = visit("search.html?q=kl_as_printed")
    page.wait_for_selector("#search-results li a")
    assert "paperlib.losses" in page.locator("#search-results").inner_text()
    page = visit("search.html?q=raters")
    page.wait_for_selector("#search-results li a")
    found = [a.get_attribute("href") for a in page.locator("#search-results li a").all()]
    assert any("executed" in href for href in found)
