import torch
import torch.nn.functional as F


def nucleus_draw(logits: torch.Tensor, top_p: float = 0.9) -> torch.Tensor:
    vals, order = torch.sort(logits, descending=True, dim=-1)
    p = F.softmax(vals, dim=-1)
    before = p.cumsum(dim=-1) - p
    p = p.masked_fill(before >= top_p, 0.0)
    p = p / p.sum(dim=-1, keepdim=True)
    rank = torch.multinomial(p, 1)
    return order.gather(-1, rank)


if __name__ == "__main__":
    print(nucleus_draw(torch.randn(2, 50)))
