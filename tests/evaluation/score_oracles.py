"""Slow and obvious: what the fast numbers about a score are compared with."""

from __future__ import annotations

import numpy as np


def pair_auc(labels, scores, weights=None) -> float:
    """Weighted share of pairs of signal and background in the right order; ties count one half."""
    labels, scores = np.asarray(labels), np.asarray(scores)
    weights = np.ones(len(scores)) if weights is None else np.asarray(weights)
    right = total = 0.0
    for i in np.flatnonzero(labels == 1):
        for j in np.flatnonzero(labels == 0):
            pair = weights[i] * weights[j]
            total += pair
            right += pair * (1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0)
    return right / total


def points(labels, scores, weights=None):
    """(threshold, eps_S, eps_B, effective background, precision) for every different score, by masks."""
    labels, scores = np.asarray(labels), np.asarray(scores)
    weights = np.ones(len(scores)) if weights is None else np.asarray(weights)
    signal, background = labels == 1, labels == 0
    found = []
    for threshold in sorted(set(scores.tolist()), reverse=True):
        passes = scores >= threshold
        s, b = weights[passes & signal].sum(), weights[passes & background].sum()
        squares = (weights[passes & background] ** 2).sum()
        effective = b**2 / squares if squares > 0 and b > 0 else 0.0
        precision = s / (s + b) if s + b > 0 else None
        found.append((threshold, s / weights[signal].sum(), b / weights[background].sum(), effective, precision))
    return found


def slow_average_precision(labels, scores, weights=None) -> float:
    """Sum of precision times the step of the recall."""
    before = total = 0.0
    for _, recall, _, _, precision in points(labels, scores, weights):
        if precision is not None:
            total += (recall - before) * precision
        before = recall
    return total


def slow_max_sic(labels, scores, weights=None, min_background=25) -> float:
    """Largest eps_S / sqrt(eps_B) of all thresholds with enough background."""
    return max(
        tpr / np.sqrt(fpr)
        for _, tpr, fpr, effective, _ in points(labels, scores, weights)
        if effective >= min_background * (1 - 1e-9)
    )


def lots_sic(labels, scores, rejection, repetitions, rng) -> float:
    """Mean improvement at a rejection if ties are broken by drawing lots; the background is a multiple of it."""
    labels, scores = np.asarray(labels), np.asarray(scores)
    background, signal = labels == 0, labels == 1
    k = int(background.sum() / rejection)
    found = []
    for _ in range(repetitions):
        order = np.lexsort((rng.random(len(scores)), -scores))
        cut = np.flatnonzero(np.cumsum(background[order]) == k)
        found.append(signal[order][: cut[-1] + 1].sum() / signal.sum() * np.sqrt(rejection))
    return float(np.mean(found))
