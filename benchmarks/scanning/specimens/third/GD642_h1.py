import torch
import torch.nn.functional as F


def rdrop_loss(logits_a, logits_b, labels, weight=1.0):
    """Two passes with different dropout should agree."""
    ce = 0.5 * (F.cross_entropy(logits_a, labels) + F.cross_entropy(logits_b, labels))
    log_a, log_b = (z.log_softmax(dim=-1) for z in (logits_a, logits_b))
    kl = F.kl_div(log_a, log_b, reduction="batchmean", log_target=True)
    kl = kl + F.kl_div(log_b, log_a, reduction="batchmean", log_target=True)
    return ce + weight * kl / 2


def js_divergence(p, q, eps=1e-8):
    log_m = (0.5 * (p + q)).clamp_min(eps).log()
    return 0.5 * (F.kl_div(log_m, p, reduction="batchmean") + F.kl_div(log_m, q, reduction="batchmean"))


def train_step(model, opt, x, y):
    opt.zero_grad()
    loss = rdrop_loss(model(x), model(x), y)
    loss.backward()
    opt.step()
    return loss.item()
