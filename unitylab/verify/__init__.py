"""The verifier: which modules are programs, and what is wrong with the others."""

from .module import complaints, well_formed
from .report import Complaint

__all__ = ["Complaint", "complaints", "well_formed"]
