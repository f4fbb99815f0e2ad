"""The file of a study: several processes take trials from it, and a killed one loses nothing but its trial.

A process that works on a trial holds a lock on a file of that trial's own.  The system drops the lock when the process
ends, however it ends; so a trial that is called running but whose lock is free belongs to nobody, and is made again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cmslabs.errors import ConfigError, DataError, require
from cmslabs.models.tuning_config import TuningConfig

__all__ = ["StudyFile"]

#: Seconds that a process waits for the others to finish their work on the file.
_PATIENCE = 120
#: The only study in a file.
_NAME = "cmslabs"


class StudyFile:
    """A study in a file.

    Parameters
    ----------
    path : path-like
        SQLite file; made if it is missing.
    config : TuningConfig
    identity : str
        Hash of all that makes two studies comparable.

    Raises
    ------
    ConfigError
        If the file holds a study of another identity.
    DataError
        If it is no study at all.
    MissingExtraError
        If optuna is not installed (extra ``tune``).
    """

    def __init__(self, path: str | os.PathLike, config: TuningConfig, identity: str):
        self.path, self.config = Path(path), config
        self._locks = self.path.with_name(self.path.name + ".locks")
        self._optuna = require("optuna", "tune")
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self.study = self._open(identity)

    def counted(self) -> list[Any]:
        """Trials that count: complete, pruned, failed for a reason of their own, or being worked on; by slot."""
        states = self._optuna.trial.TrialState
        trials = self.study.get_trials(deepcopy=False)
        dead = {trial.number for trial in trials if trial.state == states.FAIL and "reason" not in trial.user_attrs}
        kept = [trial for trial in trials if trial.number not in dead and "slot" in trial.user_attrs]
        return sorted(kept, key=lambda trial: trial.user_attrs["slot"])

    @contextlib.contextmanager
    def next_trial(self) -> Iterator[Any | None]:
        """The next trial for this process, or None where all are made or taken.

        If the block ends without having told the trial's result, the trial is given back, to be made again.
        """
        with self._alone():
            self._give_back_lost_trials()
            used = {trial.user_attrs["slot"] for trial in self.counted()}
            if len(used) >= self.config.trials:
                trial = None
            else:
                trial, lock = self._ask(min(set(range(self.config.trials)) - used))
        if trial is None:
            yield None
            return
        try:
            yield trial
        finally:
            self._fail_if_running(trial.number)
            with self._alone():  # Somebody may be about to put a file into the folder.
                lock.release()
                Path(lock.lock_file).unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # Other trials have theirs there.
                    self._locks.rmdir()

    def _ask(self, slot: int) -> tuple[Any, FileLock]:
        """A trial whose proposals depend on the seed, its slot and the results so far; not on who asks."""
        trial = self.study.ask()
        lock = self._lock(trial.number)
        lock.acquire(timeout=0)
        trial.set_user_attr("slot", slot)
        self.study.sampler = self._sampler(1000 * self.config.seed + slot)
        return trial, lock

    def _open(self, identity: str) -> Any:
        optuna, pruning = self._optuna, self.config.pruning
        pruner = optuna.pruners.NopPruner()
        if pruning is not None:
            pruner = optuna.pruners.MedianPruner(n_startup_trials=pruning.trials, n_warmup_steps=pruning.epochs)
        try:
            storage = optuna.storages.RDBStorage(
                f"sqlite:///{self.path}", engine_kwargs={"connect_args": {"timeout": _PATIENCE}}
            )
            study = optuna.create_study(
                storage=storage,
                study_name=_NAME,
                direction=self.config.direction,
                pruner=pruner,
                sampler=self._sampler(0),
                load_if_exists=True,
            )
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in ("sqlalchemy", "optuna", "alembic"):
                raise
            raise DataError(
                f"is not the file of a study ({str(error).splitlines()[0]}).",
                where=self.path,
                remedy="Give another file, or one that is not there yet.",
            ) from error
        if study.user_attrs.setdefault("identity", identity) != identity:
            raise ConfigError(
                "holds the study of another configuration, or of other events.",
                where=self.path,
                remedy="Give another file for this one. Only name, title and the number of trials may change.",
            )
        study.set_user_attr("identity", identity)
        return study

    def _sampler(self, seed: int) -> Any:
        # Each parameter on its own: then a trial asks the sampler of its slot, and not the one before.
        return self._optuna.samplers.TPESampler(seed=seed % 2**32, multivariate=False, constant_liar=False)

    def _give_back_lost_trials(self) -> None:
        running = self._optuna.trial.TrialState.RUNNING
        for trial in self.study.get_trials(deepcopy=False, states=(running,)):
            with contextlib.suppress(Timeout):
                with self._lock(trial.number).acquire(timeout=0):
                    self._fail_if_running(trial.number)
                self._lock_path(trial.number).unlink(missing_ok=True)

    def _fail_if_running(self, number: int) -> None:
        self.study.tell(number, state=self._optuna.trial.TrialState.FAIL, skip_if_finished=True)

    def _lock_path(self, number: int) -> Path:
        return self._locks / f"{number}.lock"

    def _lock(self, number: int) -> FileLock:
        self._locks.mkdir(parents=True, exist_ok=True)
        return FileLock(self._lock_path(number))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else takes or gives back a trial meanwhile."""
        lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        try:
            lock.acquire(timeout=_PATIENCE)
        except Timeout as error:
            raise DataError(
                f"another process has kept the study for {_PATIENCE} seconds.",
                where=self.path,
                remedy="End that process, or use another file.",
            ) from error
        try:
            yield
        finally:
            lock.release()
