import torch
import torch.nn as nn


class NCF(nn.Module):
    def __init__(self, num_users, num_items, factor_num=8, num_layers=3, dropout=0.0):
        super(NCF, self).__init__()
        self.embed_user_GMF = nn.Embedding(num_users, factor_num)
        self.embed_item_GMF = nn.Embedding(num_items, factor_num)
        self.embed_user_MLP = nn.Embedding(num_users, factor_num * (2 ** (num_layers - 1)))
        self.embed_item_MLP = nn.Embedding(num_items, factor_num * (2 ** (num_layers - 1)))
        mlp = []
        for i in range(num_layers):
            input_size = factor_num * (2 ** (num_layers - i))
            mlp.append(nn.Dropout(p=dropout))
            mlp.append(nn.Linear(input_size, input_size // 2))
            mlp.append(nn.ReLU())
        self.MLP_layers = nn.Sequential(*mlp)
        self.predict_layer = nn.Linear(factor_num * 2, 1)
        for emb in (self.embed_user_GMF, self.embed_item_GMF, self.embed_user_MLP, self.embed_item_MLP):
            nn.init.normal_(emb.weight, std=0.01)
        for m in self.MLP_layers:
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
        nn.init.kaiming_uniform_(self.predict_layer.weight, a=1, nonlinearity="sigmoid")

    def forward(self, user, item):
        gmf = self.embed_user_GMF(user) * self.embed_item_GMF(item)
        interaction = torch.cat((self.embed_user_MLP(user), self.embed_item_MLP(item)), -1)
        mlp = self.MLP_layers(interaction)
        return self.predict_layer(torch.cat((gmf, mlp), -1)).view(-1)
