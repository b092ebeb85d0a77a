import torch
import torch.nn as nn
import torch.nn.functional as F


class SharedBottomMTL(nn.Module):
    """Joint intent classification + slot filling."""

    def __init__(self, vocab_size, n_intents, n_slots, dim=96, alpha=0.5):
        super().__init__()
        self.alpha = alpha
        self.emb = nn.Embedding(vocab_size, dim, padding_idx=0)
        self.enc = nn.LSTM(dim, dim, num_layers=2, batch_first=True, bidirectional=True, dropout=0.1)
        self.intent_head = nn.Linear(2 * dim, n_intents)
        self.slot_head = nn.Linear(2 * dim, n_slots)

    def forward(self, batch):
        tokens, mask = batch["tokens"], batch["mask"]
        h, _ = self.enc(self.emb(tokens))
        m = mask.unsqueeze(-1).to(h.dtype)
        sent = (h * m).sum(1) / m.sum(1).clamp(min=1.0)
        intent_logits = self.intent_head(sent)
        slot_logits = self.slot_head(h)
        out = {"intent_logits": intent_logits, "slot_logits": slot_logits}
        if "intent" in batch and "slots" in batch:
            intent_loss = F.cross_entropy(intent_logits, batch["intent"])
            active = mask.view(-1).bool()
            slot_loss = F.cross_entropy(slot_logits.view(-1, slot_logits.size(-1))[active], batch["slots"].view(-1)[active])
            out["loss"] = self.alpha * intent_loss + (1 - self.alpha) * slot_loss
        return out
