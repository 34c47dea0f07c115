"""The plan on paper of a Gram of 10⁶ samples: its arithmetic, and a simulation of who takes which block when."""

import heapq
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import pytest

from linstudy.estimate.layers import network
from linstudy.estimate.rates import EFFICIENCY, PEAK
from linstudy.resources import LIMITS
from linstudy.spec.model import LenetModel
from linstudy.tangent import Division

TEXT = (Path(__file__).parents[2] / "reports" / "large_gram.md").read_text(encoding="utf-8")

SAMPLES, CORES = 10**6, 16
OPERATIONS, NUMBERS = network(LenetModel(kind="lenet"), (3, 32, 32)).pair(SAMPLES)  # type: ignore[union-attr]
TILE = 1024
DIVISION = Division(SAMPLES, TILE, 128, LIMITS["features"] // (TILE * NUMBERS * 4) - 1)
BLOCKS = DIVISION.blocks()

SECONDS_OF_TILE = TILE**2 * OPERATIONS / (EFFICIENCY["gram"] * PEAK * CORES)
SECONDS_OF_FEATURES = TILE * 450e-6 / CORES  # of a tile; 225 µs a sample on two cores
LEAD = 120.0  # assumed: to start, to read 3 GB of images, to load the programs
WORK = sum(map(len, BLOCKS)) * SECONDS_OF_TILE


@dataclass
class Outcome:
    """When the last block was finished, and how many each node finished."""

    seconds: float
    blocks: list[int]


def simulate(nodes, lost_at=None):
    """Nodes take blocks as `GramFile.claim_next` gives them; the last node is lost at a time, with what it is at.

    The first node is the owner: it takes the first blocks, and the others the last ones. After its first block it asks
    for help, and in the end it does what a lost one began.
    """
    free, begun = deque(range(len(BLOCKS))), []
    panels, finished = [None] * nodes, [0] * nodes
    times, events = [0.0] * nodes, [(LEAD, 0)]

    def seconds(node, number):
        block = BLOCKS[number]
        rows = 0 if panels[node] == block.rows else len(block.rows)
        panels[node] = block.rows
        return (rows + len(block.columns)) * SECONDS_OF_FEATURES + len(block) * SECONDS_OF_TILE

    while events:
        now, node = heapq.heappop(events)
        times[node] = now
        if finished[0] == 1 and node == 0:
            for helper in range(1, nodes):
                heapq.heappush(events, (now + LEAD, helper))
        if free:
            number = free.popleft() if node == 0 else free.pop()
        elif node == 0 and begun:
            number = begun.pop()
        else:
            continue
        end = now + seconds(node, number)
        if node == nodes - 1 and lost_at is not None and end > lost_at:
            begun.append(number)
            continue
        finished[node] += 1
        heapq.heappush(events, (end, node))
    if begun:  # the owner had ended before the node was lost
        times[0] = max(times[0], lost_at) + seconds(0, begun.pop())
        finished[0] += 1
    return Outcome(max(times), finished)


def minutes(seconds):
    return f"{seconds / 60:.0f} min"


@pytest.mark.parametrize(
    "fact",
    [
        f"{OPERATIONS:,} multiply-adds a pair",
        f"{SAMPLES**2 * 4 / 1e12:.1f} TB",
        f"{SAMPLES * 3072 * 4 / 1e9:.1f} GB",
        f"{DIVISION.across} tiles across",
        f"{sum(map(len, BLOCKS)):,} tiles",
        f"{len(BLOCKS):,} blocks",
        f"{max(map(len, BLOCKS))} tiles at most",
        f"panels of {DIVISION.rows}",
        f"{1000 * SECONDS_OF_TILE:.1f} ms",
        f"{2 * TILE**2 * 4 / SECONDS_OF_TILE / 1e9:.2f} GB/s",
        f"{WORK / 3600:.1f} h",
    ],
)
def test_the_text_has_the_numbers_that_follow(fact):
    assert fact in TEXT


@pytest.mark.parametrize("nodes", [1, 4, 8, 16])
def test_the_table_is_what_the_simulation_gives(nodes):
    whole = simulate(nodes)
    assert sum(whole.blocks) == len(BLOCKS)
    lost = "" if nodes == 1 else minutes(simulate(nodes, lost_at=whole.seconds / 2).seconds)
    low, high = min(whole.blocks), max(whole.blocks)
    blocks = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    rate = nodes * 2 * TILE**2 * 4 / SECONDS_OF_TILE / 1e9
    assert f"| {nodes} | {blocks} | {minutes(whole.seconds)} | {lost} | {rate:.1f} GB/s |" in TEXT


@pytest.mark.parametrize("nodes", [2, 4, 8, 16, 100])
def test_the_time_is_near_what_the_work_alone_takes(nodes):
    """Work evenly shared, both leads, each node's features of all panels, and a block at the end."""
    found = simulate(nodes).seconds
    features = (DIVISION.across + len(BLOCKS) * DIVISION.columns / nodes) * SECONDS_OF_FEATURES
    block = max(map(len, BLOCKS)) * SECONDS_OF_TILE
    assert LEAD + WORK / nodes < found < 2 * LEAD + WORK / nodes + features + 2 * block


@pytest.mark.parametrize("nodes", [2, 8, 16])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.999])
def test_a_lost_node_costs_its_share_of_what_is_left_and_a_block(nodes, share):
    whole = simulate(nodes)
    lost = simulate(nodes, lost_at=share * whole.seconds)
    assert sum(lost.blocks) == len(BLOCKS)
    assert lost.blocks[-1] <= whole.blocks[-1]
    block = max(map(len, BLOCKS)) * SECONDS_OF_TILE
    left = (1 - share) * whole.seconds
    assert whole.seconds - block < lost.seconds < whole.seconds + left / (nodes - 1) + 3 * block + 5
