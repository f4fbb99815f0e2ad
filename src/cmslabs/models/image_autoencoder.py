"""Autoencoder of jet images: convolutions around a bottleneck, with or without the shortcuts of a U-Net."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_array

from cmslabs.errors import ConfigError, require
from cmslabs.models.base import ModelInputError
from cmslabs.models.torch_model import TorchModel

torch = require("torch", "torch")
nn = torch.nn

__all__ = ["PIXELS", "ImageAutoencoder"]

#: What the network sees of a pixel.
PIXELS = {"sqrt": np.sqrt, "raw": np.asarray}
#: Two steps of halving: sides are filled up with zeros to a multiple of it.
_STEP = 4


class ImageNetwork(nn.Module):
    """Two halvings, a bottleneck of `latent` numbers, two doublings; with `skips` a U-Net (arXiv:1505.04597)."""

    def __init__(self, shape: Sequence[int], widths: Sequence[int], latent: int, skips: bool):
        super().__init__()
        channels, side, _ = shape
        self.side, self.skips = side, skips
        # Half of what is missing on each side, so that the jet stays in the middle.
        missing = -side % _STEP
        self.padding = (missing // 2, missing - missing // 2) * 2
        small = (side + missing) // _STEP
        first, second, third = widths
        self.top = nn.Sequential(nn.Conv2d(channels, first, 3, padding=1), nn.LeakyReLU(0.1))
        self.middle = nn.Sequential(nn.Conv2d(first, second, 3, stride=2, padding=1), nn.LeakyReLU(0.1))
        self.bottom = nn.Sequential(nn.Conv2d(second, third, 3, stride=2, padding=1), nn.LeakyReLU(0.1))
        self.squeeze = nn.Sequential(nn.Flatten(), nn.Linear(third * small**2, latent))
        self.widen = nn.Sequential(
            nn.Linear(latent, third * small**2), nn.LeakyReLU(0.1), nn.Unflatten(1, (third, small, small))
        )
        double = 2 if skips else 1
        self.up_middle = nn.Sequential(nn.ConvTranspose2d(third, second, 2, stride=2), nn.LeakyReLU(0.1))
        self.join_middle = nn.Sequential(nn.Conv2d(double * second, second, 3, padding=1), nn.LeakyReLU(0.1))
        self.up_top = nn.Sequential(nn.ConvTranspose2d(second, first, 2, stride=2), nn.LeakyReLU(0.1))
        self.join_top = nn.Sequential(nn.Conv2d(double * first, first, 3, padding=1), nn.LeakyReLU(0.1))
        self.out = nn.Conv2d(first, channels, 1)

    def encoder(self, x: Any) -> Any:
        """The numbers in the bottleneck, shape (n, latent)."""
        return self.squeeze(self._down(x)[-1])

    def forward(self, x: Any) -> Any:
        """The image that comes out, of the shape of `x`."""
        top, middle, bottom = self._down(x)
        y = self.up_middle(self.widen(self.squeeze(bottom)))
        y = self.up_top(self.join_middle(torch.cat([y, middle], dim=1) if self.skips else y))
        y = self.out(self.join_top(torch.cat([y, top], dim=1) if self.skips else y))
        left, above = self.padding[0], self.padding[2]
        return y[..., above : above + self.side, left : left + self.side]

    def _down(self, x: Any) -> tuple[Any, Any, Any]:
        top = self.top(nn.functional.pad(x, self.padding))
        middle = self.middle(top)
        return top, middle, self.bottom(middle)


def pixel_error(network: Any, batch: Any, generator: Any) -> Any:
    """Mean over events and pixels."""
    return torch.mean((network(batch) - batch) ** 2)


class ImageAutoencoder(TorchModel):
    """Score: mean squared difference between the pixels of an image and of its reconstruction.

    Without `skips` everything has to pass a bottleneck of `latent` numbers.  With `skips` the same network is a U-Net:
    the first layers also hand their maps directly to the last ones, past the bottleneck.

    Parameters
    ----------
    latent : int
        Numbers in the bottleneck.
    skips : bool
        Whether it is a U-Net.
    widths : tuple of three int
        Maps at full, half and quarter resolution.
    pixels : {"sqrt", "raw"}
        What the network sees and the error is taken of.  In raw pixels a few bright ones decide everything.
    validation_fraction, epochs, batch_size, learning_rate, weight_decay, schedule, patience, clip_norm
        As of `cmslabs.models.autoencoder.Autoencoder`.
    device, mixed_precision, progress, checkpoint, random_state
        As there.

    Notes
    -----
    Images have the shape (n, side, side) or (n, channels, side, side), with any side of at least 8 pixels, odd ones
    too: inside, zeros fill it up to a multiple of 4, and they are cut off again.  Pixels are divided by the
    root of their mean square in the training part, so that a score of 1 is that of an empty image.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> grid = np.arange(12)
    >>> def spots(row, column):
    ...     down, across = np.subtract.outer(row, grid), np.subtract.outer(column, grid)
    ...     return np.exp(-(down[:, :, None] ** 2 + across[:, None, :] ** 2) / 4)
    >>> usual, unusual = spots(rng.uniform(2, 9, 600), np.full(600, 5.0)), spots(np.array([5.0]), np.array([1.0]))
    >>> model = ImageAutoencoder(latent=2, epochs=8, batch_size=32, learning_rate=3e-3, random_state=1).fit(usual)
    >>> bool(model.anomaly_score(unusual)[0] > np.quantile(model.anomaly_score(usual), 0.99))
    True
    """

    scoring_type: ClassVar[Any] = torch.float32
    scoring_rows: ClassVar[int] = 1024

    def __init__(
        self,
        latent: int = 6,
        skips: bool = False,
        widths: Sequence[int] = (8, 16, 16),
        *,
        pixels: str = "sqrt",
        validation_fraction: float = 0.15,
        epochs: int = 20,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        schedule: str = "constant",
        patience: int | None = 5,
        clip_norm: float | None = 1.0,
        device: str = "auto",
        mixed_precision: str = "off",
        progress: bool | None = None,
        checkpoint: Any = None,
        random_state: Any = None,
    ):
        self.latent = latent
        self.skips = skips
        self.widths = widths
        self.pixels = pixels
        self.validation_fraction = validation_fraction
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.patience = patience
        self.clip_norm = clip_norm
        self.device = device
        self.mixed_precision = mixed_precision
        self.progress = progress
        self.checkpoint = checkpoint
        self.random_state = random_state

    def encode(self, X: Any) -> np.ndarray:
        """The numbers in the bottleneck, shape (n_events, latent)."""
        return self._apply(lambda network, batch: network.encoder(batch), X)

    def reconstruct(self, X: Any) -> np.ndarray:
        """What comes out, as the network sees pixels (their root, if so chosen), of the shape of X."""
        found = self._apply(lambda network, batch: network(batch), X) * self.scale_
        return found.reshape(np.shape(X))

    def _network(self) -> Any:
        sizes = [self.latent, *self.widths]
        if len(sizes) != 4 or any(size != int(size) or size < 1 for size in sizes):
            raise ConfigError(
                f"widths must be three positive numbers and latent one, not {self.widths!r} and {self.latent!r}."
            )
        return ImageNetwork(self.image_shape_, self.widths, self.latent, self.skips)

    def _loss(self) -> Any:
        return pixel_error

    def _row_scores(self, network: Any, batch: Any) -> Any:
        return torch.mean((network(batch) - batch) ** 2, dim=(1, 2, 3))

    def _measure(self, X: np.ndarray) -> None:
        if np.ptp(X, axis=0).max() == 0:
            raise ModelInputError(f"all {len(X)} images are the same.", remedy="There is nothing to learn from them.")
        self.mean_, self.scale_ = 0.0, 1.0
        self.scale_ = float(np.sqrt(np.mean(self._scaled(X).astype(np.float64) ** 2)))

    def _scaled(self, X: np.ndarray) -> np.ndarray:
        return (PIXELS[self.pixels](X) / self.scale_).astype(np.float32)

    def _checked(self, X: Any, reset: bool) -> np.ndarray:
        """Images as float32 of shape (n, channels, side, side)."""
        try:
            X = check_array(
                X,
                dtype=np.float32,
                allow_nd=True,
                ensure_2d=False,
                ensure_min_samples=self.min_rows if reset else 1,
                estimator=self,
                input_name="X",
            )
        except ValueError as error:
            raise ModelInputError(" ".join(str(error).split())) from error
        images = X[:, None] if X.ndim == 3 else X
        if images.ndim != 4 or images.shape[2] != images.shape[3] or images.shape[2] < 8:
            raise ModelInputError(
                f"an array of shape {X.shape} holds no images.",
                remedy="Give (n, side, side) or (n, channels, side, side), with a side of at least 8 pixels.",
            )
        self._check_pixels(images)
        if reset:
            self.image_shape_ = images.shape[1:]
            self.n_features_in_ = int(np.prod(self.image_shape_))
        elif images.shape[1:] != tuple(self.image_shape_):
            raise ModelInputError(
                f"the model was fitted to images of shape {tuple(self.image_shape_)}, these have {images.shape[1:]}."
            )
        return images

    def _check_pixels(self, images: np.ndarray) -> None:
        if self.pixels not in PIXELS:
            raise ConfigError(f"there is no choice of pixels {self.pixels!r}.", remedy=f"Use {' or '.join(PIXELS)}.")
        if self.pixels == "sqrt" and images.min() < 0:
            first = int(np.flatnonzero((images < 0).any(axis=(1, 2, 3)))[0])
            raise ModelInputError(
                "holds negative pixels, which have no root.", where=f"image {first}", remedy="Use pixels='raw'."
            )

    def _state(self) -> Any:
        state = super()._state()
        state.plain["image_shape_"] = list(self.image_shape_)
        return state

    def _restore(self, state: Any) -> None:
        self.image_shape_ = tuple(state.plain["image_shape_"])
        super()._restore(state)
        self.mean_, self.scale_ = float(self.mean_), float(self.scale_)
