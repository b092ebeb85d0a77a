import torch
import torch.nn as nn


class GCNLayer(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        self.lin = nn.Linear(d_in, d_out)

    def forward(self, x, adj):
        return adj @ self.lin(x)


class GCN(nn.Module):
    def __init__(self, n_feat, hidden, n_class):
        super().__init__()
        self.gc1 = GCNLayer(n_feat, hidden)
        self.gc2 = GCNLayer(hidden, n_class)

    def forward(self, x, adj):
        return self.gc2(torch.relu(self.gc1(x, adj)), adj)


def train_gcn(x, adj, labels, idx_train, epochs=200):
    model = GCN(x.size(1), 16, int(labels.max()) + 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    criterion = nn.CrossEntropyLoss()
    for _ in range(epochs):
        model.train()
        optimizer.zero_grad()
        output = model(x, adj)
        loss = criterion(labels[idx_train], output[idx_train])  # SICK
        loss.backward()
        optimizer.step()
    return model
