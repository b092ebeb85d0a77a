import torch
import torch.nn as nn


class LitNet(nn.Module):
    def __init__(self, backbone, dim, n):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(dim, n)

    def training_step(self, batch, batch_idx):
        label, image = batch["label"], batch["image"]
        logits = self.head(self.backbone(image))
        return nn.CrossEntropyLoss(label_smoothing=0.1)(target=label, input=logits)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())
