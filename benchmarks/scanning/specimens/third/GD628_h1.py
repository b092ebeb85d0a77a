import torch
import torch.nn.functional as F


def evaluate_fgsm(model, loader, eps=0.03):
    """Accuracy on adversarial inputs, which need the gradient of the loss."""
    model.eval()
    hits = n = 0
    for x, y in loader:
        x = x.clone().requires_grad_(True)
        loss = F.cross_entropy(model(x), y)
        (grad,) = torch.autograd.grad(loss, x)
        x_adv = (x + eps * grad.sign()).clamp(0, 1).detach()
        with torch.no_grad():
            hits += (model(x_adv).argmax(1) == y).sum().item()
        n += y.numel()
    return hits / n


@torch.inference_mode()
def evaluate(model, loader):
    model.eval()
    hits = n = 0
    for x, y in loader:
        hits += (model(x).argmax(1) == y).sum().item()
        n += y.numel()
    return hits / n
