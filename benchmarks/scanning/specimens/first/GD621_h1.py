import torch
import torch.nn.functional as F


def tbptt(rnn, head, chunks, opt):
    """Adds the losses of eight chunks up, then goes back through all of them."""
    state, total, report = None, 0.0, 0.0
    for i, (x, y) in enumerate(chunks, 1):
        out, state = rnn(x, state)
        total = total + F.cross_entropy(head(out).transpose(1, 2), y) / 8
        if i % 8 == 0:
            opt.zero_grad()
            total.backward()
            opt.step()
            report += total.item()
            total, state = 0.0, state.detach()
    return report
