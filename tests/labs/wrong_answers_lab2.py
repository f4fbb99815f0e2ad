"""Mistakes that students make in lab 2: {task: {mistake: what the student writes}}."""

TAIL = "def p_value(n, b):\n    last = int(max(n, b) + 40 * math.sqrt(max(n, b)) + 100)\n    return {}"
TERM = "math.exp(k * math.log(b) - b - math.lgamma(k + 1))"
SIGMA = "def significance(p):\n    return {}"
EVERYWHERE = """
def look_everywhere(counts, expected, width):
    def windows(spectra):
        return np.lib.stride_tricks.sliding_window_view(spectra, width, axis=-1).sum(axis=-1)

    def smallest(spectra):
        return poisson.sf(windows(spectra) - 1, windows(expected)).min(axis=-1)

    local = smallest(counts)
    toys = np.random.default_rng(1).poisson(expected, size=(6000, len(expected)))
    return local, {}
"""
MINE = """
name = STUDENT
counts, expected, width = my_counts, EXPECTED, 3
seen = [int(counts[k : k + width].sum()) for k in range(31 - width)]
local_p = [poisson.sf(seen[k] - 1, expected[k : k + width].sum()) for k in range(31 - width)]
my_first = int(np.argmin(local_p))
my_seen = seen[my_first]
my_local = local_p[my_first]
"""
#: Counts in window and sideband, and the sideband's scale; then p-value, estimate and half the interval.
SEARCH = """
def search(counts, window):
    first, last = window
    on = int(np.sum(counts[first:last]))
    off = int(np.sum(counts)) - on
    ratio = (last - first) / (len(counts) - last + first)
    share = ratio / (1 + ratio)
    p, signal, error = PVALUE, on - ratio * off, ERROR
    return p, signal, signal - error, signal + error
"""
PVALUE, ERROR = "binom.sf(on - 1, on + off, share)", "np.sqrt(on + ratio**2 * off)"


def search(p: str = PVALUE, error: str = ERROR) -> str:
    """A search with another p-value, or another half width of the interval."""
    return SEARCH.replace("PVALUE", p).replace("ERROR", error)


WRONG = {
    "predict": {
        "sure and wrong about all": 'prediction = {"A": 1.0, "B": 0.0, "C": 0.0, "D": 1.0, "E": 1.0}',
        "percent": 'prediction = {"A": 10, "B": 90, "C": 90, "D": 10, "E": 10}',
        "one is missing": 'prediction = {"A": 0.0, "B": 1.0, "C": 1.0, "D": 0.0}',
    },
    "tail": {
        "more than n": TAIL.format(f"sum({TERM} for k in range(n + 1, last))"),
        "exactly n": TAIL.format(TERM.replace("k", "n")),
        "up to n": TAIL.format(f"sum({TERM} for k in range(0, n + 1))"),
        "one minus the others": TAIL.format(f"1 - sum({TERM} for k in range(n))"),
        "factorials that overflow": TAIL.format("sum(math.exp(-b) * b**k / math.factorial(k) for k in range(n, last))"),
        "from the first term, which is 0 in a computer": """
def p_value(n, b):
    term, below = math.exp(-b), 0.0
    for k in range(n):
        below += term
        term *= b / (k + 1)
    above = 0.0
    for k in range(n, n + int(b) + 200):
        above += term
        term *= b / (k + 1)
    return above
""",
        "only a few terms": TAIL.format(f"sum({TERM} for k in range(n, n + 20))"),
        "the normal approximation": TAIL.format("norm.sf((n - b) / math.sqrt(b))"),
        "n and b exchanged": TAIL.format(f"sum({TERM} for k in range(int(b), 9000))".replace("b)", "n)")),
    },
    "sigma": {
        "two sides": SIGMA.format("-NormalDist().inv_cdf(p / 2)"),
        "the wrong sign": SIGMA.format("NormalDist().inv_cdf(p)"),
        "one minus p": SIGMA.format("NormalDist().inv_cdf(1 - p)"),
        "holes count as excess": SIGMA.format("abs(NormalDist().inv_cdf(p))"),
        "holes count as nothing": SIGMA.format("max(0.0, -NormalDist().inv_cdf(p))"),
        "one over p": SIGMA.format("1 / p - 2"),
    },
    "everywhere": {
        "elsewhere ignored": EVERYWHERE.format("local"),
        "times the number of windows": EVERYWHERE.format("min(1.0, local * len(windows(expected)))"),
        "windows taken for independent": EVERYWHERE.format("1 - (1 - local) ** len(windows(expected))"),
        "bins taken for windows": EVERYWHERE.format("1 - (1 - local) ** (len(expected) / width)"),
        "smaller, not as small": EVERYWHERE.format("np.mean(smallest(toys) < local * (1 - 1e-9))"),
        "the other way round": EVERYWHERE.format("np.mean(smallest(toys) >= local)"),
        "toys of what was seen": EVERYWHERE.replace("poisson(expected, s", "poisson(counts, s").format(
            "np.mean(smallest(toys) <= local * (1 + 1e-9))"
        ),
        "toys looked at in the same place only": EVERYWHERE.format(
            "np.mean(poisson.sf(windows(toys) - 1, windows(expected))"
            "[:, np.argmin(poisson.sf(windows(counts) - 1, windows(expected)))] <= local * (1 + 1e-9))"
        ),
        "windows that do not overlap": EVERYWHERE.replace(".sum(axis=-1)", "[..., ::width, :].sum(axis=-1)").format(
            "np.mean(smallest(toys) <= local * (1 + 1e-9))"
        ),
        "single bins": EVERYWHERE.replace("(spectra, width", "(spectra, 1").format(
            "np.mean(smallest(toys) <= local * (1 + 1e-9))"
        ),
        "more than n": EVERYWHERE.replace("windows(spectra) - 1, w", "windows(spectra), w").format(
            "np.mean(smallest(toys) <= local * (1 + 1e-9))"
        ),
    },
    "mine": {
        "copied from a neighbour": MINE.replace("my_counts", "personal_spectrum('a neighbour')"),
        "without the loss of the detector": MINE.replace("my_counts, EXPECTED", "DRAWER[2], EXPECTED / SEEN"),
        "single bins": MINE.replace("EXPECTED, 3", "EXPECTED, 1"),
        "middle instead of first bin": MINE + "my_first = my_first + 1\n",
        "more than n": MINE.replace("seen[k] - 1, e", "seen[k], e"),
    },
    "search": {
        "background taken for known": search("poisson.sf(on - 1, ratio * off)", "np.sqrt(on)"),
        "background taken for known, p-value only": search("poisson.sf(on - 1, ratio * off)"),
        "background without error in the interval only": search(error="np.sqrt(on)"),
        "normal approximation": search("norm.sf((on - ratio * off) / np.sqrt(max(ratio * off * (1 + ratio), 1e-9)))"),
        "normal approximation with the seen counts": search("norm.sf((on - ratio * off) / max(1e-9, ERROR))"),
        "averaged over a normal background": search(
            "float(np.mean(poisson.sf(on - 1, np.maximum(0, np.random.default_rng(1)"
            ".normal(ratio * off, ratio * np.sqrt(off), 1000)))))"
        ),
        "p of two sides, doubled": search("min(1.0, 2 * binom.sf(on - 1, on + off, share))"),
        "p of two sides, by the square": search(
            "2 * norm.sf(abs(on - ratio * off) / np.sqrt(max(ratio * (on + off), 1e-9)))"
        ),
        "more than n": search("binom.sf(on, on + off, share)"),
        "one minus p": search("binom.cdf(on, on + off, share)"),
        "the window of the largest excess": SEARCH.replace("PVALUE", PVALUE)
        .replace("ERROR", ERROR)
        .replace(
            "    on = int",
            "    width = last - first\n"
            "    first = int(np.argmax([np.sum(counts[k : k + width]) for k in range(len(counts) - width + 1)]))\n"
            "    last = first + width\n    on = int",
        ),
        "window counted in the sideband": SEARCH.replace("PVALUE", PVALUE)
        .replace("ERROR", ERROR)
        .replace("int(np.sum(counts)) - on", "int(np.sum(counts))"),
        "sideband not scaled": SEARCH.replace("PVALUE", PVALUE)
        .replace("ERROR", ERROR)
        .replace("    share", "    ratio = 1.0\n    share"),
        "ratio turned over": SEARCH.replace("PVALUE", PVALUE)
        .replace("ERROR", ERROR)
        .replace("    share", "    ratio = 1 / ratio\n    share"),
        "signal does not fluctuate": search(error="np.sqrt(ratio * off + ratio**2 * off)"),
        "ratio not squared": search(error="np.sqrt(on + ratio * off)"),
        "errors added linearly": search(error="np.sqrt(on) + ratio * np.sqrt(off)"),
        "error of the signal alone": search(error="np.sqrt(max(on - ratio * off, 0.1))"),
        "95 % instead of 68 %": search(error="1.96 * np.sqrt(on + ratio**2 * off)"),
        "always p = 1": search("1.0"),
        "never a number": search("np.nan"),
    },
    "belief": {
        "sure and wrong": "belief = 0.0",
        "percent": "belief = 90",
        "a word": "belief = 'yes'",
    },
}

#: (task, mistake) -> the points that are left; every other mistake loses all points of its task.
LEFT = {
    ("search", mistake): 3.0
    for mistake in (
        "background taken for known, p-value only",
        "background without error in the interval only",
        "normal approximation",
        "normal approximation with the seen counts",
        "averaged over a normal background",
        "p of two sides, doubled",
        "more than n",
        "signal does not fluctuate",
        "ratio not squared",
        "errors added linearly",
        "error of the signal alone",
        "95 % instead of 68 %",
    )
}
