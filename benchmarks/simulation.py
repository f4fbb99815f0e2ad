"""How many events per second one core simulates, from Pythia to the features, against the reference figures.

    python benchmarks/simulation.py [EVENTS]

Counted is CPU time (the machine may be busy), end to end as `cmslabs simulate` works: starting Pythia,
generating, detector, clustering, substructure, packing.  The reference figures were measured elsewhere with the
same settings; a ratio of 0.7 is asked for.  `pythia_share` is the part of the time that Pythia alone takes.
"""

from __future__ import annotations

import sys
import time

from record import save_result

from cmslabs.jobs import Chunk
from cmslabs.simulation.chunkfile import unpack
from cmslabs.simulation.processes import get_process
from cmslabs.simulation.production import BATCH_SIZE, Recipe, generate_chunk
from cmslabs.simulation.pythia import batches, pythia_seed, start

SEED, N_EVENTS = 7, 1000
#: (process, MPI) -> passing events per second and core of the reference; None where there is no figure.
REFERENCE = {
    ("qcd-dijets", False): 136.0,
    ("qcd-dijets", True): 56.0,
    ("wprime-2prong", False): None,
    ("wprime-2prong", True): 120.0,
    ("wprime-3prong", True): 108.0,
    ("zprime-tt", True): 89.0,
    ("graviton-ww", True): 151.0,
    ("drell-yan", True): None,
    ("zz-4l", True): None,
    ("higgs-4l", True): None,
    ("ttbar", True): None,
    ("jpsi", True): None,
    ("upsilon", True): None,
}


def cpu_seconds(run) -> tuple[float, object]:
    """CPU time of this process during a call, and what it returned."""
    begin = time.process_time()
    answer = run()
    return time.process_time() - begin, answer


def pythia_alone(recipe: Recipe, tried: int) -> None:
    """Generate as many events with the same seed, and look at none of them."""
    source = batches(start(recipe.lines, pythia_seed(SEED)), BATCH_SIZE)
    for _ in range(-(-tried // BATCH_SIZE)):
        next(source)


def measure(name: str, mpi: bool, n_events: int) -> dict[str, float | None]:
    """Rates of one process."""
    recipe = Recipe(get_process(name), mpi)
    seconds, content = cpu_seconds(lambda: generate_chunk(recipe, Chunk(0, 0, n_events, SEED)))
    tried = unpack(content)[1]["tried"]
    alone, _ = cpu_seconds(lambda: pythia_alone(recipe, tried))
    reference = REFERENCE[name, mpi]
    return {
        "events_per_second": n_events / seconds,
        "generated_per_second": tried / seconds,
        "efficiency": n_events / tried,
        "pythia_share": alone / seconds,
        "reference": reference,
        "ratio": None if reference is None else n_events / seconds / reference,
    }


def main() -> None:
    """Measure all processes, print a table, save the numbers."""
    n_events = int(sys.argv[1]) if len(sys.argv) > 1 else N_EVENTS
    measure("qcd-dijets", False, 20)  # imports and compiles
    numbers = {}
    for name, mpi in REFERENCE:
        # Four in five events of the lepton processes fail: fewer of them take as long.
        n = n_events if get_process(name).kind == "dijet" else max(10, n_events // 10)
        row = numbers[f"{name}, MPI {'on' if mpi else 'off'}"] = measure(name, mpi, n)
        ratio = "" if row["ratio"] is None else f"  {row['ratio']:.2f} of the reference"
        print(
            f"{name:14} MPI {'on ' if mpi else 'off'} {row['events_per_second']:7.1f} events/s  efficiency "
            f"{row['efficiency']:.3f}  Pythia {100 * row['pythia_share']:3.0f} %{ratio}"
        )
    config = {"events": n_events, "seed": SEED, "batch_size": BATCH_SIZE}
    packages = ("pythia8mc", "fastjet", "numba", "numpy", "awkward")
    print(save_result("simulation", config=config, numbers=numbers, packages=packages))


if __name__ == "__main__":
    main()
