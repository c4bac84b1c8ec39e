"""The training recipe as data: model shape, schedule and optimiser settings."""

from dataclasses import asdict, dataclass

CLASS_NAMES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
NULL_CLASS = len(CLASS_NAMES)
"""Class index that means "no class", used for classifier-free guidance."""

IMAGE_SIZE = 32
"""Height and width in pixels of the images the model sees: 28 x 28 padded by two on each side."""

PRECISIONS = ("bf16", "fp32")


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe:
    """Say how one model is built and trained.

    Parameters
    ----------
    heads, head_width : int
        Attention heads and channels per head; their product is the width of the transformer.
    layers : int
        Transformer blocks.
    patch_size : int
        Pixels per patch side; it must divide `IMAGE_SIZE`.
    timesteps : int
        Length of the discrete noise schedule (cosine).
    steps, batch_size : int
        Optimiser steps and images per step.
    learning_rate : float
        Peak of AdamW's learning rate, reached after `warmup_steps` and decayed by a half cosine.
    warmup_steps : int
        Steps over which the learning rate rises linearly from zero.
    weight_decay, gradient_clip : float
        AdamW's decoupled weight decay, and the largest norm of the whole gradient.
    ema_decay : float
        Decay per step of the exponential moving average of the weights; that average is the result.
    label_dropout : float
        Share of images whose class is replaced by `NULL_CLASS`.
    precision : str
        ``"bf16"`` (autocast) or ``"fp32"``.
    seed : int
        Seed of the initial weights, the order of images, the noise and the timesteps.

    Raises
    ------
    ValueError
        If a setting is outside its range.
    """

    heads: int = 4
    head_width: int = 32
    layers: int = 6
    patch_size: int = 4
    timesteps: int = 1000
    steps: int = 4000
    batch_size: int = 80
    learning_rate: float = 2e-3
    warmup_steps: int = 200
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    ema_decay: float = 0.999
    label_dropout: float = 0.1
    precision: str = "bf16"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        for name in (
            "heads",
            "head_width",
            "layers",
            "patch_size",
            "timesteps",
            "steps",
            "batch_size",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if IMAGE_SIZE % self.patch_size:
            raise ValueError(f"patch_size must divide {IMAGE_SIZE}, and {self.patch_size} does not")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be positive, not {self.learning_rate}")
        if not 0 <= self.label_dropout <= 1 or not 0 <= self.ema_decay < 1:
            raise ValueError("label_dropout must lie in [0, 1] and ema_decay in [0, 1)")
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"precision must be one of {', '.join(PRECISIONS)}, not {self.precision!r}"
            )

    @property
    def tokens(self) -> int:
        """Tokens per image."""
        return (IMAGE_SIZE // self.patch_size) ** 2

    def as_dict(self) -> dict[str, int | float | str]:
        """Return the settings as plain values, for metadata."""
        return asdict(self)
