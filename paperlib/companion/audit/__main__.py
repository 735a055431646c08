"""`python -m paperlib.companion.audit [paper ...]`: the audit as a page of text."""

from __future__ import annotations

import argparse
import textwrap

from paperlib.companion.audit import Status, papers, run_audit


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m paperlib.companion.audit", description=__doc__)
    parser.add_argument(
        "papers", nargs="*", metavar="paper", help=f"any of: {', '.join(papers())} (default: all)"
    )
    options = parser.parse_args()
    try:
        findings = run_audit(options.papers or None)
    except ValueError as error:
        parser.error(str(error))
    wrapped = textwrap.TextWrapper(110, initial_indent=" " * 6, subsequent_indent=" " * 10)
    for key in findings["key"].unique():
        of_paper = findings[findings["key"] == key]
        print(f"\n{key}\n{'=' * len(key)}")
        for artefact in of_paper["artefact"].unique():
            print(f"\n{artefact}")
            for row in of_paper[of_paper["artefact"] == artefact].itertuples():
                print(f"  {f'[{row.status}]':25} {row.check}")
                for label in ("printed", "recomputed", "note"):
                    if value := getattr(row, label):
                        print(wrapped.fill(f"{label}: {value}"))
        counts = of_paper["status"].value_counts()
        print(f"\n{key}: {len(of_paper)} findings; " + ", ".join(f"{counts.get(s, 0)} {s}" for s in Status))


if __name__ == "__main__":
    main()
