"""The machines that tests and checks run on."""

from hw.contract.config import Config

TINY = Config.sized(rows=4, cols=4, k_max=256, act_depth=128, weight_depth=32, tile_slots=16,
                    drain_lanes=8)
ODD = Config.sized(rows=3, cols=5, k_max=120, acc_width=32, float_formats=("fp16",), act_bytes=8,
                   act_depth=64, tile_slots=8, cell_stages=0)

QUICK = {"4x4": TINY, "3x5": ODD}

MATRIX = QUICK | {
    "1x1": Config.sized(rows=1, cols=1, k_max=64, acc_width=30, float_formats=("bf16", "fp32"),
                        act_bytes=4, weight_bytes=2, act_depth=64, tile_slots=16, cell_stages=3,
                        tables=1),
    # The narrowest accumulator there is: F = 0.
    "2x2": Config.sized(rows=2, cols=2, k_max=16, acc_width=17, float_formats=("fp32",),
                        act_depth=4, tile_slots=4),
    # One number per row, one block per tile; results of all rows at once.
    "3x5_k1": Config.sized(rows=3, cols=5, k_max=1, acc_width=62, float_formats=("bf16",),
                           act_bytes=2, drain_lanes=20, tables=1),
    "5x3": Config.sized(rows=5, cols=3, k_max=200, acc_width=36, float_formats=("fp32", "fp16"),
                        drain_lanes=24, rounding="truncate", cell_stages=2),
    "2x16": Config.sized(rows=2, cols=16, k_max=512, acc_width=48, act_depth=160,
                         rounding="truncate"),
    "16x2": Config.sized(rows=16, cols=2, k_max=160, acc_width=34, act_bytes=16, drain_lanes=8,
                         tables=4),
    # Column tiles of two whole blocks.
    "2x32": Config.sized(rows=2, cols=32, k_max=96, float_formats=("bf16",), act_bytes=16),
    # Streams that take many beats for a group, and streams as wide as they get.
    "4x4_narrow": Config.sized(rows=4, cols=4, k_max=176, acc_width=62, act_bytes=4,
                               weight_bytes=2, tables=1, cell_stages=0),
    "4x4_wide": Config.sized(rows=4, cols=4, k_max=176, float_formats=("fp32",), act_bytes=64,
                             weight_bytes=256, drain_lanes=16),
    "8x8": Config.sized(rows=8, cols=8),
    "8x8_attention": Config.sized(rows=8, cols=8, k_max=256, drain_lanes=32, act_depth=256),
    "16x16": Config.sized(rows=16, cols=16, k_max=256, float_formats=("fp16", "bf16")),
}
"""Odd shapes, both ends of the accumulator's width, narrow and wide streams, every format."""
