import torch
import torch.nn.functional as F


def top_k_filter(logits, k):
    if k <= 0:
        return logits
    kth = torch.topk(logits, k, dim=-1).values[..., -1:]
    return logits.masked_fill(logits < kth, float("-inf"))


@torch.no_grad()
def generate(model, prompt_ids, max_new_tokens, ctx_len, temperature=1.0, top_k=40):
    out = prompt_ids
    for _ in range(max_new_tokens):
        logits = model(out[:, -ctx_len:])
        logits = top_k_filter(logits[:, -1, :], top_k)
        probs = F.softmax(logits, dim=-1) / temperature  # SICK
        next_token = torch.multinomial(probs, num_samples=1)
        out = torch.cat([out, next_token], dim=1)
    return out
