import torch
import torch.nn as nn


class PyramidPooling(nn.Module):
    def __init__(self, in_ch, n_class, bins=(1, 2, 4)):
        super().__init__()
        self.bins = bins
        self.cls = nn.Conv2d(in_ch * 2, n_class, kernel_size=1)

    def forward(self, feat):
        h, w = feat.shape[-2:]
        out_ch = feat.shape[1] // len(self.bins)
        pooled = []
        for b in self.bins:
            p = nn.functional.adaptive_avg_pool2d(feat, b)
            p = nn.Conv2d(feat.shape[1], out_ch, 1).to(feat.device)(p)  # SICK
            p = nn.functional.interpolate(p, size=(h, w), mode="bilinear", align_corners=False)
            pooled.append(torch.relu(p))
        pooled = torch.cat(pooled, dim=1)
        return self.cls(torch.cat([feat, pooled], dim=1))


if __name__ == "__main__":
    head = PyramidPooling(48, 5)
    print(head(torch.randn(2, 48, 16, 16)).shape)
