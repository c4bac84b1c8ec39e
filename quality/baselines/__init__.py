"""Integer quantization to compare with, written from public descriptions of other methods.

A name that ends in ``_like`` says: after that paper, without what its module lists as left out. All
fake-quantize the sites of `golden.torch.find_sites` and count their scales' bits.
"""

from quality.baselines.integer import integer
from quality.baselines.qdit_like import qdit_like
from quality.baselines.viditq_like import viditq_like

__all__ = ["integer", "qdit_like", "viditq_like"]
