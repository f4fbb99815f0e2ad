"""What the hunt promises, counted: false alarms, coverage, agreement with pyBumpHunter, and that faults show."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from null_spectra import EDGES, draw, smooth
from scipy import stats

from cmslabs.evaluation import lookelsewhere
from cmslabs.evaluation.bumphunt import bump_hunt
from cmslabs.evaluation.families import FAMILIES, make_shape
from cmslabs.evaluation.fits import fit_background, fit_signal
from cmslabs.evaluation.limits import upper_limits
from cmslabs.evaluation.windows import gaussian_template
from cmslabs.evaluation.yields import signal_interval

N_NULLS = 400
MASS, WIDTH, INJECTED = 3797.5, 157.5, 400.0
TEMPLATE = gaussian_template(EDGES, MASS, WIDTH)


def allowed(p: float, n: int, tail: float = 5e-4) -> tuple[int, int]:
    """Counts between which a binomial number of hits falls but for 0.1 % of all cases."""
    return int(stats.binom.ppf(tail, n, p)), int(stats.binom.isf(tail, n, p))


def null_p_values(statistic: str, n: int = N_NULLS) -> np.ndarray:
    """Global and local p-values of spectra without a signal."""
    hunts = (bump_hunt(draw(seed), statistic=statistic, max_toys=200, seed=seed) for seed in range(1000, 1000 + n))
    return np.array([(found.global_p, found.local_p) for found in hunts])


@pytest.mark.slow
@pytest.mark.parametrize("statistic", ["template", "window"])
def test_false_alarms_are_as_rare_as_promised(statistic):
    p = null_p_values(statistic)
    for level in (0.05, 0.32):
        low, high = allowed(level, N_NULLS)
        assert low <= (p[:, 0] < level).sum() <= high, level
    # The naive reading of the same hunts: the smallest local p as if one had looked once.
    assert (p[:, 1] < 0.05).mean() > 0.5


@pytest.mark.slow
def test_a_hunt_that_forgets_its_trials_is_caught(monkeypatch):
    """The planted fault: toys that are not scanned but looked at in one window."""
    honest = lookelsewhere.scan_spectra

    def one_window(analysis, counts):
        scan = honest(analysis, counts)
        return type(scan)(scan.choice, scan.masked, scan.z[:, :1].repeat(scan.z.shape[1], axis=1), scan.signal)

    monkeypatch.setattr(lookelsewhere, "scan_spectra", one_window)
    p = null_p_values("template", 60)
    assert (p[:, 0] < 0.05).sum() > allowed(0.05, 60)[1]


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.683, 0.95])
def test_intervals_cover_the_injected_yield(level):
    hits = 0
    for seed in range(N_NULLS):
        _, low, high = signal_interval(draw(seed, INJECTED * TEMPLATE), MASS, WIDTH, level=level)
        hits += low <= INJECTED <= high
    fewest, most = allowed(level, N_NULLS)
    assert fewest <= hits <= most


def test_interval_that_ignores_the_background_is_caught():
    """The planted fault: plus or minus the square root of the fitted yield covers far too rarely."""
    shape = make_shape(FAMILIES["exponential"], 4, EDGES, 13_000.0)
    counts = np.array([draw(seed, INJECTED * TEMPLATE).counts for seed in range(N_NULLS)])
    fits = fit_signal(shape, counts, np.broadcast_to(TEMPLATE, counts.shape), fit_background(shape, counts))
    hits = (np.abs(fits.signal - INJECTED) < np.sqrt(np.maximum(fits.signal, 1))).sum()
    assert hits < allowed(0.683, N_NULLS)[0]


@pytest.mark.slow
def test_upper_limits_exclude_the_truth_as_rarely_as_promised():
    """CLs is conservative: a true yield is excluded in at most 5 % of spectra, and the band is where it should be."""
    shape = make_shape(FAMILIES["power"], 4, EDGES, 13_000.0)
    used = np.ones(40, dtype=bool)
    with_signal = [draw(seed, INJECTED * TEMPLATE).counts for seed in range(100)]
    excluded = sum(upper_limits(shape, c, TEMPLATE[None], used)["observed"][0] < INJECTED for c in with_signal)
    assert excluded <= allowed(0.05, 100)[1]
    empty = [upper_limits(shape, draw(seed).counts, TEMPLATE[None], used) for seed in range(100)]
    below = sum(limit["observed"][0] < limit["expected"][0] for limit in empty)
    low, high = allowed(0.5, 100)
    assert low <= below <= high
    inside = sum(limit["expected_m2"][0] <= limit["observed"][0] <= limit["expected_p2"][0] for limit in empty)
    assert inside >= allowed(0.954, 100)[0]


def hunter_p(counts: np.ndarray, background: np.ndarray, seed: int) -> tuple[float, float, float, float]:
    """pyBumpHunter's smallest local and global p-value and its window, over a background that is known."""
    import pyBumpHunter

    hunter = pyBumpHunter.BumpHunter1D(
        rang=[EDGES[0], EDGES[-1]], bins=EDGES, width_min=2, width_max=10, npe=500, nworker=1, seed=seed
    )
    with contextlib.redirect_stdout(io.StringIO()):
        hunter.bump_scan(counts, background, is_hist=True)
    low = int(hunter.min_loc_ar[0])
    return float(hunter.min_Pval_ar[0]), float(hunter.global_Pval), EDGES[low], EDGES[low + int(hunter.min_width_ar[0])]


def test_pybumphunter_finds_the_same_peak():
    counts = draw(1, 700 * TEMPLATE).counts
    local, anywhere, low, high = hunter_p(counts, smooth(), 1)
    found = bump_hunt(draw(1, 700 * TEMPLATE), statistic="window", max_toys=400)
    assert low <= found.mass <= high
    assert anywhere < 0.01
    assert found.global_p < 0.01
    # Its p-value is the Poisson probability of its window over the known background.
    window = (EDGES[:-1] >= low - 1) & (EDGES[1:] <= high + 1)
    assert local == pytest.approx(stats.poisson.sf(counts[window].sum() - 1, smooth()[window].sum()), rel=1e-6)


@pytest.mark.slow
def test_pybumphunter_ranks_spectra_like_us():
    """Other windows and a known background, so not the same numbers; but the same spectra look odd."""
    ours, theirs = [], []
    for seed in range(40):
        spectrum = draw(seed, (seed % 4) * 100 * TEMPLATE)
        found = bump_hunt(spectrum, statistic="window", max_toys=300)
        ours.append(found.local_p)
        theirs.append(hunter_p(spectrum.counts, smooth(), seed)[0])
    assert stats.spearmanr(ours, theirs).statistic > 0.6
