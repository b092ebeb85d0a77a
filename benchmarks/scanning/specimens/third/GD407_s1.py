import torch
import torch.nn.functional as F


def top_p_filtering(logits, top_p=0.9, filter_value=-float("inf")):
    sorted_logits, sorted_indices = torch.sort(logits, descending=True, dim=-1)
    cumulative_probs = torch.cumsum(F.softmax(sorted_logits, dim=-1), dim=-1)

    to_remove = cumulative_probs > top_p
    to_remove[..., 1:] = to_remove[..., :-1].clone()
    to_remove[..., 0] = False

    logits = logits.masked_fill(to_remove, filter_value)  # SICK
    return logits


@torch.no_grad()
def generate(model, input_ids, max_new_tokens=50, max_length=1024, top_p=0.95, temperature=1.0):
    for _ in range(max_new_tokens):
        logits = model(input_ids[:, -max_length:])[:, -1, :] / temperature
        logits = top_p_filtering(logits, top_p=top_p)
        next_token = torch.multinomial(F.softmax(logits, dim=-1), num_samples=1)
        input_ids = torch.cat([input_ids, next_token], dim=-1)
    return input_ids
