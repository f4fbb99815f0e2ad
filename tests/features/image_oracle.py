"""The slow, obvious way to a jet image: one jet at a time, with NumPy's eigenvectors and `histogram2d`."""

from __future__ import annotations

import awkward as ak
import numpy as np


def slow_frame(jet: list[dict]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``x``, ``y`` and ``pt`` of one jet's constituents in its own frame."""
    pt, eta, phi = (np.array([c[name] for c in jet], dtype=float) for name in ("pt", "eta", "phi"))
    # The direction of the summed transverse momenta is somewhere in the jet: angles to it need no wrapping.
    around = np.angle(np.sum(pt * np.exp(1j * phi)))
    phi = np.angle(np.exp(1j * (phi - around)))
    points = np.stack([eta, phi])
    points -= np.average(points, axis=1, weights=pt)[:, None]
    if len(jet) > 1:
        _, vectors = np.linalg.eigh(np.cov(points, aweights=pt, ddof=0))
        along = vectors[:, 1]
        points = np.stack([np.array([along[1], -along[0]]) @ points, along @ points])
    points[np.abs(points) < 1e-9] = 0.0
    for coordinate in points:
        if pt[coordinate > 0].sum() < pt[coordinate < 0].sum():
            coordinate *= -1
    return points[0], points[1], pt


def slow_image(jet: list[dict], n_pixels: int, half_width: float, channel: str, normalise: bool) -> np.ndarray:
    """One image, by `numpy.histogram2d`."""
    if not jet:
        return np.zeros((n_pixels, n_pixels))
    x, y, pt = slow_frame(jet)
    weight = pt * np.cosh([c["eta"] for c in jet]) if channel == "energy" else pt
    # The last bin of `histogram2d` includes its upper edge, ours does not.
    inside = (x < half_width) & (y < half_width)
    edges = np.linspace(-half_width, half_width, n_pixels + 1)
    image, _, _ = np.histogram2d(y[inside], x[inside], [edges, edges], weights=weight[inside])
    if channel == "log_pt":
        image = np.log(1 + image)
    return image / image.sum() if normalise and image.sum() > 0 else image


def slow_images(jets: ak.Array, n_pixels=32, half_width=1.1, channel="pt", normalise=True) -> np.ndarray:
    """What `cmslabs.features.images.jet_images` must give."""
    return np.array([slow_image(jet, n_pixels, half_width, channel, normalise) for jet in jets.to_list()])
