import torch
import torch.nn.functional as F


class TempDecoder:
    def __init__(self, net, max_ctx, temp=1.0):
        self.net, self.max_ctx, self.beta = net, max_ctx, 1.0 / temp

    @torch.inference_mode()
    def draw(self, seq, n):
        for _ in range(n):
            logits = self.net(seq[:, -self.max_ctx:])[:, -1]
            logits.mul_(self.beta)
            probs = F.softmax(logits, dim=-1)
            seq = torch.cat([seq, torch.multinomial(probs, 1)], dim=1)
        return seq
