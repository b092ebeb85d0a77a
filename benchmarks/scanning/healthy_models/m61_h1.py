import torch
import torch.nn as nn
import torch.nn.functional as F


class GATLayer(nn.Module):
    def __init__(self, in_features, out_features, heads, dropout, alpha=0.2, concat=True):
        super().__init__()
        self.heads, self.out_features, self.concat = heads, out_features, concat
        self.W = nn.Linear(in_features, heads * out_features, bias=False)
        self.a_src = nn.Parameter(torch.empty(heads, out_features))
        self.a_dst = nn.Parameter(torch.empty(heads, out_features))
        nn.init.xavier_uniform_(self.a_src)
        nn.init.xavier_uniform_(self.a_dst)
        self.leakyrelu = nn.LeakyReLU(alpha)
        self.dropout = dropout

    def forward(self, h, adj):
        N = h.size(0)
        Wh = self.W(h).view(N, self.heads, self.out_features)
        e = self.leakyrelu((Wh * self.a_src).sum(-1).unsqueeze(1) + (Wh * self.a_dst).sum(-1).unsqueeze(0))
        e = e.masked_fill((adj == 0).unsqueeze(-1), -9e15)
        att = F.dropout(F.softmax(e, dim=1), self.dropout, training=self.training)
        out = torch.einsum("ijh,jhf->ihf", att, Wh)
        return F.elu(out.flatten(1)) if self.concat else out.mean(1)


class GAT(nn.Module):
    def __init__(self, nfeat, nhid, nclass, dropout, nheads):
        super().__init__()
        self.dropout = dropout
        self.layer1 = GATLayer(nfeat, nhid, nheads, dropout)
        self.out_att = GATLayer(nhid * nheads, nclass, 1, dropout, concat=False)

    def forward(self, x, adj):
        """adj: dense (N, N) adjacency with self loops"""
        x = F.dropout(x, self.dropout, training=self.training)
        x = self.layer1(x, adj)
        return F.log_softmax(self.out_att(x, adj), dim=1)
