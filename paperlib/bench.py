"""`make bench`: speeds, each beside what it is compared with, in one run; on one thread where a row says no other."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, cpu_count, delayed
from threadpoolctl import threadpool_limits
from torch.nn import functional as F

from paperlib import losses, twin
from paperlib.augmentation import augment
from paperlib.files import ROOT, whole
from paperlib.inference import Predictor
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


def main() -> None:
    torch.set_num_threads(1)
    with threadpool_limits(1):  # numpy's and scipy's own
        rows = [*_training(), *_methods(), *_emofan(), *_workers()]
    frame = pd.DataFrame(rows, columns=["what", "per second", "ratio", "to"])
    digits = frame.assign(**{c: [float(f"{v:.3g}") for v in frame[c]] for c in ("per second", "ratio")})
    with whole(TABLE) as unfinished:
        digits.to_csv(unfinished, index=False)
    print(frame.to_string(index=False, float_format=lambda v: f"{v:,.2f}" if v < 100 else f"{v:,.0f}"))
    print(f"best of {REPEATS}; torch {torch.__version__}; loop precision {native_precision()}")


def _training() -> list[tuple[str, float, float, str]]:
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
            value = (
                F.smooth_l1_loss(out.mean, target, reduction="none") * torch.exp(-out.log_variance)
            ).mean()
            value = value + out.log_variance.mean() / 2
            optimiser.zero_grad()
            value.backward()
            optimiser.step()

    fast, slow = _rate(ours, n), _rate(plain, n)
    return [
        ("training, plain fp32 loop (pictures)", slow, 1.0, "itself"),
        ("training, paperlib.training.fit (pictures)", fast, fast / slow, "plain fp32 loop"),
    ]


def _methods() -> list[tuple[str, float, float, str]]:
    """Pictures a second of training with le2023's methods: LDLVA from the bank and online, over K, and its rivals."""
    rng = np.random.default_rng(0)
    n, classes = 768, 7
    images = rng.integers(0, 256, (n, 48, 48), dtype=np.uint8)
    label, affect = rng.integers(0, classes, n), rng.uniform(-1, 1, (n, 2))
    schedule = Schedule(epochs=1, batch=128, learning_rate=1e-3)

    def rate(name: str, backbone: str, k: int) -> float:
        return _rate(lambda: learn(_method(name, backbone, k, *data), images, label, schedule, seed=0), n)

    data = images, label, affect
    rows = []
    for backbone in ("tiny_resnet", "compact_resnet"):
        named = {"baseline": ("baseline", 8), "SCN": ("SCN", 8), "RUL": ("RUL", 8)}
        named |= {f"{m}, K = {k}": (m, k) for m in ("LDLVA bank", "LDLVA online") for k in (8, 16)}
        rates = {shown: rate(name, backbone, k) for shown, (name, k) in named.items()}
        plain = rates["baseline"]
        rows += [
            (f"training, {backbone}, {m} (pictures)", r, r / plain, "baseline") for m, r in rates.items()
        ]
    return rows


def _method(
    name: str, backbone: str, k: int, images: np.ndarray, label: np.ndarray, affect: np.ndarray
) -> ExpressionNet:
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


def _emofan() -> list[tuple[str, float, float, str]]:
    """Faces a second of the full-size EmoFAN, as one would call it and as `Predictor` does, a thread per core.

    The name says the largest difference of valence and arousal from the plain call; batch norms are those of a network
    that has seen pictures, since fresh ones hide what folding does.
    """
    torch.manual_seed(0)
    faces = twin.make_faces(16, seed=1, size=256, channels=3).images
    x = torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 255
    model = EmoFAN(classes=8).train()
    with torch.no_grad():
        model(x[:4])
    model.eval()

    def plain(batch: int) -> np.ndarray:
        with torch.inference_mode():
            return torch.cat([model(part).affect for part in x.split(batch)]).numpy()

    fast = {
        "folded, channels_last": Predictor(model, mirror=False),
        "and bf16": Predictor(model, mirror=False, bf16=True),
    }
    threads = torch.get_num_threads()
    torch.set_num_threads(CORES)
    try:
        exact = plain(8).clip(-1, 1)
        rates = {f"plain, batch {b}": (_rate(partial(plain, b), len(x)), 0.0) for b in (1, 8)}
        for name, predictor in fast.items():
            apart = float(np.abs(predictor.predict(faces).affect - exact).max())
            rates[name] = (_rate(partial(predictor.predict, faces), len(x)), apart)
    finally:
        torch.set_num_threads(threads)
    slow = rates["plain, batch 8"][0]
    return [
        (f"EmoFAN, 256 px, {n}, off by {d:.0e}, {CORES} threads (faces)", r, r / slow, "plain, batch 8")
        for n, (r, d) in rates.items()
    ]


def _workers() -> list[tuple[str, float, float, str]]:
    """Runs a second of a grid of equal trainings over how many processes, of one thread each, train at a time."""
    schedule = Schedule(epochs=1, batch=64, learning_rate=1e-3)
    images = np.random.default_rng(0).integers(0, 256, (3_000, 48, 48), dtype=np.uint8)

    def grid(jobs: int) -> None:
        Parallel(n_jobs=jobs)(delayed(_small_training)(images, schedule, seed) for seed in range(4))

    counts = sorted({1, 2, CORES})
    rates = {jobs: _rate(partial(grid, jobs), 4) for jobs in counts}
    return [
        (f"grid of runs, {jobs} at a time, a thread each (runs)", r, r / rates[1], "1 at a time")
        for jobs, r in rates.items()
    ]


def _small_training(images: np.ndarray, schedule: Schedule, seed: int) -> None:
    torch.set_num_threads(1)
    backbone, width = build_backbone("tiny_resnet", channels=1, pretrained=False)
    model = ExpressionNet(backbone, width, n=len(images), classes=7)
    learn(model, images, np.arange(len(images)) % 7, schedule, seed=seed)


def _rate(work: Callable[[], object], items: int) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return items / best


if __name__ == "__main__":
    main()
