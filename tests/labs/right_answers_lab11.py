"""Right answers to lab 11 that differ from the model answer: {task: {how: what the student writes}}."""

RIGHT = {
    "predict": {"nearly sure": 'prediction = {"A": 1, "B": 1.0, "C": 0, "D": 0.0, "E": 0}'},
    "share": {
        "with logarithms": """
def share(centre, width, cuts):
    return np.exp(norm.logsf((np.array(cuts) - centre) / width).sum())
""",
        "from below, mirrored": """
def share(centre, width, cuts):
    result = 1.0
    for cut in cuts:
        result *= norm.cdf((centre - cut) / width)
    return result
""",
    },
    "weights": {
        "with logarithms": """
def event_weights(p, n_simulation, n_data, largest=3.0):
    with np.errstate(divide="ignore"):
        log_ratio = np.log(p) - np.log1p(-p)
    return np.exp(np.clip(log_ratio, -largest, largest) + np.log(n_data / n_simulation))
""",
        "with where": """
def event_weights(p, n_simulation, n_data, largest=3.0):
    p = np.array(p)
    p[p == 1] = 1 - 1e-15
    odds = p / (1 - p)
    odds = np.where(odds > np.exp(largest), np.exp(largest), odds)
    odds = np.where(odds < np.exp(-largest), np.exp(-largest), odds)
    return n_data * odds / n_simulation
""",
    },
    "expected": {
        "with dot products": """
def expected(weights):
    return [weights.sum(), np.linalg.norm(weights), weights.sum() ** 2 / weights.dot(weights)]
""",
    },
    "learn": {
        "every product twice": """
def probability_of_data(simulation, data, where):
    def table(events):
        products = (events[:, :, None] * events[:, None, :]).reshape(len(events), -1)
        return np.hstack([events**0, events, products])

    label = np.append(np.zeros(len(simulation)), np.ones(len(data)))
    odds = np.exp(table(where) @ fit_logistic(table(np.vstack([simulation, data])), label))
    return odds / (1 + odds)
""",
        "on a common scale": """
def probability_of_data(simulation, data, where):
    mean, spread = simulation.mean(axis=0), simulation.std(axis=0)
    rows = []
    for events in (simulation, data, where):
        z = (events - mean) / spread
        pairs = [z[:, i] * z[:, j] for i, j in zip(*np.tril_indices(z.shape[1]))]
        rows.append(np.stack([z[:, 0] ** 0, *z.T, *pairs], axis=1))
    beta = fit_logistic(np.concatenate(rows[:2]), np.repeat([0, 1], [len(simulation), len(data)]))
    return 1 / (1 + np.exp(-(rows[2] @ beta)))
""",
        "with scikit-learn": """
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler


def probability_of_data(simulation, data, where):
    fit = LogisticRegression(C=1e6, class_weight="balanced", max_iter=500)
    model = make_pipeline(PolynomialFeatures(2), StandardScaler(), fit)
    model.fit(np.concatenate([simulation, data]), np.repeat([0, 1], [len(simulation), len(data)]))
    return model.predict_proba(where)[:, 1]
""",
    },
    "generate": {
        "by the normal equations": """
def generate(data, contexts, rng):
    c, x = data[:, :-1], data[:, -1]
    slopes = np.linalg.solve(np.atleast_2d(np.cov(c.T)), (c - c.mean(axis=0)).T @ (x - x.mean()) / (len(x) - 1))
    constant = x.mean() - c.mean(axis=0) @ slopes
    left = x - constant - c @ slopes
    return rng.normal(constant + contexts @ slopes, left.std(ddof=1))
""",
    },
    "auc": {
        "all pairs": """
def weighted_auc(true, estimated, true_weights, estimated_weights):
    higher = (true[:, None] > estimated) + 0.5 * (true[:, None] == estimated)
    return true_weights @ higher @ estimated_weights / true_weights.sum() / estimated_weights.sum()
""",
        "of the package": """
def weighted_auc(true, estimated, true_weights, estimated_weights):
    label = np.repeat([1, 0], [len(true), len(estimated)])
    return auc(label, np.append(true, estimated), np.append(true_weights, estimated_weights))
""",
    },
    "count": {
        "all written out": """
def count(data, simulation, cut, seen):
    def table(e):
        k = e.shape[1]
        return np.column_stack([e[:, 0] ** 0, e, *[e[:, i] * e[:, j] for i in range(k) for j in range(i, k)]])

    corner = (simulation[:, 0] > 1) & (simulation[:, 1] > 1)
    corner_data = (data[:, 0] > 1) & (data[:, 1] > 1)
    first, second = simulation[~corner][:, seen], data[~corner_data][:, seen]
    label = np.arange(len(first) + len(second)) >= len(first)
    log_ratio = table(simulation[:, seen]) @ fit_logistic(table(np.concatenate([first, second])), label)
    weights = np.exp(np.clip(log_ratio, -6, 6)) * len(second) / len(first)
    weights = weights[corner & (simulation[:, 2] > cut)]
    n_on = len([1 for x in data[corner_data][:, 2] if x > cut])
    return np.array([n_on, weights.sum(), np.sqrt((weights**2).sum())])
""",
    },
    "pvalue": {
        "with a loop": """
def p_value(counted, tries):
    squares = []
    for n, b, s in tries:
        squares.append((n - b) ** 2 / b**2 - 1 / b - (s / b) ** 2)
    r = np.mean(squares) ** 0.5 if np.mean(squares) > 0 else 0
    return p_bi(counted[0], counted[1], np.hypot(counted[2], r * counted[1]))
""",
    },
}
