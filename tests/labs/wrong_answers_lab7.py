"""Mistakes that students make in lab 7: {task: {mistake: what the student writes}}."""

CENTRE = """
def centre(pt, eta, phi):
    dphi = phi - phi[np.argmax(pt)]
    dphi = dphi - 2 * np.pi * np.round(dphi / (2 * np.pi))
    return eta - np.average(eta, weights=pt), dphi - np.average(dphi, weights=pt)
"""
ALIGN = """
def align(x, y, pt):
    matrix = np.array([[pt @ x**2, pt @ (x * y)], [pt @ (x * y), pt @ y**2]])
    values, vectors = np.linalg.eigh(matrix)
    a, b = vectors[:, 1]
    x, y = b * x - a * y, a * x + b * y
    x = -x if pt @ np.sign(x) < 0 else x
    y = -y if pt @ np.sign(y) < 0 else y
    return x, y
"""
PICTURE = """
def picture(x, y, pt, n, w):
    edges = np.linspace(-w, w, n + 1)
    image, _, _ = np.histogram2d(y, x, bins=[edges, edges], weights=pt)
    return image / image.sum() if image.sum() > 0 else image
"""
SCORES = """
def event_scores(images, copies):
    return np.mean((np.sqrt(images) - copies) ** 2, axis=(1, 2, 3))
"""
AUC = """
def auc(background, signal):
    larger = signal[:, None] > background
    equal = signal[:, None] == background
    return np.mean(larger + 0.5 * equal)
"""
MATCHED = """
def matched_auc(background, signal, background_mass, signal_mass, edges):
    found, weights = [], []
    for low, high in zip(edges[:-1], edges[1:]):
        b = background[(background_mass >= low) & (background_mass < high)]
        s = signal[(signal_mass >= low) & (signal_mass < high)]
        if len(b) and len(s):
            found.append(separation(b, s))
            weights.append(len(s))
    return np.average(found, weights=weights) if found else 0.5
"""
PVALUE = """
def p_value(known, score):
    return (1 + np.sum(known >= score)) / (1 + len(known))
"""

WRONG = {
    "predict": {
        "sure and wrong about all": 'prediction = {"A": 0.0, "B": 1.0, "C": 0.0, "D": 1.0, "E": 0.0}',
        "percent": 'prediction = {"A": 90, "B": 10, "C": 90, "D": 10, "E": 90}',
        "one is missing": 'prediction = {"A": 1.0, "B": 0.0, "C": 1.0, "D": 0.0}',
    },
    "centre": {
        "phi is not wrapped": CENTRE.replace("dphi = dphi - 2 * np.pi * np.round(dphi / (2 * np.pi))", "pass"),
        "not weighted": CENTRE.replace("np.average(eta, weights=pt)", "eta.mean()").replace(
            "np.average(dphi, weights=pt)", "dphi.mean()"
        ),
        "around the hardest constituent": """
def centre(pt, eta, phi):
    k = np.argmax(pt)
    dphi = (phi - phi[k] + np.pi) % (2 * np.pi) - np.pi
    return eta - eta[k], dphi
""",
        "wrapped after the mean": """
def centre(pt, eta, phi):
    dphi = phi - np.average(phi, weights=pt)
    return eta - np.average(eta, weights=pt), (dphi + np.pi) % (2 * np.pi) - np.pi
""",
        "wrapped once, from -pi to pi only": """
def centre(pt, eta, phi):
    phi = np.where(phi < 0, phi + 2 * np.pi, phi)
    return eta - np.average(eta, weights=pt), phi - np.average(phi, weights=pt)
""",
    },
    "align": {
        "the short axis is up": ALIGN.replace("vectors[:, 1]", "vectors[:, 0]"),
        "not weighted with pT": ALIGN.replace("pt @ x**2", "x @ x")
        .replace("pt @ (x * y)", "x @ y")
        .replace("pt @ y**2", "y @ y"),
        "not flipped": ALIGN.replace("if pt @ np.sign(x) < 0", "if False").replace(
            "if pt @ np.sign(y) < 0", "if False"
        ),
        "flipped by the number of constituents": ALIGN.replace("pt @ np.sign(x)", "np.sign(x).sum()").replace(
            "pt @ np.sign(y)", "np.sign(y).sum()"
        ),
        "the new x in the formula of y": ALIGN.replace(
            "x, y = b * x - a * y, a * x + b * y", "x = b * x - a * y\n    y = a * x + b * y"
        ),
        "flipped down": ALIGN.replace("pt @ np.sign(y) < 0", "pt @ np.sign(y) > 0"),
    },
    "picture": {
        "x along the rows": PICTURE.replace("np.histogram2d(y, x,", "np.histogram2d(x, y,"),
        "not weighted": PICTURE.replace(", weights=pt", ""),
        "divided by the pT outside, too": PICTURE.replace(
            "image / image.sum() if image.sum() > 0 else image", "image / pt.sum()"
        ),
        "outside is pushed to the border": PICTURE.replace(
            "    edges", "    x, y = np.clip(x, -w, w), np.clip(y, -w, w)\n    edges", 1
        ),
        "upside down": PICTURE.replace("return image / image.sum()", "return image[::-1] / image.sum()"),
        "an empty jet is NaN": PICTURE.replace(
            "image / image.sum() if image.sum() > 0 else image", "image / image.sum()"
        ),
        "not normalised": PICTURE.replace("image / image.sum() if image.sum() > 0 else image", "image"),
    },
    "scores": {
        "no root": SCORES.replace("np.sqrt(images)", "images"),
        "one number for all": SCORES.replace(", axis=(1, 2, 3)", ""),
        "each jet alone": SCORES.replace("axis=(1, 2, 3)", "axis=(2, 3)"),
        "absolute differences": SCORES.replace("(np.sqrt(images) - copies) ** 2", "abs(np.sqrt(images) - copies)"),
        "the sum": SCORES.replace("np.mean", "np.sum"),
        "the root of the error": SCORES.replace("return np.mean(", "return np.sqrt(np.mean(").replace(
            "2, 3))", "2, 3)))"
        ),
    },
    "auc": {
        "ties do not count": AUC.replace(" + 0.5 * equal", ""),
        "ties count fully": AUC.replace("0.5 * equal", "equal"),
        "the wrong way round": AUC.replace(
            "larger = signal[:, None] > background", "larger = signal[:, None] < background"
        ),
        "always at least a half": AUC.replace(
            "return np.mean(larger + 0.5 * equal)", "a = np.mean(larger + 0.5 * equal)\n    return max(a, 1 - a)"
        ),
        "means compared": "def auc(background, signal):\n    return float(signal.mean() > background.mean())",
    },
    "matched": {
        "weighted with the background": MATCHED.replace("weights.append(len(s))", "weights.append(len(b))"),
        "not weighted": MATCHED.replace("weights.append(len(s))", "weights.append(1)"),
        "all masses together": "def matched_auc(b, s, mb, ms, edges):\n    return separation(b, s)",
        "upper edge included": MATCHED.replace("background_mass < high", "background_mass <= high").replace(
            "signal_mass < high", "signal_mass <= high"
        ),
        "a bin without background counts one half": """
def matched_auc(background, signal, background_mass, signal_mass, edges):
    found, weights = [], []
    for low, high in zip(edges[:-1], edges[1:]):
        b = background[(background_mass >= low) & (background_mass < high)]
        s = signal[(signal_mass >= low) & (signal_mass < high)]
        found.append(separation(b, s) if len(b) and len(s) else 0.5)
        weights.append(len(s))
    return np.average(found, weights=weights) if sum(weights) else 0.5
""",
        "no bin in common is nothing": MATCHED.replace("if found else 0.5", "if found else 0.0"),
    },
    "pvalue": {
        "zero is possible": PVALUE.replace(
            "(1 + np.sum(known >= score)) / (1 + len(known))", "np.mean(known >= score)"
        ),
        "larger only": PVALUE.replace("known >= score", "known > score"),
        "the other side": PVALUE.replace("known >= score", "known <= score"),
        "one only above the line": PVALUE.replace("(1 + len(known))", "len(known)"),
    },
}
