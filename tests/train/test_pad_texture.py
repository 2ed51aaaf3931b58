"""The texture network begins as a thinned teacher: the least squares, and the network that they make."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from pad_texture_net import Texture, begun, pixels, solved, thinned  # noqa: E402

pytestmark = pytest.mark.train
SMALL = (8,) * 15


def test_what_is_thinned_keeps_the_columns_that_matter() -> None:
    torch.manual_seed(1)
    given = torch.randn(500, 6)
    given[:, 4] = given[:, 1]  # one of the two is enough
    wanted = torch.stack([3 * given[:, 1] - given[:, 3], given[:, 5]], 1) + 2
    keep, weight, bias = thinned(given, wanted, 3)
    assert {3, 5} < set(keep.tolist())
    assert set(keep.tolist()) & {1, 4}
    torch.testing.assert_close(given[:, keep] @ weight.T + bias, wanted, atol=0.02, rtol=0)


def test_least_squares_find_a_linear_map() -> None:
    torch.manual_seed(1)
    given, map_ = torch.randn(300, 4), torch.randn(2, 4)
    weight, bias = solved(given, given @ map_.T + 1, ridge=1e-6)
    torch.testing.assert_close(weight, map_, atol=1e-3, rtol=0)
    torch.testing.assert_close(bias, torch.ones(2), atol=1e-3, rtol=0)


def test_a_network_thinned_to_its_own_width_is_itself() -> None:
    torch.manual_seed(1)
    whole = Texture(SMALL, head=16).eval()
    for weight in (p for p in whole.parameters() if p.ndim == 4):
        torch.nn.init.kaiming_normal_(weight)
    x = torch.rand(24, 3, 128, 128) * torch.rand(24, 3, 1, 1)
    same = begun(whole, x, SMALL, head=16).eval()
    with torch.no_grad():
        a, b = (net(x) @ torch.tensor([1.0, -1.0]) for net in (whole, same))
    assert torch.corrcoef(torch.stack([a, b]))[0, 1] > 0.8


def test_pixels_are_rgb_from_0_to_1() -> None:
    import numpy as np

    blue = np.zeros((1, 2, 2, 3), np.uint8)
    blue[..., 0] = 255
    assert pixels(blue)[0, :, 0, 0].tolist() == [0, 0, 1]
