"""Elementary functions as vector code of our own, since LLVM calls the C library lane by lane.

All are straight lines of selects without a branch, so that LLVM's vectoriser takes loops that use
them too. Largest errors in units of the last place, subnormal results included, are in `ROWS`.
"""
