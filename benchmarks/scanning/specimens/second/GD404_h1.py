import torch
from torch.nn import functional as F


@torch.no_grad()
def unroll(model, prompt, length, tau, ctx=256):
    out = prompt.clone()
    while out.shape[1] < length:
        last = model(out[:, -ctx:])[:, -1, :]
        p = F.softmax(last, dim=-1)
        p = p.pow(1.0 / tau)
        p = p / p.sum(dim=-1, keepdim=True)
        tok = torch.multinomial(p, 1)
        out = torch.cat((out, tok), 1)
    return out
