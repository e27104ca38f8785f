"""The networks that can denoise: our own, and Topaz's for their trained weights."""

from .base import Network, Place
from .topaz import TopazAffine, TopazFCNN, TopazUNet
from .unet import UNet

ARCHITECTURES: dict[str, type[Network]] = {
    architecture.__name__: architecture for architecture in (UNet, TopazUNet, TopazFCNN, TopazAffine)
}
"""By the name in model cards."""

__all__ = ["ARCHITECTURES", "Network", "Place", "TopazAffine", "TopazFCNN", "TopazUNet", "UNet"]
