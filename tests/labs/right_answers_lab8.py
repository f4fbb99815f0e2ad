"""Right answers to lab 8 that differ from the model answer: {task: {how: what the student writes}}."""

RIGHT = {
    "predict": {"nearly sure": 'prediction = {"A": 0, "B": 0, "C": 1.0, "D": 1, "E": 0}'},
    "stretch": {
        "with scipy": """
def log_stretched(x, A):
    from scipy.stats import multivariate_normal

    covariance = A @ A.T
    return np.array([multivariate_normal(np.zeros(len(A)), covariance).logpdf(row) for row in x])
""",
        "with the inverse": """
def log_stretched(x, A):
    back = np.linalg.inv(A)
    density = np.exp(-0.5 * ((x @ back.T) ** 2).sum(axis=1)) / (2 * np.pi) ** (x.shape[1] / 2)
    return np.log(density) + np.linalg.slogdet(back)[1]
""",
    },
    "logit": {
        "with scipy": """
def log_density_of_x(x, low, high, log_density_of_y):
    from scipy.special import logit

    u = (x - low) / (high - low)
    return log_density_of_y(logit(u)) - np.log(x - low) - np.log(high - x) + np.log(high - low)
""",
        "with a loop": """
def log_density_of_x(x, low, high, log_density_of_y):
    found = []
    for one in x:
        y = np.log((one - low) / (high - one))
        slope = 1 / (one - low) + 1 / (high - one)
        found.append(float(log_density_of_y(np.array([y]))[0] + np.log(slope)))
    return found
""",
    },
    "spline": {
        "with a loop": """
def spline(x, knots_x, knots_y, slopes):
    y, dy = [], []
    for one in x:
        k = 0
        while k < len(knots_x) - 2 and one >= knots_x[k + 1]:
            k += 1
        w, h = knots_x[k + 1] - knots_x[k], knots_y[k + 1] - knots_y[k]
        s, t = h / w, (one - knots_x[k]) / w
        below = s + (slopes[k] + slopes[k + 1] - 2 * s) * t * (1 - t)
        y.append(knots_y[k] + h * (s * t * t + slopes[k] * t * (1 - t)) / below)
        dy.append(s * s * (slopes[k + 1] * t * t + 2 * s * t * (1 - t) + slopes[k] * (1 - t) ** 2) / below**2)
    return y, dy
""",
        "bins closed on the right": """
def spline(x, knots_x, knots_y, slopes):
    k = np.clip(np.searchsorted(knots_x, x) - 1, 0, None)
    w = knots_x[k + 1] - knots_x[k]
    h = knots_y[k + 1] - knots_y[k]
    s, t = h / w, (x - knots_x[k]) / w
    d0, d1 = slopes[k], slopes[k + 1]
    Q = s + (d1 + d0 - 2 * s) * t * (1 - t)
    return (
        knots_y[k] + h * (s * t**2 + d0 * t * (1 - t)) / Q,
        s**2 * (d1 * t**2 + 2 * s * t * (1 - t) + d0 * (1 - t) ** 2) / Q**2,
    )
""",
    },
    "inverse": {
        "halving": """
def spline_back(y, knots_x, knots_y, slopes):
    def value(x):
        k = np.clip(np.searchsorted(knots_x, x, side="right") - 1, 0, len(knots_x) - 2)
        w, h = np.diff(knots_x)[k], np.diff(knots_y)[k]
        s, t = h / w, (x - knots_x[k]) / w
        below = s + (slopes[k] + slopes[k + 1] - 2 * s) * t * (1 - t)
        return knots_y[k] + h * (s * t**2 + slopes[k] * t * (1 - t)) / below

    low, high = np.full(len(y), knots_x[0]), np.full(len(y), knots_x[-1])
    for _ in range(60):
        middle = (low + high) / 2
        below = value(middle) < y
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2
""",
    },
    "coupling": {
        "column by column": """
def couple(x, sigma, tau):
    moved = np.array(x, dtype=float)
    moved[:, 1] = np.exp(sigma(x[:, 0])) * x[:, 1] + tau(x[:, 0])
    return moved, np.log(np.exp(sigma(x[:, 0])))


def uncouple(x, sigma, tau):
    moved = np.array(x, dtype=float)
    moved[:, 1] = (x[:, 1] - tau(x[:, 0])) / np.exp(sigma(x[:, 0]))
    return moved
""",
    },
    "cells": {
        "with logsumexp": """
def log_probability(n, log_density, m=50):
    from scipy.special import logsumexp

    points = np.asarray(n)[:, None] + (np.arange(m) + 0.5) / m
    return logsumexp(log_density(points), axis=1) - np.log(m)
""",
    },
    "singular": {
        "with ranks": """
def follows(X):
    Z = (X - X.mean(axis=0)) / X.std(axis=0) / np.sqrt(len(X))
    rank = [np.linalg.matrix_rank(Z[:, : k + 1], tol=1e-6) for k in range(Z.shape[1])]
    return [k for k in range(1, Z.shape[1]) if rank[k] == rank[k - 1]]
""",
        "one after the other": """
def follows(X):
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    basis, found = [], []
    for k, column in enumerate(Z.T):
        rest = column.copy()
        for _ in range(2):
            for one in basis:
                rest = rest - (one @ rest) * one
        if rest.std() < 1e-6:
            found.append(k)
        else:
            basis.append(rest / np.sqrt(rest @ rest))
    return np.array(found)
""",
    },
    "nats": {
        "of a sample": """
def nats_missing(log_true, log_flow):
    n = len(log_true)
    return np.mean(log_true) - np.mean(log_flow), np.std(log_true - log_flow, ddof=1) / n**0.5
""",
    },
}
