"""Random requests for schedule primitives: mostly sensible, sometimes not at all."""

from __future__ import annotations

from unitylab.schedule.nest import Nest

SIZES = {"n": 5, "m": 7, "k": 3}


class Requests:
    """Draws `(name, args, kwargs)` for a schedule; `rng` is a `random.Random`."""

    def __init__(self, sch, rng):
        self.sch, self.rng = sch, rng

    def draw(self):
        rare = self.rng.random() < 0.85
        name = self.rng.choice([n for n in REQUESTS if not (rare and n in DULL)])
        found = REQUESTS[name](self)
        args, kwargs = found if isinstance(found, tuple) and found and isinstance(found[-1], dict) \
            and isinstance(found[0], tuple) else (found, {})
        return name, args, kwargs

    # --- parts ------------------------------------------------------------------------------

    def any_block(self):
        """A block at any depth, seldom the root."""
        nest = Nest(self.sch.mod["main"])
        blocks = nest.blocks()
        block = self.rng.choice(blocks[1:] if self.rng.random() < 0.95 else blocks)
        return self.sch.handle_of(block)

    def loops_of(self, block):
        return self.sch.get_loops(block)

    def loop(self):
        loops = self.loops_of(self.any_block())
        return self.rng.choice(loops) if loops else self.any_loop()

    def any_loop(self):
        nest = Nest(self.sch.mod["main"])
        found = [l for b in nest.blocks()[1:] for l in nest.loops(b)]
        return self.sch.handle_of(self.rng.choice(found))

    def neighbours(self, count):
        """Loops around a block, side by side if there are enough."""
        own = self.loops_of(self.any_block()) or [self.any_loop()]
        first = self.rng.randint(0, max(len(own) - count, 0))
        return own[first:first + count]

    def number(self):
        return self.rng.choice((0, 0, 0, 1, 1, 2, -1))

    def scope(self):
        return self.rng.choice(("local", "global", "shared"))

    def sizes_of(self, block, kind):
        """(number, dimensions) of a buffer that a block reads or writes."""
        regions = getattr(self.sch.get(block), kind)
        if not regions:
            return 0, 2
        k = self.rng.randrange(len(regions))
        return k, regions[k].buffer.ndim

    # --- one for each primitive -------------------------------------------------------------

    def split(self):
        factors = self.rng.choice(([None, 4], [2, None], [3, None, 2], [None, 1], [5, 3], [None, 7],
                                   [1, None], [None, 2, 2]))
        return (self.loop(), list(factors)), {"preserve_unit_iters": self.rng.random() < 0.7}

    def fuse(self):
        return tuple(self.neighbours(self.rng.randint(1, 3))), {
            "preserve_unit_iters": self.rng.random() < 0.7}

    def reorder(self):
        own = self.neighbours(self.rng.randint(2, 5))
        self.rng.shuffle(own)
        return tuple(own)

    def on_loop(self):
        return (self.loop(),)

    def on_block(self):
        return (self.any_block(),)

    def bind(self):
        return self.loop(), self.rng.choice(("threadIdx.x", "blockIdx.x", "vthread.x", "nonsense"))

    def compute_at(self):
        return (self.any_block(), self.any_loop()), {
            "preserve_unit_loops": self.rng.random() < 0.3, "index": self.rng.choice((-1, -1, -2, 0))}

    def block_and_loop(self):
        block = self.any_block()
        own = self.loops_of(block)
        return block, self.rng.choice(own) if own and self.rng.random() < 0.9 else self.any_loop()

    def cache(self):
        return self.any_block(), abs(self.number()), self.scope()

    def two_blocks(self):
        return self.any_block(), self.any_block()

    def add_unit_loop(self):
        return (self.any_block() if self.rng.random() < 0.5 else self.any_loop(),)

    def reindex(self):
        block = self.any_block()
        kind = self.rng.choice(("read", "write"))
        return block, (kind, self.sizes_of(block, f"{kind}s")[0])

    def rfactor(self):
        return self.loop(), self.number()

    def set_scope(self):
        return self.any_block(), self.number(), self.scope()

    def storage_align(self):
        return self.any_block(), 0, self.number(), self.rng.choice((4, 8, 0)), self.rng.choice((0, 1))

    def annotate(self):
        return self.loop(), self.rng.choice(("pragma", "note")), self.rng.choice((1, "x", [1, 2]))

    def unannotate(self):
        return self.loop(), "note"

    def sample_perfect_tile(self):
        return self.loop(), self.rng.randint(1, 3)

    def transform_layout(self):
        block = self.any_block()
        kind = self.rng.choice(("read", "write"))
        number, ndim = self.sizes_of(block, f"{kind}s")
        return (block, (kind, number), self._map(ndim)), {}

    def transform_block_layout(self):
        block = self.any_block()
        return block, self._map(max(len(self.sch.get(block).iter_vars), 1))

    def _map(self, ndim):
        order = list(range(ndim))
        self.rng.shuffle(order)
        names = [f"i{k}" for k in range(ndim)]
        first = names[order[0]]
        rest = [names[k] for k in order[1:]]
        out = self.rng.choice((
            [names[k] for k in order], [f"{first} // 2", *rest, f"{first} % 2"],
            [f"{first} // 4", f"{first} % 4", *rest], [f"{first} + 1", *rest], [*rest, first],
            ["+".join(names)], [*names, "0"]))
        return eval(f"lambda {', '.join(names)}: ({', '.join(out)},)")  # noqa: S307 - own text

    def reorder_block_iter_var(self):
        block = self.any_block()
        order = list(range(len(self.sch.get(block).iter_vars)))
        self.rng.shuffle(order)
        return block, order

    def blockize(self):
        target = self.loop() if self.rng.random() < 0.8 else self.any_block()
        return (target,), {"preserve_unit_iters": self.rng.random() < 0.5}

    def loop_partition(self):
        factors = self.rng.choice(([2, None], [1, None], [3, 2, None], [None, 2]))
        return (self.loop(), list(factors)), {"preserve_unit_iters": self.rng.random() < 0.5}

    def merge(self):
        return self.any_loop(), self.any_loop()

    def pad_einsum(self):
        block = self.any_block()
        count = len(self.sch.get(block).iter_vars)
        return block, [self.rng.choice((1, 2, 4)) for _ in range(count)]

    def reindex_cache(self):
        block = self.any_block()
        count = max(len(self.sch.get(block).iter_vars), 1)
        return block, abs(self.number()), self.scope(), self._map(count)

    def rolling_buffer(self):
        return self.any_block(), 0

    def tensorize(self):
        return self.loop(), "no such intrinsic"


REQUESTS = {
    "split": Requests.split, "fuse": Requests.fuse, "reorder": Requests.reorder,
    "parallel": Requests.on_loop, "vectorize": Requests.on_loop, "unroll": Requests.on_loop,
    "bind": Requests.bind, "compute_inline": Requests.on_block,
    "reverse_compute_inline": Requests.on_block, "compute_at": Requests.compute_at,
    "reverse_compute_at": Requests.compute_at, "decompose_reduction": Requests.block_and_loop,
    "cache_read": Requests.cache, "cache_write": Requests.cache, "rfactor": Requests.rfactor,
    "reindex": Requests.reindex, "fuse_reduction_epilogue": Requests.two_blocks,
    "add_unit_loop": Requests.add_unit_loop, "set_scope": Requests.set_scope,
    "storage_align": Requests.storage_align, "annotate": Requests.annotate,
    "unannotate": Requests.unannotate, "sample_perfect_tile": Requests.sample_perfect_tile,
    "transform_layout": Requests.transform_layout,
    "transform_block_layout": Requests.transform_block_layout,
    "reorder_block_iter_var": Requests.reorder_block_iter_var, "blockize": Requests.blockize,
    "decompose_padding": Requests.block_and_loop, "loop_partition": Requests.loop_partition,
    "merge": Requests.merge, "pad_einsum": Requests.pad_einsum,
    "reindex_cache_read": Requests.reindex_cache, "reindex_cache_write": Requests.reindex_cache,
    "rolling_buffer": Requests.rolling_buffer, "sample_compute_location": Requests.on_block,
    "tensorize": Requests.tensorize}

# they are always legal and change little
DULL = {"annotate", "unannotate", "sample_perfect_tile", "storage_align", "add_unit_loop", "bind",
        "merge", "tensorize", "rolling_buffer"}
# they say themselves that they may change results
UNCHECKED = {"unsafe_set_dtype", "unsafe_hide_buffer_access"}
# they change nothing
LOOKING = {"get_block", "get_loops", "get_child_blocks", "get_producers", "get_consumers",
           "get_output_blocks", "sample_categorical"}
