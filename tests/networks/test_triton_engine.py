"""The Triton kernels give what plain torch gives, in the interpreter, and compile for GPUs that are not here."""

import os
import re
import subprocess
import sys

import pytest

triton = pytest.importorskip("triton")

from neurosim.networks.spiking.triton_engine import block_of  # noqa: E402


def test_every_answer_and_gradient_is_that_of_plain_torch_in_the_interpreter():
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    command = [sys.executable, "-m", "tests.networks.interpreted_triton"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.strip() == "equal", done.stderr[-2000:]


COMPILED = """
import sys
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from neurosim.networks.spiking import triton_kernels

WHOLE = ("start", "steps", "lanes", "units", "stride")
COMMON = {"RESET": 0, "CURRENT": True, "ADAPTS": True, "ROWS": 0, "CHUNK": 16, "BLOCK": 1024, "EACH": 1}
OWN = {
    "forward": {"KEEP": 2, "TRACES": 7},
    "backward": {"SLOPE": 2.0, "SURROGATE": 0, "WATCHED": True, "ARRIVES": True, "WANTED": 31},
}
for name, own in OWN.items():
    kernel, constants = getattr(triton_kernels, name), COMMON | own
    numbers = ("threshold", "alpha", "rho", "rise")
    kinds = {n: "constexpr" if n in constants else "i32" if n in WHOLE else "fp32" if n in numbers else "*fp32"
             for n in kernel.arg_names} | {"distance": "*fp16"}
    index = kernel.arg_names.index
    known = {(index(n),): [["tt.divisibility", 16]] for n, k in kinds.items() if "*" in k or n in ("lanes", "stride")}
    source = ASTSource(kernel, kinds, {(index(n),): v for n, v in constants.items()}, known)
    found = compile(source, GPUTarget("cuda", 80, 32), {"num_warps": 8, "enable_fp_fusion": False})
    print(found.asm["ptx"])
"""


def test_kernels_compile_for_a_gpu_without_fused_additions_and_read_four_numbers_at_once(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"} | {"TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", COMPILED]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.count(".entry") == 2, done.stderr[-2000:]
    assert "fma.rn" not in done.stdout and re.search(r"ld\.global\.v4", done.stdout)


@pytest.mark.parametrize(
    ("lanes", "processors", "block"),
    [(1, 132, 64), (4096, 132, 64), (65536, 132, 64), (2**20, 132, 1024), (300, 1, 64)],
)
def test_programs_are_as_large_as_leaves_all_multiprocessors_busy(lanes, processors, block):
    assert block_of(lanes, processors) == block
