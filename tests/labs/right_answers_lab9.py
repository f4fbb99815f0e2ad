"""Right answers to lab 9 that differ from the model answer: {task: {how: what the student writes}}."""

RIGHT = {
    "predict": {"nearly sure": 'prediction = {"A": 1, "B": 1.0, "C": 0, "D": 0.0, "E": 1}'},
    "threshold": {
        "with partition": """
def tail_threshold(scores, fraction):
    k = int(np.floor(fraction * len(scores) + 1e-9))
    return np.partition(scores, len(scores) - k)[len(scores) - k]
""",
        "with sorted": """
def tail_threshold(scores, fraction):
    return sorted(scores, reverse=True)[int(len(scores) * fraction + 1e-9) - 1]
""",
    },
    "count": {
        "with the formula": """
from scipy.special import betaln, gammaln


def count_p(observed, m, k, n):
    x = np.arange(observed, m + 1)
    log_p = gammaln(m + 1) - gammaln(x + 1) - gammaln(m - x + 1)
    log_p += betaln(k + x, n - k + 1 + m - x) - betaln(k, n - k + 1)
    return np.exp(log_p).sum()
""",
        "one minus": """
def count_p(observed, m, k, n):
    return 1 - stats.betabinom(m, k, n - k + 1).cdf(observed - 1)
""",
    },
    "homogeneity": {
        "with SciPy's table": """
def homogeneity(passes, mass, edges):
    table = [np.histogram(mass[passes], edges)[0], np.histogram(mass[~passes], edges)[0]]
    found = stats.chi2_contingency(table, correction=False)
    return found.statistic, found.pvalue
""",
        "with a loop": """
def homogeneity(passes, mass, edges):
    chi2, total = 0.0, len(mass)
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (mass >= low) & (mass < high)
        for kind in (passes, np.logical_not(passes)):
            expected = kind.sum() * inside.sum() / total
            chi2 += ((kind & inside).sum() - expected) ** 2 / expected
    return np.array([chi2, 1 - stats.chi2.cdf(chi2, len(edges) - 2)])
""",
    },
    "permutation": {
        "appended": """
def permutation_p(observed, drawn):
    return np.mean(np.append(drawn, observed) >= observed)
""",
    },
    "jaccard": {
        "with sets": """
def jaccard(first, second, fraction):
    k = int(fraction * len(first) + 1e-9)
    a, b = set(np.argsort(first)[-k:]), set(np.argsort(second)[-k:])
    return len(a & b) / len(a | b)
""",
    },
    "corrected": {
        "in two cases": """
def corrected(p, n):
    return n * p if n * p < 1e-7 else 1 - (1 - p) ** n
""",
    },
    "verdict": {
        "by the evidence, one fault after the other": """
ratio = {name: np.sum(r.test >= r.threshold) / (r.fraction * len(r.test)) for name, r in reports.items()}
rank = {name: stats.spearmanr(r.trainings, axis=1).statistic.mean() for name, r in reports.items()}
verdict = {}
for name, r in reports.items():
    edges = np.append(np.quantile(r.mass, np.linspace(0, 1, 11)[:-1]), r.mass.max() + 1)
    chi2 = homogeneity(r.test >= r.threshold, r.mass, edges)[0]
    verdict[name] = "sculpting" if chi2 > 50 else "sound"
verdict[max(ratio, key=ratio.get)] = "learnt events"
verdict[min(rank, key=rank.get)] = "seeds"
""",
    },
}
