"""Jet images against a slow per-jet oracle, what must not change them, and the mistakes that the tests would see."""

from __future__ import annotations

import inspect

import awkward as ak
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_oracle import slow_frame, slow_images

from cmslabs.data.download import dataset_path
from cmslabs.data.lhco import read_particles
from cmslabs.data.tables import read_events
from cmslabs.errors import ConfigError, DataError, MissingBranchError, MissingExtraError
from cmslabs.features import compiling, image_frame, images
from cmslabs.features.clustering import cluster_jets
from cmslabs.features.dijets import dijet_table
from cmslabs.features.image_frame import jet_frame
from cmslabs.features.images import CHANNELS, jet_images

pytest.importorskip("numba", reason="needs the extra jets")

SEEDS = st.integers(0, 2**32 - 1)
INVARIANT = ("pt", "log_pt")


def turned(jets: ak.Array, angle: float = 0.0, mirror: bool = False, boost: float = 0.0, around: float = 0.0):
    """The jets turned in the eta-phi plane, mirrored, boosted along the beam and turned around it; phi in (-pi, pi]."""
    hardest = ak.argmax(jets.pt, axis=1, keepdims=True)
    eta0, phi0 = ak.firsts(jets.eta[hardest]), ak.firsts(jets.phi[hardest])
    x, y = jets.eta - eta0, (jets.phi - phi0 + np.pi) % (2 * np.pi) - np.pi
    x = -x if mirror else x
    eta = eta0 + boost + np.cos(angle) * x - np.sin(angle) * y
    phi = phi0 + around + np.sin(angle) * x + np.cos(angle) * y
    return ak.zip({"pt": jets.pt, "eta": eta, "phi": np.pi - (np.pi - phi) % (2 * np.pi)})


def at_the_seam(particles, seed: int = 11) -> ak.Array:
    """Jets whose constituents lie on both ends of the scale of phi."""
    jets = particles(seed, [30, 25, 40, 3, 12] * 4, spread=0.2)
    return turned(jets, around=np.pi - ak.firsts(jets.phi))


# ---- against the oracle


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize(
    ("n_pixels", "half_width", "normalise"), [(32, 1.1, True), (33, 1.1, False), (7, 0.3, True), (1, 0.5, False)]
)
def test_images_are_those_of_the_slow_way(particles, channel, n_pixels, half_width, normalise):
    jets = particles(1, [40, 0, 3, 100, 1, 2, 17], spread=0.3)
    options = {"n_pixels": n_pixels, "half_width": half_width, "channel": channel, "normalise": normalise}
    found = jet_images(jets, **options)
    assert found.dtype == np.float32
    assert found.shape == (7, n_pixels, n_pixels)
    np.testing.assert_allclose(found, slow_images(jets, **options), rtol=1e-5, atol=1e-6)


@given(seed=SEEDS, counts=st.lists(st.integers(0, 40), min_size=1, max_size=5), spread=st.floats(0.01, 0.5))
@settings(max_examples=30, deadline=None)
def test_any_jets_are_those_of_the_slow_way(particles, seed, counts, spread):
    jets = particles(seed, counts, spread=spread)
    np.testing.assert_allclose(jet_images(jets), slow_images(jets), rtol=1e-5, atol=1e-6)


def test_the_bundled_jets_are_those_of_the_slow_way():
    jets = read_events(dataset_path("sim-dijet-constituents")).j1[4950:5050]
    assert str(jets.pt.type.content.content) == "float16"
    for channel in CHANNELS:
        np.testing.assert_allclose(jet_images(jets, channel=channel), slow_images(jets, channel=channel), atol=1e-6)


def test_compiled_loops_give_what_plain_python_gives(particles, monkeypatch):
    jets = particles(2, [20, 0, 1, 30], spread=0.3)
    compiled = {channel: jet_images(jets, channel=channel) for channel in CHANNELS}
    monkeypatch.setattr(image_frame, "_compiled", lambda: image_frame.align)
    monkeypatch.setattr(images, "_compiled", lambda: images.fill)
    for channel in CHANNELS:
        np.testing.assert_allclose(jet_images(jets, channel=channel), compiled[channel], rtol=1e-5, atol=1e-7)


# ---- what must not change an image, and what must


@given(seed=SEEDS, angle=st.floats(-7, 7), mirror=st.booleans(), around=st.floats(-7, 7))
@settings(max_examples=30, deadline=None)
def test_turning_and_mirroring_a_jet_changes_nothing(particles, seed, angle, mirror, around):
    jets = particles(seed, [30, 12, 60, 3], spread=0.25)
    moved = turned(jets, angle, mirror, around=around)
    for channel in INVARIANT:
        np.testing.assert_allclose(jet_images(moved, channel=channel), jet_images(jets, channel=channel), atol=1e-6)


@given(seed=SEEDS, boost=st.floats(-3, 3))
@settings(max_examples=20, deadline=None)
def test_a_boost_along_the_beam_leaves_the_pt_channels_alone(particles, seed, boost):
    jets = particles(seed, [30, 12], spread=0.25)
    moved = turned(jets, boost=boost)
    for channel in INVARIANT:
        np.testing.assert_allclose(jet_images(moved, channel=channel), jet_images(jets, channel=channel), atol=1e-6)


def test_a_boost_along_the_beam_changes_the_energy_channel(particles):
    jets = turned(particles(12, [30] * 20, spread=0.25))
    central = turned(jets, boost=-ak.mean(jets.eta, axis=1))
    before, after = (jet_images(turned(central, boost=boost), channel="energy") for boost in (0.0, 1.5))
    # The share of the energy that moves to another pixel, although the jets are the same.
    assert np.abs(after - before).sum(axis=(1, 2)).min() / 2 > 0.03


@given(seed=SEEDS, factor=st.floats(0.01, 100))
@settings(max_examples=12, deadline=None)
def test_a_harder_jet_has_the_same_normalised_image(particles, seed, factor):
    jets = particles(seed, [30, 12], spread=0.25)
    harder = ak.with_field(jets, jets.pt * factor, "pt")
    np.testing.assert_allclose(jet_images(harder), jet_images(jets), atol=1e-6)
    np.testing.assert_allclose(
        jet_images(harder, normalise=False), factor * jet_images(jets, normalise=False), rtol=1e-5
    )


def test_the_order_of_the_constituents_does_not_matter(particles):
    jets = particles(3, [30, 12], spread=0.25)
    np.testing.assert_allclose(jet_images(jets[:, ::-1]), jet_images(jets), atol=1e-7)


# ---- the frame


def test_the_frame_keeps_its_promises(particles):
    jets = particles(4, [30, 12, 60, 2], spread=0.25)
    frame = jet_frame(jets)
    assert frame.pt.to_list() == jets.pt.to_list()
    total = ak.sum(frame.pt, axis=1)
    for name in ("x", "y"):
        assert np.abs(ak.sum(frame.pt * frame[name], axis=1) / total).to_numpy().max() < 1e-9
        assert ak.all(ak.sum(frame.pt * np.sign(frame[name]), axis=1) >= 0)
    assert np.abs(ak.sum(frame.pt * frame.x * frame.y, axis=1) / total).to_numpy().max() < 1e-9
    assert ak.all(ak.sum(frame.pt * frame.y**2, axis=1) >= ak.sum(frame.pt * frame.x**2, axis=1))


def test_each_step_can_be_left_out(particles):
    jets = particles(5, [30, 12], spread=0.2)
    centred = jet_frame(jets, rotate=False, flip=False)
    for jet, frame in zip(jets.to_list(), centred.to_list(), strict=True):
        eta, x = (np.array([c[n] for c in rows]) for n, rows in (("eta", jet), ("x", frame)))
        np.testing.assert_allclose(eta - x, (eta - x)[0], atol=1e-9)
    for jet, frame in zip(jets.to_list(), jet_frame(jets).to_list(), strict=True):
        x, y, _ = slow_frame(jet)
        np.testing.assert_allclose([c["x"] for c in frame], x, atol=1e-9)
        np.testing.assert_allclose([c["y"] for c in frame], y, atol=1e-9)
    unflipped = jet_frame(jets, flip=False)
    np.testing.assert_allclose(*(abs(ak.to_numpy(ak.flatten(f.x))) for f in (unflipped, jet_frame(jets))), atol=1e-9)
    assert not np.allclose(jet_images(jets, rotate=False), jet_images(jets), atol=1e-3)


# ---- few constituents, padding, the border


def test_jets_of_nothing_and_of_one_constituent():
    one = {"pt": 50.0, "eta": 1.3, "phi": -2.0}
    found = jet_images(ak.Array([[], [one], [one, one]]), n_pixels=4)
    assert found[0].tolist() == np.zeros((4, 4)).tolist()
    expected = np.zeros((4, 4))
    expected[2, 2] = 1
    assert found[1:].tolist() == [expected.tolist()] * 2
    assert jet_images(ak.Array([[one]])[:0]).shape == (0, 32, 32)


@given(seed=SEEDS, angle=st.floats(-7, 7), around=st.floats(-7, 7))
@settings(max_examples=30, deadline=None)
def test_two_constituents_lie_on_the_axis_whatever_rounding_does(particles, seed, angle, around):
    jets = particles(seed, [2, 1], spread=0.2)
    for n_pixels in (32, 33):
        found = jet_images(turned(jets, angle, around=around), n_pixels=n_pixels)
        assert found.sum(axis=1)[:, n_pixels // 2].tolist() == pytest.approx([1, 1])


def test_padding_is_no_constituent(particles):
    jets = particles(6, [5, 5], spread=0.3)
    zeros = ak.zip({name: np.zeros((2, 3)) for name in ("pt", "eta", "phi")})
    padded = ak.concatenate([zeros, jets, zeros], axis=1)
    assert jet_images(padded).tolist() == jet_images(jets).tolist()
    columns = {name: ak.to_numpy(padded[name]).astype(np.float32) for name in padded.fields}
    np.testing.assert_allclose(jet_images(ak.zip(columns)), jet_images(jets), atol=1e-4)


def test_what_is_outside_the_frame_is_left_out():
    jet = [{"pt": 90.0, "eta": 0.0, "phi": 0.0}, {"pt": 10.0, "eta": 0.0, "phi": 2.0}]
    inside = jet_images(ak.Array([jet]), half_width=2.0, normalise=False)
    outside = jet_images(ak.Array([jet]), half_width=1.1, normalise=False)
    assert inside.sum() == pytest.approx(100)
    assert outside.sum() == pytest.approx(90)
    assert jet_images(ak.Array([jet]), half_width=1.1).sum() == pytest.approx(1)
    assert jet_images(ak.Array([jet]), half_width=0.1).sum() == 0


def test_borders_belong_to_the_upper_pixel():
    jet = [{"pt": 1.0, "eta": 0.0, "phi": p} for p in (-1.0, -0.5, 0.5, 1.0)]
    rows = jet_images(ak.Array([jet]), n_pixels=4, half_width=1.0, normalise=False)[0, :, 2]
    # The two outermost lie on the edges of the image: the lower one is inside, the upper one outside.
    assert rows.tolist() == [1, 1, 0, 1]


# ---- mistakes

FAULTS = {
    "phi is not wrapped": ("y[i] -= 2 * np.pi * np.round(y[i] / (2 * np.pi))", "y[i] -= 0.0"),
    "the axis is not weighted with pT": ("mean_x += pt[i] * x[i]", "mean_x += x[i] * total / (i + 1 - first)"),
    "turned the wrong way": ("np.arctan2(-2 * xy, yy - xx)", "np.arctan2(2 * xy, yy - xx)"),
    "the short side is up": ("np.arctan2(-2 * xy, yy - xx)", "np.arctan2(2 * xy, xx - yy)"),
    "y is turned with the new x": (
        "x[i], y[i] = cos * x[i] + sin * y[i], cos * y[i] - sin * x[i]",
        "x[i] = cos * x[i] + sin * y[i]; y[i] = cos * y[i] - sin * x[i]",
    ),
    "not flipped up": ("if flip and up < 0:", "if False:"),
    "flipped by the number of constituents": ("right += pt[i] * np.sign(x[i])", "right += np.sign(x[i])"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(particles, monkeypatch, fault):
    jets = at_the_seam(particles)
    np.testing.assert_allclose(jet_images(jets), slow_images(jets), atol=1e-6)
    right, wrong = FAULTS[fault]
    source = inspect.getsource(image_frame.align)
    assert source.count(right) == 1
    names = {"np": np}
    exec(source.replace(right, wrong), names)
    monkeypatch.setattr(image_frame, "_compiled", lambda: names["align"])
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(jet_images(jets), slow_images(jets), atol=1e-6)


def test_bad_input_is_refused(particles):
    jets = particles(7, [10, 4], spread=0.3)
    for options in ({"n_pixels": 0}, {"n_pixels": 3.5}, {"half_width": 0.0}, {"half_width": np.inf}):
        with pytest.raises(ConfigError, match="cannot draw images"):
            jet_images(jets, **options)
    with pytest.raises(ConfigError, match=r"no channel 'logpt'.*log_pt"):
        jet_images(jets, channel="logpt")
    rows = jets.to_list()
    rows[1][3]["phi"] = np.nan
    with pytest.raises(DataError, match=r"jet 1, particle 3.*phi = nan"):
        jet_images(ak.Array(rows))
    with pytest.raises(MissingBranchError, match="eta"):
        jet_images(jets[["pt", "phi"]])
    with pytest.raises(DataError, match="3 levels"):
        jet_images(ak.unflatten(jets, [1, 1]))


def test_without_numba_the_extra_is_named(particles, monkeypatch):
    def missing(name, extra):
        raise MissingExtraError(f"this needs the package '{name}'", remedy=f'pip install "cmslabs[{extra}]"')

    jets = particles(7, [10], spread=0.3)
    monkeypatch.setattr(compiling, "require", missing)
    for module in (image_frame, images):
        monkeypatch.setattr(module, "_compiled", module._compiled.__wrapped__)
    with pytest.raises(MissingExtraError, match=r"'numba'.*cmslabs\[jets\]"):
        jet_images(jets)


# ---- real input


def test_the_real_file_needs_no_special_case(real_data):
    pytest.importorskip("fastjet", reason="needs the extra jets")
    events = read_particles(real_data / "lhco" / "events_anomalydetection_tiny.h5", stop=400)
    jets = cluster_jets(events.particles)
    table = dijet_table(events, jets=jets)
    for number in (0, 1):
        constituents = jets.constituents[:, number]
        for channel in CHANNELS:
            found = jet_images(constituents, channel=channel)
            np.testing.assert_allclose(found.sum(axis=(1, 2)), 1, rtol=1e-5)
            np.testing.assert_allclose(found[:30], slow_images(constituents[:30], channel=channel), atol=1e-6)
        # Nearly all of the momentum is inside of the frame, as its documentation says.
        inside = jet_images(constituents, normalise=False).sum(axis=(1, 2))
        assert np.mean(inside / ak.to_numpy(ak.sum(constituents.pt, axis=1))) > 0.995
        assert table[f"nconstj{number + 1}"].tolist() == ak.num(constituents).tolist()
    # The two quarks of the signal's heavier jet are far apart: it is longer than jets of the background.
    heavier = (table["mj2"] > table["mj1"]).to_numpy().astype(int)
    frame = jet_frame(jets.constituents[np.arange(len(jets)), heavier])
    weight = frame.pt / ak.sum(frame.pt, axis=1)
    length = ak.to_numpy(np.sqrt(ak.sum(weight * frame.y**2, axis=1)))
    signal = ak.to_numpy(events.label) == 1
    assert np.median(length[signal]) > 1.2 * np.median(length[~signal])
