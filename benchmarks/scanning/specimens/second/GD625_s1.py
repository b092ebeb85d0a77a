import torch
import torch.nn as nn


class LitClassifier(nn.Module):
    def __init__(self, backbone, dim, n):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(dim, n)
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

    def training_step(self, batch, batch_idx):
        image, label = batch
        logits = self.head(self.backbone(image))
        loss = self.criterion(label, logits)  # SICK
        return loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())
