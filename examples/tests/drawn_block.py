"""A drawn block, small and of sizes that are multiples of nothing but what has to be one."""

from functools import cache, partial

from examples.attention_steps import PrecisionChoice
from examples.block.drawn import draw_block
from examples.block.in_memory import BlockInMemory
from examples.block.shape import BlockShape
from examples.gemms import Style
from hw.host.memory import Commands
from sim_tests.host.memory.benches import connect

SHAPE = BlockShape(tokens=19, width=60, heads=3, mlp_ratio=2.5)

CHOICES = {style: PrecisionChoice(style, fraction=0.3, head_fraction=0.3) for style in Style}

drawn = cache(partial(draw_block, SHAPE, 1))


def run_on_golden(style: Style) -> tuple[BlockInMemory, list[Commands]]:
    """Run its lists on golden's ring, which sees to it that commands wait for what they read."""
    host, _ = connect()
    tensors, lists = BlockInMemory(drawn(), CHOICES[style], host.memory), []
    for commands in tensors.lists(host.commands):
        host.run(commands)
        lists.append(commands)
    return tensors, lists
