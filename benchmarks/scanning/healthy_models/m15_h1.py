import torch
import torch.nn as nn


class HousePriceRegressor(nn.Module):
    def __init__(self, emb_szs, n_cont, layers=[200, 100], p=0.3):
        """emb_szs: list of (cardinality, dim) for each categorical column"""
        super().__init__()
        self.embeds = nn.ModuleList([nn.Embedding(ni, nf) for ni, nf in emb_szs])
        self.emb_drop = nn.Dropout(p)
        self.bn_cont = nn.BatchNorm1d(n_cont)
        n_in = sum(nf for _, nf in emb_szs) + n_cont
        layerlist = []
        for i in layers:
            layerlist += [nn.Linear(n_in, i), nn.ReLU(inplace=True), nn.BatchNorm1d(i), nn.Dropout(p)]
            n_in = i
        layerlist.append(nn.Linear(layers[-1], 1))
        self.layers = nn.Sequential(*layerlist)

    def forward(self, x_cat, x_cont):
        x = torch.cat([e(x_cat[:, i]) for i, e in enumerate(self.embeds)], 1)
        x = self.emb_drop(x)
        x = torch.cat([x, self.bn_cont(x_cont)], 1)
        return self.layers(x).squeeze(-1)


def rmse_step(model, opt, x_cat, x_cont, y):
    opt.zero_grad()
    loss = torch.sqrt(nn.functional.mse_loss(model(x_cat, x_cont), y) + 1e-8)
    loss.backward()
    opt.step()
    return loss.item()
