"""Patterns, rules, and the one driver that applies and records them."""

from .driver import Driver, rewrite
from .keys import Keys
from .pattern import cast_of, max_of, min_of, pconst, pvar, select
from .rule import Rule, RuleSet

__all__ = ["Driver", "Keys", "Rule", "RuleSet", "cast_of", "max_of", "min_of", "pconst", "pvar",
           "rewrite", "select"]
