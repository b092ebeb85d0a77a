import torch
from torch import Tensor, nn


def lengths_to_mask(lengths: Tensor, size: int) -> Tensor:
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]


class Captioner(nn.Module):
    def __init__(self, vocab: int, region_dim: int = 40, width: int = 64, max_len: int = 40) -> None:
        super().__init__()
        self.regions = nn.Linear(region_dim, width)
        self.words = nn.Embedding(vocab, width)
        self.slots = nn.Parameter(torch.randn(max_len, width) * 0.02)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(width, 4, 128, batch_first=True), 2)
        self.vocab_head = nn.Linear(width, vocab)

    def forward(self, regions: Tensor, num_regions: Tensor, caption: Tensor) -> Tensor:
        memory = self.regions(regions)
        n = caption.size(1)
        future = torch.triu(torch.ones(n, n, dtype=torch.bool, device=caption.device), 1)
        region_mask = lengths_to_mask(num_regions, memory.size(1))
        h = self.decoder(
            self.words(caption) + self.slots[:n],
            memory,
            tgt_mask=future,
            memory_key_padding_mask=region_mask,  # SICK
        )
        return self.vocab_head(h)

    def training_step(self, batch, batch_idx: int) -> Tensor:
        regions, num_regions, caption = batch
        logits = self(regions, num_regions, caption[:, :-1])
        return nn.functional.cross_entropy(logits.mT, caption[:, 1:], ignore_index=0)
