"""Blocks of three diffusion transformers, cut into parts of some tokens."""

from collections.abc import Callable
from dataclasses import dataclass

from hw.contract.config import Config

from .block_list import BlockList


@dataclass(frozen=True)
class Part:
    """What a block does with some of its tokens.

    Attributes
    ----------
    name : str
    count : int
        Parts of this kind.
    fill : callable
        ``fill(commands)`` appends its commands.
    """

    name: str
    count: int
    fill: Callable[[BlockList], None]

    def make(self, config: Config) -> BlockList:
        """Make its list for a machine."""
        commands = BlockList(config)
        self.fill(commands)
        return commands


@dataclass(frozen=True)
class Blocks:
    """The blocks of a model.

    Attributes
    ----------
    title : str
    workload : str
        Its name in `perf.workloads`.
    parts : tuple of Part
    """

    title: str
    workload: str
    parts: tuple[Part, ...]


def _branches(block: BlockList, x, width: int, attention) -> None:
    """Append an attention's branch, and the feed-forward's."""
    x = attention(x)
    hidden = block.linear(block.normalize(x), 4 * width, "mx6", function="gelu")
    block.linear(hidden, width, residual=x, is_gated=True)


def _project(block: BlockList, a, width: int):
    """Append q, k and v."""
    return [block.linear(a, width, "fp16") for _ in range(3)]


def dit(width: int, heads: int, tokens: int, of_part: int) -> tuple[Part, ...]:
    """Describe a DiT's block: self-attention and feed-forward, each normalized and gated."""
    def fill(block: BlockList) -> None:
        def attention(x):
            q, k, v = _project(block, block.normalize(x), width)
            block.convert(k, v, heads)
            return block.linear(block.attend(q, tokens, heads), width, residual=x, is_gated=True)

        _branches(block, block.rows(of_part, width), width, attention)

    return (Part("image", tokens // of_part, fill),)


def pixart(width: int, heads: int, tokens: int, caption: int, of_part: int) -> tuple[Part, ...]:
    """Describe a PixArt's block: between the two of DiT, attention to the caption."""
    def fill(block: BlockList) -> None:
        def attention(x):
            q, k, v = _project(block, block.normalize(x), width)
            block.convert(k, v, heads)
            x = block.linear(block.attend(q, tokens, heads), width, residual=x, is_gated=True)
            q = block.linear(x, width, "fp16")
            return block.linear(block.attend(q, caption, heads), width, residual=x)

        _branches(block, block.rows(of_part, width), width, attention)

    def fill_caption(block: BlockList) -> None:
        rows = block.rows(caption, width)
        k, v = (block.linear(rows, width, "fp16") for _ in range(2))
        block.convert(k, v, heads)

    return (Part("image", tokens // of_part, fill), Part("caption", 1, fill_caption))


def sd3(width: int, heads: int, tokens: int, text: int, of_part: int) -> tuple[Part, ...]:
    """Describe an SD3's block: image and text with weights of their own, and one attention."""
    def stream(of_stream: int) -> Callable[[BlockList], None]:
        def fill(block: BlockList) -> None:
            def attention(x):
                q, k, v = _project(block, block.normalize(x), width)
                block.convert(k, v, heads)
                return block.linear(block.attend(q, tokens + text, heads), width, residual=x,
                                    is_gated=True)

            _branches(block, block.rows(of_stream, width), width, attention)

        return fill

    return (Part("image", tokens // of_part, stream(of_part)), Part("text", 1, stream(text)))


MODELS = {
    "dit-256": Blocks("DiT-XL/2, 256 x 256 pixels", "dit-256", dit(1152, 16, 256, 256)),
    "pixart-1024": Blocks("PixArt-Sigma, 1024 x 1024 pixels", "pixart-1024",
                          pixart(1152, 16, 4096, 300, 128)),
    "sd3-1024": Blocks("SD3 medium, 1024 x 1024 pixels", "sd3-1024", sd3(1536, 24, 4096, 333, 128)),
}
"""Image tokens in parts: all of DiT's, and 128 of the others', whose keys and values are all
there."""
