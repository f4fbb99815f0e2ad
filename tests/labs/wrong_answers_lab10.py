"""Mistakes that students make in lab 10: {task: {mistake: what the student writes}}; each loses exactly its points."""

from editing import changed

RATIO = """
def mixed_ratio(r, s_1, s_2):
    first, second = (1 + s_1 * r) / (1 + s_1), (1 + s_2 * r) / (1 + s_2)
    return first / second
"""
INJECT = """
def inject(background, signal, window, wanted, rng):
    n_background = np.sum((background > window[0]) & (background < window[1]))
    share = np.mean((signal > window[0]) & (signal < window[1]))
    n = rng.poisson(wanted * n_background / share)
    return rng.permutation(len(signal))[:n]
"""
FOLDS = """
def out_of_fold(X, y, folds, train):
    scores = np.empty(len(X))
    for fold in np.unique(folds):
        here = folds == fold
        score = train(X[~here], y[~here])
        scores[here] = score(X[here])
    return scores
"""
PASSES = """
def passes(scores, y, folds, efficiency):
    passing = np.zeros(len(scores), dtype=bool)
    for fold in np.unique(folds):
        here = folds == fold
        sideband = np.sort(scores[here & (y == 0)])
        k = int(efficiency * len(sideband) + 1e-9)
        passing |= here & (scores >= sideband[-k])
    return passing
"""
COUNT = """
def count(passing, y, expected):
    n_on = np.sum(passing & (y == 1))
    k = np.sum(passing & (y == 0))
    b = expected * k / np.sum(y == 0)
    sigma = b / np.sqrt(k)
    return n_on, b, sigma, z_bi(n_on, b, sigma)
"""
SHUFFLE = """
def null_auc(score, y, rng):
    shuffled = rng.permutation(y)
    return auc(shuffled, score(shuffled))
"""
LEAVE = """
leave_out = [
    name
    for name, values in offered.items()
    if stats.ks_2samp(values[offered_y == 1], values[offered_y == 0]).pvalue < 1e-6
]
"""
POISSON = "n = rng.poisson(wanted * n_background / share)"


WRONG = {
    "predict": {
        "sure and wrong about all": 'prediction = {"A": 0.0, "B": 0.0, "C": 1.0, "D": 1.0, "E": 1.0}',
        "percent": 'prediction = {"A": 90, "B": 90, "C": 10, "D": 10, "E": 10}',
        "one is missing": 'prediction = {"A": 1.0, "B": 1.0, "C": 0.0, "D": 0.0}',
    },
    "ratio": {
        "not normalised": changed(RATIO, (" / (1 + s_1)", ""), (" / (1 + s_2)", "")),
        "S/B taken for the fraction": changed(
            RATIO, ("(1 + s_1 * r) / (1 + s_1), (1 + s_2 * r) / (1 + s_2)", "1 - s_1 + s_1 * r, 1 - s_2 + s_2 * r")
        ),
        "the samples exchanged": changed(RATIO, ("first / second", "second / first")),
        "only the first sample is mixed": changed(RATIO, ("(1 + s_2 * r) / (1 + s_2)", "1.0")),
        "ratio of the signals": "def mixed_ratio(r, s_1, s_2):\n    return r * s_1 / s_2 if s_2 else r\n",
    },
    "inject": {
        "a fixed number": changed(INJECT, (POISSON, "n = round(wanted * n_background / share)")),
        "the number is meant at all masses": changed(INJECT, (" / share", "")),
        "of all background": changed(
            INJECT, ("np.sum((background > window[0]) & (background < window[1]))", "len(background)")
        ),
        "only in the window": changed(
            INJECT,
            (POISSON, "n = rng.poisson(wanted * n_background)"),
            (
                "rng.permutation(len(signal))[:n]",
                "rng.permutation(np.flatnonzero((signal > window[0]) & (signal < window[1])))[:n]",
            ),
        ),
        "the first ones": changed(INJECT, ("rng.permutation(len(signal))", "np.arange(len(signal))")),
        "some come twice": changed(INJECT, ("rng.permutation(len(signal))[:n]", "rng.integers(0, len(signal), n)")),
        "other dice": changed(INJECT, ("rng.permutation", "np.random.permutation")),
        "masses instead of rows": changed(INJECT, ("rng.permutation(len(signal))", "rng.permutation(signal)")),
        "share upside down": changed(INJECT, ("/ share", "* share")),
        "a Gaussian number that is too narrow": changed(
            INJECT, (POISSON, "m = wanted * n_background / share\n    n = round(rng.normal(m, 0.5 * m**0.5))")
        ),
    },
    "folds": {
        "in sample": changed(FOLDS, ("train(X[~here], y[~here])", "train(X, y)")),
        "trained on its own fold": changed(FOLDS, ("train(X[~here], y[~here])", "train(X[here], y[here])")),
        "trained on one fold, scores the others": changed(
            FOLDS,
            ("train(X[~here], y[~here])", "train(X[here], y[here])"),
            ("scores[here] = score(X[here])", "scores[~here] = score(X[~here])"),
        ),
        "overwrites with trees that have seen it": changed(
            FOLDS, ("scores[here] = score(X[here])", "scores[:] = score(X)")
        ),
        "in the order of the folds": """
def out_of_fold(X, y, folds, train):
    parts = []
    for fold in np.unique(folds):
        parts.append(train(X[folds != fold], y[folds != fold])(X[folds == fold]))
    return np.concatenate(parts)
""",
        "own folds": changed(FOLDS, ("    scores =", "    folds = np.arange(len(X)) % 5\n    scores =")),
        "half of the events": changed(FOLDS, ("train(X[~here], y[~here])", "train(X[~here][::2], y[~here][::2])")),
        "the last fold forgotten": changed(FOLDS, ("np.unique(folds)", "range(max(folds))")),
        "only the background is learnt": changed(
            FOLDS, ("train(X[~here], y[~here])", "train(X[~here & (y == 0)], y[~here & (y == 0)])")
        ),
    },
    "passes": {
        "one threshold for all folds": changed(PASSES, ("scores[here & (y == 0)]", "scores[y == 0]")),
        "threshold from all events": changed(PASSES, ("scores[here & (y == 0)]", "scores[here]")),
        "threshold from the window": changed(PASSES, ("y == 0", "y == 1")),
        "the threshold itself fails": changed(PASSES, ("scores >= sideband", "scores > sideband")),
        "a quantile": changed(PASSES, ("sideband[-k]", "np.quantile(sideband, 1 - efficiency)")),
        "rounded up": changed(
            PASSES, ("int(efficiency * len(sideband) + 1e-9)", "int(np.ceil(efficiency * len(sideband)))")
        ),
        "the lowest": changed(PASSES, ("scores >= sideband[-k]", "scores <= sideband[k - 1]")),
        "share of all sidebands": changed(PASSES, ("efficiency * len(sideband)", "efficiency * np.sum(y == 0)")),
        "only the window": changed(PASSES, ("here & (scores", "here & (y == 1) & (scores")),
    },
    "count": {
        "root of b": changed(COUNT, ("b / np.sqrt(k)", "np.sqrt(b)")),
        "root of k": changed(COUNT, ("b / np.sqrt(k)", "np.sqrt(k)")),
        "the background is known exactly": changed(COUNT, ("b / np.sqrt(k)", "1e-9")),
        "sidebands not scaled": changed(COUNT, ("expected * k / np.sum(y == 0)", "1.0 * k")),
        "share of all events": changed(COUNT, ("k / np.sum(y == 0)", "k / len(y)")),
        "share of the window": changed(COUNT, ("k / np.sum(y == 0)", "n_on / np.sum(y == 1)")),
        "sidebands counted, too": changed(COUNT, ("np.sum(passing & (y == 1))", "np.sum(passing)")),
        "excess over root b": changed(COUNT, ("z_bi(n_on, b, sigma)", "(n_on - b) / np.sqrt(b)")),
        "excess over both uncertainties": changed(
            COUNT, ("z_bi(n_on, b, sigma)", "(n_on - b) / np.sqrt(b + sigma**2)")
        ),
        "only Z": changed(COUNT, ("return n_on, b, sigma, ", "return ")),
    },
    "shuffle": {
        "asked with the true labels": changed(SHUFFLE, ("auc(shuffled", "auc(y")),
        "trained with the true labels": changed(SHUFFLE, ("score(shuffled)", "score(y)")),
        "not shuffled": changed(SHUFFLE, ("rng.permutation(y)", "y")),
        "shuffled in place": changed(SHUFFLE, ("shuffled = rng.permutation(y)", "rng.shuffle(y)\n    shuffled = y")),
        "coins": changed(SHUFFLE, ("rng.permutation(y)", "rng.integers(0, 2, len(y))")),
        "drawn with replacement": changed(SHUFFLE, ("rng.permutation(y)", "rng.choice(y, len(y))")),
        "shuffled twice": changed(SHUFFLE, ("auc(shuffled", "auc(rng.permutation(y)")),
        "its own dice": changed(SHUFFLE, ("rng.permutation", "np.random.default_rng(0).permutation")),
    },
    "leave": {
        "a rank correlation": """
leave_out = [n for n, values in offered.items() if abs(stats.spearmanr(values, offered_mass).statistic) > 0.1]
""",
        "in sample": """
leave_out = [
    name
    for name, values in offered.items()
    if auc(offered_y, train(values[:, None], offered_y)(values[:, None])) > 0.53
]
""",
        "everything": "leave_out = list(offered)\n",
        "nothing": "leave_out = []\n",
        "the harmless ones": changed(LEAVE, ("< 1e-6", ">= 1e-6")),
        "numbers": "leave_out = [0, 3, 4]\n",
        "the four features": 'leave_out = ["mj_light", "dmj"]\n',
        "one name too much": LEAVE + "leave_out.append(next(name for name in offered if name not in leave_out))\n",
    },
}
#: One name too much or too few costs one point of two.
LEFT = {("leave", "a rank correlation"): 1.0, ("leave", "one name too much"): 1.0}
