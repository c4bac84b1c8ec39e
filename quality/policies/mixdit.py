"""MixDiT's shares, 5 % and 20 %, with thresholds calibrated for each step."""

from golden.formats import MX6
from golden.policy import Policy
from golden.torch import Clock, ModelPolicy, MXScheme, Scheme, Site
from quality.calibration.record import Calibration
from quality.calibration.statistics import ATTENTION, LINEAR
from quality.policies.timed import by_timestep


def mixdit(calibration: Calibration, clock: Clock, *, ordered: bool = False) -> ModelPolicy:
    """Give MX9 to activations whose magnitude exceeds a threshold of their site and step.

    Tag units are K-blocks of tiles of 8 tokens in linear layers, heads in attention. Weights are
    MX6 throughout.

    Parameters
    ----------
    calibration : Calibration
    clock : Clock
    ordered : bool
        Whether linear layers sort their channels as calibrated.
    """

    def policy(site: Site) -> Scheme:
        if site.kind == "linear":
            return by_timestep(clock, calibration.timesteps, lambda step: linear(site, step))
        return by_timestep(clock, calibration.timesteps, lambda step: attention(site, step))

    def linear(site: Site, step: int) -> MXScheme:
        record = calibration.input_of(site.name)
        fields = {"fraction": LINEAR.fraction, "tile_rows": LINEAR.tile_rows}
        if ordered:
            fields |= {"order": "calibrated", "permutation": record.order}
        threshold = (record.ordered_threshold if ordered else record.threshold)[step]
        return MXScheme(Policy(selection="threshold", threshold=float(threshold), **fields), MX6)

    def attention(site: Site, step: int) -> MXScheme:
        sides = (
            Policy(
                fraction=ATTENTION.fraction,
                granularity=ATTENTION.granularity,
                selection="threshold",
                threshold=float(calibration.operand(f"{site.name}.{side}").threshold[step]),
            )
            for side in ("a", "b")
        )
        return MXScheme(*sides)

    return policy
