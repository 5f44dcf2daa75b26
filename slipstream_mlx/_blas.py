"""Put Intel's MKL in the place of MLX's BLAS on x86-64 Linux, quietly, if it is installed.

MLX's Linux wheel links the reference BLAS (about 4 GFLOPS on two cores). The dynamic linker uses the first
definition of `sgemm` it has seen, so loading MKL with RTLD_GLOBAL *before* `mlx.core` makes every matrix product
on the CPU use it: 250 GFLOPS on the same two cores. macOS has Accelerate and needs nothing.
"""

import contextlib
import ctypes
import platform
import sys
from importlib import metadata


def load_mkl() -> bool:
    """Load libmkl_rt if this is x86-64 Linux, MKL is installed and MLX is not yet imported. True if it was."""
    if sys.platform != "linux" or platform.machine() != "x86_64" or "mlx.core" in sys.modules:
        return False
    with contextlib.suppress(metadata.PackageNotFoundError, OSError):
        for path in metadata.files("mkl") or ():
            if path.name.startswith("libmkl_rt.so"):
                ctypes.CDLL(str(path.locate()), mode=ctypes.RTLD_GLOBAL)
                return True
    return False
