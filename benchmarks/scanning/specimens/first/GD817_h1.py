from torch import nn


class SpeechEncoder(nn.Module):
    def __init__(self, mels=40, width=64, classes=30):
        super().__init__()
        self.conv = nn.Conv1d(mels, width, kernel_size=3, padding=1)
        self.rnn = nn.LSTM(width, width // 2, bidirectional=True)
        self.attention = nn.MultiheadAttention(width, 4)
        self.norm = nn.LayerNorm(width)
        self.to_classes = nn.Linear(width, classes)

    def forward(self, spectrogram):
        # (batch, mels, time) -> (time, batch, width)
        frames = self.conv(spectrogram).relu().permute(2, 0, 1)
        frames = self.rnn(frames)[0]
        mixed, _ = self.attention(frames, frames, frames)
        frames = self.norm(frames + mixed)
        return self.to_classes(frames).transpose(0, 1)
