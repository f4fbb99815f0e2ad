"""Errors say what, where and what to do; they survive pickling; a missing extra names its command."""

import copy
import pickle
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmslabs import errors
from cmslabs.errors import (
    CheckFailed,
    CmslabsError,
    DataError,
    MissingBranchError,
    MissingExtraError,
    close_names,
    require,
)

ALL = [getattr(errors, name) for name in errors.__all__ if isinstance(getattr(errors, name), type)]
TEXT = st.text(min_size=1)


@pytest.mark.parametrize("kind", ALL)
@given(what=TEXT, where=st.none() | TEXT, remedy=st.none() | TEXT)
def test_an_error_comes_home_from_a_worker_as_it_was(kind, what, where, remedy):
    error = kind(what, where=where, remedy=remedy)
    for back in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(back) is kind
        assert (back.what, back.where, back.remedy, str(back)) == (what, where, remedy, str(error))


def test_what_it_says():
    assert str(DataError("is cut.")) == "is cut."
    assert str(DataError("is cut.", where="a.root", remedy="Fetch it.")) == "a.root: is cut. Fetch it."
    assert str(DataError("is cut.", remedy="Fetch it.")) == "is cut. Fetch it."


def test_families():
    assert {kind.exit_code for kind in ALL if kind is not CheckFailed} == {2}
    assert CheckFailed.exit_code == 1
    assert all(issubclass(kind, CmslabsError) for kind in ALL)
    assert issubclass(MissingBranchError, DataError)
    assert issubclass(MissingExtraError, ImportError)


def test_close_names():
    known = ["Muon_pt", "Muon_eta", "nMuon", "MET_pt"]
    assert close_names("muon_PT", known)[0] == "Muon_pt"
    assert close_names("Muon_pt ", known, n=1) == ["Muon_pt"]
    assert close_names("qqqqq", known) == []
    assert close_names("x", []) == []
    assert set(close_names("A", ["a", "A"])) == {"a", "A"}


@given(TEXT, st.lists(TEXT, max_size=8), st.integers(1, 4))
def test_close_names_are_known_names(name, known, n):
    found = close_names(name, known, n=n)
    assert len(found) <= n
    assert set(found) <= set(known)
    if name in known and n >= 4 and known.count(name) == len(known):
        assert found[0] == name


def test_require_gives_the_module():
    assert require("json", "jets").dumps([1]) == "[1]"


def test_require_names_the_extra():
    with pytest.raises(MissingExtraError, match=r"package 'no_such_package_x'.*pip install \"cmslabs\[jets\]\""):
        require("no_such_package_x", "jets")
    with pytest.raises(ImportError):
        require("no_such_package_x.inner", "jets")


def test_require_does_not_hide_what_a_module_lacks_itself(tmp_path, monkeypatch):
    (tmp_path / "half_installed_x.py").write_text("import no_such_dependency_x")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency_x") as caught:
        require("half_installed_x", "jets")
    assert not isinstance(caught.value, MissingExtraError)


def test_require_looks_for_the_inner_module_too(monkeypatch):
    monkeypatch.setitem(sys.modules, "outer_x", types.ModuleType("outer_x"))
    with pytest.raises(MissingExtraError, match=r"'outer_x\.inner'.*cmslabs\[cms\]"):
        require("outer_x.inner", "cms")
