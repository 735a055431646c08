"""The small network with which `paperlib.faces` reads photographs: page 05's F+R+C+A on FER+, alignment trained on.

    python -m paperlib.companion.samples.kept_network --data <folder>

trains it, unless the cache has it, and writes it anew.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from paperlib import files, metrics
from paperlib.companion.plan import read_plan
from paperlib.companion.runs import Result, run_missing
from paperlib.emofan_checkpoint import KEPT
from paperlib.tasks.emofan import problem
from paperlib.tracks import Track

NETWORK = ("width", "depth", "size", "attention")  # the settings that make an EmoFAN


def main() -> None:
    """Train it, unless the cache has it, and write its weights in half precision with its scores on the test faces."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="the folder with ferplus/")
    track = Track(name="ferplus", root=parser.parse_args().data)
    runs = [run for block in read_plan("toisoul2021", track) for run in block.runs]
    frozen = next(run for run in runs if run.settings.get("keeps") and run.seed == 0)
    # better, and three times as long
    learns_on = replace(frozen, settings={**frozen.settings, "frozen": False})
    keep(run_missing([learns_on])[0], KEPT)


def keep(result: Result, path: Path) -> None:
    """A run's weights as safetensors; its metadata say what the network is, what it learnt, and how well."""
    weights = {k.removeprefix("weights."): v for k, v in result.arrays.items() if k.startswith("weights.")}
    parts, settings = problem(result.run.track), result.run.settings
    label, affect = parts.label[parts.test], parts.affect[parts.test].astype(np.float64)
    named = result["logits"].argmax(axis=1)
    scores = {"accuracy": float((named == label)[label >= 0].mean()), "faces": len(label)}
    ccc = metrics.ccc(result["affect"].astype(np.float64), affect)
    scores |= dict(zip(("CCC of valence", "CCC of arousal"), np.asarray(ccc).tolist(), strict=True))
    about = {
        "settings": json.dumps({"classes": result["logits"].shape[1], **{k: settings[k] for k in NETWORK}}),
        "trained on": f"{parts.faces.name}, {len(parts.train)} faces",
        "test": json.dumps({k: round(v, 4) for k, v in scores.items()}),
        "run": json.dumps(dict(settings), sort_keys=True),
    }
    half = {k: v.astype(np.float16) if v.dtype == np.float32 else v for k, v in weights.items()}
    with files.whole(path) as partial:
        save_file(half, partial, metadata=about)


if __name__ == "__main__":
    main()
