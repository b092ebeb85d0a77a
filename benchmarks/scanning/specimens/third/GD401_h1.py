import torch
import torch.nn.functional as F


def pick(logits, temperature):
    if temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    probs = F.softmax(logits / temperature, dim=-1)
    return torch.multinomial(probs, num_samples=1)


@torch.inference_mode()
def complete(model, ids, steps, block_size, temperature=1.0):
    assert temperature >= 0
    for _ in range(steps):
        logits = model(ids[:, -block_size:])
        nxt = pick(logits[:, -1], temperature)
        ids = torch.cat((ids, nxt), dim=1)
    return ids


def confidence(logits, temperature):
    """Calibrated confidence of the predicted class."""
    probs = (logits / temperature).softmax(-1)
    conf, pred = probs.max(-1)
    return conf, pred
