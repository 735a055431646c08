"""Other losses and other ways to know a variance, beside the paper's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paperlib import metrics, stats
from paperlib.labels import AFFECT
from paperlib.ledger import ArtefactTable
from paperlib.papers.foteinopoulou2021.measures import in_range, pcc
from paperlib.papers.foteinopoulou2021.plan import BASELINE, DIMENSIONS, LEVELS, PROPOSED, RIVALS
from paperlib.papers.foteinopoulou2021.runs import Runs
from paperlib.stats import paired_differences


class Rivals(Runs):
    """The loss as printed beside other forms of it, and beside other ways to know a variance."""

    def methods(self) -> list[str]:
        """The rivals that this track's labels and seeds allow, the proposed one first."""
        trained = {m for b, m in self.results if b == self.main}
        derived = {"MC dropout"} | (
            {"deep ensemble"} if len(self.results[self.main, BASELINE]) > 2 else set()
        )
        return [m for m in RIVALS if m in trained | derived]

    def loss_forms(self) -> ArtefactTable:
        """Beyond: does the jump of the printed loss at |error| = 1 matter? Paired with the continuous form."""
        for source, record, backbone in self.kinds():
            forms = {m: self.predicted(backbone, m) for m in (PROPOSED, "KL continuous")}
            labelled = np.isfinite(record.affect).all(axis=1)
            observed = None if record.ratings is None else stats.observed_variance(record.ratings)
            for d in DIMENSIONS:
                j = AFFECT.index(d)
                y = record.affect[labelled, j]
                far = [float(np.mean(np.abs(m[labelled, j] - y) > 1)) for m in forms[PROPOSED].mean]
                self.ledger.add(
                    "loss_forms",
                    f"{source}: {d}",
                    "share of errors above 1",
                    source=source,
                    n=len(y),
                    values=far,
                    **in_range("share", far),
                )
                measured = {"PCC": [[pcc(m[labelled, j], y) for m in p.mean] for p in forms.values()]}
                if observed is not None:
                    rated = np.isfinite(observed[:, j])
                    measured["PCC of variances"] = [
                        [pcc(v[rated, j], observed[rated, j]) for v in p.variance] for p in forms.values()
                    ]
                for name, (as_printed, continuous) in measured.items():
                    self.ledger.add(
                        "loss_forms",
                        f"{source}: {d}",
                        f"{name}, printed - continuous",
                        source=source,
                        n=len(y),
                        values=paired_differences(as_printed, continuous),
                    )
        return self.shown("loss_forms")

    def rivals(self) -> ArtefactTable:
        """Beyond: every method's accuracy, knowledge of the raters' variance, calibration and cost."""
        if self.faces is None:
            self._nothing("rivals", "no faces")
            return self.shown("rivals")
        for method in (BASELINE, *self.methods()):
            for d in DIMENSIONS:
                for name, values in self._judged(method, AFFECT.index(d)).items():
                    self.ledger.add(
                        "rivals",
                        method,
                        f"{d}: {name}",
                        source="faces",
                        n=len(self.faces),
                        values=values,
                        results=self.predicted(self.main, method).results,
                        **in_range(name, values),
                    )
            trainings = len(self.results[self.main, "Gaussian NLL"]) - 1 if method == "deep ensemble" else 1
            self.ledger.add(
                "rivals",
                method,
                "networks to train",
                source="faces",
                n=len(self.faces),
                interval=float(trainings),
            )
        return self.shown("rivals")

    def _judged(self, method: str, j: int) -> dict[str, list[float]]:
        """A method's measures, one value a seed; those of the variance only where the method has one."""
        assert self.faces is not None
        predicted = self.predicted(self.main, method)
        labelled = np.isfinite(self.faces.affect).all(axis=1)
        y = self.faces.affect[labelled, j]
        out = {
            "PCC": [pcc(m[labelled, j], y) for m in predicted.mean],
            "RMSE": [float(metrics.rmse(m[labelled, j], y)) for m in predicted.mean],
        }
        if method == BASELINE:
            return out
        both = [
            (m[labelled, j], v[labelled, j]) for m, v in zip(predicted.mean, predicted.variance, strict=True)
        ]
        out["NLL of the label"] = [float(metrics.gaussian_nll(m, v, y)) for m, v in both]
        out["95 % coverage of the label"] = [float(metrics.interval_coverage(m, v, y)) for m, v in both]
        if self.faces.ratings is not None:
            observed = stats.observed_variance(self.faces.ratings)[:, j]
            rated = np.isfinite(observed)
            out["PCC with raters' variance"] = [pcc(v[rated, j], observed[rated]) for v in predicted.variance]
            item, rater = np.nonzero(np.isfinite(self.faces.ratings[..., j]))
            single = self.faces.ratings[item, rater, j]
            out["95 % coverage of one rater"] = [
                float(metrics.interval_coverage(m[item, j], v[item, j], single))
                for m, v in zip(predicted.mean, predicted.variance, strict=True)
            ]
        if self.faces.truth is not None:
            truth = self.faces.truth.variance[:, j]
            out["PCC with the true variance"] = [pcc(v[:, j], truth) for v in predicted.variance]
        return out

    def against_rivals(self) -> ArtefactTable:
        """Beyond: the proposed loss less each rival, paired over seeds, on the raters' (and the true) variance.

        No verdict on the ensembles: they share their members, and an interval as of independent ones is too narrow.
        """
        if self.faces is None or self.faces.ratings is None:
            self._nothing("against_rivals", "no single ratings")
            return self.shown("against_rivals")
        measures = ["PCC with raters' variance"]
        measures += ["PCC with the true variance"] if self.faces.truth is not None else []
        for d in DIMENSIONS:
            j = AFFECT.index(d)
            ours = self._judged(PROPOSED, j)
            for method in self.methods()[1:]:
                theirs = self._judged(method, j)
                for name in measures:
                    gains = paired_differences(ours[name], theirs[name])
                    shared = method == "deep ensemble"
                    self.ledger.add(
                        "against_rivals",
                        f"less {method}",
                        f"{d}: {name}",
                        source="faces",
                        n=len(self.faces),
                        values=gains,
                        interval=stats.Interval(estimate=np.nan, low=np.nan, high=np.nan, level=0.95)
                        if shared
                        else None,
                        about="none for ensembles, which share members" if shared else "",
                        verdict="" if shared else stats.verdict(stats.mean_interval(gains), 1),
                    )
        return self.shown("against_rivals")

    def coverage(self) -> dict[str, NDArray]:
        """Share of labels in the central interval of each of LEVELS, by method: (levels, 2), average of seeds."""
        assert self.faces is not None
        labelled = np.isfinite(self.faces.affect).all(axis=1)
        y = self.faces.affect[labelled]
        curves = {}
        for method in self.methods():
            p = self.predicted(self.main, method)
            each = [
                metrics.coverage_curve(m[labelled], v[labelled], y, LEVELS)
                for m, v in zip(p.mean, p.variance, strict=True)
            ]
            curves[method] = np.mean(each, axis=0)
        return curves
