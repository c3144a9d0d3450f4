"""Convolutions that see one pixel at a time, as matrix products: quicker on CPUs.

In ``channels_last_3d`` a convolution over channels alone (1x1x1), or over channels and time
(kx1x1), is a product of pixels and weights for each of its k taps. On CPUs torch leaves the layout
for such kernels, or runs them far below the speed of its matrix products. Same sums, other order.
"""

from torch import Tensor, nn

from condi_lib.models.fold import is_plain


class ProductConv3d(nn.Module):
    """A kx1x1 convolution as one matrix product per tap, for inference.

    Args:
        conv: A convolution for which :func:`is_product` holds; its weights are copied.
    """

    def __init__(self, conv: nn.Conv3d) -> None:
        super().__init__()
        taps = conv.weight.detach()[..., 0, 0].permute(2, 1, 0).contiguous()  # [k, in, out]
        self.register_buffer("taps", taps)
        self.register_buffer("bias", None if conv.bias is None else conv.bias.detach().clone())
        self.stride = conv.stride

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in, T, H, W]`` to ``[B, out, T', H', W']``, in ``channels_last_3d``."""
        _, rows, columns = self.stride
        pixels = x[..., ::rows, ::columns].movedim(1, -1)  # [B, T, H', W', in]
        out = self._over_time(pixels.flatten(2, 3))
        return out.unflatten(2, pixels.shape[2:4]).movedim(-1, 1)

    def _over_time(self, frames: Tensor) -> Tensor:
        """Sum the taps: frames ``[B, T, P, in]`` of P pixels each become ``[B, T', P, out]``."""
        n_frames, stride, middle = frames.shape[1], self.stride[0], len(self.taps) // 2
        out = frames[:, ::stride] @ self.taps[middle]
        if self.bias is not None:
            out += self.bias
        for tap, weights in enumerate(self.taps):
            shift = tap - middle
            first = -(min(shift, 0) // stride)  # outputs [first, end) have a frame at this tap,
            end = min(out.shape[1], (n_frames - 1 - shift) // stride + 1)  # the others a zero
            if shift == 0 or first >= end:
                continue
            read = frames[:, first * stride + shift : (end - 1) * stride + shift + 1 : stride]
            written = out[:, first:end].flatten(1, 2)
            written.baddbmm_(read.flatten(1, 2), weights.expand(len(frames), -1, -1))
        return out


def is_product(conv: nn.Conv3d) -> bool:
    """Whether ``conv`` has no taps in space and only mixes all channels, over time or not."""
    frames, *size = conv.kernel_size
    return (
        conv.groups == 1
        and size == [1, 1]
        and frames % 2 == 1
        and conv.padding == (frames // 2, 0, 0)
        and conv.dilation == (1, 1, 1)
        and conv.padding_mode == "zeros"
    )


def use_products(network: nn.Module) -> int:
    """Replace every such convolution of ``network`` in place; return how many there were."""
    n_replaced = 0
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if is_plain(child, (nn.Conv3d,)) and is_product(child):
                setattr(parent, name, ProductConv3d(child))
                n_replaced += 1
    return n_replaced
