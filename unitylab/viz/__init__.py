"""Views: the workbench widget and pictures that need no kernel."""

from .workbench import Workbench, lab

__all__ = ["Workbench", "lab"]
