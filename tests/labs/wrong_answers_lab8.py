"""Mistakes that students make in lab 8: {task: {mistake: what the student writes}}; each loses exactly its points."""

from editing import changed

STRETCH = """
def log_stretched(x, A):
    z = np.linalg.solve(A, x.T).T
    log_normal = -0.5 * np.sum(z**2, axis=1) - 0.5 * x.shape[1] * np.log(2 * np.pi)
    return log_normal - np.log(abs(np.linalg.det(A)))
"""
LOGIT = """
def log_density_of_x(x, low, high, log_density_of_y):
    u = (x - low) / (high - low)
    y = np.log(u / (1 - u))
    return log_density_of_y(y) - np.log(u * (1 - u) * (high - low))
"""
SPLINE = """
def spline(x, knots_x, knots_y, slopes):
    k = np.clip(np.searchsorted(knots_x, x, side="right") - 1, 0, len(knots_x) - 2)
    w, h = np.diff(knots_x)[k], np.diff(knots_y)[k]
    s, t = h / w, (x - knots_x[k]) / w
    u = t * (1 - t)
    below = s + (slopes[k] + slopes[k + 1] - 2 * s) * u
    y = knots_y[k] + h * (s * t**2 + slopes[k] * u) / below
    return y, s**2 * (slopes[k + 1] * t**2 + 2 * s * u + slopes[k] * (1 - t) ** 2) / below**2
"""
INVERSE = """
def spline_back(y, knots_x, knots_y, slopes):
    k = np.clip(np.searchsorted(knots_y, y, side="right") - 1, 0, len(knots_y) - 2)
    w, h = np.diff(knots_x)[k], np.diff(knots_y)[k]
    s, up = h / w, y - knots_y[k]
    q = slopes[k] + slopes[k + 1] - 2 * s
    a, b, c = up * q + h * (s - slopes[k]), h * slopes[k] - up * q, -s * up
    root = np.sqrt(np.maximum(b**2 - 4 * a * c, 0))
    return knots_x[k] + w * 2 * c / (-b - root)
"""
COUPLING = """
def couple(x, sigma, tau):
    a, b = x.T
    return np.stack([a, b * np.exp(sigma(a)) + tau(a)], axis=1), sigma(a)


def uncouple(x, sigma, tau):
    a, b = x.T
    return np.stack([a, (b - tau(a)) * np.exp(-sigma(a))], axis=1)
"""
CELLS = """
def log_probability(n, log_density, m=50):
    logs = np.array([log_density(n + (k + 0.5) / m) for k in range(m)])
    largest = logs.max(axis=0)
    return largest + np.log(np.mean(np.exp(logs - largest), axis=0))
"""
SINGULAR = """
def follows(X):
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    found = []
    for k in range(1, Z.shape[1]):
        weights = np.linalg.lstsq(Z[:, :k], Z[:, k], rcond=None)[0]
        if np.std(Z[:, k] - Z[:, :k] @ weights) < 1e-6:
            found.append(k)
    return found
"""
NATS = """
def nats_missing(log_true, log_flow):
    difference = log_true - log_flow
    return difference.mean(), difference.std() / np.sqrt(len(difference))
"""


WRONG = {
    "predict": {
        "sure and wrong about all": 'prediction = {"A": 1.0, "B": 1.0, "C": 0.0, "D": 0.0, "E": 1.0}',
        "percent": 'prediction = {"A": 10, "B": 10, "C": 90, "D": 90, "E": 10}',
        "one is missing": 'prediction = {"A": 0.0, "B": 0.0, "C": 1.0, "D": 1.0}',
    },
    "stretch": {
        "no determinant": changed(STRETCH, (" - np.log(abs(np.linalg.det(A)))", "")),
        "determinant the other way": changed(STRETCH, ("- np.log(abs", "+ np.log(abs")),
        "negative determinant": changed(STRETCH, ("abs(np.linalg.det(A))", "np.linalg.det(A)")),
        "stretched once more": changed(STRETCH, ("np.linalg.solve(A, x.T).T", "x @ A.T")),
        "transposed": changed(STRETCH, ("np.linalg.solve(A, x.T).T", "x @ np.linalg.inv(A)")),
        "always two columns": changed(STRETCH, ("0.5 * x.shape[1] * np.log", "np.log")),
        "no constant": changed(STRETCH, (" - 0.5 * x.shape[1] * np.log(2 * np.pi)", "")),
        "not the log": changed(
            STRETCH, ("log_normal - np.log(abs(np.linalg.det(A)))", "np.exp(log_normal) / abs(np.linalg.det(A))")
        ),
        "one number for all": changed(STRETCH, ("np.sum(z**2, axis=1)", "np.sum(z**2)")),
    },
    "logit": {
        "no Jacobian": changed(LOGIT, (" - np.log(u * (1 - u) * (high - low))", "")),
        "the length forgotten": changed(LOGIT, (" * (high - low))", ")")),
        "the wrong way round": changed(LOGIT, ("- np.log(u", "+ np.log(u")),
        "half of the slope": changed(LOGIT, ("u * (1 - u) * (high", "u * (high")),
        "slope not as a logarithm": changed(LOGIT, ("- np.log(u * (1 - u) * (high - low))", "- u * (1 - u)")),
        "density of u instead of y": changed(LOGIT, ("log_density_of_y(y)", "log_density_of_y(u)")),
        "logarithm only": changed(LOGIT, ("np.log(u / (1 - u))", "np.log(u)")),
        "low forgotten": changed(LOGIT, ("(x - low) / ", "x / ")),
    },
    "spline": {
        "values only": changed(SPLINE, ("return y, s**2", "return y  # ")),
        "straight lines": """
def spline(x, knots_x, knots_y, slopes):
    k = np.clip(np.searchsorted(knots_x, x, side="right") - 1, 0, len(knots_x) - 2)
    return np.interp(x, knots_x, knots_y), (np.diff(knots_y) / np.diff(knots_x))[k]
""",
        "slopes of the two ends exchanged": changed(
            SPLINE, ("h * (s * t**2 + slopes[k] * u)", "h * (s * t**2 + slopes[k + 1] * u)")
        ),
        "s instead of 2 s": changed(SPLINE, ("slopes[k + 1] - 2 * s)", "slopes[k + 1] - s)")),
        "s not squared": changed(SPLINE, ("y, s**2 * (", "y, s * (")),
        "denominator not squared": changed(SPLINE, ("/ below**2", "/ below")),
        "slope in units of the bin": changed(SPLINE, ("return y, s**2", "return y, w * s**2")),
        "one bin too far": changed(
            SPLINE, ("np.clip(np.searchsorted", "np.searchsorted"), (" - 1, 0, len(knots_x) - 2)", " - 1")
        ),
        "the first bin for all": changed(
            SPLINE, ('np.clip(np.searchsorted(knots_x, x, side="right") - 1, 0, len(knots_x) - 2)', "0")
        ),
        "a cubic": """
def spline(x, knots_x, knots_y, slopes):
    from scipy.interpolate import CubicHermiteSpline

    curve = CubicHermiteSpline(knots_x, knots_y, slopes)
    return curve(x), curve(x, 1)
""",
        "inverse slope": changed(SPLINE, ("return y, s**2", "return y, 1 / s**2")),
    },
    "inverse": {
        "the other root": changed(INVERSE, ("(-b - root)", "(-b + root)")),
        "bins along x": changed(INVERSE, ("np.searchsorted(knots_y, y", "np.searchsorted(knots_x, y")),
        "share of the bin": changed(INVERSE, ("knots_x[k] + w * 2", "2")),
        "width forgotten": changed(INVERSE, ("+ w * 2", "+ 2")),
        "sign of c": changed(INVERSE, ("-s * up", "s * up")),
        "straight lines": "def spline_back(y, knots_x, knots_y, slopes):\n    return np.interp(y, knots_y, knots_x)\n",
        "knots exchanged": """
def spline_back(y, knots_x, knots_y, slopes):
    k = np.clip(np.searchsorted(knots_y, y, side="right") - 1, 0, len(knots_x) - 2)
    w, h = np.diff(knots_y)[k], np.diff(knots_x)[k]
    s, t = h / w, (y - knots_y[k]) / w
    u = t * (1 - t)
    below = s + (1 / slopes[k] + 1 / slopes[k + 1] - 2 * s) * u
    return knots_x[k] + h * (s * t**2 + u / slopes[k]) / below
""",
        "divided by 2 a": changed(INVERSE, ("2 * c / (-b - root)", "(-b - root) / (2 * a)")),
    },
    "coupling": {
        "shifted first": changed(COUPLING, ("b * np.exp(sigma(a)) + tau(a)", "(b + tau(a)) * np.exp(sigma(a))")),
        "determinant instead of its logarithm": changed(COUPLING, ("axis=1), sigma(a)", "axis=1), np.exp(sigma(a))")),
        "determinant with the wrong sign": changed(COUPLING, ("axis=1), sigma(a)", "axis=1), -sigma(a)")),
        "determinant with the shift": changed(COUPLING, ("axis=1), sigma(a)", "axis=1), sigma(a) + tau(a)")),
        "one determinant for all": changed(COUPLING, ("axis=1), sigma(a)", "axis=1), np.sum(sigma(a))")),
        "functions of b": changed(COUPLING, ("b * np.exp(sigma(a)) + tau(a)", "b * np.exp(sigma(b)) + tau(b)")),
        "both are moved": changed(COUPLING, ("np.stack([a, b * np.exp", "np.stack([a * np.exp(sigma(a)), b * np.exp")),
        "no exponential": changed(COUPLING, ("b * np.exp(sigma(a))", "b * sigma(a)")),
        "first unstretched, then shifted back": changed(
            COUPLING, ("(b - tau(a)) * np.exp(-sigma(a))", "b * np.exp(-sigma(a)) - tau(a)")
        ),
        "back is the same as there": changed(
            COUPLING, ("(b - tau(a)) * np.exp(-sigma(a))", "b * np.exp(sigma(a)) + tau(a)")
        ),
        "in place": changed(
            COUPLING,
            (
                "    return np.stack([a, b * np.exp(sigma(a)) + tau(a)], axis=1), sigma(a)",
                "    x[:, 1] = b * np.exp(sigma(a)) + tau(a)\n    return x, sigma(a)",
            ),
        ),
    },
    "cells": {
        "mean of the logarithms": changed(
            CELLS, ("largest + np.log(np.mean(np.exp(logs - largest), axis=0))", "logs.mean(axis=0)")
        ),
        "too small numbers become 0": changed(
            CELLS,
            ("largest + np.log(np.mean(np.exp(logs - largest), axis=0))", "np.log(np.mean(np.exp(logs), axis=0))"),
        ),
        "sum instead of mean": changed(CELLS, ("np.mean(np.exp", "np.sum(np.exp")),
        "the number itself": "def log_probability(n, log_density, m=50):\n    return log_density(n)\n",
        "the middle only": "def log_probability(n, log_density, m=50):\n    return log_density(n + 0.5)\n",
        "around the number": changed(CELLS, ("n + (k + 0.5) / m", "n - 0.5 + (k + 0.5) / m")),
        "left edges": changed(CELLS, ("(k + 0.5) / m", "k / m")),
        "not the logarithm": changed(CELLS, ("return largest + np.log(", "return np.exp(largest) * (")),
        "the largest": changed(CELLS, ("largest + np.log(np.mean(np.exp(logs - largest), axis=0))", "largest")),
        "one number for all": changed(CELLS, ("logs.max(axis=0)", "logs.max()"), (", axis=0))", "))")),
    },
    "singular": {
        "copies only": """
def follows(X):
    return [k for k in range(1, X.shape[1]) if any((X[:, j] == X[:, k]).all() for j in range(k))]
""",
        "pairs only": """
def follows(X):
    C = abs(np.corrcoef(X.T))
    return [k for k in range(1, X.shape[1]) if C[k, :k].max() > 1 - 1e-12]
""",
        "all others, not the earlier ones": changed(
            SINGULAR,
            ("lstsq(Z[:, :k], ", "lstsq(np.delete(Z, k, axis=1), "),
            ("Z[:, :k] @ weights", "np.delete(Z, k, axis=1) @ weights"),
            ("range(1, Z", "range(Z"),
        ),
        "units matter": changed(SINGULAR, (" / X.std(axis=0)", "")),
        "no constant": changed(SINGULAR, ("(X - X.mean(axis=0)) / X.std(axis=0)", "X / X.std(axis=0)")),
        "too strict": changed(SINGULAR, ("< 1e-6", "== 0")),
        "too lax": changed(SINGULAR, ("< 1e-6", "< 1e-2")),
        "a hundred times too lax": changed(SINGULAR, ("< 1e-6", "< 1e-4")),
        "as strict as a computer": changed(SINGULAR, ("< 1e-6", "< 1e-10")),
        "counted from 1": changed(SINGULAR, ("append(k)", "append(k + 1)")),
        "names of those that are left": changed(SINGULAR, ("< 1e-6", ">= 1e-6")),
        "how many": changed(SINGULAR, ("return found", "return len(found)")),
    },
    "nats": {
        "sign": changed(NATS, ("log_true - log_flow", "log_flow - log_true")),
        "spread instead of error": changed(NATS, (" / np.sqrt(len(difference))", "")),
        "divided by n": changed(NATS, ("np.sqrt(len(difference))", "len(difference)")),
        "absolute differences": changed(NATS, ("= log_true - log_flow", "= abs(log_true - log_flow)")),
        "ratio of the logarithms": changed(NATS, ("log_true - log_flow", "log_true / log_flow")),
        "sum": changed(NATS, ("difference.mean()", "difference.sum()")),
        "mean only": "def nats_missing(log_true, log_flow):\n    return (log_true - log_flow).mean()\n",
    },
}
