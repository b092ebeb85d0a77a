import torch
import torch.nn as nn
import torch.nn.functional as F


class LitClassifier(nn.Module):
    """Same shape as a LightningModule, but run by our own Trainer."""

    def __init__(self, hparams):
        super().__init__()
        self.hparams = hparams
        self.net = nn.Sequential(
            nn.Flatten(),
            nn.Linear(hparams["input_size"], hparams["hidden_size"]),
            nn.ReLU(),
            nn.Dropout(hparams.get("dropout", 0.0)),
            nn.Linear(hparams["hidden_size"], hparams["num_classes"]),
        )
        self.logged = {}

    def log(self, name, value):
        self.logged[name] = value.detach()

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        self.log("val_acc", (logits.argmax(1) == y).float().mean())
        return F.cross_entropy(logits, y)

    def configure_optimizers(self):
        opt = torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])
        sched = torch.optim.lr_scheduler.StepLR(opt, step_size=10, gamma=0.5)
        return [opt], [sched]
