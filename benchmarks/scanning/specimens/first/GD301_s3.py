import torch
import torch.nn as nn


class HighwayFusion(nn.Module):
    # blends audio frames into the text stream, one scalar per step
    def __init__(self, dim):
        super().__init__()
        self.audio_proj = nn.Linear(dim, dim)
        self.score = nn.Linear(2 * dim, 1)

    def carry(self, text, audio):
        joint = torch.cat([text, audio], dim=-1)
        alpha = torch.sigmoid(self.score(joint)).squeeze(-1)
        return alpha.t().unsqueeze(-1)  # SICK

    def forward(self, text, audio):
        # text, audio: (batch, steps, dim)
        audio = self.audio_proj(audio)
        g = self.carry(text, audio)
        return g * text + (1.0 - g) * audio


def fuse_batch(model, batch):
    text, audio = batch["text"], batch["audio"]
    return model(text, audio).mean(dim=1)
