import torch
import torch.nn as nn
import torch.nn.functional as F


class TextCNN(nn.Module):
    def __init__(self, args, embedding_weights=None):
        super().__init__()
        V, D, C = args.vocab_size, args.embed_dim, args.num_classes
        self.embed = nn.Embedding(V, D, padding_idx=0)
        if embedding_weights is not None:
            self.embed.weight.data.copy_(embedding_weights)
            self.embed.weight.requires_grad = not args.static
        self.convs = nn.ModuleList([nn.Conv2d(1, args.kernel_num, (K, D)) for K in args.kernel_sizes])
        self.dropout = nn.Dropout(args.dropout)
        self.fc = nn.Linear(len(args.kernel_sizes) * args.kernel_num, C)

    def forward(self, x):
        x = self.embed(x).unsqueeze(1)
        x = [F.relu(conv(x)).squeeze(3) for conv in self.convs]
        x = [F.max_pool1d(i, i.size(2)).squeeze(2) for i in x]
        x = self.dropout(torch.cat(x, 1))
        return self.fc(x)


def train(model, loader, args):
    optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=args.lr)
    model.train()
    for feature, target in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(feature), target)
        loss.backward()
        optimizer.step()
