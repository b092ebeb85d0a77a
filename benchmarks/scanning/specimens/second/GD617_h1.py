import torch
import torch.nn.functional as F


class MixedTrainer:
    def __init__(self, model, lr=1e-3, fp16=True):
        self.model = model.cuda()
        self.opt = torch.optim.Adam(self.model.parameters(), lr=lr)
        self.scaler = torch.cuda.amp.GradScaler() if fp16 else None

    def apply(self, loss):
        if self.scaler is None:
            loss.backward()
            self.opt.step()
        else:
            self.scaler.scale(loss).backward()
            self.scaler.step(self.opt)
            self.scaler.update()

    def train(self, loader):
        for img, lab in loader:
            self.opt.zero_grad()
            with torch.autocast(device_type="cuda", enabled=self.scaler is not None):
                loss = F.cross_entropy(self.model(img.cuda()), lab.cuda())
            self.apply(loss)
