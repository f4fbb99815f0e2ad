"""Mistakes that students make in lab 4: {task: {mistake: what the student writes}}."""

from editing import changed

YIELD = """
def expected(weights, sigma_pb, luminosity_fb, sum_generated):
    scale = 1000 * luminosity_fb * sigma_pb / sum_generated
    total, squares = np.sum(weights), np.sum(np.square(weights))
    effective = total**2 / squares if len(weights) else 0.0
    return scale * total, scale * np.sqrt(squares), effective
"""
PILEUP = """
def pileup_weights(n_true, data_profile, simulation_profile):
    p_data = np.asarray(data_profile, dtype=float) / np.sum(data_profile)
    p_simulation = np.asarray(simulation_profile, dtype=float) / np.sum(simulation_profile)
    weights = np.divide(p_data, p_simulation, out=np.zeros(len(p_data)), where=p_simulation > 0)
    return weights[np.minimum(np.asarray(n_true).astype(int), len(weights) - 1)]
"""
FACTORS = """
def event_factors(muons, table, shift=0):
    pt, eta = ak.to_numpy(ak.flatten(muons.pt)), ak.to_numpy(ak.flatten(muons.eta))
    row = np.searchsorted(table["abseta"], np.abs(eta), side="right") - 1
    column = np.searchsorted(table["pt"], pt, side="right") - 1
    column = np.clip(column, 0, len(table["pt"]) - 2)
    error = table["error"][row, column] * np.where(pt < table["pt"][0], 2, 1)
    factors = table["value"][row, column] + shift * error
    return ak.to_numpy(ak.prod(ak.unflatten(factors, ak.num(muons.pt)), axis=1))
"""
IN_QUADRATURE = """
def event_factors(muons, table, shift=0):
    found = []
    for event in muons:
        factor, relative = 1.0, 0.0
        for muon in event:
            i = np.searchsorted(table["abseta"], abs(muon.eta), side="right") - 1
            j = min(max(np.searchsorted(table["pt"], muon.pt, side="right") - 1, 0), len(table["pt"]) - 2)
            error = table["error"][i, j] * (2 if muon.pt < table["pt"][0] else 1)
            factor *= table["value"][i, j]
            relative += (error / table["value"][i, j]) ** 2
        found.append(factor * (1 + shift * relative**0.5))
    return np.array(found)
"""
SCALE = """
def selected_masses(muons, factor):
    moved = ak.with_field(muons, factor * muons.pt, "pt")
    moved = moved[ak.num(moved) >= 2]
    one, two = moved[:, 0], moved[:, 1]
    kept = (one.pt > 25) & (two.pt > 15) & (one.charge != two.charge)
    return pair_mass(one[kept], two[kept])
"""
BAND = """
def band(nominal, variations):
    below, above = np.zeros(len(nominal)), np.zeros(len(nominal))
    for up, down in variations.values():
        above += np.maximum(np.maximum(up - nominal, down - nominal), 0) ** 2
        below += np.maximum(np.maximum(nominal - up, nominal - down), 0) ** 2
    return np.sqrt(below), np.sqrt(above)
"""
CHISQUARE = """
def chi_square(observed, nominal, variations, variance):
    covariance = np.diag(nominal + variance)
    for up, down in variations.values():
        half = (up - down) / 2
        covariance = covariance + np.outer(half, half)
    difference = observed - nominal
    return difference @ np.linalg.solve(covariance, difference)
"""


WRONG = {
    "predict": {
        "sure and wrong about all": 'prediction = {"A": 1.0, "B": 0.0, "C": 0.0, "D": 0.0, "E": 1.0}',
        "percent": 'prediction = {"A": 10, "B": 90, "C": 90, "D": 90, "E": 10}',
        "one is missing": 'prediction = {"A": 0.0, "B": 1.0, "C": 1.0, "D": 1.0}',
    },
    "yield": {
        "picobarn times inverse femtobarn": changed(YIELD, ("1000 * ", "")),
        "the thousand the other way round": changed(YIELD, ("1000 * ", "0.001 * ")),
        "divided by the selected weights": changed(YIELD, ("/ sum_generated", "/ max(np.sum(weights), 1e-9)")),
        "root of the number of events": changed(YIELD, ("np.sqrt(squares)", "np.sqrt(len(weights))")),
        "root of the sum": changed(YIELD, ("np.sqrt(squares)", "np.sqrt(abs(total))")),
        "root of the expected number": changed(YIELD, ("scale * np.sqrt(squares)", "np.sqrt(abs(scale * total))")),
        "error not scaled": changed(YIELD, ("scale * np.sqrt(squares)", "np.sqrt(squares)")),
        "signs of the weights ignored": changed(YIELD, ("np.sum(weights), ", "np.sum(np.abs(weights)), ")),
        "number of events as effective number": changed(YIELD, ("total**2 / squares", "float(len(weights))")),
        "effective number turned over": changed(YIELD, ("total**2 / squares", "squares / total**2")),
        "division by zero where nothing is selected": changed(YIELD, (" if len(weights) else 0.0", "")),
    },
    "pileup": {
        "profiles not normalised": changed(
            PILEUP, (" / np.sum(data_profile)", ""), (" / np.sum(simulation_profile)", "")
        ),
        "turned over": changed(
            PILEUP,
            ("np.divide(p_data, p_simulation", "np.divide(p_simulation, p_data"),
            ("where=p_simulation", "where=p_data"),
        ),
        "division by zero": changed(
            PILEUP,
            (
                "np.divide(p_data, p_simulation, out=np.zeros(len(p_data)), where=p_simulation > 0)",
                "p_data / p_simulation",
            ),
        ),
        "a tiny number against the zero": changed(
            PILEUP,
            (
                "np.divide(p_data, p_simulation, out=np.zeros(len(p_data)), where=p_simulation > 0)",
                "p_data / (p_simulation + 1e-9)",
            ),
        ),
        "empty bins get the weight 1": changed(PILEUP, ("np.zeros(len", "np.ones(len")),
        "beyond the profile the weight is 0": changed(
            PILEUP,
            (
                "weights[np.minimum(np.asarray(n_true).astype(int), len(weights) - 1)]",
                "np.append(weights, np.zeros(99))[np.asarray(n_true).astype(int)]",
            ),
        ),
        "beyond the profile it starts again": changed(
            PILEUP,
            (
                "np.minimum(np.asarray(n_true).astype(int), len(weights) - 1)",
                "np.asarray(n_true).astype(int) % len(weights)",
            ),
        ),
        "beyond the profile an error": changed(
            PILEUP, ("np.minimum(np.asarray(n_true).astype(int), len(weights) - 1)", "np.asarray(n_true).astype(int)")
        ),
        "one bin off": changed(PILEUP, ("np.asarray(n_true).astype(int),", "np.asarray(n_true).astype(int) - 1,")),
        "weights of these events have the mean 1": changed(
            PILEUP, ("    return weights[", "    return (lambda w: w / np.mean(w))(weights[")
        ).rstrip()
        + ")\n",
        "one weight per bin": changed(
            PILEUP, ("return weights[np.minimum(np.asarray(n_true).astype(int), len(weights) - 1)]", "return weights")
        ),
        "profile of the events themselves": changed(
            PILEUP,
            (
                "np.asarray(simulation_profile, dtype=float) / np.sum(simulation_profile)",
                "np.bincount(np.asarray(n_true).astype(int), minlength=len(p_data))[: len(p_data)] / len(n_true)",
            ),
        ),
    },
    "factors": {
        "sum instead of product": changed(FACTORS, ("ak.prod", "ak.sum")),
        "mean instead of product": changed(FACTORS, ("ak.prod", "ak.mean")),
        "leading muon only": changed(
            FACTORS,
            (
                "ak.prod(ak.unflatten(factors, ak.num(muons.pt)), axis=1)",
                "ak.fill_none(ak.firsts(ak.unflatten(factors, ak.num(muons.pt))), 1.0)",
            ),
        ),
        "eta with its sign": changed(FACTORS, ("np.abs(eta)", "np.maximum(eta, 0)")),
        "below 15 GeV the factor 1": changed(
            FACTORS, ("    return", '    factors = np.where(pt < table["pt"][0], 1.0, factors)\n    return')
        ),
        "below 15 GeV the error once": changed(FACTORS, (", 2, 1)", ", 1, 1)")),
        "below 15 GeV the last bin": changed(
            FACTORS,
            (
                '    column = np.clip(column, 0, len(table["pt"]) - 2)',
                '    column = np.where(column >= len(table["pt"]) - 1, -1, column)',
            ),
        ),
        "above the last edge no muon": changed(
            FACTORS, ("    return", '    factors = np.where(pt >= table["pt"][-1], 1.0, factors)\n    return')
        ),
        "error doubled everywhere": changed(FACTORS, ('np.where(pt < table["pt"][0], 2, 1)', "2")),
        "relative error": changed(FACTORS, ("+ shift * error", "* (1 + shift * error)")),
        "the shift ignored": changed(FACTORS, ("+ shift * error", "+ 0 * error")),
        "errors in quadrature over the muons": IN_QUADRATURE,
        "edges belong to the bin below": changed(
            FACTORS, ('table["pt"], pt, side="right"', 'table["pt"], pt, side="left"')
        ),
        "one factor per muon": changed(
            FACTORS, ("ak.to_numpy(ak.prod(ak.unflatten(factors, ak.num(muons.pt)), axis=1))", "factors")
        ),
    },
    "scale": {
        "cuts first, then scaled": """
def selected_masses(muons, factor):
    muons = muons[ak.num(muons) >= 2]
    one, two = muons[:, 0], muons[:, 1]
    kept = (one.pt > 25) & (two.pt > 15) & (one.charge != two.charge)
    return factor * pair_mass(one[kept], two[kept])
""",
        "not scaled at all": changed(SCALE, ("factor * muons.pt", "muons.pt")),
        "cuts after, masses before": changed(
            SCALE, ("pair_mass(one[kept], two[kept])", "pair_mass(one[kept], two[kept]) / factor")
        ),
        "the other direction": changed(SCALE, ("factor * muons.pt", "muons.pt / factor")),
        "mass scaled twice": changed(SCALE, ("return pair_mass(", "return factor * pair_mass(")),
        "only the leading muon": changed(
            SCALE,
            ('"pt")\n', '"pt") if False else muons\n'),
            ("    kept", '    one = ak.with_field(one, factor * one.pt, "pt")\n    kept'),
        ),
        "charges ignored": changed(SCALE, (" & (one.charge != two.charge)", "")),
        "both above 15 GeV": changed(SCALE, ("one.pt > 25", "one.pt > 15")),
        "exactly two muons": changed(SCALE, (">= 2", "== 2")),
        "added instead of multiplied": changed(SCALE, ("factor * muons.pt", "muons.pt + (factor - 1) * 50")),
    },
    "band": {
        "linear instead of quadrature": changed(
            BAND, ("0) ** 2", "0)"), ("np.sqrt(below), np.sqrt(above)", "below, above")
        ),
        "up is above, down is below": changed(
            BAND,
            ("np.maximum(np.maximum(up - nominal, down - nominal), 0)", "np.abs(up - nominal)"),
            ("np.maximum(np.maximum(nominal - up, nominal - down), 0)", "np.abs(nominal - down)"),
        ),
        "the larger one on both sides": changed(
            BAND,
            (
                "np.maximum(np.maximum(up - nominal, down - nominal), 0)",
                "np.maximum(abs(up - nominal), abs(down - nominal))",
            ),
            (
                "np.maximum(np.maximum(nominal - up, nominal - down), 0)",
                "np.maximum(abs(up - nominal), abs(down - nominal))",
            ),
        ),
        "half the difference": changed(
            BAND,
            ("np.maximum(np.maximum(up - nominal, down - nominal), 0)", "((up - down) / 2)"),
            ("np.maximum(np.maximum(nominal - up, nominal - down), 0)", "((up - down) / 2)"),
        ),
        "envelope of all sources": """
def band(nominal, variations):
    all_of_them = [nominal, *(values for pair in variations.values() for values in pair)]
    return nominal - np.min(all_of_them, axis=0), np.max(all_of_them, axis=0) - nominal
""",
        "both on one side counted twice": changed(
            BAND,
            (
                "np.maximum(np.maximum(up - nominal, down - nominal), 0) ** 2",
                "np.maximum(up - nominal, 0) ** 2 + np.maximum(down - nominal, 0) ** 2",
            ),
            (
                "np.maximum(np.maximum(nominal - up, nominal - down), 0) ** 2",
                "np.maximum(nominal - up, 0) ** 2 + np.maximum(nominal - down, 0) ** 2",
            ),
        ),
        "negative where both are above": changed(
            BAND,
            ("np.maximum(np.maximum(nominal - up, nominal - down), 0)", "np.maximum(nominal - up, nominal - down)"),
        ),
        "edges instead of distances": changed(
            BAND, ("return np.sqrt(below), np.sqrt(above)", "return nominal - np.sqrt(below), nominal + np.sqrt(above)")
        ),
        "above first": changed(
            BAND, ("return np.sqrt(below), np.sqrt(above)", "return np.sqrt(above), np.sqrt(below)")
        ),
        "divided by the number of sources": changed(
            BAND,
            (
                "return np.sqrt(below), np.sqrt(above)",
                "n = max(len(variations), 1)\n    return np.sqrt(below / n), np.sqrt(above / n)",
            ),
        ),
    },
    "chisquare": {
        "bins independent": changed(CHISQUARE, ("np.outer(half, half)", "np.diag(half**2)")),
        "no systematics": changed(CHISQUARE, ("covariance + np.outer(half, half)", "covariance")),
        "whole difference of up and down": changed(CHISQUARE, ("(up - down) / 2", "up - down")),
        "only up": changed(CHISQUARE, ("(up - down) / 2", "up - nominal")),
        "absolute half differences": changed(CHISQUARE, ("(up - down) / 2", "np.abs(up - down) / 2")),
        "sources added before squaring": """
def chi_square(observed, nominal, variations, variance):
    half = sum([(up - down) / 2 for up, down in variations.values()], np.zeros(len(nominal)))
    covariance = np.diag(nominal + variance) + np.outer(half, half)
    difference = observed - nominal
    return difference @ np.linalg.solve(covariance, difference)
""",
        "no statistics of the simulation": changed(CHISQUARE, ("nominal + variance", "nominal")),
        "no statistics of the data": changed(CHISQUARE, ("np.diag(nominal + variance)", "np.diag(variance + 1e-9)")),
        "data instead of expectation in the variance": changed(
            CHISQUARE, ("np.diag(nominal + ", "np.diag(observed + ")
        ),
        "root of the variance": changed(
            CHISQUARE, ("np.diag(nominal + variance)", "np.diag(np.sqrt(nominal + variance))")
        ),
        "covariance instead of its inverse": changed(
            CHISQUARE, ("np.linalg.solve(covariance, difference)", "covariance @ difference")
        ),
        "inverse of each entry": changed(
            CHISQUARE, ("np.linalg.solve(covariance, difference)", "(1 / (covariance + 1e-300)) @ difference")
        ),
        "divided by the number of bins": changed(
            CHISQUARE, ("return difference", "return 1 / len(nominal) * difference")
        ),
        "root of it": changed(
            CHISQUARE,
            (
                "return difference @ np.linalg.solve(covariance, difference)",
                "return np.sqrt(difference @ np.linalg.solve(covariance, difference))",
            ),
        ),
    },
    "belief": {
        "sure and wrong": 'belief = {"pile-up": 1.0, "identification": 0.0, "momentum scale": 0.0}',
        "percent": 'belief = {"pile-up": 20, "identification": 20, "momentum scale": 60}',
        "more than everything": 'belief = {"pile-up": 0.5, "identification": 0.5, "momentum scale": 0.9}',
        "one number": "belief = 0.9",
        "a name is missing": 'belief = {"pile-up": 0.5, "momentum scale": 0.5}',
    },
}
