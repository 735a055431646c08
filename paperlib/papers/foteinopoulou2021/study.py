"""foteinopoulou2021's page as a whole."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import nct, norm
from scipy.stats import t as student

from paperlib import stats
from paperlib.companion.published import parse
from paperlib.labels import AFFECT
from paperlib.ledger import Entry
from paperlib.papers.foteinopoulou2021.errors import Errors
from paperlib.papers.foteinopoulou2021.plan import CAVEATS, CENTRAL, DIMENSIONS, KEY, KINDS, NEEDS_RATERS
from paperlib.papers.foteinopoulou2021.raters import Raters
from paperlib.papers.foteinopoulou2021.rivals import Rivals
from paperlib.papers.foteinopoulou2021.subsets import Subsets
from paperlib.papers.foteinopoulou2021.variance import LearnedVariance

UNTRAINED = 0.1  # a network whose PCC with the label is below this has not learned
PRINTS_DIFFERENCES = ("table1", "table2", "figure5", "table3", "table4", "table5")


class Study(Raters, LearnedVariance, Subsets, Errors, Rivals):
    """All of the paper's runs on one track, and the numbers made of them."""

    def caveat(self) -> str:
        """What a reader of this track's page must know first, in Markdown."""
        return self.track.caution + CAVEATS.get(
            self.track.name, f"Licensed data, read from the official layout of {self.track.name}."
        )

    def conclusion(self) -> str:
        """The page's answer in Markdown, put together from the ledger's numbers and verdicts."""
        verdicts = self.ledger.verdicts()
        kind = verdicts["verdict"].str.partition(":")[0]
        counts = ", ".join(f"{n} {v}" for v, n in kind.value_counts().items())
        stated = len({e.claim_id for e in self.ledger.entries if e.claim})
        lines = [
            f"**In short** (track {self.track.name}, profile {self.track.profile}): {stated} statements of the paper, "
            f"tested in {len(verdicts)} lines: {counts}.",
            "",
        ]
        lines += self._behind_the_verdicts()
        for source in ("sequences", "faces"):
            try:
                lines.append(f"- Learned and raters' variance, {source}: {self._beside_ceiling(source)}.")
            except LookupError:
                continue
        lines += self._closest()
        lines += self._by_other_category()
        if unlearned := self.unlearned():
            lines.append(
                f"- Not learned (PCC below {UNTRAINED:g} in both dimensions), and averaged in all the same: "
                f"{'; '.join(unlearned)}."
            )
        power = self.power()
        if len(power):
            lines.append(
                f"- Of the {len(power)} differences measured here that the paper prints too, one as large as printed "
                f"would be told from none more often than not in {(power['chance'] > 0.5).sum()}, and four times in "
                f"five in {(power['chance'] >= 0.8).sum()}."
            )
        lines += [
            f"- {e.claim}: {e.verdict}."
            for e in self.ledger.entries
            if e.claim_id in ("pcc-improves-images-and-sequences", "improves-both-datasets")
        ]
        return "\n".join(lines)

    def _behind_the_verdicts(self) -> list[str]:
        """How many different measurements the lines that held, and those that did not, rest on."""
        said = []
        for word in (stats.Verdict.HELD, stats.Verdict.DID_NOT_HOLD):
            judged = [e for e in self.ledger.entries if e.claim and e.verdict.partition(":")[0] == word]
            behind = list(dict.fromkeys(name for e in judged for name in self.rests_on(e)))
            if judged:
                names = f": {'; '.join(behind)}" if word == stats.Verdict.DID_NOT_HOLD else ""
                said.append(
                    f"- Lines that {word}: {len(judged)}; different measurements behind them: {len(behind)}{names}."
                )
        return said

    def rests_on(self, e: Entry) -> list[str]:
        """What was measured behind a judged claim: claims that share it are no independent evidence.

        All measures of one network in one dimension are one measurement, and so are all comparisons of noisy and clean
        faces in one dimension. "Every gain" rests on the gains that decide it.
        """
        artefact, (name, _, what) = e.artefact.partition("/")[2], e.row.rpartition(": ")
        if what == "every gain":
            asked = e.column.partition(":")[0].split(", ")
            gains = [
                g
                for g in self.ledger.entries
                if g.row.endswith(": gain")
                and g.column.rpartition(" ")[2] in asked
                and KINDS[g.artefact.partition("/")[2]] in name
            ]
            ahead = [g for g in gains if g.ahead]
            behind = [g for g in gains if g.behind]
            decided = behind if e.verdict == stats.Verdict.DID_NOT_HOLD else gains
            if e.verdict == stats.Verdict.CANNOT_TELL:
                decided = [g for g in gains if g not in ahead]
            return list(dict.fromkeys(f"{g.row}, {g.column.split()[0]}" for g in decided))
        if what == "mean gain":
            return [f"{name}: gain, {d}" for d in DIMENSIONS]
        if artefact in ("table3", "figure7", "ttest"):
            dimensions = [d for d in DIMENSIONS if d in e.row]
            if not dimensions:
                alone = [o.row for o in self.ledger.entries if o.values == e.values and o is not e]
                dimensions = [d for d in DIMENSIONS if any(d in row for row in alone)] or list(DIMENSIONS)
            return [f"variance of noisy less clean faces, {d}" for d in dimensions]
        if artefact == "table2":
            dimensions = [d for d in DIMENSIONS if d in e.row]
            return [f"learned and raters' variance, {e.row.partition(':')[0]}, {d}" for d in dimensions]
        names = {"variance_size": "size of the learned variance", "figure4": "raters' variances"}
        return [f"{names.get(artefact, artefact)}, {e.row}"]

    def _beside_ceiling(self, source: str) -> str:
        """Both dimensions' correlation of Table II beside its ceiling, and on the twin beside what truth reaches."""
        columns = ("PCC with raters'", "ceiling", "PCC of true")
        has_truth = any(e.column.startswith(columns[2]) for e in self.ledger.table("table2").entries)
        each = []
        for k, d in enumerate(AFFECT):
            r, highest = (self._of_table2(source, c)[k] for c in columns[:2])
            true = (
                f"; the true variance reaches {self.of_table2(source, columns[2])[k]:.2f}"
                if has_truth
                else ""
            )
            bounds = f"[{highest.low:.2f}, {highest.high:.2f}]"
            each.append(f"{d} {r.measured:.2f} (ceiling from ratings {highest.measured:.2f} {bounds}{true})")
        return ", ".join(each)

    def _closest(self) -> list[str]:
        """The method whose variance follows the raters' most, of all and of those told means; over common seeds."""
        said = []
        for d, group in self.variance_correlations().groupby("dimension"):
            ordered = group.sort_values("estimate", ascending=False)
            best = ordered.iloc[0]
            line = (
                f"- Highest correlation with the raters' variance on the seeds that all methods have, {d}: "
                f"{best['method']} ({best['estimate']:.2f})"
            )
            if best["method"] in NEEDS_RATERS:
                mean = ordered[~ordered["method"].isin(NEEDS_RATERS)].iloc[0]
                line += (
                    f", which is told single ratings; of those told the mean label alone, {mean['method']} "
                    f"({mean['estimate']:.2f})"
                )
            said.append(line + ".")
        return said

    def _by_other_category(self) -> list[str]:
        """What becomes of noisy less clean faces if the category is another source's."""
        found = [e for e in self.ledger.entries if e.artefact == f"{KEY}/category_source"]
        shares = {e.row: e for e in found if e.column == "noisy faces, %"}
        said = []
        for source, share in list(shares.items())[1:]:
            each = [
                f"{e.row.removeprefix(f'{source}: ').partition(',')[0]} {e.measured:+.4f} [{e.low:.4f}, {e.high:.4f}]"
                for e in found
                if e.row.startswith(f"{source}: ") and e.row.endswith("noisy - clean")
            ]
            first = next(iter(shares.values()))
            said.append(
                f"- By {first.row}, {first.measured:.1f} % of the faces are noisy ({first.printed} % in the paper); by "
                f"the {source}, {share.measured:.1f} %, and noisy less clean predicted variance is {', '.join(each)}."
            )
        return said

    def by_seed(self) -> pd.DataFrame:
        """Every network's PCC with the label in Tables IV and V: a line a network and dimension, a column a seed."""
        lines = [
            {
                "network": e.row.rpartition(": ")[0],
                "trained with": e.row.rpartition(": ")[2],
                "dimension": e.column.partition(" ")[0],
                **{f"seed {k}": v for k, v in enumerate(e.values)},
            }
            for e in self.ledger.entries
            if e.artefact in (f"{KEY}/table4", f"{KEY}/table5")
            and e.column.endswith(" PCC")
            and e.row.rpartition(": ")[2] in CENTRAL
        ]
        return pd.DataFrame(lines)

    def unlearned(self) -> list[str]:
        """The networks of Tables IV and V whose PCC is below UNTRAINED in both dimensions, with their seeds."""
        best: dict[str, NDArray] = {}
        for line in self.by_seed().to_dict("records"):
            name = f"{line['network']} with {line['trained with']}"
            values = np.array([v for k, v in line.items() if str(k).startswith("seed ")])
            best[name] = np.maximum(best.get(name, values), values)
        return [
            f"{name}, {', '.join(f'seed {k}' for k in np.flatnonzero(values < UNTRAINED))}"
            for name, values in best.items()
            if (values < UNTRAINED).any()
        ]

    def power(self) -> pd.DataFrame:
        """Beside every printed difference of Tables I to V and figure 5: could one of its size be told here?

        Columns: artefact, row, column, printed (of the paper's data and network), measured, even (half the width of the
        interval: a true difference of this size is told from none every second time), often (the size that is told four
        times in five), and chance (that a true difference of the printed size, if not 0, is told, spread being what it
        is here: noncentral t of the seeds, normal for a bootstrap).
        """
        lines = []
        for e in self.ledger.entries:
            judged = e.verdict and not e.verdict.startswith(stats.Verdict.NOT_ATTEMPTED)
            differs = " - " in e.row or e.row.endswith(("gain", "learned variance"))
            artefact = e.artefact.partition("/")[2]
            if not (
                judged and differs and e.printed and np.isfinite(e.low) and artefact in PRINTS_DIFFERENCES
            ):
                continue
            effect, half = abs(parse(e.printed).value), (e.high - e.low) / 2
            if effect and half > 0:
                df = e.seeds - 1 if e.seeds > 1 else np.inf
                often, chance = _told_often(half, df), _chance_of_telling(effect, half, df)
                lines.append((artefact, e.row, e.column, effect, e.measured, half, often, chance))
        columns = ["artefact", "row", "column", "printed", "measured", "even", "often", "chance"]
        return pd.DataFrame(lines, columns=columns)


def _told_often(half: float, df: float) -> float:
    """The difference that an interval of this half width tells from none four times in five."""
    if np.isinf(df):
        return float(half * (1 + norm.ppf(0.8) / norm.ppf(0.975)))
    low, high = half, 4 * half
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance_of_telling(middle, half, df) < 0.8 else (low, middle)
    return high


def _chance_of_telling(effect: float, half: float, df: float) -> float:
    """How often the interval of a true difference lies on its side of zero, `half` being its half width."""
    if np.isinf(df):
        return float(norm.sf(norm.ppf(0.975) * (1 - effect / half)))
    critical = student.ppf(0.975, df)
    return float(nct.sf(critical, df, effect / half * critical))
