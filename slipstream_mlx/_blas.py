"""Put Intel's MKL in the place of MLX's BLAS on x86-64 Linux, quietly, if it is installed.

MLX's Linux wheel links the reference BLAS (about 4 GFLOPS on two cores). The dynamic linker uses the first
definition of `sgemm` it has seen, so loading MKL with RTLD_GLOBAL *before* `mlx.core` makes every matrix product
on the CPU use it: 250 GFLOPS on the same two cores. macOS has Accelerate and needs nothing.
"""

import contextlib
import ctypes
import os
import platform
import sys
from importlib import metadata

_mkl: ctypes.CDLL | None = None
_cores = os.cpu_count() or 1  # MKL knows better: the cores that this process may use


def load_mkl() -> bool:
    """Load libmkl_rt if this is x86-64 Linux, MKL is installed and MLX is not yet imported. True if it was."""
    global _mkl, _cores
    if sys.platform != "linux" or platform.machine() != "x86_64" or "mlx.core" in sys.modules:
        return False
    with contextlib.suppress(metadata.PackageNotFoundError, OSError):
        for path in metadata.files("mkl") or ():
            if path.name.startswith("libmkl_rt.so"):
                _mkl = ctypes.CDLL(str(path.locate()), mode=ctypes.RTLD_GLOBAL)
                _cores = _mkl.MKL_Get_Max_Threads()
                return True
    return False


def share_cores(lanes: int) -> int:
    """Leave room for so many matrix products at once, each on its share of the cores. Returns how many there can be."""
    lanes = min(lanes, _cores)
    if _mkl:
        _mkl.MKL_Set_Num_Threads(_cores // lanes)
    return lanes
