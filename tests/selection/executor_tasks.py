"""Tasks for tests of executors: processes must be able to import them."""

import os
import signal
import time


def square(x):
    return x * x


def process_id(_):
    time.sleep(0.2)
    return os.getpid()


def die(x):
    if x == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def fail(x):
    raise KeyError(x)
