"""`make bench`: speeds, each beside what it is compared with, in one run; on one thread where a row says no other."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, cpu_count, delayed
from threadpoolctl import threadpool_limits
from torch.nn import functional as F

from paperlib import faces, losses, twin
from paperlib.augmentation import augment
from paperlib.detector import find_faces
from paperlib.export import installed
from paperlib.files import ROOT, whole
from paperlib.inference import ENGINES, Predictor
from paperlib.labels import local_similarity, nearest_in_affect
from paperlib.models import LabelVarianceNet, build_backbone
from paperlib.models.emofan import EmoFAN
from paperlib.models.expression import ExpressionNet
from paperlib.models.ldlva import LDLVA
from paperlib.models.rivals import RelativeUncertaintyNet, SelfCureNet
from paperlib.tasks.label_variance import as_input
from paperlib.tasks.noisy_labels import learn
from paperlib.training import Rows, Schedule, fit, native_precision

REPEATS = 3
CORES = cpu_count()
TABLE = ROOT / "figures" / "bench.csv"

# what, items a second, ratio, to what, largest difference of the outputs
Row = tuple[str, float, float, str, float]


def main() -> None:
    torch.set_num_threads(1)
    with threadpool_limits(1):  # numpy's and scipy's own
        rows = [*_training(), *_methods(), *_emofan(), *_photographs(), *_workers()]
    frame = pd.DataFrame(rows, columns=["what", "per second", "ratio", "to", "off by"])
    digits = ("per second", "ratio", "off by")
    frame = frame.assign(**{c: [float(f"{v:.3g}") for v in frame[c]] for c in digits})
    with whole(TABLE) as unfinished:
        frame.to_csv(unfinished, index=False)
    print(frame.to_string(index=False, na_rep=""))
    print(f"best of {REPEATS}; torch {torch.__version__}; loop precision {native_precision()}")


def _rows(
    what: str, works: Mapping[str, Callable[[], object]], items: int, off: Mapping[str, float] | None = None
) -> list[Row]:
    """Items a second of each work, beside the first.

    The best of REPEATS rounds through all, so that what slows the machine for a while slows them all.
    """
    best = dict.fromkeys(works, float("inf"))
    for _ in range(REPEATS):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            best[name] = min(best[name], time.perf_counter() - started)
    first = next(iter(works))
    return [
        (what.format(name), items / t, best[first] / t, first, (off or {}).get(name, float("nan")))
        for name, t in best.items()
    ]


def _training() -> list[Row]:
    """Pictures a second of `fit` and of the loop one would write first, same network, loss, augmentation and data."""
    rng = np.random.default_rng(0)
    n, batch = 1536, 128
    images = rng.integers(0, 256, (n, 48, 48), dtype=np.uint8)
    affect = rng.uniform(-1, 1, (n, 2)).astype(np.float32)

    def network() -> LabelVarianceNet:
        torch.manual_seed(0)
        return LabelVarianceNet(*build_backbone("compact_resnet", channels=1))

    def loss(model: torch.nn.Module, rows: tuple[torch.Tensor, ...]) -> torch.Tensor:
        out = model(augment(as_input(rows[0])))
        return losses.kl_continuous(out.mean.float(), out.log_variance.float(), rows[1]).mean()

    def ours() -> None:
        model = network().to(memory_format=torch.channels_last)
        fit(model, loss, Rows(images, affect), Schedule(epochs=1, batch=batch, learning_rate=1e-3), seed=0)

    def plain() -> None:
        model = network()
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
        for rows in torch.randperm(n).split(batch):
            x = augment(as_input(torch.from_numpy(images[rows.numpy()]))).contiguous()
            out = model(x)
            target = torch.from_numpy(affect[rows.numpy()])
            error = F.smooth_l1_loss(out.mean, target, reduction="none")
            value = (error * torch.exp(-out.log_variance) + out.log_variance / 2).mean()
            optimiser.zero_grad()
            value.backward()
            optimiser.step()

    return _rows("training, {} (pictures)", {"plain fp32 loop": plain, "paperlib.training.fit": ours}, n)


def _methods() -> list[Row]:
    """Pictures a second of training with le2023's methods: LDLVA from the bank and online, over K, and its rivals."""
    rng = np.random.default_rng(0)
    n, classes = 768, 7
    images = rng.integers(0, 256, (n, 48, 48), dtype=np.uint8)
    label, affect = rng.integers(0, classes, n), rng.uniform(-1, 1, (n, 2))
    schedule = Schedule(epochs=1, batch=128, learning_rate=1e-3)

    def train(name: str, backbone: str, k: int) -> None:
        learn(_method(name, backbone, k, images, label, affect), images, label, schedule, seed=0)

    named = {"baseline": ("baseline", 8), "SCN": ("SCN", 8), "RUL": ("RUL", 8)}
    named |= {f"{m}, K = {k}": (m, k) for m in ("LDLVA bank", "LDLVA online") for k in (8, 16)}
    rows = []
    for backbone in ("tiny_resnet", "compact_resnet"):
        works = {shown: partial(train, name, backbone, k) for shown, (name, k) in named.items()}
        rows += _rows(f"training, {backbone}, {{}} (pictures)", works, n)
    return rows


def _method(name: str, backbone: str, k: int, images: Any, label: Any, affect: Any) -> ExpressionNet:
    network, features = build_backbone(backbone, channels=1)
    n, classes = len(label), int(label.max()) + 1
    if name == "SCN":
        given = torch.from_numpy(label)
        return SelfCureNet(network, features, labels=given, classes=classes, relabel_after=0)
    if name in ("baseline", "RUL"):
        kind = RelativeUncertaintyNet if name == "RUL" else ExpressionNet
        return kind(network, features, n=n, classes=classes)
    near = nearest_in_affect(affect, k)
    similarity = torch.from_numpy(local_similarity(affect, near, delta=0.5)).float()
    of: dict[str, Any] = {"classes": classes, "neighbours": torch.from_numpy(near), "similarity": similarity}
    if name == "LDLVA online":
        of["pictures"] = lambda row: augment(as_input(torch.from_numpy(images[row.numpy()])))
    return LDLVA(network, features, **of)


def _emofan() -> list[Row]:
    """Faces a second of the full-size EmoFAN, as one would call it and as `Predictor` does, and how far these are.

    Batch norms are those of a network that has seen pictures, since fresh ones do nothing.
    """
    torch.manual_seed(0)
    pictures = twin.make_faces(8, seed=1, size=256, channels=3).images
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    model = EmoFAN(classes=8).train()
    with torch.no_grad():
        model(x[:4])
    model.eval()

    def plain(batch: int) -> np.ndarray:
        with torch.inference_mode():
            outs = [model(part) for part in x.split(batch)]
        return np.concatenate([torch.cat([o.affect, o.expression.softmax(1)], 1).numpy() for o in outs])

    def fast(predictor: Predictor) -> np.ndarray:
        out = predictor.predict(pictures)
        return np.concatenate([out.affect, out.probability], axis=1)

    rows = []
    for threads, batch in itertools.product(sorted({1, CORES}), (1, 8)):
        torch.set_num_threads(threads)
        works = {"plain fp32": partial(plain, batch)}
        for engine, bf16 in itertools.product(ENGINES if installed() else ("torch",), (False, True)):
            predictor = Predictor(model, mirror=False, batch=batch, engine=engine, bf16=bf16)
            works[f"{engine} {'bf16' if bf16 else 'fp32'}"] = partial(fast, predictor)
        found = {name: work() for name, work in works.items()}  # which warms them too
        off = {name: float(np.abs(out - found["plain fp32"]).max()) for name, out in found.items()}
        rows += _rows(f"EmoFAN, 256 px, {{}}, batch {batch}, threads {threads} (faces)", works, len(x), off)
    torch.set_num_threads(1)
    return rows


def _photographs() -> list[Row]:
    """Photographs a second through the whole chain, one face in each; none without a detector and a photograph."""
    if not (find_spec("dlib") and find_spec("skimage")):
        return []
    from skimage import data

    picture, times = data.astronaut(), 4
    large = Predictor(EmoFAN(classes=8).eval())
    chain: dict[str, Callable[[], Any]] = {
        "faces found": partial(find_faces, picture),
        "and read by the small EmoFAN": partial(faces.read, picture),
        "and read by the full-size EmoFAN": partial(faces.read, picture, large),
    }
    works = {name: lambda work=work: [work() for _ in range(times)] for name, work in chain.items()}
    return _rows("photograph, 512 px, {} (photographs)", works, times)


def _workers() -> list[Row]:
    """Runs a second of a grid of equal trainings over how many processes, of one thread each, train at a time."""
    schedule = Schedule(epochs=1, batch=64, learning_rate=1e-3)
    images = np.random.default_rng(0).integers(0, 256, (3_000, 48, 48), dtype=np.uint8)

    def grid(jobs: int) -> None:
        Parallel(n_jobs=jobs)(delayed(_small_training)(images, schedule, seed) for seed in range(4))

    works = {f"{jobs} at a time": partial(grid, jobs) for jobs in sorted({1, 2, CORES})}
    return _rows("grid of runs, {}, a thread each (runs)", works, 4)


def _small_training(images: np.ndarray, schedule: Schedule, seed: int) -> None:
    torch.set_num_threads(1)
    backbone, width = build_backbone("tiny_resnet", channels=1, pretrained=False)
    model = ExpressionNet(backbone, width, n=len(images), classes=7)
    learn(model, images, np.arange(len(images)) % 7, schedule, seed=seed)


if __name__ == "__main__":
    main()
