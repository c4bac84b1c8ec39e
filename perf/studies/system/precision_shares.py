"""Which share of the K-blocks is MX9, in each operand of each kind of GEMM."""

from dataclasses import dataclass

from perf.workloads import GemmKind


@dataclass(frozen=True)
class PrecisionShares:
    """Shares in MX9, 0 to 1, rounded down to whole K-blocks or heads; the rest is MX6.

    In a linear layer it is a share of the K-blocks, in attention of the heads. Where both operands
    have some, they are the same K-blocks and heads. Tags come from a threshold, a table or the
    job, none of which takes time; `searches` has them found among each tile's blocks.

    Attributes
    ----------
    name : str
    title : str
        For people.
    linear_acts, linear_weights : float
        Of a linear layer's two operands.
    attention_a : float
        Of Q and of the softmax's result.
    attention_b : float
        Of K and of V.
    searches : bool
        Activations of linear layers are tagged by `hw.contract.outlier_policy.Selection.TOP`.
    """

    name: str
    title: str
    linear_acts: float
    linear_weights: float
    attention_a: float
    attention_b: float
    searches: bool = False

    def __post_init__(self) -> None:
        for name in ("linear_acts", "linear_weights", "attention_a", "attention_b"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a share from 0 to 1, not {getattr(self, name)}")

    def shares(self, kind: GemmKind) -> tuple[float, float]:
        """Give the shares of MX9 of A and of B."""
        if kind is GemmKind.LINEAR:
            return self.linear_acts, self.linear_weights
        return self.attention_a, self.attention_b


POLICIES: dict[str, PrecisionShares] = {policy.name: policy for policy in (
    PrecisionShares("mx6", "MX6", 0, 0, 0, 0),
    PrecisionShares("mixdit", "MixDiT, MX6 weights", 0.05, 0, 0.20, 0),
    PrecisionShares("mixdit-both", "MixDiT in both operands", 0.05, 0.05, 0.20, 0.20),
    PrecisionShares("mx9", "MX9", 1, 1, 1, 1),
)}
"""MixDiT's shares of activations are of arXiv 2504.08398. ``mixdit`` applies them to A alone: the
weights are MX6, and in attention Q and the softmax's result have them. ``mixdit-both`` gives B the
same."""


def find_policy(policy: PrecisionShares | str) -> PrecisionShares:
    """Look a policy up by name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if isinstance(policy, PrecisionShares):
        return policy
    if policy not in POLICIES:
        raise ValueError(f"the policy must be {' or '.join(POLICIES)}, not {policy!r}")
    return POLICIES[policy]
