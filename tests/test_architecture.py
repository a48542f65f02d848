"""The rules of the house, each with its proof."""

import subprocess
import sys
import time
from pathlib import Path

import neurosim

ROOT = Path(__file__).resolve().parent.parent


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_loads_nothing_heavy():
    heavy = "('torch', 'snntorch', 'brian2', 'matplotlib', 'xarray', 'scipy')"
    assert run(f"import sys, neurosim; print([m for m in {heavy} if m in sys.modules])").strip() == "[]"


def test_comparing_data_loads_neither_torch_nor_brian2_nor_matplotlib():
    code = (
        "import sys, neurosim as ns; ns.compute_rdm, ns.infer, ns.load_responses, ns.synthetic_brain;"
        "print([m for m in ('torch', 'brian2', 'matplotlib') if m in sys.modules])"
    )
    assert run(code).strip() == "[]"


def test_every_public_name_resolves_and_is_in_the_stub():
    stub = (Path(neurosim.__file__).parent / "__init__.pyi").read_text()
    for name in neurosim.__all__:
        assert getattr(neurosim, name) is not None
        assert name in stub


def test_import_and_help_are_quick():
    """Asked: import under 0.3 s, help under 0.6 s. Gated at ten times that, so that a busy machine is no failure."""
    for code, limit in (("import neurosim", 3.0), ("import neurosim.cli", 6.0)):
        started = time.perf_counter()
        run(code)
        assert time.perf_counter() - started < limit


def test_unknown_public_name_is_named():
    try:
        neurosim.compute_rsm  # noqa: B018
    except AttributeError as error:
        assert "compute_rsm" in str(error)
    else:
        raise AssertionError("an unknown name was found")


def test_import_contracts_hold():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_nothing_is_unpickled_or_evaluated():
    forbidden = ("pickle.load", "allow_pickle=True", "weights_only=False", " eval(", " exec(")
    for path in (ROOT / "neurosim").rglob("*.py"):
        text = path.read_text()
        assert not [f for f in forbidden if f in text], path
