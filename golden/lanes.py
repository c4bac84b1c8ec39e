"""Channel orders that a machine of 16 memory banks follows without losing a cycle.

Channels arrive 16 at a time, and the one that comes to place p is written to bank, or lane, p % 16.
If two channels of one arriving block go to the same lane, the second has to wait. An order can
always be rearranged, inside its own blocks, so that this never happens.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from golden.arguments import channel_order
from golden.formats import BLOCK_SIZE


def destinations(order: ArrayLike) -> NDArray[np.intp]:
    """Return the place of each channel: what the machine's order table holds.

    Parameters
    ----------
    order : array_like of int, shape (K,)
        The channel that comes first, second, ...; a `Policy.permutation`.
    """
    order = channel_order(order, "a channel order")
    places = np.empty(len(order), np.intp)
    places[order] = np.arange(len(order))
    return places


def conflicts(order: ArrayLike) -> int:
    """Count the cycles that a machine loses per row: channels that wait for another's lane.

    Each arriving block takes as many cycles as the fullest of its lanes has channels.
    """
    places = destinations(order)
    arriving = np.arange(len(places)) // BLOCK_SIZE
    taken = np.zeros((-(-len(places) // BLOCK_SIZE), BLOCK_SIZE), np.intp)
    np.add.at(taken, (arriving, places % BLOCK_SIZE), 1)
    return int((taken.max(axis=1) - 1).sum())


def spread_lanes(order: ArrayLike) -> NDArray[np.intp]:
    """Rearrange a channel order inside its blocks, so that no two arriving channels share a lane.

    Every channel stays in its block of 16 places, so every block keeps its magnitude, its shared
    exponent and its precision. Its pairs change, and with them microexponents: results differ in
    bits from those of the order given, and the weight must be permuted by the order returned.

    Parameters
    ----------
    order : array_like of int, shape (K,)
        The channel that comes first, second, ...; for example from `golden.channel_order`.

    Returns
    -------
    ndarray of int, shape (K,)
        `order` itself if it has no conflicts.

    Notes
    -----
    Channels are edges from their arriving block to the block of their place; a lane is a colour.
    With edges added for the padding of the last block, every node has 16 edges, and Euler splitting
    (halving all degrees, four times) finds a proper colouring in 16 colours: Kőnig's theorem. The
    padding's edges all join the same two nodes, so they differ in colour, and the colours are
    numbered so that the padding stays at the end.
    """
    order = channel_order(order, "a channel order")
    if conflicts(order) == 0:
        return order
    channels = len(order)
    padded = -(-channels // BLOCK_SIZE) * BLOCK_SIZE
    order = np.concatenate([order, np.arange(channels, padded)])
    arriving, block = order // BLOCK_SIZE, np.arange(padded) // BLOCK_SIZE
    lane = np.zeros(padded, np.intp)
    for _ in range(BLOCK_SIZE.bit_length() - 1):
        # Edges of one colour so far are a graph of their own.
        lane = 2 * lane + _halves(lane * padded + arriving, lane * padded + block)
    last = lane[channels:]
    names = np.empty(BLOCK_SIZE, np.intp)
    names[np.concatenate([np.setdiff1d(np.arange(BLOCK_SIZE), last), last])] = np.arange(BLOCK_SIZE)
    spread = np.empty(padded, np.intp)
    spread[block * BLOCK_SIZE + names[lane]] = order
    return spread[:channels]


def _halves(left: NDArray[np.intp], right: NDArray[np.intp]) -> NDArray[np.intp]:
    """Put each edge of a bipartite graph into one of two halves, half of every node's into each.

    At each node edges are taken in pairs. Going from edge to edge, to the partner at its left node
    and then to that one's partner at its right node, leads back to the first; on the way the halves
    alternate. All degrees must be even.
    """
    left_partner, right_partner = _partners(left), _partners(right)
    half = [-1] * len(left)
    for first in range(len(half)):
        edge = first
        while half[edge] < 0:
            half[edge] = 0
            half[left_partner[edge]] = 1
            edge = right_partner[left_partner[edge]]
    return np.array(half)


def _partners(node: NDArray[np.intp]) -> list[int]:
    """Pair the edges of each node: the first with the second, the third with the fourth, ..."""
    by_node = np.argsort(node, kind="stable").reshape(-1, 2)
    partner = np.empty(len(node), np.intp)
    partner[by_node[:, 0]], partner[by_node[:, 1]] = by_node[:, 1], by_node[:, 0]
    return partner.tolist()
