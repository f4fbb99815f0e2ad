"""Four small analyses for a referee: one is sound, each of the other three has a fault that somebody planted.

All four were made with the simulated QCD dijets that come with the package.  There is no signal in any of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cmslabs.errors import ConfigError
from cmslabs.evaluation.validation.common import tail_size
from cmslabs.evaluation.validation.sculpting import find_sculpting
from cmslabs.evaluation.validation.tails import count_p

__all__ = ["FLAWS", "Submission", "answer_key", "submissions"]

#: What may be wrong with an analysis; "sound" if nothing is.
FLAWS = ("learnt events", "sculpting", "seeds", "sound")
_FRACTION, _TRAININGS, _TRIED = 0.1, 5, 20
_N_LEARNT, _N = 3000, 4000
_NEIGHBOURS = 5
#: A check that finds nothing wrong must be clearly silent: no student shall be misled by chance.
_SILENT = 0.05
_MOST_DRAWS = 100
#: The best of 20 has a p-value that looks remarkable, and is not.
_LUCK = (0.015, 0.05)


@dataclass(frozen=True)
class Submission:
    """What the authors of an analysis hand in.

    Attributes
    ----------
    name : str
    learnt, validation, test : ndarray, shape (n,)
        Scores of the training events, of the validation events, and of those that are tested.
    threshold : float
        Behind it the authors expect `fraction` of the events.
    fraction : float
    mass : ndarray, shape (n_test,)
        Dijet mass of the tested events [GeV].
    trainings : ndarray, shape (5, n_test)
        Scores of the tested events from five trainings on the same events, with other seeds.
        The first is the one that the authors show.
    n_tried : int
        Trainings that they looked at before they chose that one.
    """

    name: str
    learnt: np.ndarray = field(repr=False)
    validation: np.ndarray = field(repr=False)
    test: np.ndarray = field(repr=False)
    threshold: float
    fraction: float
    mass: np.ndarray = field(repr=False)
    trainings: np.ndarray = field(repr=False)
    n_tried: int


def answer_key(student: str) -> dict[str, str]:
    """The fault of each analysis that `student` gets; the order is the student's own.

    Examples
    --------
    >>> sorted(answer_key("somebody").values()) == sorted(FLAWS)
    True
    """
    order = _generator(student).permutation(len(FLAWS))
    return {letter: FLAWS[place] for letter, place in zip("ABCD", order, strict=True)}


def submissions(student: str, features: pd.DataFrame, mass: np.ndarray) -> dict[str, Submission]:
    """Four analyses, named A to D, for this student.

    Parameters
    ----------
    student : str
        Name or number; it decides who made which mistake, and with which events.
    features : DataFrame, shape (n_events, n_features)
        Background only.
    mass : array_like, shape (n_events,)
        Dijet masses [GeV].

    Returns
    -------
    dict of str to Submission

    Raises
    ------
    ConfigError
        If there are too few events.
    """
    X, mass = np.asarray(features, dtype=float), np.asarray(mass, dtype=float)
    if len(X) < _N_LEARNT + 2 * _N or len(mass) != len(X):
        raise ConfigError(f"{len(X)} events are too few.", remedy=f"Give {_N_LEARNT + 2 * _N} or more, with masses.")
    rng = _generator(student)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return {letter: _draw(letter, flaw, X, mass, rng) for letter, flaw in answer_key(student).items()}


def _generator(student: str) -> np.random.Generator:
    student = str(student).strip().lower()
    return np.random.default_rng([len(student), *student.encode()])


def _draw(name: str, flaw: str, X: np.ndarray, mass: np.ndarray, rng: np.random.Generator) -> Submission:
    """Analyses with this fault, until one has no other fault by chance."""
    for _ in range(_MOST_DRAWS):
        made = _analysis(name, flaw, X, mass, rng)
        if _only(made, flaw):
            return made
    raise ConfigError(f"no analysis with the fault '{flaw}' and no other was found among {_MOST_DRAWS}.")


def _analysis(name: str, flaw: str, X: np.ndarray, mass: np.ndarray, rng: np.random.Generator) -> Submission:
    rows = np.split(rng.permutation(len(X))[: _N_LEARNT + 2 * _N], [_N_LEARNT, _N_LEARNT + _N])
    # Masses dealt out anew within each part: a score that does not know the mass, as the authors promise.
    parts = [(part, rng.permutation(mass[part])) for part in rows]
    test, m = parts[2]
    tried = _TRIED if flaw == "seeds" else 1
    made = []
    for number in rng.integers(2**31, size=tried):
        # Each part with the same generator: the same training.
        scores = [_score(flaw, X, rows[0], *part, np.random.default_rng(number)) for part in parts]
        source = scores[0 if flaw == "learnt events" else 1]
        threshold = float(np.sort(source)[-tail_size(_FRACTION, len(source))])
        made.append((int((scores[2] >= threshold).sum()), threshold, scores))
    _, threshold, scores = max(made, key=lambda one: one[0])
    others = [_score(flaw, X, rows[0], test, m, rng) for _ in range(_TRAININGS - 1)]
    return Submission(name, *scores, threshold, _FRACTION, m, np.array([scores[2], *others]), tried)


def _score(
    flaw: str, X: np.ndarray, learnt: np.ndarray, rows: np.ndarray, mass: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """How unusual the events of `rows` are; a fresh draw from `rng` is a fresh training."""
    if flaw == "seeds":
        # One direction at random: each seed looks at something else.
        direction = rng.normal(size=X.shape[1])
        return np.abs((X[rows] - X[learnt].mean(axis=0)) @ direction)
    if flaw == "learnt events":
        from sklearn.neighbors import NearestNeighbors

        # A training event is the nearest neighbour of itself.
        weight = rng.normal(1, 0.02, X.shape[1])
        near = NearestNeighbors(n_neighbors=_NEIGHBOURS).fit(X[learnt] * weight)
        return near.kneighbors(X[rows] * weight)[0].mean(axis=1)
    weight = rng.normal(1, 0.05, X.shape[1])
    score = np.linalg.norm(weight * (X[rows] - X[learnt].mean(axis=0)), axis=1)
    if flaw == "sculpting":
        # Largest in the middle of the spectrum: no correlation sees it.
        rank = (np.argsort(np.argsort(mass)) + 0.5) / len(mass)
        score = score + 1.2 * score.std() * np.exp(-0.5 * ((rank - 0.5) / 0.15) ** 2)
    return score


def _only(made: Submission, flaw: str) -> bool:
    """Whether the checks ring for this fault, and stay silent otherwise."""
    source = made.learnt if flaw == "learnt events" else made.validation
    k, n = tail_size(made.fraction, len(source)), len(source)
    p = count_p(int((made.test >= made.threshold).sum()), len(made.test), k, n)[1]
    counted = {"learnt events": p < 1e-6, "seeds": _LUCK[0] < p < _LUCK[1]}.get(flaw, _SILENT < p < 1 - _SILENT)
    sculpted = find_sculpting(made.test, made.mass, fractions=(0.5, made.fraction)).cuts[1].chi2_p
    return counted and (sculpted < 1e-6 if flaw == "sculpting" else sculpted > _SILENT)
