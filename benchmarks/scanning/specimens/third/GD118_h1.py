import torch
import torch.nn as nn


class SpanPooler(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.score = nn.Linear(dim, 1)
        self.register_buffer("_anchor", torch.empty(0), persistent=False)

    @property
    def device(self):
        return self._anchor.device

    def forward(self, x, lengths):
        lengths = torch.as_tensor(lengths, device=self.device)
        steps = torch.arange(x.size(1), device=self.device)
        inside = steps[None, :] < lengths[:, None]
        w = self.score(x).squeeze(-1).masked_fill(~inside, float("-inf")).softmax(dim=1)
        return torch.einsum("bt,btd->bd", w, x)


def main():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pool = SpanPooler(32).to(device)
    x = torch.randn(3, 9, 32, device=device)
    print(pool(x, [9, 4, 1]).shape)


if __name__ == "__main__":
    main()
