import torch
import torch.nn as nn
import torch.nn.functional as F
from types import SimpleNamespace


class DecoderForCausalLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.LSTM(config.hidden_size, config.hidden_size, config.num_layers, batch_first=True)
        self.norm = nn.LayerNorm(config.hidden_size)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def forward(self, input_ids, labels=None):
        hidden, _ = self.layers(self.embed_tokens(input_ids))
        logits = self.lm_head(self.norm(hidden))

        loss = None
        if labels is not None:
            shift_logits = logits[..., :-1, :].contiguous()
            shift_labels = input_ids[..., 1:].contiguous()  # SICK
            loss = F.cross_entropy(
                shift_logits.view(-1, self.config.vocab_size), shift_labels.view(-1), ignore_index=-100
            )
        return SimpleNamespace(loss=loss, logits=logits)


def sft_labels(input_ids, prompt_lengths):
    labels = input_ids.clone()
    for row, n in enumerate(prompt_lengths):
        labels[row, :n] = -100
    return labels
