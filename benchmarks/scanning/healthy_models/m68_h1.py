import torch
import torch.nn as nn


class YoloTiny(nn.Module):
    def __init__(self, anchors, num_classes, ch=16):
        super().__init__()
        self.na = len(anchors)
        self.no = num_classes + 5
        self.register_buffer("anchors", torch.tensor(anchors).float())
        layers, c = [], 3
        for i in range(4):
            layers += [nn.Conv2d(c, ch * 2 ** i, 3, 2, 1, bias=False), nn.BatchNorm2d(ch * 2 ** i), nn.LeakyReLU(0.1)]
            c = ch * 2 ** i
        self.backbone = nn.Sequential(*layers)
        self.detect = nn.Conv2d(c, self.na * self.no, 1)
        self.stride = 16

    def forward(self, x):
        p = self.detect(self.backbone(x))
        b, _, ny, nx = p.shape
        p = p.view(b, self.na, self.no, ny, nx).permute(0, 1, 3, 4, 2).contiguous()
        if self.training:
            return p
        gy, gx = torch.meshgrid(torch.arange(ny, device=x.device), torch.arange(nx, device=x.device), indexing="ij")
        grid = torch.stack((gx, gy), 2).float()
        xy = (p[..., :2].sigmoid() + grid) * self.stride
        wh = p[..., 2:4].exp() * self.anchors.view(1, self.na, 1, 1, 2)
        return torch.cat((xy, wh, p[..., 4:].sigmoid()), -1).view(b, -1, self.no)
