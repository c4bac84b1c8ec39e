"""What to compare with: other formats, and integer quantization after public descriptions.

A name that ends in ``_like`` says: after that paper, without what its module lists as left out. The
formats (`microscaling`, `nvfp4`) are as their specifications have them. All fake-quantize the sites
of `golden.torch.find_sites` and count their scales' bits.
"""

from quality.baselines.integer import integer
from quality.baselines.microscaling import microscaling
from quality.baselines.nvfp4 import nvfp4
from quality.baselines.qdit_like import qdit_like
from quality.baselines.viditq_like import viditq_like

__all__ = ["integer", "microscaling", "nvfp4", "qdit_like", "viditq_like"]
