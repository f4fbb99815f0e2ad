"""Every dijet observable once more: one event at a time, in the plainest words, with nothing of the package."""

from __future__ import annotations

import math

FRACTIONS = ("chHEF", "neHEF", "chEmEF", "neEmEF", "muEF")


def random_events(seed: int, n: int, fat_counts=(0, 1, 2, 3, 4), jet_counts=(0, 1, 3, 6)) -> list[dict]:
    """Events as Python dictionaries, in the layout of NanoAOD, with particles inside the AK8 jets."""
    import numpy as np

    rng = np.random.default_rng(seed)
    return [_event(rng, number, int(rng.choice(fat_counts)), int(rng.choice(jet_counts))) for number in range(n)]


def _event(rng, number: int, n_fat: int, n_jets: int) -> dict:
    fat = [jet | _inside(rng, jet) for jet in (_jet(rng, 150, 900) for _ in range(n_fat))]
    jets = [_jet(rng, 15, 500) for _ in range(n_jets)]
    # Some AK4 jets lie in AK8 jets, as in life.
    for jet, axis in zip(jets, fat * 2, strict=False):
        if rng.random() < 0.7:
            jet["eta"] = axis["eta"] + rng.normal(0, 0.4)
            jet["phi"] = _wrap(axis["phi"] + rng.normal(0, 0.4))
    met = {"pt": float(rng.exponential(60)), "phi": float(rng.uniform(-math.pi, math.pi))}
    numbers = {"run": 1, "luminosityBlock": 2, "event": number, "label": number % 2}
    return numbers | {"FatJet": fat, "Jet": jets, "MET": met, "PV": {"npvs": int(rng.integers(1, 60))}}


def _jet(rng, low: float, high: float) -> dict:
    shares = rng.dirichlet([5, 2, 0.5, 3, 0.3])
    return {
        "pt": float(rng.uniform(low, high)),
        "eta": float(rng.uniform(-2.8, 2.8)),
        "phi": float(rng.uniform(-math.pi, math.pi)),
        "mass": float(rng.exponential(60)),
        **{name: float(share) for name, share in zip(FRACTIONS, shares, strict=True)},
        "nConstituents": int(rng.integers(1, 90)),
        "jetId": int(rng.choice([0, 2, 6, 6, 6])),
    }


def _inside(rng, jet: dict) -> dict:
    tau = sorted(rng.uniform(0, 0.6, 4), reverse=True)
    particles = [
        {
            "pt": float(rng.exponential(20) + 0.2),
            "eta": jet["eta"] + float(rng.uniform(-0.5, 0.5)),
            "phi": _wrap(jet["phi"] + float(rng.uniform(-0.5, 0.5))),
        }
        for _ in range(int(rng.integers(1, 30)))
    ]
    groomed = -1.0 if rng.random() < 0.2 else float(rng.exponential(50))
    taus = {f"tau{n + 1}": float(tau[n]) for n in range(4)}
    return taus | {"msoftdrop": groomed, "area": float(rng.integers(180, 220)) / 100, "constituents": particles}


def _wrap(phi: float) -> float:
    while phi > math.pi:
        phi -= 2 * math.pi
    while phi <= -math.pi:
        phi += 2 * math.pi
    return phi


def _vector(jet: dict) -> tuple[float, float, float, float]:
    px, py = jet["pt"] * math.cos(jet["phi"]), jet["pt"] * math.sin(jet["phi"])
    pz = jet["pt"] * math.sinh(jet["eta"])
    return px, py, pz, math.sqrt(px**2 + py**2 + pz**2 + jet["mass"] ** 2)


def _y(jet: dict) -> float:
    _, _, pz, energy = _vector(jet)
    return 0.5 * math.log((energy + pz) / (energy - pz))


def _distance(one: dict, other: dict) -> float:
    return math.sqrt((one["eta"] - other["eta"]) ** 2 + _wrap(one["phi"] - other["phi"]) ** 2)


def leading(event: dict) -> list[dict] | None:
    """The two hardest AK8 jets above 200 GeV within 2.5, or None."""
    good = [jet for jet in event["FatJet"] if jet["pt"] > 200 and abs(jet["eta"]) < 2.5]
    good.sort(key=lambda jet: -jet["pt"])
    return good[:2] if len(good) >= 2 else None


def matched(event: dict, jet: dict) -> dict | None:
    """The hardest AK4 jet within 0.8 of an AK8 jet."""
    near = [other for other in event["Jet"] if _distance(other, jet) < 0.8]
    return max(near, key=lambda other: other["pt"]) if near else None


def of_jet(jet: dict) -> dict[str, float]:
    """The 22 of one jet."""
    parts = jet["constituents"]
    total = sum(part["pt"] for part in parts)
    values = {name: jet[name] for name in ("pt", "eta", "phi", "mass", "area", "msoftdrop", *FRACTIONS)}
    values |= {f"tau{n}": jet[f"tau{n}"] for n in (1, 2, 3, 4)}
    return values | {
        "mass_over_pt": jet["mass"] / jet["pt"],
        "n_constituents": jet["nConstituents"],
        "tau21": jet["tau2"] / jet["tau1"],
        "tau32": jet["tau3"] / jet["tau2"],
        "width": sum(part["pt"] * _distance(part, jet) for part in parts) / total,
        "ptd": math.sqrt(sum(part["pt"] ** 2 for part in parts)) / total,
        "leading_fraction": max(part["pt"] for part in parts) / total,
    }


def of_event(event: dict) -> dict[str, float]:
    """The 17 of the event."""
    one, two = leading(event)
    px, py, pz, energy = (sum(pair) for pair in zip(_vector(one), _vector(two), strict=True))
    jets = [jet for jet in event["Jet"] if jet["pt"] > 30 and abs(jet["eta"]) < 2.5]
    ht = sum(jet["pt"] for jet in jets)
    met = event["MET"]
    away = [jet["pt"] for jet in jets if _distance(jet, one) > 0.8 and _distance(jet, two) > 0.8]
    return {
        "mjj": math.sqrt(energy**2 - px**2 - py**2 - pz**2),
        "delta_eta": abs(one["eta"] - two["eta"]),
        "delta_phi": abs(_wrap(one["phi"] - two["phi"])),
        "delta_r": _distance(one, two),
        "pt_jj": math.hypot(px, py),
        "y_boost": (_y(one) + _y(two)) / 2,
        "y_star": (_y(one) - _y(two)) / 2,
        "chi": math.exp(abs(_y(one) - _y(two))),
        "pt_asymmetry": (one["pt"] - two["pt"]) / (one["pt"] + two["pt"]),
        "mass_asymmetry": abs(one["mass"] - two["mass"]) / (one["mass"] + two["mass"]),
        "ht": ht,
        "n_jets": len(jets),
        "met": met["pt"],
        "met_over_sqrt_ht": met["pt"] / math.sqrt(ht) if ht else 0.0,
        "min_dphi_met": min([abs(_wrap(jet["phi"] - met["phi"])) for jet in jets], default=math.pi),
        "third_jet_pt": max(away, default=0.0),
        "n_pv": event["PV"]["npvs"],
    }


def observables(event: dict) -> dict[str, float] | None:
    """All 61, or None where there are no two jets."""
    pair = leading(event)
    if pair is None:
        return None
    values = {}
    for name, jet in zip(("j1", "j2"), pair, strict=True):
        values |= {f"{key}_{name}": value for key, value in of_jet(jet).items()}
    return values | of_event(event)
