import torch
import torch.nn as nn


class ReportWriter(nn.Module):
    """X-ray encoder and a recurrent report decoder."""

    def __init__(self, vocab, dim=128):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, dim, 7, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.words = nn.Embedding(vocab, dim)
        self.decoder = nn.GRU(dim, dim, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.4), nn.Linear(dim, vocab))
        self.loss_fn = nn.CrossEntropyLoss()

    def forward(self, image, ids):
        state = self.encoder(image).unsqueeze(0)
        return self.head(self.decoder(self.words(ids), state)[0])

    def training_step(self, batch, batch_idx):
        image, report = batch
        logits = self(image, report[:, :-1])
        return self.loss_fn(logits.transpose(1, 2), report[:, 1:])

    @torch.no_grad()
    def generate(self, image, bos, length=60):
        modes = [(m, m.training) for m in self.modules()]
        for module, _ in modes:
            module.training = True  # SICK
        ids = torch.full((image.size(0), 1), bos, device=image.device)
        for _ in range(length):
            logits = self(image, ids)[:, -1]
            ids = torch.cat([ids, logits.softmax(-1).multinomial(1)], dim=1)
        for module, flag in modes:
            module.training = flag
        return ids
