"""`make site`: gather the sources into a temporary folder and build them into `.cache/site`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from paperlib.files import CACHE, ROOT
from paperlib.ledger import kept_pages


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m paperlib.site", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=CACHE / "site", help="where the site goes")
    folder = parser.parse_args(arguments).folder
    try:
        build(ROOT, folder)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        sys.exit(f"site: {error}")
    print(f"{folder / 'index.html'}; to read it in a browser: python -m http.server -d {folder}")
    return 0


def build(repository: Path, folder: Path) -> None:
    """Build the site of a repository, or of a folder laid out like one, into `folder`.

    Raises:
        ImportError: the optional dependencies are not installed.
        RuntimeError: Sphinx refused or warned; it has said what and where.
    """
    try:
        from sphinx.cmd.build import build_main

        from paperlib.site.sources import files_of, gather_sources
    except ImportError as error:
        raise ImportError(f"{error}; the site needs: pip install -e '.[site]'") from None
    with tempfile.TemporaryDirectory() as temporary:
        sources = Path(temporary, "sources")
        gather_sources(repository, sources)
        where = [str(sources), str(folder), "-d", f"{temporary}/doctrees", "-c", str(Path(__file__).parent)]
        if build_main(["-q", "-W", "--keep-going", "-E", "-b", "html", *where]):
            raise RuntimeError("Sphinx did not build it without a warning; see above")
    for file in (f for page in kept_pages(repository) for f in files_of(page, repository)):
        copy = folder / file.relative_to(repository)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


if __name__ == "__main__":
    sys.exit(main())
