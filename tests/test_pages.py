"""The committed pages: executed, honest about themselves, and equal to their ledgers."""

import importlib
import json
import math
import re
from dataclasses import fields
from pathlib import Path

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from scipy import stats as scipy_stats

from paperlib import certificate, scoreboard
from paperlib.audit import papers as audited_papers
from paperlib.audit import run_audit
from paperlib.companion.provenance import code_of, digest
from paperlib.companion.published import claims_for_runs
from paperlib.companion.reproduce import OURS, SCOREBOARD_NOTEBOOK
from paperlib.companion.runs import recorded_code
from paperlib.files import ROOT
from paperlib.ledger import ArtefactTable, Entry, Ledger, answer, kept_pages
from paperlib.models.backbones import build_backbone
from paperlib.models.emofan import EmoFAN
from paperlib.scoreboard import absent, claims, gather, summary
from paperlib.stats import Interval, Verdict, verdict
from paperlib.tracks import Track

ALL = kept_pages()
PAGES = [p for p in ALL if p.stem != SCOREBOARD_NOTEBOOK]  # the papers'
BOARDS = [p for p in ALL if p.stem == SCOREBOARD_NOTEBOOK]
TASKS = {
    "foteinopoulou2021": [f"paperlib.tasks.label_variance:train_{what}" for what in ("faces", "sequences")],
    "le2023": [f"paperlib.tasks.noisy_labels:{task}" for task in ("train", "train_regressor")],
    "neo2023": [f"paperlib.tasks.dual_domain:{task}" for task in ("train", "train_regressor")],
    "han2017": [f"paperlib.tasks.perception_uncertainty:{task}" for task in ("train", "search_delay")],
    "toisoul2021": [
        f"paperlib.tasks.emofan:{task}" for task in ("train", "train_alignment", "cross_validate")
    ],
    "same_faces": [f"paperlib.tasks.same_faces:{task}" for task in ("train", "train_on_majority")],
}


@pytest.fixture(params=PAGES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def page(request):
    return request.param


@pytest.fixture(params=ALL, ids=lambda p: f"{p.parent.name}-{p.stem}")
def any_page(request):
    return request.param


@pytest.fixture(params=BOARDS, ids=lambda p: p.parent.name)
def board(request):
    return request.param


def key_of(page: Path) -> str:
    return page.stem.partition("_")[2]


def code_cells(page: Path) -> list:
    return [c for c in nbformat.read(page, as_version=4).cells if c.cell_type == "code" and c.source.strip()]


def folder_of(page: Path) -> Path:
    return ROOT / "figures" / page.parent.name / key_of(page)


def ledger_of(page: Path) -> list[Entry]:
    entries = json.loads((folder_of(page) / "ledger.json").read_text())["entries"]
    floats = {f.name for f in fields(Entry) if f.type == "float"}
    return [
        Entry(
            **{k: math.nan if v is None and k in floats else v for k, v in e.items()}
            | {"values": e["values"]}
        )
        for e in entries
    ]


def artefacts_of(page: Path) -> dict[str, ArtefactTable]:
    by_name: dict[str, list[Entry]] = {}
    for e in ledger_of(page):
        by_name.setdefault(e.artefact.partition("/")[2], []).append(e)
    paper = importlib.import_module(f"paperlib.papers.{key_of(page)}")
    table = getattr(paper, "FineTable", ArtefactTable)  # a paper may show more digits
    return {name: table(artefact=name, entries=entries) for name, entries in by_name.items()}


def study_of(page: Path):
    """The page's study without its data: the ledger as committed, and what is put together from it alone."""
    stated = json.loads((folder_of(page) / "ledger.json").read_text())
    paper = importlib.import_module(f"paperlib.papers.{key_of(page)}")
    study = object.__new__(paper.Study)
    study.track = Track(name=stated["track"], profile=stated["profile"], root="anywhere")
    study.ledger = Ledger(stated["key"], study.track, stated["data"], entries=ledger_of(page))
    return study


def shown(page: Path, kind: str) -> list[str]:
    """The page's outputs of one kind, such as "text/html", in order; "text" is what cells printed."""
    outputs = [o for cell in code_cells(page) for o in cell.outputs]
    return [
        o.text if kind == "text" else o.data[kind] for o in outputs if kind in o or kind in o.get("data", {})
    ]


def tables_shown(page: Path) -> dict[str, list[list[str]]]:
    """Every HTML table of the page that has a name: the text of its cells, the header first."""
    tables = [t for h in shown(page, "text/html") for t in BeautifulSoup(h, "html.parser").find_all("table")]
    return {
        t["id"].removeprefix("T_"): [
            [c.get_text() for c in row.find_all(["th", "td"])] for row in t.find_all("tr")
        ]
        for t in tables
        if t.get("id")
    }


def words(frame) -> list[list[str]]:
    return [list(frame.columns), *frame.astype(str).to_numpy().tolist()]


def test_there_are_pages():
    assert {p.parent.name for p in PAGES} >= {"twin"}


def test_every_cell_was_executed_without_a_word_on_stderr(any_page):
    for cell in code_cells(any_page):
        assert cell.execution_count is not None, cell.source[:80]
        assert all(o.output_type != "error" and o.get("name") != "stderr" for o in cell.outputs)


def test_cells_are_short_and_enough_of_them_are_checked(any_page):
    cells = code_cells(any_page)
    assert max(len(c.source.splitlines()) for c in cells) <= 30
    assert sum(c.source.startswith("# NBVAL_CHECK_OUTPUT") for c in cells) >= 5


def test_no_machine_s_path_stands_in_page_or_ledger(any_page):
    def texts(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
                if key != "image/png":  # base64 has slashes of its own
                    yield from texts(inner)

    for path in (
        any_page,
        *folder_of(any_page).glob("*.json"),
        folder_of(any_page).parent / "certificate.json",
    ):
        # Of the decoded strings: in JSON a line that starts with a path follows the n of its line break.
        for text in texts(json.loads(path.read_text())):
            assert not re.search(r"(^|[^A-Za-z0-9_.])/(work|tmp|root|home|Users)/", text, re.M), text[:200]


def test_the_page_is_its_notebook_executed(any_page):
    source = [c.source for c in nbformat.read(ROOT / "notebooks" / any_page.name, as_version=4).cells]
    cells = nbformat.read(any_page, as_version=4).cells
    shown = [c.source for c in cells if "injected-parameters" not in c.metadata.get("tags", [])]
    assert shown == source, "run `make reproduce` and commit the any_page"


def test_a_page_was_made_with_the_settings_that_its_folder_names(any_page):
    cells = nbformat.read(any_page, as_version=4).cells
    (injected,) = (c.source for c in cells if "injected-parameters" in c.metadata.get("tags", []))
    settings: dict = {}
    exec(injected, settings)
    assert (settings["profile"], settings["seeds"]) == ("full", 0)
    assert settings["track"] == any_page.parent.name
    if any_page not in BOARDS:
        assert {(e.track, e.profile) for e in ledger_of(any_page)} == {(any_page.parent.name, "full")}


def test_the_tables_on_the_page_say_what_the_ledger_says(page):
    """Cell by cell, so that a number changed by hand on either side is caught, wherever else it stands."""
    tables = tables_shown(page)
    for name, artefact in artefacts_of(page).items():
        if name in tables:
            assert tables[name] == words(artefact.frame), name
        else:  # a wide one, shown a dimension at a time
            for dimension in ("arousal", "valence"):
                of = [c for c in artefact.wide.columns if c.startswith(f"{dimension}: ")]
                body = [[row, *artefact.wide.loc[row, of]] for row in artefact.wide.index]
                assert tables[dimension][1:] == body, (name, dimension)


def test_the_audit_on_the_page_is_the_audit_of_today(page):
    if key_of(page) in OURS:
        return
    audit = run_audit([key_of(page)])
    tables = tables_shown(page)
    differs = audit[audit["status"].isin(["does not match", "impossible as printed"])]
    assert tables["audit"] == words(differs[tables["audit"][0]])


def test_what_the_page_prints_of_the_ledger_is_the_ledger(page):
    """To the letter. nbval compares the twin's page too, but cannot run where the data are not."""
    artefacts, study = artefacts_of(page), study_of(page)
    for cell in code_cells(page):
        if names := re.findall(r'(?:ledger\.table|study\.shown)\("(\w+)"\)\.text\(\)', cell.source):
            printed = "".join(o.text for o in cell.outputs)
            assert printed == "\n\n".join(artefacts[name].text() for name in names) + "\n"
    stated = study.ledger.verdicts().itertuples(index=False)
    assert [f"{a:<15} {v.partition(':')[0]:<18} {c}" for a, c, v in stated] == [
        line
        for text in shown(page, "text")
        for line in text.splitlines()
        if re.match(r"\w+ +(held|did not hold|cannot tell|not attempted here) ", line)
    ]


def test_caveat_and_conclusion_are_put_together_from_the_ledger(page):
    study = study_of(page)
    assert shown(page, "text/markdown") == [study.caveat(), study.conclusion()]


def test_the_tables_beside_the_page_say_what_the_ledger_says(page):
    for name, artefact in artefacts_of(page).items():
        saved = (folder_of(page) / f"{name}.csv").read_text()
        assert saved == artefact.frame.to_csv(index=False), name


def test_seeds_give_mean_spread_interval_and_verdict_again(page):
    for e in ledger_of(page):
        if len(e.values) < 2:
            continue
        values = np.array(e.values)
        assert e.measured == pytest.approx(values.mean(), rel=1e-9, abs=1e-12)
        assert e.spread == pytest.approx(values.std(ddof=1), rel=1e-6, abs=1e-9)
        if "bootstrap over" in e.interval:  # of the mean over seeds; it needs the predictions to be checked
            assert e.low < e.high
            continue
        if e.interval.startswith("none "):  # and the reason
            assert math.isnan(e.low) and math.isnan(e.high) and not e.verdict
            continue
        fisher = "of Fisher's z" in e.interval
        of = np.arctanh(values) if fisher else values
        half = scipy_stats.t.ppf(0.975, len(of) - 1) * of.std(ddof=1) / np.sqrt(len(of))
        low, high = of.mean() - half, of.mean() + half
        if "cut at the measure's range" in e.interval:
            assert e.low == pytest.approx(max(low, 0.0), abs=1e-9) and e.high <= high + 1e-9
            continue
        low, high = (np.tanh(low), np.tanh(high)) if fisher else (low, high)
        assert (e.low, e.high) == pytest.approx((low, high), abs=1e-9)


def test_verdicts_follow_from_their_intervals(page):
    """And where there is none: from a table's gains, or from the reason why nothing was attempted."""
    entries = ledger_of(page)
    for e in entries:
        if math.isfinite(e.low) and e.verdict:
            interval = Interval(estimate=e.measured, low=e.low, high=e.high, level=0.95)
            if ": " in e.verdict:
                assert reason_holds(e, entries), (e.artefact, e.row, e.column, e.verdict)
                continue
            asked = verdict(interval, 1)
            assert e.verdict == (asked if e.claim else answer(asked)), (e.artefact, e.row, e.column)
        elif e.row.endswith(": every gain"):
            tables = {"images": "table4", "sequences": "table5"}
            of = {tables[kind] for kind in e.row.removesuffix(": every gain").split(" and ")}
            metrics = e.column.partition(":")[0].split(", ")
            gains = [
                g
                for g in entries
                if g.artefact.partition("/")[2] in of and g.row.endswith(": gain")
                if g.column.partition(" ")[2] in metrics
            ]
            assert (e.measured, e.n) == (sum(g.verdict in ("held", "ahead") for g in gains), len(gains))
            asked = _of_every([g.values for g in gains])
            assert e.verdict == (asked if e.claim else answer(asked)), (e.artefact, e.column)
        elif e.verdict:
            without = f"({Verdict.NOT_ATTEMPTED}|{Verdict.CANNOT_TELL}): .+"
            assert re.fullmatch(without, e.verdict) and e.n == 0
        else:
            assert not e.claim, f"{e.artefact}: {e.claim} has no verdict"


def reason_holds(e: Entry, entries: list[Entry]) -> bool:
    """Whether the reason for which a line with an interval is not judged by it is in the ledger's numbers."""
    word, _, reason = e.verdict.partition(": ")
    if word == Verdict.NOT_ATTEMPTED:
        if reason == "the twin's maker decided it":
            decided = {"sigma-faster", "sigma-harder", "trend", "video-better"}
            return e.track == "twin" and e.artefact.startswith("han2017/") and e.claim_id in decided
        if reason.startswith("the rules remove just the faces whose vote dissents"):
            dissent = "% whose vote to predict is not for the category"
            removed = next(o for o in entries if (o.row, o.column) == ("removed by the rules", dissent))
            return e.claim_id == "cleaning" and removed.measured == 100
        of_raters = {"raters-disagree-on-arousal", "disagreement-mostly-low"}
        placed = of_raters | {"variance-pcc-higher-where-agreement-lower"}
        agreed = {"human-valence", "human-arousal", "human-superior"}
        of_track = {
            ("twin", "the twin's raters are made to differ so"): of_raters | {"valence-easier"},
            ("twin", "how far the twin's raters agree is set by its maker"): agreed,
            (
                "ferplus",
                "nobody rated valence or arousal, and where the votes' points lie decides it",
            ): placed,
            (
                "ferplus",
                "category and place are both votes for categories, by different people: no rating is contradicted",
            ): {
                "noisy-variance-higher",
                "distributions-overlap",
                "reject-valence-95",
                "reject-arousal-80",
                "clean-lower-by-test",
            },
        }
        return e.claim_id in of_track.get((e.track, reason), ())
    assert word == Verdict.CANNOT_TELL

    def of(row: str, column: str) -> Entry:
        return next(o for o in entries if (o.row, o.column) == (row, column))

    if found := re.match(
        r"no count speaks against it, and of (\d+) gains that are none luck loses half", reason
    ):
        return of("all cells: gained on dev", "columns").measured == float(found[1]) >= e.measured
    if found := re.match(r"(.+) is behind the plain network here, by (.+) points", reason):
        rival, plain = (np.array(of(row, e.column).values) for row in (found[1], "baseline"))
        behind = np.mean(plain[: len(rival)] - rival[: len(plain)])
        return bool(behind > 0) and float(found[2]) == pytest.approx(behind, abs=0.051)
    if "EmoFAN's" in reason or "generated faces" in reason:
        return toisoul2021_holds(e, reason)
    if found := re.match(r"p (.+) alone, (.+) by Holm's test of the (\d+) lines", reason):
        alone, together, lines = float(found[1]), float(found[2]), int(found[3])
        p = scipy_stats.ttest_1samp(e.values, 0).pvalue
        family = [o for o in entries if (o.artefact, o.claim_id) == (e.artefact, e.claim_id)]
        measured = sum(math.isfinite(o.low) for o in family)
        return (
            alone == pytest.approx(p, abs=5e-4)
            and 0.05 <= together < lines * alone + 0.01
            and lines == measured
        )
    if found := re.match(r"(?:all scores are .* on|on) (\d+) % of the faces", reason):
        shares = [o.measured for o in entries if o.row == "LDLVA" and "every score below" in o.column]
        return int(found[1]) > 50 and int(found[1]) in [round(share) for share in shares]
    if found := re.match(r"(.+) cannot be told from guessing here", reason):
        theirs = of(f"{e.row.partition(': ')[0]}: {found[1]}", e.column)
        return theirs.low <= 0.5
    if reason.startswith("d can name no more than this"):
        return e.high > 0  # the most that it can be is no evidence that it is
    if reason == "that fusion costs the uncertainty CCC is not shown":
        return of("sigma, all cells: both - the better one", "CCC").high >= 0
    if reason == "the network's own squared error explains its size as well":
        return 0.5 < of(e.row, "learned / own test MSE").measured < 2
    unharmed, _, weights = (
        reason.rpartition("the largest W_k changes from ") if "W_k" in reason else (reason, "", "")
    )
    if weights:
        before, after = map(float, re.match(r"(.+) to (.+) with", weights).groups())
        assert not 0.8 < after / before < 1.25
    if unharmed:
        kind = e.row.partition(",")[0].partition(":")[0]
        return not of(f"{kind}: one-hot, 0 % - 30 %", e.column).ahead
    return bool(weights)


def toisoul2021_holds(e: Entry, reason: str) -> bool:
    """Weights, counted again at both sizes; and that the track is one whose alignment was learnt on another."""
    generated, attention = "the face alignment has learnt generated faces", "+A" in e.row.partition(" - ")[0]

    def count(kind: str, channels: int, **size: int) -> int:
        body, features = (None, 0) if kind == "EmoFAN" else build_backbone(kind, channels=channels)
        model = body or EmoFAN(classes=8, attention=attention, **size)
        return sum(p.numel() for p in model.parameters()) + (10 * (features + 1) if body else 0)

    here = count("EmoFAN", 1, width=32, depth=3, size=64), count("tiny_resnet", 1)
    paper = count("EmoFAN", 3) / count("resnet18", 3)
    sizes = (
        f"EmoFAN's {here[0]:,} weights are {here[0] / here[1]:.2f} times its ResNet's {here[1]:,}, "
        f"at the paper's size {paper:.2f} times"
    )
    expected = ([sizes] if " - ResNet" in e.row else []) + ([generated] if e.track == "ferplus" else [])
    return e.profile == "full" and reason == "; ".join(expected)


def test_a_reason_of_sizes_or_alignment_is_held_against_the_networks_and_the_track():
    sizes = "EmoFAN's 179,442 weights are 0.37 times its ResNet's 491,322, at the paper's size 1.25 times"
    generated, features = "the face alignment has learnt generated faces", "EmoFAN F+R - ResNet-18 F+R"
    common = {"column": "x", "measured": 0.0, "profile": "full", "data": "", "n": 1}
    for track, row, reason, holds in (
        ("twin", features, sizes, True),
        ("twin", features, sizes.replace("179", "178"), False),
        ("twin", "EmoFAN F+R+C+A - ResNet-18 F+R", sizes, False),  # another EmoFAN
        ("twin", features, f"{sizes}; {generated}", False),
        ("ferplus", features, f"{sizes}; {generated}", True),
        ("ferplus", "A: EmoFAN F+R+C+A - EmoFAN F+R+C", generated, True),
        ("twin", "A: EmoFAN F+R+C+A - EmoFAN F+R+C", generated, False),
    ):
        e = Entry(
            artefact="toisoul2021/table5", row=row, track=track, verdict=f"cannot tell: {reason}", **common
        )
        assert reason_holds(e, [e]) == holds, (track, row, reason)


def _of_every(gains: list) -> Verdict:
    """Holm's test by hand: the k-th smallest of n p values, from 0, is rejected while below 0.05 / (n - k)."""
    tests = sorted((scipy_stats.ttest_1samp(g, 0).pvalue, np.mean(g)) for g in gains)
    for k, (p, mean) in enumerate(tests):
        if not p <= 0.05 / (len(tests) - k):
            break
        if mean < 0:
            return Verdict.DID_NOT_HOLD
    return Verdict.HELD if all(p < 0.05 and mean > 0 for p, mean in tests) else Verdict.CANNOT_TELL


def test_the_runs_behind_the_twin_s_page_were_made_by_the_code_of_today():
    for key, tasks in TASKS.items():
        path = ROOT / "tests" / "recorded" / "twin" / f"{key}.npz"
        today = digest(json.dumps([code_of(t) for t in sorted(tasks)]))
        assert recorded_code(path) == today, "run `make reproduce`; commit the page and tests/recorded"


def test_every_track_has_a_scoreboard_of_today_s_ledgers(board):
    """Its tables, its sentence and its counts, made anew from the ledgers: a page that lags behind is caught."""
    numbers, lacking = (
        gather(board.parent.name, "full", figures=ROOT / "figures"),
        absent(board.parent.name, "full"),
    )
    present = list(dict.fromkeys(claims(numbers)["paper"]))
    tables, audit, stated = tables_shown(board), run_audit(), scoreboard.statements(numbers)
    expected = {
        "artefacts": scoreboard.artefacts(numbers),
        **{f"statements_{k}": stated[stated["paper"] == k].drop(columns="paper") for k in present},
        **{f"claims_{k}": scoreboard.claim_lines(claims(numbers[numbers["paper"] == k])) for k in present},
        **{f"audit_{k}": scoreboard.amiss(audit, k) for k in audited_papers()},
    }
    for name, frame in expected.items():
        assert tables[name] == words(frame.drop(columns=["page", "cell", "anchor"], errors="ignore")), name
    for name, frame in (("summary", summary(numbers)), ("audit_counts", scoreboard.audit_counts(audit))):
        body = [[index, *line] for index, line in zip(frame.index, words(frame)[1:], strict=True)]
        assert tables[name][1:] == body, name
    assert shown(board, "text/markdown") == [scoreboard.sentence(numbers, lacking)]


def test_there_is_a_scoreboard_for_every_track():
    assert {p.parent.name for p in BOARDS} == {p.parent.name for p in PAGES}, "run `make reproduce`"


def test_every_link_of_the_scoreboard_leads_to_a_cell_that_shows_the_artefact(board):
    links = [
        (a["href"], a.get_text())
        for text in shown(board, "text/html")
        for a in BeautifulSoup(text, "html.parser").find_all("a")
    ]
    assert len(links) > 50
    for target, artefact in dict.fromkeys(links):
        name, _, cell = target.partition("#cell-id=")
        (found,) = (c for c in code_cells(board.parent / name) if c.id == cell)
        tables = "".join(o.get("data", {}).get("text/html", "") for o in found.outputs)
        assert f'id="T_{artefact}"' in tables or 'id="T_arousal"' in tables, target


def test_the_committed_certificate_is_that_of_the_committed_ledgers(board):
    track = board.parent.name
    certified = certificate.read(folder_of(board).parent / "certificate.json")
    today = certificate.certificate(track, "full", figures=ROOT / "figures")
    report = certificate.verify(certified, today)
    assert {line.outcome for line in report.lines} == {certificate.Outcome.SAME}, report.text()
    assert report.ok, report.text()
    assert certified["notebooks"] == today["notebooks"], "run `make reproduce PAPER=scoreboard`"


def test_every_statement_of_a_paper_that_runs_can_test_is_on_its_page(page):
    """With a line that tests it, or one that says why none does."""
    ledger = json.loads((folder_of(page) / "ledger.json").read_text())
    known = set() if key_of(page) in OURS else set(claims_for_runs(key_of(page)))
    assert {e["claim_id"] for e in ledger["entries"] if e["claim"]} == known


def test_every_picture_of_the_page_is_a_figure_beside_it(any_page):
    """So that what may not be committed as a figure cannot stand on the page either."""
    assert len(shown(any_page, "image/png")) == len(list(folder_of(any_page).glob("*.png")))
    assert not [c for c in nbformat.read(any_page, as_version=4).cells if c.get("attachments")]


def test_no_picture_of_a_real_face_is_committed():
    tracks = [p for p in (ROOT / "figures").iterdir() if p.name.partition("-")[0] != "twin"]
    made = [p.name for track in tracks for p in track.glob("*/*")]
    of_faces = ("figure5_faces", "figure6_faces", "twin_faces")
    assert not [name for name in made if name.startswith(of_faces) or "pictures" in name]
