import torch
import torch.nn as nn
from torch.cuda.amp import GradScaler, autocast


class SegTrainer:
    def __init__(self, model, lr=1e-3):
        self.model = model.cuda()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=lr, momentum=0.9, nesterov=True)
        self.criterion = nn.CrossEntropyLoss(ignore_index=255)
        self.scaler = GradScaler()

    def train_epoch(self, loader):
        self.model.train()
        running = 0.0
        for img, mask in loader:
            img, mask = img.cuda(), mask.cuda()
            self.optimizer.zero_grad()
            with autocast():
                out = self.model(img)
                loss = self.criterion(out, mask)
            self.scaler.scale(loss).backward()
            self.optimizer.step()  # SICK
            self.scaler.update()
            running += loss.item()
        return running / len(loader)
