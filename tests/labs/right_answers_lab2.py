"""Right answers to lab 2 that differ from the model answer: {task: {how: what the student writes}}."""

LIKELIHOOD = """
def search(counts, window):
    first, last = window
    on, off = float(sum(counts[first:last])), float(sum(counts) - sum(counts[first:last]))
    tau = (len(counts) - last + first) / (last - first)

    def term(n, mean):
        return mean - (n * math.log(mean) if n else 0.0)

    def profile(s):
        # The background that fits best beside a signal s, and minus the logarithm of the likelihood.
        half = on + off - (1 + tau) * s
        b = (half + math.sqrt(half**2 + 4 * (1 + tau) * s * off)) / (2 * (1 + tau)) if off or half > 0 else 0.0
        b = max(b, 1e-12)
        return term(on, max(s + b, 1e-12)) + term(off, tau * b)

    best = on - off / tau
    least = profile(best) if best >= 0 else term(on, max(on, 1e-12)) + term(off, max(off, 1e-12))
    z = math.copysign(math.sqrt(max(0.0, 2 * (profile(0.0) - least))), best)

    def end(direction):
        near, far = best, max(0.0, best + direction * 8 * math.sqrt(on + off / tau**2 + 1))
        for _ in range(50):
            middle = (near + far) / 2
            near, far = (middle, far) if 2 * (profile(middle) - least) < 1 else (near, middle)
        return near

    return 1 - NormalDist().cdf(z), best, end(-1) if best > 0 else best, end(+1) if best > 0 else max(best, 1.0)
"""
TOYS = """
dice = np.random.default_rng(8)
def search(counts, window):
    first, last = window
    on, off = counts[first:last].sum(), counts.sum() - counts[first:last].sum()
    ratio = (last - first) / (len(counts) - last + first)
    # One event more than seen: an empty sideband does not mean an empty background.
    background = ratio * dice.gamma(off + 1, size=2000)
    p = np.mean(dice.poisson(background) >= on)
    error = (on + ratio**2 * off) ** 0.5
    return p, on - ratio * off, on - ratio * off - error, on - ratio * off + error
"""
POOLED = """
def search(counts, window):
    counts = list(counts)
    width, rest = window[1] - window[0], len(counts) - window[1] + window[0]
    on = sum(counts[window[0] : window[1]])
    off = sum(counts) - on
    difference = on - off * width / rest
    # Without a signal, window and sideband together tell the background best.
    error = (max(on + off, 1) * width / rest) ** 0.5
    half = (on + off * (width / rest) ** 2) ** 0.5
    return norm.sf(difference / error), difference, difference - half, difference + half
"""

RIGHT = {
    "predict": {"nearly sure": 'prediction = {"A": 0, "B": 1, "C": 1.0, "D": 0.0, "E": 0}'},
    "tail": {
        "with scipy": "def p_value(n, b):\n    return poisson.sf(n - 1, b)",
        "from term to term, on either side of the largest": """
def p_value(n, b):
    start = max(n, int(b))
    term = first = math.exp(start * math.log(b) - b - math.lgamma(start + 1))
    total, k = 0.0, start
    while term > 1e-18 * total:
        total, k = total + term, k + 1
        term *= b / k
    term, k = first, start
    while k > n:
        term *= k / b
        total, k = total + term, k - 1
    return total
""",
    },
    "sigma": {
        "with scipy": "def significance(p):\n    return norm.isf(p)",
        "by bisection": """
def significance(p):
    low, high = -40.0, 40.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erfc(middle / math.sqrt(2)) / 2 > p else (low, middle)
    return low
""",
    },
    "everywhere": {
        "with loops": """
def look_everywhere(counts, expected, width):
    places = range(len(expected) - width + 1)
    known = {}

    def smallest(spectrum):
        found = []
        for k in places:
            key = k, int(sum(spectrum[k : k + width]))
            if key not in known:
                known[key] = poisson.sf(key[1] - 1, sum(expected[k : k + width]))
            found.append(known[key])
        return min(found)

    local = smallest(counts)
    toys = np.random.default_rng(12).poisson(expected, size=(4000, len(expected)))
    return local, sum(smallest(toy) <= local for toy in toys) / 4000
""",
    },
    "mine": {
        "with a list of windows": """
def of(k):
    return poisson.sf(sum(my_counts[k : k + 3]) - 1, sum(EXPECTED[k : k + 3]))
my_first = min(range(28), key=of)
my_seen, my_local = sum(my_counts[my_first : my_first + 3]), of(my_first)
""",
    },
    "search": {"profile likelihood": LIKELIHOOD, "toys": TOYS, "normal, but with the pooled background": POOLED},
    "belief": {"a whole number": "belief = 1"},
}
