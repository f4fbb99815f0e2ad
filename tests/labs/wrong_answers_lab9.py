"""Mistakes that students make in lab 9: {task: {mistake: what the student writes}}; each loses exactly its points."""

from editing import changed

THRESHOLD = """
def tail_threshold(scores, fraction):
    k = int(fraction * len(scores) + 1e-9)
    return np.sort(scores)[-k]
"""
COUNT = """
def count_p(observed, m, k, n):
    return stats.betabinom.sf(observed - 1, m, k, n - k + 1)
"""
HOMOGENEITY = """
def homogeneity(passes, mass, edges):
    a, b = (np.histogram(mass[rows], edges)[0] for rows in (passes, ~passes))
    total = a + b
    e, f = a.sum() * total / total.sum(), b.sum() * total / total.sum()
    chi2 = np.sum((a - e) ** 2 / e) + np.sum((b - f) ** 2 / f)
    return chi2, stats.chi2.sf(chi2, len(edges) - 2)
"""
PERMUTATION = """
def permutation_p(observed, drawn):
    return (1 + np.sum(np.asarray(drawn) >= observed)) / (len(drawn) + 1)
"""
JACCARD = """
def jaccard(first, second, fraction):
    one, other = first >= tail_threshold(first, fraction), second >= tail_threshold(second, fraction)
    return np.sum(one & other) / np.sum(one | other)
"""
CORRECTED = """
def corrected(p, n):
    return -np.expm1(n * np.log1p(-p)) if p < 1 else 1.0
"""
VERDICT = """
verdict = {}
for name, r in reports.items():
    edges = np.quantile(r.mass, np.linspace(0, 1, 13))
    edges[-1] += 1
    overlap = np.mean([jaccard(r.trainings[0], other, r.fraction) for other in r.trainings[1:]])
    k = int(r.fraction * len(r.validation))
    if count_p(int(np.sum(r.test >= r.threshold)), len(r.test), k, len(r.validation)) < 1e-4:
        verdict[name] = "learnt events"
    elif homogeneity(r.test >= tail_threshold(r.test, r.fraction), r.mass, edges)[1] < 1e-4:
        verdict[name] = "sculpting"
    elif overlap < 0.5:
        verdict[name] = "seeds"
    else:
        verdict[name] = "sound"
"""


WRONG = {
    "predict": {
        "sure and wrong about all": 'prediction = {"A": 0.0, "B": 0.0, "C": 1.0, "D": 1.0, "E": 0.0}',
        "percent": 'prediction = {"A": 90, "B": 90, "C": 10, "D": 10, "E": 90}',
        "one is missing": 'prediction = {"A": 1.0, "B": 1.0, "C": 0.0, "D": 0.0}',
    },
    "threshold": {
        "the quantile": "def tail_threshold(scores, fraction):\n    return np.quantile(scores, 1 - fraction)\n",
        "rounded up": changed(
            THRESHOLD, ("int(fraction * len(scores) + 1e-9)", "int(np.ceil(fraction * len(scores)))")
        ),
        "one event too few": changed(THRESHOLD, ("[-k]", "[-k + 1]")),
        "one event too many": changed(THRESHOLD, ("[-k]", "[-k - 1]")),
        "the lowest": changed(THRESHOLD, ("[-k]", "[k - 1]")),
        "not sorted": changed(THRESHOLD, ("np.sort(scores)", "scores")),
        "sorted in place": "def tail_threshold(scores, fraction):\n    scores.sort()\n"
        "    return scores[-int(fraction * len(scores) + 1e-9)]\n",
    },
    "count": {
        "Poisson": "def count_p(observed, m, k, n):\n    return stats.poisson.sf(observed - 1, m * k / n)\n",
        "binomial": "def count_p(observed, m, k, n):\n    return stats.binom.sf(observed - 1, m, k / n)\n",
        "more, without equal": changed(COUNT, ("observed - 1", "observed")),
        "or fewer": changed(COUNT, ("betabinom.sf(observed - 1", "betabinom.cdf(observed")),
        "the one forgotten": changed(COUNT, ("n - k + 1", "n - k")),
        "exactly so many": changed(COUNT, ("sf(observed - 1", "pmf(observed")),
        "two-sided": changed(COUNT, ("stats", "2 * stats")),
        "sizes exchanged": changed(COUNT, ("m, k, n - k + 1", "n, k, m - k + 1")),
    },
    "homogeneity": {
        "against all events": changed(HOMOGENEITY, ("(passes, ~passes)", "(passes, passes | ~passes)")),
        "the failing ones forgotten": changed(HOMOGENEITY, (" + np.sum((b - f) ** 2 / f)", "")),
        "one degree of freedom more": changed(HOMOGENEITY, ("len(edges) - 2", "len(edges) - 1")),
        "Poisson errors of the data": changed(HOMOGENEITY, ("/ e)", "/ a)"), ("/ f)", "/ b)")),
        "probability of a smaller one": changed(HOMOGENEITY, ("chi2.sf", "chi2.cdf")),
        "shapes instead of counts": changed(
            HOMOGENEITY, ("    total = a + b\n", "    a, b = a / a.sum(), b / b.sum()\n    total = a + b\n")
        ),
        "only the p-value": changed(HOMOGENEITY, ("return chi2, ", "return ")),
        "other order": changed(
            HOMOGENEITY,
            ("return chi2, stats.chi2.sf(chi2, len(edges) - 2)", "return stats.chi2.sf(chi2, len(edges) - 2), chi2"),
        ),
        "not squared": changed(HOMOGENEITY, ("(a - e) ** 2", "abs(a - e)"), ("(b - f) ** 2", "abs(b - f)")),
    },
    "permutation": {
        "the data are no draw": changed(
            PERMUTATION,
            ("(1 + np.sum(np.asarray(drawn) >= observed))", "np.sum(drawn >= observed)"),
            ("(len(drawn) + 1)", "len(drawn)"),
        ),
        "one forgotten above": changed(PERMUTATION, ("(1 + np.sum", "(0 + np.sum")),
        "one forgotten below": changed(PERMUTATION, ("len(drawn) + 1", "len(drawn)")),
        "smaller ones": changed(PERMUTATION, (">=", "<=")),
        "equal ones left out": changed(PERMUTATION, (">=", ">")),
        "two-sided": changed(PERMUTATION, ("return (1", "return 2 * (1")),
    },
    "jaccard": {
        "share of one tail": changed(JACCARD, ("np.sum(one | other)", "np.sum(one)")),
        "one threshold for both": changed(
            JACCARD, ("tail_threshold(second, fraction)", "tail_threshold(first, fraction)")
        ),
        "share of all events": changed(JACCARD, ("np.sum(one | other)", "len(first)")),
        "the lowest": changed(JACCARD, ("first >=", "first <="), ("second >=", "second <=")),
        "without the threshold itself": changed(JACCARD, ("first >=", "first >"), ("second >=", "second >")),
        "sum of both": changed(JACCARD, ("np.sum(one | other)", "(np.sum(one) + np.sum(other))")),
        "agreement of all events": changed(
            JACCARD, ("np.sum(one & other) / np.sum(one | other)", "np.mean(one == other)")
        ),
        "rank correlation": "def jaccard(a, b, fraction):\n    return stats.spearmanr(a, b).statistic\n",
    },
    "corrected": {
        "the plain formula": "def corrected(p, n):\n    return 1 - (1 - p) ** n\n",
        "Bonferroni": "def corrected(p, n):\n    return min(1.0, n * p)\n",
        "divided": "def corrected(p, n):\n    return p / n\n",
        "all of them": "def corrected(p, n):\n    return p**n\n",
        "none of them": "def corrected(p, n):\n    return (1 - p) ** n\n",
        "not corrected": "def corrected(p, n):\n    return p\n",
    },
    "verdict": {
        "everybody is accused": changed(
            VERDICT, ('else:\n        verdict[name] = "sound"', 'else:\n        verdict[name] = "sculpting"')
        ),
        "everybody is believed": 'verdict = {name: "sound" for name in reports}\n',
        "a correlation for the mass": changed(
            VERDICT,
            (
                "homogeneity(r.test >= tail_threshold(r.test, r.fraction), r.mass, edges)[1] < 1e-4",
                "stats.spearmanr(r.test, r.mass).pvalue < 1e-4",
            ),
        ),
        "no seeds": changed(VERDICT, ("overlap < 0.5", "overlap < 0")),
        "another word": changed(VERDICT, ('"seeds"', '"unstable"')),
        "one is missing": VERDICT + 'del verdict["D"]\n',
    },
}
#: One report of four judged wrongly costs one point of three; who believes everybody is stopped by the visible check.
LEFT = {
    ("verdict", "everybody is accused"): 2.0,
    ("verdict", "a correlation for the mass"): 2.0,
    ("verdict", "no seeds"): 2.0,
}
