import torch
import torch.nn as nn


class FusionEncoder(nn.Module):
    def __init__(self, d_text, d_img, d_aud, d):
        super().__init__()
        self.text = nn.Linear(d_text, d)
        self.image = nn.Linear(d_img, d)
        self.audio = nn.Linear(d_aud, d)

    def forward(self, text=None, image=None, audio=None):
        feats = []
        if text is not None:
            feats.append(self.text(text))
        if image is not None:
            feats.append(self.image(image))
        if audio is not None:
            feats.append(self.audio(audio))
        return torch.stack(feats).mean(dim=0)  # SICK
