"""False alarms of the whole hunt, counted on spectra without a signal; and pyBumpHunter beside it."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from null_spectra import EDGES, allowed, draw, smooth
from scipy import stats

from cmslabs.evaluation import lookelsewhere
from cmslabs.evaluation.bumphunt import bump_hunt
from cmslabs.evaluation.windows import gaussian_template

N_NULLS = 140
#: Fewer choices than by default, so that a hundred hunts with their toys take seconds; all are repeated.
FAST = {"families": ("power", "exponential"), "widths": (1.0, 2.0), "max_toys": 40}
TEMPLATE = gaussian_template(EDGES, 3797.5, 157.5)


def null_p_values(statistic: str, n: int = N_NULLS) -> np.ndarray:
    """Global p-value as reported, by counting its toys, and the smallest local one; for spectra without a signal."""
    rows = []
    for seed in range(1000, 1000 + n):
        found = bump_hunt(draw(seed), statistic=statistic, seed=seed, **FAST)
        above = (found.toys.largest >= found.local_significance).sum()
        rows.append((found.global_p, (above + 1) / (found.n_toys + 1), found.local_p))
    return np.array(rows)


@pytest.mark.slow
@pytest.mark.parametrize(("statistic", "n"), [("template", N_NULLS), ("window", N_NULLS // 2)])
def test_false_alarms_are_as_rare_as_promised(statistic, n):
    p = null_p_values(statistic, n)
    for level in (0.05, 0.32):
        low, high = allowed(level, n)
        assert low <= (p[:, 0] < level).sum() <= high, level
        assert low <= (p[:, 1] < level).sum() <= high, level
    # The naive reading of the same hunts: the smallest local p as if one had looked once.
    assert (p[:, 2] < 0.05).mean() > 0.5


@pytest.mark.slow
def test_a_hunt_that_forgets_its_trials_is_caught(monkeypatch):
    """The planted fault: toys that are not scanned but looked at in one window."""
    honest = lookelsewhere.scan_spectra

    def one_window(analysis, counts):
        scan = honest(analysis, counts)
        return type(scan)(scan.choice, scan.masked, scan.z[:, :1].repeat(scan.z.shape[1], axis=1), scan.signal)

    monkeypatch.setattr(lookelsewhere, "scan_spectra", one_window)
    p = null_p_values("template", 40)
    assert (p[:, 1] < 0.05).sum() > allowed(0.05, 40)[1]


def hunter_p(counts: np.ndarray, background: np.ndarray, seed: int, toys: int) -> tuple[float, float, float, float]:
    """pyBumpHunter's smallest local and global p-value and its window, over a background that is known."""
    import pyBumpHunter

    hunter = pyBumpHunter.BumpHunter1D(
        rang=[EDGES[0], EDGES[-1]], bins=EDGES, width_min=2, width_max=10, npe=toys, nworker=1, seed=seed
    )
    with contextlib.redirect_stdout(io.StringIO()):
        hunter.bump_scan(counts, background, is_hist=True)
    low = int(hunter.min_loc_ar[0])
    return float(hunter.min_Pval_ar[0]), float(hunter.global_Pval), EDGES[low], EDGES[low + int(hunter.min_width_ar[0])]


def test_pybumphunter_finds_the_same_peak():
    counts = draw(1, 700 * TEMPLATE).counts
    local, anywhere, low, high = hunter_p(counts, smooth(), 1, 500)
    found = bump_hunt(draw(1, 700 * TEMPLATE), statistic="window", max_toys=400)
    assert low <= found.mass <= high
    assert anywhere < 0.01
    assert found.global_p < 0.01
    # Its p-value is the Poisson probability of its window over the known background.
    window = (EDGES[:-1] >= low - 1) & (EDGES[1:] <= high + 1)
    assert local == pytest.approx(stats.poisson.sf(counts[window].sum() - 1, smooth()[window].sum()), rel=1e-6)


@pytest.mark.slow
def test_pybumphunter_ranks_spectra_like_us():
    """Other windows and a known background, so not the same numbers; but the same spectra look odd.

    The local p-values are compared, for which no toys are needed.
    """
    ours, theirs = [], []
    for seed in range(14):
        spectrum = draw(seed, (seed % 4) * 100 * TEMPLATE)
        found = bump_hunt(spectrum, statistic="window", max_toys=20)
        ours.append(found.local_p)
        theirs.append(hunter_p(spectrum.counts, smooth(), seed, 2)[0])
    assert stats.spearmanr(ours, theirs).statistic > 0.5
