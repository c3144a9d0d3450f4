"""In which order the numbers of a network lie in memory."""

from itertools import chain

import torch
from torch import nn


def lay_out(model: nn.Module, layout: torch.memory_format = torch.channels_last_3d) -> nn.Module:
    """Lay out the weights of 3D convolutions, in place, and return the same model.

    ``model.to(memory_format=torch.channels_last_3d)`` refuses networks that also have a 2D
    convolution, as transformers do that look at one frame at a time.
    """
    for tensor in chain(model.parameters(), model.buffers()):
        if tensor.ndim == 5:
            tensor.data = tensor.data.to(memory_format=layout)
    return model
