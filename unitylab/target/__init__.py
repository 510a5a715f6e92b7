"""What machine code is made for: targets by their spelling, and what a processor has."""

from .cpu import Cpu, cpu_of, host_cpu
from .target import Target, available_cores, parse_target

__all__ = ["Cpu", "Target", "available_cores", "cpu_of", "host_cpu", "parse_target"]
