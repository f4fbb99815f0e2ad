"""Planted faults: a function of the package, rewritten with one mistake in it."""

from __future__ import annotations

import inspect
import sys
import textwrap


def plant(monkeypatch, function, right, wrong):
    """Replace `right` by `wrong` in the function's source, and the function by that, wherever it was imported.

    The text must stand there once: a fault that is not planted proves nothing.
    """
    function = inspect.unwrap(function)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(right) == 1, f"'{right}' stands {source.count(right)} times in {function.__name__}"
    namespace = vars(sys.modules[function.__module__])
    made = {}
    code = compile("from __future__ import annotations\n" + source.replace(right, wrong), "<planted fault>", "exec")
    exec(code, namespace, made)
    (mutant,) = (value for name, value in made.items() if name == function.__name__)
    for module in list(sys.modules.values()):
        there = vars(module).get(function.__name__)
        if callable(there) and not inspect.isclass(there) and inspect.unwrap(there) is function:
            monkeypatch.setattr(module, function.__name__, mutant)
