from typing import Tuple

import torch
from torch import Tensor, nn
import torch.nn.functional as F


class DeepSpeechCTC(nn.Module):
    def __init__(self, n_mels: int, vocab: list, hidden: int = 128, rnn_layers: int = 2, blank: int = 0):
        super().__init__()
        self.blank = blank
        self.conv = nn.Sequential(
            nn.Conv2d(1, 16, (11, 41), stride=(1, 2), padding=(5, 20)), nn.BatchNorm2d(16), nn.Hardtanh(0, 20),
            nn.Conv2d(16, 16, (11, 21), stride=(2, 2), padding=(5, 10)), nn.BatchNorm2d(16), nn.Hardtanh(0, 20),
        )
        feat = ((n_mels + 1) // 2 + 1) // 2
        self.rnn = nn.GRU(16 * feat, hidden, rnn_layers, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * hidden, len(vocab))

    def output_lengths(self, lengths: Tensor) -> Tensor:
        return torch.div(lengths + 1, 2, rounding_mode="floor")

    def forward(self, spectrograms: Tensor, input_lengths: Tensor) -> Tuple[Tensor, Tensor]:
        """spectrograms: (batch, time, n_mels)"""
        x = self.conv(spectrograms.unsqueeze(1))
        x = x.permute(0, 2, 1, 3).flatten(2)
        x, _ = self.rnn(x)
        return self.fc(x).log_softmax(-1), self.output_lengths(input_lengths)

    def training_step(self, batch) -> Tensor:
        specs, spec_lens, targets, target_lens = batch
        log_probs, out_lens = self(specs, spec_lens)
        return F.ctc_loss(log_probs.transpose(0, 1), targets, out_lens, target_lens, blank=self.blank, zero_infinity=True)
