"""Right answers to lab 10 that differ from the model answer: {task: {how: what the student writes}}."""

RIGHT = {
    "predict": {"nearly sure": 'prediction = {"A": 1, "B": 1.0, "C": 0, "D": 0.0, "E": 0}'},
    "ratio": {
        "with fractions": """
def mixed_ratio(r, s_1, s_2):
    f_1, f_2 = s_1 / (1 + s_1), s_2 / (1 + s_2)
    return (f_1 * r + 1 - f_1) / (f_2 * r + 1 - f_2)
""",
    },
    "inject": {
        "with choice": """
def inject(background, signal, window, wanted, rng):
    low, high = window
    inside = [((low < mass) & (mass < high)).sum() for mass in (background, signal)]
    number = rng.poisson(wanted * inside[0] * len(signal) / inside[1])
    return rng.choice(len(signal), size=number, replace=False)
""",
        "window and rest one after the other": """
def inject(background, signal, window, wanted, rng):
    inside = (window[0] < signal) & (signal < window[1])
    mean = wanted * np.sum((window[0] < background) & (background < window[1]))
    first = rng.permutation(np.flatnonzero(inside))[: rng.poisson(mean)]
    rest = np.flatnonzero(~inside)
    return np.concatenate([first, rng.permutation(rest)[: rng.poisson(mean * len(rest) / inside.sum())]])
""",
    },
    "folds": {
        "put back in order": """
def out_of_fold(X, y, folds, train):
    parts, rows = [], []
    for fold in range(max(folds) + 1):
        rest, own = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        parts.append(train(X[rest], y[rest])(X[own]))
        rows.append(own)
    return np.concatenate(parts)[np.argsort(np.concatenate(rows))]
""",
    },
    "passes": {
        "with partition": """
def passes(scores, y, folds, efficiency):
    cuts = np.zeros(len(scores))
    for fold in set(folds.tolist()):
        own = scores[(folds == fold) & (y == 0)]
        k = int(np.floor(efficiency * len(own) + 1e-9))
        cuts[folds == fold] = np.partition(own, len(own) - k)[len(own) - k]
    return scores >= cuts
""",
    },
    "count": {
        "from the ratio": """
def count(passing, y, expected):
    window = y.astype(bool)
    tau = expected / (~window).sum()
    k = (passing & ~window).sum()
    observed = (passing & window).sum()
    return np.array([observed, tau * k, tau * np.sqrt(k), z_bi(observed, tau * k, tau * np.sqrt(k))])
""",
    },
    "shuffle": {
        "by positions": """
def null_auc(score, y, rng):
    labels = y[rng.permutation(len(y))]
    return auc(labels, score(labels))
""",
        "a copy shuffled in place": """
def null_auc(score, y, rng):
    labels = y.copy()
    rng.shuffle(labels)
    return auc(labels, score(labels))
""",
    },
    "leave": {
        "with Kolmogorov and Smirnov": """
leave_out = [
    name
    for name, values in offered.items()
    if stats.ks_2samp(values[offered_y == 1], values[offered_y == 0]).pvalue < 1e-6
]
""",
    },
}
