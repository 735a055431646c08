"""Table 4: networks and raters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperlib import stats
from paperlib.labels import AFFECT
from paperlib.ledger import ArtefactTable
from paperlib.papers.toisoul2021.measures import (
    claim_of,
    of_most,
    printed_ccc,
    printed_cells,
    printed_step,
    sign_of,
)
from paperlib.papers.toisoul2021.plan import (
    MEASURES,
    NO_SEWA,
    OVER_FACES,
    PEOPLE,
    VOTES_ALONE,
    WITH_ALL,
    WITH_ONE,
    WITH_REST,
    Told,
)
from paperlib.papers.toisoul2021.runs import Runs
from paperlib.stats import Interval, Verdict

MADE = "the twin's raters are made to differ so"
SET = "how far the twin's raters agree is set by its maker"


class People(Runs):
    """How the network agrees with raters, beside how they agree with each other."""

    def table4(self) -> ArtefactTable:
        """Table 4: people with each other and with the network; the paper's label, too, is one person's."""
        printed, rows = printed_cells(4), {PEOPLE: "AffectNet Human IA", WITH_ONE: "AffectNet Ours"}
        ours = {theirs: row for row, theirs in rows.items()}
        people, network = self.people(), self.network()
        measured = {(c, m) for found in (people, network) for c, scores in found.items() for m in scores}
        for (theirs, measure), cell in printed.items():
            row = ours.get(theirs, theirs) if people else theirs
            if (row, measure) not in measured:
                data = theirs.partition(" ")[0]
                self.ledger.add("table4", row, measure, source="", n=0, printed=cell, printed_on=data)

        def as_printed(comparison: str, measure: str) -> dict[str, Any]:
            cell = printed.get((rows.get(comparison, ""), measure), "")
            return {"printed": cell, "printed_on": "AffectNet"}

        n, about = len(self.affect), OVER_FACES.format(unit=self.unit)
        for comparison, intervals in people.items():
            for measure, interval in intervals.items():
                told = as_printed(comparison, measure)
                self.ledger.add(
                    "table4", comparison, measure, source="faces", n=n, interval=interval, about=about, **told
                )
        for comparison, scores in network.items():
            for measure, values in scores.items():
                self._add("table4", comparison, measure, values, n=n, **as_printed(comparison, measure))
        told = {d: printed_step(4, rows[PEOPLE], rows[WITH_ONE], f"CCC {d}") for d in AFFECT}
        gains = self.gains_over_people()
        for measure, gained in gains.items():
            claim = f"The network agrees with people better than they do with each other ({measure})"
            claimed = claim_of(told["arousal"], claim, "human-arousal") if measure == "CCC arousal" else {}
            claimed |= self._if_made if claimed else {}
            self._judged("table4", f"{WITH_ONE} - {PEOPLE}", measure, gained, about=self._fixed, **claimed)
        people_alone = " to ".join(printed[rows[PEOPLE], f"CCC {d}"] for d in reversed(AFFECT))
        if "CCC valence" in gains:
            self._as_good_as_people(gains["CCC valence"], told["valence"])
            self._superior_to_people(gains)
            easier = self._over_test(
                lambda x: _pairwise(x[:, :, 0], measure="CCC") - _pairwise(x[:, :, 1], measure="CCC"),
                self.ratings(),
            )
            claimed = {"claim": "People agree more on valence than on arousal", "claim_id": "valence-easier"}
            claimed |= {"printed": people_alone, "printed_on": "AffectNet"}
            if self.track.name == "twin":
                claimed["verdict"] = f"{Verdict.NOT_ATTEMPTED}: {MADE}"
            self._judged("table4", f"{PEOPLE}: valence - arousal", "CCC", easier, **claimed)
        else:
            why = "nobody rated valence or arousal" if people else "single raters are not known"
            words = {f"human-{d}": of.words for d, of in told.items() if of} | {
                "human-superior": printed_ccc(4, rows[PEOPLE], rows[WITH_ONE]),
                "valence-easier": people_alone,
            }
            for claim_id, text in words.items():
                self._not_attempted("table4", claim_id, why, printed=text, printed_on="AffectNet")
        on_sewa = {"printed": printed_ccc(4, "SEWA Human IA", "SEWA Ours"), "printed_on": "SEWA"}
        self._not_attempted("table4", "human-sewa", NO_SEWA, **on_sewa)
        return self.table("table4")

    def _as_good_as_people(self, gained: Interval, told: Told | None) -> None:
        """ "At least as good": the gain with one unit of the last printed place added."""
        assert told is not None
        self._judged(
            "table4",
            f"{WITH_ONE} + {told.place:g} - {PEOPLE}",
            "CCC valence",
            _moved(gained, told.place),
            about=self._fixed,
            claim="The network agrees with people at least as well as they do with each other, but for "
            f"{told.place:g} (CCC valence)",
            claim_id="human-valence",
            printed=told.words,
            printed_on="AffectNet",
            **self._if_made,
        )

    def _superior_to_people(self, gains: Mapping[str, Interval]) -> None:
        """The note of table 4, in PCC and CCC; where the table prints equal numbers, as good is enough."""
        for dimension, name in product(AFFECT, ("PCC", "CCC")):
            measure = f"{name} {dimension}"
            told = printed_step(4, "AffectNet Human IA", "AffectNet Ours", measure)
            assert told is not None
            allowed = 0 if told.gain > 0 else told.place
            more = f" + {allowed:g}" if allowed else ""
            self._judged(
                "table4",
                f"by its note: {WITH_ONE}{more} - {PEOPLE}",
                measure,
                _moved(gains[measure], allowed),
                about=self._fixed,
                claim="The network's agreement with people is superior to theirs"
                f"{f', but for {allowed:g}' if allowed else ''} ({measure})",
                claim_id="human-superior",
                printed=told.words,
                printed_on="AffectNet",
                **self._if_made,
            )

    @property
    def _if_made(self) -> dict[str, str]:
        """For a claim of a network against raters: nothing is decided by it where a program made the raters."""
        return {"verdict": f"{Verdict.NOT_ATTEMPTED}: {SET}"} if self.track.name == "twin" else {}

    def gains_over_people(self) -> dict[str, Interval]:
        """By measure: what networks, mean over seeds, have with one rater, less what two raters have together."""
        if self.parts.faces.ratings is None:
            return {}
        found, ratings = {}, self.ratings()
        for d, dimension in enumerate(self._rated):
            predicted = np.stack([r["affect"][:, d] for r in self.results[self.best]], axis=1).astype(
                np.float64
            )
            for measure in MEASURES:

                def more(x: NDArray, p: NDArray, measure: str = measure) -> float:
                    one = _with_each(p, x, measure=measure)
                    return sign_of(measure) * (one - _pairwise(x, measure=measure))

                found[f"{measure} {dimension}"] = self._over_test(more, ratings[:, :, d], predicted)
        faces = self.parts.faces
        if faces.votes is not None and self.results[self.best][0].run.settings["categories"]:
            named = np.stack([r["logits"].argmax(axis=1) for r in self.results[self.best]], axis=1)
            votes = faces.votes[self.parts.test].astype(np.float64)
            found["accuracy"] = self._over_test(
                lambda v, c: _named_share(v, c) - _votes_agree(v), votes, named
            )
        return found

    def people(self) -> dict[str, dict[str, Interval]]:
        """How far raters of the test faces agree, comparison -> measure -> interval over faces: means over raters."""
        faces = self.parts.faces
        if faces.ratings is None:
            return {}
        found: dict[str, dict[str, Interval]] = {PEOPLE: {}, WITH_REST: {}}
        ratings = self.ratings()
        for d, dimension in enumerate(self._rated):
            one = ratings[:, :, d]
            for measure in MEASURES:
                name = f"{measure} {dimension}"
                found[PEOPLE][name] = self._over_test(partial(_pairwise, measure=measure), one)
                found[WITH_REST][name] = self._over_test(partial(_with_rest, measure=measure), one)
        if faces.votes is not None:
            votes = faces.votes[self.parts.test].astype(np.float64)
            found[PEOPLE]["accuracy"] = self._over_test(_votes_agree, votes)
            found[WITH_REST]["accuracy"] = self._over_test(_vote_with_rest, votes)
        return found

    def ratings(self) -> NDArray[np.float64]:
        """The test faces' (n_test, K, 2)."""
        assert self.parts.faces.ratings is not None
        return self.parts.faces.ratings[self.parts.test].astype(np.float64)

    @property
    def _rated(self) -> Sequence[str]:
        """The dimensions that single people rated: none where a vote stands for a valence and an arousal."""
        return () if self.track.name in VOTES_ALONE else AFFECT

    def network(self) -> dict[str, dict[str, list[float]]]:
        """How far the best networks agree with raters: comparison -> measure -> one value a seed.

        With one of them, the mean over raters; with all, their mean, which no single person is compared with, or of
        categories the one that most chose.
        """
        faces, test = self.parts.faces, self.parts.test
        if faces.ratings is None:
            return {}
        found: dict[str, dict[str, list[float]]] = {WITH_ONE: {}, WITH_ALL: {}}
        ratings = self.ratings()
        for r in self.results[self.best]:
            for d, dimension in enumerate(self._rated):
                p, x = r["affect"][:, d].astype(np.float64), ratings[:, :, d]
                for measure, function in MEASURES.items():
                    one = _with_each(p[:, None], x, measure=measure)
                    whole = _complete(function, p, np.nanmean(x, axis=1))
                    for comparison, value in ((WITH_ONE, one), (WITH_ALL, whole)):
                        found[comparison].setdefault(f"{measure} {dimension}", []).append(value)
            if faces.votes is not None and r.run.settings["categories"]:
                votes = faces.votes[test].astype(np.float64)
                named = r["logits"].argmax(axis=1)
                found[WITH_ONE].setdefault("accuracy", []).append(_named_share(votes, named[:, None]))
                found[WITH_ALL].setdefault("accuracy", []).append(float(of_most(votes, named).mean()))
        return found

    def _over_test(self, statistic: Callable[..., float], *of: NDArray) -> Interval:
        """Over the test faces, whole persons where they are known; fewer draws, each is some hundred correlations."""
        draws = max(self.plan.draws // 5, 20)
        return stats.cluster_bootstrap(statistic, *of, clusters=self._persons, seed=0, draws=draws)

    def _judged(self, artefact: str, row: str, column: str, found: Interval, **rest: Any) -> None:
        common: dict[str, Any] = {"about": self._resampled, "verdict": str(stats.verdict(found, 1))}
        fields = {**common, **rest, "interval": found, "source": "faces", "n": len(self.affect)}
        self.ledger.add(artefact, row, column, **fields)

    @property
    def _resampled(self) -> str:
        return OVER_FACES.format(unit=self.unit)

    @property
    def _fixed(self) -> str:
        """Of an interval that the choice of networks has no part in."""
        return f"{self._resampled}, for these {len(self.results[self.best])} networks"


def _moved(found: Interval, by: float) -> Interval:
    return replace(found, **{f: getattr(found, f) + by for f in ("estimate", "low", "high")})


def _complete(function: Callable[..., Any], a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Over the rows that both have."""
    both = np.isfinite(a) & np.isfinite(b)
    return float(function(a[both], b[both]))


def _pairwise(ratings: NDArray[np.float64], *, measure: str) -> float:
    """Mean over pairs of raters (n, K)."""
    pairs = combinations(range(ratings.shape[1]), 2)
    return float(np.mean([_complete(MEASURES[measure], ratings[:, i], ratings[:, j]) for i, j in pairs]))


def _with_each(predicted: NDArray[np.float64], ratings: NDArray[np.float64], *, measure: str) -> float:
    """Mean over networks (n, seeds) and raters (n, K)."""
    pairs = product(predicted.T, ratings.T)
    return float(np.mean([_complete(MEASURES[measure], p, x) for p, x in pairs]))


def _named_share(votes: NDArray[np.float64], named: NDArray) -> float:
    """Mean share of a face's votes (n, K) that the categories named by networks (n, seeds) have."""
    share = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    return float(np.take_along_axis(share, named, axis=1).mean())


def _with_rest(ratings: NDArray[np.float64], *, measure: str) -> float:
    """Mean over raters (n, K) of the measure between each and the mean of the others."""
    total, count = np.nansum(ratings, axis=1), np.isfinite(ratings).sum(axis=1)
    found = []
    for k in range(ratings.shape[1]):
        own = np.isfinite(ratings[:, k])
        others = np.where(
            own & (count > 1), (total - np.nan_to_num(ratings[:, k])) / np.maximum(count - 1, 1), np.nan
        )
        found.append(_complete(MEASURES[measure], ratings[:, k], others))
    return float(np.mean(found))


def _votes_agree(votes: NDArray[np.float64]) -> float:
    """Chance that two voters of a face, drawn without replacement, name the same category: votes (n, K)."""
    total = votes.sum(axis=1)
    use = total > 1
    same = (votes * (votes - 1)).sum(axis=1)[use] / (total * (total - 1))[use]
    return float(same.mean())


def _vote_with_rest(votes: NDArray[np.float64]) -> float:
    """Chance that a voter of a face names the category that most of the others name; a tie counts by its share."""
    total = votes.sum(axis=1)
    hits = np.zeros(len(votes))
    for k in range(votes.shape[1]):
        rest = votes.copy()
        rest[:, k] -= 1
        most = rest == rest.max(axis=1, keepdims=True)
        hits += np.where(votes[:, k] > 0, votes[:, k] * most[:, k] / most.sum(axis=1), 0)
    return float((hits[total > 1] / total[total > 1]).mean())
