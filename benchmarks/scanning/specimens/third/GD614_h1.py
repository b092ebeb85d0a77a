import torch
import torch.nn as nn


def fit_lbfgs(model, x, y, max_outer=20):
    loss_fn = nn.MSELoss()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=10, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        value = loss_fn(model(x), y)
        value.backward()
        return value

    for i in range(max_outer):
        loss = optimizer.step(closure)
        if i % 5 == 0:
            print(i, float(loss))
    return model


def fit_accelerated(accelerator, model, optimizer, loader):
    for batch in loader:
        optimizer.zero_grad()
        loss = model(**batch)["loss"]
        accelerator.backward(loss)
        optimizer.step()


if __name__ == "__main__":
    t = torch.linspace(0, 1, 50)[:, None]
    fit_lbfgs(nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1)), t, t.pow(3))
