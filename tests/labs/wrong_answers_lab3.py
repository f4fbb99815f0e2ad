"""Mistakes that students make in lab 3: {task: {mistake: what the student writes}}."""

from editing import changed

MUONS = "def good_muons(muons):\n    good = {}\n    return {}"
CUTS = "(muons.pt > 5) & (np.abs(muons.eta) < 2.4) & muons.mediumId & (muons.pfRelIso04_all < 0.25)"


def muons(cuts: str = CUTS, result: str = "muons[good]") -> str:
    """Good muons with other cuts, or another result."""
    return MUONS.format(cuts, result)


DECISIONS = """
def passes_trigger(hlt, paths):
    there = [path for path in paths if path in ak.fields(hlt)]
    if not there:
        raise ValueError(f"the file has none of these paths: {', '.join(paths)}")
    mask = np.zeros(len(hlt), dtype=bool)
    for path in there:
        mask = mask | ak.to_numpy(hlt[path])
    return mask


def passes_filters(flags, names):
    for name in names:
        if name not in ak.fields(flags):
            raise ValueError(f"the file lacks the filter {name}")
    mask = np.ones(len(flags), dtype=bool)
    for name in names:
        mask = mask & ak.to_numpy(flags[name])
    return mask
"""
PAIR = """
def best_pair(muons):
    first, second = ak.unzip(ak.combinations(muons, 2))
    together = mass(first, second)
    together = together[(first.charge != second.charge) & (together > 12) & (together < 120)]
    nearest = ak.argmin(np.abs(together - M_Z), axis=1, keepdims=True)
    return ak.firsts(together[nearest])
"""
FOUR = """
def four_muons(muons):
    a, b = ak.unzip(ak.argcombinations(muons, 2))
    m = mass(muons[a], muons[b])
    good = (muons[a].charge != muons[b].charge) & (m > 12) & (m < 120)
    pairs = ak.zip({"a": a, "b": b, "m": m, "far": np.abs(m - M_Z)})[good]

    one, two = ak.unzip(ak.combinations(pairs, 2))
    apart = (one.a != two.a) & (one.a != two.b) & (one.b != two.a) & (one.b != two.b)
    one, two = one[apart], two[apart]
    nearer = one.far < two.far
    z1, z2 = ak.where(nearer, one.m, two.m), ak.where(nearer, two.m, one.m)
    m4 = mass(muons[one.a], muons[one.b], muons[two.a], muons[two.b])

    candidates = ak.zip({"z1": z1, "z2": z2, "m4": m4})

    for boson in ("z1", "z2"):
        far = np.abs(candidates[boson] - M_Z)
        candidates = candidates[far == ak.min(far, axis=1)]
    best = ak.firsts(candidates)
    return best.z1, best.z2, best.m4
"""
CUTFLOW = """
def cutflow(masks, weights):
    rows, passed = [], np.ones(len(weights), dtype=bool)
    for name, mask in masks.items():
        passed = passed & mask
        others = np.ones(len(weights), dtype=bool)
        for other in masks:
            if other != name:
                others = others & masks[other]
        rows.append((name, np.sum(weights[passed]), np.sum(weights[others])))
    return rows
"""
TWICE = "def already_there(first, second):\n    return {}"
FILE = '''
chosen = good_muons(events.Muon)
chosen = chosen[chosen.pfRelIso04_all < my_cuts["isolation"]]
decided = passes_trigger(events.HLT, PATHS) & passes_filters(events.Flag, FILTERS)
chosen = chosen[decided & (ak.num(chosen) >= 2)]
first, second = chosen[:, 0], chosen[:, 1]
m = mass(first, second)
opposite = first.charge != second.charge
high_enough = (first.pt > my_cuts["leading"]) & (second.pt > my_cuts["second"])
inside = (m > my_cuts["low"]) & (m < my_cuts["high"])
my_selected = int(np.sum(opposite & high_enough & inside))
ANALYSIS = f"""
name: my-pairs
title: Pairs of muons
channel: dimuon
muons: {{isolation: {my_cuts["isolation"]}}}
lepton_pt: [{my_cuts["leading"]}, {my_cuts["second"]}]
dimuon: {{mass: [{my_cuts["low"]}, {my_cuts["high"]}]}}
"""
'''


WRONG = {
    "predict": {
        "sure and wrong about all": 'prediction = {"A": 1.0, "B": 0.0, "C": 1.0, "D": 1.0, "E": 0.0}',
        "percent": 'prediction = {"A": 10, "B": 90, "C": 10, "D": 10, "E": 90}',
        "one is missing": 'prediction = {"A": 0.0, "B": 1.0, "C": 0.0, "D": 0.0}',
    },
    "muons": {
        "eta without its absolute value": muons(CUTS.replace("np.abs(muons.eta)", "muons.eta")),
        "isolation the other way round": muons(CUTS.replace("all < 0.25", "all > 0.25")),
        "no isolation": muons(CUTS.replace(" & (muons.pfRelIso04_all < 0.25)", "")),
        "the other cone": muons(CUTS.replace("pfRelIso04_all", "pfRelIso03_all")),
        "loose identification": muons(CUTS.replace("mediumId", "looseId")),
        "tight identification": muons(CUTS.replace("mediumId", "tightId")),
        "with the ends": muons(CUTS.replace("> 5", ">= 5").replace("< 2.4", "<= 2.4").replace("< 0.25", "<= 0.25")),
        "one cut or the other": muons(CUTS.replace(" & ", " | ")),
        "events without a good muon dropped": muons(result="muons[good][ak.any(good, axis=1)]"),
        "all muons of events with a good one": muons(result="muons[ak.any(good, axis=1)]"),
        "only the mask": muons(result="good"),
        "events whose muons are all good": muons(result="muons[ak.all(good, axis=1)]"),
    },
    "decisions": {
        "all paths instead of one": changed(DECISIONS, ("zeros", "ones"), ("mask | ", "mask & ")),
        "one filter instead of all": changed(DECISIONS, ("ones", "zeros"), ("mask & ", "mask | ")),
        "a missing path counts as yes": changed(
            DECISIONS,
            (
                "    if not there:",
                "    if len(there) < len(paths):\n        return np.ones(len(hlt), dtype=bool)\n    if 0:",
            ),
        ),
        "a missing path is always an error": changed(DECISIONS, ("if not there:", "if len(there) < len(paths):")),
        "without any path everything passes": changed(
            DECISIONS, ("raise ValueError(f\"the file has none of these paths: {', '.join(paths)}\")", "return ~mask")
        ).replace("    if not there:", "    mask = np.zeros(len(hlt), dtype=bool)\n    if not there:"),
        "without any path nothing passes": changed(DECISIONS, ("if not there:", "if False:")),
        "a missing filter is left out": changed(
            DECISIONS, ('raise ValueError(f"the file lacks the filter {name}")', "names = ak.fields(flags)")
        ),
        "an error that does not say which": changed(DECISIONS, ("the file lacks the filter {name}", "no such filter")),
        "only the first path": changed(DECISIONS, ("in there:", "in there[:1]:")),
    },
    "zpair": {
        "two leading muons": """
def best_pair(muons):
    two = ak.pad_none(muons, 2)
    together = mass(two[:, 0], two[:, 1])
    good = (two[:, 0].charge != two[:, 1].charge) & (together > 12) & (together < 120)
    return ak.mask(together, ak.fill_none(good, False))
""",
        "charges ignored": changed(PAIR, ("(first.charge != second.charge) & ", "")),
        "same charge": changed(PAIR, ("first.charge != second.charge", "first.charge == second.charge")),
        "nearest first, charges afterwards": """
def best_pair(muons):
    first, second = ak.unzip(ak.combinations(muons, 2))
    together = mass(first, second)
    nearest = ak.argmin(np.abs(together - M_Z), axis=1, keepdims=True)
    good = (first.charge != second.charge) & (together > 12) & (together < 120)
    return ak.firsts(together[nearest][good[nearest]])
""",
        "no range": changed(PAIR, (" & (together > 12) & (together < 120)", "")),
        "lower end of the range forgotten": changed(PAIR, (" & (together > 12)", "")),
        "difference with its sign": changed(PAIR, ("np.abs(together - M_Z)", "together - M_Z")),
        "heaviest pair": changed(PAIR, ("ak.argmin(np.abs(together - M_Z)", "ak.argmax((together)")),
        "events without a pair dropped": changed(
            PAIR, ("return ak.firsts(together[nearest])", "return ak.drop_none(ak.firsts(together[nearest]))")
        ),
        "zero instead of None": changed(
            PAIR, ("return ak.firsts(together[nearest])", "return ak.fill_none(ak.firsts(together[nearest]), 0)")
        ),
        "distance instead of mass": changed(
            PAIR, ("return ak.firsts(together", "return ak.firsts(np.abs(together - M_Z)")
        ),
        "nearest of the whole file": changed(PAIR, ("axis=1, keepdims=True", "axis=None")).replace(
            "together[nearest]", "together[:, :1]"
        ),
    },
    "fourmu": {
        "best pair first, then the best of the rest": """
def four_muons(muons):
    a, b = ak.unzip(ak.argcombinations(muons, 2))
    m = mass(muons[a], muons[b])
    good = (muons[a].charge != muons[b].charge) & (m > 12) & (m < 120)
    pairs = ak.zip({"a": a, "b": b, "m": m, "far": np.abs(m - M_Z)})[good]
    one = pairs[ak.argmin(pairs.far, axis=1, keepdims=True)]
    one_a, one_b = ak.firsts(one.a), ak.firsts(one.b)
    apart = (pairs.a != one_a) & (pairs.a != one_b) & (pairs.b != one_a) & (pairs.b != one_b)
    rest = pairs[apart]
    two = rest[ak.argmin(rest.far, axis=1, keepdims=True)]
    both = ~ak.is_none(ak.firsts(two.m))
    z1, z2 = ak.mask(ak.firsts(one.m), both), ak.mask(ak.firsts(two.m), both)
    x, y, u, v = (ak.firsts(muons[k]) for k in (one.a, one.b, two.a, two.b))
    return z1, z2, ak.mask(mass(x, y, u, v), both)
""",
        "a muon in both bosons": changed(FOUR, ("one, two = one[apart], two[apart]\n", "\n")),
        "only half of the shared muons noticed": changed(FOUR, (" & (one.a != two.b) & (one.b != two.a)", "")),
        "charges ignored": changed(FOUR, ("(muons[a].charge != muons[b].charge) & ", "")),
        "no range": changed(FOUR, (" & (m > 12) & (m < 120)", "")),
        "heavier pair called Z1": changed(FOUR, ("nearer = one.far < two.far", "nearer = one.m > two.m")),
        "Z1 and Z2 exchanged": changed(FOUR, ("return best.z1, best.z2", "return best.z2, best.z1")),
        "first candidate": changed(FOUR, ("far == ak.min(far, axis=1)", "far >= 0")),
        "nearest Z2 not asked for": changed(FOUR, ('("z1", "z2"):', '("z1",):')),
        "nearest Z2 first": changed(FOUR, ('("z1", "z2"):', '("z2", "z1"):')),
        "nearest sum of both distances": changed(
            FOUR,
            ("far = np.abs(candidates[boson] - M_Z)", "far = abs(candidates.z1 - M_Z) + abs(candidates.z2 - M_Z)"),
        ),
        "sum of the two masses": changed(
            FOUR, ("m4 = mass(muons[one.a], muons[one.b], muons[two.a], muons[two.b])", "m4 = z1 + z2")
        ),
        "only the four leading muons": changed(
            FOUR, ("def four_muons(muons):\n", "def four_muons(muons):\n    muons = muons[:, :4]\n")
        ),
        "events without a candidate dropped": changed(
            FOUR, ("ak.firsts(candidates)", "ak.drop_none(ak.firsts(candidates))")
        ),
    },
    "cuts": {
        "N-1 of the cuts before": changed(
            CUTFLOW,
            (
                "if other != name:\n                others",
                "if other == name:\n                break\n            others",
            ),
        ).replace("            others = others & masks[other]", "            others = others & masks[other]"),
        "N-1 is the line before": changed(
            CUTFLOW,
            ("        passed = passed & mask\n", "        before = passed\n        passed = passed & mask\n"),
            ("weights[others]", "weights[before]"),
        ),
        "each cut alone": changed(CUTFLOW, ("passed = passed & mask", "passed = mask")),
        "this cut alone as N-1": changed(CUTFLOW, ("if other != name", "if other == name")),
        "all cuts in N-1": changed(CUTFLOW, ("if other != name", "if True")),
        "weights ignored": changed(
            CUTFLOW, ("np.sum(weights[passed]), np.sum(weights[others])", "np.sum(passed), np.sum(others)")
        ),
        "events lost instead of left": changed(CUTFLOW, ("np.sum(weights[passed])", "np.sum(weights[~passed])")),
        "only one of the cuts before": changed(
            CUTFLOW,
            ("        passed = passed & mask\n", ""),
            ("weights[passed]), np", "weights[passed & mask]), np"),
            ("    return rows", "    return rows[:]"),
        ),
        "sorted by name": changed(CUTFLOW, ("masks.items()", "sorted(masks.items())")),
        "a dictionary": changed(CUTFLOW, ("return rows", "return {row[0]: row[1:] for row in rows}")),
    },
    "twice": {
        "event number alone": TWICE.format("np.isin(ak.to_numpy(second.event), ak.to_numpy(first.event))"),
        "run and event each, not together": TWICE.format(
            "np.isin(ak.to_numpy(second.event), ak.to_numpy(first.event))"
            " & np.isin(ak.to_numpy(second.run), ak.to_numpy(first.run))"
        ),
        "sum of run and event": TWICE.format(
            "np.isin(ak.to_numpy(second.event + second.run), ak.to_numpy(first.event + first.run))"
        ),
        "one number that is too small": TWICE.format(
            "np.isin(ak.to_numpy(second.run * 1000 + second.event), ak.to_numpy(first.run * 1000 + first.event))"
        ),
        "one number of half precision": TWICE.format(
            "np.isin(ak.to_numpy(second.run * 1e10 + second.event).astype('f4'),"
            " ak.to_numpy(first.run * 1e10 + first.event).astype('f4'))"
        ),
        "event numbers cut to 32 bits": TWICE.format(
            "[key in {(r, e % 2**32) for r, e in zip(ak.to_list(first.run), ak.to_list(first.event))}"
            " for key in zip(ak.to_list(second.run), [e % 2**32 for e in ak.to_list(second.event)])]"
        ).replace("second.run)", "second.run)"),
        "same place in the list": TWICE.format(
            "np.array([k < len(first) and first.event[k] == second.event[k] for k in range(len(second))])"
        ),
        "of the first data set": TWICE.format(
            "np.array([k in set(zip(ak.to_list(second.run), ak.to_list(second.event)))"
            " for k in zip(ak.to_list(first.run), ak.to_list(first.event))])"
        ),
        "what is new": TWICE.format(
            "np.array([k not in set(zip(ak.to_list(first.run), ak.to_list(first.event)))"
            " for k in zip(ak.to_list(second.run), ak.to_list(second.event))])"
        ),
    },
    "file": {
        "a neighbour's cuts": 'my_cuts = personal_cuts("a neighbour")\n' + FILE,
        "muons instead of events": changed(
            FILE, ("int(np.sum(opposite & high_enough & inside))", "int(ak.sum(ak.num(chosen)))")
        ),
        "no trigger": changed(FILE, ("passes_trigger(events.HLT, PATHS) & ", "")),
        "default momenta": changed(FILE, ("high_enough & ", "(first.pt > 20) & (second.pt > 10) & ")),
        "default isolation": changed(FILE, ('chosen = chosen[chosen.pfRelIso04_all < my_cuts["isolation"]]\n', "")),
        "leading and second exchanged in the file": changed(
            FILE,
            (
                'lepton_pt: [{my_cuts["leading"]}, {my_cuts["second"]}]',
                'lepton_pt: [{my_cuts["second"]}, {my_cuts["leading"]}]',
            ),
        ),
        "pt of all muons instead of the two": changed(
            FILE, ("lepton_pt: [", "muons: {{pt: 30}}\n#lepton_pt: [")
        ).replace('muons: {{isolation: {my_cuts["isolation"]}}}\n', ""),
        "a key that does not exist": changed(FILE, ("lepton_pt:", "muon_pt:")),
        "isolation forgotten in the file": changed(FILE, ('muons: {{isolation: {my_cuts["isolation"]}}}\n', "")),
        "mass range forgotten in the file": changed(
            FILE, ('dimuon: {{mass: [{my_cuts["low"]}, {my_cuts["high"]}]}}\n', "")
        ),
        "looks at the trigger in a file of its own": changed(FILE, ("channel: dimuon", "channel: dimuon\nfilters: []")),
        "no number": changed(FILE, ("my_selected = int(", "my_selected = opposite & high_enough & inside\n_ = int(")),
    },
}
