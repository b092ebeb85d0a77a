import torch
import torch.nn.functional as F


def nucleus(logits: torch.Tensor, top_p: float = 0.9) -> torch.Tensor:
    vals, order = torch.sort(logits, descending=True, dim=-1)
    cum = F.softmax(vals, dim=-1).cumsum(dim=-1)
    drop = cum > top_p
    drop[..., 1:] = drop[..., :-1].clone()
    drop[..., 0] = False
    logits = logits.masked_fill(drop, float("-inf"))  # SICK
    probs = F.softmax(logits, dim=-1)
    return torch.multinomial(probs, 1)


if __name__ == "__main__":
    print(nucleus(torch.randn(2, 50)))
