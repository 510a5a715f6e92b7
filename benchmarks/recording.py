"""What recording costs: time of the default pipeline with and without it, and the memory that a
step keeps, over encoders of growing size.

    python benchmarks/recording.py [--layers 1,2,4,8,12] [--repeats 15]

Times are medians, interleaved; `steps` is what a session keeps for the whole pipeline, `one place`
what it keeps for one rewrite of one operator."""

import argparse
import gc
import statistics
import time
import tracemalloc

import unitylab as ul
from unitylab.ir.transform import SILENT, Recording, apply
from unitylab.models.encoder import encoder


def run(mod, recorder):
    """The seconds of the default pipeline."""
    start = time.perf_counter()
    for p in ul.pipelines.default:
        mod = apply(p, mod, recorder() if recorder else SILENT)
    return time.perf_counter() - start


def ratio(mod, repeats):
    """(seconds without recording, with it)."""
    pairs = [(run(mod, None), run(mod, Recording)) for _ in range(repeats)]
    return tuple(statistics.median(p[k] for p in pairs) for k in (0, 1))


def kept(work):
    """The bytes that are still there after `work`, whose result is kept."""
    gc.collect()
    tracemalloc.start()
    result = work()
    gc.collect()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size, result


def one_place(layers):
    """The bytes that a session keeps for LegalizeOps at a single operator."""
    session = ul.Session(encoder(layers=layers), sizes={"n": 4}, check=False)
    places = session.applicable("LegalizeOps")
    session.apply("LegalizeOps", only=places[0])
    session.undo()
    return kept(lambda: session.apply("LegalizeOps", only=places[len(places) // 2]))[0]


def whole(layers):
    """(bytes that all steps of the default pipeline keep, rewrites)."""
    session = ul.Session(encoder(layers=layers), sizes={"n": 4}, check=False)
    size, _ = kept(session.run)
    return size, sum(len(s.rewrites) for s in session.steps.values())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", default="1,2,4,8,12")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    print(f"{'layers':>6} {'without':>10} {'recording':>10} {'ratio':>6} {'rewrites':>9} "
          f"{'steps':>10} {'a rewrite':>10} {'one place':>10}")
    for layers in map(int, options.layers.split(",")):
        mod = encoder(layers=layers)
        run(mod, None)
        silent, recorded = ratio(mod, options.repeats)
        size, rewrites = whole(layers)
        print(f"{layers:6} {silent * 1e3:7.1f} ms {recorded * 1e3:7.1f} ms "
              f"{recorded / silent:6.2f} {rewrites:9} {size / 1e3:7.0f} kB "
              f"{size / max(1, rewrites) / 1e3:7.1f} kB {one_place(layers) / 1e3:7.1f} kB",
              flush=True)


if __name__ == "__main__":
    main()
