"""scikit-learn's own checks of estimators, for every model that takes a table."""

from __future__ import annotations

import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning, SkipTestWarning
from sklearn.utils.estimator_checks import check_estimator

from cmslabs.models.registry import MODELS, make_model

#: The checks use tables without names, of 10 to 40 rows and sometimes of two columns: what fits them.
PARAMETERS = {
    "tau21-sum": {"columns": (0,)},
    "pca": {"n_components": 1},
    "isolation-forest": {"n_estimators": 10},
    "gaussian-mixture": {"n_components": 1},
    "boosted-trees": {"max_iter": 5},
    "ensemble": {"n_members": 2, "parameters": {"n_estimators": 10}},
}
#: Networks have their own tests; these checks fit dozens of times.
NETWORKS = {"autoencoder", "vae", "image-autoencoder", "flow"}
#: Check -> why a model may fail it.  None does.
EXPECTED_FAILURES: dict[str, dict[str, str]] = {}
#: Not run by scikit-learn itself unless an environment variable is set.
SKIPPED = {"check_array_api_input", "check_array_api_input_and_values"}


@pytest.mark.parametrize("name", sorted(set(MODELS) - NETWORKS))
def test_estimator_checks(name):
    model = make_model(name, **PARAMETERS.get(name, {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        results = check_estimator(model, expected_failed_checks=EXPECTED_FAILURES.get(name, {}), on_fail=None)
    outcomes = {result["check_name"]: (result["status"], result["exception"]) for result in results}
    bad = {check: outcome for check, outcome in outcomes.items() if outcome[0] not in ("passed", "xfail")}
    assert {check: str(outcome) for check, outcome in bad.items() if check not in SKIPPED} == {}
    assert len(outcomes) > 25


def test_a_bad_estimator_would_be_noticed():
    """The checks can fail: with two components in tables of two columns a PCA has nothing left over."""
    with pytest.raises(ValueError, match="leaves nothing over"):
        check_estimator(make_model("pca", n_components=2), on_skip=None)
