"""Quantization in PyTorch: the bits of `golden` on any device, and models that compute with them.

Fake quantizers return what the machine would compute with; their gradient is that of the identity
(a straight-through estimator).
"""

from golden.torch.attention import QuantizedAttention
from golden.torch.bound import fake_bound
from golden.torch.codes import TorchMXTensor, apply_policy, quantize
from golden.torch.convert import meters, quantize_, restore_, set_mode
from golden.torch.fake import fake_quantize, fake_quantize_policy
from golden.torch.files import load_quantized, save_quantized
from golden.torch.linear import QuantizedLinear
from golden.torch.meter import Clock, Meter
from golden.torch.mx_scheme import MXScheme, TimestepScheme
from golden.torch.policies import ModelPolicy, mixdit, uniform
from golden.torch.scheme import Scheme
from golden.torch.shared_input import SharedInput
from golden.torch.site import NotQuantized, Site
from golden.torch.sites import find_sites, find_unquantized

__all__ = [
    "Clock",
    "MXScheme",
    "Meter",
    "ModelPolicy",
    "NotQuantized",
    "QuantizedAttention",
    "QuantizedLinear",
    "Scheme",
    "SharedInput",
    "Site",
    "TimestepScheme",
    "TorchMXTensor",
    "apply_policy",
    "fake_bound",
    "fake_quantize",
    "fake_quantize_policy",
    "find_sites",
    "find_unquantized",
    "load_quantized",
    "meters",
    "mixdit",
    "quantize",
    "quantize_",
    "restore_",
    "save_quantized",
    "set_mode",
    "uniform",
]
