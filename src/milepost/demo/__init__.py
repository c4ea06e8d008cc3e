"""``milepost demo``: a legacy company, moved, killed in the middle, resumed, and proven whole."""

from milepost.demo.play import run_demo

__all__ = ["run_demo"]
