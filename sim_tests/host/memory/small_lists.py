"""Lists of small GEMMs, what they should give, and memory that breaks."""

import golden
from golden import MX6
from sim_tests.host.memory.benches import normal, policy, product, same


def jobs(host, count):
    """Make a list of GEMMs of numbers of their own; return it and its results with golden's."""
    memory, commands, results = host.memory, host.commands(), []
    for number in range(count):
        x, w = normal(3, 16, seed=number), normal(16, 4, seed=number + 100)
        c = memory.empty((3, 4))
        commands.gemm(memory.place(x), memory.place_weights(w), c)
        results.append((c, product(golden.apply_policy(x, policy(fraction=0)),
                                   golden.quantize(w, MX6, axis=0))))
    return commands, results


def right(results):
    """Tell which results are golden's."""
    return [same(found.read(), expected) for found, expected in results]


def breaks(device, address, size=1):
    """Let an address answer SLVERR; return how to mend it."""
    place = (address, size)
    device.memory.broken.append(place)
    return lambda: device.memory.broken.remove(place)
