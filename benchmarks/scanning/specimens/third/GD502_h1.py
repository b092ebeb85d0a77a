import torch
import torch.nn as nn


class ConvAct(nn.Module):
    def __init__(self, c_in, c_out, *args, act=nn.ReLU, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, *args, **kwargs)
        self.act = act()

    def forward(self, x):
        return self.act(self.conv(x))


class Detector(nn.Module):
    def __init__(self, width=16, **head_kwargs):
        super().__init__()
        opts = dict(padding=1, stride=2, bias=True)
        self.body = nn.Sequential(
            ConvAct(3, width, 3, **opts),
            ConvAct(width, 2 * width, 3, act=nn.SiLU, **opts),
            ConvAct(2 * width, 4 * width, kernel_size=3, padding=1, groups=width),
        )
        self.head = ConvAct(4 * width, 6, 1, act=nn.Identity, **head_kwargs)

    def forward(self, img):
        return self.head(self.body(img))


if __name__ == "__main__":
    print(Detector(padding_mode="zeros")(torch.randn(1, 3, 32, 32)).shape)
