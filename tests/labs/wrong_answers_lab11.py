"""Mistakes that students make in lab 11: {task: {mistake: what the student writes}}; each loses exactly its points."""

from editing import changed

SHARE = """
def share(centre, width, cuts):
    return np.prod([norm.sf(cut, centre, width) for cut in cuts])
"""
WEIGHTS = """
def event_weights(p, n_simulation, n_data, largest=3.0):
    top = 1 / (1 + np.exp(-largest))
    p = np.clip(p, 1 - top, top)
    return p / (1 - p) * n_data / n_simulation
"""
EXPECTED = """
def expected(weights):
    total, squares = np.sum(weights), np.sum(weights**2)
    return total, np.sqrt(squares), total**2 / squares
"""
LEARN = """
def probability_of_data(simulation, data, where):
    def second_order(events):
        k = events.shape[1]
        products = [events[:, i] * events[:, j] for i in range(k) for j in range(i + 1)]
        return np.column_stack([np.ones(len(events)), events, *products])

    columns = second_order(np.concatenate([simulation, data]))
    beta = fit_logistic(columns, np.arange(len(columns)) >= len(simulation))
    return 1 / (1 + np.exp(-second_order(where) @ beta))
"""
GENERATE = """
def generate(data, contexts, rng):
    columns = np.column_stack([np.ones(len(data)), data[:, :-1]])
    line = np.linalg.lstsq(columns, data[:, -1], rcond=None)[0]
    left = np.std(data[:, -1] - columns @ line)
    return np.column_stack([np.ones(len(contexts)), contexts]) @ line + left * rng.normal(size=len(contexts))
"""
AUC = """
def weighted_auc(true, estimated, true_weights, estimated_weights):
    order = np.argsort(estimated)
    sums = np.concatenate([[0], np.cumsum(estimated_weights[order])])
    below, up_to = (sums[np.searchsorted(estimated[order], true, side=side)] for side in ("left", "right"))
    return np.average((below + up_to) / 2, weights=true_weights) / sums[-1]
"""
COUNT = """
def count(data, simulation, cut, seen):
    beside, learnt = data[~inside(data)], simulation[~inside(simulation)]
    there = simulation[inside(simulation)]
    p = probability_of_data(learnt[:, seen], beside[:, seen], there[:, seen])
    weights = event_weights(p, len(learnt), len(beside), largest=6.0)
    total, error, _ = expected(weights[there[:, 2] > cut])
    return np.sum(inside(data) & (data[:, 2] > cut)), total, error
"""
PVALUE = """
def p_value(counted, tries):
    n, b, s = np.asarray(tries, dtype=float).T
    square = np.mean((n / b - 1) ** 2 - (b + s**2) / b**2)
    observed, total, error = counted
    return p_bi(observed, total, np.sqrt(error**2 + max(square, 0.0) * total**2))
"""


WRONG = {
    "predict": {
        "sure and wrong about all": 'prediction = {"A": 0.0, "B": 0.0, "C": 1.0, "D": 1.0, "E": 1.0}',
        "percent": 'prediction = {"A": 90, "B": 80, "C": 10, "D": 20, "E": 10}',
        "one is missing": 'prediction = {"A": 1.0, "B": 1.0, "C": 0.0, "D": 0.0}',
    },
    "share": {
        "one minus the rest": changed(SHARE, ("norm.sf(cut, centre, width)", "1 - norm.cdf(cut, centre, width)")),
        "below the cuts": changed(SHARE, ("norm.sf", "norm.cdf")),
        "above one of them": changed(
            SHARE, ("np.prod([norm.sf(cut, centre, width) for", "1 - np.prod([norm.cdf(cut, centre, width) for")
        ),
        "the sum": changed(SHARE, ("np.prod", "np.sum")),
        "the first cut only": changed(SHARE, ("in cuts]", "in cuts[:1]]")),
        "the first cut twice": "def share(centre, width, cuts):\n    return norm.sf(cuts[0], centre, width) ** 2\n",
        "width taken for a variance": changed(SHARE, ("centre, width)", "centre, np.sqrt(width))")),
    },
    "weights": {
        "the probability itself": changed(WEIGHTS, ("p / (1 - p) *", "p *")),
        "odds upside down": changed(WEIGHTS, ("p / (1 - p)", "(1 - p) / p")),
        "sizes upside down": changed(WEIGHTS, ("n_data / n_simulation", "n_simulation / n_data")),
        "sizes forgotten": changed(WEIGHTS, (" * n_data / n_simulation", "")),
        "not bounded": changed(WEIGHTS, ("np.clip(p, 1 - top, top)", "np.clip(p, 1e-12, 1 - 1e-12)")),
        "bounded above only": changed(WEIGHTS, ("1 - top, top", "0, top")),
        "thrown away": """
def event_weights(p, n_simulation, n_data, largest=3.0):
    odds = p / np.maximum(1 - p, 1e-15)
    odds = np.where(np.abs(np.log(np.maximum(odds, 1e-15))) > largest, 0, odds)
    return odds * n_data / n_simulation
""",
        "yields bounded": """
def event_weights(p, n_simulation, n_data, largest=3.0):
    odds = p / np.maximum(1 - p, 1e-15) * n_data / n_simulation
    return np.clip(odds, np.exp(-largest), np.exp(largest))
""",
        "bounded at the number, not its power": """
def event_weights(p, n_simulation, n_data, largest=3.0):
    odds = p / np.maximum(1 - p, 1e-15)
    return np.clip(odds, 1 / largest, largest) * n_data / n_simulation
""",
        "always three": changed(WEIGHTS, ("np.exp(-largest)", "np.exp(-3.0)")),
        "normalised to the data": changed(
            WEIGHTS,
            ("return p / (1 - p) * n_data / n_simulation", "w = p / (1 - p)\n    return w / w.sum() * n_data"),
        ),
    },
    "expected": {
        "Poisson": changed(EXPECTED, ("np.sqrt(squares), total", "np.sqrt(total), total")),
        "root forgotten": changed(EXPECTED, ("np.sqrt(squares), total", "squares, total")),
        "number of events": changed(EXPECTED, ("total**2 / squares", "len(weights)")),
        "not squared": changed(EXPECTED, ("total**2 / squares", "total / squares")),
        "mean": changed(EXPECTED, ("np.sum(weights), np.sum(w", "np.mean(weights), np.sum(w")),
    },
    "learn": {
        "no squares, no products": changed(LEARN, ("events, *products", "events")),
        "no products": changed(LEARN, ("for i in range(k) for j in range(i + 1)", "for i in range(k) for j in [i]")),
        "no squares": changed(LEARN, ("range(i + 1)]", "range(i)]")),
        "no constant": changed(LEARN, ("np.ones(len(events)), events", "events")),
        "of being simulation": changed(LEARN, (">= len(simulation)", "< len(simulation)")),
        "log odds": changed(LEARN, ("1 / (1 + np.exp(-second_order(where) @ beta))", "second_order(where) @ beta")),
        "odds": changed(LEARN, ("1 / (1 + np.exp(-second_order(where) @ beta))", "np.exp(second_order(where) @ beta)")),
        "of the training events": changed(LEARN, ("second_order(where) @", "columns @")),
        "each table on its own scale": changed(
            LEARN,
            (
                "        k = events",
                "        events = (events - events.mean(axis=0)) / events.std(axis=0)\n        k = events",
            ),
        ),
        "a straight line to the label": """
def probability_of_data(simulation, data, where):
    table = np.concatenate([simulation, data])
    label = np.repeat([0.0, 1.0], [len(simulation), len(data)])
    beta = np.linalg.lstsq(np.column_stack([table, table**2, table[:, 0] ** 0]), label, rcond=None)[0]
    return np.clip(np.column_stack([where, where**2, where[:, 0] ** 0]) @ beta, 0, 1)
""",
    },
    "generate": {
        "the mean only": changed(GENERATE, ("left * rng.normal(size=len(contexts))", "0 * left")),
        "the spread of all x": changed(GENERATE, ("np.std(data[:, -1] - columns @ line)", "np.std(data[:, -1])")),
        "the variance": changed(GENERATE, ("np.std(", "np.var(")),
        "no constant": changed(GENERATE, ("np.ones(len(data))", "np.zeros(len(data))")),
        "one number for all": changed(GENERATE, ("rng.normal(size=len(contexts))", "rng.normal()")),
        "x of the control region": "def generate(data, contexts, rng):\n"
        "    return rng.choice(data[:, -1], size=len(contexts))\n",
        "the first context only": """
def generate(data, contexts, rng):
    slope, constant = np.polyfit(data[:, 0], data[:, -1], 1)
    left = np.std(data[:, -1] - constant - slope * data[:, 0])
    return constant + slope * contexts[:, 0] + left * rng.normal(size=len(contexts))
""",
        "other dice": changed(GENERATE, ("rng.normal", "np.random.normal")),
        "always the same dice": changed(GENERATE, ("rng.normal", "np.random.default_rng(0).normal")),
        "x among the context": changed(GENERATE, ("data[:, :-1]", "data")),
    },
    "auc": {
        "without weights": changed(
            AUC,
            ("np.cumsum(estimated_weights[order])", "np.arange(1, len(order) + 1)"),
            ("weights=true_weights", "weights=None"),
        ),
        "true weights forgotten": changed(AUC, (", weights=true_weights", "")),
        "weights not sorted": changed(AUC, ("estimated_weights[order]", "estimated_weights")),
        "ties lost": changed(AUC, ("(below + up_to) / 2", "below")),
        "ties won": changed(AUC, ("(below + up_to) / 2", "up_to")),
        "the other way round": changed(AUC, ("return ", "return 1 - ")),
        "divided by the number": changed(AUC, ("/ sums[-1]", "/ len(estimated)")),
        "true events not divided": changed(
            AUC, ("np.average((below + up_to) / 2, weights=true_weights)", "true_weights @ (below + up_to) / 2")
        ),
    },
    "count": {
        "learnt everywhere": changed(
            COUNT,
            ("data[~inside(data)], simulation[~inside(simulation)]", "data, simulation"),
        ),
        "learnt in the signal region": changed(
            COUNT,
            (
                "data[~inside(data)], simulation[~inside(simulation)]",
                "data[inside(data)], simulation[inside(simulation)]",
            ),
        ),
        "sizes of all events": changed(COUNT, ("len(learnt), len(beside)", "len(simulation), len(data)")),
        "sizes upside down": changed(COUNT, ("len(learnt), len(beside)", "len(beside), len(learnt)")),
        "sizes of the signal region": changed(
            COUNT, ("len(learnt), len(beside)", "np.sum(inside(simulation)), np.sum(inside(data))")
        ),
        "another bound": changed(COUNT, (", largest=6.0", "")),
        "sees everything always": changed(COUNT, ("[:, seen]", "")),
        "no weights": changed(COUNT, ("weights[there[:, 2] > cut]", "np.ones(np.sum(there[:, 2] > cut))")),
        "the cut only on the data": changed(COUNT, ("weights[there[:, 2] > cut]", "weights")),
        "the cut only on the simulation": changed(COUNT, (" & (data[:, 2] > cut)", "")),
        "all data above the cut": changed(COUNT, ("inside(data) & (data[:, 2] > cut)", "data[:, 2] > cut")),
        "the root of the number": changed(COUNT, ("cut)), total, error", "cut)), total, np.sqrt(total)")),
        "weights of the control region": changed(COUNT, ("simulation[inside(simulation)]\n", "learnt\n")),
    },
    "pvalue": {
        "no residual": changed(PVALUE, ("max(square, 0.0)", "0.0")),
        "chance not subtracted": changed(PVALUE, (" - (b + s**2) / b**2", "")),
        "Poisson subtracted, the error not": changed(PVALUE, ("(b + s**2)", "b")),
        "the spread, not the offset": changed(
            PVALUE, ("np.mean((n / b - 1) ** 2 - (b + s**2) / b**2)", "np.var(n / b) - np.mean((b + s**2) / b**2)")
        ),
        "the mean, squared": changed(PVALUE, ("np.mean((n / b - 1) ** 2 -", "np.mean(n / b - 1) ** 2 - np.mean(")),
        "a negative square made positive": changed(PVALUE, ("max(square, 0.0)", "abs(square)")),
        "in events, not relative": changed(PVALUE, (" * total**2", "")),
        "without the statistical error": changed(PVALUE, ("error**2 + ", "")),
        "added linearly": changed(
            PVALUE, ("np.sqrt(error**2 + max(square, 0.0) * total**2)", "error + np.sqrt(max(square, 0.0)) * total")
        ),
        "the variance": changed(PVALUE, ("np.sqrt(error**2 + max(square, 0.0) * total**2)", "error**2")),
        "two-sided": changed(PVALUE, ("return ", "return 2 * ")),
    },
}
