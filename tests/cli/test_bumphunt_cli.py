"""`cmslabs bumphunt TABLE`: the verdict in words, what is on stdout and stderr, plots, and four real spectra."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from cmslabs.cli.bumphunt import verdict
from cmslabs.data.tables import write_table
from cmslabs.io import Provenance

#: What the issue promises to scripts.
KEYS = {"mass", "width", "local_p", "global_p", "significance", "family", "gof_p", "n_toys"}
FAST = ("--max-toys", 60, "--family", "exponential")


@pytest.fixture
def spectrum(tmp_path):
    """A falling spectrum in bins, with a bump on request."""

    def make(bump: float = 0.0, name: str = "spectrum.csv"):
        centres = np.arange(1025.0, 2025, 50)
        expected = 3000 * np.exp(-(centres - 1000) / 300)
        expected += bump * np.exp(-0.5 * ((centres - 1425) / 50) ** 2)
        counts = np.random.default_rng(1).poisson(expected)
        path = tmp_path / name
        pd.DataFrame({"centre": centres, "width": 50.0, "count": counts}).to_csv(path, index=False)
        return path

    return make


# ---- words


@pytest.mark.parametrize(
    ("p", "begins", "contains"),
    [
        (1.0, "Nothing significant", "100 of 100 spectra without a signal"),
        (0.37, "Nothing significant", "37 of 100 spectra"),
        (0.0951, "Nothing significant", "10 of 100 spectra"),
        (0.0501, "Nothing significant", "1 of 20 spectra"),
        (0.0499, "No evidence yet", "twenty people"),
        (0.0014, "No evidence yet", "1 of 710 spectra"),
        (0.0013, "Evidence of an excess", "1 of 770 spectra"),
        (2.9e-7, "Evidence of an excess", "1 of 3,400,000 spectra"),
        (2.8e-7, "A clear excess", "not the probability that there is no signal"),
        (1e-80, "A clear excess", "fewer than 1 of 10^15 spectra"),
        (0.0, "A clear excess", "look the same"),
    ],
)
def test_the_verdict_says_what_the_p_value_means(p, begins, contains):
    said = verdict(p, 3.3)
    assert said.startswith(begins)
    assert contains in said
    assert ("3.3 standard deviations" in said) == (p < 1.35e-3)


# ---- streams and files


def test_a_spectrum_with_nothing(call, spectrum):
    status, stdout, stderr = call("bumphunt", spectrum(), "--max-toys", 300, "--family", "exponential")
    assert status == 0
    assert stdout.startswith("Nothing significant: a window like this or a stronger one occurs in ")
    for word in ("spectrum ", "background ", "best window ", "signal ", "local p ", "global p ", "limit ", "95 % CL"):
        assert f"\n{word}" in stdout or word == "95 % CL"
    assert "20 bins from 1000 to 2000 GeV" in stdout
    assert "strongest windows   mass [GeV]" in stdout
    assert "--plot FILE.png draws" in stderr
    assert "Caution" not in stdout


def test_a_bump_is_found_and_drawn(call, spectrum, tmp_path):
    out = tmp_path / "new folder" / "bump.png"
    status, stdout, stderr = call("bumphunt", spectrum(bump=500), *FAST, "--plot", out)
    assert status == 0
    assert stdout.startswith("A clear excess")
    assert "mass 1425 GeV, width 50 GeV" in stdout
    files = [out, out.with_name("bump-local-p.png"), out.with_name("bump-limits.png")]
    assert sorted(out.parent.iterdir()) == sorted(files)
    for file in files:
        assert file.read_bytes()[:4] == b"\x89PNG"
        assert f"{file} written" in stderr
    assert "--plot FILE" not in stderr


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "magic"), [(".pdf", b"%PDF"), (".svg", b"<?xml")])
def test_the_ending_says_the_format_and_the_same_input_gives_the_same_bytes(call, spectrum, tmp_path, ending, magic):
    path = spectrum()
    for name in ("a", "b"):
        assert call("bumphunt", path, *FAST, "--plot", tmp_path / f"{name}{ending}")[0] == 0
    for part in ("", "-local-p", "-limits"):
        one, two = ((tmp_path / f"{name}{part}{ending}").read_bytes() for name in "ab")
        assert one[: len(magic)] == magic
        assert one == two


def test_json_for_scripts(call, spectrum, tmp_path):
    status, stdout, stderr = call("bumphunt", spectrum(bump=500), *FAST, "--json", "--plot", tmp_path / "a.svg")
    found = json.loads(stdout)
    assert status == 0
    assert set(found) >= KEYS
    assert (found["mass"], found["family"], found["n_toys"]) == (1425, "exponential", 60)
    assert found["local_p"] < found["global_p"] < 1e-6
    assert found["significance"] > 5
    assert found["verdict"].startswith("A clear excess")
    assert found["windows"][0]["mass"] == 1425
    assert found["input"]["range"] == [1000, 2000]
    assert (found["input"]["n_bins"], found["input"]["simulation"]) == (20, False)
    assert len(found["plots"]) == 3
    assert "FILE.png" not in stderr


def test_the_seed_decides(call, spectrum):
    path = spectrum()

    def run(seed):
        return call("bumphunt", path, "--max-toys", 250, "--family", "exponential", "--seed", seed, "--json")[1]

    assert run(1) == run(1) != run(2)


def test_blinded_bins_are_predicted_and_change_nothing(call, spectrum):
    options = (*FAST, "--blind", 1300, 1550)
    plain, bumpy = (call("bumphunt", spectrum(bump), *options, "--json")[1] for bump in (0, 500))
    found, other = json.loads(plain), json.loads(bumpy)
    assert (found["blind"]["low"], found["blind"]["high"]) == (1300, 1550)
    assert 3000 < found["blind"]["predicted"] < 4500
    # The counts outside differ a little: the bump reaches there.
    assert other["blind"]["predicted"] == pytest.approx(found["blind"]["predicted"], rel=0.1)
    assert other["local_p"] > 1e-4
    assert "blinded      1300 to 1550 GeV: " in call("bumphunt", spectrum(), *options)[1]


@pytest.mark.parametrize(("where", "factor"), [((1300, 1550), 40), ((1000, 1150), 0), ((1850, 2000), 40)])
def test_nothing_tells_what_is_in_blinded_bins(call, spectrum, tmp_path, where, factor):
    """Two tables that differ there only: every word and every pixel are the same, the number of events among them."""
    path, said = spectrum(), []
    options = (*FAST, "--blind", *where)
    pictures = [tmp_path / f"a{part}.png" for part in ("", "-local-p", "-limits")]
    for times in (1, factor):
        table = pd.read_csv(path)
        table.loc[table["centre"].between(*where), "count"] *= times
        table.to_csv(path, index=False)
        said.append([call("bumphunt", path, *options, *more) for more in (("--plot", tmp_path / "a.png"), ("--json",))])
        said[-1] += [picture.read_bytes() for picture in pictures]
    assert said[0][0][0] == 0
    assert "outside of the blinded range" in said[0][0][1]
    assert said[0] == said[1]


def test_the_remarks_do_not_tell_how_many_masses_are_blinded(call, tmp_path):
    """All in the file less those outside less those seen would be those hidden."""
    masses, said = 1000 + np.random.default_rng(3).exponential(300, 5000), []
    for hidden in (True, False):
        some = masses[hidden | (masses < 1400) | (masses > 1600)]
        pd.DataFrame({"mass": some}).to_csv(tmp_path / "t.csv", index=False)
        options = ("--range", 1000, 2000, "--blind", 1400, 1600)
        said.append(call("bumphunt", tmp_path / "t.csv", *FAST, *options))
    assert "masses lie outside" in said[0][2]
    assert said[0] == said[1]


def test_masses_and_options(call, tmp_path):
    rng = np.random.default_rng(2)
    masses = np.concatenate([1000 + rng.exponential(300, 20_000), rng.normal(1500, 30, 500)])
    path = tmp_path / "t.parquet"
    write_table(path, pd.DataFrame({"mjj": masses}), Provenance(source="toy", simulation=True, script="test"))
    options = ("--range", 1000, 2200, "--n-bins", 30, "--statistic", "window", "--max-toys", 60)
    status, stdout, stderr = call("bumphunt", path, "--column", "mjj", *options, "--json")
    assert status == 0
    found = json.loads(stdout)
    assert found["mass"] == pytest.approx(1500, abs=25)
    assert found["statistic"] == "window"
    assert (found["input"]["simulation"], found["input"]["quantity"]) == (True, "Dijet mass")
    assert found["input"]["events"] == ((masses >= 1000) & (masses <= 2200)).sum()
    assert "t.parquet: 30 equal bins of 40 GeV, from 1000 to 2200 GeV" in stderr
    assert found["input"]["remarks"][0] == "masses are the column 'mjj'"


def test_a_background_that_does_not_fit_is_a_caution(call, tmp_path):
    """A staircase: no smooth function follows it, and the command says so before it says anything else."""
    centres = np.arange(105.0, 505, 10)
    counts = np.where(np.arange(40) % 8 < 4, 4000, 2500)
    pd.DataFrame({"centre": centres, "width": 10.0, "count": counts}).to_csv(tmp_path / "t.csv", index=False)
    stdout = call("bumphunt", tmp_path / "t.csv", "--max-toys", 200, "--family", "exponential")[1]
    assert "Caution: the background function does not follow the rest of the spectrum" in stdout.replace("\n", " ")


def test_a_turn_on_is_a_caution_and_a_peak_on_a_background_is_none(call, tmp_path):
    """A trigger that sets in: the spectrum rises from nothing and then falls."""
    centres = np.arange(1025.0, 4025, 100)
    rising = 1 / (1 + np.exp(-(centres - 1800) / 80))
    for name, shape, warned in (
        ("turn-on", rising * 5000 * np.exp(-(centres - 1000) / 500), True),
        ("peak", 300 + 3000 * np.exp(-0.5 * ((centres - 2025) / 100) ** 2), False),
        ("cut", 5000 * np.exp(-(centres - 1000) / 500), False),
    ):
        counts = np.random.default_rng(1).poisson(shape)
        pd.DataFrame({"centre": centres, "width": 100.0, "count": counts}).to_csv(tmp_path / "t.csv", index=False)
        found = json.loads(call("bumphunt", tmp_path / "t.csv", "--max-toys", 60, "--json")[1])
        assert any("begins and is highest" in text for text in found["cautions"]) is warned, name


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--column", "x", "--bins"), "not both"),
        (("--column", "coun"), "Close names: count"),
        (("--plot", "a.jpg"), "End the name in .png, .pdf, .svg"),
        (("--plot", "a"), "End the name in .png, .pdf, .svg"),
        (("--family", "cubic"), "cubic"),
        (("--statistic", "eye"), "eye"),
        (("--blind", "5", "3"), "5"),
        (("--blind", "0", "9999"), "blind"),
        (("--blind", "5000", "6000"), "nothing would be hidden"),
        (("--blind", "1.3", "1.5"), "nothing would be hidden"),
        (("--sqrt-s", "nan"), "sqrt"),
        (("--sqrt-s", "inf"), "sqrt"),
        (("--range", "3", "1"), "from a lower to a higher"),
        (("--range", "1", "2"), "two are the least"),
        (("--n-bins", "10"), "has its bins already"),
        (("--sqrt-s", "1500", "--family", "dijet"), "sqrt"),
        (("--max-toys", "0"), "max-toys"),
        (("--seed", "-1"), "seed"),
        (("--blind", "1"), "2 arguments"),
    ],
)
def test_bad_options_end_with_status_2_a_reason_and_no_file(call, spectrum, tmp_path, monkeypatch, options, reason):
    path = spectrum()
    monkeypatch.chdir(tmp_path)
    status, stdout, stderr = call("bumphunt", path, *options)
    assert (status, stdout) == (2, "")
    assert reason in stderr
    assert "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == [path]


def test_bad_input_ends_with_status_2_and_the_name_of_the_file(call, tmp_path):
    for name, text in {
        "empty.csv": "",
        "words.csv": "centre,width,count\n1,1,many\n",
        "nan.csv": "mass\n1\nnan\n",
        "negative.csv": "centre,width,count\n1,1,5\n2,1,-5\n",
        "zero.csv": "centre,width,count\n1,1,0\n2,1,0\n",
        "one.csv": "centre,width,count\n1,1,5\n",
        "density.csv": "centre,width,value\n1,1,5.123\n2,1,4.391\n3,1,3.141\n",
    }.items():
        (tmp_path / name).write_text(text)
        status, stdout, stderr = call("bumphunt", tmp_path / name)
        assert (status, stdout) == (2, "")
        assert stderr.splitlines()[-1].startswith("error: ")
        assert name in stderr


def test_help_shows_examples(call):
    stdout = call("bumphunt", "--help")[1]
    assert stdout.count("Example: cmslabs bumphunt ") == 2
    assert "--range LO HI" in stdout


# ---- real spectra


def hunt(call, path, *options):
    status, stdout, stderr = call("bumphunt", path, *options, "--json")
    assert status == 0
    return json.loads(stdout), stderr


@pytest.mark.slow
def test_the_z_is_found_without_an_option(call, real_data):
    found, stderr = hunt(call, real_data / "cms-csv" / "Zmumu_Run2011A.csv", "--max-toys", 100)
    assert found["mass"] == pytest.approx(91.19, abs=0.8)
    assert found["significance"] > 30
    assert found["signal_yield"] == pytest.approx(6700, abs=500)
    assert found["input"]["quantity"] == "Dimuon mass"
    assert "computed from pt, eta, phi" in stderr


@pytest.mark.slow
def test_the_psi_is_found_without_an_option(call, real_data):
    found, _ = hunt(call, real_data / "cms-csv" / "peakdata6.csv", "--max-toys", 200)
    assert found["mass"] == pytest.approx(3.6861, abs=0.005)
    assert found["width"] == pytest.approx(0.03, abs=0.011)
    assert found["significance"] > 10
    assert found["gof_p"] > 0.01


@pytest.mark.slow
def test_nothing_is_significant_in_the_trijet_spectrum(call, real_data):
    found, _ = hunt(call, real_data / "hepdata" / "trijet.csv", "--max-toys", 400)
    assert found["global_p"] > 0.05
    assert found["verdict"].startswith("Nothing significant")
    assert found["gof_p"] > 0.05
    assert found["input"]["remarks"] == []


@pytest.mark.slow
def test_nothing_is_significant_in_the_diphoton_spectrum_and_its_trap_is_said(call, real_data):
    found, stderr = hunt(call, real_data / "hepdata" / "diphoton.csv", "--max-toys", 200)
    assert found["global_p"] > 0.05
    assert found["verdict"].startswith("Nothing significant")
    assert found["gof_p"] > 0.05
    assert found["input"]["events"] == 5036
    assert "diphoton.csv: the width column 'bin_widths_1d' is 2 times the spacing of the centres" in stderr
    assert "events per GeV, not counts" in stderr
