"""`make bench`: speeds, each beside what it is compared with, in one run; on one thread where a row says no other."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, cpu_count, delayed
from threadpoolctl import threadpool_limits
from torch.nn import functional as F

from paperlib import features, losses, twin, twin_recordings
from paperlib.annotations import evaluator_weighted_estimate, perception_uncertainty
from paperlib.data import load_manifest, write_manifest
from paperlib.files import ROOT, whole
from paperlib.fusion import fit_label_parameters, fuse, inverse_distances, posterior
from paperlib.inference import Predictor
from paperlib.labels import EXPRESSIONS, local_similarity, nearest_in_affect
from paperlib.models import DualDomainNet, LabelVarianceNet, VoteNet, build_backbone
from paperlib.models.blstm import BLSTM, multi_task_mse
from paperlib.models.emofan import EmoFAN, freeze_alignment
from paperlib.models.expression import ExpressionNet
from paperlib.models.ldlva import LDLVA
from paperlib.models.rivals import RelativeUncertaintyNet, SelfCureNet
from paperlib.postprocessing import PostProcessing
from paperlib.stats import cluster_bootstrap
from paperlib.tasks.dual_domain import distorted
from paperlib.tasks.label_variance import _loss_of_pictures as loss_of_pictures
from paperlib.tasks.label_variance import as_input, augment
from paperlib.tasks.noisy_labels import learn
from paperlib.training import Rows, Schedule, fit, make_fabric, native_precision

REPEATS = 3
CORES = cpu_count()
TABLE = ROOT / "figures" / "bench.csv"


def main() -> None:
    torch.set_num_threads(1)
    with threadpool_limits(1):  # numpy's and scipy's own
        rows = [
            *_training(),
            *_losses(),
            *_methods(),
            *_neighbours(),
            *_fusion(),
            *_recordings(),
            *_emofan(),
            *_emofan_training(),
            *_twin(),
            *_bootstrap(),
            *_seeds(),
            *_workers(),
            *_reading(),
        ]
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


def _losses() -> list[tuple[str, float, float, str]]:
    """Pictures a second of training with each loss of foteinopoulou2021's page: what knowing the variance costs."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (768, 48, 48), dtype=np.uint8)
    votes = rng.dirichlet(np.ones(8), 768).astype(np.float32)
    schedule = Schedule(epochs=1, batch=128, learning_rate=1e-3)

    def train(name: str) -> None:
        backbone, features = build_backbone("compact_resnet", channels=1)
        model: torch.nn.Module = LabelVarianceNet(backbone, features)
        target = votes[:, :2] * 2 - 1
        if name == "votes":
            coordinates = torch.tensor(list(twin.CIRCUMPLEX.values()))
            model, target = VoteNet(backbone, features, coordinates=coordinates), votes
        fit(model, loss_of_pictures(name), Rows(images, target), schedule, seed=0)

    rates = {name: _rate(partial(train, name), len(images)) for name in (*losses.LOSSES, "votes")}
    return [(f"training, loss {n} (pictures)", r, r / rates["mse"], "loss mse") for n, r in rates.items()]


def _methods() -> list[tuple[str, float, float, str]]:
    """Pictures a second of training with le2023's methods: LDLVA from the bank and online, over K, and its rivals."""
    rng = np.random.default_rng(0)
    n, classes = 768, 7
    images = rng.integers(0, 256, (n, 48, 48), dtype=np.uint8)
    label, affect = rng.integers(0, classes, n), rng.uniform(-1, 1, (n, 2))
    schedule = Schedule(epochs=1, batch=128, learning_rate=1e-3)

    def pictures(row: torch.Tensor) -> torch.Tensor:
        return augment(as_input(torch.from_numpy(images[row.numpy()])))

    def method(name: str, backbone: str, k: int = 8) -> ExpressionNet:
        network, features = build_backbone(backbone, channels=1)
        if name == "SCN":
            given = torch.from_numpy(label)
            return SelfCureNet(network, features, labels=given, classes=classes, relabel_after=0)
        if name in ("baseline", "RUL"):
            kind = RelativeUncertaintyNet if name == "RUL" else ExpressionNet
            return kind(network, features, n=n, classes=classes)
        near = nearest_in_affect(affect, k)
        return LDLVA(
            network,
            features,
            classes=classes,
            neighbours=torch.from_numpy(near),
            similarity=torch.from_numpy(local_similarity(affect, near, delta=0.5)).float(),
            pictures=pictures if name == "LDLVA online" else None,
        )

    def rate(name: str, backbone: str, k: int) -> float:
        return _rate(lambda: learn(method(name, backbone, k), images, label, schedule, seed=0), n)

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


def _neighbours() -> list[tuple[str, float, float, str]]:
    """Rows a second of the search for 8 neighbours in the plane, over the number of rows."""
    affect = np.random.default_rng(0).uniform(-1, 1, (280_000, 2))
    sizes = (10_000, 70_000, 280_000)
    rates = {n: _rate(partial(nearest_in_affect, affect[:n], 8), n) for n in sizes}
    return [
        (f"8 neighbours of {n:,} rows ({n / r:.1f} s)", r, r / rates[sizes[0]], f"{sizes[0]:,} rows")
        for n, r in rates.items()
    ]


def _fusion() -> list[tuple[str, float, float, str]]:
    """Pictures a second of neo2023's training by label, labels included; and faces a second that get a mixed label."""
    rng = np.random.default_rng(0)
    n, k = 1536, 8
    images, label = rng.integers(0, 256, (n, 48, 48), dtype=np.uint8), rng.integers(0, k, n)
    affect = rng.uniform(-1, 1, (290_000, 2))
    categories = np.tile(label, -(-len(affect) // n))[: len(affect)]
    schedule = Schedule(epochs=1, batch=128, learning_rate=1e-3)
    fitted = fit_label_parameters(affect, categories, classes=EXPRESSIONS, source="uniform", reading="all")
    mixed: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "GMM": partial(posterior, fitted),
        "Euclid": partial(inverse_distances, centres=fitted.mean),
    }

    def loss(model: torch.nn.Module, rows: tuple[torch.Tensor, ...]) -> torch.Tensor:
        x, target, places, weight = rows
        out = model(distorted(as_input(x)))
        return losses.dual_domain(out.logits, out.affect, target, places, weight).mean()

    def train(name: str) -> None:
        target = fuse(label, mixed[name](affect[:n]), alpha=0.5) if name in mixed else np.eye(k)[label]
        arrays = [a.astype(np.float32) for a in (target, affect[:n], np.ones((n, k)))]
        model = DualDomainNet(*build_backbone("tiny_resnet", channels=1), classes=k)
        fit(model, loss, Rows(images, *arrays), schedule, seed=0)

    rates = {name: _rate(partial(train, name), n) for name in ("one-hot", *mixed)}
    rows = [
        (f"training, {m} labels (pictures)", r, r / rates["one-hot"], "one-hot") for m, r in rates.items()
    ]
    fitting = partial(
        fit_label_parameters, affect, categories, classes=EXPRESSIONS, source="uniform", reading="axis"
    )
    jobs: dict[str, Callable[[], object]] = {"class Gaussians fitted": fitting}
    jobs |= {f"{m} labels made": partial(make, affect) for m, make in mixed.items()}
    for what, work in jobs.items():
        rate = _rate(work, len(affect))
        rows.append((f"{what} for {len(affect):,} faces ({len(affect) / rate:.2f} s)", rate, 1.0, "itself"))
    return rows


def _recordings() -> list[tuple[str, float, float, str]]:
    """Frames a second of han2017's features, gold standard, full-size network over sequence length, and whole chain."""
    rng = np.random.default_rng(0)
    frames = 600
    voice = twin_recordings.waveform(0, frames)
    points = rng.normal(0, 40, (frames, len(features.LANDMARKS), 2))
    ratings = rng.normal(0, 0.3, (64, 1800, 6)).clip(-1, 1)
    network = {d: BLSTM(d, targets=2).eval() for d in (130, 98)}
    chain = PostProcessing(window=11, centre=0.1, scale=2.0, shift=-5)

    def heard() -> np.ndarray:
        return features.speech_features(voice, twin_recordings.SAMPLING_RATE, frames=frames)

    def gold() -> None:
        for one in ratings:
            evaluator_weighted_estimate(one)
            perception_uncertainty(one)

    def predicted(seen: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            out = network[seen.shape[1]](torch.from_numpy(seen)[None], torch.tensor([len(seen)]))
        return np.stack([chain(trace) for trace in out[0].double().numpy().T])

    def whole() -> None:
        np.mean([predicted(heard()), predicted(features.normalise_landmarks(points))], axis=0)

    def train(length: int) -> None:
        n = 3200 // length
        x = rng.normal(size=(n, length, 130)).astype(np.float32)
        rows = Rows(x, x[..., :2], np.full(n, length))
        schedule = Schedule(epochs=1, batch=max(n // 2, 1), learning_rate=1e-3)
        fit(
            BLSTM(130, targets=2),
            lambda m, b: multi_task_mse(m(b[0], b[2]), b[1], b[2], weights=(1, 1)),
            rows,
            schedule,
            seed=0,
            fabric=make_fabric(precision="32-true"),
        )

    alone: dict[str, tuple[Callable[[], object], int]] = {
        "openSMILE's descriptors in windows": (heard, frames),
        "landmarks normalised": (partial(features.normalise_landmarks, points), frames),
        "EWE and uncertainty, 64 recordings of 3 min": (gold, 64 * 1800),
        "voice and face to fused predictions": (whole, frames),
    }
    rows = []
    for what, (work, items) in alone.items():
        rate = _rate(work, items)
        rows.append((f"{what} (frames, {items / rate:.2f} s)", rate, 1.0, "itself"))
    lengths = (100, 400, 1600)
    rates = {length: _rate(partial(train, length), 3200) for length in lengths}
    rows += [
        (f"training, BLSTM of 240 cells, {length} frames (frames)", r, r / rates[100], "100 frames")
        for length, r in rates.items()
    ]
    return rows


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


def _emofan_training() -> list[tuple[str, float, float, str]]:
    """Steps a second of the full-size EmoFAN, of its head or all of it, batches of 8, a thread per core; with memory.

    The alignment network learns in the second row, as its training does. Memory is the process's most, which rows
    above may have needed.
    """
    x = torch.rand(8, 3, 256, 256)
    threads = torch.get_num_threads()
    torch.set_num_threads(CORES)
    rates = {}
    try:
        for name, frozen in (("head alone", True), ("alignment too", False)):
            model = EmoFAN(classes=8).train()
            if frozen:
                freeze_alignment(model)
            optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad])

            def step(model: EmoFAN = model, optimiser: torch.optim.Optimizer = optimiser) -> None:
                out = model(x)
                (out.expression.square().mean() + out.affect.square().mean()).backward()
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)

            rates[name] = _rate(step, 1)
    finally:
        torch.set_num_threads(threads)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [
        (
            f"EmoFAN, 256 px, training, {n}, {CORES} threads (steps of 8; {memory:.1f} GiB)",
            r,
            r / rates["head alone"],
            "head alone",
        )
        for n, r in rates.items()
    ]


def _seeds() -> list[tuple[str, float, float, str]]:
    """Runs a second of a grid of equal trainings, one at a time, over how many seeds it has, and over its pictures."""
    schedule = Schedule(epochs=1, batch=64, learning_rate=1e-3)
    images = np.random.default_rng(0).integers(0, 256, (8_000, 48, 48), dtype=np.uint8)

    def grid(seeds: int, n: int) -> None:
        for seed in range(seeds):
            _small_training(images[:n], schedule, seed)

    seeds = {k: _rate(partial(grid, k, 1_000), k) for k in (1, 2, 4, 8)}
    pictures = {n: _rate(partial(grid, 1, n), n) for n in (1_000, 2_000, 4_000, 8_000)}
    return [
        *((f"grid of runs, {k} seeds (runs)", r, r / seeds[1], "1 seed") for k, r in seeds.items()),
        *(
            (f"training on {n:,} faces (pictures)", r, r / pictures[1_000], "1,000 faces")
            for n, r in pictures.items()
        ),
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


def _reading() -> list[tuple[str, float, float, str]]:
    """Faces a second of a manifest's first reading, by a thread per core, and of the next, from the cache."""
    faces = twin.make_faces(2_000, seed=1, size=64)
    with tempfile.TemporaryDirectory() as folder:
        root, caches = Path(folder) / "data", (Path(folder) / str(i) for i in count())
        write_manifest(faces, root)

        def read(cache: Path) -> None:
            load_manifest(root, size=64, channels=1, cache=cache)

        first = _rate(lambda: read(next(caches)), len(faces))
        again = _rate(lambda: read(Path(folder) / "0"), len(faces))
    return [
        (f"manifest of 2,000 pictures, first reading, {CORES} threads (faces)", first, 1.0, "first reading"),
        ("manifest of 2,000 pictures, from the cache (faces)", again, again / first, "first reading"),
    ]


def _twin() -> list[tuple[str, float, float, str]]:
    """Faces a second over picture size, and segments of action units."""
    sizes = {s: _rate(partial(twin.make_faces, 600, seed=1, size=s), 600) for s in (48, 64, 128, 256)}
    rows = [(f"twin, faces at {s} px", rate, rate / sizes[64], "64 px") for s, rate in sizes.items()]
    colour = _rate(lambda: twin.make_faces(600, seed=1, size=64, channels=3), 600)
    segments = _rate(lambda: twin.make_sequences(seed=1, subjects=40, recordings=4), 160)
    return [
        *rows,
        ("twin, faces at 64 px in colour", colour, colour / sizes[64], "64 px"),
        ("twin, 20 s segments", segments, 1.0, "itself"),
    ]


def _bootstrap() -> list[tuple[str, float, float, str]]:
    """Bootstrap draws a second of a correlation over 3,500 rows, rows or 200 clusters being drawn."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3500))

    def correlation(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.corrcoef(a, b)[0, 1])

    def draw(clusters: np.ndarray | None) -> None:
        cluster_bootstrap(correlation, x, y, clusters=clusters, seed=0, draws=500)

    by_row = _rate(lambda: draw(None), 500)
    by_cluster = _rate(lambda: draw(rng.integers(0, 200, 3500)), 500)
    return [
        ("bootstrap draws, rows", by_row, 1.0, "itself"),
        ("bootstrap draws, clusters", by_cluster, by_cluster / by_row, "rows"),
    ]


def _rate(work: Callable[[], object], items: int) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return items / best


if __name__ == "__main__":
    main()
