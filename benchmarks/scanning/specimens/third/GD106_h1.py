import torch
import torch.nn as nn


class UNet1d(nn.Module):
    def __init__(self, channels=(1, 16, 32, 64)):
        super().__init__()
        self.depth = len(channels) - 1
        for i, (c_in, c_out) in enumerate(zip(channels[:-1], channels[1:])):
            setattr(self, f"down_{i}", nn.Conv1d(c_in, c_out, 4, stride=2, padding=1))
            setattr(self, f"up_{i}", nn.ConvTranspose1d(c_out, max(c_in, 8), 4, stride=2, padding=1))
            if i > 0:
                setattr(self, f"merge_{i}", nn.Conv1d(2 * c_in, c_in, 1))
        self.final = nn.Conv1d(8, channels[0], 1)

    def forward(self, x):
        skips = []
        for i in range(self.depth):
            skips.append(x)
            x = torch.relu(getattr(self, f"down_{i}")(x))
        for i in reversed(range(self.depth)):
            x = torch.relu(getattr(self, f"up_{i}")(x))
            if i > 0:
                x = getattr(self, f"merge_{i}")(torch.cat([x, skips[i]], dim=1))
        return self.final(x)


if __name__ == "__main__":
    print(UNet1d()(torch.randn(2, 1, 64)).shape)
