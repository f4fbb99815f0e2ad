"""Right answers to lab 6 that differ from the model answer: {task: {how: what the student writes}}."""

RIGHT = {
    "predict": {"nearly sure": 'prediction = {"A": 0, "B": 1, "C": 1.0, "D": 1.0, "E": 0}'},
    "scale": {
        "with scikit-learn": """
from sklearn.preprocessing import StandardScaler


def standardise(train, events):
    return StandardScaler().fit(train).transform(events)
""",
    },
    "reconstruction": {
        "with a loop": """
def reconstruction_score(x, back):
    return [sum((a - b) ** 2 for a, b in zip(one, other)) / len(one) for one, other in zip(x, back)]
""",
        "with a square": """
def reconstruction_score(x, back):
    return np.square(np.subtract(x, back)).sum(axis=1) / x.shape[1]
""",
    },
    "kl": {
        "with widths": """
def kl_score(mean, log_variance):
    sigma = np.sqrt(np.exp(log_variance))
    return np.sum(-np.log(sigma) + (sigma**2 + mean**2) / 2 - 1 / 2, axis=1)
""",
        "with a loop": """
def kl_score(mean, log_variance):
    found = []
    for m, v in zip(mean, log_variance):
        found.append(sum(0.5 * (a * a + np.exp(b) - 1.0 - b) for a, b in zip(m, v)))
    return np.array(found)
""",
    },
    "loss": {
        "two means": """
def vae_loss(x, back, mean, log_variance, beta):
    squares = x.shape[1] * np.mean((x - back) ** 2) / 2
    kl = mean.shape[1] * np.mean(mean**2 + np.exp(log_variance) - 1 - log_variance) / 2
    return squares + beta * kl
""",
    },
    "warmup": {
        "with ifs": """
def beta_at(epoch, beta, warmup):
    if warmup == 0 or epoch >= warmup:
        return beta
    return beta / warmup * epoch
""",
    },
    "stop": {
        "looking back": """
def early_stopping(losses, patience):
    for epoch in range(1, len(losses) + 1):
        best = int(np.argmin(losses[:epoch])) + 1
        if epoch - best == patience:
            break
    return best, epoch
""",
        "counting": """
def early_stopping(losses, patience):
    smallest, best, waited = float("inf"), 0, 0
    for number, loss in enumerate(losses):
        if loss < smallest:
            smallest, best, waited = loss, number + 1, 0
        else:
            waited += 1
            if waited == patience:
                break
    return np.array([best, number + 1])
""",
    },
    "ensemble": {
        "with a loop": """
def ensemble(scores):
    total = 0.0
    for row in scores:
        unit = (np.quantile(row, 0.84) - np.quantile(row, 0.16)) / 2
        total = total + (row - np.median(row)) / unit
    return total / len(scores)
""",
    },
}
