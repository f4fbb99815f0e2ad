"""Right answers to lab 4 that differ from the model answer: {task: {how: what the student writes}}."""

RIGHT = {
    "predict": {"nearly sure": 'prediction = {"A": 0, "B": 1, "C": 1.0, "D": 1.0, "E": 0}'},
    "yield": {
        "with a loop": """
def expected(weights, sigma_pb, luminosity_fb, sum_generated):
    total = squares = 0.0
    for weight in weights:
        total += weight
        squares += weight * weight
    if squares == 0:
        return 0, 0, 0
    per_event = luminosity_fb / sum_generated * (sigma_pb * 1e3)
    return per_event * total, per_event * squares**0.5, total * total / squares
""",
    },
    "pileup": {
        "with a loop": """
def pileup_weights(n_true, data_profile, simulation_profile):
    ratio = sum(simulation_profile) / sum(data_profile)
    found = []
    for n in n_true:
        k = min(int(n), len(data_profile) - 1)
        found.append(ratio * data_profile[k] / simulation_profile[k] if simulation_profile[k] else 0.0)
    return np.array(found)
""",
        "with nan_to_num": """
def pileup_weights(n_true, data_profile, simulation_profile):
    with np.errstate(all="ignore"):
        ratio = (data_profile / np.sum(data_profile)) / (simulation_profile / np.sum(simulation_profile))
    ratio = np.nan_to_num(ratio, nan=0.0, posinf=0.0)
    return ratio[np.clip(n_true, 0, len(ratio) - 1).astype(int)]
""",
    },
    "factors": {
        "with a loop": """
def event_factors(muons, table, shift=0):
    found = []
    for event in ak.to_list(muons):
        factor = 1.0
        for muon in event:
            i = j = 0
            while abs(muon["eta"]) >= table["abseta"][i + 1]:
                i += 1
            while j + 2 < len(table["pt"]) and muon["pt"] >= table["pt"][j + 1]:
                j += 1
            twice = 2 if muon["pt"] < table["pt"][0] else 1
            factor *= table["value"][i, j] + shift * twice * table["error"][i, j]
        found.append(factor)
    return found
""",
        "with digitize": """
def event_factors(muons, table, shift=0):
    n = ak.num(muons)
    flat = ak.flatten(muons)
    i = np.digitize(abs(ak.to_numpy(flat.eta)), table["abseta"]) - 1
    j = np.clip(np.digitize(ak.to_numpy(flat.pt), table["pt"]) - 1, 0, table["value"].shape[1] - 1)
    error = np.where(ak.to_numpy(flat.pt) < table["pt"][0], 2.0, 1.0) * table["error"][i, j]
    return ak.prod(ak.unflatten(table["value"][i, j] + shift * error, n), axis=-1)
""",
    },
    "scale": {
        "with smaller thresholds instead of larger momenta": """
def selected_masses(muons, factor):
    two = muons[ak.num(muons) > 1]
    a, b = two[:, 0], two[:, 1]
    good = (a.charge + b.charge == 0) & (a.pt * factor > 25) & (b.pt * factor > 15)
    return factor * ak.to_numpy(pair_mass(a, b)[good])
""",
        "with a loop": """
def selected_masses(muons, factor):
    found = []
    for event in ak.to_list(muons):
        if len(event) >= 2:
            a, b = event[0], event[1]
            a, b = {**a, "pt": a["pt"] * factor}, {**b, "pt": b["pt"] * factor}
            if a["pt"] > 25 and b["pt"] > 15 and a["charge"] != b["charge"]:
                found.append(float(pair_mass(ak.Record(a), ak.Record(b))))
    return found
""",
    },
    "band": {
        "bin by bin": """
def band(nominal, variations):
    below, above = [], []
    for k in range(len(nominal)):
        high = [max(up[k], down[k], nominal[k]) - nominal[k] for up, down in variations.values()]
        low = [nominal[k] - min(up[k], down[k], nominal[k]) for up, down in variations.values()]
        above.append(np.sqrt(sum(x * x for x in high)))
        below.append(np.sqrt(sum(x * x for x in low)))
    return np.array(below), np.array(above)
""",
    },
    "chisquare": {
        "with the inverse, and a matrix of all sources": """
def chi_square(observed, nominal, variations, variance):
    half = np.array([(up - down) / 2 for up, down in variations.values()]).reshape(-1, len(nominal))
    inverse = np.linalg.inv(half.T @ half + np.diag(nominal) + np.diag(variance))
    return np.einsum("i,ij,j", observed - nominal, inverse, observed - nominal)
""",
        "with nuisance parameters": """
def chi_square(observed, nominal, variations, variance):
    # Minimised over a shift of each source, in units of its standard deviation.
    half = np.array([(up - down) / 2 for up, down in variations.values()]).reshape(-1, len(nominal))
    error = np.sqrt(nominal + variance)
    rows = np.concatenate([(half / error).T, np.eye(len(half))])
    values = np.concatenate([(observed - nominal) / error, np.zeros(len(half))])
    if len(half) == 0:
        return np.sum(values**2)
    shifts = np.linalg.lstsq(rows, values, rcond=None)[0]
    return np.sum((values - rows @ shifts) ** 2)
""",
    },
    "belief": {"whole numbers": 'belief = {"momentum scale": 1, "identification": 0, "pile-up": 0}'},
}
