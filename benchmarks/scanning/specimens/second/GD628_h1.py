import torch
import torch.nn.functional as F


def validate_adversarial(model, loader, device, eps=0.03):
    """Accuracy under an FGSM attack."""
    model.eval()
    total, correct = 0, 0
    for x, y in loader:
        x, y = x.to(device).clone().requires_grad_(True), y.to(device)
        (grad,) = torch.autograd.grad(F.cross_entropy(model(x), y), x)
        with torch.no_grad():
            logits = model(x + eps * grad.sign())
        correct += (logits.argmax(-1) == y).sum().item()
        total += y.size(0)
    return correct / total
