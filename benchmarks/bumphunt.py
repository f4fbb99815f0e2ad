"""False alarms, coverage and speed of the bump hunt.

    python benchmarks/bumphunt.py [SPECTRA]

False alarms: spectra without a signal, each through the whole hunt with its own toys; how often is the global p-value
below 0.05, and how often is the smallest local one.  The truth is the sum of two exponentials, which is in none of
the families.  Coverage: intervals for an injected signal of known mass and width.  Speed: scan toys on 40 bins,
beside pyBumpHunter, whose toys count in windows over a background that is not fitted again, and beside a scan of
iminuit fits.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pyBumpHunter
from record import save_result
from scipy.stats import beta

from cmslabs.evaluation.bumphunt import bump_hunt
from cmslabs.evaluation.minuit import fit_spectrum
from cmslabs.evaluation.windows import gaussian_template
from cmslabs.evaluation.yields import signal_interval
from cmslabs.plotting.binned import Spectrum

EDGES = np.linspace(2800.0, 7000.0, 41)
MIDDLE = (EDGES[:-1] + EDGES[1:]) / 2
N_EVENTS, SEED, MAX_TOYS = 24_000, 20, 1000
MASS, WIDTH, INJECTED = 3797.5, 157.5, 400.0
POWER_SPECTRA = 200
#: With fewer spectra it is a trial, and nothing is saved.
LEAST_SPECTRA = 400
PACKAGES = ("numpy", "scipy", "iminuit", "pybumphunter")


def truth(n_events: float = N_EVENTS) -> np.ndarray:
    """Expected counts of the spectrum without a signal."""
    density = np.exp(-(MIDDLE - 2800) / 450) + 0.12 * np.exp(-(MIDDLE - 2800) / 900)
    return n_events * density / density.sum()


def spectrum(seed: int, signal: float = 0.0, n_events: float = N_EVENTS) -> Spectrum:
    """One Poisson spectrum, with `signal` expected events at MASS."""
    expected = truth(n_events) + signal * gaussian_template(EDGES, MASS, WIDTH)
    counts = np.random.default_rng([SEED, seed]).poisson(expected).astype(float)
    return Spectrum(EDGES, counts, counts)


def one_hunt(seed: int, signal: float, statistic: str) -> tuple[float, float]:
    """Global and smallest local p-value."""
    found = bump_hunt(spectrum(seed, signal), statistic=statistic, max_toys=MAX_TOYS, seed=seed)
    return found.global_p, found.local_p


def one_interval(seed: int, level: float) -> bool:
    """Whether the interval holds the injected yield."""
    _, low, high = signal_interval(spectrum(seed, INJECTED), MASS, WIDTH, level=level)
    return low <= INJECTED <= high


def rate(hits: np.ndarray) -> dict[str, float]:
    """Share of hits with its central 95 % binomial (Clopper-Pearson) interval."""
    k, n = int(np.sum(hits)), len(hits)
    low = beta.ppf(0.025, k, n - k + 1) if k else 0.0
    high = beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
    return {"rate": k / n, "low": float(low), "high": float(high), "n": n}


def false_alarms(pool: ProcessPoolExecutor, n: int) -> dict[str, dict]:
    """Rates without a signal, for both statistics and for the naive reading; and the power at one yield."""
    numbers = {}
    for statistic in ("template", "window"):
        p = np.array(list(pool.map(partial(one_hunt, signal=0.0, statistic=statistic), range(n), chunksize=10)))
        numbers[f"{statistic}, global p < 0.05"] = rate(p[:, 0] < 0.05)
        numbers[f"{statistic}, global p < 0.32"] = rate(p[:, 0] < 0.32)
        numbers[f"{statistic}, smallest local p < 0.05"] = rate(p[:, 1] < 0.05)
    hunt = partial(one_hunt, signal=INJECTED, statistic="template")
    p = np.array(list(pool.map(hunt, range(POWER_SPECTRA), chunksize=10)))
    numbers[f"template, {INJECTED:g} signal events, global p < 0.05"] = rate(p[:, 0] < 0.05)
    return numbers


def coverage(pool: ProcessPoolExecutor, n: int) -> dict[str, dict]:
    """How often intervals hold the injected yield."""
    return {
        f"{level:.3f}": rate(np.array(list(pool.map(partial(one_interval, level=level), range(n), chunksize=20))))
        for level in (0.683, 0.95)
    }


def speed() -> dict[str, float]:
    """Seconds for 1000 scan toys on one core, and ratios to rivals in the same run."""
    data = spectrum(0)
    numbers = {}
    bump_hunt(data, max_toys=200)
    for statistic in ("template", "window"):
        start = time.perf_counter()
        found = bump_hunt(data, statistic=statistic, max_toys=200, seed=1)
        overhead = time.perf_counter() - start
        # More toys until 1000 are done, whatever the p-value.
        done, spent = found.n_toys, overhead
        while done < 1000:
            start = time.perf_counter()
            done += bump_hunt(data, statistic=statistic, max_toys=200, seed=done).n_toys
            spent += time.perf_counter() - start
        numbers[f"seconds per 1000 toys, {statistic}"] = 1000 * spent / done
    hunter = pyBumpHunter.BumpHunter1D(
        rang=[EDGES[0], EDGES[-1]], bins=EDGES, width_min=2, width_max=10, npe=1000, nworker=1, seed=1
    )
    start = time.perf_counter()
    hunter.bump_scan(data.counts, found.background, is_hist=True)
    numbers["seconds per 1000 toys, pyBumpHunter (no fit)"] = time.perf_counter() - start
    numbers["pyBumpHunter / ours, window"] = (
        numbers["seconds per 1000 toys, pyBumpHunter (no fit)"] / numbers["seconds per 1000 toys, window"]
    )
    start = time.perf_counter()
    rows = found.scan.iloc[::8]
    for mass, width in zip(rows["mass"], rows["width"], strict=True):
        fit_spectrum(found.shape, data.counts, template=gaussian_template(EDGES, mass, width))
    one_scan = (time.perf_counter() - start) * len(found.scan) / len(rows)
    numbers["seconds per scan of iminuit fits"] = one_scan
    numbers["scan of iminuit fits / ours"] = 1000 * one_scan / numbers["seconds per 1000 toys, template"]
    return numbers


def main() -> None:
    """Measure, print, save."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    numbers = {"speed": speed()}
    with ProcessPoolExecutor(2) as pool:
        numbers |= {"false alarms": false_alarms(pool, n), "coverage": coverage(pool, n)}
    for part, values in numbers.items():
        print(part)
        for name, value in values.items():
            print(f"  {name:50} {value}")
    config = {"spectra": n, "events": N_EVENTS, "bins": len(MIDDLE), "max_toys": MAX_TOYS, "seed": SEED}
    config |= {"injected": INJECTED, "mass": MASS, "width": WIDTH, "power_spectra": POWER_SPECTRA}
    if n >= LEAST_SPECTRA:
        save_result("bumphunt", config=config, numbers=numbers, packages=PACKAGES)


if __name__ == "__main__":
    main()
