"""``mixdit check fuzz-quantized``, whose help needs no torch."""

from commands.running import sentences
from golden.tests.fuzz_files import Minutes, Seed


def quantized(minutes: Minutes = 60.0, seed: Seed = 1) -> int:
    """Break files of quantized models at random: each is refused, or gives a model that runs.

    The exit code is 1 at the first that does neither, which is kept in build/fuzz; and where a
    model has changed although its file was refused.

    Example: mixdit check fuzz-quantized --minutes 5
    """
    with sentences():
        from golden.tests.fuzz_quantized import fuzz

        return fuzz(minutes, seed)
