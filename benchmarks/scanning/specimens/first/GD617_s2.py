from torch import nn, optim
from torch.cuda.amp import GradScaler, autocast


class MixedPrecision:
    def __init__(self, model: nn.Module, lr: float = 1e-4):
        self.model = model
        self.optimizer = optim.AdamW(model.parameters(), lr=lr)
        self.scaler = GradScaler()

    def training_step(self, batch):
        with autocast():
            return nn.functional.mse_loss(self.model(batch["x"]), batch["y"])

    def fit(self, batches, epochs=2):
        for _ in range(epochs):
            for batch in batches:
                loss = self.training_step(batch)
                self.scaler.scale(loss).backward()
                self.scaler.step(self.optimizer)  # SICK
                self.optimizer.zero_grad(set_to_none=True)
