"""The noise schedule that training and sampling share."""

import torch
from diffusers import DPMSolverMultistepScheduler

from quality.recipe import TrainingRecipe


def build_scheduler(recipe: TrainingRecipe) -> DPMSolverMultistepScheduler:
    """Build DPM-Solver++ 2M (Lu et al. 2022) on the cosine schedule for a v-predicting model.

    The clip at -5.1 of the log signal-to-noise ratio is what the method asks of a cosine schedule,
    whose last step is otherwise infinitely long.
    """
    return DPMSolverMultistepScheduler(
        num_train_timesteps=recipe.timesteps,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        algorithm_type="dpmsolver++",
        solver_order=2,
        lambda_min_clipped=-5.1,
    )


def signal_and_noise(recipe: TrainingRecipe) -> tuple[torch.Tensor, torch.Tensor]:
    """Return alpha and sigma of every timestep, each (timesteps,); their squares sum to 1."""
    cumulative = build_scheduler(recipe).alphas_cumprod
    return cumulative.sqrt(), (1 - cumulative).sqrt()


def noisy_image_and_velocity(
    images: torch.Tensor, noise: torch.Tensor, alpha: torch.Tensor, sigma: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the model's input ``alpha x + sigma n`` and its target ``alpha n - sigma x``.

    v-prediction: Salimans and Ho, ICLR 2022, section 4. `images` and `noise` have shape
    (n, 1, h, w), `alpha` and `sigma` (n,).
    """
    alpha, sigma = alpha.view(-1, 1, 1, 1), sigma.view(-1, 1, 1, 1)
    return alpha * images + sigma * noise, alpha * noise - sigma * images
