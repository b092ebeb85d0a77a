import torch
import torch.nn.functional as F


class CaptionSampler:
    def __init__(self, decoder, bos_id, eos_id):
        self.decoder = decoder
        self.bos_id = bos_id
        self.eos_id = eos_id

    @torch.no_grad()
    def __call__(self, image_feats, max_len=20, temperature=1.0):
        n = image_feats.size(0)
        tokens = torch.full((n, 1), self.bos_id, dtype=torch.long, device=image_feats.device)
        done = torch.zeros(n, 1, dtype=torch.bool, device=image_feats.device)
        for _ in range(max_len):
            logits = self.decoder(image_feats, tokens)[:, -1]
            scores = F.log_softmax(logits / temperature, dim=-1)
            nxt = torch.multinomial(scores, 1)  # SICK
            nxt = nxt.masked_fill(done, self.eos_id)
            tokens = torch.cat([tokens, nxt], dim=1)
            done = done | (nxt == self.eos_id)
            if done.all():
                break
        return tokens
