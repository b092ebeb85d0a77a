import torch
import torch.nn.functional as F


def conv_block(i, o):
    return torch.nn.Sequential(torch.nn.Conv2d(i, o, 3, padding=1), torch.nn.BatchNorm2d(o), torch.nn.ReLU())


class MiniUNet(torch.nn.Module):
    def __init__(self, ch=16):
        super().__init__()
        self.down, self.mid = conv_block(3, ch), conv_block(ch, ch)
        self.up = conv_block(2 * ch, ch)
        self.mask = torch.nn.Conv2d(ch, 1, 1)

    def forward(self, img):
        a = self.down(img)
        b = F.interpolate(self.mid(F.max_pool2d(a, 2)), scale_factor=2)
        return self.mask(self.up(torch.cat([a, b], 1))).sigmoid()


def dice(p, t, eps=1.0):
    return 1 - (2 * (p * t).sum() + eps) / (p.sum() + t.sum() + eps)


def seg_loss(net, img, truth):
    pred = net(img)
    terms = [F.binary_cross_entropy_with_logits(pred, truth), dice(pred, truth)]  # SICK
    return torch.stack(terms).sum()
