"""Proof of `formal.memory.command_model`: commands never wait for each other in a circle."""

import formal.memory.command_model as module
from formal.proof import Mutant, Proof

PROOFS = (Proof(
    name="command_order", make=lambda: module.CommandHarness(), depth=1, steps=20,
    says="Until all commands have ended some engine can move, whatever waits for whatever: whoever "
         "has the oldest command before it waits for nothing but what engines before it bring. "
         "Each move brings one engine nearer to its end, so that all commands end.",
    assumes="Commands wait for earlier ones only (a distance is 1 or more), engines take them in "
            "one order (`job_queue`, `ledger`) and move where they have what they need and room "
            "(`row_reader`, `tile_reader`, `read_channel`, `read_port`, `write_port`; inside the "
            "machine `engines` and `job_order`). Words that others write come; the bus answers.",
    bounds=f"A model, not the RTL: {module.COMMANDS} commands of {module.ITERATIONS} iterations of "
           f"{module.ITEMS} items, and any room between engines.",
    mutants=(Mutant(module.__name__, "(completed + distance > number)",
                    "(completed + distance > number + 1)"),
             Mutant(module.__name__, "(other < number)", "(other <= number)"),
             Mutant(module.__name__, "LEAST = 1", "LEAST = 0"),
             Mutant(module.__name__, 'at["writer"] < at["compute"])',
                    'at["writer"] + 1 < at["compute"])'),
             Mutant(module.__name__, "(other >= completed) & ", ""))),)
