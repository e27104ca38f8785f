"""What all sections have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the configuration: unknown keys are errors, values never change after loading.

    A field's description is its manual: it becomes the comment above the key in ``config.yaml``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
