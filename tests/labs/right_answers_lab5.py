"""Right answers to lab 5 that differ from the model answer: {task: {how: what the student writes}}."""

RIGHT = {
    "predict": {"nearly sure": 'prediction = {"A": 1, "B": 1.0, "C": 0, "D": 1, "E": 0.0}'},
    "standardise": {
        "column by column": """
def standardise(train, X):
    found = []
    for learnt, column in zip(np.transpose(train), np.transpose(X)):
        if learnt.max() == learnt.min():
            found.append(np.zeros(len(column)))
        else:
            found.append((column - learnt.mean()) / learnt.std())
    return np.array(found).T
""",
        "with nan_to_num": """
def standardise(train, X):
    with np.errstate(all="ignore"):
        z = (X - train.mean(0)) / train.std(0)
    z[:, train.std(0) == 0] = 0
    return z
""",
    },
    "pca": {
        "with eigh": """
def pca_score(train, X, k):
    values, vectors = np.linalg.eigh(train.T @ train)
    rest = vectors[:, ::-1][:, k:]
    return ((X @ rest) ** 2).sum(axis=1)
""",
        "with a loop": """
def pca_score(train, X, k):
    plane = np.linalg.svd(train, full_matrices=False)[2][:k]
    found = []
    for row in X:
        shadow = sum(np.dot(row, axis) * axis for axis in plane)
        found.append(np.linalg.norm(row - shadow) ** 2)
    return found
""",
    },
    "area": {
        "all pairs": """
def area(labels, scores):
    s, b = scores[labels == 1][:, None], scores[labels == 0]
    return np.mean((s > b) + 0.5 * (s == b))
""",
        "with ranks": """
from scipy.stats import rankdata

def area(labels, scores):
    n = np.sum(labels == 1)
    m = len(labels) - n
    return (rankdata(scores)[labels == 1].sum() - n * (n + 1) / 2) / (n * m)
""",
        "trapezoids": """
def area(labels, scores):
    cuts = np.unique(scores)[::-1]
    s = [0] + [np.mean(scores[labels == 1] >= cut) for cut in cuts]
    b = [0] + [np.mean(scores[labels == 0] >= cut) for cut in cuts]
    return sum((b[i + 1] - b[i]) * (s[i + 1] + s[i]) / 2 for i in range(len(cuts)))
""",
        "the package's": """
def area(labels, scores):
    return auc(labels, scores)
""",
    },
    "improvement": {
        "with a loop": """
def best_improvement(labels, scores, min_background=25):
    best = 0
    for cut in set(scores.tolist()):
        s, b = np.mean(scores[labels == 1] >= cut), np.sum(scores[labels == 0] >= cut)
        if b >= min_background:
            best = max(best, s / np.sqrt(b / np.sum(labels == 0)))
    return best
""",
        "the package's": """
def best_improvement(labels, scores, min_background=25):
    return max_sic(labels, scores, min_background=min_background)
""",
    },
    "interval": {
        "with choice and percentile": """
def interval(statistic, labels, scores, dice, n=200):
    values = []
    for _ in range(n):
        rows = dice.choice(len(scores), size=len(scores), replace=True)
        values.append(statistic(labels[rows], scores[rows]))
    return np.percentile(values, 16), np.percentile(values, 84)
""",
        "with sorted values": """
def interval(statistic, labels, scores, dice, n=200):
    rows = dice.integers(0, len(labels), (n, len(labels)))
    values = sorted(statistic(labels[row], scores[row]) for row in rows)
    return values[round(0.16 * (n - 1))], values[round(0.84 * (n - 1))]
""",
    },
    "detector": {
        "norm": """
def my_detector(train, X):
    return np.linalg.norm((X - train.mean(axis=0)) / train.std(axis=0), axis=1)
""",
        "mass difference": """
def my_detector(train, X):
    return X[:, 1]
""",
        "isolation forest": """
def my_detector(train, X):
    return make_model("isolation-forest", random_state=3).fit(train).anomaly_score(X)
""",
        "a mixture and an idea": """
def my_detector(train, X):
    return make_model("gaussian-mixture", random_state=3).fit(train).anomaly_score(X) - 10 * (X[:, 2] + X[:, 3])
""",
    },
    "honest": {
        "with a loop": """
def choose_and_judge(scores, labels, is_validation):
    best, number = -1, None
    for i, row in enumerate(scores):
        reached = auc(labels[is_validation], row[is_validation])
        if reached > best:
            best, number = reached, i
    others = np.logical_not(is_validation)
    return number, auc(labels[others], scores[number, others])
""",
    },
}
