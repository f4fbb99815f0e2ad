"""Right answers to lab 7 that differ from the model answer: {task: {how: what the student writes}}."""

RIGHT = {
    "predict": {"nearly sure": 'prediction = {"A": 1, "B": 0, "C": 1.0, "D": 0.0, "E": 1}'},
    "centre": {
        "with complex numbers": """
def centre(pt, eta, phi):
    around = np.angle(np.sum(pt * np.exp(1j * phi)))
    y = np.angle(np.exp(1j * (phi - around)))
    w = pt / pt.sum()
    return eta - w @ eta, y - w @ y
""",
        "with a loop, around the first constituent": """
def centre(pt, eta, phi):
    y = []
    for one in phi:
        d = one - phi[0]
        while d > np.pi:
            d -= 2 * np.pi
        while d < -np.pi:
            d += 2 * np.pi
        y.append(d)
    y = np.array(y)
    return eta - sum(pt * eta) / sum(pt), y - sum(pt * y) / sum(pt)
""",
    },
    "align": {
        "with the angle": """
def align(x, y, pt):
    xx, xy, yy = np.sum(pt * x * x), np.sum(pt * x * y), np.sum(pt * y * y)
    angle = np.pi / 2 - 0.5 * np.arctan2(2 * xy, xx - yy)
    x, y = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
    if pt[x > 0].sum() < pt[x < 0].sum():
        x = -x
    if pt[y > 0].sum() < pt[y < 0].sum():
        y = -y
    return x, y
""",
        "with a covariance and the singular vectors": """
def align(x, y, pt):
    along = np.linalg.svd(np.cov(x, y, aweights=pt))[0][:, 0]
    across = np.array([along[1], -along[0]])
    found = []
    for direction in (across, along):
        one = direction[0] * x + direction[1] * y
        found.append(one if sum(pt * np.sign(one)) >= 0 else -one)
    return found
""",
    },
    "picture": {
        "with a loop": """
def picture(x, y, pt, n, w):
    image = np.zeros((n, n))
    for a, b, value in zip(x, y, pt):
        if -w <= a < w and -w <= b < w:
            image[int((b + w) * n / (2 * w)), int((a + w) * n / (2 * w))] += value
    total = image.sum()
    return image / total if total else image
""",
    },
    "scores": {
        "jets first, with a loop": """
def event_scores(images, copies):
    found = []
    for image, copy in zip(images, copies):
        found.append(sum(np.mean((one**0.5 - other) ** 2) for one, other in zip(image, copy)) / 2)
    return found
""",
    },
    "auc": {
        "with ranks": """
from scipy.stats import rankdata
def auc(background, signal):
    ranks = rankdata(np.concatenate([background, signal]))[len(background):]
    return (ranks.sum() - len(signal) * (len(signal) + 1) / 2) / len(background) / len(signal)
""",
        "with all pairs": """
def auc(background, signal):
    difference = np.subtract.outer(signal, background)
    return np.mean(np.sign(difference)) / 2 + 0.5
""",
    },
    "matched": {
        "with digitize": """
def matched_auc(background, signal, background_mass, signal_mass, edges):
    b, s = np.digitize(background_mass, edges), np.digitize(signal_mass, edges)
    common = [k for k in range(1, len(edges)) if np.any(b == k) and np.any(s == k)]
    if not common:
        return 0.5
    return sum(np.sum(s == k) * auc(background[b == k], signal[s == k]) for k in common) / np.isin(s, common).sum()
""",
    },
    "pvalue": {
        "with the face among the jets": """
def p_value(known, score):
    return np.mean(np.append(known, score) >= score)
""",
    },
}
