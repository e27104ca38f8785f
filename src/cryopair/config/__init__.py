"""The workflow's settings: one model per section, checked before anything runs."""

from .loading import load_config, parse_config
from .root import Config

__all__ = ["Config", "load_config", "parse_config"]
