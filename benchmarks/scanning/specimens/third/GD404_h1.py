import numpy as np
import torch


class NoteSampler:
    """Draws MIDI notes from a trained recurrent model."""

    def __init__(self, rnn, n_notes):
        self.rnn = rnn
        self.n_notes = n_notes
        self.rnn.eval()

    def reweight(self, probs, temperature):
        powered = probs ** (1.0 / temperature)
        return powered / powered.sum(dim=-1, keepdim=True)

    @torch.no_grad()
    def play(self, first_note, length, temperature=1.0):
        notes, state = [first_note], None
        for _ in range(length):
            inp = torch.tensor([[notes[-1]]])
            scores, state = self.rnn(inp, state)
            probs = torch.softmax(scores[0, -1], dim=-1)
            probs = self.reweight(probs, temperature)
            notes.append(torch.multinomial(probs, 1).item())
        return np.array(notes)
