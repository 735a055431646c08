"""A certificate agrees with itself; whatever is changed in one is found, named, and judged by the stated rule."""

import copy
import json
import math
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from paperlib import certificate as module
from paperlib.certificate import Outcome, certificate, check, main, read, tolerance, verify, write
from paperlib.scoreboard import entry_of

CLAIM, QUESTION, PRINTED, LEFT = range(4)


@pytest.fixture(scope="module")
def made(tmp_path_factory, write_ledger):
    return certificate(figures=write_ledger(tmp_path_factory.mktemp("figures")))


@pytest.fixture
def changed(made):
    return copy.deepcopy(made)


def outcomes(report):
    return [line.outcome for line in report.lines]


def retrained(content, shift=0.0):
    """The same certificate from other trainings: their fingerprints, every mean over seeds moved by `shift`."""
    other = copy.deepcopy(content)
    other["runs"]["le2023"]["fingerprints"] = dict.fromkeys(["k0", "k1", "k2"], "other")
    for entry in other["numbers"]:
        if entry["values"]:
            move(entry, shift)
    return other


def move(entry, shift):
    entry["values"] = [v + shift for v in entry["values"]]
    for field in ("measured", "low", "high"):
        entry[field] += shift


def test_it_says_which_run_on_which_machine_with_which_data(made):
    assert (made["track"], made["profile"], made["data"]) == (
        "twin",
        "full",
        {"le2023": {"faces": "f00d"}},
    )
    ran = made["runs"]["le2023"]
    assert ran["seeds"] == [0, 1, 2] and ran["replayed"] is False and ran["in_cache"] == 0
    assert list(ran["fingerprints"]) == ["k0", "k1", "k2"] and len(set(ran["fingerprints"].values())) == 3
    assert made["machine"]["cores"] >= 1 and made["machine"]["precision"] in ("32-true", "bf16-mixed")
    assert {"torch", "numpy", "scipy"} <= made["libraries"].keys()
    assert sum(made["audit"]["le2023"].values()) > 50
    assert len(made["numbers"]) == 4 and set(made["absent"]) >= {"neo2023", "han2017"}


def test_no_ledger_is_an_error_with_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="make reproduce TRACK=ferplus"):
        certificate("ferplus", figures=tmp_path)


def test_written_and_read_it_is_the_same_and_verifies(made, tmp_path):
    path = tmp_path / "deep" / "certificate.json"
    write(made, path)
    again = read(path)
    assert again == made and list(again) == list(made)
    first = path.read_bytes()
    write(again, path)
    assert path.read_bytes() == first
    assert sum('"artefact"' in line for line in path.read_text().splitlines()) == len(made["numbers"])


def test_a_certificate_agrees_with_itself(made):
    report = verify(made, made)
    assert report.ok and set(outcomes(report)) == {Outcome.SAME}
    assert report.text() == "4 numbers: 4 same\nthe run agrees with the certificate"


@given(
    which=st.sampled_from([CLAIM, QUESTION, PRINTED]),
    field=st.sampled_from(["measured", "low", "high", "n"]),
    amount=st.integers(1, 10**6),
    sign=st.sampled_from([-1, 1]),
)
def test_any_number_that_moved_without_training_is_found(made, which, field, amount, sign):
    new = copy.deepcopy(made)
    entry = new["numbers"][which]
    entry[field] += sign * (amount if field == "n" else amount * 1e-6)
    report = verify(made, new)
    assert not report.ok
    assert [line.outcome for line in report.lines if line.outcome is not Outcome.SAME] == [Outcome.DIFFERS]
    assert entry["row"] in report.text() and field in report.text()


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.update(printed="0.32"),
        lambda e: e.update(printed_on="Other"),
        lambda e: e.update(unit="%"),
        lambda e: e.update(claim="another"),
        lambda e: e.update(claim_id="another"),
        lambda e: e.update(data=""),
        lambda e: e.update(track="ferplus"),
        lambda e: e.update(profile="smoke"),
        lambda e: e.update(runs=["k0"]),
        lambda e: e.update(interval="another"),
        lambda e: e.update(measured=None),
    ],
)
def test_words_and_lost_numbers_are_found_too(made, changed, change):
    change(changed["numbers"][PRINTED])
    assert outcomes(verify(made, changed)).count(Outcome.DIFFERS) == 1


def test_the_order_of_a_sum_is_no_difference(made, changed):
    changed["numbers"][CLAIM]["measured"] *= 1 + 1e-12
    assert verify(made, changed).ok


def test_a_verdict_that_changed_is_named_and_fails(made, changed):
    changed["numbers"][CLAIM]["verdict"] = "cannot tell"
    report = verify(made, changed)
    assert not report.ok and report.verdicts == (
        "le2023/table1, ours - other, accuracy: held became cannot tell",
    )
    assert set(outcomes(report)) == {Outcome.SAME}


def test_numbers_that_only_one_of_the_two_has_fail(made, changed):
    del changed["numbers"][PRINTED]
    report = verify(made, changed)
    assert not report.ok and "le2023/table2, a < b, PCC: missing from the run" in report.text()
    report = verify(changed, made)
    assert not report.ok and "le2023/table2, a < b, PCC: not in the certificate" in report.text()


def test_a_gutted_certificate_agrees_with_nothing(made, changed):
    for part in ("data", "runs", "notebooks", "audit"):
        changed[part] = {}
    changed["numbers"] = []
    check(changed)
    report = verify(changed, made)
    assert not report.ok and report.data == ("le2023 is not in the certificate",)


@pytest.mark.parametrize(
    ("change", "part", "said"),
    [
        (lambda of: of["audit"]["le2023"].update(matches=0), "audit", "le2023.matches: "),
        (lambda of: of["audit"].clear(), "audit", "le2023: none became "),
        (
            lambda of: of["runs"]["le2023"]["fingerprints"].update(k3="x"),
            "runs",
            "le2023: 4 runs became 3 runs",
        ),
        (
            lambda of: of["runs"]["le2023"].update(seeds=[0, 1]),
            "runs",
            "le2023.seeds: [0, 1] became [0, 1, 2]",
        ),
    ],
)
def test_other_findings_seeds_or_runs_fail_and_are_named(made, changed, change, part, said):
    change(changed)
    report = verify(changed, made)
    (sentence,) = getattr(report, part)
    assert not report.ok and sentence.startswith(said) and sentence in report.text()
    assert set(outcomes(report)) == {Outcome.SAME}


def test_other_data_fail_and_are_named(made, changed):
    changed["data"]["le2023"]["faces"] = "cafe"
    report = verify(made, changed)
    assert not report.ok and report.data == ("le2023.faces: f00d became cafe",)
    del changed["data"]["le2023"]
    assert verify(made, changed).data == ("le2023 is not in this run",)


def test_another_machine_explains_and_decides_nothing(made, changed):
    changed["machine"]["processor"] = "another"
    changed["libraries"]["torch"] = "9.9"
    report = verify(made, changed)
    assert report.ok and "machine.processor" in report.text()
    assert f"libraries.torch: {made['libraries']['torch']} became 9.9" in report.circumstances


def test_the_tolerance_is_a_prediction_interval(made):
    entry = entry_of(made["numbers"][CLAIM])
    expected = stats.t.ppf(0.975, 2) * 0.01 * math.sqrt(1 / 3 + 1 / 5)
    assert tolerance(entry, 5) == pytest.approx(expected)
    assert math.isnan(tolerance(entry, 0)) and math.isnan(tolerance(entry_of(made["numbers"][PRINTED]), 3))


def test_the_tolerance_holds_nineteen_of_twenty_new_trainings(made, rng):
    """Two means over three seeds of one normal distribution, and the spread of the first alone."""
    old, new = rng.normal(size=(2, 20_000, 3))
    room = stats.t.ppf(0.975, 2) * old.std(axis=1, ddof=1) * math.sqrt(1 / 3 + 1 / 3)
    assert (abs(old.mean(axis=1) - new.mean(axis=1)) <= room).mean() == pytest.approx(0.95, abs=0.006)


@pytest.mark.parametrize(("part", "expected"), [(0.99, Outcome.WITHIN), (1.01, Outcome.DIFFERS)])
def test_numbers_trained_anew_may_move_by_their_tolerance(made, changed, part, expected):
    room = tolerance(entry_of(made["numbers"][CLAIM]), 3)
    report = verify(changed, retrained(changed, shift=part * room))
    assert outcomes(report)[:2] == [expected, expected] and report.ok is (expected is Outcome.WITHIN)
    outside = 2 * (expected is Outcome.DIFFERS)
    assert f"{outside} of 2 numbers trained anew lie outside their 95 % prediction interval" in report.text()


def test_a_training_is_known_by_what_came_out_of_it(made, changed):
    """On another processor a run of the same key gives other numbers; one more run changes no other."""
    move(changed["numbers"][CLAIM], 1e-3)
    fingerprints = changed["runs"]["le2023"]["fingerprints"]
    fingerprints["k3"] = "more"
    assert outcomes(verify(made, changed))[CLAIM] is Outcome.DIFFERS
    fingerprints["k1"] = "other"
    assert outcomes(verify(made, changed))[CLAIM] is Outcome.WITHIN
    fingerprints["k1"] = made["runs"]["le2023"]["fingerprints"]["k1"]
    assert outcomes(verify(made, changed))[CLAIM] is Outcome.DIFFERS
    del fingerprints["k0"]
    assert outcomes(verify(made, changed))[CLAIM] is Outcome.WITHIN


def test_recorded_runs_must_give_the_same_numbers(changed):
    new = retrained(changed, shift=1e-3)
    new["runs"]["le2023"]["replayed"] = True
    assert outcomes(verify(changed, new))[:2] == [Outcome.DIFFERS, Outcome.DIFFERS]


def test_keys_of_recorded_runs_are_not_compared(made, changed):
    changed["runs"]["le2023"].update(replayed=True, fingerprints=dict.fromkeys(["a", "b", "other"], "f"))
    changed["numbers"][CLAIM]["runs"] = ["other"]
    report = verify(made, changed)
    assert report.ok and not report.circumstances


def test_runs_that_are_not_the_same_are_counted(made, changed):
    fingerprints = changed["runs"]["le2023"]["fingerprints"]
    fingerprints.update(k1="other", k3="more", k4="more")
    assert verify(made, changed).circumstances == (
        "runs.le2023: 2 of this run are not in the certificate",
        "runs.le2023: 1 gave something else",
    )
    fingerprints.clear()
    said = "runs.le2023: 3 of the certificate are not in this run"
    assert verify(made, changed).circumstances == (said,) and said in verify(made, changed).text()


def test_other_libraries_make_other_runs_of_them_all_which_decides_nothing(changed):
    new = retrained(changed, shift=1e-3)
    new["runs"]["le2023"]["fingerprints"] = {f"other {k}": "other" for k in range(3)}
    report = verify(changed, new)
    assert report.ok and outcomes(report)[:2] == [Outcome.WITHIN, Outcome.WITHIN]


def test_libraries_precision_and_device_are_those_of_the_runs(write_ledger, monkeypatch, tmp_path):
    figures = write_ledger(tmp_path / "figures")
    monkeypatch.setattr(module, "CACHE", tmp_path)
    for key, torch, device in (("k0", "1.0", "cpu"), ("k1", "2.0", "H9")):
        about = {"libraries": {"torch": torch}, "precision": "bf16-mixed", "device": device}
        (tmp_path / "runs" / key).mkdir(parents=True)
        content = json.dumps({"circumstances": about, "seconds": 1.4})
        (tmp_path / "runs" / key / "run.json").write_text(content)
    content = certificate(figures=figures)
    assert content["libraries"]["torch"] == "1.0, 2.0"
    assert content["libraries"]["numpy"] == np.__version__
    assert content["machine"]["precision"] == "bf16-mixed" and content["machine"]["accelerator"] == "H9, cpu"
    assert content["runs"]["le2023"]["in_cache"] == 2 and content["runs"]["le2023"]["seconds"] == 3
    check(content)


@pytest.mark.parametrize(
    ("entry", "change", "message"),
    [
        (CLAIM, {"spread": 999.0}, "spread is 999, by its values it is 0.01"),
        (CLAIM, {"low": -999.0}, "low is -999, by its values it is 0.085"),
        (CLAIM, {"values": [0.1] * 3}, "measured is 0.11, by its values it is 0.1"),
        (PRINTED, {"measured": 0.39, "high": 0.35}, "0.39 lies outside its own interval, 0.2 to 0.35"),
    ],
)
def test_a_number_trained_anew_that_contradicts_itself_differs(changed, entry, change, message):
    new = retrained(changed)
    new["numbers"][entry].update(change)
    line = verify(changed, new).lines[entry]
    assert line.outcome is Outcome.DIFFERS and message in line.detail and not line.trained_anew


def test_an_interval_may_lie_beside_its_number_where_the_certified_one_does(changed):
    new = retrained(changed)
    changed["numbers"][PRINTED].update(measured=0.41)  # of a biased statistic, say; certified are 0.2 to 0.4
    new["numbers"][PRINTED].update(measured=0.39, high=0.38)
    assert outcomes(verify(changed, new))[PRINTED] is Outcome.WITHIN


def test_only_the_mean_is_judged_where_values_give_the_spread(changed):
    new = retrained(changed)
    entry = new["numbers"][CLAIM]
    entry.update(values=[entry["measured"]] * 3, spread=0.0, low=entry["measured"], high=entry["measured"])
    assert outcomes(verify(changed, new))[CLAIM] is Outcome.WITHIN


def test_the_same_runs_must_give_the_same_number_though_others_were_trained(changed):
    for entry, runs in zip(changed["numbers"], (["k0", "k1"], ["k2"]), strict=False):
        entry["runs"] = runs
    new = retrained(changed, shift=1e-3)
    new["runs"]["le2023"]["fingerprints"]["k2"] = changed["runs"]["le2023"]["fingerprints"]["k2"]
    assert outcomes(verify(changed, new))[:2] == [Outcome.WITHIN, Outcome.DIFFERS]


def test_without_seeds_the_certificate_s_interval_judges_or_nothing_does(changed):
    new = retrained(changed)
    new["numbers"][PRINTED]["measured"] = 0.39
    assert outcomes(verify(changed, new))[PRINTED] is Outcome.WITHIN
    new["numbers"][PRINTED]["measured"] = 0.41
    assert outcomes(verify(changed, new))[PRINTED] is Outcome.DIFFERS
    for content in (changed, new):
        content["numbers"][PRINTED].update(low=None, high=None, interval="")
    report = verify(changed, new)
    assert outcomes(report)[PRINTED] is Outcome.CANNOT_TELL and report.ok and report.untold == 1
    assert report.text().endswith(
        "the run agrees with the certificate in all that can be told; 1 of 4 numbers changed and have no interval to "
        "judge them by"
    )


def test_a_long_list_is_cut_and_counted(made, changed):
    changed["numbers"] = []
    assert "and 2 more" in verify(made, changed).text(most=2)


def test_two_tracks_are_not_compared(made, changed):
    changed["track"] = "ferplus"
    with pytest.raises(ValueError, match="the certificate is of track twin, the run of ferplus"):
        verify(made, changed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format=1), "format is 1; this version reads 2"),
        (lambda c: c.pop("python"), "python is missing"),
        (lambda c: c.update(colour="red"), "colour is unknown"),
        (lambda c: c.update(dirty="no"), "dirty is 'no', which is no bool"),
        (lambda c: c.update(track="moon"), "track moon, profile default: there is no such"),
        (lambda c: c["machine"].update(cores=True), "machine.cores is True, which is no int"),
        (lambda c: c["machine"].pop("precision"), "machine.precision is missing"),
        (lambda c: c["machine"].update(host="x"), "machine.host is unknown"),
        (
            lambda c: c["runs"]["le2023"].update(seeds=["a"]),
            r"runs.le2023.seeds\[0\] is 'a', which is no int",
        ),
        (lambda c: c["data"].update(le2023=3), "data.le2023 is 3, which is no dict"),
        (lambda c: c["data"]["le2023"].update(faces=None), "data.le2023.faces is None, which is no str"),
        (lambda c: c.update(numbers={}), "numbers is {}, which is no list"),
        (lambda c: c["numbers"].append(1), r"numbers\[4\] is 1, which is no dict"),
        (lambda c: c["numbers"][2].update(measured="x"), r"numbers\[2\]: entry .*field measured is 'x'"),
        (lambda c: c["numbers"][1].pop("n"), r"numbers\[1\]: entry .*field n is missing"),
        (lambda c: c["numbers"].append(c["numbers"][0]), r"numbers\[4\]: .* is there twice"),
        (lambda c: c["numbers"][0].update(artefact="x/y"), "of a paper that data does not name"),
        (lambda c: c["audit"].update(x={}), "audit.x is of a paper that data does not name"),
        (lambda c: c["runs"].pop("le2023"), "runs has not the papers that data has"),
        (
            lambda c: c["runs"]["le2023"]["fingerprints"].clear(),
            "runs.le2023 has 3 seeds, and fingerprints of 0 runs",
        ),
        (lambda c: c["numbers"][2].update(data="cafe"), r"numbers\[2\]: .* data cafe, which data.le2023"),
        (lambda c: c["numbers"][2].update(track="ferplus"), r"numbers\[2\]: .*: of track ferplus, not twin"),
        (lambda c: c["numbers"][3].update(profile="smoke"), r"numbers\[3\]: .* profile smoke, not default"),
        (lambda c: c["numbers"][0].update(spread=999), r"numbers\[0\]: .* spread is 999, by its values"),
        (lambda c: c["numbers"][1].update(measured=None), "measured is nan, by its values it is -0.11"),
        (lambda c: c["numbers"][0].update(high=0.3), "high is 0.3, by its values it is 0.13"),
        (lambda c: c["numbers"][2].update(measured=10**400), r"numbers\[2\]: .* measured is 1000.*no float"),
        (lambda c: c["numbers"][0]["values"].append(-(10**400)), r"numbers\[0\]: .* field values is"),
        (lambda c: c["numbers"][0]["values"].append(True), r"numbers\[0\]: .* field values is"),
        (
            lambda c: c["numbers"][2].update(unit="p", measured=1.01),
            "measured is 1.01, which is no probability",
        ),
        (lambda c: c["numbers"][2].update(unit="p", measured=-0.01), "measured is -0.01, which is no prob"),
        (
            lambda c: c["numbers"][0].update(verdict="did not hold"),
            "verdict is did not hold, by its interval .* held",
        ),
        (
            lambda c: c["numbers"][1].update(verdict="ahead"),
            "verdict is ahead, by its interval .* it is behind",
        ),
        (
            lambda c: c["numbers"][1].update(verdict="did not hold"),
            "verdict is did not hold, .* it is behind",
        ),
        (
            lambda c: c["numbers"][2].update(verdict="cannot tell"),
            "verdict is cannot tell, by .* it is ahead",
        ),
        (lambda c: c["numbers"][0].update(verdict="perhaps"), "verdict is perhaps, by its interval .* held"),
        (lambda c: c["numbers"][2].update(low=math.inf), "Infinity is no number of JSON"),
        (lambda c: c["numbers"][2].update(low=math.nan), "NaN is no number of JSON"),
    ],
)
def test_what_is_no_certificate_is_refused_by_file_and_field(changed, tmp_path, change, message):
    check(changed)
    change(changed)
    path = tmp_path / "other.json"
    path.write_text(json.dumps(changed))
    with pytest.raises(ValueError, match=message) as refused:
        read(path)
    assert "other.json: " in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "c.json: no JSON"),
        ("[1]", "object with fields"),
        ("", "no JSON"),
        ("[" * 100_000, "c.json: no JSON that can be read: it nests too deep"),
    ],
)
def test_what_is_no_json_object_is_refused(tmp_path, text, message):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "c.json")


@pytest.fixture
def tree(tmp_path, monkeypatch, write_ledger):
    """Outputs of one paper and a certificate of them."""
    monkeypatch.setenv("PAPERLIB_OUTPUTS", str(write_ledger(tmp_path / "figures")))
    path = tmp_path / "certificate.json"
    write(certificate(), path)
    return path


def test_verify_says_yes_or_names_the_difference(tree, capsys):
    assert main([str(tree)]) == 0
    said = capsys.readouterr().out
    assert f"beside {tree.parent}/figures/twin-default\n4 numbers: 4 same" in said
    content = read(tree)
    move(content["numbers"][CLAIM], 0.5)
    write(content, tree)
    assert main([str(tree)]) == 1
    said = capsys.readouterr().out
    assert "le2023/table1, ours - other, accuracy: differs (measured 0.61 became 0.11)" in said


@pytest.mark.parametrize("name", ["nowhere.json", "broken.json", "deep.json", "beyond.json"])
def test_verify_ends_with_one_line_when_there_is_nothing_to_compare(tree, name):
    (tree.parent / "broken.json").write_text("{")
    (tree.parent / "deep.json").write_text("[" * 100_000)
    beyond = tree.read_text().replace('"measured": 0.3,', '"measured": 1e999,')
    (tree.parent / "beyond.json").write_text(beyond)
    assert "1e999" in beyond
    with pytest.raises(SystemExit) as stopped:
        main([str(tree.parent / name)])
    assert name in str(stopped.value) and "\n" not in str(stopped.value)


@pytest.mark.parametrize(
    ("listed", "changed", "said"),
    [
        ("figures/twin/a", "", "figures/twin, as it was committed: nothing was made anew here"),
        ("figures/twin/a", " M figures/twin/a", "figures/twin"),
        ("", "", "figures/twin"),  # not kept in git
    ],
)
def test_committed_ledgers_are_not_taken_for_a_run(monkeypatch, listed, changed, said):
    monkeypatch.setattr(module, "_git", lambda command, *_: listed if command == "ls-files" else changed)
    assert module._whose(module.ROOT / "figures" / "twin") == said


def test_outside_a_repository_there_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "ROOT", tmp_path)
    assert module.checkout() == ("", False)


@pytest.fixture
def repository(tree, monkeypatch):
    """Ledgers of a repository with its certificate committed; `change` writes another over it, as a run does."""
    root = tree.parent
    for name in ("ROOT", "scoreboard.ROOT", "ledger.ROOT"):
        monkeypatch.setattr(f"paperlib.{name}" if "." in name else f"paperlib.certificate.{name}", root)
    path = root / "figures" / "twin-default" / "certificate.json"
    tree.rename(path)
    for arguments in (["init", "-q"], ["add", "figures"], ["commit", "-q", "-m", "pages"]):
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True)
    return path


def test_a_run_is_compared_with_what_was_committed_and_not_with_what_it_wrote(repository, capsys):
    committed = read(repository)
    figures = repository.parent.parent
    ledger = repository.parent / "le2023" / "ledger.json"
    ledger.write_text(ledger.read_text().replace('"measured": 0.3,', '"measured": 0.35,'))
    write(certificate(), repository)
    assert read(repository) != committed and main([str(repository)]) == 0
    said = capsys.readouterr().out
    assert "this is the run's own certificate, made of these very ledgers" in said
    assert main([]) == 1
    said = capsys.readouterr().out
    assert said.startswith("the committed certificate, track twin, profile default, commit")
    assert "PCC: differs (measured 0.3 became 0.35)" in said and "the run's own" not in said
    assert str(figures) not in said


def test_committed_ledgers_are_told_beside_their_committed_certificate(repository, capsys):
    for arguments in ([], [str(repository)]):
        assert main(arguments) == 0
        said = capsys.readouterr().out
        assert "as it was committed: nothing was made anew here" in said and "the run's own" not in said


def test_a_certificate_that_was_never_committed_is_told_and_so_is_a_lack_of_git(repository, monkeypatch):
    with pytest.raises(SystemExit, match="figures/twin-smoke/certificate.json: there is none in commit"):
        main(["--profile", "smoke"])
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="asked of git, which is not here, .*CERTIFICATE=<file>"):
        main([])
