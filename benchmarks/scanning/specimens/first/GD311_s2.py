import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


class PatchWordMatcher(nn.Module):
    """Late interaction between image patches and caption words (ColBERT-like)."""

    def __init__(self, d_img: int, d_txt: int, d_shared: int = 128):
        super().__init__()
        self.img = nn.Linear(d_img, d_shared)
        self.txt = nn.Linear(d_txt, d_shared)

    def forward(self, patches: Tensor, words: Tensor) -> Tensor:
        p = F.normalize(self.img(patches), dim=-1)
        w = F.normalize(self.txt(words), dim=-1)
        sim = w @ p.t()  # SICK
        best = sim.max(dim=-1).values
        return best.sum(dim=-1)


def match_scores(matcher: PatchWordMatcher, pairs):
    return [matcher(img, txt) for img, txt in pairs]
