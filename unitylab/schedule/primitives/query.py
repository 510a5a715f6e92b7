"""Finding blocks and loops."""

from __future__ import annotations

from ...ir.errors import ScheduleError, did_you_mean
from ...ir.tir import Block, For
from ..dependence import blocks_in, consumers, is_output, producers
from ..nest import Nest
from ..signature import BLOCK, BLOCK_OR_LOOP, BLOCKS, LOOPS, STR, optional, primitive


@primitive(returns=BLOCK, name=STR, func_name=optional(STR))
def get_block(nest: Nest, name: str, func_name: str | None = None) -> Block:
    """The block called `name` in a function (the one that `work_on` chose, else the only one, else
    "main")."""
    blocks = nest.blocks()
    found = [b for b in blocks if b.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ScheduleError(f"{len(found)} blocks are called {name!r}", span=found[1].span,
                            hint="give them different names, or use get_child_blocks")
    names = [b.name for b in blocks]
    raise ScheduleError(f"there is no block {name!r} in {func_name!r}",
                        hint=did_you_mean(name, names, f"it has: {', '.join(names)}"))


@primitive(returns=LOOPS, block=BLOCK)
def get_loops(nest: Nest, block: Block) -> list[For]:
    """The loops around a block within its scope, outermost first."""
    return [] if block is nest.root else nest.loops(block)


@primitive(returns=BLOCKS, block_or_loop=BLOCK_OR_LOOP)
def get_child_blocks(nest: Nest, block_or_loop: Block | For) -> list[Block]:
    """The blocks directly inside of a block, or under a loop, in program order."""
    return blocks_in(block_or_loop)


@primitive(returns=BLOCKS, block=BLOCK)
def get_producers(nest: Nest, block: Block) -> list[Block]:
    """The blocks of the same scope that write what `block` reads."""
    return [] if block is nest.root else producers(nest, block)


@primitive(returns=BLOCKS, block=BLOCK)
def get_consumers(nest: Nest, block: Block) -> list[Block]:
    """The blocks of the same scope that read what `block` writes."""
    return [] if block is nest.root else consumers(nest, block)


@primitive(returns=BLOCKS, block=BLOCK)
def get_output_blocks(nest: Nest, block: Block) -> list[Block]:
    """The blocks inside of `block` that write a buffer which lives outside of it."""
    return [b for b in blocks_in(block) if is_output(nest, b)]
