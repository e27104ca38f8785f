"""Auditing a set of particles: what it says, held against the stacks and micrographs it names."""

from .audit import audit_particles
from .findings import Finding, Verdict
from .page import draw_page

__all__ = ["Finding", "Verdict", "audit_particles", "draw_page"]
