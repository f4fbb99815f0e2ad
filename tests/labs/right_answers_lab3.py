"""Right answers to lab 3 that differ from the model answer: {task: {how: what the student writes}}."""

RIGHT = {
    "predict": {"nearly sure": 'prediction = {"A": 0, "B": 1, "C": 0.0, "D": 0, "E": 1.0}'},
    "muons": {
        "cut by cut": """
def good_muons(muons):
    muons = muons[muons["pt"] > 5]
    muons = muons[(muons["eta"] > -2.4) & (muons["eta"] < 2.4)]
    muons = muons[muons["mediumId"]]
    return muons[muons["pfRelIso04_all"] < 0.25]
""",
    },
    "decisions": {
        "with any and all": """
def passes_trigger(hlt, paths):
    columns = [hlt[path] for path in paths if path in hlt.fields]
    if len(columns) == 0:
        raise ValueError("none of " + " ".join(paths))
    return np.array([any(bits) for bits in zip(*columns)])


def passes_filters(flags, names):
    lost = set(names) - set(flags.fields)
    if lost:
        raise ValueError(f"missing: {lost}")
    return np.array([all(bits) for bits in zip(*[flags[name] for name in names])])
""",
        "as awkward arrays": """
def passes_trigger(hlt, paths):
    mask = None
    for path in paths:
        if path in ak.fields(hlt):
            mask = hlt[path] if mask is None else mask | hlt[path]
    if mask is None:
        raise ValueError("no path")
    return mask


def passes_filters(flags, names):
    mask = True
    for name in names:
        if name not in ak.fields(flags):
            raise ValueError(name)
        mask = mask & flags[name]
    return mask
""",
    },
    "zpair": {
        "with vector, and the muon's own mass": """
import vector
vector.register_awkward()
def best_pair(muons):
    fields = {name: muons[name] for name in ("pt", "eta", "phi", "mass")}
    pairs = ak.combinations(ak.zip({**fields, "charge": muons.charge}, with_name="Momentum4D"), 2, fields=["a", "b"])
    pairs = pairs[pairs.a.charge + pairs.b.charge == 0]
    m = (pairs.a + pairs.b).mass
    m = m[(m > 12) & (m < 120)]
    order = ak.argsort(abs(m - 91.1876), axis=1)
    return ak.firsts(m[order])
""",
        "with a loop": """
def best_pair(muons):
    found = []
    for event in muons:
        best = None
        for i in range(len(event)):
            for j in range(i):
                m = mass(event[i], event[j])
                if event[i].charge != event[j].charge and 12 < m < 120:
                    if best is None or abs(m - M_Z) < abs(best - M_Z):
                        best = m
        found.append(best)
    return found
""",
    },
    "fourmu": {
        "with a loop over four places": """
def four_muons(muons):
    found = []
    for event in ak.to_list(muons):
        best = None
        muon = [ak.Record(m) for m in event]
        opposite = [(i, j) for i in range(len(event)) for j in range(i) if event[i]["charge"] != event[j]["charge"]]
        masses = {pair: float(mass(muon[pair[0]], muon[pair[1]])) for pair in opposite}
        pairs = [pair for pair in opposite if 12 < masses[pair] < 120]
        for p in pairs:
            for q in pairs:
                if not {*p} & {*q} and abs(masses[p] - M_Z) <= abs(masses[q] - M_Z):
                    key = (abs(masses[p] - M_Z), abs(masses[q] - M_Z))
                    if best is None or key < best[0]:
                        best = key, masses[p], masses[q], p + q
        if best is None:
            found.append((None, None, None))
        else:
            found.append((best[1], best[2], float(mass(*(muon[k] for k in best[3])))))
    return tuple(zip(*found))
""",
    },
    "cuts": {
        "as lists, with all": """
def cutflow(masks, weights):
    names, columns = list(masks), [list(mask) for mask in masks.values()]
    def total(chosen):
        return sum(w for k, w in enumerate(weights) if all(columns[c][k] for c in chosen))
    every = range(len(names))
    return [[names[k], total(range(k + 1)), total([c for c in every if c != k])] for k in every]
""",
    },
    "twice": {
        "as one large number": """
def already_there(first, second):
    def number(events):
        return ak.to_numpy(events.run).astype("i8") * 2**40 + ak.to_numpy(events.event).astype("i8")
    return np.isin(number(second), number(first))
""",
        "with a loop": """
def already_there(first, second):
    known = {(one.run, one.event) for one in first}
    return [(two.run, two.event) in known for two in second]
""",
    },
    "file": {
        "step by step, and the file in blocks": '''
count = 0
wanted = passes_trigger(events.HLT, PATHS) & passes_filters(events.Flag, FILTERS)
muons = good_muons(events.Muon)
muons = muons[muons.pfRelIso04_all < my_cuts["isolation"]]
for event in muons[wanted]:
    if len(event) > 1 and event[0].charge * event[1].charge == -1:
        if event[0].pt > my_cuts["leading"] and event[1].pt > my_cuts["second"]:
            if my_cuts["low"] < mass(event[0], event[1]) < my_cuts["high"]:
                count += 1
my_selected = count
ANALYSIS = f"""name: mine
title: "Z bosons"
channel: dimuon
muons:
  isolation: {my_cuts["isolation"]}
  pt: 5.0
lepton_pt:
  - {my_cuts["leading"]}.0
  - {my_cuts["second"]}.0
dimuon:
  charge: opposite
  mass: [{my_cuts["low"]}.0, {my_cuts["high"]}.0]
histograms:
  mass: {{variable: mass, bins: 30, range: [60, 120], label: "Dimuon mass [GeV]"}}
"""
''',
    },
}
