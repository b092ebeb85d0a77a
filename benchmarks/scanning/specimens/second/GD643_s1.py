import torch.nn.functional as F


def consistency_loss(model, weak, strong, temp=0.5):
    """Push the prediction on the strong view to the one on the weak view."""
    target = F.softmax(model(weak).detach() / temp, dim=1)
    logp = F.log_softmax(model(strong), dim=1)
    return F.kl_div(logp, target)  # SICK


def total_loss(model, batch, lam=1.0):
    x, y, weak, strong = batch
    sup = F.cross_entropy(model(x), y)
    return sup + lam * consistency_loss(model, weak, strong)
