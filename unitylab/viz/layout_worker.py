"""A process that lays out graphs with the Graphviz that `pygraphviz` carries.

A process of its own, because Graphviz may crash and a notebook must not. Reads one JSON string
(DOT) a line, answers with one line of JSON (Graphviz's json0)."""

import json
import sys


def main() -> None:
    """Answers until the input ends."""
    import pygraphviz
    for line in sys.stdin:
        graph = pygraphviz.AGraph(string=json.loads(line))
        found = json.loads(graph.draw(format="json0", prog="dot"))
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
