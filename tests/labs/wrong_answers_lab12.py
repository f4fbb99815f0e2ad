"""Mistakes that students make in lab 12: {task: {mistake: what the student writes}}."""

from editing import changed

DIRECTION = """
def direction_p(ring):
    mean = np.mean(ring)
    return stats.chi2.sf(np.sum((ring - mean) ** 2) / mean, len(ring) - 1)
"""
RAYLEIGH = """
def direction_p(ring):
    phi = 2 * np.pi * np.arange(24) / 24
    length = np.hypot(np.sum(ring * np.cos(phi)), np.sum(ring * np.sin(phi)))
    return np.exp(-(length**2) / np.sum(ring))
"""
WINDOW = """
first = np.arange(4, 24)


def sums(spectra, width):
    return np.lib.stride_tricks.sliding_window_view(spectra, width, axis=-1).sum(axis=-1)


def beside(values):
    return sums(values, 4)[..., first - 4] + sums(values, 4)[..., first + 3]


def local(spectra):
    on, off = sums(spectra, 3)[..., first], np.maximum(beside(spectra), 1)
    b = off * sums(SHAPE, 3)[first] / beside(SHAPE)
    return p_bi(on, b, b * np.sqrt(1 / off + 0.03**2))


toys = make_boxes("nothing", 4000, np.random.default_rng(3))[0]
known = np.sort(local(toys).min(axis=-1))


def window_p(mass):
    smallest = local(mass).min()
    return (np.searchsorted(known, smallest * (1 + 1e-9), side="right") + 1) / (len(known) + 1)
"""
RETURNED = '(np.searchsorted(known, smallest * (1 + 1e-9), side="right") + 1) / (len(known) + 1)'
JUDGE = """
numbers, shares = {}, {}
for kind in KINDS:
    masses, rings, _ = make_boxes(kind, 4000, np.random.default_rng(5))
    numbers[kind] = bump_number(masses), ring_number(rings)
cuts = [np.quantile(n, [0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.997]) for n in numbers["nothing"]]
for kind in KINDS:
    counts = [np.bincount(np.digitize(n, c), minlength=10) + 0.5 for n, c in zip(numbers[kind], cuts)]
    shares[kind] = [n / n.sum() for n in counts]


def share(kind, which, value):
    return shares[kind][which][np.searchsorted(cuts[which], value)]


def tail(which, value):
    return (1 + np.sum(numbers["nothing"][which] >= value)) / 4001


def judge(mass, ring):
    bump, turn = bump_number(mass), ring_number(ring)
    weights = np.array([share(kind, 0, bump) * share(kind, 1, turn) for kind in KINDS])
    return weights / weights.sum()
"""
WEIGHTS = "np.array([share(kind, 0, bump) * share(kind, 1, turn) for kind in KINDS])"
MASS = """
def mass_interval(mass, first):
    beside = np.r_[first - 4 : first, first + 3 : first + 7]
    b = SHAPE * mass[beside].sum() / SHAPE[beside].sum()
    centres, here = (EDGES[1:] + EDGES[:-1]) / 2, slice(first - 1, first + 4)
    signal = (mass - b)[here]
    mean = np.sum(signal * centres[here]) / signal.sum()
    error = np.sqrt(np.sum(mass[here] * (centres[here] - mean) ** 2)) / signal.sum()
    return mean - error, mean + error
"""
ERROR = "np.sqrt(np.sum(mass[here] * (centres[here] - mean) ** 2)) / signal.sum()"
CURVE = """
def curve(stated, happened, edges):
    rows = []
    for low, high in zip(edges[:-1], edges[1:]):
        here = (stated >= low) & (stated < high)
        n, k = int(np.sum(here)), int(np.sum(happened[here]))
        if n:
            lower = stats.beta.ppf(0.16, k, n - k + 1) if k else 0.0
            upper = stats.beta.ppf(0.84, k + 1, n - k) if k < n else 1.0
            rows.append((np.mean(stated[here]), k / n, lower, upper))
    return rows
"""
VERDICT = """
def verdict(stated, happened):
    promised = stated * (1 - stated)
    z = np.sum((happened - stated) ** 2 - promised) / np.sqrt(np.sum(promised * (1 - 2 * stated) ** 2))
    return "over-confident" if z > 2.6 else "too careful" if z < -2.6 else "calibrated"
"""
POOLED = """
def pooled(p_values):
    return stats.kstest(p_values, "uniform").pvalue
"""


WRONG = {
    "predict": {
        "sure and wrong about all": 'prediction = {"A": 1.0, "B": 0.0, "C": 1.0, "D": 0.0, "E": 1.0}',
        "percent": 'prediction = {"A": 10, "B": 90, "C": 10, "D": 90, "E": 10}',
        "one is missing": 'prediction = {"A": 0.0, "B": 1.0, "C": 0.0, "D": 1.0}',
    },
    "direction": {
        "one degree of freedom too many": changed(DIRECTION, ("len(ring) - 1", "len(ring)")),
        "probability of a smaller one": changed(DIRECTION, ("chi2.sf", "chi2.cdf")),
        "not divided by the mean": changed(DIRECTION, (" / mean, len", ", len")),
        "the mean taken for known": changed(DIRECTION, ("mean = np.mean(ring)", "mean = 10.0")),
        "divided by the spread that was seen": changed(DIRECTION, (" / mean, len", " / np.var(ring), len")),
        "the fullest cell alone": "def direction_p(ring):\n    return stats.poisson.sf(max(ring) - 1, np.mean(ring))\n",
        "the fullest cell, two-sided": "def direction_p(ring):\n"
        "    return 2 * stats.norm.sf((max(ring) - np.mean(ring)) / np.sqrt(np.mean(ring)))\n",
        "Rayleigh: the root is missing": changed(RAYLEIGH, ("(length**2)", "length")),
        "Rayleigh: mean length": changed(RAYLEIGH, ("(length**2) / np.sum(ring)", "((length / np.sum(ring)) ** 2)")),
        "Rayleigh: half of the exponent": changed(RAYLEIGH, ("np.sum(ring))\n", "np.sum(ring) / 2)\n")),
        "Rayleigh: cells in degrees": changed(RAYLEIGH, ("2 * np.pi * np.arange(24) / 24", "15 * np.arange(24)")),
        "any number": "def direction_p(ring):\n    return np.random.default_rng(int(ring[0])).random()\n",
    },
    "window": {
        "elsewhere ignored": changed(WINDOW, (RETURNED, "smallest")),
        "times the number of windows": changed(WINDOW, (RETURNED, "min(1.0, 20 * smallest)")),
        "windows taken for independent": changed(WINDOW, (RETURNED, "1 - (1 - smallest) ** 20")),
        "windows that do not overlap": changed(WINDOW, (RETURNED, "1 - (1 - smallest) ** (20 / 3)")),
        "toys looked at in one window": changed(WINDOW, ("local(toys).min(axis=-1)", "local(toys)[:, 9]")),
        "toys looked at in the same window": changed(
            WINDOW,
            (RETURNED, "(1 + np.sum(local(toys[:500])[:, np.argmin(local(mass))] <= smallest)) / 501"),
        ),
        "toys of what was seen": changed(
            WINDOW,
            (
                RETURNED,
                "np.mean(local(np.random.default_rng(1).poisson(mass, (300, 34))).min(axis=-1) <= smallest)",
            ),
        ),
        "the other way round": changed(WINDOW, (RETURNED, f"1 - {RETURNED}")),
        "the mean of all windows": changed(WINDOW, ("local(mass).min()", "local(mass).mean()")),
        "p = 0 where no toy is as small": changed(
            WINDOW, (RETURNED, 'np.searchsorted(known, smallest * (1 - 1e-9), side="left") / len(known)')
        ),
        "toys from boxes with a resonance": changed(WINDOW, ('"nothing"', '"resonance"')),
        "more windows than in the toys": changed(
            WINDOW, ("local(toys).min(axis=-1)", "local(toys)[:, ::5].min(axis=-1)")
        ),
    },
    "judge": {
        "a third each": "def judge(mass, ring):\n    return [1 / 3, 1 / 3, 1 / 3]\n",
        "sure of the most probable": changed(
            JUDGE, ("return weights / weights.sum()", "return np.eye(3)[np.argmax(weights)]")
        ),
        "sure of what passes a cut": changed(
            JUDGE,
            (
                "    return weights / weights.sum()",
                "    p, q = tail(0, bump), tail(1, turn)\n"
                "    return np.eye(3)[0 if min(p, q) > 0.05 else 1 if p < q else 2]",
            ),
        ),
        "one minus p": changed(
            JUDGE, (WEIGHTS, "np.array([tail(0, bump) * tail(1, turn), 1 - tail(0, bump), 1 - tail(1, turn)])")
        ),
        "one over p for odds": changed(JUDGE, (WEIGHTS, "np.array([1, 1 / tail(0, bump), 1 / tail(1, turn)])")),
        "evidence counted twice": changed(
            JUDGE, ("return weights / weights.sum()", "return weights**2 / np.sum(weights**2)")
        ),
        "more careful than necessary": changed(
            JUDGE, ("return weights / weights.sum()", "return (weights / weights.sum() + 1 / 3) / 2")
        ),
        "other order": changed(JUDGE, ("return weights / weights.sum()", "return weights[[0, 2, 1]] / weights.sum()")),
        "the likelihoods themselves": changed(JUDGE, ("return weights / weights.sum()", "return weights")),
        "the ring forgotten": changed(JUDGE, (" * share(kind, 1, turn)", "")),
        "most boxes hold nothing": changed(
            JUDGE, ("    return weights / weights.sum()", "    weights[0] *= 10\n    return weights / weights.sum()")
        ),
    },
    "belief": {
        "boxes of a neighbour": "belief = {box: [1 / 3, 1 / 3, 1 / 3] for box in boxes_of('a neighbour')}",
        "sure and wrong": "belief = {box: [float(kind == one) for one in (KINDS[1], KINDS[2], KINDS[0])] "
        "for box, kind in zip(my_boxes, TRUTH)}",
        "percent": "belief = {box: [20, 50, 30] for box in my_boxes}",
        "they do not add up": "belief = {box: [0.9, 0.9, 0.9] for box in my_boxes}",
        "one number each": "belief = {box: 0.5 for box in my_boxes}",
    },
    "mass": {
        "width of the peak": changed(MASS, (ERROR, "80.0")),
        "half a bin": changed(MASS, (ERROR, "50.0")),
        "half of the window": changed(MASS, (ERROR, "150.0")),
        "background forgotten": changed(MASS, ("(mass - b)[here]", "mass[here]")),
        "error of the signal alone": changed(MASS, (ERROR, "80 / np.sqrt(signal.sum())")),
        "error as if all events were signal": changed(MASS, (ERROR, "80 / np.sqrt(mass[here].sum())")),
        "left edges of the bins": changed(MASS, ("(EDGES[1:] + EDGES[:-1]) / 2", "EDGES[:-1]")),
        "95 %": changed(MASS, (ERROR, f"1.96 * {ERROR}")),
        "centre of the fullest bin": changed(
            MASS, ("np.sum(signal * centres[here]) / signal.sum()", "centres[here][np.argmax(signal)]")
        ),
        "wide and sure": changed(MASS, (ERROR, "300.0")),
        "middle and error": changed(MASS, ("mean - error, mean + error", "mean, error")),
        "always the same": "def mass_interval(mass, first):\n    return 3830.0, 3870.0\n",
    },
    "curve": {
        "the normal approximation": changed(
            CURVE,
            ("stats.beta.ppf(0.16, k, n - k + 1) if k else 0.0", "k / n - np.sqrt(k / n * (1 - k / n) / n)"),
            ("stats.beta.ppf(0.84, k + 1, n - k) if k < n else 1.0", "k / n + np.sqrt(k / n * (1 - k / n) / n)"),
        ),
        "middle of the range": changed(CURVE, ("np.mean(stated[here])", "(low + high) / 2")),
        "95 %": changed(CURVE, ("0.16", "0.025"), ("0.84", "0.975")),
        "ranges without statements, too": changed(CURVE, ("if n:", "if n or True:"), ("k / n", "k / max(n, 1)")),
        "nothing came true: no interval": changed(CURVE, (" if k else 0.0", ""), (" if k < n else 1.0", "")),
        "counts instead of shares": changed(CURVE, ("k / n, lower", "k, lower")),
        "edges at the wrong side": changed(CURVE, (">= low", "> low"), ("< high", "<= high")),
        "a flat prior": changed(
            CURVE, ("k, n - k + 1) if k else 0.0", "k + 1, n - k + 1)"), ("k + 1, n - k)", "k + 1, n - k + 1)")
        ),
    },
    "verdict": {
        "the wrong sign": changed(VERDICT, ("z > 2.6", "-z > 2.6"), ("z < -2.6", "z > 2.6")),
        "mean against share": "def verdict(stated, happened):\n"
        "    z = np.sum(stated - happened) / np.sqrt(np.sum(stated * (1 - stated)))\n"
        '    return "over-confident" if z > 2.6 else "too careful" if z < -2.6 else "calibrated"\n',
        "nobody is blamed": 'def verdict(stated, happened):\n    return "calibrated"\n',
        "a third of the honest is blamed": changed(VERDICT, ("2.6", "1.0")),
        "variance without the last factor": changed(VERDICT, (" * (1 - 2 * stated) ** 2", "")),
        "the promise forgotten": changed(VERDICT, ("(happened - stated) ** 2 - promised", "(happened - stated) ** 2")),
        "by the score alone": "def verdict(stated, happened):\n"
        "    score = np.mean((happened - stated) ** 2)\n"
        '    return "over-confident" if score > 0.2 else "too careful" if score < 0.1 else "calibrated"\n',
        "another word": changed(VERDICT, ("over-confident", "overconfident")),
        "not a sum": changed(
            VERDICT, ("np.sum((happened - stated) ** 2 - promised)", "np.mean((happened - stated) ** 2 - promised)")
        ),
    },
    "pooled": {
        "Fisher: only small ones are seen": "def pooled(p_values):\n"
        "    return stats.chi2.sf(-2 * np.sum(np.log(p_values)), 2 * len(p_values))\n",
        "only too many small ones": changed(POOLED, ('"uniform")', '"uniform", alternative="greater")')),
        "only too few small ones": changed(POOLED, ('"uniform")', '"uniform", alternative="less")')),
        "number below 0.05": "def pooled(p_values):\n"
        "    return stats.binom.sf(np.sum(p_values < 0.05) - 1, len(p_values), 0.05)\n",
        "against a normal distribution": changed(POOLED, ('"uniform"', '"norm"')),
        "the smallest one": "def pooled(p_values):\n    return min(p_values)\n",
        "the mean": "def pooled(p_values):\n    return np.mean(p_values)\n",
        "times their number": "def pooled(p_values):\n    return min(1.0, len(p_values) * min(p_values))\n",
        "the statistic": changed(POOLED, (".pvalue", ".statistic")),
    },
}

#: (task, mistake) -> the points that are left; every other mistake loses all points of its task.
LEFT = {
    # Calibrated and blunt, or sharp and not calibrated.
    **{
        ("judge", mistake): 2.0
        for mistake in (
            "a third each",
            "sure of the most probable",
            "sure of what passes a cut",
            "evidence counted twice",
            "more careful than necessary",
            "the ring forgotten",
        )
    },
    # An honest test that is blind on one side.
    ("pooled", "Fisher: only small ones are seen"): 1.0,
    ("pooled", "only too many small ones"): 1.0,
}
