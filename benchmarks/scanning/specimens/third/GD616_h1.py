import torch
import torch.nn.functional as F


class AmpStepper:
    """Backward, unscale, clip, step and update in one call (like timm's NativeScaler)."""

    def __init__(self, optimizer, clip=None):
        self.optimizer = optimizer
        self.clip = clip
        self._scaler = torch.amp.GradScaler("cuda", enabled=torch.cuda.is_available())

    def __call__(self, loss, parameters):
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(self.optimizer)
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, self.clip)
        self._scaler.step(self.optimizer)
        self._scaler.update()


def train_epoch(model, loader, optimizer, device):
    stepper = AmpStepper(optimizer, clip=1.0)
    model.train()
    for images, targets in loader:
        images, targets = images.to(device), targets.to(device)
        optimizer.zero_grad()
        with torch.autocast(device, enabled=device == "cuda", dtype=torch.float16):
            loss = F.cross_entropy(model(images), targets)
        stepper(loss, model.parameters())
