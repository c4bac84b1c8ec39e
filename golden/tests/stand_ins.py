"""A transformer with attention as diffusers has it, in little, for tests without diffusers."""

from torch import nn
from torch.nn.functional import scaled_dot_product_attention

WIDTH, HEADS = 24, 2


class Once:
    """A processor with one call of attention."""

    def __call__(self, attn, hidden_states):
        query, key, value = (
            layer(hidden_states).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for layer in (attn.to_q, attn.to_k, attn.to_v)
        )
        result = scaled_dot_product_attention(query, key, value)
        return attn.to_out(result.transpose(1, 2).flatten(-2))


class Attention(nn.Module):
    """What attention of diffusers looks like."""

    def __init__(self, processor=None, **attributes):
        super().__init__()
        for name in ("to_q", "to_k", "to_v", "to_out"):
            setattr(self, name, nn.Linear(WIDTH, WIDTH))
        self.heads, self.inner_dim = HEADS, WIDTH
        self.processor = processor or Once()
        vars(self).update(attributes)

    def get_processor(self):
        return self.processor

    def set_processor(self, processor):
        self.processor = processor

    def forward(self, x):
        return self.processor(self, x)


class Block(nn.Module):
    """A block of two kinds of layers: per token, and per sample."""

    def __init__(self):
        super().__init__()
        self.norm1 = nn.ModuleDict({"linear": nn.Linear(WIDTH, 2 * WIDTH)})
        self.img_mod = nn.Sequential(nn.SiLU(), nn.Linear(WIDTH, WIDTH))
        self.time_emb_proj = nn.Linear(WIDTH, WIDTH)
        self.attn = Attention()
        self.mlp = nn.ModuleList([nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)])
        self.member = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        x = x + self.attn(x)
        return x + self.member(self.mlp[1](self.mlp[0](x)))


class Transformer(nn.Module):
    """Two lists of blocks, one of them deep inside of an embedding."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(4, WIDTH, 2)
        self.embedder = nn.ModuleDict({"proj": nn.Linear(WIDTH, WIDTH)})
        self.embedder["refiner"] = nn.ModuleList([Block()])
        self.layers = nn.ModuleList([Block(), Block()])
        self.experts = nn.ModuleList([nn.Linear(WIDTH, WIDTH), None])
        self.proj_out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        for block in (*self.embedder["refiner"], *self.layers):
            x = block(x)
        return self.proj_out(x)


INSIDE = (
    "attn.qk attn.pv attn.to_q attn.to_k attn.to_v attn.to_out mlp.0 mlp.1 member".split()
)  # fmt: skip
BLOCKS = ("embedder.refiner.0", "layers.0", "layers.1")
MEANT = [f"{block}.{name}" for block in BLOCKS for name in INSIDE]
"""Sites that `quantize_` is meant to find."""


def names(things) -> list[str]:
    return [each.name for each in things]
