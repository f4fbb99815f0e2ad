"""Mistakes that students make in lab 6: {task: {mistake: what the student writes}}; each loses exactly its points."""

from editing import changed

SCALE = """
def standardise(train, events):
    return (events - train.mean(axis=0)) / train.std(axis=0)
"""
RECONSTRUCTION = """
def reconstruction_score(x, back):
    return np.mean((x - back) ** 2, axis=1)
"""
KL = """
def kl_score(mean, log_variance):
    return 0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=1)
"""
LOSS = """
def vae_loss(x, back, mean, log_variance, beta):
    half = 0.5 * np.sum((x - back) ** 2, axis=1)
    kl = 0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=1)
    return np.mean(half + beta * kl)
"""
WARMUP = """
def beta_at(epoch, beta, warmup):
    return beta * min(1.0, epoch / warmup) if warmup else beta
"""
STOP = """
def early_stopping(losses, patience):
    best = 1
    for epoch, loss in enumerate(losses, start=1):
        if loss < losses[best - 1]:
            best = epoch
        elif epoch - best >= patience:
            return best, epoch
    return best, len(losses)
"""
ENSEMBLE = """
def ensemble(scores):
    low, middle, high = np.quantile(scores, [0.16, 0.5, 0.84], axis=1)
    return np.mean((scores - middle[:, None]) / ((high - low) / 2)[:, None], axis=0)
"""


WRONG = {
    "predict": {
        "sure and wrong about all": 'prediction = {"A": 1.0, "B": 0.0, "C": 0.0, "D": 0.0, "E": 1.0}',
        "percent": 'prediction = {"A": 10, "B": 90, "C": 90, "D": 90, "E": 10}',
        "one is missing": 'prediction = {"A": 0.0, "B": 1.0, "C": 1.0, "D": 1.0}',
    },
    "scale": {
        "scaled with the events that are judged": changed(
            SCALE, ("train.mean", "events.mean"), ("train.std", "events.std")
        ),
        "mean of the judged events": changed(SCALE, ("train.mean", "events.mean")),
        "one mean and one spread for all columns": changed(SCALE, ("axis=0", "")),
        "variance instead of spread": changed(SCALE, ("train.std", "train.var")),
        "spread of a sample": changed(SCALE, ("std(axis=0)", "std(axis=0, ddof=1)")),
        "the mean is left": changed(SCALE, ("(events - train.mean(axis=0))", "events")),
        "to the range from 0 to 1": """
def standardise(train, events):
    return (events - train.min(axis=0)) / (train.max(axis=0) - train.min(axis=0))
""",
        "in place": """
def standardise(train, events):
    events -= train.mean(axis=0)
    events /= train.std(axis=0)
    return events
""",
    },
    "reconstruction": {
        "sum instead of mean": changed(RECONSTRUCTION, ("np.mean", "np.sum")),
        "root of it": changed(
            RECONSTRUCTION, ("np.mean((x - back) ** 2, axis=1)", "np.mean((x - back) ** 2, axis=1) ** 0.5")
        ),
        "absolute differences": changed(RECONSTRUCTION, ("(x - back) ** 2", "abs(x - back)")),
        "no square": changed(RECONSTRUCTION, (" ** 2", "")),
        "one number for all": changed(RECONSTRUCTION, (", axis=1", "")),
        "one number per column": changed(RECONSTRUCTION, ("axis=1", "axis=0")),
        "half of it": changed(RECONSTRUCTION, ("np.mean", "0.5 * np.mean")),
    },
    "kl": {
        "the half forgotten": changed(KL, ("0.5 * ", "")),
        "logarithm taken for the variance": changed(
            KL, ("np.exp(log_variance)", "log_variance**2"), ("- log_variance,", "- np.log(log_variance**2 + 1e-12),")
        ),
        "width taken for the logarithm": changed(
            KL, ("np.exp(log_variance)", "np.exp(2 * log_variance)"), ("- log_variance,", "- 2 * log_variance,")
        ),
        "sign of the logarithm": changed(KL, ("- 1 - log_variance", "- 1 + log_variance")),
        "the one forgotten": changed(KL, (" - 1 ", " ")),
        "mean not squared": changed(KL, ("mean**2", "mean")),
        "the widths forgotten": changed(KL, (" + np.exp(log_variance) - 1 - log_variance", "")),
        "mean over the latent numbers": changed(KL, ("np.sum", "np.mean")),
        "one number for all events": changed(KL, (", axis=1", "")),
        "exp of half the logarithm": changed(KL, ("np.exp(log_variance)", "np.exp(0.5 * log_variance)")),
    },
    "loss": {
        "sum over the events": changed(LOSS, ("np.mean(half", "np.sum(half")),
        "mean over the features": changed(LOSS, ("0.5 * np.sum((x", "0.5 * np.mean((x")),
        "the half forgotten": changed(LOSS, ("0.5 * np.sum((x", "np.sum((x")),
        "no price": changed(LOSS, ("beta * kl", "kl")),
        "price on the other term": changed(LOSS, ("half + beta * kl", "beta * half + kl")),
        "minus instead of plus": changed(LOSS, ("half + beta", "half - beta")),
        "weights that add up to one": changed(LOSS, ("half + beta", "(1 - beta) * half + beta")),
        "one number per event": changed(LOSS, ("np.mean(half + beta * kl)", "half + beta * kl")),
        "without reconstruction": changed(LOSS, ("half + beta", "beta")),
    },
    "warmup": {
        "it rises without end": changed(WARMUP, ("min(1.0, epoch / warmup)", "epoch / warmup")),
        "counted from 0": changed(WARMUP, ("epoch / warmup", "(epoch - 1) / warmup")),
        "nothing, then everything": changed(WARMUP, ("min(1.0, epoch / warmup)", "(epoch >= warmup)")),
        "no warm-up": "def beta_at(epoch, beta, warmup):\n    return beta\n",
        "free without a warm-up": changed(WARMUP, ("else beta", "else 0.0")),
        "the price ends at 1": changed(WARMUP, ("beta * min(1.0, epoch / warmup)", "min(1.0, epoch / warmup)")),
        "one epoch too late": changed(WARMUP, ("epoch / warmup", "epoch / (warmup + 1)")),
    },
    "stop": {
        "the last epoch is kept": changed(
            STOP, ("return best, epoch", "return epoch, epoch"), ("return best, len", "return len(losses), len")
        ),
        "counted from 0": changed(
            STOP,
            ("return best, epoch", "return best - 1, epoch - 1"),
            ("return best, len(losses)", "return best - 1, len(losses) - 1"),
        ),
        "the smallest of all, run or not": """
def early_stopping(losses, patience):
    best = int(np.argmin(losses)) + 1
    return best, min(best + patience, len(losses))
""",
        "compared with the epoch before": """
def early_stopping(losses, patience):
    waited = 0
    for epoch in range(2, len(losses) + 1):
        waited = waited + 1 if losses[epoch - 1] >= losses[epoch - 2] else 0
        if waited >= patience:
            return int(np.argmin(losses[:epoch])) + 1, epoch
    return int(np.argmin(losses)) + 1, len(losses)
""",
        "one epoch too late": changed(STOP, (">= patience", "> patience")),
        "the later one of two equal epochs": changed(STOP, ("loss < losses", "loss <= losses")),
        "never stops": "def early_stopping(losses, patience):\n    return int(np.argmin(losses)) + 1, len(losses)\n",
        "other order": changed(
            STOP, ("return best, epoch", "return epoch, best"), ("return best, len(losses)", "return len(losses), best")
        ),
        "waits from the beginning": changed(STOP, ("epoch - best >= patience", "epoch > patience")),
    },
    "ensemble": {
        "plain mean": "def ensemble(scores):\n    return np.mean(scores, axis=0)\n",
        "mean and standard deviation": """
def ensemble(scores):
    return np.mean((scores - scores.mean(axis=1)[:, None]) / scores.std(axis=1)[:, None], axis=0)
""",
        "the median is left": changed(ENSEMBLE, ("(scores - middle[:, None])", "scores")),
        "whole distance": changed(ENSEMBLE, ("(high - low) / 2", "(high - low)")),
        "other quantiles": changed(ENSEMBLE, ("0.16", "0.25"), ("0.84", "0.75")),
        "the largest of them": changed(ENSEMBLE, ("np.mean((", "np.max((")),
        "sum of them": changed(ENSEMBLE, ("np.mean((", "np.sum((")),
        "one footing for all": """
def ensemble(scores):
    low, middle, high = np.quantile(scores, [0.16, 0.5, 0.84])
    return np.mean((scores - middle) / ((high - low) / 2), axis=0)
""",
        "median of the networks": changed(ENSEMBLE, ("np.mean((", "np.median((")),
        "one number per network": changed(ENSEMBLE, ("axis=0)", "axis=1)")),
    },
}
