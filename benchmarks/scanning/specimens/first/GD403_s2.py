import torch
from torch import Tensor


def sharpen(p: Tensor, temperature: float) -> Tensor:
    p = p.pow(temperature)  # SICK
    return p / p.sum(dim=-1, keepdim=True)


@torch.no_grad()
def sample_captions(captioner, image_feats: Tensor, bos: int, length: int, temperature: float = 1.0) -> Tensor:
    rows = image_feats.size(0)
    caption = torch.full((rows, 1), bos, dtype=torch.long, device=image_feats.device)
    for _ in range(length):
        logits = captioner(image_feats, caption)[:, -1]
        dist = sharpen(torch.softmax(logits, dim=-1), temperature)
        word = dist.multinomial(num_samples=1)
        caption = torch.hstack([caption, word])
    return caption[:, 1:]
