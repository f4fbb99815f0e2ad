"""The rival of `images.py` in its own environment: EnergyFlow's images, one call per jet, as its documentation shows.

pip install energyflow
python images_energyflow.py JETS.npy N_PIXELS HALF_WIDTH REPEATS
"""

import json
import sys
import time

import numpy as np


def images(jets: np.ndarray, n_pixels: int, half_width: float) -> list:
    """Centre, rotate, reflect, pixelate and normalise each jet (rows of pT, rapidity, phi)."""
    import energyflow as ef

    found = []
    for jet in jets:
        centred = ef.utils.center_ptyphims(jet)
        turned = ef.utils.reflect_ptyphims(ef.utils.rotate_ptyphims(centred))
        found.append(ef.utils.pixelate(turned, npix=n_pixels, img_width=2 * half_width, nb_chan=1, norm=True))
    return found


def main() -> None:
    """Print the rate as JSON."""
    import energyflow as ef

    jets = np.load(sys.argv[1])
    n_pixels, half_width, repeats = int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    images(jets[:100], n_pixels, half_width)
    times = []
    for _ in range(repeats):
        start = time.process_time()
        images(jets, n_pixels, half_width)
        times.append(time.process_time() - start)
    print(json.dumps({"rate": len(jets) / min(times), "version": ef.__version__}))


# `make bench` runs every file of this folder in our own environment, where there is nothing to measure here.
if __name__ == "__main__" and len(sys.argv) > 1:
    main()
