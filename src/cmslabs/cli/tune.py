"""`cmslabs tune`: try parameters of a model on background alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cmslabs.cli.common import JsonOption, message, result, result_json

if TYPE_CHECKING:
    from cmslabs.models.tuning import Tuning

__all__ = ["tune"]

#: Trials in the table of the answer.
_SHOWN = 5


def tune(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG", help="YAML file, or a bundled one: autoencoder, vae, flow, image-autoencoder."
        ),
    ],
    storage: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="SQLite file of the study.  [default: NAME.db]", show_default=False),
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials of the whole study, in place of CONFIG's.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change CONFIG: fixed.epochs=5; may be repeated."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Try parameters of a model, and keep the best by what background alone can say.

    Labels are not read, and the test part of the events is not used. The study is kept in FILE: an interrupted one
    goes on, a larger --trials continues it, and the same command in several terminals shares it. Trials that are
    behind the others at the same epoch are stopped early.

    Example: cmslabs tune autoencoder --trials 10 --storage ae.db

    Example: cmslabs tune my.yaml --set data.source=box.parquet --set data.process=null --json
    """
    from cmslabs.models.tuning import tune as run
    from cmslabs.models.tuning_config import load_tuning
    from cmslabs.models.tuning_data import background_parts

    overrides = [*(set_ or ()), *([] if trials is None else [f"trials={trials}"])]
    wanted = load_tuning(config, overrides)
    storage = Path(f"{wanted.name}.db") if storage is None else storage
    X, X_val = background_parts(wanted.data)
    message(f"{len(X)} background events to train on, {len(X_val)} to judge with; study in {storage}")
    with _progress(wanted.trials) as tick:
        found = run(wanted, X, X_val, storage, tick=tick)
    if as_json:
        result_json(_as_json(found, storage))
        return
    for line in _lines(found):
        result(line)
    message("the best of many is too good by chance: judge it on events that no trial has seen")


class _progress:
    """A bar on stderr where a person watches; used as a context, it gives the callback after each trial."""

    def __init__(self, total: int):
        from tqdm import tqdm

        self.bar = tqdm(total=total, desc="trials", unit="", leave=False, disable=not sys.stderr.isatty())

    def __enter__(self):
        return self._tick

    def _tick(self, found: Tuning) -> None:
        self.bar.update(len(found.trials) - found.count("running") - self.bar.n)

    def __exit__(self, *_):
        self.bar.close()


def _lines(found: Tuning) -> list[str]:
    config = found.config
    counts = {state: found.count(state) for state in ("complete", "pruned", "failed", "running")}
    made = ", ".join(f"{n} {state}" for state, n in counts.items() if n or state == "complete")
    rows = {"study": f"{config.name}: {config.model}, {len(found.trials)} trials: {made}"}
    wins = "smallest" if config.direction == "minimize" else "largest"
    what = "loss on background" if config.objective == "validation-loss" else f"AUC against {config.objective} events"
    rows["objective"] = f"{wins} {what}"
    if found.best is None:
        rows["best"] = "no trial is complete"
    else:
        rows["best"] = f"{found.best['value']:.5g}, trial {found.best['trial']}"
        rows["parameters"] = ", ".join(f"{name}={_short(found.best[name])}" for name in config.search)
    lines = [f"{name:11} {text}" for name, text in rows.items()]
    shown = found.trials[found.trials["state"] == "complete"].sort_values(
        "value", ascending=config.direction == "minimize"
    )
    lines += ["", f"trial       value  epochs  seconds  {', '.join(config.search)}"]
    for row in shown.head(_SHOWN).to_dict(orient="records"):
        values = ", ".join(_short(row[name]) for name in config.search)
        lines.append(f"{row['trial']:>5}  {row['value']:>10.5g}  {row['epochs']:>6}  {row['seconds']:>7.1f}  {values}")
    failed = found.trials[found.trials["state"] == "failed"]
    lines += [f"trial {row['trial']} failed: {row['reason']}" for row in failed.to_dict(orient="records")]
    return lines


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace(" ", "")


def _as_json(found: Tuning, storage: Path) -> dict[str, Any]:
    return {
        "name": found.config.name,
        "model": found.config.model,
        "objective": found.config.objective,
        "direction": found.config.direction,
        "storage": str(storage),
        "counts": {state: found.count(state) for state in ("complete", "pruned", "failed", "running")},
        "best": found.best,
        "parameters": found.best_parameters,
        "trials": found.trials.to_dict(orient="records"),
    }
