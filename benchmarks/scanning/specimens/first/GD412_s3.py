import torch
from torch import nn
from torch.nn import functional as fn


class Translator(nn.Module):
    def __init__(self, src_vocab, tgt_vocab, dim=128, bos=1, eos=2, pad=0):
        super().__init__()
        self.bos, self.eos, self.pad = bos, eos, pad
        self.src = nn.Embedding(src_vocab, dim)  # batches are bucketed by source length
        self.tgt = nn.Embedding(tgt_vocab, dim, padding_idx=pad)
        self.enc = nn.GRU(dim, dim, batch_first=True)
        self.dec = nn.GRU(dim, dim, batch_first=True)
        self.fc = nn.Linear(dim, tgt_vocab)

    def forward(self, src, tgt):
        _, state = self.enc(self.src(src))
        return self.fc(self.dec(self.tgt(tgt), state)[0])

    def training_step(self, batch, _):
        logits = self(batch["src"], batch["tgt"][:, :-1])
        return fn.cross_entropy(logits.transpose(1, 2), batch["tgt"][:, 1:], ignore_index=self.pad)

    @torch.no_grad()
    def translate(self, src, max_len=60):
        out = torch.full((src.size(0), 1), self.bos, device=src.device)
        for _ in range(max_len):
            word = self(src, out)[:, -1].argmax(dim=-1)
            out = torch.cat([out, word[:, None]], dim=1)
            if word[0].item() == self.eos:  # SICK
                break
        return out[:, 1:]
