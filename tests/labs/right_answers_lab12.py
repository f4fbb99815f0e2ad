"""Right answers to lab 12 that differ from the model answer: {task: {how: what the student writes}}."""

RIGHT = {
    "predict": {"nearly sure": 'prediction = {"A": 0, "B": 1.0, "C": 0.0, "D": 1, "E": 0}'},
    "direction": {
        "Rayleigh": """
def direction_p(ring):
    phi = 2 * np.pi * (np.arange(24) + 0.5) / 24
    return np.exp(-abs(np.sum(ring * np.exp(1j * phi))) ** 2 / np.sum(ring))
""",
        "with SciPy": "def direction_p(ring):\n    return stats.chisquare(ring).pvalue\n",
        "three neighbours, with toys": """
def largest(rings):
    three = rings + np.roll(rings, 1, axis=-1) + np.roll(rings, -1, axis=-1)
    return three.max(axis=-1) / np.sqrt(rings.sum(axis=-1)) - np.sqrt(rings.sum(axis=-1)) / 8


known = np.sort(largest(make_boxes("nothing", 4000, np.random.default_rng(6))[1]))


def direction_p(ring):
    return (1 + len(known) - np.searchsorted(known, largest(ring) - 1e-9)) / (1 + len(known))
""",
    },
    "window": {
        "with loops, and an excess in standard deviations": """
def best(mass):
    found = 0.0
    for first in range(4, 24):
        sides = [*range(first - 4, first), *range(first + 3, first + 7)]
        r = SHAPE[first : first + 3].sum() / SHAPE[sides].sum()
        off = max(mass[sides].sum(), 1)
        b = r * off
        found = max(found, (mass[first : first + 3].sum() - b) / np.sqrt(b + b**2 * (1 / off + 0.03**2)))
    return found


known = np.array([best(mass) for mass in make_boxes("nothing", 1500, np.random.default_rng(2))[0]])


def window_p(mass):
    return (1 + np.sum(known >= best(mass) - 1e-9)) / (1 + len(known))
""",
    },
    "judge": {
        "Gaussian kernels, all three kinds": """
bells = {}
for kind in KINDS:
    masses, rings, _ = make_boxes(kind, 2500, np.random.default_rng(14))
    bells[kind] = stats.gaussian_kde(bump_number(masses)), stats.gaussian_kde(ring_number(rings))


def judge(mass, ring):
    bump, turn = bump_number(mass), ring_number(ring)
    weights = [bell[0](bump)[0] * bell[1](turn)[0] + 1e-12 for bell in bells.values()]
    return [w / sum(weights) for w in weights]
""",
        "boxes that look alike": """
alike = np.concatenate([
    np.column_stack([bump_number(masses), ring_number(rings)])
    for masses, rings, _ in (make_boxes(kind, 4000, np.random.default_rng(15)) for kind in KINDS)
])


def judge(mass, ring):
    # Far out all are alike: there is nothing above 6.
    here = np.minimum([bump_number(mass), ring_number(ring)], 6)
    near = np.argpartition(np.sum((np.minimum(alike, 6) - here) ** 2, axis=1), 150)[:150]
    counts = np.bincount(near // 4000, minlength=3)
    return counts / counts.sum()
""",
    },
    "belief": {
        "as lists of whole numbers": "belief = {box: [int(kind == one) for one in KINDS] "
        "for box, kind in zip(my_boxes, TRUTH)}",
    },
    "mass": {
        "mean above the background": """
def mass_interval(mass, first):
    beside = np.r_[first - 4 : first, first + 3 : first + 7]
    b = SHAPE * mass[beside].sum() / SHAPE[beside].sum()
    centres, here = (EDGES[1:] + EDGES[:-1]) / 2, slice(first - 1, first + 4)
    signal = (mass - b)[here]
    mean = np.sum(signal * centres[here]) / signal.sum()
    error = np.sqrt(np.sum(mass[here] * (centres[here] - mean) ** 2)) / signal.sum()
    return mean - error, mean + error
""",
        "a probability of each mass": """
def mass_interval(mass, first):
    here = np.arange(first - 4, first + 7)
    beside = np.r_[first - 4 : first, first + 3 : first + 7]
    b = SHAPE[here] * mass[beside].sum() / SHAPE[beside].sum()
    masses, events = np.arange(EDGES[first] - 50, EDGES[first + 3] + 51, 5.0), np.arange(4.0, 250.0, 4.0)
    peak = np.diff(stats.norm.cdf((EDGES[first - 4 : first + 8] - masses[:, None]) / 80), axis=1)
    expected = b + events[:, None, None] * peak
    log_l = np.sum(mass[here] * np.log(expected) - expected, axis=-1)
    share = np.cumsum(np.exp(log_l - log_l.max()).sum(axis=0))
    return np.interp([0.16, 0.84], share / share[-1], masses + 2.5)
""",
    },
    "curve": {
        "with SciPy's interval": """
def curve(stated, happened, edges):
    rows, place = [], np.digitize(stated, edges)
    for number in np.unique(place):
        here = place == number
        k, n = int(happened[here].sum()), int(here.sum())
        low, high = stats.binomtest(k, n).proportion_ci(0.68, method="exact")
        # SciPy's two-sided interval of k = 0 or k = n has the same inner end.
        rows.append([stated[here].mean(), k / n, low, high])
    return rows
""",
    },
    "verdict": {
        "with toys": """
dice = np.random.default_rng(16)


def verdict(stated, happened):
    toys = dice.random((1000, len(stated))) < stated
    scores = np.sum((toys - stated) ** 2, axis=1)
    z = (np.sum((happened - stated) ** 2) - scores.mean()) / scores.std()
    return ["too careful", "calibrated", "over-confident"][int(np.digitize(z, [-2.6, 2.6]))]
""",
    },
    "pooled": {
        "Cramer and von Mises": 'def pooled(p_values):\n    return stats.cramervonmises(p_values, "uniform").pvalue\n',
        "five bins": """
def pooled(p_values):
    return stats.chisquare(np.histogram(p_values, 5, (0, 1))[0]).pvalue
""",
    },
}
