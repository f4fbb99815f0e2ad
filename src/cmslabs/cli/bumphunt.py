"""`cmslabs bumphunt`: look for an excess in a spectrum, and say how often chance does the same."""

from __future__ import annotations

import math
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cmslabs.cli.common import JsonOption, message, result, result_json
from cmslabs.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from cmslabs.data.spectrum_file import MeasuredSpectrum
    from cmslabs.evaluation.bumphunt import BumpHunt

__all__ = ["bumphunt", "cautions", "verdict"]

FORMATS = (".png", ".pdf", ".svg")
#: Below this a goodness of fit is worth a warning.
BAD_FIT = 0.01
#: A spectrum with less than this share of its events below a window begins there.
FEW = 0.05
#: One-sided tails beyond 3 and 5 standard deviations, and what a spectrum in twenty has by chance.
EVIDENCE, DISCOVERY, NOTHING = 1.35e-3, 2.87e-7, 0.05


def bumphunt(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="CSV or Parquet: masses, bins, or CMS leptons.")],
    column: Annotated[str | None, typer.Option(help="The column of masses, one per event.")] = None,
    bins: Annotated[
        bool,
        typer.Option("--bins", help="Rows are bins: centre, width, count; or centre, width, value, up, down."),
    ] = False,
    range_: Annotated[
        tuple[float, float] | None,
        typer.Option("--range", metavar="LO HI", help="Use this range only [GeV]; of bins those inside."),
    ] = None,
    n_bins: Annotated[
        int | None, typer.Option(help="Equal bins for masses.  [default: 40]", show_default=False)
    ] = None,
    family: Annotated[
        str, typer.Option(help="Background: auto, dijet, power, exponential, bernstein; several with commas.")
    ] = "auto",
    statistic: Annotated[
        str, typer.Option(help="template: fit of signal and background; window: count against the sidebands.")
    ] = "template",
    blind: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="LO HI", help="Leave out the bins in this range [GeV]; predict them."),
    ] = None,
    max_toys: Annotated[
        int, typer.Option(min=1, help="Simulated spectra at most; beyond their reach a formula continues.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same answer.")] = 0,
    sqrt_s: Annotated[float, typer.Option(help="Energy of the collisions [GeV], for the family dijet.")] = 13_000.0,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the spectrum here (.png, .pdf, .svg); local p-values and limits beside it, in "
            "FILE-local-p and FILE-limits.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look for a bump on a smooth background, and say how often chance does the same.

    TABLE is recognised by its columns: bins (centre or edges, width, count or value with errors), one column of
    masses, or the leptons of a CMS education table.  What the reader decided stands on stderr.  A smooth function
    is chosen by a rule and fitted; every window of mass and width is tried; toy spectra without a signal, treated
    in the same way, tell the global p-value: how often there is a window like the best one anywhere.

    Example: cmslabs bumphunt Zmumu_Run2011A.csv --range 70 110 --plot z.png

    Example: cmslabs bumphunt events.parquet --column mjj --range 1500 6000 --blind 3300 3700 --json
    """
    from cmslabs.data.spectrum_file import read_spectrum
    from cmslabs.evaluation.bumphunt import bump_hunt

    if plot is not None and plot.suffix not in FORMATS:
        raise ConfigError(f"--plot cannot write '{plot.suffix}'.", remedy=f"End the name in {', '.join(FORMATS)}.")
    measured = read_spectrum(table, column=column, bins=bins, range=range_, n_bins=n_bins)
    for remark in measured.remarks:
        message(f"{table.name}: {remark}")
    families = "auto" if family == "auto" else [name.strip() for name in family.split(",")]
    options = {"statistic": statistic, "blind": blind, "max_toys": max_toys, "seed": seed, "sqrt_s": sqrt_s}
    with _progress(max_toys) as tick:
        found = bump_hunt(measured.spectrum, families=families, tick=tick, **options)
    files = [] if plot is None else _draw(plot, measured, found, table.name)
    if as_json:
        result_json(_as_json(table, measured, found, files))
        return
    for line in _lines(measured, found):
        result(line)
    for file in files:
        message(f"{file} written")
    if plot is None:
        message("--plot FILE.png draws the spectrum, the local p-values and the limits")


class _progress:
    """A bar on stderr where a person watches; used as a context, it gives the callback for the toys."""

    def __init__(self, total: int):
        from tqdm import tqdm

        self.bar = tqdm(total=total, desc="toys", unit="", leave=False, disable=not sys.stderr.isatty())

    def __enter__(self):
        return lambda done: self.bar.update(done - self.bar.n)

    def __exit__(self, *_):
        self.bar.close()


# ---- in words


def verdict(global_p: float, significance: float) -> str:
    """What a global p-value means, in plain words.

    Examples
    --------
    >>> verdict(0.37, 0.33)
    'Nothing significant: a window like this or a stronger one occurs in 37 of 100 spectra without a signal.'
    """
    often = _how_often(global_p)
    if global_p >= NOTHING:
        return f"Nothing significant: a window like this or a stronger one occurs in {often} without a signal."
    if global_p >= EVIDENCE:
        return (
            f"No evidence yet: a window like this or a stronger one occurs in {often} without a signal. "
            "Where twenty people look, one of them finds p < 0.05 by chance."
        )
    word = "A clear excess" if global_p < DISCOVERY else "Evidence of an excess"
    return (
        f"{word} ({significance:.1f} standard deviations): a window like this or a stronger one occurs in {often} "
        "without a signal.\n"
        "That is how rarely a smooth background does this; it is not the probability that there is no signal.\n"
        "A known particle, a fault of the detector, or a background that the function cannot follow look the same."
    )


def cautions(found: BumpHunt) -> list[str]:
    """What may spoil the verdict: a function that does not fit, a window where the spectrum only begins."""
    said = []
    if found.gof_p < BAD_FIT:
        said.append(
            "Caution: the background function does not follow the rest of the spectrum (goodness of fit p = "
            f"{found.gof_p:.2g}), and every number here assumes that it does. Try --range, or another --family."
        )
    spectrum = found.spectrum
    density = found.visible / spectrum.widths
    top = spectrum.centres[density.argmax()]
    below = found.visible[spectrum.centres < found.mass - 2 * found.width].sum()
    if found.global_p < NOTHING and abs(top - found.mass) < 2 * found.width and below < FEW * found.visible.sum():
        said.append(
            "Caution: the window lies where the spectrum begins and is highest. A trigger or a selection that sets in "
            f"there looks like a bump. Begin the range above it, for example at {found.mass + 2 * found.width:.4g}."
        )
    return said


def _how_often(p: float) -> str:
    if p >= 0.095:
        return f"{round(100 * p)} of 100 spectra"
    if p >= 1e-15:
        return f"1 of {float(f'{1 / p:.2g}'):,.0f} spectra"
    return "fewer than 1 of 10^15 spectra"


def _p_in_words(p: float, z: float, error: float | None = None) -> str:
    """A p-value with its significance; underflow and p > 1/2 included."""
    number = f"{p:.2g}" if p > 0 else "0 (too small for a number)"
    number += "" if error is None else f" ± {error:.1g}"
    return f"{number}, {z:.1f} standard deviations" if p < 0.5 else number


def _with_error(value: float, error: float) -> str:
    """Both rounded to two digits of the error.

    Examples
    --------
    >>> _with_error(1267.97, 566.08), _with_error(7.985, 6.213)
    ('1270 ± 570', '8.0 ± 6.2')
    """
    digits = 1 - math.floor(math.log10(error)) if error > 0 and math.isfinite(error) else 1
    return f"{round(value, digits):.{max(digits, 0)}f} ± {round(error, digits):.{max(digits, 0)}f}"


def _lines(measured: MeasuredSpectrum, found: BumpHunt) -> list[str]:
    unit, summary = measured.unit, found.summary()
    spectrum = measured.spectrum
    how = {"toys": "from toys", "gross-vitells": "from the formula of Gross and Vitells, set by toys"}
    rows = {
        "spectrum": f"{measured.quantity}, {len(spectrum.counts)} bins from {spectrum.edges[0]:g} to "
        f"{spectrum.edges[-1]:g} {unit}, {found.visible.sum():.0f} events"
        + (" outside of the blinded range" if found.blind else ""),
        "background": f"{found.family}, {found.n_parameters} parameters; goodness of fit p = {found.gof_p:.2g}",
        "best window": f"mass {found.mass:.5g} {unit}, width {found.width:.3g} {unit} (standard deviation)",
        "signal": f"{_with_error(found.signal_yield, found.signal_yield_error)} events",
        "local p": _p_in_words(found.local_p, found.local_significance),
        "global p": _p_in_words(found.global_p, found.significance, summary["global_p_error"])
        + f" ({how[found.global_method]}: {found.n_toys})",
        "limit": f"{summary['upper_limit']:.4g} events there, 95 % CL (expected {summary['expected_limit']:.4g})",
        "statistic": f"{found.statistic}, seed {found.seed}",
    }
    if hidden := summary["blind"]:
        rows["blinded"] = f"{hidden['low']:g} to {hidden['high']:g} {unit}: {hidden['predicted']:.4g} events predicted"
    lines = [*verdict(found.global_p, found.significance).splitlines(), *cautions(found), ""]
    lines = [part for line in lines for part in textwrap.wrap(line, 100) or [""]]
    lines += [f"{name:12} {text}" for name, text in rows.items()]
    lines += ["", f"strongest windows   mass [{unit}]   width [{unit}]     events   local p   deviations"]
    for place, window in enumerate(_windows(found).itertuples(), start=1):
        lines.append(
            f"{place:>17}   {window.mass:>10.5g}   {window.width:>11.3g}   {window.signal_yield:>8.4g}   "
            f"{window.local_p:>7.2g}   {window.local_z:>10.1f}"
        )
    return lines


def _windows(found: BumpHunt, n: int = 5) -> pd.DataFrame:
    """The strongest distinct windows that have an excess."""
    windows = found.best_windows(n)
    return windows[windows["local_z"] > 0]


def _as_json(table: Path, measured: MeasuredSpectrum, found: BumpHunt, files: list[Path]) -> dict:
    edges = measured.spectrum.edges
    about = {
        "path": str(table),
        "quantity": measured.quantity,
        "unit": measured.unit,
        "simulation": measured.simulation,
        "n_bins": len(edges) - 1,
        "range": [float(edges[0]), float(edges[-1])],
        "events": int(found.visible.sum()),
        "remarks": list(measured.remarks),
    }
    windows = _windows(found).to_dict(orient="records")
    # A global p of exactly 1 has no finite significance, and JSON no infinity.
    summary = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in found.summary().items()
    }
    said = verdict(found.global_p, found.significance)
    return {
        **summary,
        "verdict": said,
        "cautions": cautions(found),
        "windows": windows,
        "input": about,
        "plots": [str(f) for f in files],
    }


# ---- in pictures


def _draw(plot: Path, measured: MeasuredSpectrum, found: BumpHunt, source: str) -> list[Path]:
    """Three figures, in files that share a name."""
    import matplotlib as mpl
    import numpy as np

    mpl.use("agg")
    from cmslabs.evaluation.significance import z_to_p
    from cmslabs.plotting.bumps import plot_bump, plot_limits, plot_local_p

    place = {"simulation": measured.simulation, "xlabel": measured.quantity, "unit": measured.unit, "source": source}
    hidden = {"blind": found.blind, **place}
    note = f"{found.mass:.5g} {measured.unit}, {found.local_significance:.1f}σ local"
    ax, _ = plot_bump(
        measured.spectrum,
        found.background,
        background_error=found.background_error,
        signal=found.signal,
        note=note,
        **hidden,
    )
    figures = {plot: ax.figure}
    lowest = found.scan.groupby("mass")["local_p"].min()
    # A spectrum without a signal has its own deepest dip somewhere: that is what the observed one competes with.
    toys = z_to_p(np.quantile(found.toys.largest, [0.9772, 0.8413, 0.5, 0.1587, 0.0228]))
    ax = plot_local_p(lowest.index, lowest, global_p=found.global_p, expected=toys, **hidden)
    figures[plot.with_name(f"{plot.stem}-local-p{plot.suffix}")] = ax.figure
    limits = found.limits
    band = limits[["expected_m2", "expected_m1", "expected", "expected_p1", "expected_p2"]].to_numpy().T
    ax = plot_limits(limits["mass"], limits["observed"], band, **hidden)
    figures[plot.with_name(f"{plot.stem}-limits{plot.suffix}")] = ax.figure
    for path, figure in figures.items():
        _save(figure, path)
    return list(figures)


def _save(figure, path: Path) -> None:
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    from cmslabs.io import atomic_write
    from cmslabs.plotting.style import STYLE

    with mpl.rc_context(STYLE), atomic_write(path) as temporary:
        # No date in the file: the same input gives the same bytes.
        dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
        figure.savefig(temporary, dpi=STYLE["savefig.dpi"], metadata=dates.get(path.suffix))
    plt.close(figure)
