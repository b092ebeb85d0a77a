import torch
import torch.nn.functional as F


@torch.no_grad()
def sample(model, start, n, block_size):
    ids = start
    for _ in range(n):
        logits = model(ids[:, -block_size:])
        ids = torch.cat([ids, torch.multinomial(logits[:, -1].softmax(-1), 1)], dim=1)
    return ids


def fit(model, loader, optimizer, start, epochs=3, block_size=128):
    for epoch in range(epochs):
        model.train()
        for x, y in loader:
            logits = model(x)
            loss = F.cross_entropy(logits.reshape(-1, logits.size(-1)), y.reshape(-1))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        model.eval()
        print(epoch, sample(model, start, 40, block_size).tolist())
        model.train()
    return model.eval()
