import torch
import torch.nn.functional as F


class MixedTrainer:
    def __init__(self, model, lr=1e-3):
        self.model = model.cuda()
        self.opt = torch.optim.Adam(self.model.parameters(), lr=lr)
        self.scaler = torch.cuda.amp.GradScaler()

    def train(self, loader):
        for img, lab in loader:
            self.opt.zero_grad()
            with torch.autocast(device_type="cuda"):
                loss = F.cross_entropy(self.model(img.cuda()), lab.cuda())
            self.scaler.scale(loss).backward()
            self.opt.step()  # SICK
            self.scaler.update()
