import torch
import torch.nn as nn


class RetinaHead(nn.Module):
    """Class and box subnets shared over pyramid levels."""

    def __init__(self, in_channels, num_classes, num_anchors=9, num_convs=4, prior=0.01):
        super().__init__()
        self.num_classes = num_classes
        self.cls_subnet = self._subnet(in_channels, num_convs)
        self.box_subnet = self._subnet(in_channels, num_convs)
        self.cls_score = nn.Conv2d(in_channels, num_anchors * num_classes, 3, padding=1)
        self.bbox_pred = nn.Conv2d(in_channels, num_anchors * 4, 3, padding=1)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.normal_(m.weight, std=0.01)
                nn.init.zeros_(m.bias)
        nn.init.constant_(self.cls_score.bias, -torch.log(torch.tensor((1 - prior) / prior)).item())

    def _subnet(self, c, n):
        layers = []
        for _ in range(n):
            layers += [nn.Conv2d(c, c, 3, padding=1), nn.ReLU()]
        return nn.Sequential(*layers)

    def forward(self, features):
        logits, boxes = [], []
        for f in features:
            cls = self.cls_score(self.cls_subnet(f))
            box = self.bbox_pred(self.box_subnet(f))
            logits.append(cls.permute(0, 2, 3, 1).reshape(f.size(0), -1, self.num_classes))
            boxes.append(box.permute(0, 2, 3, 1).reshape(f.size(0), -1, 4))
        return torch.cat(logits, dim=1), torch.cat(boxes, dim=1)
