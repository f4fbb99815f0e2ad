"""Mistakes that students make in lab 1: {task: {mistake: what the student writes}}."""

COUNT = "def count_events(events, at_least):\n    return {}"
PAIRS = """
def leading_pairs(muons):
    enough = muons[ak.num(muons) >= 2]
    first, second = enough[:, 0], enough[:, 1]
    opposite = first.charge != second.charge
    return {}
"""
ANGLE = "def delta_phi(phi1, phi2):\n    d = phi1 - phi2\n    return {}"
MASS = """
def dimuon_mass(first, second):
    eta, phi = first.eta - second.eta, first.phi - second.phi
    return {}
"""
HISTOGRAM = """
def mass_histogram(mass):
    log = hist.axis.transform.log
    axis = hist.axis.Regular(200, 2, 120, name="mass", transform=log)
    return {}
"""
PEAK = """
def find_peak(mass, low, high):
    inside = mass[(mass >= low) & (mass < high)]
    counts, edges = np.histogram(ak.to_numpy(mass), bins=40, range=(low, high))
    return {}
"""
SIDEBANDS = """
def above_background(mass, low, high):
    w = high - low
    def count(a, b):
        return int(np.sum((mass >= a) & (mass < b)))
    return {}
"""
WINDOW = "Z_WINDOW = (81.0, 101.0)\nn_window = {}"

WRONG = {
    "predict": {
        "sure and wrong about all": 'prediction = {"A": 0.0, "B": 1.0, "C": 1.0, "D": 0.0}',
        "percent": 'prediction = {"A": 90, "B": 10, "C": 10, "D": 90}',
        "one is missing": 'prediction = {"A": 1.0, "B": 0.0, "C": 0.0}',
    },
    "count": {
        "exactly so many": COUNT.format("int(ak.sum(ak.num(events.Muon) == at_least))"),
        "muons instead of events": COUNT.format("int(ak.sum(ak.num(events.Muon)))"),
        "more than so many": COUNT.format("int(ak.sum(ak.num(events.Muon) > at_least))"),
        "always two": COUNT.format("int(ak.sum(ak.num(events.Muon) >= 2))"),
        "all events": COUNT.format("len(events)"),
    },
    "pairs": {
        "same charge not removed": PAIRS.format("first, second"),
        "same charge kept instead": PAIRS.format("first[~opposite], second[~opposite]"),
        "only one array masked": PAIRS.format("first[opposite], second"),
        "exactly two muons": PAIRS.replace(">= 2", "== 2").format("first[opposite], second[opposite]"),
        "any opposite pair": """
def leading_pairs(muons):
    a, b = ak.unzip(ak.combinations(muons, 2))
    opposite = a.charge != b.charge
    a, b = ak.firsts(a[opposite]), ak.firsts(b[opposite])
    return ak.drop_none(a), ak.drop_none(b)
""",
        "exchanged": PAIRS.format("second[opposite], first[opposite]"),
    },
    "angle": {
        "unwrapped": ANGLE.format("d"),
        "absolute": ANGLE.format("np.abs((d + np.pi) % (2 * np.pi) - np.pi)"),
        "degrees": ANGLE.format("np.degrees(d)"),
        "wrapped on one side only": ANGLE.format("np.where(d > np.pi, d - 2 * np.pi, d)"),
        "from 0 to 2 pi": ANGLE.format("d % (2 * np.pi)"),
        "half a turn instead of a full one": ANGLE.format("(d + np.pi / 2) % np.pi - np.pi / 2"),
    },
    "mass": {
        "missing factor 2": MASS.format("np.sqrt(first.pt * second.pt * (np.cosh(eta) - np.cos(phi)))"),
        "no square root": MASS.format("2 * first.pt * second.pt * (np.cosh(eta) - np.cos(phi))"),
        "cos instead of cosh": MASS.format("np.sqrt(np.abs(2 * first.pt * second.pt * (np.cos(eta) - np.cos(phi))))"),
        "eta and phi exchanged": MASS.format(
            "np.sqrt(np.abs(2 * first.pt * second.pt * (np.cosh(phi) - np.cos(eta))))"
        ),
        "plus instead of minus": MASS.format("np.sqrt(2 * first.pt * second.pt * (np.cosh(eta) + np.cos(phi)))"),
        "only the transverse momentum": MASS.format("np.sqrt(2 * first.pt * second.pt * (1 - np.cos(phi)))"),
        "p instead of pt": MASS.format(
            "np.sqrt(2 * first.pt * np.cosh(first.eta) * second.pt * np.cosh(second.eta)"
            " * (np.cosh(eta) - np.cos(phi)))"
        ),
        "energies added, momenta not": MASS.format("first.pt * np.cosh(first.eta) + second.pt * np.cosh(second.eta)"),
        "sum of the etas": MASS.replace("first.eta - second.eta", "first.eta + second.eta").format(
            "np.sqrt(2 * first.pt * second.pt * (np.cosh(eta) - np.cos(phi)))"
        ),
        "in TeV": MASS.format("np.sqrt(2 * first.pt * second.pt * (np.cosh(eta) - np.cos(phi))) / 1000"),
    },
    "histogram": {
        "equal bins in the mass": HISTOGRAM.format('hist.Hist(hist.axis.Regular(200, 2, 120, name="mass")).fill(mass)'),
        "what is outside gets lost": HISTOGRAM.format("hist.Hist(axis).fill(mass[(mass > 2) & (mass < 120)])"),
        "from 1 instead of 2": HISTOGRAM.format(
            'hist.Hist(hist.axis.Regular(200, 1, 120, name="mass", transform=log)).fill(mass)'
        ),
        "a density": HISTOGRAM.format(
            "hist.Hist(axis, storage=hist.storage.Weight()).fill(mass, weight=1 / len(mass))"
        ),
        "no name": HISTOGRAM.format("hist.Hist(hist.axis.Regular(200, 2, 120, transform=log)).fill(mass)"),
        "empty": HISTOGRAM.format("hist.Hist(axis)"),
        "from numpy": HISTOGRAM.format("np.histogram(mass, np.geomspace(2, 120, 201))"),
    },
    "peak": {
        "lower edge": PEAK.format("edges[np.argmax(counts)]"),
        "mean of the range": PEAK.format("np.mean(inside)"),
        "median of the range": PEAK.format("np.median(inside)"),
        "range ignored": PEAK.replace(", range=(low, high)", "").format("edges[np.argmax(counts)]"),
        "middle of the range": PEAK.format("(low + high) / 2"),
        "number of the bin": PEAK.format("np.argmax(counts)"),
        "other binning": PEAK.replace("bins=40", "bins=10").format(
            "(edges[np.argmax(counts)] + edges[np.argmax(counts) + 1]) / 2"
        ),
    },
    "sidebands": {
        "strips as wide as the window": SIDEBANDS.format(
            "count(low, high) - count(low - w, low) - count(high, high + w)"
        ),
        "nothing subtracted": SIDEBANDS.format("count(low, high)"),
        "lower strip only": SIDEBANDS.format("count(low, high) - 2 * count(low - w / 2, low)"),
        "mean of the strips": SIDEBANDS.format(
            "count(low, high) - (count(low - w / 2, low) + count(high, high + w / 2)) / 2"
        ),
        "window counted in the strips": SIDEBANDS.format("count(low, high) - count(low - w / 2, high + w / 2)"),
    },
    "window": {
        "counted in everybody's sample": WINDOW.format("int(np.sum((mass >= 81.0) & (mass < 101.0)))"),
        "above background instead of all": WINDOW.format("above_background(my_mass, 81.0, 101.0)"),
        "beside the Z": WINDOW.replace("(81.0, 101.0)", "(95.0, 101.0)").format("12"),
        "copied from a neighbour": WINDOW.format("int(np.sum(personal_sample(mass, 'a neighbour') > 81.0))"),
    },
}
