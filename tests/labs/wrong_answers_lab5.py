"""Mistakes that students make in lab 5: {task: {mistake: what the student writes}}."""

from editing import changed

STANDARDISE = """
def standardise(train, X):
    mean, spread = train.mean(axis=0), train.std(axis=0)
    flat = spread == 0
    z = (X - mean) / np.where(flat, 1, spread)
    z[:, flat] = 0
    return z
"""
PCA = """
def pca_score(train, X, k):
    plane = np.linalg.svd(train, full_matrices=False)[2][:k]
    rest = X - X @ plane.T @ plane
    return np.sum(rest**2, axis=1)
"""
AREA = """
def area(labels, scores):
    s, b = scores[labels == 1][:, None], scores[labels == 0][None, :]
    return np.mean(1.0 * (s > b) + 0.5 * (s == b))
"""
IMPROVEMENT = """
def best_improvement(labels, scores, min_background=25):
    found = []
    for cut in np.unique(scores):
        passes = scores >= cut
        n_background = np.sum(passes & (labels == 0))
        if n_background >= min_background:
            share_s = np.sum(passes & (labels == 1)) / np.sum(labels == 1)
            share_b = n_background / np.sum(labels == 0)
            found.append(share_s / np.sqrt(share_b))
    return max(found)
"""
INTERVAL = """
def interval(statistic, labels, scores, dice, n=200):
    values = []
    for _ in range(n):
        rows = dice.integers(0, len(labels), len(labels))
        values.append(statistic(labels[rows], scores[rows]))
    return np.quantile(values, 0.16), np.quantile(values, 0.84)
"""
DETECTOR = """
def my_detector(train, X):
    z = (X - train.mean(axis=0)) / train.std(axis=0)
    return np.sqrt(np.sum(z**2, axis=1))
"""
HONEST = """
def choose_and_judge(scores, labels, is_validation):
    seen = [auc(labels[is_validation], row[is_validation]) for row in scores]
    best = int(np.argmax(seen))
    return best, auc(labels[~is_validation], scores[best, ~is_validation])
"""


WRONG = {
    "predict": {
        "sure and wrong about all": 'prediction = {"A": 0.0, "B": 0.0, "C": 1.0, "D": 0.0, "E": 1.0}',
        "percent": 'prediction = {"A": 90, "B": 90, "C": 10, "D": 90, "E": 10}',
        "one is missing": 'prediction = {"A": 1.0, "B": 1.0, "C": 0.0, "D": 1.0}',
    },
    "standardise": {
        "with the events to be judged": changed(STANDARDISE, ("train.mean(", "X.mean("), ("train.std(", "X.std(")),
        "spread of the events to be judged": changed(STANDARDISE, ("train.std(", "X.std(")),
        "with both together": changed(STANDARDISE, ("    mean,", "    train = np.concatenate([train, X])\n    mean,")),
        "the variance": changed(STANDARDISE, ("train.std(", "train.var(")),
        "not centred": changed(STANDARDISE, ("(X - mean)", "X")),
        "n - 1": changed(STANDARDISE, ("train.std(axis=0)", "train.std(axis=0, ddof=1)")),
        "one scale for all columns": changed(STANDARDISE, ("train.std(axis=0)", "train.std() * np.ones(X.shape[1])")),
        "division by zero": changed(STANDARDISE, ("np.where(flat, 1, spread)", "spread"), ("    z[:, flat] = 0\n", "")),
        "a constant column keeps its distance": changed(STANDARDISE, ("    z[:, flat] = 0\n", "")),
        "the training events back": changed(STANDARDISE, ("(X - mean)", "(train - mean)")),
        "from 0 to 1": """
def standardise(train, X):
    low, high = train.min(axis=0), train.max(axis=0)
    return (X - low) / np.where(high > low, high - low, 1)
""",
    },
    "pca": {
        "directions of the events to be judged": changed(PCA, ("svd(train", "svd(X")),
        "the shadow instead of the rest": changed(PCA, ("X - X @", "X @")),
        "the smallest directions": changed(PCA, ("[:k]", "[-k:]")),
        "one direction too many": changed(PCA, ("[:k]", "[: k + 1]")),
        "always two": changed(PCA, ("[:k]", "[:2]")),
        "distance, not squared": changed(PCA, ("np.sum(rest**2, axis=1)", "np.sqrt(np.sum(rest**2, axis=1))")),
        "mean over the columns": changed(PCA, ("np.sum(rest", "np.mean(rest")),
        "absolute values": changed(PCA, ("rest**2", "np.abs(rest)")),
        "one number": changed(PCA, ("rest**2, axis=1", "rest**2")),
        "sum over the events": changed(PCA, ("axis=1", "axis=0")),
        "columns for directions": changed(PCA, ("[2][:k]", "[2].T[:k]")),
        "sign turned round": changed(PCA, ("return np", "return -np")),
        "standardised again": changed(
            PCA, ("    rest", "    X = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-12)\n    rest")
        ),
    },
    "area": {
        "equal scores count nothing": changed(AREA, (" + 0.5 * (s == b)", "")),
        "equal scores count one": changed(AREA, ("0.5 * (s == b)", "1.0 * (s == b)")),
        "turned round": changed(AREA, ("s > b", "s < b")),
        "never below a half": changed(
            AREA, ("    return np", "    area_of = lambda a: max(a, 1 - a)\n    return area_of(np")
        ).rstrip()
        + ")\n",
        "accuracy at a threshold": """
def area(labels, scores):
    return np.mean((scores > np.median(scores)) == (labels == 1))
""",
        "order of the events": """
def area(labels, scores):
    ordered = labels[np.argsort(scores)]
    s = np.cumsum(ordered[::-1]) / np.sum(labels)
    b = np.cumsum(1 - ordered[::-1]) / np.sum(1 - labels)
    return np.sum(s[1:] * np.diff(b))
""",
        "threshold at fixed places": """
def area(labels, scores):
    cuts = np.linspace(1, 0, 101)
    s = [np.mean(scores[labels == 1] >= cut) for cut in cuts]
    b = [np.mean(scores[labels == 0] >= cut) for cut in cuts]
    return np.trapezoid(s, b)
""",
        "event by event": """
def area(labels, scores):
    n = min(np.sum(labels == 1), np.sum(labels == 0))
    return np.mean(scores[labels == 1][:n] > scores[labels == 0][:n])
""",
    },
    "improvement": {
        "without the root": changed(IMPROVEMENT, ("np.sqrt(share_b)", "share_b")),
        "no floor": changed(IMPROVEMENT, ("n_background >= min_background", "n_background > 0")),
        "more than the floor": changed(IMPROVEMENT, ("n_background >= min", "n_background > min")),
        "floor on the signal": changed(
            IMPROVEMENT, ("if n_background >= min_background", "if np.sum(passes & (labels == 1)) >= min_background")
        ),
        "floor on all events": changed(IMPROVEMENT, ("if n_background >=", "if np.sum(passes) >=")),
        "always 25": changed(IMPROVEMENT, ("n_background >= min_background", "n_background >= 25")),
        "strictly above the threshold": changed(IMPROVEMENT, ("scores >= cut", "scores > cut")),
        "S / sqrt(B) in events": changed(IMPROVEMENT, (" / np.sum(labels == 1)", ""), (" / np.sum(labels == 0)", "")),
        "share of all events": changed(IMPROVEMENT, ("/ np.sum(labels == 0)", "/ len(labels)")),
        "low scores pass": changed(IMPROVEMENT, ("scores >= cut", "scores <= cut")),
        "the last cut": changed(IMPROVEMENT, ("max(found)", "found[-1]")),
        "the hardest cut": """
def best_improvement(labels, scores, min_background=25):
    cut = np.sort(scores[labels == 0])[-min_background]
    return np.mean(scores[labels == 1] >= cut) / np.sqrt(min_background / np.sum(labels == 0))
""",
    },
    "interval": {
        "labels and scores drawn apart": changed(
            INTERVAL,
            ("scores[rows]", "scores[dice.integers(0, len(labels), len(labels))]"),
        ),
        "without replacement": changed(
            INTERVAL, ("dice.integers(0, len(labels), len(labels))", "dice.permutation(len(labels))")
        ),
        "half of the events": changed(INTERVAL, ("len(labels), len(labels))", "len(labels), len(labels) // 2)")),
        "n events": changed(INTERVAL, ("len(labels), len(labels))", "len(labels), n)")),
        "5 % and 95 %": changed(INTERVAL, ("0.16", "0.05"), ("0.84", "0.95")),
        "upper end first": changed(INTERVAL, ("0.16", "x"), ("0.84", "0.16"), ("x", "0.84")),
        "error of the mean": changed(
            INTERVAL,
            (
                "np.quantile(values, 0.16), np.quantile(values, 0.84)",
                "np.mean(values) - np.std(values) / n**0.5, np.mean(values) + np.std(values) / n**0.5",
            ),
        ),
        "always 200": changed(INTERVAL, ("range(n)", "range(200)")),
        "one sample n times": changed(
            INTERVAL,
            ("    values = []\n", "    values = []\n    rows = dice.integers(0, len(labels), len(labels))\n"),
            ("        rows = dice.integers(0, len(labels), len(labels))\n", ""),
        ),
        "smallest and largest": changed(
            INTERVAL, ("np.quantile(values, 0.16), np.quantile(values, 0.84)", "min(values), max(values)")
        ),
    },
    "detector": {
        "low for unusual events": changed(DETECTOR, ("return np", "return -np")),
        "scaled with the events to be judged": changed(DETECTOR, ("train.mean(", "X.mean("), ("train.std(", "X.std(")),
        "ranks": changed(
            DETECTOR, ("return np.sqrt(np.sum(z**2, axis=1))", "return np.argsort(np.argsort(np.sum(z**2, axis=1)))")
        ),
        "light jets": """
def my_detector(train, X):
    return -X[:, 0]
""",
        "PCA": """
def my_detector(train, X):
    mean, spread = train.mean(axis=0), train.std(axis=0)
    return pca_score((train - mean) / spread, (X - mean) / spread, 2)
""",
        "dice": """
def my_detector(train, X):
    return np.random.default_rng(1).normal(size=len(X))
""",
        "yes or no": """
def my_detector(train, X):
    return (X[:, 2] + X[:, 3] < 0.5).astype(float)
""",
        "one score": changed(DETECTOR, (", axis=1", "")),
        "not a number": changed(DETECTOR, ("return np.sqrt(", "return np.nan * np.sqrt(")),
    },
    "honest": {
        "judged where it was chosen": changed(
            HONEST, ("auc(labels[~is_validation], scores[best, ~is_validation])", "max(seen)")
        ),
        "chosen where it is judged": changed(
            HONEST,
            ("auc(labels[is_validation], row[is_validation])", "auc(labels[~is_validation], row[~is_validation])"),
        ),
        "the other way round": changed(HONEST, ("    seen", "    is_validation = ~is_validation\n    seen")),
        "on all events": changed(HONEST, ("auc(labels[is_validation], row[is_validation])", "auc(labels, row)")),
        "judged on all events": changed(
            HONEST, ("auc(labels[~is_validation], scores[best, ~is_validation])", "auc(labels, scores[best])")
        ),
        "the worst": changed(HONEST, ("argmax", "argmin")),
        "the best in either direction": changed(HONEST, ("argmax(seen)", "argmax(np.abs(np.array(seen) - 0.5))")),
        "the area first": changed(
            HONEST,
            ("    return best, ", "    return best + 0 * 1, "),
            (
                "return best + 0 * 1, auc(labels[~is_validation], scores[best, ~is_validation])",
                "return auc(labels[~is_validation], scores[best, ~is_validation]), best",
            ),
        ),
    },
}
