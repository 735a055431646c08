"""Tables 1 to 4: accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paperlib import stats
from paperlib.audit import select
from paperlib.companion.published import read_table, read_text
from paperlib.ledger import ArtefactTable
from paperlib.papers.le2023.plan import (
    BASELINE,
    BEHIND,
    BOUNDED,
    CLEAN,
    COMPONENTS,
    CONDITIONS,
    INSTANCES,
    KEY,
    METHODS,
    NATURAL,
    NOISY,
    OURS,
    POPULATIONS,
    RELEASED,
    TINY,
    WAY,
)
from paperlib.papers.le2023.runs import Runs, printed_on
from paperlib.stats import paired_differences
from paperlib.tasks.noisy_labels import (
    second_population,
)

RIVALS = ("label smoothing", "SCN", "RUL")
# What each row of table 4 adds to an earlier one: (what, row, earlier row, the statement that it tests).
STEPS = (
    ("label distributions with adaptive similarity", "(ii)", "(i)", "label-distributions-help"),
    ("the uncertainty factor", "(iii)", "(ii)", "components-help"),
    ("the discriminative loss", "(v)", "(iii)", "components-help"),
    ("adaptive similarity", "(v)", "(iv)", "components-help"),
    ("all of them together", "(v)", "(i)", "components-help"),
)
# what the paper's tables call our methods
PRINTED = {BASELINE: "Baseline", "SCN": "SCN", "RUL": "RUL", OURS: "LDLVA"}


class Recognition(Runs):
    """How right LDLVA and its rivals are, under wrong labels and on clean ones."""

    def table1(self) -> ArtefactTable:
        """Table 1: accuracy under wrong labels, LDLVA's gains, and the share of the natural gap that each closes."""
        printed = read_table(KEY, 1)
        for condition in self.conditions:
            for method in (m for m in (*METHODS, RELEASED) if (condition, m) in self.results):
                share = condition.replace(" ", "")
                self._score(
                    "table1",
                    condition,
                    method,
                    printed=printed_cell(printed, f"{share} {PRINTED.get(method)}"),
                )
        for condition in [c for c in CONDITIONS if c not in (CLEAN, POPULATIONS)]:
            for rival in (BASELINE, *RIVALS):
                if condition != NATURAL and rival in PRINTED:
                    share = condition.replace(" ", "")
                    plain, theirs, ours = (
                        _accuracy(printed, f"{share} {PRINTED[m]}") for m in (BASELINE, rival, OURS)
                    )
                    self._lead(
                        "table1",
                        condition,
                        rival,
                        f"LDLVA as printed is more accurate than {rival} with {condition} wrong labels",
                        before=float(theirs) - float(plain),
                        claim_id="noise-all-cases",
                        printed=f"{theirs} to {ours}",
                        printed_on="RAF-DB",
                    )
                elif (condition, rival) in self.results:
                    self._lead("table1", condition, rival)
                if rival in ("SCN", "RUL") and (condition, rival) in self.results:
                    self._gain("table1", condition, rival, BASELINE)
            if (condition, BOUNDED) in self.results:
                for rival in (BASELINE, OURS):
                    self._gain("table1", condition, BOUNDED, rival)
            if (condition, RELEASED) in self.results:
                self._gain("table1", condition, RELEASED, BASELINE)
        self._over_flips()
        text = read_text(KEY)["printed"]
        about: dict[str, Any] = {
            "claim_id": "noise-grows",
            "printed": f"{text['margin-rafdb-10']} to {text['margin-rafdb-30']}",
            "printed_on": "RAF-DB",
        }
        claim = "The gain of LDLVA as printed over the baseline grows with the noise, from 10 to 30 %"
        row = "LDLVA - baseline"
        if "10 %" in self.conditions:
            growth = paired_differences(
                self._gains(NOISY, OURS, BASELINE), self._gains("10 %", OURS, BASELINE)
            )
            self._over_seeds("table1", row, "30 % less 10 %: accuracy", growth, claim, **about)
        else:
            self.ledger.not_attempted("table1", claim, self.track.no_time, **about)
        growth = paired_differences(self._gains(NOISY, OURS, BASELINE), self._gains(CLEAN, OURS, BASELINE))
        self._over_seeds("table1", row, "30 % less 0 %: accuracy", growth)
        if NATURAL in self.conditions:
            self._over_seeds("table1", WAY, "natural: accuracy", self._way(), unit="%")
            for method in (m for m in (*METHODS[1:], RELEASED) if (NATURAL, m) in self.results):
                self._gap_closed("table1", method)
        self._collapse("table1", self.hard)
        return self._table("table1")

    def _over_flips(self) -> None:
        """Gains over the plain network, their mean over all shares of flips: more can be told of it than of each."""
        flips = [c for c in CONDITIONS if c not in (CLEAN, NATURAL, POPULATIONS)]
        for method in (OURS, RELEASED):
            if all((c, method) in self.results for c in flips):
                gains = [self._gains(c, method, BASELINE) for c in flips]
                mean = np.mean(gains, axis=0).tolist()
                column = f"{', '.join(flips)}, their mean: accuracy"
                self._over_seeds("table1", f"{method} - {BASELINE}", column, mean, unit="%")

    def collapsed(self, condition: str, method: str) -> float:
        """Per cent of the training faces none of whose neighbours has a calibration score above `TINY`; first seed."""
        score = self.results[condition, method][0]["calibration"]
        return 100 * float((score.max(axis=1) < TINY).mean())

    def _collapse(self, artefact: str, condition: str) -> None:
        """Beside what is judged of LDLVA: does its adaptive similarity still weigh neighbours?"""
        column = f"{condition}: % of faces with every score below {TINY}, first seed"
        for method in (m for m in INSTANCES if (condition, m) in self.results):
            self._single(artefact, method, column, self.collapsed(condition, method), n=self.n_train)

    def instances(self) -> ArtefactTable:
        """Of the three instances of LDLVA: how many faces' neighbours get next to no score, and how scores vary."""
        for condition in dict.fromkeys((self.hard, CLEAN)):
            self._collapse("instances", condition)
            for method in (m for m in INSTANCES if (condition, m) in self.results):
                score = self.results[condition, method][0]["calibration"].astype(np.float64)
                column = f"{condition}: score, standard deviation, first seed"
                self._single("instances", method, column, float(score.std()), n=self.n_train)
        return self.ledger.table("instances")

    def table2(self) -> ArtefactTable:
        """Table 2's protocol: half of the faces labelled by one population, half by another, tested on each."""
        rivals = [row for row in read_table(KEY, 2)["row"].unique() if row != OURS]
        claim = f"LDLVA is more accurate than {', '.join(rivals)} where two populations labelled the faces"
        why = "none of these methods is built here"
        self.ledger.not_attempted("table2", claim, why, claim_id="populations-best")
        if (POPULATIONS, OURS) not in self.results:
            both = self.faces.original is not None
            why = self.track.no_time if both else "one population labelled this data set"
            self.ledger.not_attempted("table2", "", why)
            return self.ledger.table("table2")
        rows = self.parts.test_rows
        tests: dict[str, NDArray] = {
            "first": self.category(rows),
            "second": second_population(self.track)[rows],
        }
        average = {}
        for method in (BASELINE, OURS):
            scores = {name: self.accuracy(POPULATIONS, method, label) for name, label in tests.items()}
            scores["average"] = average[method] = np.mean(list(scores.values()), axis=0).tolist()
            for name, values in scores.items():
                results = self.results[POPULATIONS, method]
                self._over_seeds("table2", method, f"accuracy, {name}", values, results=results)
        gains = paired_differences(average[OURS], average[BASELINE])
        self._over_seeds("table2", "LDLVA - baseline", "accuracy, average", gains)
        return self.ledger.table("table2")

    def table3(self) -> ArtefactTable:
        """Table 3: accuracy trained on the data set's labels as they are, here the consensus."""
        printed = read_table(KEY, 3)
        for method in (m for m in (*METHODS, RELEASED) if (CLEAN, m) in self.results):
            self._score("table3", CLEAN, method, printed=printed_cell(printed, PRINTED.get(method, "")))
        for rival in ("SCN", "RUL"):
            # No printed lead over the plain network: table 3 quotes both from papers whose plain network was another.
            self._lead(
                "table3",
                CLEAN,
                rival,
                f"LDLVA as printed is more accurate than {rival} on the original labels",
                claim_id="original-best",
                printed=" to ".join(_accuracy(printed, row) for row in (rival, OURS)),
                printed_on="RAF-DB",
            )
            if (CLEAN, rival) in self.results:
                self._gain("table3", CLEAN, rival, BASELINE)
        others = [row for row in printed["row"].unique() if row not in PRINTED.values()]
        claim = f"LDLVA is more accurate than {', '.join(others)} on the original labels"
        why = "none of these methods is built here"
        self.ledger.not_attempted("table3", claim, why, claim_id="original-best")
        for method in (m for m in INSTANCES if (CLEAN, m) in self.results):
            self._gain("table3", CLEAN, method, BASELINE)
        self._collapse("table3", CLEAN)
        return self._table("table3")

    def table4(self) -> ArtefactTable:
        """Table 4: the five settings, and what each component adds."""
        printed = read_table(KEY, 4)
        columns = {CLEAN: "RAF-DB (original)", self.hard: "RAF-DB (30% noise)"}
        settings = {"(i)": BASELINE, **{name.split()[0]: name for name in COMPONENTS}, "(v)": OURS}
        for condition, column in columns.items():
            for number, method in settings.items():
                row = method if method.startswith(number) else f"{number} {method}"
                if (condition, method) in self.results:
                    self._score(
                        "table4", condition, method, row=row, printed=printed_cell(printed, number, column)
                    )
            if (condition, RELEASED) in self.results:
                self._score("table4", condition, RELEASED)
        if self.hard == NATURAL:
            for name in COMPONENTS:
                self._gap_closed("table4", name)
        for condition, column in columns.items():
            on = "wrong labels" if condition == self.hard else "original labels"
            for what, more, less, claim_id in STEPS:
                about = {
                    "claim_id": claim_id,
                    "printed": " to ".join(_accuracy(printed, row, column) for row in (less, more)),
                    "printed_on": printed_on(condition),
                }
                claim, pair = f"Adding {what} helps on {on} (as printed)", (settings[more], settings[less])
                if any((condition, method) not in self.results for method in pair):
                    self.ledger.not_attempted("table4", claim, self.track.no_time, **about)
                elif what == "adaptive similarity":
                    self._similarity_added(condition, pair, claim, **about)
                else:
                    self._gain("table4", condition, *pair, claim, **about)
            if (condition, RELEASED) in self.results:
                self._gain("table4", condition, RELEASED, BASELINE)
            self._collapse("table4", condition)
        return self._table("table4")

    def _similarity_added(self, condition: str, pair: tuple[str, str], claim: str, **about: Any) -> None:
        """Adaptive similarity's own step; no gain speaks for it where it weighs nobody's neighbours."""
        gains, none = self._gains(condition, *pair), self.collapsed(condition, OURS)
        said = str(stats.verdict(stats.mean_interval(gains), 1))
        if none > 50 and said != stats.Verdict.DID_NOT_HOLD:
            said = f"{stats.Verdict.CANNOT_TELL}: all scores are below {TINY} on {none:.0f} % of the faces, "
            said += "so that what was added hardly works"
        row, column, n = " - ".join(pair), f"{condition}: accuracy", len(self.parts.test_rows)
        about |= {"unit": "%", "claim": claim, "verdict": said}
        self.ledger.add("table4", row, column, source="faces", n=n, values=gains, **about)

    def _lead(
        self,
        artefact: str,
        condition: str,
        rival: str,
        claim: str = "",
        *,
        before: float | None = None,
        **about: Any,
    ) -> None:
        """LDLVA's lead over a rival, or why there is none; `before` is the rival's printed one over the baseline.

        No lead speaks for LDLVA where the rival itself is behind the baseline: it is not what the paper compared with.
        The rule is the same for the paper's claims and for questions of ours.
        """
        if any((condition, method) not in self.results for method in (rival, OURS)):
            self.ledger.not_attempted(artefact, claim, self.track.no_time, **about)
            return
        gains = self._gains(condition, OURS, rival)
        said = str(stats.verdict(stats.mean_interval(gains), 1))
        own = float(np.mean(self._gains(condition, rival, BASELINE))) if rival != BASELINE else 0.0
        if own < 0 and said != stats.Verdict.DID_NOT_HOLD:
            said = f"{stats.Verdict.CANNOT_TELL}: {rival} {BEHIND}, by {-own:.1f} points"
            if before is not None:
                said += f"; as printed it is {'ahead' if before > 0 else 'behind'} by {abs(before):.2f}"
        row, column, n = f"{OURS} - {rival}", f"{condition}: accuracy", len(self.parts.test_rows)
        about |= {"unit": "%", "claim": claim, "verdict": said}
        self.ledger.add(artefact, row, column, source="faces", n=n, values=gains, **about)


def _accuracy(printed: pd.DataFrame, row: str, column: str = "RAF-DB") -> str:
    """The one accuracy of a row, as printed.

    Raises:
        ValueError: there is none, or several.
    """
    return str(select(printed, row=row, column=column, quantity="accuracy")["printed"].item())


def printed_cell(printed: pd.DataFrame, row: str, column: str = "RAF-DB") -> str:
    """An accuracy as printed, with its standard error where the table has one; empty where it has no such cell."""
    of = printed[(printed["row"] == row) & (printed["column"] == column)].set_index("quantity")["printed"]
    return ", SE ".join(of.reindex(["accuracy", "standard_error"]).dropna())
