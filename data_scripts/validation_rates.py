"""How often each check of chapter 17 rings: on small searches for nothing, and on searches with one planted fault."""

from __future__ import annotations

from typing import Any

import numpy as np

from cmslabs.evaluation.validation.common import largest, tail_size
from cmslabs.evaluation.validation.hunt import hunt_in_tail
from cmslabs.evaluation.validation.ks import compare_tail, pipeline_distances
from cmslabs.evaluation.validation.permutation import permutation_control
from cmslabs.evaluation.validation.sculpting import find_sculpting
from cmslabs.evaluation.validation.stability import find_stability
from cmslabs.evaluation.validation.tails import find_tails
from cmslabs.evaluation.validation.trainer import norm_trainer

CHECKS = ("tails", "ks", "sculpting", "seeds", "permutation", "hunt")


def world(config: dict[str, Any], seed: int, fault: str | None = None) -> dict[str, float]:
    """P-values of all checks of one search, in four Gaussian columns and a falling mass; with one planted fault."""
    n, fraction, alpha = config["n_events"], config["fraction"], 0.05
    rng = np.random.default_rng(seed)

    def events(size: int, generator: np.random.Generator = rng) -> np.ndarray:
        return generator.normal(size=(size, 4))

    learnt, validation, test = events(300), events(n), events(n)
    mass = 2000 + rng.exponential(600, n)
    if fault == "ks":
        test[: n // 50] = rng.normal([3.0, 3.0, 0.0, 0.0], 0.3, size=(n // 50, 4))
    score = norm_trainer(learnt)
    seen, found = score(validation), score(test)
    if fault == "tails":
        # The threshold comes from the events that the score was trained on: distances to the nearest of them.
        from sklearn.neighbors import NearestNeighbors

        near = NearestNeighbors(n_neighbors=5).fit(validation)
        seen, found = (near.kneighbors(part)[0].mean(axis=1) for part in (validation, test))
    if fault == "sculpting":
        found = found + 0.15 * (mass - 2600) / 600
    if fault == "hunt":
        place = np.argsort(-found)[: tail_size(0.1, n)][::6]
        mass[place] = rng.normal(3000, 90, len(place))
    if want(fault, "seeds"):
        noise = 2.0 if fault == "seeds" else 0.1
        seeds = found + noise * found.std() * rng.normal(size=(5, n))
    result: dict[str, float] = {}
    if want(fault, "tails"):
        result["tails"] = find_tails(seen, found, fractions=(fraction,), alpha=alpha).p_value
    if want(fault, "ks"):
        pseudo = pipeline_distances(
            norm_trainer, lambda size, number: events(size), n, fraction=fraction, n_pseudo=config["n_pseudo"]
        )
        in_tail = largest(norm_trainer(test)(test), tail_size(fraction, n))
        result["ks"] = compare_tail(test, in_tail, pseudo=pseudo, n_draws=19, alpha=alpha).p_value
    if want(fault, "sculpting"):
        options = {"fractions": (0.5, 0.1), "n_permutations": config["n_permutations"], "random_state": seed}
        result["sculpting"] = find_sculpting(found, mass, alpha=alpha, **options).p_value
    if want(fault, "seeds"):
        result["seeds"] = float(not find_stability(seeds, fraction=0.1, least=0.5).alarm)
    if want(fault, "permutation"):
        X = test if fault is None else test[:, :1] * 0.8 + 0.6 * test
        control = permutation_control(norm_trainer, X, X, "upper tail", n_permutations=39, alpha=alpha, seed=seed)
        result["permutation"] = control.p_value
    if want(fault, "hunt"):
        hunted = hunt_in_tail(
            found,
            mass,
            np.linspace(*config["edges"][:2], config["edges"][2]),
            fraction=0.1,
            seed=seed,
            **config["hunt"],
        )
        result["hunt"] = hunted.p_value
    return result


def want(fault: str | None, check: str) -> bool:
    """A search for nothing meets all checks, a planted fault its own."""
    return fault in (None, check)


def rates(config: dict[str, Any], search: Any = None) -> dict[str, Any]:
    """P-values of nulls, and of planted faults.  For the seeds: 0 is an alarm, 1 is none."""
    options = config["rates"]
    nulls = [world(options, number) for number in range(options["nulls"])]
    planted = {
        check: [world(options, 10_000 + number, check)[check] for number in range(options["planted"])]
        for check in CHECKS
    }
    return {"nulls": {check: [round(one[check], 4) for one in nulls] for check in CHECKS}, "planted": planted}
