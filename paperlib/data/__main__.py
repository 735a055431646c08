"""`make data`: what each track needs, and whether it is there."""

import argparse
import os
from pathlib import Path

from paperlib.data.requirements import REQUIRED, requirements


def main() -> None:
    parser = argparse.ArgumentParser(prog="make data", description=__doc__)
    parser.add_argument("--data", default="", help="folder to look in; PAPERLIB_DATA without it")
    root = parser.parse_args().data or os.environ.get("PAPERLIB_DATA", "")
    print("twin: nothing, it is generated")
    for track in REQUIRED:
        needed = requirements(track, Path(root) if root else None)
        lacking = "not there" if root else "no folder named: DATA="
        state = "ready" if all(there for _, there in needed) else lacking
        print(f"{track}: {state}")
        for path, there in needed:
            print(f"  {'+' if there else '-'} {path}")
    print("data/README.md says where each data set comes from and under which licence")


if __name__ == "__main__":
    main()
