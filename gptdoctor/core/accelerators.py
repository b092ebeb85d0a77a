"""What a machine may lack that a model is written for: devices, and packages that drive them."""

from __future__ import annotations

import re

# Import names of packages that exist for an accelerator, with the names they are installed by.
_PACKAGES = {
    "apex": "apex",
    "bitsandbytes": "bitsandbytes",
    "causal_conv1d": "causal-conv1d",
    "cuda": "cuda-python",
    "cupy": "cupy",
    "deep_ep": "deep-ep",
    "deep_gemm": "deep-gemm",
    "deepspeed": "deepspeed",
    "fla": "flash-linear-attention",
    "flash_attn": "flash-attn",
    "flash_attn_interface": "flash-attn",
    "flash_mla": "flash-mla",
    "flashinfer": "flashinfer",
    "grouped_gemm": "grouped-gemm",
    "habana_frameworks": "habana-torch-plugin",
    "liger_kernel": "liger-kernel",
    "mamba_ssm": "mamba-ssm",
    "megablocks": "megablocks",
    "natten": "natten",
    "pycuda": "pycuda",
    "sageattention": "sageattention",
    "selective_scan_cuda": "mamba-ssm",
    "tilelang": "tilelang",
    "torch_npu": "torch-npu",
    "torch_xla": "torch-xla",
    "transformer_engine": "transformer-engine",
    "triton": "triton",
    "xformers": "xformers",
}
# Packages whose decorators make something else of a function than the function: a kernel.
KERNEL_MAKERS = frozenset({"triton", "cupy", "tilelang", "pycuda", "cuda", "numba", "jax"})
# What torch, its extensions and its drivers say where the device is not there.
_DEVICES = (
    (
        "CUDA",
        r"Torch not compiled with CUDA|No CUDA GPUs|[Nn]o (?:CUDA|NVIDIA)[- ]|NVIDIA driver"
        r"|CUDA_HOME|CUDA_PATH|libcud(?:a|art|nn)|libnvrtc|nvcc|no CUDA-capable device"
        r"|CUDA (?:driver|runtime|initialization|error|is not available)"
        r"|torch\.cuda\.is_available\(\) is False|0 active drivers",
    ),
    ("an accelerator", r"Cannot access accelerator device"),
    ("MPS", r"MPS backend is not|not linked with support for mps|MPS is not available"),
    ("ROCm", r"ROCM_HOME|No HIP GPUs|libamdhip"),
    ("XPU", r"compiled with XPU|XPU device|libze_loader"),
    ("a compiler for extensions", r"Ninja is required|Error building extension"),
)
_TABLE = tuple((name, re.compile(pattern)) for name, pattern in _DEVICES)
# A demand in the words of the user's own: "this model needs a GPU".
_DEMAND = re.compile(
    r"(?:requires?|needs?|must|only|without|no|not)\b.*\b(?:CUDA|GPUs?|NVIDIA|triton|TPU|NPU)\b"
    r"|\b(?:CUDA|GPUs?|TPU|NPU)\b.*(?:required|needed|available|found|only)",
    re.IGNORECASE | re.DOTALL,
)


def package_of(module: str) -> str | None:
    """The accelerator's package that would bring `module`, by the name it is installed by."""
    return _PACKAGES.get(module.partition(".")[0])


def device_in(message: str) -> str | None:
    """The device that an error's text says is missing: "CUDA"."""
    return next((name for name, pattern in _TABLE if pattern.search(message)), None)


def demanded_in(message: str) -> str | None:
    """The same, or the demand for one in an error that the user's own code raises."""
    return device_in(message) or ("CUDA" if _DEMAND.search(message) else None)
