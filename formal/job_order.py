"""Proof of `formal.order`: engines that take jobs in one order never wait in a circle."""

import formal.order as module
from formal.proof import Mutant, Proof

PROOFS = (Proof(
    name="job_order", make=lambda: module.OrderHarness(), depth=1, steps=16,
    says="Until the results of all jobs have left some engine can move: none of those that hand on "
         "to each other ever waits for one that waits for it. Each move brings one engine one item "
         "nearer to its last, so that all jobs end.",
    assumes="Each engine works through the jobs that concern it in one order (`job_queue`), and "
            "moves where it has what it needs and room (the proofs of each, and `engines`).",
    bounds=f"A model, not the RTL: {len(module.ENGINES)} engines, {module.JOBS} jobs of any kinds "
           f"with {module.ITEMS} items each, and the least room between them.",
    mutants=(Mutant(module.__name__, '("tile_writer", "array"): 2', '("tile_writer", "array"): 0'),
             Mutant(module.__name__, 'at["mx_packer"] > place, at["array"] > place)',
                    'at["mx_packer"] > place + 1, at["array"] > place)'),
             Mutant(module.__name__, "(~concerns(name, place) | has & fits)",
                    "(concerns(name, place) & has & fits)"))),)
