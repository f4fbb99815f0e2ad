"""Truths, secrets and commitments: fair, hidden until they are opened, and impossible to change afterwards."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, kstest

from cmslabs.errors import ConfigError, DataError
from cmslabs.simulation import box_secret, box_truth
from cmslabs.simulation.box_secret import is_guessable, secret_key, stream, stream_seed
from cmslabs.simulation.box_truth import (
    KINDS,
    Statement,
    Truth,
    check_statement,
    commitment,
    possible_truths,
    read_statement,
    statement_of,
    write_statement,
)


@pytest.fixture(scope="module", autouse=True)
def quick_keys():
    """A cheap scrypt: many secrets are tried here, and what follows from a key does not depend on its price."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(box_secret.SCRYPT, "n", 2)
        box_secret._scrypt.cache_clear()
        yield
    box_secret._scrypt.cache_clear()


@pytest.fixture(scope="module")
def truths(quick_keys) -> list[Truth]:
    """Of many secrets that differ in one digit."""
    return [box_truth.box_truth(f"secret number {number}") for number in range(3000)]


def test_the_kinds_have_equal_chance(truths):
    counts = np.array([sum(truth.kind == kind for truth in truths) for kind in KINDS])
    statistic = np.sum((counts - 1000.0) ** 2 / 1000.0)
    assert chi2.sf(statistic, 2) > 0.001, counts


def test_the_masses_are_new_and_uniform(truths):
    signals = [truth for truth in truths if truth.kind == "wprime"]
    mass = np.array([truth.mass for truth in signals])
    low, high = (mass >= 3000) & (mass <= 3300), (mass >= 3700) & (mass <= 4300)
    assert np.all(low | high)
    assert abs(low.mean() - 1 / 3) < 4 * np.sqrt(2 / 9 / len(mass))
    # Put together, the two ranges are 900 GeV long.
    assert kstest(np.where(low, mass - 3000, mass - 3400) / 900, "uniform").pvalue > 0.001
    for name, least, most in (("mass_x", 250, 420), ("mass_y", 130, 220), ("share", 0.03, 0.05)):
        values = np.array([getattr(truth, name) for truth in signals])
        assert kstest((values - least) / (most - least), "uniform").pvalue > 0.001, name


def test_hot_cells_are_towers_where_the_jets_are(truths):
    cells = [truth for truth in truths if truth.kind == "hot-cell"]
    eta, phi = np.array([truth.eta for truth in cells]), np.array([truth.phi for truth in cells])
    assert np.all(np.abs(eta) < 2)
    np.testing.assert_allclose(eta / 0.087 % 1, 0.5, atol=2e-3)
    np.testing.assert_allclose((phi + np.pi) / (2 * np.pi / 72) % 1, 0.5, atol=2e-3)
    assert abs(eta.mean()) < 4 * eta.std() / np.sqrt(len(eta))
    assert len(set(phi)) == 72
    assert all(150 <= truth.pt <= 250 and 0.02 <= truth.share <= 0.03 for truth in cells)


def test_the_kind_does_not_follow_from_the_other_draws(truths):
    """All three truths of a secret exist; which one is taken has nothing to do with what they say."""
    drawn = [possible_truths(f"secret number {number}") for number in range(1500)]
    mass = np.array([truth["wprime"].mass for truth in drawn])
    is_signal = np.array([truth.is_signal for truth in truths[:1500]])
    assert abs(np.corrcoef(mass, is_signal)[0, 1]) < 4 / np.sqrt(1500)


def test_streams_have_nothing_to_do_with_each_other():
    key = secret_key("three red herrings")
    seeds = {stream_seed(key, purpose) for purpose in ("background", "wprime events", "hot-cell events")}
    assert len(seeds) == 3
    assert all(0 <= seed < 2**63 for seed in seeds)
    one, two = (stream(key, purpose).random(2000) for purpose in ("kind", "order"))
    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / np.sqrt(2000)
    assert stream(key, "kind").random() == one[0]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=60).filter(lambda text: text.strip()))
def test_any_text_is_a_secret_and_decides_everything(secret):
    statement = statement_of(secret)
    assert statement == statement_of(secret)
    assert statement == statement_of(f"  {secret} ")
    assert statement.truth == box_truth.box_truth(secret)
    assert check_statement(statement, commitment(statement))
    assert statement.truth.describe().endswith(".")


def test_the_same_word_in_another_unicode_form_is_the_same_secret():
    assert statement_of("Schr\u00f6dinger's cat") == statement_of("Schro\u0308dinger's cat")


@pytest.mark.parametrize("secret", ["", "  ", "\n"])
def test_an_empty_secret_is_refused(secret):
    with pytest.raises(ConfigError, match="secret is empty"):
        secret_key(secret)


def test_short_secrets_are_called_guessable():
    assert is_guessable("123456789ab")
    assert is_guessable("   123456   ")
    assert not is_guessable("123456789abc")


def test_the_real_price_of_a_guess():
    """scrypt as it is used: RFC 7914 with 16 MB, checked against OpenSSL called by hand."""
    parameters = {"salt": b"cmslabs sealed box 1", "n": 2**14, "r": 8, "p": 1, "dklen": 32}
    wanted = hashlib.scrypt(b"three red herrings", **parameters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(box_secret.SCRYPT, "n", 2**14)
        box_secret._scrypt.cache_clear()
        assert secret_key("three red herrings") == wanted
    box_secret._scrypt.cache_clear()


def test_the_commitment_can_be_checked_without_our_code(tmp_path):
    statement = statement_of("three red herrings")
    write_statement(tmp_path / "statement.json", statement)
    content = json.loads((tmp_path / "statement.json").read_text())
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == commitment(statement)


def test_statements_come_back_as_they_were(tmp_path):
    for number in range(12):
        statement = statement_of(f"secret number {number}")
        write_statement(tmp_path / "statement.json", statement)
        assert read_statement(tmp_path / "statement.json") == statement


def test_equal_truths_have_different_commitments(truths):
    """The salt keeps two empty boxes apart: else their commitments would be the same and known to all."""
    empty = [number for number in range(60) if truths[number].kind == "nothing"]
    assert len({commitment(statement_of(f"secret number {number}")) for number in empty}) == len(empty) > 10


WPRIME = Truth(kind="wprime", mass=3000, mass_x=300, mass_y=150, share=0.04)


@pytest.mark.parametrize(
    "other",
    [
        Truth(kind="nothing"),
        WPRIME.model_copy(update={"mass": 3001.0}),
        WPRIME.model_copy(update={"share": 0.0401}),
        Truth(kind="hot-cell", eta=0.1, phi=0.0, pt=200, share=0.02),
    ],
)
def test_a_tampered_statement_does_not_fit(other):
    salt = 16 * "a1"
    mark = commitment(Statement(truth=WPRIME, salt=salt))
    assert check_statement(Statement(truth=WPRIME, salt=salt), mark.upper() + "\n")
    assert not check_statement(Statement(truth=other, salt=salt), mark)
    assert not check_statement(Statement(truth=WPRIME, salt=16 * "a2"), mark)


@pytest.mark.parametrize("mark", ["", "abc", 64 * "g", 63 * "0", "statement.json"])
def test_what_is_no_commitment_is_refused(mark):
    with pytest.raises(ConfigError, match="is no commitment"):
        check_statement(statement_of("x"), mark)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "is no statement"),
        ("{", "not valid JSON"),
        ('{"truth": {"kind": "nothing"}}', "salt: this key is required"),
        ('{"truth": {"kind": "nothing"}, "salt": "xyz"}', "salt"),
        ('{"truth": {"kind": "black hole"}, "salt": "%s"}' % (32 * "0"), "truth.kind"),
        ('{"truth": {"kind": "nothing", "mass": 3000}, "salt": "%s"}' % (32 * "0"), "described by nothing else"),
        ('{"truth": {"kind": "wprime", "mass": 3000}, "salt": "%s"}' % (32 * "0"), "mass, mass_x, mass_y, share"),
        (
            '{"truth": {"kind": "wprime", "mass": NaN, "mass_x": 1, "mass_y": 1, "share": 0.1}, "salt": "%s"}'
            % (32 * "0"),
            "mass",
        ),
    ],
)
def test_files_that_are_no_statement_are_refused(tmp_path, content, reason):
    path = tmp_path / "statement.json"
    path.write_text(content)
    with pytest.raises(DataError, match=reason):
        read_statement(path)
    with pytest.raises(DataError, match="no such file"):
        read_statement(tmp_path / "missing.json")


def test_descriptions_say_what_matters():
    assert "3000 GeV" in WPRIME.describe()
    assert "4.0 %" in WPRIME.describe()
    cell = Truth(kind="hot-cell", eta=-1.2, phi=0.5, pt=200, share=0.02)
    assert "no new particle" in cell.describe()
    assert "eta = -1.20" in cell.describe()
    assert [truth.is_signal for truth in (WPRIME, cell, Truth(kind="nothing"))] == [True, False, False]
