import subprocess

import numpy as np
import pandas as pd
import pytest

from paperlib.companion import verify
from paperlib.companion.verify import GONE, NEW, OTHER, SAME, WITHIN, compare, ledgers_of, report

LEDGER = pd.DataFrame(
    {
        "artefact": ["table1", "table1", "table2"],
        "method": ["ours", "theirs", np.nan],
        "measure": ["CCC"] * 3,
        "estimate": [0.5, 0.4, 0.1],
        "low": [0.45, 0.35, np.nan],
        "high": [0.55, 0.45, np.nan],
        "verdict": ["held", "", ""],
        "n": [100, 100, 7],
    }
)


def outcomes(now):
    return compare(LEDGER, now).set_index("line")["outcome"].to_dict()


def changed(**cells):
    ledger = LEDGER.copy()
    for column, value in cells.items():
        ledger.loc[0, column] = value
    return ledger


def test_lines_are_joined_by_their_names_in_whatever_order():
    same = {"table1, ours, CCC": SAME, "table1, theirs, CCC": SAME, "table2, CCC": SAME}
    assert outcomes(LEDGER) == outcomes(LEDGER[::-1].reset_index(drop=True)) == same
    assert outcomes(changed(estimate=0.5 * (1 + 1e-12))) == same


@pytest.mark.parametrize(
    ("cells", "outcome"),
    [
        ({"estimate": 0.54}, WITHIN),
        ({"estimate": 0.56}, OTHER),
        ({"estimate": 0.54, "verdict": "cannot tell"}, OTHER),
        ({"estimate": np.nan}, OTHER),
        ({"low": np.nan, "n": 99}, WITHIN),
    ],
)
def test_what_differs_is_told(cells, outcome):
    found = compare(LEDGER, changed(**cells)).iloc[0]
    assert found["outcome"] == outcome and all(column in found["what"] for column in cells)


def test_a_line_that_went_and_one_that_came_have_their_names():
    other = outcomes(LEDGER.assign(method=["ours", "others", np.nan]))
    assert (other["table1, theirs, CCC"], other["table1, others, CCC"]) == (GONE, NEW)


def test_two_lines_of_one_name_are_compared_in_turn():
    twice = pd.concat([LEDGER, LEDGER[:1].assign(estimate=0.9)], ignore_index=True)
    assert list(compare(twice, twice)["outcome"]) == [SAME] * 4
    assert list(compare(twice, LEDGER)["outcome"]) == [SAME] * 3 + [GONE]


def test_committed_ledgers_are_compared_with_those_that_are_here(tmp_path, monkeypatch, capsys):
    path = tmp_path / "figures" / "twin" / "le2023" / "ledger.csv"
    path.parent.mkdir(parents=True)
    LEDGER.to_csv(path, index=False)
    for words in ("init -q", "add .", "-c user.name=n -c user.email=e commit -qm x"):
        subprocess.run(["git", *words.split()], cwd=tmp_path, check=True)
    before = verify.committed_ledgers(tmp_path)
    assert report(before, ledgers_of(tmp_path / "figures")) == ("twin/le2023: 3 the same", True)
    changed(estimate=0.7).to_csv(path, index=False)
    said, whole = report(before, ledgers_of(tmp_path / "figures"))
    assert not whole and "other: table1, ours, CCC estimate 0.5 -> 0.7" in said
    assert report(before, {}) == ("twin/le2023: not made here", True)
    with pytest.raises(RuntimeError, match="git cannot say"):
        verify.committed_ledgers(tmp_path / "nowhere")
    monkeypatch.setattr(verify.sys, "argv", ["verify", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match="there is no folder"):
        verify.main()
