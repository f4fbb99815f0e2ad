"""One process that works on a study, for the tests.

    python tuning_process.py STUDY TRIALS GO [TRIAL]

It waits for the file GO, makes trials, and prints how many.  In the trial that is named it writes the file
STUDY.here after its second epoch, and waits to be killed.
"""

import json
import sys
import time
from pathlib import Path

from tuning_worlds import background, study

from cmslabs.models import tuning

made = []
loss = tuning._loss


def watched(model, history):
    if len(made) == stop and history.epochs == 2:
        Path(f"{sys.argv[1]}.here").touch()
        time.sleep(600)
    return loss(model, history)


if __name__ == "__main__":
    stop = int(sys.argv[4]) if len(sys.argv) > 4 else None
    tuning._loss = watched
    X, X_val = background(300), background(100, seed=1)
    Path(f"{sys.argv[3]}.ready-{len(list(Path(sys.argv[3]).parent.glob('*.ready-*')))}").touch()
    while not Path(sys.argv[3]).exists():
        time.sleep(0.01)
    tuning.tune(study(trials=int(sys.argv[2])), X, X_val, sys.argv[1], tick=made.append)
    print(json.dumps(len(made)))
