"""Jet images: a jet as a camera would see it, pixels filled with the momentum of its constituents."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import awkward as ak
import numpy as np

from cmslabs.errors import ConfigError, close_names
from cmslabs.features.compiling import compile_loop
from cmslabs.features.image_frame import aligned
from cmslabs.features.particles import flatten_particles

__all__ = ["CHANNELS", "fill", "jet_images"]

#: What a pixel holds.
CHANNELS = ("pt", "energy", "log_pt")


def jet_images(
    jets: ak.Array,
    n_pixels: int = 32,
    half_width: float = 1.1,
    channel: str = "pt",
    normalise: bool = True,
    rotate: bool = True,
    flip: bool = True,
) -> np.ndarray:
    """One image per jet, in the jet's own frame: centred, rotated and flipped by `jet_frame`.

    Parameters
    ----------
    jets : ak.Array, shape (n_jets, var)
        Massless records ``pt`` [GeV], ``eta``, ``phi`` [rad]; of any floating type, also float16.  Entries with
        ``pt == 0`` are padding and are left out.
    n_pixels : int
        Pixels along each side.
    half_width : float
        The image covers ``-half_width <= x < half_width`` and the same in ``y``, in units of eta and phi.
        **Constituents outside are left out**: of an R = 1.0 jet, at 1.1, hardly any.
    channel : str
        ``"pt"``: sum of the constituents' pT [GeV].  ``"energy"``: sum of their energies [GeV], which depends on how
        the jet moves along the beam.  ``"log_pt"``: logarithm of 1 + sum of pT / GeV, in which soft radiation shows.
    normalise : bool
        Divide each image by the sum of its pixels.
    rotate, flip : bool
        Whether to do these steps; centring is always done.

    Returns
    -------
    ndarray of float32, shape (n_jets, n_pixels, n_pixels)
        ``images[i, row, column]``: rows along ``y`` (the jet's long side) from bottom to top, columns along ``x``; so
        draw it with ``plt.imshow(images[i], origin="lower")``.  A jet without constituents in the frame has an image
        of zeros.

    Raises
    ------
    ConfigError
        If `n_pixels` or `half_width` is not positive, or there is no such channel.
    DataError, MissingBranchError
        If the constituents are not as described: a NaN, a negative pT, a missing field, another nesting.
    MissingExtraError
        If numba is not installed (extra ``jets``): there is no slower way that would be taken silently.

    Notes
    -----
    References as in `jet_frame`.  A constituent on the border of two pixels belongs to the upper or right one; the
    jet's axis is such a border where `n_pixels` is even.

    Examples
    --------
    >>> import awkward as ak
    >>> jet = [{"pt": 60.0, "eta": 0.3, "phi": 3.1}, {"pt": 30.0, "eta": 0.3, "phi": -2.883}]
    >>> jet_images(ak.Array([jet, []]), n_pixels=4, half_width=0.4, normalise=False)[:, :, 2].tolist()
    [[30.0, 0.0, 60.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    _check_options(n_pixels, half_width, channel)
    flat = flatten_particles(jets, unit="jet")
    x, y = aligned(flat, rotate, flip)
    weight = flat.pt * np.cosh(flat.eta) if channel == "energy" else flat.pt
    images = np.zeros((len(flat.counts), n_pixels, n_pixels), dtype=np.float32)
    _compiled()(x, y, weight, flat.offsets, float(half_width), channel == "log_pt", bool(normalise), images)
    return images


@lru_cache(maxsize=1)
def _compiled() -> Callable:
    return compile_loop(fill)


def fill(x, y, weight, offsets, half_width, logarithm, normalise, images):
    """The loop behind `jet_images`: plain Python over NumPy arrays, which numba compiles.

    Parameters
    ----------
    x, y, weight : ndarray, shape (n_particles,)
        Where each constituent is, and what it adds to its pixel.
    offsets : ndarray of int64, shape (n_jets + 1,)
        Jet ``j`` has the constituents ``offsets[j]:offsets[j + 1]``.
    half_width : float
    logarithm, normalise : bool
        Take ``log(1 + pixel)``; then divide each image by its sum.
    images : ndarray of float32, shape (n_jets, n_pixels, n_pixels), filled here
        Zeros when it is given.
    """
    n = images.shape[1]
    scale = n / (2 * half_width)
    pixels = np.empty((n, n))
    for jet in range(len(images)):
        pixels[:] = 0.0
        for i in range(offsets[jet], offsets[jet + 1]):
            column, row = np.floor(x[i] * scale + 0.5 * n), np.floor(y[i] * scale + 0.5 * n)
            if 0 <= column < n and 0 <= row < n:
                pixels[int(row), int(column)] += weight[i]
        total = 0.0
        for row in range(n):
            for column in range(n):
                if logarithm:
                    pixels[row, column] = np.log1p(pixels[row, column])
                total += pixels[row, column]
        factor = 1.0 / total if normalise and total > 0 else 1.0
        for row in range(n):
            for column in range(n):
                images[jet, row, column] = factor * pixels[row, column]


def _check_options(n_pixels: int, half_width: float, channel: str) -> None:
    """Refuse an image that has no pixels, and a channel that does not exist."""
    if not (isinstance(n_pixels, int | np.integer) and n_pixels > 0 and np.isfinite(half_width) and half_width > 0):
        raise ConfigError(
            f"cannot draw images with n_pixels={n_pixels} and half_width={half_width}.",
            remedy="Use a positive whole number of pixels and a finite half width > 0.",
        )
    if channel not in CHANNELS:
        near = close_names(channel, CHANNELS, n=1)
        raise ConfigError(
            f"there is no channel {channel!r}.",
            remedy=f"Did you mean {near[0]}?" if near else f"Choose from: {', '.join(CHANNELS)}.",
        )
