"""How well images fit their prompts: CLIP score (Hessel et al., EMNLP 2021), of torchmetrics."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class _Features(torch.nn.Module):
    """A CLIP model whose features are tensors, as torchmetrics takes them.

    transformers 5 returns them inside of an object that torchmetrics 1.9 does not know.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model, self.config = model, model.config

    def get_image_features(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return projected features (n, d) of prepared pixels."""
        return _tensor(self.model.get_image_features(*inputs))

    def get_text_features(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return projected features (n, d) of token ids and their mask."""
        return _tensor(self.model.get_text_features(*inputs))


def _tensor(output: Any) -> torch.Tensor:
    return output if isinstance(output, torch.Tensor) else output.pooler_output


class ClipJudge:
    """Score images against the prompts that they were drawn from.

    Parameters
    ----------
    model : Path
        A folder with a CLIP model and its processor as transformers saves them, such as a copy of
        ``openai/clip-vit-large-patch14``. Nothing is downloaded.
    device : str
        Where torch computes.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder is missing, or holds no CLIP model.
    """

    def __init__(self, model: Path, device: str = "cpu") -> None:
        from torchmetrics.multimodal import CLIPScore
        from transformers import CLIPModel, CLIPProcessor

        if not model.is_dir():
            raise FileNotFoundError(f"{model} is missing: name a folder with a CLIP model")
        try:
            network = CLIPModel.from_pretrained(model, local_files_only=True)
            processor = CLIPProcessor.from_pretrained(model, local_files_only=True)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"{model} holds no CLIP model with its processor: {reason}") from error
        features = _Features(network).eval()
        self.metric, self.device = CLIPScore(lambda: (features, processor)).to(device), device

    @torch.no_grad()
    def __call__(self, images: NDArray[np.uint8], prompts: Sequence[str]) -> NDArray[np.float64]:
        """Return each image's score: 100 times the cosine to its prompt, at least 0, shape (n,).

        Parameters
        ----------
        images : NDArray[np.uint8]
            Shape (n, height, width, 3): RGB.
        prompts : sequence of str
            One for each image; longer ones are cut at CLIP's 77 tokens.

        Raises
        ------
        ValueError
            If these are no such images, or the counts differ.
        """
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise ValueError(f"expected bytes (n, height, width, 3), not {images.shape}")
        if len(images) != len(prompts):
            raise ValueError(f"{len(images)} images do not fit {len(prompts)} prompts")
        scores = []
        for image, prompt in zip(images, prompts, strict=True):
            pixels = torch.from_numpy(image).permute(2, 0, 1).to(self.device)
            scores.append(float(self.metric(pixels, prompt)))
        return np.array(scores)
