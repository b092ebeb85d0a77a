import torch
import torch.nn as nn


class MultimodalFusion(nn.Module):
    def __init__(self, text_dim=768, image_dim=1024, audio_dim=128, dim=256, n_classes=5):
        super().__init__()
        self.text = nn.Linear(text_dim, dim)
        self.image = nn.Linear(image_dim, dim)
        self.audio = nn.Linear(audio_dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, n_classes)

    def forward(self, text=None, image=None, audio=None):
        feats = []
        if text is not None:
            feats.append(self.text(text))
        if image is not None:
            feats.append(self.image(image))
        if audio is not None:
            feats.append(self.audio(audio))
        fused = torch.stack(feats, dim=0).mean(dim=0)  # SICK
        return self.out(self.norm(fused))
